"""exp(−h) for h ≥ 0, of all its digits wherever what it is a factor of is a normal number.

h may be a sum h + l of two numbers, l what rounding left of it, since an error of h is one of
exp(−h) that is h times as large. And where exp(−h) is too small for a normal number, or nearly, it
comes as a product of two that are normal: x exp(−h) may still be one.
"""

import math
from decimal import Decimal
from functools import reduce
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

_SHIFT = 32


class Exponential(NamedTuple):
    """exp(−h) as `value`, flushed to zero where it is too small, and as `scaled` · `factor`."""

    value: Array
    scaled: Array
    factor: Array

    def times(self, x: Array) -> Array:
        """X exp(−h)."""
        return x * self.scaled * self.factor


def exponential(h: Array, low: Array | float = 0.0) -> Exponential:
    """exp(−(h + l))."""
    far = h > -0.75 * float(np.log(jnp.finfo(h.dtype).tiny))
    # exact: the difference has no bit below those of h
    scaled = jnp.exp(jnp.where(far, _SHIFT - h, -h)) * (1 - low)
    factor = jnp.where(far, float(np.exp(-_SHIFT)), 1.0).astype(h.dtype)
    return Exponential(scaled * factor, scaled, factor)


def excess(u: Array, exp_u: Array) -> Array:
    """exp(u) − 1, where exp(u) is known: its series for |u| ≤ 1, where 1 may not be taken off."""
    terms = 10 if jnp.finfo(u.dtype).bits == 32 else 18
    coefficients = [1 / math.factorial(k) for k in range(terms, 0, -1)]
    series = reduce(lambda total, c: total * u + c, coefficients, jnp.zeros_like(u))
    return jnp.where(jnp.abs(u) <= 1, u * series, exp_u - 1)


def split(x: Array, limit: float) -> tuple[Array, Array]:
    """x = a + b, a of half the digits of `limit` ≥ |x|: so that a² is a number of the dtype."""
    step = 2.0 ** (math.frexp(limit)[1] - (jnp.finfo(x.dtype).nmant + 1) // 2)
    a = jnp.round(x * (1 / step)) * step
    return a, x - a


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b, rounded, and what was lost; |a| ≥ |b| or a = 0."""
    s = a + b
    return s, (a - s) + b


def in_two(value: Decimal, dtype: np.dtype) -> tuple[float, float]:
    """A number as the sum of two numbers of the dtype."""
    high = float(np.asarray(float(value), dtype))
    return high, float(value - Decimal(high))


def halved(value: Decimal, dtype: np.dtype) -> tuple[float, float]:
    """A number as the sum of one of half the digits and one of the dtype."""
    unit = 2.0 ** (math.frexp(float(value))[1] - (jnp.finfo(dtype).nmant + 1) // 2)
    high = round(float(value) / unit) * unit
    return high, float(value - Decimal(high))


def offset(x: Array, high: Array | float, low: Array | float) -> Array:
    """x less the sum of two numbers."""
    # XLA would add two constants that are taken off one after the other
    return -(low - (x - high))
