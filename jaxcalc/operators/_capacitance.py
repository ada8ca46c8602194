"""diag(d) + Uᵀ V, written so that it can be divided by its diagonal part.

U and V have shape (r, *S), d shape S: rows are contiguous, which a CPU adds up the fastest, and
never made one axis of S, which would gather them where a later axis is split over devices.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxcalc.operators._splits import Place, chosen, first, picked, raised, smallest

_HARMLESS = 2  # that the sum of all |u v / d| may be without any d counting as small
_ONE_BY_ONE = 16  # so many sums of vectors are up to ten times as fast on a CPU as one of an array


class Capacitance(NamedTuple):
    """diag(d) + A Bᵀ where dividing by d loses no digits, and C = I + Bᵀ diag(d)⁻¹ A.

    A = (Uᵀ, −E diag(a)) and B = (Vᵀ, E diag(b)), where E has the unit columns e_k of `lifted`: they
    are never formed. `size` has the sums of the absolute values of the terms of C: what its
    rounding is relative to.
    """

    d: Array
    lifted: Place
    a: Array
    b: Array
    C: Array
    size: Array


def capacitance(d: Array, U: Array, V: Array) -> Capacitance:
    """The capacitance matrix beside a diagonal without small entries.

    A regular operator may have up to r entries of d at zero, or small beside Uᵀ V. The r smallest
    are therefore lifted, and what that changes joins the columns of low rank.
    """
    lifted, a, b, size = _lifts(*map(lax.stop_gradient, (d, U, V)))
    d = raised(d, lifted, a * b)
    there = picked(d, lifted)
    beside = -picked(V, lifted, 1) * (a / there)[None]
    below = (picked(U, lifted, 1) * (b / there)[None]).T
    change = jnp.diag(a * b / there)
    C = _identity_plus(dots(V, U / d[None]), beside, below, -change)
    sizes = _identity_plus(size, *map(lax.stop_gradient, map(jnp.abs, (beside, below, change))))
    return Capacitance(d, lifted, a, b, C, sizes)


def dots(B: Array, A: Array) -> Array:
    """The dot products of all rows, by sums, which round far less where the rows are long."""
    if len(B) * len(A) <= _ONE_BY_ONE:
        return jnp.stack([jnp.stack([jnp.sum(b * a) for a in A]) for b in B])
    return jnp.sum(B[:, None] * A[None], axis=range(2, B.ndim + 1))


def combined(z: Array, U: Array) -> Array:
    """zᵀ U."""
    if len(U) == 1:
        return z[0] * U[0]
    return jnp.sum(z.reshape(-1, *(1,) * (U.ndim - 1)) * U, axis=0)


def _identity_plus(first: Array, beside: Array, below: Array, last: Array) -> Array:
    matrix = jnp.block([[first, beside], [below, last]])
    return matrix + jnp.eye(len(matrix), dtype=matrix.dtype)


def _lifts(d: Array, U: Array, V: Array) -> tuple[Place, Array, Array, Array]:
    """Where d is smallest beside Uᵀ V, two factors of what to add there, and |V| |U/d|ᵀ then.

    No entry of d is small where all quotients together are not large: most often one sum tells.
    """
    size = dots(jnp.abs(V), jnp.abs(U / d[None]))
    zeros = jnp.zeros(min(len(U), d.size), d.dtype)
    none = first(len(zeros), d.shape), zeros, zeros, size
    return chosen(jnp.sum(size) <= _HARMLESS, lambda *_: none, _smallest_lifted, d, U, V)


def _smallest_lifted(d: Array, U: Array, V: Array) -> tuple[Place, Array, Array, Array]:
    left, right = jnp.linalg.norm(U, axis=0), jnp.linalg.norm(V, axis=0)
    outer = left * right
    lifted, ratio = smallest(jnp.where(d == 0, 0, jnp.abs(d) / outer), min(len(U), d.size))
    a, b = (picked(jnp.where(outer > 0, norm, 1), lifted) for norm in (left, right))
    a, b = (jnp.where(ratio < 1, x, 0) for x in (jnp.where(picked(d, lifted) < 0, -a, a), b))
    return lifted, a, b, dots(jnp.abs(V), jnp.abs(U / raised(d, lifted, a * b)[None]))
