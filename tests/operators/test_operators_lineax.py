"""lineax's solvers on these operators, and its operators among these."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from operators import CLASSES, matrix

from jaxcalc import operators as ops

lx = pytest.importorskip("lineax", reason="lineax is an optional extra")
pytestmark = pytest.mark.usefixtures("x64")


def numbers(*shape):
    return jnp.asarray(np.random.default_rng([3, *shape]).standard_normal(shape))


@pytest.mark.parametrize("maker", CLASSES, ids=str)
def test_products_survive_both_ways(maker):
    op = maker(np.float64)
    there = ops.to_lineax(op)
    assert there.in_structure().shape == op.domain
    assert there.out_structure().shape == op.codomain
    v = numbers(*op.domain)
    expected = (matrix(op) @ v.ravel()).reshape(op.codomain)
    np.testing.assert_allclose(there.mv(v), expected, 1e-10, 1e-10)
    back = ops.from_lineax(there)
    np.testing.assert_allclose(back @ v, expected, 1e-10, 1e-10)
    np.testing.assert_allclose(back.T.todense(), op.T.todense(), 1e-10, 1e-10)


def test_classes_alike_stay():
    kinds = [ops.Diagonal(numbers(3)), ops.Dense(numbers(2, 3, 4), 2), ops.Identity((3,), float)]
    for op in kinds:
        assert type(ops.from_lineax(ops.to_lineax(op))) is type(op)


SOLVERS = [lx.LU(), lx.QR(), lx.CG(rtol=1e-12, atol=1e-12), lx.GMRES(rtol=1e-12, atol=1e-12)]


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_its_solvers_run_on_ours(solver):
    U = numbers(4, 1)
    J = ops.DiagonalPlusLowRank(1 + numbers(4) ** 2, U, U)
    b = numbers(4)
    solution = lx.linear_solve(ops.to_lineax(J, lx.positive_semidefinite_tag), b, solver)
    np.testing.assert_allclose(solution.value, J.solve(b), 1e-9)


def test_symmetry_that_the_structure_shows_is_tagged():
    u, v = numbers(4, 1), numbers(4, 1) + 1
    assert lx.is_symmetric(ops.to_lineax(ops.DiagonalPlusLowRank(numbers(4), u, u)))
    assert not lx.is_symmetric(ops.to_lineax(ops.DiagonalPlusLowRank(numbers(4), u, v)))
    assert lx.is_diagonal(ops.to_lineax(ops.Diagonal(numbers(4))))


def test_several_arrays_are_refused():
    both = jax.tree.map(jnp.ones, {"a": (2,), "b": (3,)}, is_leaf=lambda x: isinstance(x, tuple))
    with pytest.raises(TypeError, match="`op` must map one array to one array"):
        ops.from_lineax(lx.DiagonalLinearOperator(both))
