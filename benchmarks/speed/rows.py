"""The rows of a cell: its name, the times, the rates, the error."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.report import Row
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import make_data
from benchmarks.speed.jax_side import AGAIN, BASELINE
from benchmarks.statistics import Times, paired_ratio, spread, timing
from benchmarks.timing import Contestant, Effort, measure
from benchmarks.traffic import Sizes, ideal_bytes

Fields = dict[str, Any]


class Traffic(NamedTuple):
    """Bytes that must be moved, and bytes a second of a copy that moves as many."""

    moved: int
    copied: float


def timed_row(cell: Cell, name: str, times: Times, traffic: Traffic, error: float) -> Row:
    """What was measured of that contestant."""
    return {
        **_named(cell, "cell", name),
        **_times(times, name),
        **_rates(times[name], traffic),
        "error_u": error,
    }


def absent_row(cell: Cell, name: str, why: str) -> Row:
    """Why that contestant was not timed."""
    return {**_named(cell, "absent", name), "why": why}


def _named(cell: Cell, part: str, name: str) -> Fields:
    return {
        "part": part,
        **cell._asdict(),
        "shape": cell.place,
        "classes": cell.classes,
        "entries": cell.entries,
        "contestant": name,
    }


def _times(times: Times, name: str) -> Fields:
    ratio = paired_ratio(times[name], times[BASELINE])
    noise = paired_ratio(times[AGAIN], times[BASELINE]).value
    fields = {"rounds": len(times[name]), **timing(times, name, BASELINE)}
    return {**fields, "noise": noise, "verdict": ratio.verdict(noise)}


def _rates(times: Sequence[float], traffic: Traffic) -> Fields:
    rate = traffic.moved / spread(times).median
    return {
        "bytes": traffic.moved,
        "gb_per_second": rate / 1e9,
        "copy_gb_per_second": traffic.copied / 1e9,
        "percent_of_copy": 100 * rate / traffic.copied,
    }


def measure_traffic(cell: Cell, effort: Effort, working_set: int) -> Traffic:
    """The least traffic of that cell, and the copy beside it."""
    beside = sum(array.nbytes for array in make_data(cell).beside)
    sizes = Sizes(cell.shape, jnp.dtype(cell.dtype).itemsize, cell.axis, beside)
    moved = ideal_bytes(cell.function, cell.quantity, sizes)
    return Traffic(moved, copy_rate(moved // 2, working_set, effort))


@functools.cache
def copy_rate(size: int, working_set: int, effort: Effort) -> float:
    """Bytes a second, read and written, of a pass over arrays of that many bytes."""
    count = max(1, math.ceil(working_set / max(1, size)))
    arrays = [(jnp.ones(max(1, size // 4), jnp.float32),) for _ in range(count)]
    times = measure({"copy": Contestant(jax.jit(jnp.negative), arrays)}, effort)
    return 2 * arrays[0][0].nbytes / spread(times["copy"]).median
