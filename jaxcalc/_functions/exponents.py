"""exp(−h) for h ≥ 0, of all its digits wherever what it is a factor of is a normal number.

h may be a sum h + l of two numbers, l what rounding left of it, since an error of h is one of
exp(−h) that is h times as large. And where exp(−h) is too small for a normal number, or nearly, it
comes as a product of two that are normal: x exp(−h) may still be one.
"""

import math
from decimal import Decimal
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

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


def split(x: Array) -> tuple[Array, Array]:
    """x = a + b, a of half the digits, so that its square is a number of the dtype."""
    info = jnp.finfo(x.dtype)
    a = lax.reduce_precision(x, info.nexp, (info.nmant + 1) // 2 - 1)
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
