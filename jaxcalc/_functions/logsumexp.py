"""log-sum-exp, plain and weighted: values and closed-form derivatives."""

from functools import partial
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    StaticAxis,
    array,
    broadcast_shape,
    hashable_axis,
    jit_checked,
    narrowed,
    negative_axes,
    wide,
)
from jaxcalc._functions.primitives import add, changing
from jaxcalc._functions.rows import Rows, fill, log_total, shifted, split_mask, total
from jaxcalc._functions.softmax import kept
from jaxcalc._functions.softmax_maps import log_softmax_product, logsumexp_product, weighted_sum


@overload
def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
) -> Array: ...


@overload
def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
    where: ArrayLike | None = None,
    accuracy: Accuracy = "high",
) -> tuple[Array, Array]: ...


def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
) -> Array | tuple[Array, Array]:
    """log Σ b exp(a) along `axis`; without weights its derivative is sᵀ, s = softmax(a).

    Drop-in for `jax.nn.logsumexp`.

    Args:
        a: real array. Integers and booleans promote as integers do in `jax.numpy`.
        axis: the axis, a tuple of axes, or None (the default) for all of them.
        b: real weights that broadcast against `a`, of either sign. An entry of weight 0 is left
            out, whatever `a` is there; the derivative by that weight is still exp(a)/Σ b exp(a).
        keepdims: keep the reduced axes with size 1.
        return_sign: return (log |Σ b exp(a)|, its sign).
        where: boolean mask that broadcasts against `a`: entries where it is False are left out,
            with derivative exactly 0.
        accuracy: "high" or "fast", as for `softmax`.

    Returns:
        An array of the floating dtype of `a` (and `b`), or a pair of them. The log of a negative
        sum is NaN without `return_sign`. An entry −inf has derivative 0, also in a row of nothing
        else, whose value, like that of a fully masked or empty row, is −inf. A row with +inf gives
        +inf with derivative NaN; NaN gives NaN. What is kept for the backward pass is the
        softmax (`a` for 16-bit dtypes at "high" accuracy; with weights, an array of that size for
        each argument that is differentiated).

    Raises:
        TypeError: for complex input, a non-array, a mask that is not boolean, a bad `axis`.
        ValueError: for an axis out of bounds or repeated, a mask or weights that do not broadcast,
            an unknown `accuracy`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.logsumexp(jnp.array([1024.0, 0.0])), jc.logsumexp(jnp.array([-jnp.inf])))
    1024.0 -inf
    >>> print(jax.grad(jc.logsumexp)(jnp.zeros(4)))
    [0.25 0.25 0.25 0.25]
    >>> log_size, sign = jc.logsumexp(jnp.zeros(2), b=jnp.array([1.0, -3.0]), return_sign=True)
    >>> print(log_size, sign)
    0.6931472 -1.0
    """
    out, sign = _logsumexp_of(
        a,
        b,
        where,
        axis=hashable_axis(axis),
        keepdims=bool(keepdims),
        signed=bool(return_sign),
        accuracy=accuracy,
    )
    return (out, sign) if return_sign else out


@jit_checked("axis", "keepdims", "signed", "accuracy")
def _logsumexp_of(
    a: ArrayLike,
    b: ArrayLike | None,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    keepdims: bool,
    signed: bool,
    accuracy: Accuracy,
) -> tuple[Array, Array]:
    x, chosen = split_mask("a", a, where)
    weights = None if b is None else _weights(b, x)
    if weights is not None:
        x = jnp.broadcast_to(x, weights.shape).astype(weights.dtype)
    rows = Rows(negative_axes(axis, x.ndim), accuracy, "extended logits")
    x = fill(x, chosen, -jnp.inf)
    if weights is None:
        out = _logsumexp(x, rows)
        sign = jnp.where(out == -jnp.inf, 0, jnp.where(jnp.isnan(out), out, 1))
    else:
        out, sign = _weighted(x, fill(weights, chosen, 0), rows)
        out = out if signed else jnp.where(sign < 0, jnp.nan, out)
    squeezed = (v if keepdims else jnp.squeeze(v, rows.axes) for v in (out, sign))
    out, sign = (v.astype(x.dtype) for v in squeezed)
    return out, sign


def _weights(b: ArrayLike, x: Array) -> Array:
    """b, broadcast against x, in the dtype that they have together."""
    weights = array("b", b)
    inexact = jnp.issubdtype(weights.dtype, jnp.floating)
    dtype = jnp.result_type(x, weights) if inexact else x.dtype
    return jnp.broadcast_to(weights, broadcast_shape("b", weights, x, "a")).astype(dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _logsumexp(x: Array, rows: Rows) -> Array:  # log 1ᵀexp(x)
    d, m = shifted(x, rows)
    return narrowed(m + log_total(d, rows), x.dtype)


@_logsumexp.defjvp  # sᵀ
def _(rows: Rows, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    r, kept_as = kept(x, rows)
    return _logsumexp(x, rows), logsumexp_product(r, dx, rows=kept_as)


def _weighted_exponentials(a: Array, b: Array, rows: Rows) -> tuple[Array, Array, Array]:
    """exp(a − m), bᵀexp(a − m) and m, the largest a of nonzero weight."""
    m = jnp.max(a, rows.axes, keepdims=True, initial=-jnp.inf, where=b != 0)
    m = jnp.where(jnp.isfinite(m), m, 0)
    e = jnp.exp(a - m)
    return e, total(jnp.where(b == 0, 0, b * e), rows), m


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _weighted(a: Array, b: Array, rows: Rows) -> tuple[Array, Array]:
    """log |bᵀexp(a)| and its sign; an entry of weight 0 is left out, whatever a is there."""
    _, weighted, m = _weighted_exponentials(wide(a), wide(b), rows)
    out = m + jnp.log(jnp.abs(weighted))
    return narrowed(out, a.dtype), narrowed(jnp.sign(weighted), a.dtype)


@partial(_weighted.defjvp, symbolic_zeros=True)  # ∂/∂b = v = exp(a) / bᵀexp(a),  ∂/∂a = w = b ⊙ v
def _(rows: Rows, primals: Any, tangents: Any) -> Any:
    (a, b), (da, db) = primals, tangents
    out, sign = _weighted(a, b, rows)
    v = _shares(wide(a), wide(b), rows)
    changes = []
    if changing(da):
        w = narrowed(_times_weight(wide(b), v), a.dtype)
        changes.append(weighted_sum(w, da, rows=rows))
    if changing(db):
        changes.append(weighted_sum(narrowed(v, b.dtype), db, rows=rows))
    return (out, sign), (add(changes), jnp.zeros_like(sign))


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _shares(a: Array, b: Array, rows: Rows) -> Array:  # v = exp(a) / bᵀexp(a)
    e, weighted, _ = _weighted_exponentials(a, b, rows)
    return jnp.where(a == -jnp.inf, 0, e / weighted)


@partial(_shares.defjvp, symbolic_zeros=True)  # dv = v ⊙ (da − ⟨w, da⟩ − ⟨v, db⟩), where Σw = 1
def _(rows: Rows, primals: Any, tangents: Any) -> Any:
    (a, b), (da, db) = primals, tangents
    v = _shares(a, b, rows)
    changes = []
    if changing(da):
        w = rows._replace(source="softmax")
        changes.append(v * log_softmax_product(_times_weight(b, v), da, rows=w))
    if changing(db):
        changes.append(-v * weighted_sum(v, db, rows=rows))
    return v, add(changes)


def _times_weight(b: Array, v: Array) -> Array:
    return jnp.where(b == 0, 0, b * v)
