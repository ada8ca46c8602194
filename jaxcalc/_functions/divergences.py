"""The Kullback-Leibler divergence and the entropy, of logarithms and of logits."""

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
    StaticAxis,
    array,
    broadcast_shape,
    float_dtype,
    floating,
    hashable_axis,
    is_narrow,
    jit_checked,
    mesh_names,
    narrowed,
    negative_axes,
    weighed,
    wide,
)
from jaxcalc._functions.masks import fill, mask_logits, nonempty, split_mask
from jaxcalc._functions.primitives import add, changing
from jaxcalc._functions.row_primitives import RowValue
from jaxcalc._functions.rows import Rows, normalizer, shifted, split_over, total
from jaxcalc._functions.softmax import kept, log_softmax_rows
from jaxcalc._functions.softmax_maps import softmax_product, weighted_sum


def kl_divergence(
    log_q: ArrayLike,
    log_p: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    dtype: Any = None,
    axis_name: AxisName = None,
) -> Array:
    """Σ p (log p − log q) along `axis`, of the prediction q from the target p, both as logarithms.

    Its gradients are −p by log q, and p (1 + log p − log q) by log p; neither need be normalised.

    Args:
        log_q: real array, the logarithms of the prediction, such as `log_softmax` gives.
        log_p: real array of the same shape, those of the target.
        axis: the class axis, a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `log_q` (and `log_q` against it): classes where
            it is False are left out, with derivative exactly 0.
        dtype: of the result; that of `log_q` by default.
        axis_name: the mesh axes over which the classes are split inside `jax.shard_map`, as for
            `softmax`.

    Returns:
        An array of the shape of `log_q` without `axis`. A class of probability p = 0 adds nothing
        and has derivative 0, whatever log q is there; p > 0 where q = 0 makes it +inf.

    Raises:
        TypeError: for complex or non-array input, a mask that is not boolean, a bad `axis`,
            `axis_name` or `dtype`.
        ValueError: for two shapes, an axis out of bounds or repeated, a mask that does not
            broadcast, and an `axis_name` as for `softmax`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> log_q, log_p = jnp.log(jnp.array([[0.5, 0.5], [0.25, 0.75]]))
    >>> print(jc.kl_divergence(log_q, log_p), jax.grad(jc.kl_divergence)(log_q, log_p))
    0.13081202 [-0.25 -0.75]
    """
    return _kl_divergence_of(
        log_q,
        log_p,
        where,
        axis=hashable_axis(axis),
        dtype=float_dtype(dtype),
        axis_name=mesh_names(axis_name),
    )


@jit_checked
def _kl_divergence_of(
    log_q: ArrayLike,
    log_p: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    dtype: Any,
    axis_name: tuple[str, ...],
) -> Array:
    q, chosen = split_mask("log_q", array("log_q", log_q), where)
    p = floating("log_p", log_p)
    if p.shape != jnp.shape(log_q):
        raise ValueError(
            f"`log_p` must have the shape of `log_q`, {jnp.shape(log_q)}, but got shape {p.shape}."
        )
    dtype = q.dtype if dtype is None else dtype
    p = jnp.broadcast_to(p, broadcast_shape("log_p", q, p, "log_q"))
    rows = Rows(negative_axes(axis, q.ndim, "log_q"), "high", axis_name=axis_name)
    q, p = split_over("log_q", q, rows), split_over("log_p", p, rows)
    q, p = fill(wide(q), chosen, 0), fill(wide(p).astype(wide(q).dtype), chosen, -jnp.inf)
    return jnp.squeeze(narrowed(_kl_divergence(p, q, rows), dtype), rows.axes)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _kl_divergence(p: Array, q: Array, rows: Rows) -> Array:
    return _kl_divergence_value(p, q, rows=rows)


def _formula(p: Array, q: Array, *, rows: Rows) -> Array:  # Σ exp(p) (p − q)
    return total(weighed(jnp.exp(p), p - q), rows)


_kl_divergence_value = RowValue("kl_divergence", _formula, "row")


@_kl_divergence_value.defjvp
@partial(_kl_divergence.defjvp, symbolic_zeros=True)  # −exp(p) by q, exp(p) (1 + p − q) by p
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (p, q), (dp, dq) = primals, tangents
    weight, changes = jnp.exp(p), []
    if changing(dq):
        changes.append(-weighted_sum(weight, dq, rows=rows))
    if changing(dp):
        ratio = jnp.where(weight == 0, 0, p) - jnp.where(weight == 0, 0, q)
        changes.append(weighted_sum(weight * (1 + ratio), dp, rows=rows))
    return _kl_divergence(p, q, rows), add(changes)


def entropy(
    logits: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    dtype: Any = None,
    accuracy: Accuracy = "high",
    axis_name: AxisName = None,
) -> Array:
    """−⟨s, log s⟩ along `axis`, of s = softmax(x), in units of log e (nats).

    Its gradient is −s (log s − ⟨s, log s⟩). Where one class has nearly all of the probability, both
    keep their digits: its logarithm is computed from the sum of the other classes.

    Args:
        logits: real array x.
        axis: the class axis, a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `logits` (and `logits` against it): classes
            where it is False are left out, with derivative exactly 0.
        dtype: of the result; that of `logits` by default.
        accuracy: "high" or "fast", as for `softmax`.
        axis_name: the mesh axes over which the classes are split inside `jax.shard_map`, as for
            `softmax`.

    Returns:
        An array of the shape of `logits` without `axis`, between 0 and log K. A class of
        probability 0 adds nothing, with derivative 0. A row all of whose classes are masked has
        entropy 0 with derivative 0; one with +inf, NaN or nothing but −inf is NaN.

    Raises:
        TypeError: for complex or non-array logits, a mask that is not boolean, a bad `axis`,
            `axis_name` or `dtype`.
        ValueError: for an axis out of bounds or repeated, a mask that does not broadcast, an
            unknown `accuracy`, and an `axis_name` as for `softmax`.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.entropy(jnp.zeros(4)), jc.entropy(jnp.array([20.0, 0.0])))
    1.3862944 4.3284228e-08
    """
    return _entropy_of(
        logits,
        where,
        axis=hashable_axis(axis),
        dtype=float_dtype(dtype),
        accuracy=accuracy,
        axis_name=mesh_names(axis_name),
    )


@jit_checked
def _entropy_of(
    logits: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    dtype: Any,
    accuracy: Accuracy,
    axis_name: tuple[str, ...],
) -> Array:
    x, chosen = split_mask("logits", array("logits", logits), where)
    dtype = x.dtype if dtype is None else dtype
    axes = negative_axes(axis, x.ndim, "logits")
    rows = Rows(axes, accuracy, axis_name=axis_name, exact=is_narrow(x))
    x = mask_logits(wide(split_over("logits", x, rows)), chosen, rows)
    out = narrowed(_entropy(x, rows), dtype)
    if chosen is not None:
        out = fill(out, nonempty(chosen, rows), 0)
    return jnp.squeeze(out, rows.axes)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _entropy(x: Array, rows: Rows) -> Array:
    return _entropy_value(x, rows=rows)


def _entropy_formula(x: Array, *, rows: Rows) -> Array:  # log Σ exp(d) − ⟨s, d⟩, d = x − max x
    d, _ = shifted(x, rows)
    e = jnp.exp(d)
    is_top = d == 0
    rest, tops = total(jnp.where(is_top, 0, e), rows), total(jnp.where(is_top, 1.0, 0), rows)
    sums = normalizer(rest + tops, rows)
    # of a single top class log Σ exp(d) is log(1 + rest), though rest be far less than 1
    return jnp.log1p(rest + (tops - 1)) - total(weighed(e, d), rows) / sums


_entropy_value = RowValue("entropy", _entropy_formula, "row")


@_entropy_value.defjvp
@_entropy.defjvp  # −(log s)ᵀ J, J = diag(s) − s sᵀ, which annihilates constants
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    r, kept_as = kept(x, rows)
    log_s = log_softmax_rows(None, x, rows)
    log_s = fill(log_s, log_s != -jnp.inf, 0)  # of a logit of −∞, or beyond the dtype's numbers
    change = weighted_sum(log_s, softmax_product(r, dx, rows=kept_as), rows=rows)
    return _entropy(x, rows), -change
