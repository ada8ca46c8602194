"""The soft cap of logits, c tanh(x/c): the logistic function, stretched."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.primitives import ValuePrimitive


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def capped(x: Array, c: float) -> Array:
    """c tanh(x/c), between −c and c; its derivative is 1 − tanh²(x/c) = 4 σ'(2x/c)."""
    return _capped_value(x, c=c)


_capped_value = ValuePrimitive("soft_cap", lambda x, *, c: c * jnp.tanh(x / c))


@_capped_value.defjvp
@capped.defjvp
def _(c: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return capped(x, c), logistic_product(2 * x / c, 4 * dx, order=1)
