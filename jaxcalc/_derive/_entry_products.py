"""Products of the entries of an array, whose derivative is the products of the others.

    d Π x = Σ (Π of the others) dx

In JAX's program it is a tree of products of halves, as many terms as entries. The products of the
others are one primitive here, JAX's own gradient: right where entries are 0.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import is_literal
from jaxcalc._functions.primitives import ValuePrimitive

Axes = tuple[int, ...]


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def entry_product(x: Array, axes: Axes) -> Array:
    """Π x along `axes`, counted from the end."""
    return jnp.prod(x, axes)


@entry_product.defjvp
def _(axes: Axes, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return entry_product(x, axes), jnp.sum(products_of_others(x, axes=axes) * dx, axes)


def _others(x: Array, *, axes: Axes) -> Array:
    return jax.grad(lambda x: jnp.sum(jnp.prod(x, axes)))(x)


products_of_others = ValuePrimitive("products_of_others", _others)


@products_of_others.defjvp
def _(axes: Axes, primals: tuple[Array], tangents: tuple[Array]) -> Any:
    return products_of_others(*primals, axes=axes), jax.jvp(
        partial(_others, axes=axes), primals, tangents
    )[1]


def has_product(jaxpr: Any) -> bool:
    """Whether a program has a product of entries, or seems to have been made from one.

    JAX's derivative of one multiplies halves until there are two of one entry each.
    """
    made = {variable: equation for equation in jaxpr.eqns for variable in equation.outvars}

    def names(equation: Any) -> list[str]:
        found = (made.get(v) for v in equation.invars if not is_literal(v))
        return [e.primitive.name for e in found if e is not None]

    products = {v for e in jaxpr.eqns if names(e) == ["slice", "slice"] for v in e.outvars}
    last = [e.invars[0] for e in jaxpr.eqns if e.primitive.name in ("squeeze", "reshape")]
    is_linearised = any(not is_literal(v) and v in products for v in last)
    return is_linearised or any(e.primitive.name == "reduce_prod" for e in jaxpr.eqns)
