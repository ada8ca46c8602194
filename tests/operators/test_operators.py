"""Every law over every operator, against its dense tensor in float64."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from operators import CLASSES, MAKERS, matrix, shapes
from slow import some

from jaxcalc._layout.layout import Layout, arrange

pytestmark = pytest.mark.usefixtures("x64")

SHIFT = 3.7
HALF = np.asarray(-0.5)


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def same_spaces(op):
    return op.domain == op.codomain


def square(op):
    return math.prod(op.domain) == math.prod(op.codomain)


def always(op):
    return True


class Law(NamedTuple):
    """What is asked of an operator J, and the answer from its matrix M.

    Factorizations are asked for eagerly: they are compiled once a shape, not once an operator.
    """

    ask: Callable[[Any], Any]
    truth: Callable[[np.ndarray, Any], Any]
    applies: Callable[[Any], bool] = always
    factorizes: bool = False


def shifted(M):
    return M + SHIFT * np.eye(len(M))


def into(op, x, *extra):
    return np.reshape(x, (*op.codomain, *extra))


def back(op, x, *extra):
    return np.reshape(x, (*extra, *op.domain))


def dense(op, M):
    return jnp.reshape(M, op.codomain + op.domain)


LAWS = {
    "tensor": Law(lambda J: J.tensor(), lambda M, J: dense(J, M)),
    "dense form": Law(
        lambda J: J.todense(),
        lambda M, J: arrange(dense(J, M), len(J.codomain), Layout.NUMERATOR),
    ),
    "one product": Law(
        lambda J: J @ numbers(*J.domain), lambda M, J: into(J, M @ numbers(*J.domain).ravel())
    ),
    "columns": Law(
        lambda J: J @ numbers(*J.domain, 3, 2),
        lambda M, J: into(J, M @ numbers(*J.domain, 3, 2).reshape(-1, 6), 3, 2),
    ),
    "one row": Law(
        lambda J: numbers(*J.codomain) @ J,
        lambda M, J: back(J, numbers(*J.codomain).ravel() @ M),
    ),
    "rows": Law(
        lambda J: numbers(2, *J.codomain) @ J,
        lambda M, J: back(J, numbers(2, *J.codomain).reshape(2, -1) @ M, 2),
    ),
    "transpose": Law(lambda J: J.T.matrix(), lambda M, J: M.T),
    "product of the transpose": Law(
        lambda J: J.T @ numbers(*J.codomain),
        lambda M, J: back(J, M.T @ numbers(*J.codomain).ravel()),
    ),
    "multiples": Law(lambda J: (HALF * (2 * J * HALF) / 4).matrix(), lambda M, J: M / 8),
    "opposite": Law(lambda J: (-J).matrix(), lambda M, J: -M),
    "difference": Law(lambda J: (J.T.T - 3 * J).matrix(), lambda M, J: -2 * M),
    "Frobenius norm": Law(lambda J: J.frobenius_norm(), lambda M, J: np.linalg.norm(M)),
    "pseudo-inverse": Law(
        lambda J: J.pinv().matrix(), lambda M, J: np.linalg.pinv(M), factorizes=True
    ),
    "diagonal": Law(lambda J: J.diagonal(), lambda M, J: back(J, np.diag(M)), applies=same_spaces),
    "trace": Law(lambda J: J.trace(), lambda M, J: np.trace(M), applies=same_spaces),
    "quadratic form": Law(
        lambda J: J.quadratic(numbers(*J.domain)),
        lambda M, J: numbers(*J.domain).ravel() @ M @ numbers(*J.domain).ravel(),
        applies=same_spaces,
    ),
    "shifted solution": Law(
        lambda J: J.solve(numbers(*J.codomain, 2), SHIFT),
        lambda M, J: into(
            J, np.linalg.solve(shifted(M), numbers(*J.codomain, 2).reshape(-1, 2)), 2
        ),
        applies=same_spaces,
        factorizes=True,
    ),
}


@functools.cache
def made(maker):
    """The operator and its matrix, in float64."""
    op = maker()
    return op, matrix(op)


@functools.cache
def answers(maker):
    """What the operator answers to every law, by one compiled function."""
    op, _ = made(maker)
    asked = {name: law for name, law in LAWS.items() if law.applies(op)}
    traced = {name: law.ask for name, law in asked.items() if not law.factorizes}
    eager = {name: law.ask(op) for name, law in asked.items() if law.factorizes}
    return eager | quick_jit(lambda op: {name: ask(op) for name, ask in traced.items()})(op)


def cases():
    fits = [(m, name) for m in MAKERS for name, law in LAWS.items() if law.applies(shapes(m))]
    kept = [fit for fit in fits if fit[0] in CLASSES]
    return pytest.mark.parametrize(("maker", "name"), some(fits, kept), ids=lambda x: str(x))


def chosen(condition):
    """The makers whose operator fits a condition on its shapes."""
    fits = [m for m in MAKERS if condition(shapes(m))]
    kept = [m for m in fits if m in CLASSES]
    return pytest.mark.parametrize("maker", some(fits, kept), ids=str)


def close(got, expected, tolerance=1e-11):
    assert np.shape(got) == np.shape(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(got, expected, tolerance, tolerance * scale)


@cases()
def test_law(maker, name):
    op, M = made(maker)
    got = answers(maker)[name]
    assert got.dtype == np.float64
    close(got, LAWS[name].truth(M, op), 1e-9 if LAWS[name].factorizes else 1e-11)


@chosen(always)
def test_structure_is_known_and_kept_by_transposition(maker):
    op, M = made(maker)
    assert op.structure == maker.structure == op.T.structure
    assert (op.T.domain, op.T.codomain) == (op.codomain, op.domain)
    assert op.shape == answers(maker)["dense form"].shape
    assert op.cost().dense_bytes == M.nbytes
    assert op.cost().dense_flops == 2 * M.size


@chosen(square)
def test_determinant(maker):
    op, M = made(maker)
    sign, logarithm = op.slogdet()
    if "singular" in maker.traits:
        assert (sign, logarithm) == (0, -np.inf)
    else:
        close(sign, np.linalg.slogdet(M)[0])
        close(logarithm, np.linalg.slogdet(M)[1], 1e-10)


@chosen(square)
def test_solve(maker):
    op, M = made(maker)
    b = numbers(*op.codomain, 2)
    if "singular" in maker.traits:
        with pytest.raises(np.linalg.LinAlgError, match=r"singular.*pinv.*shifted solve"):
            op.solve(b)
        assert np.isnan(quick_jit(lambda op: op.solve(b))(op)).any()
    else:
        expected = np.linalg.solve(M, b.reshape(-1, 2))
        close(op.solve(b), expected.reshape(*op.domain, 2), 1e-9)
