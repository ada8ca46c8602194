"""Functions by their definitions, with derivatives of any order: power series in wide arithmetic.

A series holds f⁽ᵏ⁾/k!, k ≤ n, at an array of points. The functions that saturate follow from
t = tanh u and q = 1 − t², which keep their digits where either is small:

    t′ = q u′        q′ = −2 t q u′        σ(2u)′ = q u′/2        log(1 + e²ᵘ)′ = 2 σ(2u) u′
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.oracles.wide import Array, as_multiprecision, exp, log1p, multiprecision, tanh


class Series:
    """The coefficients, from that of order 0 on, each with the shape of the points.

    It is added to, subtracted from, multiplied with and divided by series and numbers.
    """

    __array_ufunc__ = None  # numbers of NumPy leave products with it to it

    def __init__(self, coefficients: Array) -> None:
        self.coefficients = coefficients

    def __add__(self, other: Any) -> "Series":
        return Series(self.coefficients + self.like(other))

    def __mul__(self, other: Any) -> "Series":
        a, b = self.coefficients, self.like(other)
        return Series(np.stack([(a[: k + 1] * b[k::-1]).sum(0) for k in range(len(a))]))

    def __truediv__(self, other: Any) -> "Series":
        a, b = self.coefficients, self.like(other)
        made = 0 * a
        for k in range(len(a)):
            made[k] = (a[k] - (made[:k] * b[k:0:-1]).sum(0)) / b[0]
        return Series(made)

    def __rtruediv__(self, other: Any) -> "Series":
        return Series(self.like(other)) / self

    def __neg__(self) -> "Series":
        return Series(-self.coefficients)

    def __sub__(self, other: Any) -> "Series":
        return self + -other

    def __rsub__(self, other: Any) -> "Series":
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: int) -> "Series":
        return self if exponent == 1 else self * self ** (exponent - 1)

    def like(self, other: Any) -> Array:
        """The coefficients of a series, or of a number or what stands at each point."""
        if isinstance(other, Series):
            return other.coefficients
        like = 0 * self.coefficients
        like[0] += other
        return like


def derivative(definition: Callable[[Any, Any], Any], x: npt.ArrayLike, order: int) -> Array:
    """The derivative of that order of `definition`, of functions such as `m.exp` and of x.

    Args:
        definition: by the functions abs, erfc, exp, sigmoid, softplus, tanh of x, sqrt of numbers,
            the number pi, sums, products, quotients and powers.
        x: any array of finite floats; float64 is computed by mpmath, all others in extended
            precision.
        order: 0 or more.
    """
    x = np.asarray(x)
    wide = as_multiprecision(x) if x.dtype == np.float64 else x.astype(np.longdouble)
    start = np.stack([wide, 0 * wide + 1, *(0 * wide for _ in range(1, order))])[: order + 1]
    made = definition(_functions(wide), Series(start))
    return np.asarray(made.coefficients[order] * math.factorial(order))


def sigmoid(x: npt.ArrayLike, order: int = 0) -> Array:
    """σ(x) = 1/(1 + e⁻ˣ), or its derivative of that order."""
    return derivative(lambda m, x: m.sigmoid(x), x, order)


def softplus(x: npt.ArrayLike, order: int = 0) -> Array:
    """log(1 + eˣ), or its derivative of that order."""
    return derivative(lambda m, x: m.softplus(x), x, order)


def log_sigmoid(x: npt.ArrayLike, order: int = 0) -> Array:
    """Log σ(x) = −softplus(−x), or its derivative of that order."""
    return derivative(lambda m, x: -m.softplus(-x), x, order)


def declared_derivative(f: Any, x: npt.ArrayLike, order: int) -> Array:
    """That of a declared function, by its slope where of the value nothing is left beside 1."""
    if f.name == "softsign" and order:
        return derivative(f.slope, x, order - 1)
    return derivative(f.definition, x, order)


def _functions(x: Array) -> SimpleNamespace:
    erfc: Callable[[Any], Any]
    if x.dtype == object:
        mp = multiprecision()
        pi, sqrt, erfc = +mp.pi, mp.sqrt, _erfc_of_any
    else:
        pi, sqrt, erfc = np.longdouble("3.14159265358979323846264338328"), np.sqrt, math.erfc
    return SimpleNamespace(
        abs=_abs,
        erfc=lambda u: _erfc(u, np.frompyfunc(erfc, 1, 1)(u.coefficients[0]), 2 / sqrt(pi)),
        exp=_exp,
        pi=pi,
        sigmoid=_sigmoid,
        softplus=_softplus,
        sqrt=lambda number: sqrt(number + 0 * pi),
        tanh=_tanh,
    )


def _erfc_of_any(x: Any) -> Any:
    """Of numbers that mpmath finds too large as well: beyond 1000 it is less than e^−10⁶."""
    mp = multiprecision()
    return mp.erfc(x) if abs(x) < 1000 else mp.mpf(0 if x > 0 else 2)


def _integral(start: Array, slope: Series, u: Series) -> Series:
    """The series with f′ = slope u′ that begins so."""
    made = u.like(start)
    for k in range(1, len(made)):
        for j in range(1, k + 1):
            made[k] = made[k] + j * u.coefficients[j] * slope.coefficients[k - j] / k
    return Series(made)


def _steps(u: Series, starts: list[Array], slopes: Callable[..., list[Series]]) -> list[Series]:
    """Series with fᵢ′ = slopesᵢ(f) u′, one more coefficient of which is right after each step."""
    found = [Series(u.like(start)) for start in starts]
    for _ in range(1, len(u.coefficients)):
        found = [_integral(s, g, u) for s, g in zip(starts, slopes(*found), strict=True)]
    return found


def _exp(u: Series) -> Series:
    (e,) = _steps(u, [exp(u.coefficients[0])], lambda e: [e])
    return e


def _tanh_and_rest(u: Series) -> list[Series]:
    """Tanh u and 1 − tanh² u."""
    x = u.coefficients[0]
    e = exp(-2 * abs(x))
    return _steps(u, [tanh(x), 4 * e / (1 + e) ** 2], lambda t, q: [q, -2 * t * q])


def _tanh(u: Series) -> Series:
    return _tanh_and_rest(u)[0]


def _sigmoid(u: Series) -> Series:
    x = u.coefficients[0]
    e = exp(-abs(x))
    _, rest = _tanh_and_rest(u / 2)
    return _integral(np.where(x >= 0, 1, e) / (1 + e), rest / 4, u)


def _softplus(u: Series) -> Series:
    x = u.coefficients[0]
    return _integral(np.where(x >= 0, x, 0 * x) + log1p(exp(-abs(x))), _sigmoid(u), u)


def _erfc(u: Series, start: Array, scale: Any) -> Series:
    start = start.astype(u.coefficients[0].dtype)
    return _integral(start, -scale * _exp(-u * u), u)


def _abs(u: Series) -> Series:
    sign = np.where(u.coefficients[0] >= 0, 1, -1)
    return Series(sign * u.coefficients)
