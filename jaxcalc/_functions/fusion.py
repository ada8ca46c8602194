"""The form of a row's map that XLA:GPU compiles to one kernel.

XLA fuses reductions with what reads them when the whole has one producer: an array that the row
enters by, itself ending in a reduction. A residual r, read both under a sum and outside it, is no
such producer, and the map becomes two kernels or more, with the arrays between them in memory.
Written as

    z = min(r, max r) = r

it is one: each operand is read once and the result written once. The barrier keeps XLA from sharing
intermediate arrays with the value, computed from the same r, by way of memory.

Used on CUDA only, inside a lowering, where no derivative is taken any more.
"""

from collections.abc import Callable, Hashable
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

# beyond it a row does not fit in a block, and the seed is one more pass over the memory
LONGEST = 16_384


def seeded(r: Array, axes: tuple[int, ...]) -> Array:
    """r itself, as the one producer of what is computed from it; a row with NaN is NaN throughout.

    Of such a row every probability is NaN too.
    """
    r = lax.optimization_barrier(r)
    if axes != (-1,) or r.shape[-1] > LONGEST:
        return r
    return jnp.minimum(r, jnp.max(r, -1, keepdims=True))


def seeded_form(apply: Callable[..., Array]) -> Callable[..., Array]:
    """`apply(r, ...)` of rows, with its first operand seeded."""

    def form(r: Array, *rest: Array, rows: Any, **params: Hashable) -> Array:
        return apply(seeded(r, rows.axes), *rest, rows=rows, **params)

    return form
