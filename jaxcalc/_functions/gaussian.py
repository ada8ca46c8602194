"""x Φ(x), Φ the normal distribution function: the derivatives of every order.

With φ = Φ′, y = |x| and Mills' ratio M(y) = Φ(−y)/φ(y), which falls from √(π/2) to 1/y,

    f(−y) = −y φ M        f′(−y) = φ (M − y)        f(x) − f(−x) = x
    f⁽ⁿ⁾(x) = (−1)ⁿ⁻¹ φ(x) (Heₙ − Heₙ₋₂)(x),  n ≥ 2

Nothing cancels: M and the factor (y − M)/(y − r) of f′, r its zero, are polynomials in
(y − 4)/(y + 4) over 1 + y or alone, interpolated to more digits than a dtype has; the zeros of
the polynomials, all real, are sums of two numbers of the dtype. The exponent of φ is one too: an
error of x²/2 would be one of φ.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from math import pi, sqrt

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._functions.exponents import Exponential, exponential, in_two, offset, split, two_sum

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
_DIGITS = 60
_END = 40.0  # φ is 0 there in any dtype
_MIDDLE = 4
_FAR = 11  # half of the digits are left of the one series, and as many had by the other
_DEGREES = {32: 14, 64: 28}  # by the bits of the dtype


def gaussian_gate(x: Array, order: int) -> Array:
    """f⁽ⁿ⁾(x), n = order, in a dtype of 32 bits or more."""
    y = jnp.abs(x)
    y = jnp.where(y > _END, _END, y)
    density = _density(y)
    if order == 0:
        small = density.times(y * _interpolated(_mills, y) / (1 + y))
        return jnp.where(x < 0, 0, x) - small
    if order == 1:
        high, low = in_two(_zero_of_first(), x.dtype)
        small = density.times(-offset(y, high, low) * _interpolated(_first_factor, y))
        return jnp.where(x < 0, small, 1 - small)
    product = jnp.ones_like(x)
    signed = jnp.where(x < 0, -y, y)
    for r in _hermite_zeros(order):
        high, low = in_two(r, x.dtype)
        product *= offset(signed, high, low)
    return (-1) ** (order - 1) * density.times(product)


def _density(y: Array) -> Exponential:
    """φ(y)."""
    a, b = split(y, _END)
    e = exponential(*two_sum(a * a / 2, b * (y + a) / 2))
    return e._replace(scaled=e.scaled * (1 / sqrt(2 * pi)))


def _interpolated(f: Callable[[Decimal], Decimal], y: Array) -> Array:
    """A function of y ≥ 0, by Clenshaw's scheme."""
    t = (y - _MIDDLE) / (y + _MIDDLE)
    last = before = jnp.zeros_like(y)
    coefficients = _coefficients(f, jnp.finfo(y.dtype).bits)
    for c in coefficients[:0:-1]:
        last, before = c + 2 * t * last - before, last
    return coefficients[0] + t * last - before


@lru_cache
def _coefficients(f: Callable[[Decimal], Decimal], bits: int) -> tuple[float, ...]:
    """Those of the Chebyshev polynomials in t = (y − 4)/(y + 4)."""
    degree = _DEGREES[bits]
    nodes = np.polynomial.chebyshev.chebpts1(degree + 1)
    with localcontext(prec=_DIGITS):
        t = np.array([Decimal(float(v)) for v in nodes])
        values = np.array([f(_MIDDLE * (1 + v) / (1 - v)) for v in t])
        c = np.array([Decimal(0)] * (degree + 1))
        for _ in range(3):  # each adds the digits of a float64
            missing = (values - np.polynomial.chebyshev.chebval(t, c)).astype(float)
            c = c + [
                Decimal(float(v)) for v in np.polynomial.chebyshev.chebfit(nodes, missing, degree)
            ]
    return tuple(map(float, c))


@lru_cache
def _hermite_zeros(order: int) -> tuple[Decimal, ...]:
    """Those of Heₙ − Heₙ₋₂, to 40 digits by Newton's method from those of NumPy."""
    with localcontext(prec=_DIGITS):
        p = np.polynomial.hermite_e.herme2poly([0] * (order - 2) + [-1, 0, 1])
        return tuple(_newton([Decimal(int(c)) for c in p[::-1]], r) for r in np.roots(p[::-1]).real)


def _newton(coefficients: list[Decimal], start: float) -> Decimal:
    x = Decimal(float(start))
    for _ in range(8):
        value = slope = Decimal(0)
        for c in coefficients:
            slope = slope * x + value
            value = value * x + c
        x -= value / slope
    return x


def _mills(y: Decimal) -> Decimal:
    """(1 + y) M(y)."""
    return (1 + y) * _ratio(y)


def _first_factor(y: Decimal) -> Decimal:
    """(y − M(y))/(y − r)."""
    return (y - _ratio(y)) / (y - _zero_of_first())


@lru_cache
def _zero_of_first() -> Decimal:
    """r = M(r), by Newton's method: M′ = y M − 1."""
    with localcontext(prec=_DIGITS):
        r = Decimal("0.75")
        for _ in range(8):
            r -= (_ratio(r) - r) / (r * _ratio(r) - 2)
        return r


def _ratio(y: Decimal) -> Decimal:
    """M(y): √(π/2) exp(y²/2) less a series, or, far out, 1/y less an asymptotic one."""
    if y > _FAR:
        term, total = 1 / y, Decimal(0)
        for k in range(1, _FAR**2 // 2):
            total += term
            term *= -(2 * k - 1) / (y * y)
        return total
    term, total = y, Decimal(0)
    for k in range(1, 400):
        total += term
        term *= y * y / (2 * k + 1)
    return (PI / 2).sqrt() * (y * y / 2).exp() - total
