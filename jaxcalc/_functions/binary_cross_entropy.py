"""Binary cross-entropy of the logistic function and its gradient σ − y."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    array,
    broadcast_shape,
    floating,
    jit_checked,
    weighed,
    wide,
)
from jaxcalc._compat import setting
from jaxcalc._functions.logistic import logistic_product, sigmoid_derivative
from jaxcalc._functions.primitives import JacobianProduct, Value, add, changing


def sigmoid_binary_cross_entropy(
    logits: ArrayLike, labels: ArrayLike, *, accuracy: Accuracy = "high"
) -> Array:
    """−y log σ(x) − (1 − y) log σ(−x), elementwise; its gradient in x is σ(x) − y.

    The gradient is computed as (1 − y) σ(x) − y σ(−x), which keeps its digits where σ(x) rounds to
    the label.

    Args:
        logits: real array x.
        labels: probabilities y of the class 1, of any real dtype, that broadcast against `logits`
            (and `logits` against them): (N,) against (N, 1) makes N×N, which
            `jax_numpy_rank_promotion="raise"` refuses.
        accuracy: "high" or "fast"; for this function both are the same.

    Returns:
        An array of the common shape and the floating dtype of `logits`. A term of weight 0 adds
        nothing, though its logarithm be infinite: the loss is 0 at x = +inf, y = 1. What is kept
        for the backward pass is `logits` and `labels`.

    Raises:
        TypeError: for complex input or a non-array.
        ValueError: for shapes that do not broadcast, or an unknown `accuracy`.

    >>> import jax, jaxcalc as jc
    >>> print(jc.sigmoid_binary_cross_entropy(20.0, 1.0))
    2.0611537e-09
    >>> print(jax.grad(jc.sigmoid_binary_cross_entropy)(20.0, 1.0))
    -2.0611537e-09
    """
    return _binary_cross_entropy_of(logits, labels, accuracy=accuracy)


@jit_checked("accuracy")
def _binary_cross_entropy_of(logits: ArrayLike, labels: ArrayLike, *, accuracy: Accuracy) -> Array:
    x = floating("logits", logits)
    y = array("labels", labels)
    y = y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(x.dtype)
    shape = broadcast_shape("labels", y, x, "logits")
    _check_ranks(y, x)
    y = lax.expand_dims(y, range(len(shape) - y.ndim))  # kept at its own size
    return _binary_cross_entropy(y, jnp.broadcast_to(x, shape))


def _check_ranks(y: Array, x: Array) -> None:
    """Refuse to broadcast where `jax_numpy_rank_promotion` says so."""
    if setting("jax_numpy_rank_promotion") == "raise" and 0 < y.ndim != x.ndim > 0:
        raise ValueError(
            "`labels` must have the rank of `logits` under jax_numpy_rank_promotion='raise', "
            f"but got shapes {y.shape} and {x.shape}; add the missing axes."
        )


@jax.custom_jvp
def _binary_cross_entropy(y: Array, x: Array) -> Array:
    return _binary_cross_entropy_value(y, x)


def _formula(y: Array, x: Array) -> Array:  # −y log σ(x) − (1 − y) log σ(−x)
    w, p = wide(x), wide(y).astype(wide(x).dtype)
    linear = weighed(1 - p, jnp.maximum(w, 0)) + weighed(p, jnp.maximum(-w, 0))
    return linear + jnp.log1p(jnp.exp(-jnp.abs(w)))


_binary_cross_entropy_value = Value("binary_cross_entropy", _formula)


@_binary_cross_entropy_value.defjvp
@partial(_binary_cross_entropy.defjvp, symbolic_zeros=True)  # ∂/∂x = σ(x) − y,  ∂/∂y = −x
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (y, x), (dy, dx) = primals, tangents
    loss = _binary_cross_entropy(y, x)
    changes = []
    if changing(dx):
        changes.append(binary_cross_entropy_product(x, y, dx))
    if changing(dy):
        changes.append(-x * dy.astype(x.dtype))
    return loss, add(changes)


def _binary(x: Array, y: Array, t: Array) -> Array:  # (1 − y) σ(x) − y σ(−x), which is σ(x) − y
    w, p = wide(x), wide(y).astype(wide(x).dtype)
    slope = (1 - p) * sigmoid_derivative(w, 0) - p * sigmoid_derivative(-w, 0)
    return slope * wide(t)


binary_cross_entropy_product = JacobianProduct("binary_cross_entropy_product", _binary)
binary_cross_entropy_product.defderivative(
    0, lambda dx, x, y, t: logistic_product(x, dx * t, order=1)
)
binary_cross_entropy_product.defderivative(1, lambda dy, x, y, t: -dy.astype(t.dtype) * t)
