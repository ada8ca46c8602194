"""Coefficients: exact fractions, and what is common to several."""

import math
from collections.abc import Sequence
from fractions import Fraction

ONE = Fraction(1)
_PLAIN = 64  # larger denominators come from decimals


def content(coefficients: Sequence[Fraction]) -> Fraction:
    """What all have in common: x − y/4 is left as it is, x/4 − y/4 is (x − y)/4.

    Of 2 x − y/2 it is 2.
    """
    whole = {abs(c) for c in coefficients if c.denominator == 1}
    rest = [c for c in coefficients if c.denominator != 1]
    if len(whole) == 1 and rest and {abs(c.numerator) for c in rest} == {1}:
        return whole.pop()
    (bottom, *others) = {c.denominator for c in coefficients}
    if bottom > _PLAIN or others:
        return ONE
    top = math.gcd(*(c.numerator for c in coefficients))
    return Fraction(top if max(coefficients) > 0 else -top, bottom)


def root(number: Fraction, power: Fraction) -> Fraction | None:
    """number to the power, where that is a fraction."""
    if power.denominator == 1:
        return number**power.numerator
    if number <= 0 or power.denominator != 2:
        return None
    top, bottom = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if top * top != number.numerator or bottom * bottom != number.denominator:
        return None
    return Fraction(top, bottom) ** power.numerator
