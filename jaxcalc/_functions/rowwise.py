"""Piecewise linear functions of rows, each made from one declaration.

The Jacobian of such a function is the same on each piece, so that its own derivative is 0: what it
depends on is computed beside the value and does not change with x.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.row_primitives import RowProduct, RowValue
from jaxcalc._functions.rows import Rows


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """The declaration of a function f of rows, with a symmetric Jacobian; called, it is f.

    Attributes:
        name: that of its primitives in a program, and in formulas.
        value: f of an array, along the axes of `rows`.
        piece: what the Jacobian depends on, of the same shape.
        product: J t of the piece and t.
        plain: the same in ordinary operations, as formulas write it.
        code: the function in Python of an array and `axis`, by what the printed source may import.
        apply: the primitive of the product, its own transpose.
    """

    name: str
    value: Callable[[Array, Rows], Array]
    piece: Callable[[Array, Rows], Array]
    product: Callable[[Array, Array, Rows], Array]
    plain: Callable[[Array, Array, Rows], Array]
    code: str
    apply: JacobianProduct = field(init=False)
    _function: Callable[[Array, Rows], Array] = field(init=False)

    def __call__(self, x: Array, rows: Rows) -> Array:
        """f(x)."""
        return self._function(x, rows)

    def __post_init__(self) -> None:
        value = RowValue(self.name, lambda x, *, rows: self.value(x, rows), "classes")
        piece = RowValue(f"{self.name}_piece", lambda x, *, rows: self.piece(x, rows), "classes")
        product = RowProduct(f"{self.name}_product", lambda r, t, *, rows: self.product(r, t, rows))
        product.defderivative(0, lambda dr, r, t, *, rows: jnp.zeros_like(t))

        @piece.defjvp
        def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
            (x,) = primals
            return piece(x, rows=rows), jnp.zeros_like(x)

        @partial(jax.custom_jvp, nondiff_argnums=(1,))
        def function(x: Array, rows: Rows) -> Array:
            return value(x, rows=rows)

        @value.defjvp
        @function.defjvp  # J of the piece that x is in
        def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
            (x,), (dx,) = primals, tangents
            r = piece(lax.stop_gradient(x), rows=rows)
            return function(x, rows), product(r, dx, rows=rows)

        object.__setattr__(self, "apply", product)
        object.__setattr__(self, "_function", function)

    def __str__(self) -> str:
        """The name."""
        return self.name
