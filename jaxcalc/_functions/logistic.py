"""The logistic function and its integral: values, derivatives of every order, Jacobians.

With e = exp(−|x|) ≤ 1 nothing overflows and nothing cancels:

    σ(x) = 1/(1 + e) or e/(1 + e)          by the sign of x
    σ′(x) = σ(x) σ(−x) = e/(1 + e)²        where σ(1 − σ) loses every digit once σ rounds to 1
    σ⁽ⁿ⁾(x) = (−sign x)ⁿ⁺¹ e Aₙ(−e)/(1 + e)ⁿ⁺¹

Aₙ is the Eulerian polynomial, A₁ = 1, A₂ = 1 + y, A₃ = 1 + 4y + y², …. Its roots are real and
negative and come in pairs −ρ, −1/ρ, so that Aₙ(−e) = ∏(1 − e/ρ), and each factor with
ρ = exp(−c) ≤ 1 is −expm1(c − |x|), for c = 0 the cheaper 1 − e, beside 0 by its series: it keeps
its digits where the derivative crosses zero.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from math import comb, factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    inexact,
    is_complex,
    jit_checked,
    narrowed,
    wide,
    working,
)
from jaxcalc._functions import holomorphic
from jaxcalc._functions.native.forms import native_entries
from jaxcalc._functions.primitives import JacobianProduct, ValuePrimitive

Function = Callable[[Array], Array]


def sigmoid(x: ArrayLike, *, accuracy: Accuracy = "high") -> Array:
    """The logistic function σ(x) = 1/(1 + e⁻ˣ), elementwise; σ′(x) = σ(x) σ(−x) (notes §3).

    Drop-in for `jax.nn.sigmoid`. Its derivatives of every order keep their digits in the tails,
    where σ(1 − σ) is 0: the float32 value and first derivative are within 3 ULP of the truth
    wherever that is a normal number, and float16 and bfloat16 are correctly rounded.

    Args:
        x: array of any shape. Integers and booleans promote as integers do in `jax.numpy`. Of
            complex numbers it is the plain formula, holomorphic, whatever the accuracy.
        accuracy: "high", or "fast" with σ′ = σ(1 − σ), whose errors are those of `jax.nn`.

    Returns:
        An array of the shape and floating dtype of `x`. σ(−inf) = 0, σ(+inf) = 1, with derivatives
        0; NaN gives NaN. What is kept for the backward pass is the derivative (`x` for float16).

    Raises:
        TypeError: for a list or other non-array.
        ValueError: for an unknown `accuracy`.

    >>> import jax, jaxcalc as jc
    >>> print(jc.sigmoid(0.0), jax.grad(jc.sigmoid)(20.0), jax.grad(jax.nn.sigmoid)(20.0))
    0.5 2.0611537e-09 0.0
    """
    return _sigmoid_of(x, accuracy=accuracy)


logistic = sigmoid


def log_sigmoid(x: ArrayLike, *, accuracy: Accuracy = "high") -> Array:
    """log σ(x) = −log(1 + e⁻ˣ), elementwise, with derivative 1 − σ(x) = σ(−x).

    Drop-in for `jax.nn.log_sigmoid`. Arguments, dtypes and errors are those of `sigmoid`, the bound
    4 ULP in float32; "fast" is the same, since less accurate would be no faster. log σ(−inf) = −inf
    with derivative 1, log σ(+inf) = 0 with derivative 0. What is kept for the backward pass is as
    for `sigmoid`.

    >>> import jax, jaxcalc as jc
    >>> print(jc.log_sigmoid(-100.0), jc.log_sigmoid(20.0), jax.grad(jc.log_sigmoid)(20.0))
    -100.0 -2.0611537e-09 2.0611537e-09
    """
    return _log_sigmoid_of(x, accuracy=accuracy)


def softplus(x: ArrayLike, *, accuracy: Accuracy = "high") -> Array:
    """log(1 + eˣ), elementwise, with derivative σ(x): the integral of the logistic function.

    Drop-in for `jax.nn.softplus`. Arguments, dtypes, errors and accuracy are those of
    `log_sigmoid`, the bound 4 ULP in float32. The value is 0 at −inf and +inf at +inf, with
    derivatives 0 and 1. What is kept for the backward pass is as for `sigmoid`.

    >>> import jax, jaxcalc as jc
    >>> print(jc.softplus(-20.0), jc.softplus(100.0), jax.grad(jc.softplus)(-20.0))
    2.0611537e-09 100.0 2.0611537e-09
    """
    return _softplus_of(x, accuracy=accuracy)


@jit_checked
def _sigmoid_of(x: ArrayLike, *, accuracy: Accuracy) -> Array:
    z = inexact("x", x)
    if is_complex(z):
        return holomorphic.sigmoid(z)
    return _sigmoid(z) if accuracy == "high" else _fast_sigmoid(z)


@jit_checked
def _log_sigmoid_of(x: ArrayLike, *, accuracy: Accuracy) -> Array:
    z = inexact("x", x)
    if is_complex(z):
        return -holomorphic.softplus(-z)
    return _log_sigmoid(z)


@jit_checked
def _softplus_of(x: ArrayLike, *, accuracy: Accuracy) -> Array:
    z = inexact("x", x)
    if is_complex(z):
        return holomorphic.softplus(z)
    return _softplus(z)


def _softplus_formula(x: Array) -> Array:
    """log(1 + eˣ)."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _accurate(name: str, f: Function, order: int, at: Function = lambda x: x) -> Function:
    """A function whose derivative is σ⁽ⁿ⁾, n = order, at x or −x.

    What is kept for the backward pass is the derivative. Of bfloat16 it comes with the value, in
    one pass: XLA would widen and round once more. Of float16 x is kept: a small derivative has few
    digits there or none, and a scaled loss asks for them.
    """
    value = ValuePrimitive(name, lambda x: f(wide(x)))
    both = ValuePrimitive(
        f"{name}_and_derivative",
        lambda x: [f(wide(x)), sigmoid_derivative(wide(at(x)), order)],
        lambda x: [x, x],
        multiple=True,
    )
    for primitive in (value, both):
        primitive.defform("cpu", native_entries(primitive.name))

    def named(x: Array) -> Array:
        return value(x)

    named.__name__ = name
    function = jax.custom_jvp(named)

    @value.defjvp
    @function.defjvp
    def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
        (x,), (dx,) = primals, tangents
        if x.dtype == "bfloat16":
            y, slope = both(x)
            return y, slope * dx
        if x.dtype == "float16":
            return function(x), logistic_product(at(x), dx, order=order)
        return function(x), logistic_derivative(at(x), order=order) * dx

    @both.defjvp
    def _(primals: Any, tangents: Any) -> tuple[list[Array], list[Array]]:
        (x,), (dx,) = primals, tangents
        y, slope = both(x)
        return [y, slope], [slope * dx, logistic_product(at(x), at(dx), order=order + 1)]

    return function


logistic_derivative = ValuePrimitive(
    "logistic_derivative", lambda x, *, order: sigmoid_derivative(wide(x), order)
)


@logistic_derivative.defjvp
def _(order: int, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return logistic_derivative(x, order=order), logistic_product(x, dx, order=order + 1)


_sigmoid = _accurate("sigmoid", lambda x: sigmoid_derivative(x, 0), 1)
_softplus = _accurate("softplus", _softplus_formula, 0)
_log_sigmoid = _accurate(  # −log(1 + e⁻ˣ), with derivative σ(−x)
    "log_sigmoid", lambda x: -_softplus_formula(-x), 0, at=lambda x: -x
)


@jax.custom_jvp
def _fast_sigmoid(x: Array) -> Array:
    return _fast_sigmoid_value(x)


_fast_sigmoid_value = ValuePrimitive("fast_sigmoid", lambda x: lax.logistic(wide(x)))
_fast_sigmoid_value.defform("cpu", native_entries("sigmoid"))


@_fast_sigmoid_value.defjvp
@_fast_sigmoid.defjvp  # ∂σ/∂x = σ (1 − σ), kept as it is
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    s = _fast_sigmoid(x)
    w = working(s, "fast")
    return s, narrowed(w * (1 - w), x.dtype) * dx


def sigmoid_derivative(x: Array, order: int) -> Array:
    """σ⁽ⁿ⁾(x), n = order."""
    e = jnp.exp(-jnp.abs(x))
    if order == 0:
        return jnp.where(x >= 0, 1, e) / (1 + e)
    eulerian = jnp.ones_like(e)
    for c in _eulerian_roots(order):
        eulerian *= _root_factor(c, x, e)
    sign = 1 if order % 2 else -jnp.sign(x)
    pairs, single = divmod(order + 1, 2)
    square = 1 + e * (2 + e)  # (1 + e)², one rounding fewer
    return sign * e * eulerian / (lax.integer_pow(square, pairs) * lax.integer_pow(1 + e, single))


_ROUNDING = Decimal("1e-30")  # c = 0 but for the rounding of its 40 digits


def _root_factor(c: Decimal, x: Array, e: Array) -> Array:
    """1 − e/ρ for ρ = exp(−c)."""
    if c < 0:
        return 1 - e * float(c.exp())
    if c < _ROUNDING:
        return _one_minus(e, jnp.abs(x))
    high = np.asarray(float(c), x.dtype)
    low = np.asarray(float(c - Decimal(float(high))), x.dtype)
    return -jnp.expm1(low - (jnp.abs(x) - high))


def _one_minus(e: Array, a: Array) -> Array:
    """1 − e for e = exp(−a), a ≥ 0: below ½, where e rounds too coarsely, a − a²/2! + a³/3! − …."""
    u, terms = float(jnp.finfo(a.dtype).eps), 1
    while 0.5**terms / factorial(terms + 1) > u / 8:
        terms += 1
    series = jnp.zeros_like(a)
    for k in range(terms, 0, -1):
        series = series * a + (-1) ** (k + 1) / factorial(k)
    return jnp.where(a < 0.5, series * a, 1 - e)


@lru_cache
def _eulerian_roots(order: int) -> tuple[Decimal, ...]:
    """The c = −log ρ of the roots −ρ of Aₙ to 40 digits, by Newton's method from NumPy's roots."""
    coefficients = [Decimal(a) for a in _eulerian_numbers(order)]
    with localcontext(prec=40):
        start = np.roots([float(a) for a in coefficients]).real
        return tuple(_newton(coefficients, Decimal(y)) for y in sorted(start))


def _newton(coefficients: list[Decimal], y: Decimal) -> Decimal:
    """c = −log(−y) at the root of the polynomial near y < 0."""
    for _ in range(8):
        value = slope = Decimal(0)
        for a in coefficients:  # Horner's scheme for the polynomial and its derivative
            slope = slope * y + value
            value = value * y + a
        y -= value / slope
    return -(-y).ln()


def _eulerian_numbers(order: int) -> list[int]:
    return [
        sum((-1) ** j * comb(order + 1, j) * (k + 1 - j) ** order for j in range(k + 1))
        for k in range(order)
    ]


logistic_product = JacobianProduct(
    "logistic_product",
    lambda x, t, *, order: sigmoid_derivative(wide(x), order) * wide(t),
)
logistic_product.defderivative(
    0, lambda dx, x, t, *, order: logistic_product(x, dx * t, order=order + 1)
)
