"""sparsemax: the projection of rows onto the simplex of distributions, by declaration.

With S the entries above a threshold τ and s its indicator,

    f(x) = max(x − τ, 0),  Σ f = 1        ∂f/∂x = diag(s) − s sᵀ/|S|

S holds the k largest entries, k the largest number with 1 + k x₍ₖ₎ > x₍₁₎ + … + x₍ₖ₎, sorted from
the largest down (Martins and Astudillo, ICML 2016).
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Axis,
    StaticAxis,
    floating,
    hashable_axis,
    jit_checked,
    negative_axes,
    wide,
)
from jaxcalc._functions.masks import fill, mask_logits, split_mask
from jaxcalc._functions.rows import Rows, shifted, total
from jaxcalc._functions.rowwise import PiecewiseLinear


def sparsemax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """The distribution nearest to x along `axis`: max(x − τ, 0), τ such that its sum is 1.

    Unlike softmax it is 0 at all entries below τ. Its Jacobian is diag(s) − s sᵀ/|S|, s the
    indicator of the entries S above τ; the second derivative is 0. An entry at τ exactly, where f
    has a kink, is not in S.

    Args:
        x: array of real numbers. Integers and booleans promote as integers do in `jax.numpy`.
        axis: the class axis, a tuple of axes, or None for all of them.
        where: boolean mask that broadcasts against `x` (and `x` against it): entries where it is
            False are left out. Their value is 0, their derivative exactly 0, whatever `x` is there.

    Returns:
        An array of the shape of `x` and `where` and the floating dtype of `x`. Entries are within
        (K + 4) u of the truth, K the number of entries within 1 of the largest and u the unit
        roundoff of the dtype computed in (float32 for 16-bit ones, then rounded once). Equal
        entries have equal values. An entry −inf has value 0 and derivative 0. A row all of whose
        entries are masked is 0; one that is −inf throughout, or that holds +inf or NaN outside the
        mask, is NaN, and so is its Jacobian. What is kept for the backward pass is s.

    Raises:
        TypeError: for a non-array, complex numbers, a mask that is not boolean, an `axis` that is
            neither int, tuple nor None.
        ValueError: for an axis out of bounds or repeated, a mask that does not broadcast.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x = jnp.array([1.0, 0.5, -1.0])
    >>> print(jc.sparsemax(x))
    [0.75 0.25 0.  ]
    >>> print(jc.derive(jc.sparsemax)(x).formula)
    diag(u) − u uᵀ/sum(u) where u = [sparsemax(x) > 0]
    >>> print(jax.jacobian(jc.sparsemax)(x))
    [[ 0.5 -0.5 -0. ]
     [-0.5  0.5 -0. ]
     [ 0.   0.   0. ]]
    """
    return _sparsemax_of(x, where, axis=hashable_axis(axis))


@jit_checked
def _sparsemax_of(x: ArrayLike, where: ArrayLike | None, *, axis: StaticAxis) -> Array:
    array, chosen = split_mask("x", floating("x", x), where)
    rows = Rows(negative_axes(axis, array.ndim), "high")
    return fill(SPARSEMAX(mask_logits(array, chosen, rows), rows), chosen, 0)


def _value(x: Array, rows: Rows) -> Array:
    d, _ = shifted(x, rows)
    # what lies 1 below the largest has no part in it
    near = jnp.where(d < -1, -1, d)
    size, sum_ = _support(near, rows)
    excess = near - (sum_ - 1) / size
    # NaN of a row that holds NaN, +inf, or −inf only
    poison = 0 * (total(near, rows) + jnp.max(d, rows.axes, keepdims=True, initial=-jnp.inf))
    return jnp.where(excess < 0, 0, excess) + poison


def _support(near: Array, rows: Rows) -> tuple[Array, Array]:
    """How many entries S has, and their sum."""
    last = jnp.moveaxis(near, rows.axes, range(-len(rows.axes), 0))
    batch = last.shape[: near.ndim - len(rows.axes)]
    descending = -jnp.sort(-last.reshape(*batch, -1))
    k = lax.broadcasted_iota(near.dtype, descending.shape, len(batch)) + 1
    inside = 1 + k * descending > jnp.cumsum(descending, -1)
    size = jnp.sum(inside, -1, dtype=near.dtype)
    sum_ = jnp.sum(jnp.where(inside, descending, 0), -1)
    return jnp.expand_dims(size, rows.axes), jnp.expand_dims(sum_, rows.axes)


def _piece(x: Array, rows: Rows) -> Array:
    """s, NaN in a row that is."""
    value = _value(x, rows)
    return jnp.where(value > 0, 1, value)


def _product(s: Array, t: Array, rows: Rows) -> Array:
    """s ⊙ (t − ⟨s, t⟩/|S|), the mean taken off twice: what is rounded of the first has one too."""
    s, t = wide(s), wide(t)
    size = total(s, rows)
    t = t - total(s * t, rows) / size
    return s * (t - total(s * t, rows) / size)


def _plain(s: Array, t: Array, rows: Rows) -> Array:
    return s * (t - total(s * t, rows) / total(s, rows))


SPARSEMAX = PiecewiseLinear(
    name="sparsemax",
    value=_value,
    piece=_piece,
    product=_product,
    plain=_plain,
    code="jc.sparsemax",
)

PIECEWISE_LINEAR = (SPARSEMAX,)
