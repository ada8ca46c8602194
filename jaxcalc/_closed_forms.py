"""The notes' closed-form Jacobians, as dense arrays.

Each is computed at least in float32 and rounded once; each can be jitted, batched by `jax.vmap`
and differentiated.
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import floating, narrowed, wide
from jaxcalc._layout import Layout, LayoutLike, to_layout
from jaxcalc._logistic import logistic_product
from jaxcalc._softmax import softmax


def sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂σ/∂x = diag(σ ⊙ (1 − σ)), the same in both layouts.

    Args:
        x: a vector of K entries; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        The K×K matrix in the dtype of `x`. σ(1 − σ) keeps its digits where σ rounds to 1; it is 0
        at ±inf and NaN at NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.sigmoid_jacobian(jnp.array([0.0, 20.0])))
    [[2.5000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    x = _vector(x)
    return _in_layout(_logistic_diagonal(x, order=1), layout)


def softplus_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂ log(1 + eˣ)/∂x = diag(σ), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 1 at +inf, 0 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softplus_jacobian(jnp.array([0.0, -20.0])))
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _in_layout(_logistic_diagonal(_vector(x), order=0), layout)


def log_sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂ log σ/∂x = diag(1 − σ), with 1 − σ(x) = σ(−x), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 0 at +inf, 1 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.log_sigmoid_jacobian(jnp.array([0.0, 20.0])))
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _in_layout(_logistic_diagonal(-_vector(x), order=0), layout)


def softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂ softmax(x)/∂x = diag(s) − s sᵀ, s = softmax(x), the same in both layouts (notes §4).

    Args:
        x: a vector of K logits; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        The K×K matrix in the dtype of `x`: symmetric, positive semidefinite, singular (J 1 = 0).
        Its diagonal s_k (1 − s_k) keeps its digits where s_k rounds to 1. The row and column of an
        entry −inf are 0; a row that holds NaN or +inf, or only −inf, gives NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softmax_jacobian(jnp.array([20.0, 0.0])))
    [[ 2.0611537e-09 -2.0611537e-09]
     [-2.0611537e-09  2.0611537e-09]]
    """
    x = _vector(x)
    s = _probabilities(x)
    J = jnp.where(_identity(x), s * _complement(x, s), -jnp.outer(s, s))
    return _in_layout(narrowed(J, x.dtype), layout)


def log_softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂ log softmax(x)/∂x = I − 1 sᵀ (numerator) or I − s 1ᵀ (denominator), s = softmax(x).

    Arguments, result and errors are those of `softmax_jacobian`; here the layout shows.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([0.0, 20.0])
    >>> print(jc.log_softmax_jacobian(x))
    [[ 1.0000000e+00 -1.0000000e+00]
     [-2.0611537e-09  2.0611537e-09]]
    >>> print(jc.log_softmax_jacobian(x, layout="denominator"))
    [[ 1.0000000e+00 -2.0611537e-09]
     [-1.0000000e+00  2.0611537e-09]]
    """
    x = _vector(x)
    s = _probabilities(x)
    J = jnp.where(_identity(x), _complement(x, s), -s[None, :])
    return _in_layout(narrowed(J, x.dtype), layout)


def logsumexp_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """∂ log Σ exp(x)/∂x = sᵀ, 1×K (numerator), or s, K×1 (denominator), s = softmax(x).

    Arguments and errors are those of `softmax_jacobian`; an entry −inf gives 0, in a row of nothing
    else too.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.logsumexp_jacobian(jnp.zeros(4)))
    [[0.25 0.25 0.25 0.25]]
    >>> jc.logsumexp_jacobian(jnp.zeros(4), layout="denominator").shape
    (4, 1)
    """
    x = _vector(x)
    s = jnp.where(x == -jnp.inf, 0, softmax(wide(x)))
    return _in_layout(narrowed(s, x.dtype)[None, :], layout)


def _vector(x: ArrayLike) -> Array:
    array = floating("x", x)
    if array.ndim != 1:
        raise ValueError(
            f"`x` must be a vector (rank 1), but got shape {array.shape}; "
            "use `jax.vmap` for the Jacobians of a batch."
        )
    return array


def _in_layout(J: Array, layout: LayoutLike) -> Array:
    return to_layout(J, Layout.NUMERATOR, layout)


def _logistic_diagonal(x: Array, order: int) -> Array:
    return jnp.diag(logistic_product(x, jnp.ones_like(x), order=order))


def _identity(x: Array) -> Array:
    return jnp.eye(x.size, dtype=bool)


def _probabilities(x: Array) -> Array:
    """softmax(x), its sum brought to 1 once more: the Jacobian has it squared."""
    s = softmax(wide(x))
    ascending = jnp.sort(s)
    missing = jnp.sum(1 - ascending[-1:]) - jnp.sum(ascending[:-1])
    return s * (1 + lax.stop_gradient(missing))  # the sum is 1 for every x: no derivative


def _complement(x: Array, s: Array) -> Array:
    """1 − s; for a class with most of the probability, the sum of the others.

    That is the largest of the others over its share among them: terms too small for the dtype
    still add to a sum that is not.
    """
    major = s > 0.5
    largest = jnp.max(s, where=~major, initial=0)
    others = jnp.where(major & (largest > 0), -jnp.inf, wide(x))
    return jnp.where(major, largest / jnp.max(softmax(others), initial=0), 1 - s)
