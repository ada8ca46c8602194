"""log-sum-exp: its value, and its closed-form derivative without weights."""

from functools import partial
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    AxisName,
    StaticAxis,
    broadcast_shape,
    hashable_axis,
    is_complex,
    jit_checked,
    mesh_names,
    narrowed,
    negative_axes,
    numbers,
    static_bool,
    wide,
)
from jaxcalc._functions import holomorphic
from jaxcalc._functions.masks import (
    MaskableValue,
    fill,
    mask_logits,
    masked,
    split_mask,
)
from jaxcalc._functions.rows import (
    Rows,
    normalizer,
    shifted,
    shifted_exponentials,
    split_over,
    total,
)
from jaxcalc._functions.softmax import from_softmax, keeps_input
from jaxcalc._functions.softmax_maps import (
    exponentials_product,
    logsumexp_product,
    softmax_product,
)
from jaxcalc._functions.weighted_logsumexp import nan_of_negative, weighted_logsumexp


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
    axis_name: AxisName = None,
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
    axis_name: AxisName = None,
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
    axis_name: AxisName = None,
) -> Array | tuple[Array, Array]:
    """log Σ b exp(a) along `axis`; without weights its derivative is sᵀ, s = softmax(a).

    Drop-in for `jax.nn.logsumexp`.

    Args:
        a: array. Integers and booleans promote as integers do in `jax.numpy`. Of complex numbers it
            is the plain formula, holomorphic, whatever the accuracy.
        axis: the axis, a tuple of axes, or None (the default) for all of them.
        b: weights that broadcast against `a`, of either sign. An entry of weight 0 is left
            out, whatever `a` is there; the derivative by that weight is still exp(a)/Σ b exp(a).
        keepdims: keep the reduced axes with size 1.
        return_sign: return (log |Σ b exp(a)|, its sign).
        where: boolean mask that broadcasts against `a`: entries where it is False are left out,
            with derivative exactly 0.
        accuracy: "high" or "fast", as for `softmax`.
        axis_name: the mesh axes over which `axis` is split in `jax.shard_map`, as for `softmax`.

    Returns:
        An array of the floating dtype of `a` (and `b`), or a pair of them. The log of a negative
        sum is NaN without `return_sign`, and so is its derivative. An entry −inf has derivative 0,
        also in a row of nothing else, whose value, like that of a fully masked or empty row, is
        −inf. A row with +inf gives +inf with derivative NaN; NaN gives NaN. What is kept for the
        backward pass is the softmax (for float16 at "high" accuracy `a` and two numbers a row);
        with weights, an array of that size for each argument that is differentiated (of float32 for
        float16).

    Raises:
        TypeError: for a non-array, a mask that is not boolean, a bad `axis` or `axis_name`, and
            where `keepdims` or `return_sign` is no Python bool.
        ValueError: for an axis out of bounds or repeated, a mask or weights that do not broadcast,
            an unknown `accuracy`, and an `axis_name` as for `softmax`.

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
        keepdims=static_bool("keepdims", keepdims),
        signed=static_bool("return_sign", return_sign),
        accuracy=accuracy,
        axis_name=mesh_names(axis_name),
    )
    return (out, sign) if return_sign else out


@jit_checked
def _logsumexp_of(
    a: ArrayLike,
    b: ArrayLike | None,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    keepdims: bool,
    signed: bool,
    accuracy: Accuracy,
    axis_name: tuple[str, ...],
) -> tuple[Array, Array]:
    x, chosen = split_mask("a", a, where)
    weights = None if b is None else _weights(b, x)
    if weights is not None:
        x = jnp.broadcast_to(x, weights.shape).astype(weights.dtype)
    rows = Rows(negative_axes(axis, x.ndim, "a"), accuracy, "extended logits", axis_name=axis_name)
    x = split_over("a", x, rows)
    if is_complex(x):
        out, sign = _complex(x, weights, chosen, rows, signed)
    elif weights is None:
        out, sign = _plain(x, chosen, rows)
    else:
        x = fill(x, chosen, -jnp.inf)
        out, sign = weighted_logsumexp(fill(weights, chosen, 0), x, rows)
        if not signed:
            out = nan_of_negative(sign, out)
    out, sign = (v if keepdims else jnp.squeeze(v, rows.axes) for v in (out, sign))
    return out, sign


def _plain(x: Array, chosen: Array | None, rows: Rows) -> tuple[Array, Array]:
    out = logsumexp_rows(chosen, x, rows)
    return out, jnp.where(out == -jnp.inf, 0, jnp.where(jnp.isnan(out), out, 1)).astype(x.dtype)


def _complex(
    x: Array, weights: Array | None, chosen: Array | None, rows: Rows, signed: bool
) -> tuple[Array, Array]:
    """The logarithm; parted in log |sum| and sum/|sum| where the sign is asked for."""
    out = holomorphic.logsumexp(x, weights, chosen, rows)
    if not signed:
        return out, out
    sign = jnp.where(
        jnp.isneginf(out.real), 0, jnp.exp(lax.complex(jnp.zeros_like(out.imag), out.imag))
    )
    return out.real, sign


def _weights(b: ArrayLike, x: Array) -> Array:
    """b, broadcast against x, in the dtype that they have together."""
    weights = numbers("b", b)
    is_inexact = jnp.issubdtype(weights.dtype, jnp.inexact)
    dtype = jnp.result_type(x, weights) if is_inexact else x.dtype
    return jnp.broadcast_to(weights, broadcast_shape("b", weights, x, "a")).astype(dtype)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def logsumexp_rows(where: Array | None, x: Array, rows: Rows) -> Array:
    return _logsumexp_value(where, x, rows)


def _logsumexp_formula(x: Array, *, rows: Rows) -> Array:  # log 1ᵀexp(x)
    d, m = shifted(x, rows)
    return m + jnp.log(total(jnp.exp(d), rows))


def _logsumexp_and_softmax(x: Array, *, rows: Rows) -> list[Array]:
    _, e, m = shifted_exponentials(x, rows)
    sums = total(e, rows)
    return [m + jnp.log(sums), e / normalizer(sums, rows)]


def _logsumexp_and_sums(x: Array, *, rows: Rows, dtype: Any) -> list[Array]:
    d, m = shifted(x, rows)
    sums = total(jnp.exp(d), rows)
    return [m + jnp.log(sums), m, normalizer(sums, rows)]


_logsumexp_value = MaskableValue("logsumexp", _logsumexp_formula, ("row", -jnp.inf))
_logsumexp_and_sums_values = MaskableValue(
    "logsumexp_and_sums", _logsumexp_and_sums, ("row", -jnp.inf), ("row", 0), ("row", 1)
)
_logsumexp_and_softmax_values = MaskableValue(  # one exp for both
    "logsumexp_and_softmax", _logsumexp_and_softmax, ("row", -jnp.inf), ("classes", 0)
)


for _values, _gives in (
    (_logsumexp_value, "r"),
    (_logsumexp_and_sums_values, "rrr"),
    (_logsumexp_and_softmax_values, "rc"),
):
    _values.defnative(_gives)


@_logsumexp_value.defjvp
@logsumexp_rows.defjvp  # sᵀ M, M = diag(where)
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    if x.dtype == "float16" and keeps_input(x, rows):  # whose small probabilities have few digits
        (out, *_), (change, *_) = _with_sums(rows, wide(x).dtype, primals, tangents)
        return narrowed(out, x.dtype), change.astype(x.dtype)
    out, s = _logsumexp_and_softmax_values(where, x, rows)
    return out, logsumexp_product(s, masked(where, dx), rows=from_softmax(rows))


@_logsumexp_and_sums_values.defjvp
def _with_sums(
    rows: Rows, dtype: Any, primals: Any, tangents: Any
) -> tuple[list[Array], list[Array]]:
    (where, x), (_, dx) = primals, tangents
    out, *sums = _logsumexp_and_sums_values(where, x, rows, dtype=dtype)
    # what depends on x in them, the derivative of the product by x has already
    kept = mask_logits(x, where, rows), *lax.stop_gradient(sums)
    change = exponentials_product(*kept, masked(where, dx), rows=rows, dtype=dtype)
    return [out, *sums], [change, *map(jnp.zeros_like, sums)]


@_logsumexp_and_softmax_values.defjvp
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[list[Array], list[Array]]:
    (where, x), (_, dx) = primals, tangents
    out, s = _logsumexp_and_softmax_values(where, x, rows)
    of_softmax, t = from_softmax(rows), masked(where, dx)
    r, kept_as = (mask_logits(x, where, rows), rows) if keeps_input(x, rows) else (s, of_softmax)
    ds = masked(where, softmax_product(r, t, rows=kept_as))
    return [out, s], [logsumexp_product(s, t, rows=of_softmax), ds]
