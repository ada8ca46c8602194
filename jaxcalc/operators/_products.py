"""The table of products: what two operators make, one after the other.

A rule gives the simpler operator, or `NotImplemented` where this pair has none: then the next rule
is asked, and at last the pair stays a lazy `Chain`.
"""

import itertools
from collections.abc import Callable, Iterable

import jax.numpy as jnp

from jaxcalc.operators._banded import Banded
from jaxcalc.operators._base import LinearOperator, compose
from jaxcalc.operators._block import BlockDiagonal, blockwise, in_blocks
from jaxcalc.operators._chain import Chain, chained, is_opaque
from jaxcalc.operators._inverse import Transpose
from jaxcalc.operators._kronecker import Kronecker
from jaxcalc.operators._low_rank import MAX_RANK, DiagonalPlusLowRank, LowRank, signed
from jaxcalc.operators._registry import defcompose
from jaxcalc.operators._selection import Selection, selected_twice
from jaxcalc.operators._simple import Diagonal, Identity, Zero


@defcompose(LinearOperator, LinearOperator)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    return Chain((a, b))


@defcompose(Zero, LinearOperator)
@defcompose(LinearOperator, Zero)
def _(a: LinearOperator, b: LinearOperator) -> Zero:
    return Zero(a.codomain, b.domain, a.dtype)


@defcompose(Identity, LinearOperator)
def _(a: Identity, b: LinearOperator) -> LinearOperator:
    return b if a.scale is None else b * a.scale


@defcompose(LinearOperator, Identity)
def _(a: LinearOperator, b: Identity) -> LinearOperator:
    return a if b.scale is None else a * b.scale


@defcompose(Diagonal, Diagonal)
def _(a: Diagonal, b: Diagonal) -> Diagonal:
    return Diagonal(a.entries * b.entries)


@defcompose(Diagonal, DiagonalPlusLowRank)
def _(a: Diagonal, b: DiagonalPlusLowRank) -> LinearOperator:
    U = a.entries[..., None] * b.U
    return DiagonalPlusLowRank(a.entries * b.entries, U, b.V, b.sign)


@defcompose(DiagonalPlusLowRank, Diagonal)
def _(a: DiagonalPlusLowRank, b: Diagonal) -> LinearOperator:
    V = b.entries[..., None] * a.V
    return DiagonalPlusLowRank(a.entries * b.entries, a.U, V, a.sign)


@defcompose(DiagonalPlusLowRank, DiagonalPlusLowRank)
def _(a: DiagonalPlusLowRank, b: DiagonalPlusLowRank) -> LinearOperator:
    if a.rank + b.rank > MAX_RANK:
        return NotImplemented
    # a b = diag(a) diag(b) + (diag(a) U_b s_b) V_bᵀ + U_a s_a (bᵀ V_a)ᵀ
    U = jnp.concatenate([signed(b.sign, a.entries[..., None] * b.U), signed(a.sign, a.U)], -1)
    V = jnp.concatenate([b.V, b.T @ a.V], -1)
    return DiagonalPlusLowRank(a.entries * b.entries, U, V)


@defcompose(LowRank, LinearOperator)
def _(a: LowRank, b: LinearOperator) -> LinearOperator:
    return NotImplemented if is_opaque(b) else LowRank(a.U, b.T @ a.V, a.sign)


@defcompose(LinearOperator, LowRank)
def _(a: LinearOperator, b: LowRank) -> LinearOperator:
    return NotImplemented if is_opaque(a) else LowRank(a @ b.U, b.V, b.sign)


@defcompose(LowRank, LowRank)
def _(a: LowRank, b: LowRank) -> LowRank:
    if a.rank < b.rank:
        return LowRank(a.U, b.T @ a.V, a.sign)
    return LowRank(a @ b.U, b.V, b.sign)


@defcompose(Diagonal, Banded)
def _(a: Diagonal, b: Banded) -> Banded:
    return Banded(a.entries[None] * b.weights, b.offsets, b.domain)


@defcompose(Banded, Diagonal)
def _(a: Banded, b: Diagonal) -> Banded:
    seen = jnp.stack([a.seen_from(b.entries, offset) for offset in a.offsets])
    return Banded(a.weights * seen, a.offsets, a.domain)


@defcompose(Selection, Selection)
def _(a: Selection, b: Selection) -> Selection:
    return selected_twice(a, b)


@defcompose(Kronecker, Kronecker)
def _(a: Kronecker, b: Kronecker) -> LinearOperator:
    """The mixed product: (A ⊗ B)(C ⊗ D) = A C ⊗ B D."""
    if [f.domain for f in a.factors] != [f.codomain for f in b.factors]:
        return NotImplemented
    return Kronecker(tuple(map(compose, a.factors, b.factors)))


@defcompose(LinearOperator, Kronecker)
def _(a: LinearOperator, b: Kronecker) -> LinearOperator:
    """A (B ⊗ vᵀ) = A B ⊗ vᵀ."""
    several = [k for k, factor in enumerate(b.factors) if factor.codomain]
    return _at_one(b, several, lambda factor: compose(a, factor))


@defcompose(Kronecker, LinearOperator)
def _(a: Kronecker, b: LinearOperator) -> LinearOperator:
    """(A ⊗ u) B = A B ⊗ u."""
    several = [k for k, factor in enumerate(a.factors) if factor.domain]
    return _at_one(a, several, lambda factor: compose(factor, b))


def _at_one(
    product: Kronecker, places: list[int], change: Callable[[LinearOperator], LinearOperator]
) -> LinearOperator:
    """The product with a factor changed, where there is one place alone."""
    if len(places) != 1:
        return NotImplemented
    (k,) = places
    factors = product.factors
    return Kronecker((*factors[:k], change(factors[k]), *factors[k + 1 :]))


@defcompose(BlockDiagonal, BlockDiagonal)
def _(a: BlockDiagonal, b: BlockDiagonal) -> LinearOperator:
    if a.domain_axis != b.codomain_axis or a.size != b.size:
        return NotImplemented
    return blockwise(compose, a, b).between(a.codomain_axis, b.domain_axis)


@defcompose(Diagonal, BlockDiagonal)
def _(a: Diagonal, b: BlockDiagonal) -> LinearOperator:
    return compose(in_blocks(a, b.size, b.codomain_axis), b)


@defcompose(BlockDiagonal, Diagonal)
def _(a: BlockDiagonal, b: Diagonal) -> LinearOperator:
    return compose(a, in_blocks(b, a.size, a.domain_axis))


@defcompose(Transpose, Transpose)
@defcompose(Transpose, Diagonal)
@defcompose(Diagonal, Transpose)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    reverse = compose(b.T, a.T)
    return NotImplemented if isinstance(reverse, Chain) else reverse.T


@defcompose(Chain, LinearOperator)
def _(a: Chain, b: LinearOperator) -> LinearOperator:
    return _joined(a.factors, (b,))


@defcompose(LinearOperator, Chain)
def _(a: LinearOperator, b: Chain) -> LinearOperator:
    return _joined((a,), b.factors)


@defcompose(Chain, Chain)
def _(a: Chain, b: Chain) -> LinearOperator:
    return _joined(a.factors, b.factors)


def compose_all(operators: Iterable[LinearOperator]) -> LinearOperator:
    """The product of one operator or more, as `compose` makes it of two after two."""
    opened = (op.factors if isinstance(op, Chain) else (op,) for op in operators)
    return _joined((), itertools.chain.from_iterable(opened))


def _joined(left: Iterable[LinearOperator], right: Iterable[LinearOperator]) -> LinearOperator:
    """One chain, each joint made simpler where it can be."""
    factors = list(left)
    for factor in right:
        while factors and not isinstance(joint := compose(factors[-1], factor), Chain):
            factors.pop()
            factor = joint
        factors.append(factor)
    return chained(tuple(factors))
