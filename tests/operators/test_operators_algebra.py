"""Products and sums of every two operators; what the tables make simpler, and what they keep."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from operators import DISTINCT, by_name, fitting, matrix

from jaxcalc import operators as ops
from jaxcalc.operators import Chain, Diagonal, DiagonalPlusLowRank, Identity, LowRank, Sum, Zero

pytestmark = pytest.mark.usefixtures("x64")


def numbers(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape))


def close(got, expected, name=""):
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(got, expected, 1e-10, 1e-10 * scale, err_msg=str(name))


@functools.cache
def made(maker):
    """The operator and its matrix, in float64."""
    op = maker()
    return op, matrix(op)


@pytest.mark.slow
@pytest.mark.parametrize("left", DISTINCT, ids=str)
def test_products_with_every_operator_that_fits(left):
    a, A = made(left)
    for right in fitting(left, lambda x, y: x.domain == y.codomain):
        b, B = made(right)
        product = a @ b
        assert (product.codomain, product.domain) == (a.codomain, b.domain)
        v = numbers(*b.domain)
        close(product @ v, (A @ (B @ np.ravel(v))).reshape(a.codomain), right)


@pytest.mark.slow
@pytest.mark.parametrize("left", DISTINCT, ids=str)
def test_sums_with_every_operator_that_fits(left):
    a, A = made(left)
    for right in fitting(left, lambda x, y: (x.domain, x.codomain) == (y.domain, y.codomain)):
        b, B = made(right)
        v = numbers(*b.domain)
        close((a + b) @ v, ((A + B) @ np.ravel(v)).reshape(a.codomain), right)


# (left, right): the structure of their product and of their sum.
D, R1, DR = "diagonal", "rank 1", "diagonal plus rank 1"
STRUCTURES = {
    ("zero", "dense"): ("zero", "dense"),
    ("identity", "dense"): ("dense", "sum"),
    ("scaled identity", "dense"): ("dense", "sum"),
    ("scaled identity", "identity"): ("scaled identity", "scaled identity"),
    ("scaled identity", R1): (R1, "diagonal + rank 1"),
    (D, "identity"): (D, D),
    (D, D): (D, D),
    (D, R1): (R1, "diagonal + rank 1"),
    (D, "rank 2, negative"): ("rank 2", "diagonal - rank 2"),
    (D, DR): ("diagonal + rank 1", "diagonal + rank 1"),
    (DR, D): ("diagonal + rank 1", "diagonal + rank 1"),
    (DR, DR): ("diagonal + rank 2", "diagonal + rank 2"),
    ("softmax", "softmax"): ("diagonal + rank 2", "diagonal - rank 2"),
    ("softmax", "diagonal minus rank 2"): ("diagonal + rank 3", "diagonal - rank 3"),
    ("softmax", DR): ("diagonal + rank 2", "diagonal + rank 2"),
    ("softmax", "identity"): ("diagonal - rank 1", "diagonal - rank 1"),
    ("softmax", R1): (R1, "diagonal + rank 2"),
    ("softmax", "dense"): ("chain", "sum"),
    (R1, "rank 5"): (R1, "rank 6"),
    ("rank 5", "rank 5"): ("rank 5", "sum"),
    (R1, "dense"): (R1, "sum"),
    (R1, "chain"): (R1, "sum"),
    (R1, "matrix-free"): ("chain", "sum"),
    ("dense", R1): (R1, "sum"),
    (D, "banded"): ("banded", "banded"),
    ("banded", D): ("banded", "banded"),
    ("banded", "banded, off the diagonal"): ("chain", "banded"),
    ("permutation", "selection, an entry twice"): ("selection", "sum"),
    ("scatter", "scatter"): ("selection", "sum"),
    ("dense", "dense"): ("chain", "dense"),
    ("dense", "matrix-free"): ("chain", "sum"),
    ("chain", D): ("chain", "sum"),
    ("sum", "sum"): ("chain", "sum"),
}


@pytest.mark.parametrize("pair", STRUCTURES, ids=" and ".join)
def test_what_two_structures_make(pair):
    a, b = (by_name(name)() for name in pair)
    assert ((a @ b).structure, (a + b).structure) == STRUCTURES[pair]


def test_chains_stay_flat_and_are_simplified_at_their_joints():
    W, d = ops.Dense(numbers(4, 4), 1), Diagonal(numbers(4))
    chain = (W @ d) @ (d @ W)
    assert [type(factor) for factor in chain.factors] == [ops.Dense, Diagonal, ops.Dense]
    assert isinstance(chain @ Zero((4,), (2,), np.float64), Zero)
    assert isinstance(LowRank(numbers(3, 1), numbers(4, 1)) @ chain, LowRank)
    assert len((W @ (2 * Identity((4,), np.float64)) @ W).factors) == 2


def test_sums_stay_flat_and_merge_like_terms():
    W, d, P = (by_name(name)() for name in ("dense", "diagonal", "permutation"))
    total = (W + d) + (P + d) + W
    assert [type(term) for term in total.terms] == [ops.Dense, Diagonal, ops.Selection]


def test_ranks_beyond_the_cap_stay_lazy():
    wide = DiagonalPlusLowRank(numbers(9), numbers(9, 5), numbers(9, 5, seed=1))
    assert isinstance(wide @ wide, Chain)
    assert isinstance(wide + wide, Sum)


def test_kronecker_products_multiply_factor_by_factor():
    A, B = ops.Dense(numbers(2, 3), 1), ops.Dense(numbers(3, 5), 1)
    d, e = Diagonal(numbers(4)), Diagonal(numbers(4, seed=1))
    product = ops.Kronecker((A, d)) @ ops.Kronecker((B, e))
    assert [f.structure for f in product.factors] == ["chain", "diagonal"]
    close(product.matrix(), np.kron(A.array @ B.array, np.diag(d.entries * e.entries)))


def test_blocks_meet_block_by_block_and_share_what_they_shared():
    shared, scales = numbers(3, 3), numbers(2, 3)
    scaled = ops.BlockDiagonal(Diagonal(scales), 2)
    mixed = scaled @ ops.BlockDiagonal(ops.Dense(shared, 1), 2, batched=(False,))
    assert mixed.structure == "block diagonal: chain"
    assert mixed.batched == (True, False)
    assert mixed.T.batched == (False, True)
    assert mixed.cost().bytes == scales.nbytes + shared.nbytes
    assert (scaled + scaled).structure == (scaled + Identity((2, 3), np.float64)).structure
    assert (Diagonal(numbers(2, 3)) @ scaled).structure == "block diagonal: diagonal"
    other_axis = ops.BlockDiagonal(Diagonal(numbers(3, 2)), 3, 1, 1)
    assert isinstance(scaled @ other_axis, Chain)


def test_open_tables_take_new_classes_nearest_first():
    class Special(Diagonal):
        pass

    @ops.defcompose(Special, Diagonal)
    def _(a, b):
        return Chain((a, b))

    @ops.defadd(Special, Diagonal)
    def _(a, b):
        return NotImplemented

    special, plain = Special(numbers(4)), Diagonal(numbers(4))
    assert isinstance(special @ plain, Chain)
    assert type(plain @ special) is Diagonal
    assert type(special + plain) is type(plain + special) is Diagonal


def test_a_chain_is_multiplied_out_in_the_cheapest_order():
    row, W = ops.Dense(numbers(1, 50), 1), ops.Dense(numbers(50, 50), 1)
    products = _results(Chain((row, W, W, Diagonal(numbers(50)))).tensor, "dot_general")
    assert len(products) == 2
    assert all(math.prod(shape) == 50 for shape in products)
    softmax = DiagonalPlusLowRank(numbers(50), numbers(50, 1), numbers(50, 1), -1)
    assert all(len(shape) < 2 for shape in _results(Chain((softmax, W)).tensor, "dot_general"))


def test_the_diagonal_of_a_chain_needs_no_product_of_matrices():
    A, B = ops.Dense(numbers(20, 3), 1), ops.Dense(numbers(3, 20), 1)
    J = Diagonal(numbers(20)) @ A @ Diagonal(numbers(3)) @ B
    assert max(map(math.prod, _results(J.diagonal))) == 60


def _results(f, primitive=""):
    """The shapes that the equations of `f` compute, those of one primitive or of all."""
    equations = jax.make_jaxpr(f)().jaxpr.eqns
    return [e.outvars[0].aval.shape for e in equations if primitive in e.primitive.name]
