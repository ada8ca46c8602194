"""The exponent of the tanh form of gelu, q(x) = 2√(2/π) (x + 0.044715 x³), as a sum of two numbers.

Products of numbers of half the digits are exact. With x² = v₁ + v₂ and q/x = w₁ + w₂ so split,
x w is known to half a dtype's digits more than it has.
"""

from decimal import Decimal, localcontext

import jax.numpy as jnp
from jax import Array

from jaxcalc._functions.exponents import halved, split, two_sum
from jaxcalc._functions.gaussian import PI

with localcontext(prec=50):
    LINEAR = 2 * (2 / PI).sqrt()
    CUBIC = Decimal("0.044715") * LINEAR
END = 24.0  # exp(−q) is 0 there in any dtype


def cubic_exponent(x: Array) -> tuple[Array, Array]:
    """|q(x)|, and what it lacks."""
    y = jnp.abs(x)
    a1, a2 = halved(LINEAR, y.dtype)
    b1, b2 = halved(CUBIC, y.dtype)
    y1, y2 = split(y, END)
    v1, _ = split(y * y, END**2)
    v2 = (y1 * y1 - v1) + y2 * (y + y1)
    w1, _ = split(a1 + b1 * v1, float(LINEAR) + float(CUBIC) * END**2)
    w2 = ((a1 - w1) + b1 * v1) + (a2 + (b2 * v1 + float(CUBIC) * v2))
    return two_sum(y1 * w1, y1 * w2 + y2 * (w1 + w2))
