"""softmax and log-softmax: values, closed-form derivatives, Jacobians."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    Axis,
    Implementation,
    StaticAxis,
    chosen_implementation,
    hashable_axis,
    is_narrow,
    jit_checked,
    narrowed,
    negative_axes,
)
from jaxcalc._functions.kernels import check_rows, kernel_form, maps, refused_form
from jaxcalc._functions.primitives import Value
from jaxcalc._functions.rows import Rows, fill, log_total, probabilities, shifted, split_mask
from jaxcalc._functions.softmax_maps import log_softmax_product, softmax_product


def softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
    implementation: Implementation | None = None,
) -> Array:
    """s = exp(x) / Σ exp(x) along `axis`; ∂s/∂x = diag(s) − s sᵀ (notes §4).

    Drop-in for `jax.nn.softmax`. Products with the Jacobian and its transpose are accurate to a
    few units of u Σ_i s_k s_i |t_k − t_i|, u the unit roundoff, also where one class has nearly
    all of the probability and where the tangent has a large constant part.

    Args:
        x: real array. Integers and booleans promote as integers do in `jax.numpy`.
        axis: the class axis, a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `x` (and `x` against it): entries where it is
            False are left out. Their value is 0, their derivative exactly 0, whatever `x` is there.
        accuracy: "high" carries the rounding of x − max x along (float32 values within 8 ULP for
            any logits); "fast" does not, with errors no larger than those of `jax.nn`.
        implementation: "xla" leaves all kernels to XLA. "pallas" computes values and products, of
            any order, by a kernel that moves each array once however long its rows are; it needs an
            NVIDIA GPU of compute capability 9.0 or newer, 16 or 32 bits, and either a multiple of
            64 classes along the last axis, up to 262,144 in float32 and 491,520 in 16 bits, or up
            to 1,792 and 3,584 classes along another. Arrays split over devices under `jit` remain
            XLA's, those inside `jax.shard_map` do not. None is "xla": the kernels have been
            compiled and interpreted, but never yet run on a GPU.

    Returns:
        An array of the shape of `x` and `where` and the floating dtype of `x`. An entry −inf has
        value 0 and derivative 0. A row all of whose entries are masked is 0; one that is −inf
        throughout, or that holds +inf or NaN outside the mask, is NaN, and so are its derivatives
        (in reverse mode not those by masked entries, which stay 0). What is kept for
        the backward pass is the result (for 16-bit dtypes at "high" accuracy, `x`).

    Raises:
        TypeError: for complex input, a non-array, a mask that is not boolean, an `axis` that is
            neither int, tuple nor None.
        ValueError: for an axis out of bounds or repeated, a mask that does not broadcast, an
            unknown `accuracy` or `implementation`.
        NotImplementedError: for what `implementation="pallas"` cannot take.

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
    )


def log_softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    accuracy: Accuracy = "high",
    implementation: Implementation | None = None,
) -> Array:
    """log softmax(x) = x − log Σ exp(x) along `axis`; its Jacobian is I − 1 sᵀ (numerator layout).

    Drop-in for `jax.nn.log_softmax`. Arguments, dtypes and errors are those of `softmax`; products
    with the Jacobian and with its transpose are as accurate.

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
    )


@jit_checked("axis", "accuracy", "implementation")
def _softmax_of(
    x: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
    implementation: Implementation,
) -> Array:
    array, chosen = split_mask("x", x, where)
    rows = Rows(negative_axes(axis, array.ndim), accuracy, implementation=implementation)
    check_rows("x", array, rows)
    return fill(_softmax(fill(array, chosen, -jnp.inf), rows), chosen, 0)


@jit_checked("axis", "accuracy", "implementation")
def _log_softmax_of(
    x: ArrayLike,
    where: ArrayLike | None,
    *,
    axis: StaticAxis,
    accuracy: Accuracy,
    implementation: Implementation,
) -> Array:
    array, chosen = split_mask("x", x, where)
    rows = Rows(negative_axes(axis, array.ndim), accuracy, implementation=implementation)
    check_rows("x", array, rows)
    return fill(log_softmax_rows(fill(array, chosen, -jnp.inf), rows), chosen, -jnp.inf)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _softmax(x: Array, rows: Rows) -> Array:  # s = exp(x) / 1ᵀexp(x)
    if rows.implementation == "pallas":
        return _softmax_value(x, rows=rows)
    return _softmax_by_xla(x, rows=rows)


def _softmax_by_xla(x: Array, *, rows: Rows) -> Array:
    return narrowed(probabilities(x, rows), x.dtype)


@_softmax.defjvp  # ∂s/∂x = diag(s) − s sᵀ
def _(rows: Rows, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    s = _softmax(x, rows)
    if _is_too_short(x, rows):
        return s, softmax_product(x, dx, rows=rows)
    return s, softmax_product(s, dx, rows=rows._replace(source="softmax"))


def kept(x: Array, rows: Rows) -> tuple[Array, Rows]:
    """What a function other than softmax keeps for its products, and how it is to be read.

    The softmax, or x: where that has too few bits, and for kernels, which compute it on the way.
    """
    if _is_too_short(x, rows) or rows.implementation == "pallas":
        return x, rows
    return _softmax(x, rows), rows._replace(source="softmax")


def _is_too_short(x: Array, rows: Rows) -> bool:
    """Whether a softmax in the dtype of x has too few bits to form products from."""
    return rows.accuracy == "high" and is_narrow(x)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def log_softmax_rows(x: Array, rows: Rows) -> Array:  # x − log 1ᵀexp(x)
    if rows.implementation == "pallas":
        return _log_softmax_value(x, rows=rows)
    return _log_softmax_by_xla(x, rows=rows)


def _log_softmax_by_xla(x: Array, *, rows: Rows) -> Array:
    d, _ = shifted(x, rows)
    return narrowed(d - log_total(d, rows), x.dtype)


@log_softmax_rows.defjvp  # I − 1 sᵀ
def _(rows: Rows, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    r, kept_as = kept(x, rows)
    return log_softmax_rows(x, rows), log_softmax_product(r, dx, rows=kept_as)


_softmax_value = Value("softmax", _softmax_by_xla)
_log_softmax_value = Value("log_softmax", _log_softmax_by_xla)

for _value, _map in (
    (_softmax_value, maps.softmax),
    (_log_softmax_value, maps.log_softmax),
):
    _value.defform("cuda", kernel_form(_map))
    _value.defform(None, refused_form)
