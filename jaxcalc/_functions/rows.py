"""Rows: the slices of an array along the class axes, their shifted exponentials, and masks.

Axes are counted from the end and sums keep their axes, so that a row's sum broadcasts against it.
A row may be split over the devices of a mesh axis: sums and maxima are then taken over them too.

XLA:CPU drops NaN in a maximum that it fuses. Nothing here leans on one to carry it: NaN goes
through the difference x − m into the exponential, and so into the sum.
"""

from collections.abc import Callable, Sequence
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
    inexact,
    is_narrow,
    mask,
    wide,
    working,
)
from jaxcalc._compat import (
    match_varying,
    mesh_axes,
    typed_varying,
    vary,
    varying_axes,
    with_axes,
)
from jaxcalc._functions.primitives import JacobianProduct, Value


class Rows(NamedTuple):
    """How the rows of an array are to be read.

    Attributes:
        axes: the axes of one row, counted from the end.
        accuracy: the forms to compute with.
        source: what is kept of a row to have its softmax from; see `probabilities`.
        implementation: what computes them on a GPU.
        axis_name: the mesh axes of `jax.shard_map` over which rows are split.
    """

    axes: tuple[int, ...]
    accuracy: Accuracy
    source: Literal["softmax", "shares", "logits", "extended logits"] = "logits"
    implementation: Implementation = "xla"
    axis_name: tuple[str, ...] = ()


def split_mask(name: str, x: ArrayLike, where: ArrayLike | None) -> tuple[Array, Array | None]:
    """x as an inexact array broadcast against the mask, and the mask with the rank of x."""
    array, chosen = inexact(name, x), mask(where)
    if chosen is None:
        return array, None
    array = jnp.broadcast_to(array, broadcast_shape("where", chosen, array, name))
    return array, lax.expand_dims(chosen, range(array.ndim - chosen.ndim))


def split_over(name: str, x: Array, rows: Rows) -> Array:
    """x, after a check that its rows can be split over `rows.axis_name`."""
    if not rows.axis_name:
        return x
    asked = rows.axis_name if len(rows.axis_name) > 1 else rows.axis_name[0]
    if not set(rows.axis_name) <= set(mesh_axes()):
        raise ValueError(
            f"`axis_name` must name mesh axes of the `jax.shard_map` around the call, but got "
            f"{asked!r}, where the mesh has {mesh_axes() or 'no axes'}."
        )
    if not set(rows.axis_name) <= varying_axes(x):
        raise ValueError(
            f"`axis_name={asked!r}` splits the classes over its devices, but `{name}` is the same "
            "on all of them; split its class axis in the `in_specs` of `jax.shard_map`, and leave "
            "`check_vma` on, without which derivatives cannot be right."
        )
    if rows.implementation == "pallas":
        raise NotImplementedError(
            "`implementation='pallas'` needs whole rows, but `axis_name` splits them; "
            "use `implementation='xla'`."
        )
    return x


def total(x: Array, rows: Rows) -> Array:
    """Σ over each row."""
    sums = jnp.sum(x, rows.axes, keepdims=True)
    return lax.psum(sums, rows.axis_name) if rows.axis_name else sums


def largest(x: Array, rows: Rows) -> Array:
    """The largest entry of each row."""
    top = jnp.max(x, rows.axes, keepdims=True, initial=-jnp.inf)
    return lax.pmax(top, rows.axis_name) if rows.axis_name else top


def nonempty(where: Array, rows: Rows) -> Array:
    """Whether a mask leaves anything of each row."""
    some = jnp.any(where, rows.axes, keepdims=True)
    if not rows.axis_name:
        return some
    count = vary(some, frozenset(rows.axis_name)).astype(jnp.int32)
    return lax.pmax(count, rows.axis_name) > 0


def shifted(x: Array, rows: Rows) -> tuple[Array, Array]:
    """d = x − m and m = max x, at least in float32. m is 0 where it would be infinite."""
    m = _shift(x, rows)
    return (wide(x) if _is_plain(x, rows) else rounded(x, m)) - m, m


def exponentials(x: Array, rows: Rows) -> Array:
    """exp(x − c), c ≤ max x, at least in float32: each is at most e⁴.

    Where x − c may not be rounded, c is a multiple of 4, a grid so coarse that d + c, d = x − c
    rounded, is a number of the dtype: what was lost is x − (d + c) (Dekker's FastTwoSum, without
    its condition). A quarter of each cannot overflow.
    """
    m = _shift(x, rows)
    if _is_plain(x, rows):
        return jnp.exp(wide(x) - m)
    x, c = rounded(x, m) / 4, jnp.floor(m / 4)
    d = x - c
    return _corrected(d, _finite(x, rows) - (_finite(d, rows) + c))


def shifted_exponentials(x: Array, rows: Rows) -> tuple[Array, Array, Array]:
    """d = x − m, exp(d), and m: what a logarithm and a softmax share.

    The shift is the maximum itself, so that a row of one class has the logarithm 0; what is lost of
    x − m takes three operations more (Knuth's TwoSum).
    """
    d, m = shifted(x, rows)
    if _is_plain(x, rows):
        return d, jnp.exp(d), m
    x, c = rounded(x, m) / 4, m / 4
    q, p = _finite(x, rows), _finite(x - c, rows)
    back = p - q
    return d, _corrected(x - c, (q - (p - back)) - (c + back)), m


def rounded(x: Array, m: Array) -> Array:
    """x, of which XLA knows no factors.

    A product of the caller would otherwise be contracted with the subtraction of m, which was made
    of rounded products, to one rounding; in one loop it may be and in the next not. The sum with a
    zero that XLA does not know ends that.
    """
    return x + 0 * m


def _corrected(d: Array, lost: Array) -> Array:
    """exp 4(d + lost)."""
    # not e + e·lost: where e·lost is subnormal it is flushed to zero
    return jnp.exp(4 * d) * (1 + 4 * lost)


def _finite(x: Array, rows: Rows) -> Array:
    """x, with −inf as a number: for the rounding of a difference, never for the difference itself.

    In a row of extended logits +inf is one too. (As a minimum XLA:CPU would not fuse it.)
    """
    least = -0.5 * float(jnp.finfo(x.dtype).max)
    x = jnp.maximum(x, least)
    return -jnp.maximum(-x, least) if rows.source == "extended logits" else x


def _shift(x: Array, rows: Rows) -> Array:
    m = wide(largest(x, rows))
    return jnp.where(jnp.isfinite(m), m, 0)


def _is_plain(x: Array, rows: Rows) -> bool:
    """Whether x − m may be rounded: float32 leaves a 16-bit result 13 bits to spare."""
    return rows.accuracy == "fast" or is_narrow(x)


def probabilities(r: Array, rows: Rows) -> Array:
    """The softmax of each row, in a dtype to compute with, from what was kept of it.

    | source            | r                                    | a row of −inf |
    |-------------------|--------------------------------------|---------------|
    | "softmax"         | the softmax itself                   | r             |
    | "shares"          | the same of weights of either sign   | r             |
    | "logits"          | x                                    | NaN           |
    | "extended logits" | x, where x = −inf has probability 0  | 0             |

    A row with +inf is NaN throughout.
    """
    if rows.source in ("softmax", "shares"):
        return working(r, rows.accuracy)
    e = exponentials(r, rows)
    return e / normalizer(total(e, rows), rows)


def normalizer(sums: Array, rows: Rows) -> Array:
    """What exponentials are divided by: their sum, but NaN for an infinite one.

    Of a row of extended logits without any it is 1.
    """
    sums = jnp.where(sums == jnp.inf, jnp.nan, sums)
    return jnp.where(sums == 0, 1, sums) if rows.source == "extended logits" else sums


Extent = Literal["classes", "row"]  # an entry a class, or a number a row


def _type(aval: Any, extent: Extent, classes: Any, rows: Rows) -> Any:
    """The type `aval`, strong, with the extent of `classes` or of a number a row.

    What holds classes varies over the mesh axes that split them, a number a row does not.
    """
    other = classes if extent == "classes" else None
    sized = with_axes(aval, rows.axes, other)
    if not rows.axis_name:
        return sized
    split = frozenset(rows.axis_name)
    varying = varying_axes(aval) | varying_axes(classes)
    return typed_varying(sized, varying | split if extent == "classes" else varying - split)


def _match(operands: Sequence[Array], last: Extent, rows: Rows) -> list[Array]:
    """Operands that vary over the same mesh axes, those that hold a number a row not over a split.

    Such are labels by their index, and the last operand where it is said to. Were they marked as
    varying, their cotangents would be summed over the devices once more.
    """
    split = frozenset(rows.axis_name)
    if not split:
        return match_varying(operands)
    every = frozenset().union(*map(varying_axes, operands))

    def varies(x: Array, extent: Extent) -> frozenset[str]:
        is_label = jnp.issubdtype(x.dtype, jnp.integer)
        return every - split if is_label or extent == "row" else every | split

    *others, t = operands
    return [*(vary(x, varies(x, "classes")) for x in others), vary(t, varies(t, last))]


class RowValue(Value):
    """A function of rows: of the logits, its last operand, as many results as there are extents."""

    def __init__(self, name: str, apply: Callable[..., Any], *gives: Extent):
        def types(*avals: Any, rows: Rows) -> Any:
            made = [_type(avals[-1], extent, avals[-1], rows) for extent in gives]
            return made if len(gives) > 1 else made[0]

        super().__init__(name, apply, types, multiple=len(gives) > 1)

    def _matched(self, operands: Sequence[Array], **params: Any) -> list[Array]:
        return _match(operands, "classes", params["rows"])


class RowProduct(JacobianProduct):
    """A linear map of rows, from an entry a class or a number a row to either."""

    def __init__(
        self,
        name: str,
        apply: Callable[..., Array],
        takes: Extent = "classes",
        gives: Extent = "classes",
    ):
        def type_of(*avals: Any, rows: Rows) -> Any:
            return _type(avals[-1], gives, avals[0], rows)

        super().__init__(name, apply, type_of)
        self._takes = takes

    def _matched(self, operands: Sequence[Array], **params: Any) -> list[Array]:
        return _match(operands, self._takes, params["rows"])


def spread(x: Array, like: Array, rows: Rows) -> Array:
    """A number a row, repeated for each of the classes of `like`."""
    return vary(jnp.broadcast_to(x, like.shape), varying_axes(like) | frozenset(rows.axis_name))


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


_fill_value = Value("fill", lambda where, x, *, value: jnp.where(where, x, value))
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
