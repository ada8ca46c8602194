"""Rows: the slices of an array along the class axes, their shifted exponentials, and masks.

Axes are counted from the end and sums keep their axes, so that a row's sum broadcasts against it.
"""

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Implementation,
    broadcast_shape,
    floating,
    is_narrow,
    mask,
    wide,
    working,
)
from jaxcalc._functions.primitives import JacobianProduct


class Rows(NamedTuple):
    """How the rows of an array are to be read.

    Attributes:
        axes: the axes of one row, counted from the end.
        accuracy: the forms to compute with.
        source: what is kept of a row to have its softmax from; see `probabilities`.
        implementation: what computes them on a GPU.
    """

    axes: tuple[int, ...]
    accuracy: Accuracy
    source: Literal["softmax", "logits", "extended logits"] = "logits"
    implementation: Implementation = "xla"


def split_mask(name: str, x: ArrayLike, where: ArrayLike | None) -> tuple[Array, Array | None]:
    """x as a floating array broadcast against the mask, and the mask with the rank of x."""
    array, chosen = floating(name, x), mask(where)
    if chosen is None:
        return array, None
    array = jnp.broadcast_to(array, broadcast_shape("where", chosen, array, name))
    return array, lax.expand_dims(chosen, range(array.ndim - chosen.ndim))


def total(x: Array, rows: Rows) -> Array:
    """Σ over each row."""
    return jnp.sum(x, rows.axes, keepdims=True)


def shifted(x: Array, rows: Rows) -> tuple[Array, Array]:
    """x − m and m = max x, at least in float32."""
    m = _row_max(x, rows)
    return (wide(x) - m if _plain(x, rows) else 4 * (_quarter(x) - m / 4)), m


def exponentials(x: Array, rows: Rows) -> Array:
    """exp(x − c), c ≤ max x, at least in float32: each is at most e⁴.

    Where x − c may not be rounded, c is a multiple of 4, a grid so coarse that d + c, d = x − c
    rounded, is a number of the dtype: what was lost is x − (d + c) (Dekker's FastTwoSum, without
    its condition). A quarter of each cannot overflow.
    """
    m = _row_max(x, rows)
    if _plain(x, rows):
        return jnp.exp(wide(x) - m)
    x, c = _quarter(x), jnp.floor(m / 4)
    d = x - c
    lost = x - (d + c)
    # not e + e·lost: where e·lost is subnormal it is flushed to zero
    return jnp.exp(4 * d) * (1 + 4 * lost)


def _quarter(x: Array) -> Array:
    """x/4, clamped: that moves only −inf, whose difference from itself is then finite.

    The clamp also stands between a caller's product and a subtraction, which XLA would otherwise
    contract to one rounding.
    """
    return jnp.maximum(x / 4, -0.75 * float(jnp.finfo(x.dtype).max))


def log_total(d: Array, rows: Rows) -> Array:
    """log Σ exp(d) of shifted logits d."""
    return jnp.log(total(jnp.exp(d), rows))


def _row_max(x: Array, rows: Rows) -> Array:
    m = wide(jnp.max(x, rows.axes, keepdims=True, initial=-jnp.inf))
    return _finite(m) if rows.source == "extended logits" else m


def _finite(m: Array) -> Array:
    largest = float(jnp.finfo(m.dtype).max)
    return jnp.clip(m, -largest, largest)


def _plain(x: Array, rows: Rows) -> bool:
    """Whether x − m may be rounded: float32 leaves a 16-bit result 13 bits to spare."""
    return rows.accuracy == "fast" or is_narrow(x)


def probabilities(r: Array, rows: Rows) -> Array:
    """The softmax of each row, in a dtype to compute with, from what was kept of it.

    | source            | r                                    | a row of −inf |
    |-------------------|--------------------------------------|---------------|
    | "softmax"         | the softmax itself                   | r             |
    | "logits"          | x                                    | NaN           |
    | "extended logits" | x, where x = −inf has probability 0  | 0             |
    """
    if rows.source == "softmax":
        return working(r, rows.accuracy)
    e = exponentials(r, rows)
    sum_ = total(e, rows)
    if rows.source == "extended logits":
        sum_ = jnp.maximum(sum_, float(jnp.finfo(e.dtype).tiny))
    return e / sum_


def fill(x: Array, where: Array | None, value: float) -> Array:
    """x with `value` where the mask is False; its derivative there is exactly zero."""
    return x if where is None else _fill(x, where, value)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _fill(x: Array, where: Array, value: float) -> Array:
    return jnp.where(where, x, value)


@_fill.defjvp
def _(value: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x, where), (dx, _) = primals, tangents
    return _fill(x, where, value), masked_product(where, dx)


# A select of jax.numpy would keep the mask broadcast to the size of x.
masked_product = JacobianProduct("masked_product", lambda where, t: jnp.where(where, t, 0))
