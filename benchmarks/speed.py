"""How fast: jaxcalc at both accuracies against `jax.nn`, on the device that JAX uses.

Values, JVPs (value and tangent, as `jax.jvp` gives them), VJPs (the backward pass alone, from
what was kept), both in one program, and dense Jacobians of rows. Every result is checked
against float64 first; a cell with a wrong one is not timed. `jax.nn` runs twice, as two
contestants: their ratio shows the noise. GB/s follow from the least traffic the computation
needs, beside a pass over as many bytes timed in the same run (`-x`, which reads and writes
every element once; XLA's own copy is slower on CPUs).

PyTorch is left out: its threads and JAX's, in one process, spoil each other's times.
"""

import functools
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import plain
from benchmarks.cells import Cell, Grid, Inputs, cells, contestant, grid, inputs
from benchmarks.peers.jax import Library, libraries
from benchmarks.report import Column, Progress, Result, Row, field, show_number, table
from benchmarks.statistics import paired_ratio, spread
from benchmarks.timing import Contestant, Effort, check, measure
from benchmarks.traffic import Sizes, ideal_bytes

BASELINE = "jax.nn"
AGAIN = "jax.nn again"  # the A/A pair
LEGEND = f"""Ratios are times over those of {BASELINE}, with 95 % intervals: below 1 is faster.
'faster' and 'slower' stand where these leave out 1 and the ratio of {BASELINE} to itself."""
CHECKED_ENTRIES = 2**22  # beyond, evenly spaced rows are checked

EFFORT, QUICK_EFFORT = Effort(rounds=15, seconds=4e-3), Effort(rounds=9, seconds=1e-3)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time every cell of the device's grid."""
    return run_grid(grid(quick), QUICK_EFFORT if quick else EFFORT, progress, libraries())


def run_grid(
    grid: Grid, effort: Effort, progress: Progress, libraries: Mapping[str, Library]
) -> Result:
    """Check and time every cell of that grid."""
    rows, failures, planned = list[Row](), list[str](), list(cells(grid))
    for done, cell in enumerate(planned):
        progress(done, len(planned), f"speed of {describe(cell)}")
        sets = inputs(cell, grid.working_set)
        contestants = {name: contestant(lib, cell, sets) for name, lib in libraries.items()}
        wrong = failed_checks(cell, sets, contestants)
        failures += wrong
        if not wrong:
            rows += time_cell(cell, contestants, effort)
    progress.finish()
    return Result(rows, failures)


def describe(cell: Cell) -> str:
    """The cell in words."""
    return f"{cell.function} {cell.quantity} {cell.dtype} {shape_text(cell.shape)}"


def shape_text(shape: Sequence[int]) -> str:
    """A shape as it is spoken: 64 × 50257."""
    return " × ".join(map(str, shape))


# --- checking ---


def failed_checks(cell: Cell, inputs: Inputs, contestants: Mapping[str, Contestant]) -> list[str]:
    """A line for each contestant whose result is wrong."""
    some = slice(None, None, math.ceil(cell.entries / CHECKED_ENTRIES))
    x, t = (np.asarray(array[some]) for array in inputs[0])
    reference = plain.reference(cell.function, cell.quantity, x, t)
    results = {name: jax.tree.map(lambda y: y[some], c.result()) for name, c in contestants.items()}
    verdicts = {name: check(result, reference) for name, result in results.items()}
    return [
        f"{describe(cell)}: {name} is wrong, not timed: {what}"
        for name, what in verdicts.items()
        if what is not None
    ]


# --- timing ---


def time_cell(cell: Cell, contestants: Mapping[str, Contestant], effort: Effort) -> list[Row]:
    """A row for each contestant, and one for the A/A pair."""
    times = measure({**contestants, AGAIN: contestants[BASELINE]}, effort)
    sizes = Sizes(cell.shape, jnp.dtype(cell.dtype).itemsize)
    moved = ideal_bytes(cell.function, cell.quantity, sizes)
    copied = copy_rate(moved // 2, effort)
    noise = paired_ratio(times[AGAIN], times[BASELINE]).value
    return [_row(cell, name, times, moved, copied, noise) for name in times]


def _row(
    cell: Cell,
    name: str,
    times: Mapping[str, Sequence[float]],
    moved: int,
    copied: float,
    noise: float,
) -> Row:
    time, ratio = spread(times[name]), paired_ratio(times[name], times[BASELINE])
    rate = moved / time.median
    return {
        **cell._asdict(),
        "shape": shape_text(cell.shape),
        "contestant": name,
        "seconds": time.median,
        "seconds_lower_quartile": time.lower,
        "seconds_upper_quartile": time.upper,
        "bytes": moved,
        "gb_per_second": rate / 1e9,
        "copy_gb_per_second": copied / 1e9,
        "percent_of_copy": 100 * rate / copied,
        "ratio": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "verdict": ratio.verdict(noise),
    }


@functools.cache
def copy_rate(size: int, effort: Effort) -> float:
    """Bytes a second, read and written, of a pass over an array of that many bytes."""
    x = jnp.ones(max(1, size // 4), jnp.float32)
    times = measure({"copy": Contestant(jax.jit(jnp.negative), [(x,)])}, effort)
    return 2 * x.nbytes / spread(times["copy"]).median


# --- showing ---


def show(rows: list[Row]) -> str:
    """One line a cell, and the geometric means of the ratios."""
    lines: dict[tuple[object, ...], dict[str, Row]] = {}
    for row in rows:
        key = tuple(row[name] for name in Cell._fields)
        lines.setdefault(key, {})[str(row["contestant"])] = row
    names = [n for n in dict.fromkeys(str(row["contestant"]) for row in rows) if n != BASELINE]
    flat = [_flat(contestants, names) for contestants in lines.values()]
    return f"{LEGEND}\n\n{table(_columns(names), flat)}\n\n{_summary(rows, names)}"


def _flat(contestants: Mapping[str, Row], names: Sequence[str]) -> Row:
    """The rows of a cell as one."""
    baseline = contestants[BASELINE]
    line = {name: baseline[name] for name in Cell._fields} | {BASELINE: _micros(baseline)}
    for name in names:
        row = contestants[name]
        line[name] = _ratio_text(row)
        line[f"{name} rate"] = f"{show_number(row['gb_per_second'])} ({_percent(row)})"
    return line


def _columns(names: Sequence[str]) -> list[Column]:
    return [
        *map(field, Cell._fields),
        field(BASELINE, f"{BASELINE} µs (quartiles)"),
        *map(field, names),
        *(field(f"{name} rate", f"{name} GB/s (of copy)") for name in names[:1]),
    ]


def _micros(row: Row) -> str:
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    median, lower, upper = (show_number(1e6 * row[name]) for name in names)
    return f"{median} ({lower}–{upper})"


def _ratio_text(row: Row) -> str:
    low, high = row["ratio_low"], row["ratio_high"]
    verdict = "" if row["verdict"] == "same" else row["verdict"]
    return f"{row['ratio']:.2f} [{low:.2f}, {high:.2f}] {verdict}"


def _percent(row: Row) -> str:
    return f"{row['percent_of_copy']:.0f} %"


def _summary(rows: Sequence[Row], names: Sequence[str]) -> str:
    lines = [f"Time over {BASELINE}, geometric mean of all cells:"]
    for name in names:
        ratios = [row["ratio"] for row in rows if row["contestant"] == name]
        lines.append(f"  {name}: {math.exp(np.mean(np.log(ratios))):.2f}")
    return "\n".join(lines)
