"""The notes' closed-form Jacobians, as operators: K numbers for a K×K matrix.

Products, diagonals, traces and shifted solutions cost O(K); `todense()` gives the array, computed
at least in float32 and rounded once. Each can be jitted, batched by `jax.vmap` (see `batch`) and
differentiated.
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import floating, narrowed, wide
from jaxcalc._closed_forms.softmax_operators import Origin, SoftmaxJacobian, softmax_operator
from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.rows import Rows
from jaxcalc._functions.softmax import softmax
from jaxcalc._layout.layout import Layout, LayoutLike
from jaxcalc.operators import Diagonal, LinearOperator, LowRank


def sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂σ/∂x = diag(σ ⊙ (1 − σ)), the same in both layouts.

    Args:
        x: a vector of K entries; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        The `Diagonal` operator in the dtype of `x`. σ(1 − σ) keeps its digits where σ rounds to 1;
        it is 0 at ±inf and NaN at NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.sigmoid_jacobian(jnp.array([0.0, 20.0])).todense())
    [[2.5000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    x = _vector(x)
    return _in_layout(_logistic(x, order=1), layout)


def softplus_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂ log(1 + eˣ)/∂x = diag(σ), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 1 at +inf, 0 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softplus_jacobian(jnp.array([0.0, -20.0])).todense())
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _in_layout(_logistic(_vector(x), order=0), layout)


def log_sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂ log σ/∂x = diag(1 − σ), with 1 − σ(x) = σ(−x), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 0 at +inf, 1 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.log_sigmoid_jacobian(jnp.array([0.0, 20.0])).todense())
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _in_layout(_logistic(-_vector(x), order=0), layout)


def softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂ softmax(x)/∂x = diag(s) − s sᵀ, s = softmax(x), the same in both layouts (notes §4).

    Args:
        x: a vector of K logits; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        An operator `diagonal - rank 1` in the dtype of `x`: symmetric, positive semidefinite,
        singular (J 1 = 0): `solve(b)` says so, `solve(b, shift)` and `pinv()` take O(K). Its
        diagonal s_k (1 − s_k) keeps its digits where s_k rounds to 1. The row and column of an
        entry −inf are 0; a row that holds NaN or +inf, or only −inf, gives NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softmax_jacobian(jnp.array([20.0, 0.0])).todense())
    [[ 2.0611537e-09 -2.0611537e-09]
     [-2.0611537e-09  2.0611537e-09]]
    """
    return _in_layout(_of_family("softmax", x), layout)


def log_softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂ log softmax(x)/∂x = I − 1 sᵀ (numerator) or I − s 1ᵀ (denominator), s = softmax(x).

    Arguments, result and errors are those of `softmax_jacobian`; here the layout shows.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([0.0, 20.0])
    >>> print(jc.log_softmax_jacobian(x).todense())
    [[ 1.0000000e+00 -1.0000000e+00]
     [-2.0611537e-09  2.0611537e-09]]
    >>> print(jc.log_softmax_jacobian(x, layout="denominator").todense())
    [[ 1.0000000e+00 -2.0611537e-09]
     [-1.0000000e+00  2.0611537e-09]]
    """
    return _in_layout(_of_family("log_softmax", x), layout)


def logsumexp_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> LinearOperator:
    """∂ log Σ exp(x)/∂x = sᵀ, 1×K (numerator), or s, K×1 (denominator), s = softmax(x).

    Arguments and errors are those of `softmax_jacobian`; an entry −inf gives 0, in a row of nothing
    else too.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.logsumexp_jacobian(jnp.zeros(4)).todense())
    [[0.25 0.25 0.25 0.25]]
    >>> jc.logsumexp_jacobian(jnp.zeros(4), layout="denominator").shape
    (4, 1)
    """
    x = _vector(x)
    s = narrowed(jnp.where(x == -jnp.inf, 0, softmax(wide(x))), x.dtype)
    return _in_layout(LowRank(jnp.ones((1,), s.dtype), s[:, None]), layout)


def _vector(x: ArrayLike) -> Array:
    array = floating("x", x)
    if array.ndim != 1:
        raise ValueError(
            f"`x` must be a vector (rank 1), but got shape {array.shape}; "
            "use `jax.vmap` for the Jacobians of a batch."
        )
    return array


def _in_layout(J: LinearOperator, layout: LayoutLike) -> LinearOperator:
    return J if Layout(layout) is Layout.NUMERATOR else J.T


def _logistic(x: Array, order: int) -> LinearOperator:
    ones = lax.integer_pow(x, 0)  # of x, so that a batch of them is split as that of x is
    return Diagonal(logistic_product(x, ones, order=order))


def _of_family(kind: str, x: ArrayLike) -> SoftmaxJacobian:
    logits = _vector(x)
    return softmax_operator(kind, Origin(logits), Rows((-1,), "high", "logits"), logits.dtype)
