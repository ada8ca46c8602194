"""The tables: geometric means, small inputs, who took part, every cell on a line."""

from collections.abc import Iterator, Sequence

from benchmarks.libraries import AGAIN, BASELINE, OWN
from benchmarks.report import Line, Part, Row, fields, grouped, interval, show_number
from benchmarks.speed.cell import NARROW, QUANTITIES, WIDE
from benchmarks.speed.overhead import CALL, COMPILATION
from benchmarks.speed.steps import STEP
from benchmarks.speed.summary import FURTHER, SLOWER, contestants, mean, noise, select, slower

FIRST, SECOND = f"Time over {BASELINE}", "The second group: masks, weights, other axes, losses"
MEANS = f"""Geometric means of times over those of {BASELINE}: below 1 is faster. A cell counts as
slower if its 95 % interval lies above {SLOWER}."""
CELLS = f"""Ratios are times over those of {BASELINE}, with 95 % intervals: below 1 is faster.
'slower' stands where the interval lies above {SLOWER}."""
CELL = ("function", "quantity", "dtype", "shape")


def parts(rows: Sequence[Row]) -> list[Part]:
    """All tables, those of all cells last."""
    further = [{**row, "part": "cell"} for row in rows if row["part"] == FURTHER]
    groups: dict[str, Sequence[Row]] = {FIRST: rows, SECOND: further}
    measured = {name: cells for name, cells in groups.items() if select(cells)}
    return [
        *(_means_part(name, cells) for name, cells in measured.items()),
        *_timed(rows),
        Part("Who took part", "\n\n".join(_present(rows))),
        *(_cells_part(name, cells) for name, cells in measured.items()),
    ]


# --- means ---


def _means_part(name: str, rows: Sequence[Row]) -> Part:
    return Part(name, f"{MEANS} {noise(rows)}", means(rows))


def means(rows: Sequence[Row]) -> list[Line]:
    """A line for each dtype and quantity, for each dtype, and for everything."""
    dtypes = [d for d in (*WIDE, *NARROW) if select(rows, dtype=d)]
    lines = [_line(rows, d, q) for d in dtypes for q in (*QUANTITIES, "all")]
    return [line for line in (*lines, _line(rows, "all", "all")) if line["cells"] != "0"]


def _line(rows: Sequence[Row], dtype: str, quantity: str) -> Line:
    wanted = {"dtype": dtype, "quantity": quantity}
    chosen = select(rows, **{name: value for name, value in wanted.items() if value != "all"})
    means = {name: _mean(select(chosen, contestant=name)) for name in contestants(rows)}
    return {**wanted, "cells": str(len(select(chosen, contestant=BASELINE))), **means}


def _mean(rows: Sequence[Row]) -> str:
    """The mean, and how many are slower where there are any."""
    found, count = mean(rows), slower(rows)
    return "–" if found is None else f"{found:.2f}" + (f" ({count} slower)" if count else "")


# --- small inputs, training steps, who took part ---

TIMED = {  # what is timed: the heading, the unit and its size
    CALL: (f"Small inputs: {CALL}", "µs", 1e-6),
    COMPILATION: (f"Small inputs: {COMPILATION}", "ms", 1e-3),
    STEP: ("Training steps", "ms", 1e-3),
}


def _timed(rows: Sequence[Row]) -> Iterator[Part]:
    for kind, (heading, unit, size) in TIMED.items():
        lines = [
            {
                **fields(place, *place),
                f"{BASELINE} {unit}": show_number(found[BASELINE]["seconds"], size),
                **{name: interval(found[name]) for name in OWN},
            }
            for place, found in grouped(
                (row for row in rows if row["part"] == kind), ("function", "quantity", "shape")
            )
        ]
        if lines:
            yield Part(heading, "", lines)


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
    """The cell, the baseline's time, everyone's ratio."""
    names = (*contestants(rows), AGAIN)
    lines = [
        {
            **fields(cell, *CELL),
            f"{BASELINE} µs (quartiles)": _micros(found[BASELINE]),
            **{name: _ratio(found.get(name)) for name in names},
        }
        for cell, found in grouped(select(rows), CELL)
    ]
    return Part(f"{name}: every cell", CELLS, lines)


def _ratio(row: Row | None) -> str:
    if row is None:
        return "–"
    return interval(row) + (" slower" if row["ratio_low"] > SLOWER else "")


def _micros(row: Row) -> str:
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    median, lower, upper = (show_number(row[name], 1e-6) for name in names)
    return f"{median} ({lower}–{upper})"
