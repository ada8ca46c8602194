"""Softmax cross-entropy as people train with it: the terms of the loss, each in closed form."""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    AxisName,
    StaticAxis,
    array,
    float_dtype,
    floating,
    hashable_axis,
    is_narrow,
    jit_checked,
    mesh_names,
    narrowed,
    negative_axes,
    static_index,
    static_number,
    wide,
)
from jaxcalc._functions.distribution_cross_entropy import distribution_cross_entropy
from jaxcalc._functions.index_cross_entropy import index_cross_entropy
from jaxcalc._functions.labels import (
    along_classes,
    classes,
    counted_rows,
    is_index,
    is_valid,
    picked,
    read_labels,
)
from jaxcalc._functions.logsumexp import logsumexp_rows
from jaxcalc._functions.masks import count, fill, mask_logits, nonempty, split_mask
from jaxcalc._functions.rows import Rows, split_over
from jaxcalc._functions.soft_cap import capped


def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    class_weights: ArrayLike | None = None,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
    dtype: Any = None,
    accuracy: Accuracy = "high",
    axis_name: AxisName = None,
) -> Array:
    """Σ_i t_i w_i (lse − x_i) + z lse² along `axis`, one loss for each row, lse = log Σ exp(x).

    With the labels y, as one-hot rows where they are class indices, the smoothing a and K classes,
    t = (1 − a) y + a/K. Without smoothing, weights and z it is −⟨y, log softmax(x)⟩, whose gradient
    is s − y. The gradient is exact under saturation: where the label's class has nearly all of the
    probability, s − 1 is computed as minus the sum of the other classes.

    Args:
        logits: real array x.
        labels: integers of any dtype, the class indices, in the shape of `logits` without `axis`;
            or in the shape of `logits` the distributions y, whose sum is taken as it is (the
            gradient is s Σy − y), or one-hot rows of integers or booleans.
        axis: the class axis; for distributions also a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `logits` (and `logits` against it): classes
            where it is False are left out, with derivative exactly 0, and K counts those left.
        label_smoothing: a, in [0, 1].
        ignore_index: the class index of rows that do not count: their loss is 0 and its derivative
            exactly 0, whatever their logits. It may lie in [0, K) or not.
        class_weights: K numbers w, by default 1; they are not normalised.
        z_loss: z, in [0, 10³⁰].
        soft_cap: c, in [10⁻³⁰, 10³⁰]; the logits are c tanh(x/c) instead of x, which is ±c of an
            infinite one.
        dtype: of the result; that of `logits` by default. float32 keeps the digits of the loss of
            16-bit logits; the gradient has the dtype of `logits` and is rounded to it once.
        accuracy: "high" or "fast", as for `softmax`.
        axis_name: the mesh axes over which the classes are split inside `jax.shard_map`, as for
            `softmax`. Class indices are then those of the whole row, the same on each of the
            devices; distributions and `class_weights` are split like `logits`. The loss is the same
            on each.

    Returns:
        An array of the shape of `logits` without `axis`. A class with t w = 0 adds nothing, though
        its log-probability be −inf; one with t w > 0 there makes the loss +inf, and so does a row
        all of whose classes are masked (with derivative 0): leave such rows out. A class index
        outside [0, K) that is not `ignore_index` makes the loss NaN, since under `jit` no error
        can be raised, and its derivative NaN too, but 0 where the cotangent is: rows that are
        masked afterwards have the gradient 0. So do +inf, NaN, or nothing but −inf among the
        logits. What is kept for the backward pass is `logits` and `labels` and, for class indices,
        three numbers of a row; with smoothing, z or a cap the logits in float32, twice.

    Raises:
        TypeError: for complex or non-array logits or labels, a mask that is not boolean, a bad
            `axis`, `axis_name`, `ignore_index` or `dtype`, an option that is no number or traced.
        ValueError: for labels of another shape, class indices with more than one class axis or
            that differ between the devices of `axis_name`, an option out of its range,
            `class_weights` that are not K, `ignore_index` with distributions, a `dtype` of 64 bits
            where `jax_enable_x64` is off, and as for `softmax`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([20.0, 0.0])
    >>> print(jax.grad(jc.softmax_cross_entropy)(x, 0))
    [-2.0611537e-09  2.0611537e-09]
    >>> print(jc.softmax_cross_entropy(x, jnp.array([0.0, 1.0])))
    20.0

    Weights of rows and means are the caller's:

    >>> x, y = jnp.zeros((3, 4), jnp.bfloat16), jnp.array([1, -100, 2])
    >>> loss = jc.softmax_cross_entropy(x, y, ignore_index=-100, dtype=jnp.float32)
    >>> print(loss, jnp.mean(loss, where=y != -100))
    [1.3862944 0.        1.3862944] 1.3862944
    """
    return _loss_of(
        logits,
        labels,
        where,
        class_weights,
        axis=hashable_axis(axis),
        **static_options(label_smoothing, ignore_index, z_loss, soft_cap),
        dtype=float_dtype(dtype),
        accuracy=accuracy,
        axis_name=mesh_names(axis_name),
    )


def static_options(
    label_smoothing: float, ignore_index: int | None, z_loss: float, soft_cap: float | None
) -> dict[str, Any]:
    """The options that are numbers, checked, by their names."""
    return {
        "label_smoothing": static_number("label_smoothing", label_smoothing, least=0, most=1),
        "ignore_index": static_index("ignore_index", ignore_index),
        "z_loss": static_number("z_loss", z_loss, least=0, most=1e30),
        "soft_cap": None
        if soft_cap is None
        else static_number("soft_cap", soft_cap, least=1e-30, most=1e30),
    }


@jit_checked
def _loss_of(
    logits: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    class_weights: ArrayLike | None,
    *,
    axis: StaticAxis,
    label_smoothing: float,
    ignore_index: int | None,
    z_loss: float,
    soft_cap: float | None,
    dtype: Any,
    accuracy: Accuracy,
    axis_name: tuple[str, ...],
) -> Array:
    x, chosen = split_mask("logits", array("logits", logits), where)
    dtype = x.dtype if dtype is None else dtype
    rows = Rows(negative_axes(axis, x.ndim, "logits"), accuracy, axis_name=axis_name)
    x = split_over("logits", x, rows)
    y = read_labels(labels, x, rows)
    counted = counted_rows(y, ignore_index)
    if counted is not None:
        y, x = jnp.where(counted, y, 0), fill(x, counted, 0)
    weights = None if class_weights is None else _class_weights(class_weights, x, rows)
    if soft_cap is not None:
        x = capped(wide(x), soft_cap)
    elif z_loss or (label_smoothing and is_index(y)):  # each term's gradient is not yet rounded
        rows, x = rows._replace(exact=is_narrow(x)), wide(x)
    x = mask_logits(x, chosen, rows)
    first = wide(x).dtype if z_loss else dtype
    loss = _cross_entropy(y, x, chosen, weights, label_smoothing, first, rows)
    if z_loss:
        lse = logsumexp_rows(None, x, rows._replace(source="extended logits"))
        loss += z_loss * lse**2
    loss = narrowed(loss, dtype)
    if chosen is not None:
        loss = fill(loss, nonempty(chosen, rows), jnp.inf)
    return jnp.squeeze(fill(loss, counted, 0), rows.axes)


def _class_weights(class_weights: ArrayLike, x: Array, rows: Rows) -> Array:
    w = floating("class_weights", class_weights)
    if len(rows.axes) != 1:
        raise ValueError(
            "`class_weights` need a single class axis, but `axis` names "
            f"{len(rows.axes)}; multiply the distributions with them instead."
        )
    shape = (x.shape[rows.axes[0]],)
    if w.shape != shape:
        raise ValueError(
            f"`class_weights` must have shape {shape}, one number for each class, but got shape "
            f"{w.shape}."
        )
    return w.astype(wide(x).dtype)


def _cross_entropy(
    y: Array,
    x: Array,
    chosen: Array | None,
    weights: Array | None,
    smoothing: float,
    dtype: Any,
    rows: Rows,
) -> Array:
    """Σ_i t_i w_i (lse − x_i); in the dtype asked for where nothing is to be done with it."""
    w = None if weights is None else along_classes(weights, x, rows)
    if not is_index(y):
        y = y.astype(wide(x).dtype) if smoothing or weights is not None else y
        if smoothing:
            y = (1 - smoothing) * y + _shares(smoothing, x, chosen, rows)
        return distribution_cross_entropy(y if w is None else y * w, x, rows, dtype)
    if not smoothing and weights is None:
        return index_cross_entropy(y, x, rows, dtype)
    loss = index_cross_entropy(y, x, rows, wide(x).dtype)
    weight: Any = 1 - smoothing
    if weights is not None:
        weight *= picked(weights, y, x, rows)
    # 1 where the label is none: its NaN goes on, and into the derivative too
    of_label = jnp.where(is_valid(y, x, rows), weight, 1)
    loss = of_label * jnp.where((of_label == 0) & jnp.isinf(loss), 0, loss)
    if smoothing:
        shares = _shares(smoothing, x, chosen, rows)
        shares = shares if w is None else shares * w
        loss += distribution_cross_entropy(shares, x, rows, loss.dtype)
    return loss


def _shares(smoothing: float, x: Array, chosen: Array | None, rows: Rows) -> Array:
    """a/K for each class that is left, in a shape that broadcasts against x."""
    dtype = wide(x).dtype
    if chosen is None:
        shape = [size if i - x.ndim in rows.axes else 1 for i, size in enumerate(x.shape)]
        return jnp.full(shape, smoothing / max(classes(x, rows), 1), dtype)
    left = jnp.broadcast_to(chosen, x.shape)
    K = jnp.maximum(count(left, rows), 1).astype(dtype)
    return jnp.where(left, smoothing / K, 0)
