"""lineax's solvers on these operators, and its operators among these."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from operators import CLASSES, matrix

import jaxcalc as jc
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


IS = {
    fact: getattr(lx, f"is_{fact}")
    for fact in (
        *("symmetric", "positive_semidefinite", "negative_semidefinite"),
        *("diagonal", "tridiagonal", "lower_triangular", "upper_triangular"),
    )
}
POSITIVE, NEGATIVE = "symmetric positive_semidefinite", "symmetric negative_semidefinite"
DIAGONAL = "symmetric diagonal tridiagonal lower_triangular upper_triangular"


def gram(u, sign=1):
    return ops.LowRank(u, u, sign)


with jax.enable_x64(True):
    u, v, x, A = numbers(4, 1), numbers(4, 1) + 1, numbers(4), ops.Dense(numbers(4, 4), 1)
    one, d, J = ops.Identity((4,), float), ops.Diagonal(numbers(4)), jc.softmax_jacobian(numbers(4))
    TAGGED = {
        "softmax": (J, POSITIVE),
        "softmax, denominator": (J.T, POSITIVE),
        "softmax, derived": (jc.derive(jc.softmax)(x), POSITIVE),
        "-softmax": (-J, NEGATIVE),
        "--softmax": ((-J).__neg__(), POSITIVE),
        "2 softmax": (2 * J, "symmetric"),
        "D softmax D": (d @ J @ d, POSITIVE),
        "D softmax": (d @ J, ""),
        "log_softmax": (jc.log_softmax_jacobian(x), ""),
        "softmax + I": (J + one, "symmetric"),
        "softmax + a sum": (ops.Sum((J, one, gram(u))), POSITIVE),
        "negatives": (ops.Sum((-J, gram(u, -1))), NEGATIVE),
        "a sum of both": (ops.Sum((J, -J)), "symmetric"),
        "softmaxes": (jc.batch(jax.vmap(jc.softmax_jacobian)(numbers(2, 4))), POSITIVE),
        "softmaxes, derived": (jc.derive(jc.softmax)(numbers(2, 4)), POSITIVE),
        "inverse": (ops.Inverse(ops.Sum((J, one))), POSITIVE),
        "shifted inverse": (ops.Inverse(J, jnp.asarray(1.0)), "symmetric"),
        "identity": (one, f"{DIAGONAL} positive_semidefinite"),
        "c I": (3 * one, DIAGONAL),
        "zero": (ops.Zero((4,), (4,), float), f"{DIAGONAL} {POSITIVE} {NEGATIVE}"),
        "zero, 4 by 3": (ops.Zero((4,), (3,), float), ""),
        "diagonal": (d, DIAGONAL),
        "one band": (ops.Banded(numbers(1, 4), ((4,),), (4,)), DIAGONAL),
        "rank 1": (gram(u), POSITIVE),
        "-rank 1": (-gram(u), NEGATIVE),
        "u vT": (ops.LowRank(u, v), ""),
        "diagonal + rank 1": (d + gram(u), "symmetric"),
        "c times a sum": (2 * ops.Sum((J, d)), "symmetric"),
        "kronecker": (ops.Kronecker((J, gram(u))), POSITIVE),
        "kronecker of signs": (ops.Kronecker((J, -gram(u))), NEGATIVE),
        "kronecker of negatives": (ops.Kronecker((-J, -gram(u))), POSITIVE),
        "kronecker of symmetric": (ops.Kronecker((2 * J, d)), "symmetric"),
        "kronecker of diagonals": (ops.Kronecker((d, one)), DIAGONAL),
        "blocks of one": (ops.BlockDiagonal(J, 3, 1, 1, (False,) * 4), POSITIVE),
        "blocks, to other axes": (ops.BlockDiagonal(J, 4, 1, 0, (False,) * 4), ""),
        "inverse of a diagonal": (ops.Inverse(d), DIAGONAL),
        "dense": (A, ""),
        "chain": (ops.Chain((d, A)), ""),
        "chain of diagonals": (ops.Chain((d, one, d)), DIAGONAL),
        "transpose": (ops.Transpose(ops.Chain((A, d))), ""),
    }


@pytest.mark.parametrize("name", TAGGED)
def test_what_the_structure_shows_is_tagged_and_true(name):
    op, facts = TAGGED[name]
    there = ops.to_lineax(op)
    assert {fact for fact, asked in IS.items() if asked(there)} == set(facts.split())
    M = np.asarray(op.matrix())
    true = {
        "symmetric": lambda: np.allclose(M, M.T, 0, 1e-12),
        "positive_semidefinite": lambda: np.min(np.linalg.eigvalsh(M)) > -1e-12,
        "negative_semidefinite": lambda: np.max(np.linalg.eigvalsh(M)) < 1e-12,
        "diagonal": lambda: np.array_equal(M, np.diag(np.diag(M))),
        "tridiagonal": lambda: np.array_equal(M, np.triu(np.tril(M, 1), -1)),
        "lower_triangular": lambda: np.array_equal(M, np.tril(M)),
        "upper_triangular": lambda: np.array_equal(M, np.triu(M)),
    }
    assert all(true[fact]() for fact in facts.split())


@pytest.mark.parametrize("maker", CLASSES, ids=str)
def test_no_tag_is_wrong(maker):
    op, M = maker(np.float64), matrix(maker(np.float64))
    there = ops.to_lineax(op)
    assert not lx.is_symmetric(there) or np.allclose(M, M.T)
    assert not lx.is_diagonal(there) or np.allclose(M, np.diag(np.diag(M)))
    assert not lx.is_positive_semidefinite(there) or np.min(np.linalg.eigvalsh(M)) > -1e-12


@pytest.mark.parametrize("solver", [lx.CG(rtol=1e-10, atol=1e-10), lx.Cholesky()])
@pytest.mark.parametrize("sign", [1, -1])
def test_solvers_of_definite_operators_need_not_be_told(solver, sign):
    K = ops.Sum((J, one, gram(u)))
    if sign < 0:
        K = ops.Sum((-J, gram(u, -1), gram(jnp.eye(4), -1)))

    @quick_jit
    def solved(b):
        return lx.linear_solve(ops.to_lineax(K), b, solver).value

    np.testing.assert_allclose(K @ solved(x), x, 1e-8)


def test_what_softmax_is_known_to_be_passes_through_jit():
    @jax.jit
    def solved(J, b):
        damped = ops.Sum((J, ops.Identity((4,), float)))
        return lx.linear_solve(ops.to_lineax(damped), b, lx.CG(rtol=1e-10, atol=1e-10)).value

    np.testing.assert_allclose(solved(J, x), J.solve(x, shift=1.0), 1e-8)


def test_a_sign_that_is_told_reaches_diagonals():
    for op in (ops.Diagonal(numbers(4) ** 2), 3 * one):
        there = ops.to_lineax(op, lx.positive_semidefinite_tag)
        assert lx.is_positive_semidefinite(there)
        assert type(ops.from_lineax(there)) is ops.Diagonal


def test_several_arrays_are_refused():
    both = jax.tree.map(jnp.ones, {"a": (2,), "b": (3,)}, is_leaf=lambda x: isinstance(x, tuple))
    with pytest.raises(TypeError, match="`op` must map one array to one array"):
        ops.from_lineax(lx.DiagonalLinearOperator(both))
