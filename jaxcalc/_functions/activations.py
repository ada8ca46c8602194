"""silu, mish, softsign and gelu, by declaration: `ELEMENTWISE` has them all."""

from decimal import Decimal
from math import factorial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import static_bool
from jaxcalc._functions.cubic import CUBIC, END, LINEAR, cubic_exponent
from jaxcalc._functions.elementwise import Elementwise
from jaxcalc._functions.gates import Gate
from jaxcalc._functions.gaussian import gaussian_gate

SILU = Elementwise(
    name="silu",
    definition=lambda m, x: x * m.sigmoid(x),
    slope=lambda m, x: m.sigmoid(x) * (1 + x * m.sigmoid(-x)),
    derivative=Gate(num=(0, 1), den=(1, 1)),  # E/(1 + E)
    code="jax.nn.silu(x)",
)


def silu(x: ArrayLike) -> Array:
    """x σ(x), elementwise, σ the logistic function; the derivative is σ(x) (1 + x σ(−x)).

    Drop-in for `jax.nn.silu`, which is also called swish. In float32 and float64 the value is
    within 5 ULP of the truth and its derivatives to the third within 12, wherever x and the truth
    are normal numbers: in the tails too, and beside the zeros of the derivatives (that of the first
    is x = −1.2784645…). In float16 and bfloat16 all of them are correctly rounded, but for a rare
    tie (0.51 ULP).

    Args:
        x: array of any shape. Integers and booleans promote as integers do in `jax.numpy`. Of
            complex numbers it is the plain formula.

    Returns:
        An array of the shape and floating dtype of `x`. The value is 0 at −inf and +inf at +inf,
        with derivatives 0 and 1; NaN gives NaN. What is kept for the backward pass is `x`.

    Raises:
        TypeError: for a list or other non-array.

    >>> import jax, jaxcalc as jc
    >>> print(jc.silu(-20.0), jax.grad(jc.silu)(-20.0), jax.grad(jc.silu)(-float("inf")))
    -4.1223075e-08 -3.916192e-08 -0.0
    """
    return SILU(x)


MISH = Elementwise(
    name="mish",
    definition=lambda m, x: x * m.tanh(m.softplus(x)),
    slope=lambda m, x: m.tanh(m.softplus(x)) + x * m.sigmoid(x) * (1 - m.tanh(m.softplus(x)) ** 2),
    derivative=Gate(num=(0, 2, 1), den=(2, 2, 1)),  # ((1 + E)² − 1)/((1 + E)² + 1)
    code="jax.nn.mish(x)",
)


def mish(x: ArrayLike) -> Array:
    """x tanh(log(1 + eˣ)), elementwise.

    Drop-in for `jax.nn.mish`. Arguments, dtypes, errors and accuracy are those of `silu`; the
    first derivative crosses zero at x = −1.1924312…. The value is 0 at −inf and +inf at +inf, with
    derivatives 0 and 1.

    >>> import jax, jaxcalc as jc
    >>> print(jc.mish(-20.0), jax.grad(jc.mish)(-20.0), jax.grad(jax.grad(jc.mish))(20.0))
    -4.1223075e-08 -3.916192e-08 -6.457499e-16
    """
    return MISH(x)


def _softsign_derivative(x: Array, order: int) -> Array:
    """(−1)ⁿ⁻¹ n!/(1 + |x|)ⁿ⁺¹, times the sign of x for even n."""
    size = jnp.abs(x)
    if order == 0:
        return jnp.where(size == jnp.inf, jnp.sign(x), x / (1 + size))
    inverse = 1 / (1 + size)
    result = factorial(order) * inverse if order % 2 else -factorial(order) * jnp.sign(x) * inverse
    for _ in range(order):  # not a power, which may be too small where the result is not
        result *= inverse
    return result


SOFTSIGN = Elementwise(
    name="softsign",
    definition=lambda m, x: x / (1 + m.abs(x)),
    slope=lambda m, x: 1 / (1 + m.abs(x)) ** 2,
    derivative=_softsign_derivative,
    code="jax.nn.soft_sign(x)",
)


def softsign(x: ArrayLike) -> Array:
    """x/(1 + |x|), elementwise; the derivative is 1/(1 + |x|)².

    Drop-in for `jax.nn.soft_sign`. Arguments, dtypes, errors and accuracy are those of `silu`.
    The value is ±1 at ±inf, with derivative 0. The second derivative jumps at 0, from 2 to −2, and
    is 0 there.

    >>> import jax, jaxcalc as jc
    >>> print(jc.softsign(3.0), jax.grad(jc.softsign)(3.0), jc.softsign(float("inf")))
    0.75 0.0625 1.0
    """
    return SOFTSIGN(x)


def _cubic(m: Any, x: Any) -> Any:
    """2√(2/π) (x + 0.044715 x³)."""
    return 2 * m.sqrt(2 / m.pi) * (x + x**3 * 8943 / 200000)


GELU = Elementwise(
    name="gelu",
    definition=lambda m, x: x * m.sigmoid(_cubic(m, x)),
    slope=lambda m, x: (
        m.sigmoid(_cubic(m, x))
        * (1 + 2 * m.sqrt(2 / m.pi) * (x + x**3 * 26829 / 200000) * m.sigmoid(-_cubic(m, x)))
    ),
    derivative=Gate(
        num=(0, 1),
        den=(1, 1),
        q=(Decimal(0), LINEAR, Decimal(0), CUBIC),
        exponent=cubic_exponent,
        end=END,
    ),
    code="jax.nn.gelu(x)",
)

GELU_EXACT = Elementwise(
    name="gelu_exact",
    definition=lambda m, x: x * m.erfc(-x / m.sqrt(2)) / 2,
    slope=lambda m, x: m.erfc(-x / m.sqrt(2)) / 2 + x * m.exp(-(x**2) / 2) / m.sqrt(2 * m.pi),
    derivative=gaussian_gate,
    code="jax.nn.gelu(x, approximate=False)",
    takes_complex=False,
)


def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """x Φ(x), Φ the normal distribution function, or its approximation by tanh; elementwise.

    Drop-in for `jax.nn.gelu`. The approximation, the default as there, is
    x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2 = x σ(2√(2/π) (x + 0.044715 x³)). Arguments, dtypes
    and errors are those of `silu`, and so is the accuracy, but that x Φ(x) was found to be off by
    up to 5.8 ULP at a few in 100,000 numbers of float32. The tail of Φ far below keeps its digits,
    and the first derivative those beside its zero, x = −0.7517915… (−0.7524614… of the
    approximation).
    The value is 0 at −inf and +inf at +inf, with derivatives 0 and 1.

    Args:
        x: array of any shape; only the approximation takes complex numbers.
        approximate: whether it is the approximation.

    Raises:
        TypeError: for a non-array; for complex numbers without the approximation; where
            `approximate` is no Python bool.

    >>> import jax, jaxcalc as jc
    >>> print(jc.gelu(-5.0), jc.gelu(-5.0, approximate=False))
    -2.2917962e-07 -1.433258e-06
    >>> print(f"{jc.gelu(-6.0):.3e} {jax.nn.gelu(-6.0):.3e}")
    -8.440e-11 -0.000e+00
    """
    return GELU(x) if static_bool("approximate", approximate) else GELU_EXACT(x)


ELEMENTWISE = (SILU, MISH, SOFTSIGN, GELU, GELU_EXACT)
