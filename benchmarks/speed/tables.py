"""The tables: geometric means, small inputs, who took part, every cell on a line."""

from collections.abc import Iterator, Sequence

from benchmarks.report import Column, Line, Part, Row, field, interval, lines_of, show_number
from benchmarks.speed.cell import NARROW, QUANTITIES, WIDE
from benchmarks.speed.jax_side import AGAIN, BASELINE, OWN
from benchmarks.speed.overhead import CALL, COMPILATION
from benchmarks.speed.steps import STEP
from benchmarks.speed.summary import FURTHER, contestants, mean, noise, select

FIRST, SECOND = f"Time over {BASELINE}", "The second group: masks, weights, other axes, losses"
MEANS = f"""Geometric means of times over those of {BASELINE}: below 1 is faster. A cell counts as
slower if its 95 % interval lies above 1.1."""
CELLS = f"""Ratios are times over those of {BASELINE}, with 95 % intervals: below 1 is faster.
'faster' and 'slower' stand where these leave out 1 and the ratio of {BASELINE} to itself."""
CELL = ("function", "quantity", "dtype", "shape")


def parts(rows: Sequence[Row]) -> list[Part]:
    """All tables, those of all cells last."""
    groups = {FIRST: list(rows), SECOND: _second_group(rows)}
    measured = {name: cells for name, cells in groups.items() if select(cells)}
    return [
        *(_means_part(name, cells) for name, cells in measured.items()),
        *_timed(rows),
        Part("Who took part", "\n\n".join(_present(rows))),
        *(_cells_part(name, cells) for name, cells in measured.items()),
    ]


def _second_group(rows: Sequence[Row]) -> list[Row]:
    """Its rows, as those of the first are written."""
    return [{**row, "part": "cell"} for row in rows if row["part"] == FURTHER]


# --- means ---


def _means_part(name: str, rows: Sequence[Row]) -> Part:
    columns = [*map(field, ("dtype", "quantity", "cells")), *map(_mean, contestants(rows))]
    return Part(name, f"{MEANS} {noise(rows)}", columns, means(rows))


def means(rows: Sequence[Row]) -> list[Line]:
    """A line for each dtype and quantity, for each dtype, and for everything."""
    dtypes = [d for d in (*WIDE, *NARROW) if select(rows, dtype=d)]
    lines = [_line(rows, d, q) for d in dtypes for q in (*QUANTITIES, "all")]
    return [line for line in (*lines, _line(rows, "all", "all")) if line["cells"]]


def _line(rows: Sequence[Row], dtype: str, quantity: str) -> Line:
    wanted = {"dtype": dtype, "quantity": quantity}
    chosen = select(rows, **{name: value for name, value in wanted.items() if value != "all"})
    by_name = {name: mean(select(chosen, contestant=name)) for name in contestants(rows)}
    return {**wanted, "cells": len(select(chosen, contestant=BASELINE)), **by_name}


def _mean(name: str) -> Column:
    return Column(name, lambda line: "–" if line[name] is None else str(line[name]))


# --- small inputs, training steps, who took part ---


def _timed(rows: Sequence[Row]) -> Iterator[Part]:
    for kind, unit, size in ((CALL, "µs", 1e-6), (COMPILATION, "ms", 1e-3), (STEP, "ms", 1e-3)):
        lines = lines_of((r for r in rows if r["part"] == kind), ("function", "quantity", "shape"))
        own = map(_interval, OWN)
        columns = [*map(field, ("function", "quantity", "shape")), _seconds(unit, size), *own]
        if lines:
            yield Part(_TITLES[kind], "", columns, lines)


_TITLES = {
    CALL: f"Small inputs: {CALL}",
    COMPILATION: f"Small inputs: {COMPILATION}",
    STEP: "Training steps",
}


def _interval(name: str) -> Column:
    return Column(name, lambda line: interval(line[name]))


def _seconds(unit: str, size: float) -> Column:
    return Column(f"{BASELINE} {unit}", lambda line: show_number(line[BASELINE]["seconds"] / size))


def _present(rows: Sequence[Row]) -> Iterator[str]:
    """Who was timed; who was not, in how many cells, and why."""
    yield f"Timed: {', '.join([BASELINE, *contestants(rows)])}."
    absent = [row for row in rows if row["part"] == "absent"]
    for name, why in dict.fromkeys((row["contestant"], row["why"]) for row in absent):
        cells = [row for row in absent if (row["contestant"], row["why"]) == (name, why)]
        example = " ".join(str(cells[0][field]) for field in CELL)
        yield f"{name} is absent from {len(cells)} cells ({example} …): {why}"


# --- every cell ---


def _cells_part(name: str, rows: Sequence[Row]) -> Part:
    """The cell, the baseline's time, everyone's ratio, the rates of jaxcalc."""
    names = contestants(rows)
    columns = [
        *map(field, CELL),
        Column(f"{BASELINE} µs (quartiles)", lambda line: _micros(line[BASELINE])),
        *map(_ratios, (*names, AGAIN)),
        *(_rates(name) for name in names if name in OWN),
    ]
    return Part(f"{name}: every cell", CELLS, columns, lines_of(select(rows), CELL))


def _ratios(name: str) -> Column:
    return Column(name, lambda line: _ratio(line.get(name)))


def _rates(name: str) -> Column:
    return Column(f"{name} GB/s (of copy)", lambda line: _rate(line.get(name)))


def _ratio(row: Row | None) -> str:
    if row is None:
        return "–"
    verdict = "" if row["verdict"] == "same" else f" {row['verdict']}"
    return f"{interval(row)}{verdict}"


def _rate(row: Row | None) -> str:
    if row is None:
        return "–"
    return f"{show_number(row['gb_per_second'])} ({row['percent_of_copy']:.0f} %)"


def _micros(row: Row) -> str:
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    median, lower, upper = (show_number(1e6 * row[name]) for name in names)
    return f"{median} ({lower}–{upper})"
