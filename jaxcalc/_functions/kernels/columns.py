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
from jaxcalc._functions.kernels.blocks import (
    Exchange,
    Memory,
    block_index,
    grid,
    meet,
    memory,
    scratch,
)
from jaxcalc._functions.kernels.layout import TOGETHER, ColumnLayout
from jaxcalc._functions.kernels.maps import Entries

TILE = "tile"  # the axis of the grid
Body = Callable[["ColumnShare"], Entries]


class ColumnShare:
    """A block's share of some columns; sums and maxima are over each whole column.

    Args:
        held: the share of each operand, in shared memory.
        at: how the columns are split.
        exchange: combines the values of blocks, if there are several.
    """

    def __init__(self, held: Sequence[Any], at: ColumnLayout, exchange: Exchange) -> None:
        self._held, self._at, self._exchange = held, at, exchange

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
            return _in_pairs(lines, combine)

        def step(group: Array, so_far: Array) -> Array:
            return combine(so_far, some(group))

        values = lax.fori_loop(1, self._at.share // TOGETHER, step, some(0))
        return values if self._at.cluster == 1 else self._exchange(values, combine)


def _in_pairs(values: list[Array], combine: Any) -> Array:
    """The combination of a power of two of values."""
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
    share = (at.share, at.lanes)
    run = plgpu.kernel(
        partial(_block, body, at, fill, [x.shape[0] for x in operands]),
        out_type=shaped_like(last, last.shape),
        scratch_types=scratch(share, last.dtype, len(operands), at.boxes, at.cluster, at.lanes),
        interpret=interpret,
        **grid(TILE, last.shape[0] * at.tiles, at.cluster),
    )
    out: Array = run(*operands)
    return out


def _block(
    body: Body, at: ColumnLayout, fill: float | None, counts: Sequence[int], *refs: Any
) -> None:
    """What one block does: load its share, pass over it, write it."""
    of = memory(refs, len(counts))
    tile, tiles = lax.axis_index(TILE), jnp.int32(at.tiles)
    leading, start = lax.div(tile, tiles), block_index(at.cluster) * at.share
    columns = pl.ds(lax.rem(tile, tiles) * at.lanes, at.lanes)
    rows = [lax.rem(leading, jnp.int32(count)) for count in counts]
    _load([x.at[row] for x, row in zip(of.operands, rows, strict=True)], of, at, start, columns)
    if at.is_ragged and fill is not None:
        _blank(of.held[0], at, start, fill)
    share = ColumnShare(of.held, at, Exchange(of.exchange, at.cluster))
    _write(body(share), share, of.held[-1], at)
    for box in range(at.boxes):
        here, there = _box(at, box, 0), _box(at, box, start)
        plgpu.copy_smem_to_gmem(of.held[-1].at[here], of.out.at[leading, there, columns])
    plgpu.wait_smem_to_gmem(0)
    if at.cluster > 1:
        meet()  # no block may end while another reads its memory


def _box(at: ColumnLayout, box: int, start: Any) -> Any:
    return pl.ds(start + box * at.height, at.height)


def _load(sources: Sequence[Any], of: Memory, at: ColumnLayout, start: Array, columns: Any) -> None:
    for box in range(at.boxes):
        here, there = _box(at, box, 0), _box(at, box, start)
        for source, held in zip(sources, of.held, strict=True):
            plgpu.copy_gmem_to_smem(source.at[there, columns], held.at[here], of.arrived.at[box])
    lax.fori_loop(0, at.boxes, lambda box, _: plgpu.barrier_wait(of.arrived.at[box]), None)


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
