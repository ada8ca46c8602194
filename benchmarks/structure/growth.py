"""How products, diagonal, trace, log-determinant and solve grow with the number of entries.

Everything is a program of the vector v and the point x, timed over one `jax.jvp` of the same
function at the same point. Its slope on log axes over all sizes is 1 where time grows like n;
its bytes, those of arguments, results and temporaries together, are as many an entry at every
size where memory does.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

import jaxcalc as jc
from benchmarks.oracles.wide import Array
from benchmarks.peers.jacobians import Function
from benchmarks.report import Result, Row
from benchmarks.structure.contest import (
    Aim,
    Times,
    aim_row,
    failures,
    ratio_fields,
    time_trials,
    timing_fields,
)
from benchmarks.structure.growing import OPERATIONS, Point
from benchmarks.structure.names import GIVEN, MUST_BE_RIGHT, OWN
from benchmarks.structure.products import JVP, PRODUCT, given_product, jvp, ready
from benchmarks.structure.trial import Entry, Judge, Trial, near, near_determinant, try_entry
from benchmarks.timing import Contestant, Effort

AT_MOST = 2.0  # times one `jax.jvp`
AGAIN = "jvp again"  # the A/A pair


def grow(function: str, sizes: Sequence[int], effort: Effort, limit: float) -> Result:
    """Check and time everything at every size; the aims are those of the largest."""
    results = [_measure(Point(function, n), effort, limit, n == sizes[-1]) for n in sizes]
    rows = [row for result in results for row in result.rows]
    return Result([*rows, *slope_rows(rows)], [line for r in results for line in r.failures])


def _measure(point: Point, effort: Effort, limit: float, aimed: bool) -> Result:
    trials = [try_entry(entry, limit) for entry in entries(point)]
    times = time_trials(trials, effort)
    rows = [_row(point, trial, times) for trial in trials if trial.contestant is not None]
    wrong = failures(str(point), trials, MUST_BE_RIGHT)
    return Result([*rows, *(_aims(point, trials, times) if aimed else [])], wrong)


def _aims(point: Point, trials: Sequence[Trial], times: Times) -> list[Row]:
    keys = [t.entry.key for t in trials if t.entry.contestant in (OWN, GIVEN)]
    return [aim_row(str(point), Aim(key, (JVP,), AT_MOST), times) for key in keys]


def entries(point: Point) -> Iterator[Entry]:
    """Everything that is asked of the derivative there, and the product by `jax.jvp`, twice."""
    f, arguments, results = point.growing.f, (point.v, point.x), point.results()
    product = near(*results[PRODUCT])
    for name in ("jvp", AGAIN):
        yield Entry(PRODUCT, name, jax.__version__, ready(jvp(f), arguments), product)
    for name, operation in OPERATIONS.items():
        prepare, judge = ready(_own(f, operation), arguments), judge_of(results[name], point.n)
        yield Entry(name, OWN, jc.__version__, prepare, judge)
    yield Entry(PRODUCT, GIVEN, jc.__version__, lambda: given_product(f, arguments), product)


def judge_of(result: tuple[Array, ...], n: int) -> Judge:
    """Pairs are sign and logarithm of a determinant."""
    return near(*result) if len(result) == 1 else near_determinant(n, *result)


def _own(f: Function, operation: Callable[[Any, Any], Any]) -> Function:
    return lambda v, x: operation(jc.derive(f)(x), v)


# --- rows ---


def _row(point: Point, trial: Trial, times: Times) -> Row:
    entry, contestant = trial.entry, trial.contestant
    return {
        "part": "growth",
        **point._asdict(),
        "quantity": entry.quantity,
        "contestant": entry.contestant,
        **timing_fields(times[entry.key]),
        **ratio_fields(times, entry.key, (JVP,)),
        "bytes_per_entry": None if contestant is None else bytes_used(contestant) / point.n,
    }


def bytes_used(contestant: Contestant) -> int:
    """What the compiled program needs: arguments, results and temporaries."""
    program: Any = contestant.function  # once it was called, this compiles nothing
    used = program.lower(*contestant.arguments[0]).compile().memory_analysis()
    parts = (used.argument_size_in_bytes, used.output_size_in_bytes, used.temp_size_in_bytes)
    return int(sum(parts))


def slope_rows(rows: Sequence[Row]) -> list[Row]:
    """The slope of each operation that was right at two sizes or more, and its bytes there."""
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["part"] == "growth":
            key = (row["function"], row["quantity"], row["contestant"])
            lines.setdefault(key, []).append(row)
    return [_slope_row(key, line) for key, line in lines.items() if len(line) > 1]


def _slope_row(key: tuple[str, ...], line: Sequence[Row]) -> Row:
    return {
        "part": "slope",
        **dict(zip(("function", "quantity", "contestant"), key, strict=True)),
        "slope": slope(line),
        "slope_of_the_last": slope(line[-2:]),
        "bytes_per_entry_least": line[0]["bytes_per_entry"],
        "bytes_per_entry_largest": line[-1]["bytes_per_entry"],
    }


def slope(line: Sequence[Row]) -> float:
    """The exponent p of the best fit seconds ∝ nᵖ."""
    sizes, seconds = [row["n"] for row in line], [row["seconds"] for row in line]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
