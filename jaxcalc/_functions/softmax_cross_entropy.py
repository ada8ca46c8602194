"""Softmax cross-entropy and its gradient s − y."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    AxisName,
    StaticAxis,
    array,
    hashable_axis,
    jit_checked,
    mesh_names,
    narrowed,
    negative_axes,
    weighed,
    wide,
)
from jaxcalc._compat import varying_axes
from jaxcalc._functions.masks import fill, mask_logits, nonempty, split_mask
from jaxcalc._functions.primitives import add, changing
from jaxcalc._functions.row_primitives import RowProduct, RowValue
from jaxcalc._functions.rows import Rows, normalizer, probabilities, shifted, split_over, total
from jaxcalc._functions.softmax import kept, log_softmax_rows
from jaxcalc._functions.softmax_maps import (
    center,
    center_transposed,
    log_softmax_product,
    log_softmax_transposed,
    mean_change,
    softmax_change,
    weighted_sum,
)


def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
    axis_name: AxisName = None,
) -> Array:
    """−⟨y, log softmax(x)⟩ along `axis`, one loss for each row; its gradient in x is s − y.

    The gradient is exact under saturation: where the label's class has nearly all of the
    probability, s − 1 is computed as minus the sum of the other classes.

    Args:
        logits: real array x.
        labels: integers, the class indices, in the shape of `logits` without `axis`; or floats, the
            distributions y, in the shape of `logits`. Their sum is taken as it is (the gradient is
            s Σy − y).
        axis: the class axis; for distributions also a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `logits` (and `logits` against it): classes
            where it is False are left out, with derivative exactly 0.
        accuracy: "high" or "fast", as for `softmax`.
        axis_name: the mesh axes over which the classes are split inside `jax.shard_map`, as for
            `softmax`. Class indices are then those of the whole row, the same on each of the
            devices; distributions are split like `logits`. The loss is the same on each.

    Returns:
        An array of the floating dtype of `logits` and its shape without `axis`. A class with y = 0
        adds nothing, though its log-probability be −inf; one with y > 0 there makes the loss +inf,
        and so does a row all of whose classes are masked (with derivative 0): leave such rows out.
        A class index outside [0, K) makes the loss and its gradient NaN, since under `jit` no error
        can be raised; so do +inf, NaN, or nothing but −inf among the logits. What is kept for the
        backward pass is the softmax (`logits` for 16-bit dtypes at "high" accuracy) and `labels`.

    Raises:
        TypeError: for complex or non-array logits, labels neither integer nor floating, a mask
            that is not boolean, a bad `axis` or `axis_name`.
        ValueError: for labels of another shape, class indices with more than one class axis or
            that differ between the devices of `axis_name`, and as for `softmax`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([20.0, 0.0])
    >>> print(jax.grad(jc.softmax_cross_entropy)(x, 0))
    [-2.0611537e-09  2.0611537e-09]
    >>> print(jc.softmax_cross_entropy(x, jnp.array([0.0, 1.0])))
    20.0
    """
    return _loss_of(
        logits,
        labels,
        where,
        axis=hashable_axis(axis),
        accuracy=accuracy,
        axis_name=mesh_names(axis_name),
    )


@jit_checked("axis", "accuracy", "axis_name")
def _loss_of(
    logits: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
    axis_name: tuple[str, ...],
) -> Array:
    x, chosen = split_mask("logits", array("logits", logits), where)
    rows = Rows(negative_axes(axis, x.ndim, "logits"), accuracy, axis_name=axis_name)
    x = split_over("logits", x, rows)
    y = _labels(labels, x, rows)
    loss = _softmax_cross_entropy(y, mask_logits(x, chosen, rows), rows)
    if chosen is not None:
        loss = fill(loss, nonempty(chosen, rows), jnp.inf)
    return jnp.squeeze(loss, rows.axes)


def _labels(labels: ArrayLike, x: Array, rows: Rows) -> Array:
    """Distributions in the shape of x, or class indices with a class axis of size 1."""
    y = array("labels", labels)
    if jnp.issubdtype(y.dtype, jnp.floating):
        return _fitted(y, x.shape, "distributions", x)
    if not jnp.issubdtype(y.dtype, jnp.integer):
        raise TypeError(
            "`labels` must be integers (class indices) or floats (distributions), "
            f"but got dtype {y.dtype}; convert them first."
        )
    if len(rows.axes) != 1:
        raise ValueError(
            "`labels` given as class indices need a single class axis, but `axis` names "
            f"{len(rows.axes)}; give distributions instead."
        )
    if set(rows.axis_name) & varying_axes(y):
        raise ValueError(
            "`labels` given as class indices are those of the whole row, but differ between the "
            f"devices of `axis_name={rows.axis_name}`; leave its axes out of their `in_specs`."
        )
    (axis,) = rows.axes
    batch = tuple(size for i, size in enumerate(x.shape) if i != x.ndim + axis)
    return jnp.expand_dims(_fitted(y, batch, "class indices", x), axis)


def _fitted(y: Array, shape: tuple[int, ...], kind: str, x: Array) -> Array:
    if y.shape != shape:
        raise ValueError(
            f"`labels` given as {kind} (dtype {y.dtype}) must have shape {shape} for `logits` of "
            f"shape {x.shape}, but got shape {y.shape}."
        )
    return y


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _softmax_cross_entropy(y: Array, x: Array, rows: Rows) -> Array:
    return _softmax_cross_entropy_value(y, x, rows=rows)


def _formula(y: Array, x: Array, *, rows: Rows) -> Array:  # −⟨y, log softmax(x)⟩
    d, _ = shifted(x, rows)
    log_s = d - jnp.log(normalizer(total(jnp.exp(d), rows), rows))
    return -total(weighed(_distribution(y, x, rows), log_s), rows)


_softmax_cross_entropy_value = RowValue("softmax_cross_entropy", _formula, "row")


@_softmax_cross_entropy_value.defjvp
@partial(_softmax_cross_entropy.defjvp, symbolic_zeros=True)  # ∂/∂x = (s Σy − y)ᵀ
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (y, x), (dy, dx) = primals, tangents
    loss = _softmax_cross_entropy(y, x, rows)
    changes = []
    if changing(dx):
        r, kept_as = kept(x, rows)
        changes.append(softmax_cross_entropy_product(r, y, dx, rows=kept_as))
    if changing(dy):
        log_s = narrowed(log_softmax_rows(wide(x), rows), y.dtype)
        unused = (y == 0) & (log_s == -jnp.inf)
        change = weighted_sum(jnp.where(unused, 0, log_s), dy, rows=rows)
        changes.append(-change.astype(x.dtype))
    return loss, add(changes)


def _distribution(y: Array, x: Array, rows: Rows) -> Array:
    """Distributions as they are; class indices as one-hot rows, out of range as NaN."""
    if jnp.issubdtype(y.dtype, jnp.floating):
        return wide(y).astype(wide(x).dtype)
    (axis,) = rows.axes
    here = x.shape[axis]
    counter = _counter(y.dtype, _classes(x, rows))
    index = lax.broadcasted_iota(counter, (here,) + (1,) * (-1 - axis), 0)
    if rows.axis_name:
        index += lax.axis_index(rows.axis_name).astype(counter) * jnp.asarray(here, counter)
    is_label = lax.expand_dims(index, range(x.ndim + axis)) == y.astype(counter)
    one_hot = jnp.where(is_label, 1.0, 0.0)
    return jnp.where(_is_valid(y, x, rows), one_hot, jnp.nan).astype(wide(x).dtype)


def _is_valid(y: Array, x: Array, rows: Rows) -> Array:
    """Whether class indices lie in [0, K)."""
    classes = _classes(x, rows)
    last = jnp.asarray(classes - 1, _counter(y.dtype, classes))
    return (y >= 0) & (y.astype(last.dtype) <= last)


def _classes(x: Array, rows: Rows) -> int:
    return x.shape[rows.axes[0]] * math.prod(lax.axis_size(name) for name in rows.axis_name)


def _counter(dtype: np.dtype[Any], classes: int) -> np.dtype[Any]:
    """The dtype of labels, or one that counts the classes: int8 cannot count 300."""
    for name in (dtype.name, "int32", "uint32", "uint64"):
        counter = np.dtype(name)
        if counter.itemsize >= 4 and classes - 1 <= jnp.iinfo(counter).max:
            return counter
    raise ValueError(f"`logits` must have fewer than 2⁶⁴ classes, but got {classes}.")


def _cross_entropy(x: Array, y: Array, t: Array, *, rows: Rows) -> Array:  # −⟨y, C t⟩
    s = wide(probabilities(x, rows))
    return -total(_distribution(y, x, rows) * center(s, wide(t), rows), rows)


def _cross_entropy_transposed(x: Array, y: Array, g: Array, *, rows: Rows) -> Array:  # −Cᵀ(y g)
    s = wide(probabilities(x, rows))
    return -center_transposed(s, _distribution(y, x, rows) * wide(g), rows)


softmax_cross_entropy_product = RowProduct(
    "softmax_cross_entropy_product", _cross_entropy, gives="row"
)
softmax_cross_entropy_transposed = RowProduct(
    "softmax_cross_entropy_transposed", _cross_entropy_transposed, takes="row"
)
softmax_cross_entropy_product.deftranspose(softmax_cross_entropy_transposed)
softmax_cross_entropy_transposed.deftranspose(softmax_cross_entropy_product)


@partial(jax.jit, static_argnames="rows")  # a formula knows it by this name
def _mass(x: Array, y: Array, rows: Rows) -> Array:
    """Σy of each row, in the dtype of x; of a class index 1, or NaN out of range."""
    if jnp.issubdtype(y.dtype, jnp.floating):
        return total(_distribution(y, x, rows), rows).astype(x.dtype)
    # the root of −1 is NaN, and no other NaN is formed
    return jnp.sqrt(jnp.where(_is_valid(y, x, rows), 1, -1).astype(x.dtype))


softmax_cross_entropy_product.defderivative(
    0, lambda dx, x, y, t, *, rows: _mass(x, y, rows) * mean_change(dx, x, t, rows)
)
softmax_cross_entropy_transposed.defderivative(
    0, lambda dx, x, y, g, *, rows: _mass(x, y, rows) * softmax_change(x, dx, rows) * g
)
softmax_cross_entropy_product.defderivative(
    1,
    lambda dy, x, y, t, *, rows: (
        -total(dy.astype(t.dtype) * log_softmax_product(x, t, rows=rows), rows)
    ),
)
softmax_cross_entropy_transposed.defderivative(
    1,
    lambda dy, x, y, g, *, rows: -log_softmax_transposed(x, dy.astype(g.dtype) * g, rows=rows),
)
