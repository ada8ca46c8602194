"""The notes' closed-form Jacobians, as operators: K numbers for a K×K matrix.

Products, diagonals, traces and shifted solutions cost O(K), `todense()` gives the array. The
operator is at least of float32; what is asked of it is rounded once to the dtype of x. Each can be
jitted, batched by `jax.vmap` (see `batch`) and differentiated.
"""

from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc import _formula
from jaxcalc._arrays import floating, static_bool, wide
from jaxcalc._closed_forms.derivative import Derivative
from jaxcalc._closed_forms.softmax_operators import Origin, softmax_operator
from jaxcalc._formula import Expression, maps
from jaxcalc._functions.activations import GELU, GELU_EXACT, MISH, SILU, SOFTSIGN
from jaxcalc._functions.elementwise import Elementwise
from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.rows import Rows
from jaxcalc._functions.softmax import softmax
from jaxcalc._functions.sparsemax import SPARSEMAX
from jaxcalc._layout.layout import Layout, LayoutLike
from jaxcalc.operators import Diagonal, DiagonalPlusLowRank, LinearOperator, LowRank


def sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂σ/∂x = diag(σ ⊙ (1 − σ)), the same in both layouts.

    Args:
        x: a vector of K entries; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        A diagonal `Derivative` in the dtype of `x`. σ(1 − σ) keeps its digits where σ rounds to 1;
        it is 0 at ±inf and NaN at NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.sigmoid_jacobian(jnp.array([0.0, 20.0])).todense())
    [[2.5000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _logistic(x, 1, layout)


def softplus_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂ log(1 + eˣ)/∂x = diag(σ), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 1 at +inf, 0 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softplus_jacobian(jnp.array([0.0, -20.0])).todense())
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _logistic(x, 0, layout)


def log_sigmoid_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂ log σ/∂x = diag(1 − σ), with 1 − σ(x) = σ(−x), the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; the entry is 0 at +inf, 1 at −inf.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.log_sigmoid_jacobian(jnp.array([0.0, 20.0])).todense())
    [[5.0000000e-01 0.0000000e+00]
     [0.0000000e+00 2.0611537e-09]]
    """
    return _logistic(x, 0, layout, sign=-1)


class ElementwiseJacobian(Protocol):
    """The Jacobian of a function of each entry, at a vector."""

    def __call__(self, x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
        """diag(f′(x))."""


def _declared(function: Elementwise) -> ElementwiseJacobian:
    """`<name>_jacobian` of a function made from a declaration."""

    def jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
        array = _vector(x)
        entries = function.product(array, _ones(array), order=1)
        symbol = _symbol("derivative", _x(array), of=function.name, order=1)
        return _diagonal(entries, symbol, array, layout)

    name = f"{function.name}_jacobian"
    jacobian.__name__ = jacobian.__qualname__ = name
    jacobian.__doc__ = f"""diag(f′(x)) for f = {function.name}, the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian`; an entry at ±inf is the limit.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.{name}(jnp.zeros(3)).structure)
    diagonal
    """
    return jacobian


silu_jacobian = _declared(SILU)
mish_jacobian = _declared(MISH)
softsign_jacobian = _declared(SOFTSIGN)
_gelu_jacobians = {True: _declared(GELU), False: _declared(GELU_EXACT)}


def gelu_jacobian(
    x: ArrayLike, approximate: bool = True, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """diag(f′(x)) for f = gelu, the same in both layouts.

    Arguments, result and errors are those of `sigmoid_jacobian` and `gelu`.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.gelu_jacobian(jnp.zeros(2), approximate=False).formula)
    diag(erfc(−0.707107 x)/2 + 0.398942 x ⊙ exp(−x²/2))
    """
    return _gelu_jacobians[static_bool("approximate", approximate)](x, layout=layout)


def softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂ softmax(x)/∂x = diag(s) − s sᵀ, s = softmax(x), the same in both layouts (notes §4).

    Args:
        x: a vector of K logits; batches by `jax.vmap`.
        layout: "numerator" or "denominator".

    Returns:
        A `Derivative`, `diagonal - rank 1`, in the dtype of `x`: symmetric, positive semidefinite,
        singular (J 1 = 0): `solve(b)` says so, `solve(b, shift)` and `pinv()` take O(K). Its
        diagonal s_k (1 − s_k) keeps its digits where s_k rounds to 1. The row and column of an
        entry −inf are 0; a row that holds NaN or +inf, or only −inf, gives NaN.

    Raises:
        TypeError: for complex input.
        ValueError: when `x` is not a vector, or for an unknown layout.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.softmax_jacobian(jnp.zeros(2)).formula)
    diag(s) − s sᵀ where s = softmax(x)
    >>> print(jc.softmax_jacobian(jnp.array([20.0, 0.0])).todense())
    [[ 2.0611537e-09 -2.0611537e-09]
     [-2.0611537e-09  2.0611537e-09]]
    """
    return _of_family("softmax", x, layout)


def log_softmax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
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
    return _of_family("log_softmax", x, layout)


def logsumexp_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂ log Σ exp(x)/∂x = sᵀ, 1×K (numerator), or s, K×1 (denominator), s = softmax(x).

    Arguments and errors are those of `softmax_jacobian`; an entry −inf gives 0, in a row of nothing
    else too.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.logsumexp_jacobian(jnp.zeros(4)).todense())
    [[0.25 0.25 0.25 0.25]]
    >>> jc.logsumexp_jacobian(jnp.zeros(4), layout="denominator").shape
    (4, 1)
    """
    logits = _vector(x)
    s = jnp.where(logits == -jnp.inf, 0, softmax(wide(logits)))
    row = maps.Einsum(((_symbol("softmax", _x(logits), axes=(-1,)), (0,)),), maps.links((0,)), ())
    J = LowRank(jnp.ones((1,), s.dtype), s[:, None])
    return _derivative(J, maps.Terms((), logits.shape, (row,)), logits, layout)


def sparsemax_jacobian(x: ArrayLike, *, layout: LayoutLike = "numerator") -> Derivative:
    """∂ sparsemax(x)/∂x = diag(s) − s sᵀ/Σs, s = [sparsemax(x) > 0], the same in both layouts.

    Arguments and errors are those of `softmax_jacobian`. It is symmetric, positive semidefinite and
    singular; the row and column of an entry −inf are 0, and a row that holds NaN or +inf, or only
    −inf, gives NaN.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> print(jc.sparsemax_jacobian(jnp.array([1.0, 0.5, -1.0])).diagonal())
    [0.5 0.5 0. ]
    """
    array = _vector(x)
    s = lax.stop_gradient(wide(SPARSEMAX.piece(array, Rows((-1,), "high"))))
    J = DiagonalPlusLowRank(s, (s / jnp.sum(s))[:, None], s[:, None], -1)
    value = _symbol("sparsemax", _x(array), axes=(-1,))
    zero = _formula.call("zeros", (), value.shape)
    symbol = _symbol("indicator", _symbol("gt", value, zero))
    size = _formula.call("reduce_sum", (symbol,), (), axes=(0,))
    inverse = _formula.call("integer_pow", (size,), (), y=-1)
    terms = (
        maps.Einsum(((symbol, (0,)),), maps.links((0,)), (0,)),
        maps.Einsum(((symbol, (1,)), (symbol, (0,)), (inverse, ())), maps.links((0,)), (1,), -1.0),
    )
    return _derivative(J, maps.Terms(array.shape, array.shape, terms), array, layout)


def _vector(x: ArrayLike) -> Array:
    array = floating("x", x)
    if array.ndim != 1:
        raise ValueError(
            f"`x` must be a vector (rank 1), but got shape {array.shape}; "
            "use `jax.vmap` for the Jacobians of a batch."
        )
    return array


def _logistic(x: ArrayLike, order: int, layout: LayoutLike, sign: int = 1) -> Derivative:
    """diag(σ), or for order 1 diag(σ ⊙ (1 − σ)), at x or −x."""
    array = _vector(x)
    kept = array if sign == 1 else -array
    σ = _symbol("logistic", _x(array) if sign == 1 else _symbol("neg", _x(array)))
    symbol = σ if order == 0 else _symbol("mul", σ, _symbol("sub", _formula.number(1.0), σ))
    return _diagonal(logistic_product(kept, _ones(kept), order=order), symbol, array, layout)


def _ones(x: Array) -> Array:
    """Ones made of x, at least in float32, so that a batch of them is split as that of x is."""
    return lax.integer_pow(wide(x), 0)


def _diagonal(entries: Array, symbol: Expression, x: Array, layout: LayoutLike) -> Derivative:
    """diag(entries), which formulas write as `symbol`."""
    return _derivative(Diagonal(entries), maps.diagonal(x.shape, symbol), x, layout)


def _of_family(kind: str, x: ArrayLike, layout: LayoutLike) -> Derivative:
    logits = _vector(x)
    kept = wide(logits)
    J = softmax_operator(kind, Origin(kept), Rows((-1,), "high", "logits"), kept.dtype)
    s = _symbol("softmax", _x(logits), axes=(-1,))
    return _derivative(J, maps.of_rows(kind, s, (-1,)), logits, layout)


def _derivative(J: LinearOperator, map_: maps.Map, x: Array, layout: LayoutLike) -> Derivative:
    derivative = Derivative(J, {"x": x}, x.dtype, map_, argument=_x(x))
    return derivative if Layout(layout) is Layout.NUMERATOR else derivative.T


def _x(array: Array) -> Expression:
    return _formula.name("x", array.shape)


def _symbol(op: str, *args: Expression, **params: Any) -> Expression:
    """An operation on vectors."""
    return _formula.call(op, args, args[-1].shape, **params)
