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
from jaxcalc._products import JacobianProduct


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
    return (wide(x) - m if _plain(x, rows) else _exact_difference(x, m)[0]), m


def exponentials(x: Array, rows: Rows) -> Array:
    """exp(x − m), m = max x, at least in float32."""
    m = _row_max(x, rows)
    if _plain(x, rows):
        return jnp.exp(wide(x) - m)
    d, err = _exact_difference(x, m)
    # not e + e·err: where e·err is subnormal it is flushed to zero
    return jnp.exp(d) * (1 + err)


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


def _exact_difference(x: Array, m: Array) -> tuple[Array, Array]:
    """d + err = x − m without error for finite x ≤ m (Knuth's TwoSum); d = −inf for x = −inf.

    A quarter of each operand cannot overflow in any step, and the clamp, which moves only −inf,
    keeps err finite. The clamp also stands between a caller's product and the subtraction, which
    XLA would otherwise contract to one rounding.
    """
    quarter = jnp.maximum(x / 4, -0.75 * float(jnp.finfo(x.dtype).max))
    shift = m / 4
    d = quarter - shift
    back = d - quarter
    err = (quarter - (d - back)) - (shift + back)
    return 4 * d, 4 * err


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
