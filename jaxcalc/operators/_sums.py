"""The table of sums: what two operators make, added.

A rule gives the simpler operator, or `NotImplemented` where this pair has none: then the next rule
is asked, and at last the pair stays a lazy `Sum`.
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxcalc.operators._banded import Banded, bands_of, merged
from jaxcalc.operators._base import LinearOperator, add
from jaxcalc.operators._block import BlockDiagonal, blockwise, in_blocks
from jaxcalc.operators._chain import Sum
from jaxcalc.operators._inverse import Transpose
from jaxcalc.operators._low_rank import MAX_RANK, DiagonalPlusLowRank, LowRank, signed
from jaxcalc.operators._registry import defadd
from jaxcalc.operators._simple import Dense, Diagonal, Identity, Zero
from jaxcalc.operators._toeplitz import Toeplitz


@defadd(LinearOperator, LinearOperator)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    return Sum((a, b))


@defadd(LinearOperator, Zero)
def _(a: LinearOperator, b: Zero) -> LinearOperator:
    return a


@defadd(Identity, Identity)
def _(a: Identity, b: Identity) -> Identity:
    return Identity(a.space, a.dtype, a.factor + b.factor)


@defadd(Diagonal, Diagonal)
def _(a: Diagonal, b: Diagonal) -> Diagonal:
    return Diagonal(a.entries + b.entries)


@defadd(Identity, Diagonal)
@defadd(Identity, LowRank)
@defadd(Identity, DiagonalPlusLowRank)
@defadd(Identity, Banded)
def _(a: Identity, b: LinearOperator) -> LinearOperator:
    return add(Diagonal(a.entries), b)


@defadd(LowRank, LowRank)
def _(a: LowRank, b: LowRank) -> LinearOperator:
    if a.rank + b.rank > MAX_RANK:
        return NotImplemented
    total = LowRank(*_beside(a, b))
    if math.prod(total.codomain) == 1:
        return _as_row(total)
    return _as_row(total.T).T if math.prod(total.domain) == 1 else total


def _as_row(op: LinearOperator) -> LowRank:
    """`op`, whose codomain has one entry, as an operator of rank 1."""
    row = op.tensor().reshape(op.domain)
    return LowRank(jnp.ones((*op.codomain, 1), op.dtype), row[..., None])


@defadd(Diagonal, LowRank)
def _(a: Diagonal, b: LowRank) -> LinearOperator:
    return DiagonalPlusLowRank(a.entries, b.U, b.V, b.sign)


@defadd(Diagonal, DiagonalPlusLowRank)
def _(a: Diagonal, b: DiagonalPlusLowRank) -> LinearOperator:
    return DiagonalPlusLowRank(a.entries + b.entries, b.U, b.V, b.sign)


@defadd(LowRank, DiagonalPlusLowRank)
def _(a: LowRank, b: DiagonalPlusLowRank) -> LinearOperator:
    if a.rank + b.rank > MAX_RANK:
        return NotImplemented
    return DiagonalPlusLowRank(b.entries, *_beside(a, b))


@defadd(DiagonalPlusLowRank, DiagonalPlusLowRank)
def _(a: DiagonalPlusLowRank, b: DiagonalPlusLowRank) -> LinearOperator:
    if a.rank + b.rank > MAX_RANK:
        return NotImplemented
    return DiagonalPlusLowRank(a.entries + b.entries, *_beside(a, b))


def _beside(a: Any, b: Any) -> tuple[Array, Array, int]:
    """The columns of `a` and `b` side by side, their sign kept where they agree in it."""
    U = [a.U, b.U] if a.sign == b.sign else [signed(a.sign, a.U), signed(b.sign, b.U)]
    sign = a.sign if a.sign == b.sign else 1
    return jnp.concatenate(U, -1), jnp.concatenate([a.V, b.V], -1), sign


@defadd(Banded, Banded)
def _(a: Banded, b: Banded) -> Banded:
    bands = bands_of(a)
    for offset, weight in bands_of(b).items():
        bands[offset] = bands[offset] + weight if offset in bands else weight
    return merged(bands, a.domain)


@defadd(Diagonal, Banded)
def _(a: Diagonal, b: Banded) -> LinearOperator:
    return add(merged({(0,) * len(a.domain): a.entries}, a.domain), b)


@defadd(Toeplitz, Toeplitz)
def _(a: Toeplitz, b: Toeplitz) -> LinearOperator:
    if (a.shift, len(a.values)) != (b.shift, len(b.values)):
        return NotImplemented
    return Toeplitz(a.values + b.values, a.rows, a.columns, a.shift)


@defadd(Dense, Dense)
def _(a: Dense, b: Dense) -> Dense:
    return Dense(a.array + b.array, a.codomain_ndim)


@defadd(BlockDiagonal, BlockDiagonal)
def _(a: BlockDiagonal, b: BlockDiagonal) -> LinearOperator:
    axes = [(op.codomain_axis, op.domain_axis, op.size) for op in (a, b)]
    if axes[0] != axes[1]:
        return NotImplemented
    return blockwise(add, a, b).between(a.codomain_axis, a.domain_axis)


@defadd(Diagonal, BlockDiagonal)
@defadd(Identity, BlockDiagonal)
def _(a: Diagonal | Identity, b: BlockDiagonal) -> LinearOperator:
    if b.codomain_axis != b.domain_axis:
        return NotImplemented
    return add(in_blocks(Diagonal(a.entries), b.size, b.domain_axis), b)


@defadd(Transpose, Transpose)
def _(a: Transpose, b: Transpose) -> LinearOperator:
    total = add(a.op, b.op)
    return NotImplemented if isinstance(total, Sum) else total.T


@defadd(Sum, LinearOperator)
def _(a: Sum, b: LinearOperator) -> LinearOperator:
    return _gathered(a.terms, (b,))


@defadd(Sum, Sum)
def _(a: Sum, b: Sum) -> LinearOperator:
    return _gathered(a.terms, b.terms)


def _gathered(
    left: tuple[LinearOperator, ...], right: tuple[LinearOperator, ...]
) -> LinearOperator:
    """One sum, like terms made one."""
    terms = list(left)
    for term in right:
        for i, other in enumerate(terms):
            if not isinstance(total := add(other, term), Sum):
                terms[i] = total
                break
        else:
            terms.append(term)
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))
