"""The table of products: what two operators make, one after the other.

A rule gives the simpler operator, or `NotImplemented` where this pair has none: then the next rule
is asked, and at last the pair stays a lazy `Chain`.
"""

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


def _joined(left: tuple[LinearOperator, ...], right: tuple[LinearOperator, ...]) -> LinearOperator:
    """One chain, each joint made simpler where it can be."""
    factors = list(left)
    for factor in right:
        while factors and not isinstance(joint := compose(factors[-1], factor), Chain):
            factors.pop()
            factor = joint
        factors.append(factor)
    return chained(tuple(factors))
