"""Functions of each entry, each made from one declaration.

What a declaration says, every other room reads: the formulas their value and slope, the command
line the word, tests and benchmarks the definition.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import inexact, is_complex, jit_checked, wide
from jaxcalc._functions import holomorphic
from jaxcalc._functions.primitives import JacobianProduct, ValuePrimitive

# x by the functions of some arithmetic, such as `JAX`
Formula = Callable[[Any, Any], Any]

JAX = SimpleNamespace(
    abs=lambda x: jnp.abs(x).astype(x.dtype),  # of complex numbers too
    erfc=lax.erfc,
    exp=jnp.exp,
    pi=math.pi,
    sigmoid=holomorphic.sigmoid,
    softplus=holomorphic.softplus,
    sqrt=math.sqrt,  # of numbers
    tanh=jnp.tanh,
)


@dataclass(frozen=True, eq=False)
class Elementwise:
    """The declaration of a function f of each entry; called, it is f.

    Attributes:
        name: that of its primitives in a program, and in formulas.
        definition: f in ordinary functions, as in `lambda m, x: x * m.tanh(m.softplus(x))`. It
            need not be accurate: what it means to JAX, to mpmath and in a formula is m's.
        slope: f′ in the same way, as formulas write it.
        derivative: f⁽ⁿ⁾ of x and n, for every n ≥ 0 and every real x, accurate in float32 and
            float64.
        code: f(x) in Python, by what the printed source may import.
        takes_complex: whether `definition` holds for complex numbers too.
        product: the primitive (x, t) ↦ f⁽ⁿ⁾(x) t, its own transpose.
    """

    name: str
    definition: Formula
    slope: Formula
    derivative: Callable[[Array, int], Array]
    code: str
    takes_complex: bool = True
    product: JacobianProduct = field(init=False)
    _checked: Callable[[ArrayLike], Array] = field(init=False)

    def __call__(self, x: ArrayLike) -> Array:
        """f(x), in the floating dtype of x."""
        return self._checked(x)

    def __post_init__(self) -> None:
        product = JacobianProduct(
            f"{self.name}_product",
            lambda x, t, *, order: self.derivative(wide(x), order) * wide(t),
        )
        product.defderivative(0, lambda dx, x, t, *, order: product(x, dx * t, order=order + 1))
        value = ValuePrimitive(self.name, lambda x: self.derivative(wide(x), 0))

        @jax.custom_jvp
        def function(x: Array) -> Array:
            return value(x)

        @value.defjvp
        @function.defjvp  # ∂f/∂x = f′(x)
        def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
            (x,), (dx,) = primals, tangents
            return function(x), product(x, dx, order=1)

        @jit_checked
        def checked(x: ArrayLike) -> Array:
            array = inexact("x", x)
            return self._of_complex(array) if is_complex(array) else function(array)

        object.__setattr__(self, "product", product)
        object.__setattr__(self, "_checked", checked)

    def _of_complex(self, z: Array) -> Array:
        if not self.takes_complex:
            raise TypeError(
                f"`x` must be real, but got dtype {z.dtype}; {self.code} takes no other."
            )
        return jnp.asarray(self.definition(JAX, z))

    def __str__(self) -> str:
        """The name."""
        return self.name
