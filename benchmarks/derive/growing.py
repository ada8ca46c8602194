"""Functions of vectors of any size: what their derivatives do, in NumPy, and how long it takes.

Everything is a program of the vector v and the point x, timed over one `jax.jvp` of the same
function at the same point: where that ratio stays, time grows as it does for the function.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxcalc as jc
from benchmarks.derive.cases import Function, normal
from benchmarks.derive.contest import (
    OWN,
    PRODUCT,
    Entry,
    compiled,
    hold,
    near,
    near_determinant,
    products,
)
from benchmarks.oracles.wide import Array
from benchmarks.plain import VALUES
from benchmarks.report import Result
from benchmarks.timing import Effort
from jaxcalc.operators import Identity

SHIFT = 1.0
Results = dict[str, tuple[Array, ...]]

# What is asked of J at a vector v, beside the product.
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "v @ J": lambda J, v: v @ J,
    "diagonal": lambda J, v: J.diagonal(),
    "trace": lambda J, v: J.trace(),
    "slogdet": lambda J, v: J.slogdet(),
    "slogdet of J + I": lambda J, v: (J + Identity(v.shape, v.dtype)).slogdet(),
    "solve (J + I)": lambda J, v: J.solve(v, shift=SHIFT),
}


class Growing(NamedTuple):
    """A function, and what its derivative does at x and v."""

    f: Function
    results: Callable[[Array, Array], Results]


def _of_sigmoid(x: Array, v: Array) -> Results:
    d = VALUES["sigmoid"](x) * VALUES["sigmoid"](-x)
    determinants = (1, np.log(d).sum()), (1, np.log1p(d).sum())
    return _by_operation(d * v, d, *determinants, v / (SHIFT + d))


def _of_softmax(x: Array, v: Array) -> Results:
    """J = diag(s) − s sᵀ is singular; J + I by Sherman–Morrison and the determinant lemma."""
    s = VALUES["softmax"](x)
    z, left = s / (SHIFT + s), v / (SHIFT + s)
    determinants = (0, -np.inf), (1, np.log1p(s).sum() + np.log1p(-s @ z))
    solution = left + z * (s @ left) / (1 - s @ z)
    return _by_operation(s * (v - s @ v), s * (1 - s), *determinants, solution)


def _by_operation(
    product: Array,
    diagonal: Array,
    slogdet: tuple[float, float],
    shifted: tuple[float, float],
    solution: Array,
) -> Results:
    """The results, of a symmetric J."""
    pairs = (tuple(map(np.float64, pair)) for pair in (slogdet, shifted))
    ordered = ((product,), (diagonal,), (diagonal.sum(),), *pairs, (solution,))
    return {PRODUCT: (product,), **dict(zip(OPERATIONS, ordered, strict=True))}


FUNCTIONS = {
    "jax.nn.softmax": Growing(jax.nn.softmax, _of_softmax),
    "jc.softmax": Growing(jc.softmax, _of_softmax),
    "jax.nn.sigmoid": Growing(jax.nn.sigmoid, _of_sigmoid),
    "jc.sigmoid": Growing(jc.sigmoid, _of_sigmoid),
}


def point(n: int) -> tuple[jax.Array, jax.Array]:
    """Where the derivative is taken, and what it is applied to."""
    return normal(n, seed=5), normal(n, seed=6)


def true_results(name: str, n: int) -> Results:
    """What every operation should give there."""
    return FUNCTIONS[name].results(*(np.asarray(a, np.float64) for a in point(n)))


def grow(name: str, n: int, effort: Effort) -> Result:
    """Check and time everything at vectors of n entries."""
    named = {"part": "growth", "function": name, "n": n}
    return hold(named, list(_entries(name, n)), ["jvp"], effort)


def _entries(name: str, n: int) -> Iterator[Entry]:
    f, (x, v), results = FUNCTIONS[name].f, point(n), true_results(name, n)
    yield from products(f, x, v, near(*results[PRODUCT]))
    for what, operation in OPERATIONS.items():
        result = results[what]  # pairs are sign and logarithm of a determinant
        judge = near(*result) if len(result) == 1 else near_determinant(n, *result)
        yield Entry(what, OWN, compiled(_asked(f, operation), v, x), judge)


def _asked(f: Function, operation: Callable[[Any, Any], Any]) -> Function:
    return lambda v, x: operation(jc.derive(f)(x), v)
