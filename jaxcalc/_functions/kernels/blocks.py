"""What kernels of all layouts share: their memory, and what the blocks of a cluster do together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental.pallas import mosaic_gpu as plgpu

from jaxcalc._compat import emit_assembly

BLOCK = "block"  # the axis of a cluster
PARAMS = plgpu.CompilerParams(
    # layouts are known: inferring them takes many times as long as compiling
    lowering_semantics=plgpu.LoweringSemantics.Lane,
    reduction_scratch_bytes=1024,  # the least: rows may need all of the shared memory
)
_MEETING = "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;"


class Memory(NamedTuple):
    """What a block works on, each reference to an array in memory."""

    operands: Sequence[Any]
    out: Any
    held: Sequence[Any]  # the block's share of each operand, in shared memory
    arrived: Any  # barriers that tell when copies are complete
    exchange: Any | None  # shared memory to combine values of blocks through


def memory(refs: Sequence[Any], operands: int) -> Memory:
    """The references that a kernel is called with, in the order of `scratch`."""
    inputs, out, held, (arrived, *exchange) = (
        refs[:operands],
        refs[operands],
        refs[operands + 1 : 2 * operands + 1],
        refs[2 * operands + 1 :],
    )
    return Memory(inputs, out, held, arrived, exchange[0] if exchange else None)


def scratch(
    shape: tuple[int, int], dtype: Any, operands: int, copies: int, cluster: int, values: int
) -> list[Any]:
    """The shared memory for shares of that shape, copied in so many parts.

    `values` is how many numbers the blocks of a cluster combine at a time.
    """
    held = [plgpu.SMEM(shape, dtype)] * operands
    arrived = plgpu.Barrier(num_barriers=copies, num_arrivals=operands)
    exchange = [plgpu.SMEM((2, values), jnp.float32)] if cluster > 1 else []
    return [*held, arrived, *exchange]


def grid(axis: str, size: int, cluster: int) -> dict[str, Any]:
    """The arguments of a kernel that say how many clusters it is run by."""
    blocks = {"cluster": (cluster,), "cluster_names": (BLOCK,)} if cluster > 1 else {}
    return {"grid": (size,), "grid_names": (axis,), "compiler_params": PARAMS, **blocks}


def block_index(cluster: int) -> Array:
    """Which block of its cluster this is."""
    return lax.axis_index(BLOCK) if cluster > 1 else jnp.int32(0)


def meet() -> None:
    """Go on when all blocks of the cluster have come here; then each sees what others wrote."""
    plgpu.inline_mgpu()(lambda _: emit_assembly(_MEETING))()


class Exchange:
    """Combines the values of the blocks of a cluster."""

    def __init__(self, memory: Any, cluster: int) -> None:
        self._memory, self._cluster, self._times = memory, cluster, 0

    def __call__(self, values: Array, combine: Any) -> Array:
        """The combination, in the same order in every block."""
        # in turns: a place is written again when all have read it, as the next meeting shows
        place = self._memory.at[self._times % 2]
        self._times += 1
        place[...] = values
        meet()
        out = _of_block(place, 0)
        for block in range(1, self._cluster):
            out = combine(out, _of_block(place, block))
        return out


def _of_block(place: Any, block: int) -> Array:
    return plgpu.cluster_ref(place, {BLOCK: jnp.int32(block)})[...]
