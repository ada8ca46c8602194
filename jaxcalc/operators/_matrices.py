"""Dense linear algebra that says where a matrix is singular, in numbers, so that it can be traced.

A square matrix counts as singular where a pivot of its LU decomposition is within rounding of zero.
Its solutions are then NaN and its determinant 0. Floats narrower than 32 bits are computed in
float32.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import lu_factor, lu_solve

from jaxcalc._arrays import narrowed, wide
from jaxcalc.operators._splits import chosen

_UNITS = 8  # of rounding that a pivot may consist of


class Factors(NamedTuple):
    """The LU decomposition of a matrix whose rows were divided by `rows`, NaN if it is singular.

    `pivots` are floats, as all arrays of operators that are to be differentiated.
    """

    lu: Array
    pivots: Array
    rows: Array


jax.export.register_namedtuple_serialization(
    Factors, serialized_name=f"{Factors.__module__}.{Factors.__qualname__}"
)


@jax.jit
def solve(M: Array, b: Array, size: Array | None = None) -> Array:
    """The x of M x = b for b of shape (n,); NaN where M is singular.

    `size`, where given, is what the rounding of each entry of M is relative to; |M| by default.
    """
    return solve_by(factorized(M, size), b)


@partial(jax.jit, static_argnames="transposed")
def solve_by(factors: Factors, b: Array, transposed: bool = False) -> Array:
    """The x of M x = b, or of Mᵀ x = b."""
    lu, rows = (factors.lu, factors.pivots.astype(np.int32)), factors.rows
    x = lu_solve(lu, wide(b), trans=1) / rows if transposed else lu_solve(lu, wide(b) / rows)
    return narrowed(jnp.where(_is_regular(factors), x, jnp.nan), b.dtype)


@jax.jit
def slogdet(M: Array, size: Array | None = None) -> tuple[Array, Array]:
    """The sign and the logarithm of |det M|; (0, −inf) where M is singular."""
    return slogdet_by(factorized(M, size), M.dtype)


def slogdet_by(factors: Factors, dtype: np.dtype) -> tuple[Array, Array]:
    """Those of the matrix that was decomposed, in `dtype`."""
    lu, pivots, rows = factors
    regular = _is_regular(factors)
    pivot = jnp.where(regular, jnp.diagonal(lu), 1)
    swaps = jnp.sum(pivots != jnp.arange(len(lu), dtype=pivots.dtype))
    sign = jnp.prod(jnp.sign(pivot)) * (1 - 2 * (swaps % 2)).astype(lu.dtype)
    logarithm = jnp.sum(jnp.log(jnp.abs(pivot))) + jnp.sum(jnp.log(rows))
    return masked_slogdet(regular, sign, logarithm, dtype)


def _is_regular(factors: Factors) -> Array:
    return jnp.logical_not(jnp.any(jnp.isnan(factors.rows)))


def masked_slogdet(
    regular: Array, sign: Array, logarithm: Array, dtype: np.dtype
) -> tuple[Array, Array]:
    """`sign` and `logarithm` in `dtype`; those of a zero determinant where it is not `regular`."""
    sign = jnp.where(regular, sign, 0)
    return narrowed(sign, dtype), narrowed(jnp.where(regular, logarithm, -jnp.inf), dtype)


@jax.jit
def slogdet_of_diagonal(d: Array) -> tuple[Array, Array]:
    """The sign and the logarithm of |Π d|; (0, −inf) where one is 0."""
    sign, logarithm = _log_product(wide(d))
    return narrowed(sign, d.dtype), narrowed(logarithm, d.dtype)


@jax.custom_jvp  # ∂ log|Π d| = Σ ∂d / d
def _log_product(d: Array) -> tuple[Array, Array]:
    logarithm = jnp.sum(jnp.log(d))
    positive = jnp.ones((), d.dtype), logarithm
    # the logarithms add up to a number where all are positive: no signs need be counted then
    return chosen(jnp.isfinite(logarithm), lambda d: positive, _with_signs, d)


@_log_product.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Any, Any]:
    (d,), (t,) = primals, tangents
    sign, logarithm = _log_product(d)
    slope = jnp.sum(t / jnp.where(d == 0, 1, d))
    return (sign, logarithm), (jnp.zeros_like(sign), jnp.where(sign == 0, 0, slope))


def _with_signs(d: Array) -> tuple[Array, Array]:
    sign, logarithm = jnp.prod(jnp.sign(d)), jnp.sum(jnp.log(jnp.abs(d)))
    return masked_slogdet(sign != 0, sign, logarithm, d.dtype)


@jax.jit
def pinv(M: Array) -> Array:
    """The Moore-Penrose inverse of M, (n, m) for M of shape (m, n)."""
    return narrowed(jnp.linalg.pinv(wide(M)), M.dtype)


@jax.jit
def factorized(M: Array, size: Array | None = None) -> Factors:
    """The LU decomposition of M with its rows divided by their size, and whether M is regular.

    Each pivot is compared with the sizes that went into its column.
    """
    M = wide(M)
    size = lax.stop_gradient(jnp.abs(M) if size is None else size)
    rows = jnp.max(size, axis=1, initial=0)
    rows = jnp.where(rows > 0, rows, 1)
    lu, pivots = lu_factor(M / rows[:, None])
    column = jnp.max(size / rows[:, None], axis=0, initial=0)
    column = jnp.maximum(column, jnp.max(jnp.abs(jnp.triu(lu)), axis=0, initial=0))
    rounding = _UNITS * jnp.finfo(M.dtype).eps * lax.stop_gradient(column)
    regular = jnp.all(jnp.abs(jnp.diagonal(lu)) > rounding)
    return Factors(lu, pivots.astype(lu.dtype), jnp.where(regular, rows, jnp.nan))
