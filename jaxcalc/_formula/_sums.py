"""Sums of products: their makers, and how long they are to read."""

import math
from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._product import Monomial, labels_of, pack, unpack


def zero(shape: Shape) -> Expression:
    """The array of zeros: a sum of nothing."""
    return Expression("sum", (), (), shape)


def constant(value: Fraction | int, shape: Shape = ()) -> Expression:
    """An array of one number."""
    return pack(Monomial(Fraction(value), (), shape)) if value else zero(shape)


def number_of(value: Expression) -> Fraction | None:
    """The number that every entry of a canonical expression is, if it is known."""
    if value.op == "sum":
        return None if value.args else Fraction(0)
    product = unpack(value)
    return None if product.factors else product.coefficient


def eye(n: int) -> Expression:
    """The identity matrix, δ[i, j]."""
    return Expression("eye", (), (), (n, n))


def is_one(value: Expression) -> bool:
    """Whether an atom is made of rows of the 1×1 identity."""
    if value.op == "at" and value.args[0].op == "eye":
        return value.shape == (1,)
    return value.op in ("eye", "select") and value.shape[1] == 1


def terms(value: Expression) -> tuple[Expression, ...]:
    """The summands of a canonical expression."""
    return value.args if value.op == "sum" else (value,)


def used_axes(value: Expression) -> set[int]:
    """The axes along which a canonical expression may vary."""
    axes = set(range(len(value.shape)))
    return axes & {i for term in terms(value) for i in labels_of(unpack(term).factors)}


def weight(value: Expression) -> int:
    """How much there is to read in a canonical expression, atoms counting one."""
    if value.op == "sum":
        return sum(1 + weight(term) for term in value.args)
    if value.op == "product":
        return sum(map(weight, value.args))
    return 0 if value.op == "eye" else 1


def parts(value: Expression, least: int = 0) -> int:
    """How many terms a product has when sums of `least` axes or more in it are multiplied out."""
    factors = [f for f in unpack(value).factors if len(f.labels) >= least]
    sums = [f.value for f in factors if f.value.op == "sum" and f.power == 1]
    return math.prod(sum(parts(term, least) for term in inner.args) for inner in sums)


def length(values: Sequence[Expression]) -> int:
    return sum(1 + weight(value) for value in values)


def is_complement(value: Expression) -> bool:
    """Whether an atom is [¬m]."""
    return value.op == "indicator" and value.args[0].op == "not"


def has_complement(value: Expression) -> bool:
    """Whether a product has a factor [¬m]."""
    return any(is_complement(f.value) for f in unpack(value).factors)
