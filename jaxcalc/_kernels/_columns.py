"""The kernel around a map along an axis before the last: a cluster of blocks for some columns.

An array [leading, classes, trailing] is read in boxes of classes × lanes. A thread has a column to
itself, or two, so that sums and maxima over the classes need no other thread.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from jaxcalc._compat import shaped_like
from jaxcalc._kernels._cluster import BLOCK, PARAMS, meet
from jaxcalc._kernels._layout import TOGETHER, ColumnLayout
from jaxcalc._kernels._maps import Entries

TILE = "tile"  # the axis of the grid
Body = Callable[["ColumnShare"], Entries]


class ColumnShare:
    """A block's share of some columns; sums and maxima are over each whole column.

    Args:
        held: the share of each operand, in shared memory.
        at: how the columns are split.
        exchange: memory with which blocks combine their values, if there are several.
    """

    def __init__(self, held: Sequence[Any], at: ColumnLayout, exchange: Any) -> None:
        self._held, self._at, self._exchange = held, at, exchange
        self._combined = 0

    def sum(self, f: Entries) -> Array:
        """Σ f over the entries of each column."""
        return self._reduce(f, jnp.add)

    def max(self, f: Entries) -> Array:
        """max f over the entries of each column."""
        return self._reduce(f, jnp.maximum)

    def entries(self, line: Any) -> list[Array]:
        """A class of each operand, in float32."""
        return [held[line].astype(jnp.float32) for held in self._held]

    def _reduce(self, f: Entries, combine: Any) -> Array:
        def some(group: Any) -> Array:
            lines = [f(*self.entries(group * TOGETHER + line)) for line in range(TOGETHER)]
            return _tree(lines, combine)

        def step(group: Array, so_far: Array) -> Array:
            return combine(so_far, some(group))

        groups = self._at.share // TOGETHER
        return self._over_cluster(lax.fori_loop(1, groups, step, some(0)), combine)

    def _over_cluster(self, values: Array, combine: Any) -> Array:
        """The combination of the blocks' values, in the same order in every block."""
        if self._at.cluster == 1:
            return values
        # in turns: a place is written again when all have read it, as the next meeting shows
        place = self._exchange.at[self._combined % 2]
        self._combined += 1
        place[...] = values
        meet()
        blocks = range(self._at.cluster)
        return _tree([_of_block(place, block) for block in blocks], combine)


def _of_block(place: Any, block: int) -> Array:
    return plgpu.cluster_ref(place, {BLOCK: jnp.int32(block)})[...]


def _tree(values: list[Array], combine: Any) -> Array:
    """The combination in pairs, of a power of two of them."""
    while len(values) > 1:
        values = [combine(*pair) for pair in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def map_columns(
    body: Body, operands: Sequence[Array], at: ColumnLayout, fill: float | None, interpret: Any
) -> Array:
    """The result of a map on each column, in the shape and dtype of the last operand.

    Args:
        body: the map.
        operands: arrays [leading, classes, trailing] of one dtype; each but the last may lead with
            a divisor of what the last leads with, and begins again when it ends.
        at: how a column is split.
        fill: what stands for entries of the first operand beyond a column; zeros by default.
        interpret: parameters to run it with on a CPU; only where the cluster is one block.
    """
    last = operands[-1]
    run = plgpu.kernel(
        partial(_block, body, at, fill, [x.shape[0] for x in operands]),
        out_type=shaped_like(last, last.shape),
        scratch_types=_scratch(at, last.dtype, len(operands)),
        grid=(last.shape[0] * at.tiles,),
        grid_names=(TILE,),
        cluster=(at.cluster,) if at.cluster > 1 else (),
        cluster_names=(BLOCK,) if at.cluster > 1 else (),
        compiler_params=PARAMS,
        interpret=interpret,
    )
    out: Array = run(*operands)
    return out


def _scratch(at: ColumnLayout, dtype: Any, operands: int) -> list[Any]:
    held = [plgpu.SMEM((at.share, at.lanes), dtype)] * operands
    arrived = plgpu.Barrier(num_barriers=at.boxes, num_arrivals=operands)
    if at.cluster == 1:
        return [*held, arrived]
    return [*held, arrived, plgpu.SMEM((2, at.lanes), jnp.float32)]


def _block(
    body: Body, at: ColumnLayout, fill: float | None, counts: Sequence[int], *refs: Any
) -> None:
    """What one block does: load its share, pass over it, write it."""
    n = len(counts)
    operands, out, held, (arrived, *exchange) = (
        refs[:n],
        refs[n],
        refs[n + 1 : 2 * n + 1],
        refs[2 * n + 1 :],
    )
    tile = lax.axis_index(TILE)
    leading = lax.div(tile, jnp.int32(at.tiles))
    block = lax.axis_index(BLOCK) if at.cluster > 1 else jnp.int32(0)
    start = block * at.share
    columns = pl.ds(lax.rem(tile, jnp.int32(at.tiles)) * at.lanes, at.lanes)
    for x, count, buffer in zip(operands, counts, held, strict=True):
        for box in range(at.boxes):
            here, there = _box(at, box), pl.ds(start + box * at.height, at.height)
            source = x.at[lax.rem(leading, jnp.int32(count)), there, columns]
            plgpu.copy_gmem_to_smem(source, buffer.at[here], arrived.at[box])
    lax.fori_loop(0, at.boxes, lambda box, _: plgpu.barrier_wait(arrived.at[box]), None)
    if at.is_ragged and fill is not None:
        _blank(held[0], at, start, fill)
    share = ColumnShare(held, at, exchange[0] if exchange else None)
    _write(body(share), share, held[-1], at)
    for box in range(at.boxes):
        there = pl.ds(start + box * at.height, at.height)
        plgpu.copy_smem_to_gmem(held[-1].at[_box(at, box)], out.at[leading, there, columns])
    plgpu.wait_smem_to_gmem(0)
    if at.cluster > 1:
        meet()  # no block may end while another reads its memory


def _box(at: ColumnLayout, box: int) -> Any:
    return pl.ds(box * at.height, at.height)


def _blank(held: Any, at: ColumnLayout, start: Array, fill: float) -> None:
    """Overwrite the classes beyond the column, which were copied as zeros."""

    def blank(line: Array, _: None) -> None:
        held[line] = jnp.full((at.lanes,), fill, held.dtype)

    lax.fori_loop(jnp.clip(at.classes - start, 0, at.share), at.share, blank, None)


def _write(result: Entries, share: ColumnShare, held: Any, at: ColumnLayout) -> None:
    def write(group: Array, _: None) -> None:
        for line in range(TOGETHER):
            place = group * TOGETHER + line
            held[place] = result(*share.entries(place)).astype(held.dtype)

    lax.fori_loop(0, at.share // TOGETHER, write, None)
    plgpu.commit_smem()
