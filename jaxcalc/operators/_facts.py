"""What the structure of an operator shows of its values: symmetry, signs, triangles.

Nothing is read from numbers, so that the answer is the same inside `jax.jit`. Only that the columns
of low rank are one array on both sides is seen where they are made, and not past a `jax.jit`.
"""

import functools
from collections.abc import Iterable

from jaxcalc.operators._banded import Banded
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._block import BlockDiagonal
from jaxcalc.operators._chain import Chain, Sum
from jaxcalc.operators._inverse import Inverse, Transpose
from jaxcalc.operators._kronecker import Kronecker
from jaxcalc.operators._low_rank import DiagonalPlusLowRank, LowRank
from jaxcalc.operators._simple import Diagonal, Identity, Zero

Facts = frozenset[str]

NOTHING: Facts = frozenset()
SYMMETRIC: Facts = frozenset({"symmetric"})
POSITIVE = SYMMETRIC | {"positive_semidefinite"}
NEGATIVE = SYMMETRIC | {"negative_semidefinite"}
TRIANGLES: Facts = frozenset({"lower_triangular", "upper_triangular"})
DIAGONAL = SYMMETRIC | TRIANGLES | {"diagonal", "tridiagonal"}
_SIGNS: Facts = frozenset({"positive_semidefinite", "negative_semidefinite"})
_TURNED = dict(zip(sorted(TRIANGLES), sorted(TRIANGLES, reverse=True), strict=True))


def facts(op: LinearOperator) -> Facts:
    """What is known of `op`; nothing where it maps a space to another."""
    return _facts(op) if op.codomain == op.domain else NOTHING


@functools.singledispatch
def _facts(op: LinearOperator) -> Facts:
    return NOTHING


register = _facts.register


@register
def _(op: Zero) -> Facts:
    return DIAGONAL | POSITIVE | NEGATIVE


@register
def _(op: Identity) -> Facts:
    return DIAGONAL | POSITIVE if op.scale is None else DIAGONAL


@register
def _(op: Diagonal) -> Facts:
    return DIAGONAL


@register
def _(op: LowRank) -> Facts:
    if op.U is not op.V:
        return NOTHING
    return POSITIVE if op.sign > 0 else NEGATIVE


@register
def _(op: DiagonalPlusLowRank) -> Facts:
    return SYMMETRIC if op.U is op.V else NOTHING


@register
def _(op: Banded) -> Facts:
    """Where a band wraps around, only its numbers tell that it does not."""
    home = (0,) * len(op.domain)
    return DIAGONAL if all(op.wrapped(offset) == home for offset in op.offsets) else NOTHING


@register
def _(op: BlockDiagonal) -> Facts:
    if op.codomain_axis != op.domain_axis:
        return NOTHING
    known = facts(op.one_block)
    return known if op.domain_axis == 0 else _without_bands(known)


@register
def _(op: Kronecker) -> Facts:
    """Triangles stay triangles, and signs multiply."""
    known = [facts(factor) for factor in op.factors]
    common = _without_bands(_common(known))
    if not all(one & _SIGNS for one in known):
        return common - _SIGNS
    negative = sum("positive_semidefinite" not in one for one in known) % 2
    return common - _SIGNS | (NEGATIVE if negative else POSITIVE)


@register
def _(op: Sum) -> Facts:
    return _common(map(facts, op.terms))


@register
def _(op: Chain) -> Facts:
    """Products of triangles are triangles; a multiple is as its operator, but for the sign."""
    common = _common(map(facts, op.factors))
    if "diagonal" in common:
        return DIAGONAL
    others = [factor for factor in op.factors if not isinstance(factor, Identity)]
    return common & TRIANGLES | (facts(others[0]) - _SIGNS if len(others) == 1 else NOTHING)


@register
def _(op: Transpose) -> Facts:
    return frozenset(_TURNED.get(fact, fact) for fact in facts(op.op))


@register
def _(op: Inverse) -> Facts:
    known = _without_bands(facts(op.op))
    return known if op.shift is None else known - _SIGNS


def _common(known: Iterable[Facts]) -> Facts:
    return functools.reduce(frozenset.intersection, known)


def _without_bands(known: Facts) -> Facts:
    return known if "diagonal" in known else known - {"tridiagonal"}
