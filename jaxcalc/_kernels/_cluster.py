"""The kernel around a map: a cluster of blocks for each row, which holds it in shared memory."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from jaxcalc._compat import shaped_like
from jaxcalc._kernels._layout import Layout
from jaxcalc._kernels._maps import Entries

ROW, BLOCK = "row", "block"  # the axes of the grid and of a cluster
WARPGROUP = 128  # threads
Body = Callable[["Share"], Entries]


class Share:
    """A block's share of a row, in shared memory; sums and maxima are over the whole row."""

    def __init__(self, held: Sequence[Any], at: Layout, exchange: Sequence[Any]) -> None:
        self._held, self._at = held, at
        self._slots, self._barrier = exchange[:2], exchange[2] if exchange else None
        self._combined = 0

    def sum(self, f: Entries) -> Array:
        """Σ f over the entries of the row."""
        return self._reduce(f, jnp.add, jnp.sum)

    def max(self, f: Entries) -> Array:
        """max f over the entries of the row."""
        return self._reduce(f, jnp.maximum, jnp.max)

    def entries(self, chunk: Any) -> list[Array]:
        """A chunk of each operand, in float32."""
        where = pl.ds(chunk * self._at.height, self._at.height)
        return [held[where].astype(jnp.float32) for held in self._held]

    def _reduce(self, f: Entries, combine: Any, reduce: Any) -> Array:
        def step(chunk: Array, so_far: Array) -> Array:
            return combine(so_far, f(*self.entries(chunk)))

        chunks = lax.fori_loop(1, self._at.chunks, step, f(*self.entries(0)))
        return self._over_cluster(reduce(chunks), combine)

    def _over_cluster(self, value: Array, combine: Any) -> Array:
        """The combination of the blocks' values, in the same order in every block."""
        if self._barrier is None:
            return value
        # in turns: a slot is written again when all have read it, which the next barrier tells
        slot = self._slots[self._combined % 2]
        self._combined += 1
        slot[...] = lax.broadcast(value, (WARPGROUP,))
        plgpu.commit_smem()
        meet(self._barrier)
        values = [self._of_block(slot, block) for block in range(self._at.cluster)]
        out = values[0]
        for other in values[1:]:
            out = combine(out, other)
        return out

    def _of_block(self, slot: Any, block: int) -> Array:
        return jnp.max(plgpu.cluster_ref(slot, {BLOCK: jnp.int32(block)})[...])


def meet(barrier: Any) -> None:
    """Go on when all blocks of the cluster have come here."""
    plgpu.barrier_arrive(barrier)
    plgpu.barrier_wait(barrier)


def map_rows(
    body: Body, operands: Sequence[Array], at: Layout, fill: float | None, interpret: Any = None
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
    run = plgpu.kernel(
        partial(_block, body, at, fill, [x.shape[0] for x in operands]),
        out_type=shaped_like(last, (last.shape[0], at.tiles, at.lanes)),
        scratch_types=_scratch(at, last.dtype, len(operands)),
        grid=(last.shape[0],),
        grid_names=(ROW,),
        cluster=(at.cluster,) if at.cluster > 1 else (),
        cluster_names=(BLOCK,) if at.cluster > 1 else (),
        # layouts are known: inferring them takes XLA's compile time many times over
        compiler_params=plgpu.CompilerParams(lowering_semantics=plgpu.LoweringSemantics.Lane),
        interpret=interpret,
    )
    tiled = [x.reshape(-1, at.tiles, at.lanes) for x in operands]
    return run(*tiled).reshape(last.shape)


def _scratch(at: Layout, dtype: Any, operands: int) -> list[Any]:
    held = [plgpu.SMEM((at.share, at.lanes), dtype)] * operands
    arrived = plgpu.Barrier(num_barriers=at.chunks, num_arrivals=operands)
    if at.cluster == 1:
        return [*held, arrived]
    slots = [plgpu.SMEM((WARPGROUP,), jnp.float32)] * 2
    return [*held, arrived, *slots, plgpu.ClusterBarrier(collective_axes=(BLOCK,))]


def _block(body: Body, at: Layout, fill: float | None, counts: Sequence[int], *refs: Any) -> None:
    """What one block does: load its share, pass over it, write it."""
    n = len(counts)
    operands, out, held, arrived, exchange = (
        refs[:n],
        refs[n],
        refs[n + 1 : 2 * n + 1],
        refs[2 * n + 1],
        refs[2 * n + 2 :],
    )
    row = lax.axis_index(ROW)
    start = lax.axis_index(BLOCK) * at.share if at.cluster > 1 else row * 0
    sources = [x.at[lax.rem(row, jnp.int32(m))] for x, m in zip(operands, counts, strict=True)]
    _load(sources, held, arrived, at, start)
    if at.is_ragged and fill is not None:
        _blank(held[0], at, start, fill)
    share = Share(held, at, exchange)
    _write(body(share), share, held[-1], out.at[row], at, start)
    if exchange:
        meet(exchange[2])  # no block may end while another reads its slots


def _load(
    sources: Sequence[Any], held: Sequence[Any], arrived: Any, at: Layout, start: Array
) -> None:
    for chunk in range(at.chunks):
        here = pl.ds(chunk * at.height, at.height)
        there = pl.ds(start + chunk * at.height, at.height)
        for source, buffer in zip(sources, held, strict=True):
            plgpu.copy_gmem_to_smem(source.at[there], buffer.at[here], arrived.at[chunk])
    lax.fori_loop(0, at.chunks, lambda chunk, _: plgpu.barrier_wait(arrived.at[chunk]), None)


def _blank(held: Any, at: Layout, start: Array, fill: float) -> None:
    """Overwrite the tiles beyond the row, which were copied as zeros."""

    def blank(tile: Array, _: None) -> None:
        held[tile] = jnp.full((at.lanes,), fill, held.dtype)

    lax.fori_loop(jnp.clip(at.tiles - start, 0, at.share), at.share, blank, None)


def _write(result: Entries, share: Share, held: Any, out: Any, at: Layout, start: Array) -> None:
    def write(chunk: Array, _: None) -> None:
        here = pl.ds(chunk * at.height, at.height)
        there = pl.ds(start + chunk * at.height, at.height)
        held[here] = result(*share.entries(chunk)).astype(held.dtype)
        plgpu.commit_smem()
        plgpu.copy_smem_to_gmem(held.at[here], out.at[there])

    lax.fori_loop(0, at.chunks, write, None)
    plgpu.wait_smem_to_gmem(0)
