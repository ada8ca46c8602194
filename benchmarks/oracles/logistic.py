"""σ, log σ and softplus, with derivatives of any order, to more digits than the input has.

Everything follows from the derivatives of σ at −|x|, where σ is small and nothing cancels:
σ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ σ⁽ⁿ⁾(−x), softplus′ = σ, and log σ(x) = −softplus(−x).
"""

import functools
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Polynomial

from benchmarks.oracles.wide import (
    Array,
    as_multiprecision,
    map_multiprecision,
    multiprecision,
    needs_more_than_double,
)


def sigmoid(x: npt.ArrayLike, order: int = 0) -> Array:
    """σ(x) = 1/(1 + e⁻ˣ), or its derivative of that order.

    Args:
        x: any array of floats; its dtype chooses the precision.
        order: 0 to 3; for float64 input, which is computed by mpmath, any order.
    """
    return _evaluate(x, lambda v: _sigmoid_double(v, order), lambda v: _sigmoid_mp(v, order))


def softplus(x: npt.ArrayLike, order: int = 0) -> Array:
    """log(1 + eˣ), or its derivative of that order."""
    if order:
        return sigmoid(x, order - 1)
    return _evaluate(x, _softplus_double, _softplus_mp)


def log_sigmoid(x: npt.ArrayLike, order: int = 0) -> Array:
    """Log σ(x) = −softplus(−x), or its derivative of that order."""
    derivative = softplus(-np.asarray(x), order)
    return derivative if order % 2 else -derivative


def _evaluate(
    x: npt.ArrayLike, double: Callable[[Array], Array], multiprecision: Callable[[Any], Any]
) -> Array:
    x = np.asarray(x)
    if needs_more_than_double(x.dtype):
        return map_multiprecision(multiprecision, as_multiprecision(x))
    return double(x.astype(np.float64))


# --- float64 closed forms without cancellation, for inputs of at most 32 bits ---


def _sigmoid_double(x: Array, order: int) -> Array:
    return _SIGMOID_DERIVATIVES[order](x, np.exp(-abs(x)))


def _value(x: Array, e: Array) -> Array:
    return np.asarray(np.where(x >= 0, 1.0, e) / (1 + e))


def _first(x: Array, e: Array) -> Array:
    return np.asarray(e / (1 + e) ** 2)


def _second(x: Array, e: Array) -> Array:  # σ″ = −σ′ tanh(x/2)
    return np.asarray(-_first(x, e) * np.tanh(x / 2))


def _third(x: Array, e: Array) -> Array:
    """σ‴ = σ′(e² − 4e + 1)/(1 + e)², by its roots e = 2 ± √3, that is |x| = log(2 + √3)."""
    to_root = (_ROOT[0] - abs(x)) + _ROOT[1]
    small, large = 2 - np.sqrt(3.0), 2 + np.sqrt(3.0)
    return np.asarray(_first(x, e) * small * np.expm1(to_root) * (e - large) / (1 + e) ** 2)


def _softplus_double(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-abs(x))))


def _two_doubles(value: Decimal) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Decimal(high))


def _third_root() -> tuple[float, float]:
    """log(2 + √3) as the sum of two doubles."""
    with localcontext(prec=60):
        return _two_doubles((2 + Decimal(3).sqrt()).ln())


_ROOT = _third_root()
_SIGMOID_DERIVATIVES = (_value, _first, _second, _third)


# --- mpmath, any order ---


@functools.cache
def _polynomial(order: int) -> tuple[int, ...]:
    """σ⁽ⁿ⁾ as a polynomial in σ, highest power first: pₙ₊₁(s) = pₙ′(s) s(1 − s)."""
    p = Polynomial([0, 1])
    for _ in range(order):
        p = p.deriv() * Polynomial([0, 1, -1])
    return tuple(round(c) for c in reversed(p.coef))


def _sigmoid_mp(x: Any, order: int) -> Any:
    mp = multiprecision()
    with mp.extraprec(max(0, -int(mp.mag(x))) if x else 0):  # odd functions cancel down to |x|
        e = mp.exp(-abs(x))
        small = e / (1 + e)  # σ(−|x|)
        reflected = functools.reduce(lambda p, c: p * small + c, _polynomial(order))
        if x <= 0:
            return reflected
        return 1 / (1 + e) if order == 0 else (-1) ** (order + 1) * reflected


def _softplus_mp(x: Any) -> Any:
    mp = multiprecision()
    return max(x, mp.mpf(0)) + mp.log1p(mp.exp(-abs(x)))
