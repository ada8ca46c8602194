"""The kernel around a map: a cluster of blocks for each row, which holds it in shared memory."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from jaxcalc._compat import shaped_like
from jaxcalc._functions.kernels.blocks import Exchange, block_index, grid, meet, memory, scratch
from jaxcalc._functions.kernels.layout import WARPGROUP, Tiling
from jaxcalc._functions.kernels.maps import Entries

ROW = "row"  # the axis of the grid
Body = Callable[["Share"], Entries]


class Share:
    """A block's share of a row; sums and maxima are over the whole row.

    Args:
        first: the first chunk of each operand where it stays in registers, else nothing.
        held: the other chunks, in shared memory.
        at: how the row is split.
        exchange: combines the values of blocks, if there are several.
    """

    def __init__(
        self, first: Sequence[Array], held: Sequence[Any], at: Tiling, exchange: Exchange
    ) -> None:
        self.first, self._held, self._at, self._exchange = first, held, at, exchange

    def sum(self, f: Entries) -> Array:
        """Σ f over the entries of the row."""
        return self._reduce(f, jnp.add, jnp.sum)

    def max(self, f: Entries) -> Array:
        """max f over the entries of the row."""
        return self._reduce(f, jnp.maximum, jnp.max)

    def entries(self, slot: Any) -> list[Array]:
        """What a slot holds of each operand."""
        return _read(self._held, self._at, slot)

    def _reduce(self, f: Entries, combine: Any, reduce: Any) -> Array:
        def step(slot: Array, so_far: Array) -> Array:
            return combine(so_far, f(*self.entries(slot)))

        first = self.first or self.entries(0)
        chunks = lax.fori_loop(0 if self.first else 1, self._at.slots, step, f(*first))
        return self._over_cluster(reduce(chunks), combine)

    def _over_cluster(self, value: Array, combine: Any) -> Array:
        if self._at.cluster == 1:
            return value
        values = self._exchange(lax.broadcast(value, (WARPGROUP,)), combine)
        return jnp.max(values)  # all are equal


def map_rows(
    body: Body, operands: Sequence[Array], at: Tiling, fill: float | None, interpret: Any = None
) -> Array:
    """The result of a map on each row, in the shape and dtype of the last operand.

    Args:
        body: the map.
        operands: arrays [rows, classes] of one dtype; each but the last may have fewer rows, of
            which it has as many as divide those of the last, and begins again when they end.
        at: how a row is split.
        fill: what stands for entries of the first operand beyond the row; zeros by default.
        interpret: parameters to run it with on a CPU; only where the cluster is one block.
    """
    last = operands[-1]
    held = (at.slots * at.height, at.lanes)
    run = plgpu.kernel(
        partial(_block, body, at, fill, [x.shape[0] for x in operands]),
        out_type=shaped_like(last, (last.shape[0], at.tiles, at.lanes)),
        scratch_types=scratch(held, last.dtype, len(operands), at.chunks, at.cluster, WARPGROUP),
        interpret=interpret,
        **grid(ROW, last.shape[0], at.cluster),
    )
    tiled = [x.reshape(-1, at.tiles, at.lanes) for x in operands]
    return run(*tiled).reshape(last.shape)


def _block(body: Body, at: Tiling, fill: float | None, counts: Sequence[int], *refs: Any) -> None:
    """What one block does: load its share, pass over it, write it."""
    of = memory(refs, len(counts))
    row, start = lax.axis_index(ROW), block_index(at.cluster) * at.share
    sources = [x.at[lax.rem(row, jnp.int32(m))] for x, m in zip(of.operands, counts, strict=True)]
    first = _load(sources, of.held, of.arrived, at, start)
    if at.is_ragged and fill is not None:
        _blank(of.held[0], at, start, fill)
    share = Share(first, of.held, at, Exchange(of.exchange, at.cluster))
    _write(body(share), share, of.held[-1], of.out.at[row], at, start)
    if at.cluster > 1:
        meet()  # no block may end while another reads its memory


def _slot(at: Tiling, slot: Any) -> Any:
    return pl.ds(slot * at.height, at.height)


def _read(held: Sequence[Any], at: Tiling, slot: Any) -> list[Array]:
    return [buffer[_slot(at, slot)].astype(jnp.float32) for buffer in held]


def _load(
    sources: Sequence[Any], held: Sequence[Any], arrived: Any, at: Tiling, start: Array
) -> Sequence[Array]:
    """Fill the slots; return the first chunks if there is one more than there are slots."""

    def copy(chunk: int, slot: int) -> None:
        there = pl.ds(start + chunk * at.height, at.height)
        for source, buffer in zip(sources, held, strict=True):
            plgpu.copy_gmem_to_smem(source.at[there], buffer.at[_slot(at, slot)], arrived.at[chunk])

    def wait(chunk: Any, _: None = None) -> None:
        plgpu.barrier_wait(arrived.at[chunk])

    first: Sequence[Array] = ()
    before = at.chunks - at.slots
    if before:
        copy(0, 0)
        wait(0)
        first = _read(held, at, 0)
        plgpu.commit_smem()  # all have read the slot that is filled again
    for slot in range(at.slots):
        copy(before + slot, slot)
    lax.fori_loop(before, at.chunks, wait, None)
    return first


def _blank(held: Any, at: Tiling, start: Array, fill: float) -> None:
    """Overwrite the tiles beyond the row, which were copied as zeros."""
    shape = (at.height, at.lanes)
    vectors = plgpu.Layout.WG_STRIDED(shape, vec_size=8 // held.dtype.itemsize)
    tile = plgpu.broadcasted_iota(jnp.int32, shape, 0, layout=vectors)
    left = at.tiles - start - (at.chunks - at.slots) * at.height  # tiles for the slots

    def blank(slot: Array, _: None) -> None:
        x = held[_slot(at, slot)]
        held[_slot(at, slot)] = jnp.where(tile < left - slot * at.height, x, fill).astype(x.dtype)

    lax.fori_loop(jnp.clip(left // at.height, 0, at.slots), at.slots, blank, None)


def _write(result: Entries, share: Share, held: Any, out: Any, at: Tiling, start: Array) -> None:
    def write(entries: Sequence[Array], chunk: Any, slot: Any) -> None:
        held[_slot(at, slot)] = result(*entries).astype(held.dtype)
        plgpu.commit_smem()
        there = pl.ds(start + chunk * at.height, at.height)
        plgpu.copy_smem_to_gmem(held.at[_slot(at, slot)], out.at[there])

    def step(slot: Array, _: None) -> None:
        write(share.entries(slot), at.chunks - at.slots + slot, slot)

    lax.fori_loop(0, at.slots, step, None)
    plgpu.wait_smem_to_gmem(0)
    if share.first:
        write(share.first, 0, 0)
        plgpu.wait_smem_to_gmem(0)
