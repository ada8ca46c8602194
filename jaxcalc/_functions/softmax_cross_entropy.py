"""Softmax cross-entropy and its gradient s − y."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    StaticAxis,
    array,
    hashable_axis,
    jit_checked,
    narrowed,
    negative_axes,
    weighed,
    wide,
)
from jaxcalc._functions.primitives import JacobianProduct, add, changing
from jaxcalc._functions.rows import Rows, fill, log_total, probabilities, shifted, split_mask, total
from jaxcalc._functions.softmax import kept, log_softmax_rows
from jaxcalc._functions.softmax_maps import (
    center,
    center_transposed,
    log_softmax_product,
    log_softmax_transposed,
    mean_change,
    row_aval,
    row_sum_aval,
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

    Returns:
        An array of the floating dtype of `logits` and its shape without `axis`. A class with y = 0
        adds nothing, though its log-probability be −inf; one with y > 0 there makes the loss +inf,
        and so does a row all of whose classes are masked (with derivative 0): leave such rows out.
        A class index outside [0, K) makes the loss and its gradient NaN, since under `jit` no error
        can be raised; so do +inf, NaN, or nothing but −inf among the logits. What is kept for the
        backward pass is the softmax (`logits` for 16-bit dtypes at "high" accuracy) and `labels`.

    Raises:
        TypeError: for complex or non-array logits, labels neither integer nor floating, a mask
            that is not boolean, a bad `axis`.
        ValueError: for labels of another shape, class indices with more than one class axis, and
            as for `softmax`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([20.0, 0.0])
    >>> print(jax.grad(jc.softmax_cross_entropy)(x, 0))
    [-2.0611537e-09  2.0611537e-09]
    >>> print(jc.softmax_cross_entropy(x, jnp.array([0.0, 1.0])))
    20.0
    """
    return _loss_of(logits, labels, where, axis=hashable_axis(axis), accuracy=accuracy)


@jit_checked("axis", "accuracy")
def _loss_of(
    logits: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
) -> Array:
    x, chosen = split_mask("logits", logits, where)
    rows = Rows(negative_axes(axis, x.ndim), accuracy)
    y = _labels(labels, x, rows)
    loss = _softmax_cross_entropy(fill(x, chosen, -jnp.inf), y, chosen, rows)
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


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _softmax_cross_entropy(  # −⟨y, log softmax(x)⟩
    x: Array, y: Array, chosen: Array | None, rows: Rows
) -> Array:
    d, _ = shifted(x, rows)
    log_s = d - log_total(d, rows)
    loss = -total(weighed(_distribution(y, x, rows), log_s), rows)
    if chosen is not None:
        some = jnp.any(jnp.broadcast_to(chosen, x.shape), rows.axes, keepdims=True)
        loss = jnp.where(some, loss, jnp.inf)
    return narrowed(loss, x.dtype)


@partial(_softmax_cross_entropy.defjvp, symbolic_zeros=True)  # ∂/∂x = (s Σy − y)ᵀ
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x, y, chosen), (dx, dy, _) = primals, tangents
    loss = _softmax_cross_entropy(x, y, chosen, rows)
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
    classes = x.shape[axis]
    y = y if y.dtype.itemsize >= 4 else y.astype(jnp.int32)  # int8 cannot count 300 classes
    index = lax.broadcasted_iota(y.dtype, (classes,) + (1,) * (-1 - axis), 0)
    one_hot = jnp.where(lax.expand_dims(index, range(x.ndim + axis)) == y, 1.0, 0.0)
    valid = (y >= 0) & (y < classes)
    return jnp.where(valid, one_hot, jnp.nan).astype(wide(x).dtype)


def _cross_entropy(x: Array, y: Array, t: Array, *, rows: Rows) -> Array:  # −⟨y, C t⟩
    s = probabilities(x, rows)
    return -total(_distribution(y, x, rows) * center(s, t, rows), rows)


def _cross_entropy_transposed(x: Array, y: Array, g: Array, *, rows: Rows) -> Array:  # −Cᵀ(y g)
    s = probabilities(x, rows)
    return -center_transposed(s, _distribution(y, x, rows) * wide(g), rows)


softmax_cross_entropy_product = JacobianProduct(
    "softmax_cross_entropy_product", _cross_entropy, row_sum_aval
)
softmax_cross_entropy_transposed = JacobianProduct(
    "softmax_cross_entropy_transposed", _cross_entropy_transposed, row_aval
)
softmax_cross_entropy_product.deftranspose(softmax_cross_entropy_transposed)
softmax_cross_entropy_transposed.deftranspose(softmax_cross_entropy_product)


@partial(jax.jit, static_argnames="rows")  # a formula knows it by this name
def _mass(x: Array, y: Array, rows: Rows) -> Array:
    """Σy of each row, in the dtype of x."""
    return total(_distribution(y, x, rows), rows).astype(x.dtype)


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
