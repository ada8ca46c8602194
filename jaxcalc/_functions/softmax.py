"""softmax and log-softmax: values, closed-form derivatives, Jacobians."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    AxisName,
    Implementation,
    StaticAxis,
    chosen_implementation,
    hashable_axis,
    is_complex,
    is_narrow,
    jit_checked,
    mesh_names,
    negative_axes,
)
from jaxcalc._functions import holomorphic
from jaxcalc._functions.kernels import check_rows, kernel_form, maps, refused_form
from jaxcalc._functions.masks import MaskableValue, fill, mask_logits, masked, split_mask
from jaxcalc._functions.rows import (
    Rows,
    normalizer,
    probabilities,
    shifted,
    shifted_exponentials,
    split_over,
    total,
)
from jaxcalc._functions.softmax_maps import log_softmax_product, softmax_product


def softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
    implementation: Implementation | None = None,
    axis_name: AxisName = None,
) -> Array:
    """s = exp(x) / Σ exp(x) along `axis`; ∂s/∂x = diag(s) − s sᵀ (notes §4).

    Drop-in for `jax.nn.softmax`. Products with the Jacobian and its transpose are accurate to a
    few units of u Σ_i s_k s_i |t_k − t_i|, u the unit roundoff, also where one class has nearly
    all of the probability and where the tangent has a large constant part.

    Args:
        x: array. Integers and booleans promote as integers do in `jax.numpy`. Of complex numbers it
            is the plain formula, holomorphic, whatever the accuracy.
        axis: the class axis, a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `x` (and `x` against it): entries where it is
            False are left out. Their value is 0, their derivative exactly 0, whatever `x` is there.
        accuracy: "high" carries the rounding of x − max x along (float32 values within 8 ULP for
            any logits, but for what XLA loses where it adds up one by one, in arrays of few
            entries); "fast" does not, with errors no larger than those of `jax.nn`.
        implementation: "xla" leaves all kernels to XLA. "native" computes by the kernels in C++ for
            CPUs, where they were compiled (`jc.show_versions` says); class axes must be neighbours.
            "pallas" computes values and products, of any order, by a kernel that moves each array
            once however long its rows are; it needs an NVIDIA GPU of compute capability 9.0 or
            newer, 16 or 32 bits, and either a multiple of 64 classes along the last axis, up to
            262,144 in float32 and 491,520 in 16 bits, or up to 1,792 and 3,584 classes along
            another. Arrays split over devices under `jit`, and programs that are exported, remain
            XLA's; those inside `jax.shard_map` do not. None takes "native" on CPUs where it can
            be had, and "xla" elsewhere: the kernels for GPUs have been compiled and interpreted,
            but never yet run on one.
        axis_name: inside `jax.shard_map`, the mesh axis, or a tuple of them, over which the class
            axis is split: maxima and sums are then taken over its devices. Without it each device
            has the softmax of its own classes, which from inside cannot be told from a split of the
            batch. Under plain `jit` it is not needed.

    Returns:
        An array of the shape of `x` and `where` and the floating dtype of `x`. An entry −inf has
        value 0 and derivative 0. A row all of whose entries are masked is 0; one that is −inf
        throughout, or that holds +inf or NaN outside the mask, is NaN, and so are its derivatives
        (in reverse mode not those by masked entries, which stay 0). What is kept for
        the backward pass is the result (for 16-bit dtypes at "high" accuracy, `x`).

    Raises:
        TypeError: for a non-array, a mask that is not boolean, an `axis` that is neither int, tuple
            nor None, an `axis_name` that is no name.
        ValueError: for an axis out of bounds or repeated, a mask that does not broadcast, an
            unknown `accuracy` or `implementation`, an `axis_name` that is no axis of the mesh or
            over which `x` is the same on all devices.
        NotImplementedError: for what an `implementation` that is asked for cannot take.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([20.0, 0.0])
    >>> print(jc.softmax(x))
    [1.0000000e+00 2.0611537e-09]
    >>> print(jax.jvp(jc.softmax, (x,), (jnp.array([1.0, 0.0]),))[1])
    [ 2.0611537e-09 -2.0611537e-09]
    >>> print(jax.jvp(jax.nn.softmax, (x,), (jnp.array([1.0, 0.0]),))[1])
    [ 0.0000000e+00 -2.0611537e-09]
    >>> print(jc.softmax(jnp.array([1.0, 1.0, 7.0]), where=jnp.array([True, True, False])))
    [0.5 0.5 0. ]
    """
    return _softmax_of(
        x,
        where,
        axis=hashable_axis(axis),
        accuracy=accuracy,
        implementation=chosen_implementation(implementation),
        axis_name=mesh_names(axis_name),
    )


def log_softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
    implementation: Implementation | None = None,
    axis_name: AxisName = None,
) -> Array:
    """log softmax(x) = x − log Σ exp(x) along `axis`; its Jacobian is I − 1 sᵀ (numerator layout).

    Drop-in for `jax.nn.log_softmax`. Arguments, dtypes and errors are those of `softmax`, and so is
    `axis_name` for classes that are split inside `jax.shard_map`; products with the Jacobian and
    with its transpose are as accurate.

    Returns:
        An array of the shape of `x` and `where` and the floating dtype of `x`, within
        3 u (|result| + 4 + log₂ K) of the truth, u the unit roundoff of the dtype computed in
        (float32 for 16-bit ones). Masked entries are −inf with derivative exactly 0. An entry −inf
        stays −inf, with the derivative that the formula gives. A row that is −inf throughout, or
        that holds +inf or NaN, is NaN. What is kept for the backward pass is the softmax (`x` for
        16-bit dtypes at "high" accuracy and for kernels).

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([20.0, 0.0])
    >>> print(jax.vjp(jc.log_softmax, x)[1](jnp.array([1.0, 0.0]))[0])
    [ 2.0611537e-09 -2.0611537e-09]
    >>> print(jax.vjp(jax.nn.log_softmax, x)[1](jnp.array([1.0, 0.0]))[0])
    [ 0.0000000e+00 -2.0611537e-09]
    """
    return _log_softmax_of(
        x,
        where,
        axis=hashable_axis(axis),
        accuracy=accuracy,
        implementation=chosen_implementation(implementation),
        axis_name=mesh_names(axis_name),
    )


@jit_checked
def _softmax_of(
    x: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
    implementation: Implementation | None,
    axis_name: tuple[str, ...],
) -> Array:
    array, chosen = split_mask("x", x, where)
    rows = Rows(negative_axes(axis, array.ndim), accuracy, "logits", implementation, axis_name)
    if is_complex(array):
        return holomorphic.softmax(array, chosen, rows)
    check_rows("x", array, rows)
    return _masked_by(softmax_rows, chosen, split_over("x", array, rows), rows, 0)


@jit_checked
def _log_softmax_of(
    x: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
    implementation: Implementation | None,
    axis_name: tuple[str, ...],
) -> Array:
    array, chosen = split_mask("x", x, where)
    rows = Rows(negative_axes(axis, array.ndim), accuracy, "logits", implementation, axis_name)
    if is_complex(array):
        return holomorphic.log_softmax(array, chosen, rows)
    check_rows("x", array, rows)
    return _masked_by(log_softmax_rows, chosen, split_over("x", array, rows), rows, -jnp.inf)


def _masked_by(
    f: Callable[..., Array], where: Array | None, x: Array, rows: Rows, filling: float
) -> Array:
    if where is None or rows.implementation != "pallas":
        return f(where, x, rows)
    return fill(f(None, mask_logits(x, where, rows), rows), where, filling)  # it takes no mask


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def softmax_rows(where: Array | None, x: Array, rows: Rows) -> Array:
    return _softmax_value(where, x, rows)


_softmax_value = MaskableValue(  # s = exp(x) / 1ᵀexp(x)
    "softmax", lambda x, *, rows: probabilities(x, rows), ("classes", 0)
)


@_softmax_value.defjvp
@softmax_rows.defjvp  # ∂s/∂x = M (diag(s) − s sᵀ) M, M = diag(where)
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    s = softmax_rows(where, x, rows)
    r, kept_as = s, from_softmax(rows)
    if keeps_input(x, rows):
        r, kept_as = mask_logits(x, where, rows), rows
    return s, masked(where, softmax_product(r, masked(where, dx), rows=kept_as))


def keeps_input(x: Array, rows: Rows) -> bool:
    """Whether x is kept for products: its dtype has too few bits to keep a softmax in."""
    return rows.accuracy == "high" and is_narrow(x)


def kept(x: Array, rows: Rows) -> tuple[Array, Rows]:
    """What is kept for products, the softmax or x, and how it is to be read."""
    return (x, rows) if keeps_input(x, rows) else (softmax_rows(None, x, rows), from_softmax(rows))


def from_softmax(rows: Rows) -> Rows:
    """Rows of which the softmax is kept."""
    return rows._replace(source="softmax")


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def log_softmax_rows(where: Array | None, x: Array, rows: Rows) -> Array:
    return _log_softmax_value(where, x, rows)


def _log_softmax(x: Array, *, rows: Rows) -> Array:  # x − log 1ᵀexp(x)
    d, _ = shifted(x, rows)
    return d - jnp.log(normalizer(total(jnp.exp(d), rows), rows))


def _log_softmax_and_softmax(x: Array, *, rows: Rows) -> list[Array]:
    d, e, _ = shifted_exponentials(x, rows)
    sums = normalizer(total(e, rows), rows)
    return [d - jnp.log(sums), e / sums]


_log_softmax_value = MaskableValue("log_softmax", _log_softmax, ("classes", -jnp.inf))
_log_softmax_and_softmax_values = MaskableValue(  # one exp for both
    "log_softmax_and_softmax", _log_softmax_and_softmax, ("classes", -jnp.inf), ("classes", 0)
)


@_log_softmax_value.defjvp
@log_softmax_rows.defjvp  # M (I − 1 sᵀ) M
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    if keeps_input(x, rows) or rows.implementation == "pallas":  # a kernel computes s on the way
        out, r, kept_as = log_softmax_rows(where, x, rows), mask_logits(x, where, rows), rows
    else:
        (out, r), kept_as = _log_softmax_and_softmax_values(where, x, rows), from_softmax(rows)
    return out, masked(where, log_softmax_product(r, masked(where, dx), rows=kept_as))


@_log_softmax_and_softmax_values.defjvp
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[list[Array], list[Array]]:
    (where, x), (_, dx) = primals, tangents
    out, s = _log_softmax_and_softmax_values(where, x, rows)
    products = (log_softmax_product, softmax_product)
    kept, t = from_softmax(rows), masked(where, dx)
    return [out, s], [masked(where, product(s, t, rows=kept)) for product in products]


for _value, _map in (
    (_softmax_value, maps.softmax),
    (_log_softmax_value, maps.log_softmax),
):
    _value.defnative("c", refused_form)
    _value.whole.defform("cuda", kernel_form(_map))
    _value.whole.defform(None, refused_form)
    _value.masked.defform(None, refused_form)
_log_softmax_and_softmax_values.defnative("cc")
