"""Masks of rows: what is left out, with a derivative of exactly zero."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import broadcast_shape, inexact, mask
from jaxcalc._compat import vary
from jaxcalc._functions.primitives import JacobianProduct, ValuePrimitive
from jaxcalc._functions.row_primitives import RowValue
from jaxcalc._functions.rows import Rows, total


def split_mask(name: str, x: ArrayLike, where: ArrayLike | None) -> tuple[Array, Array | None]:
    """x as an inexact array broadcast against the mask, and the mask with the rank of x."""
    array, chosen = inexact(name, x), mask(where)
    if chosen is None:
        return array, None
    array = jnp.broadcast_to(array, broadcast_shape("where", chosen, array, name))
    return array, lax.expand_dims(chosen, range(array.ndim - chosen.ndim))


def nonempty(where: Array, rows: Rows) -> Array:
    """Whether a mask leaves anything of each row."""
    some = jnp.any(where, rows.axes, keepdims=True)
    if not rows.axis_name:
        return some
    count = vary(some, frozenset(rows.axis_name)).astype(jnp.int32)
    return lax.pmax(count, rows.axis_name) > 0


def count(where: Array, rows: Rows) -> Array:
    """How many entries a mask leaves of each row."""
    return total(vary(where, frozenset(rows.axis_name)).astype(jnp.int32), rows)


def fill(x: Array, where: Array | None, value: float) -> Array:
    """x with `value` where the mask is False; its derivative there is exactly zero."""
    return x if where is None else _fill(where, x, value)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _fill(where: Array, x: Array, value: float) -> Array:
    return _fill_value(where, x, value=value)


def mask_logits(x: Array, where: Array | None, rows: Rows) -> Array:
    """x with −inf where the mask is False, but 0 in a row where it is False throughout.

    So such a row has a finite softmax, and no NaN arises where the result is filled in anyhow.
    """
    return x if where is None else _mask_logits(where, x, rows)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _mask_logits(where: Array, x: Array, rows: Rows) -> Array:
    return _masked_logits_value(where, x, rows=rows)


def masked_logits(where: Array, x: Array, *, rows: Rows) -> Array:
    """The formula of `mask_logits`."""
    filling = jnp.where(nonempty(where, rows), -jnp.inf, jnp.zeros((), x.dtype))
    return jnp.where(where, x, filling)


_fill_value = ValuePrimitive("fill", lambda where, x, *, value: jnp.where(where, x, value))
_masked_logits_value = RowValue("masked_logits", masked_logits, "classes")
# A select of jax.numpy would keep the mask broadcast to the size of x.
masked_product = JacobianProduct("masked_product", lambda where, t: jnp.where(where, t, 0))


@_fill_value.defjvp
@_fill.defjvp
def _(value: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    return _fill(where, x, value), masked_product(where, dx)


@_masked_logits_value.defjvp
@_mask_logits.defjvp
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    return _mask_logits(where, x, rows), masked_product(where, dx)
