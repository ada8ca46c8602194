"""The tables: every cell on a line, means, aims, small inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from benchmarks.report import Column, Row, field, show_number, table
from benchmarks.speed.aims import Verdict, verdicts
from benchmarks.speed.jax_side import AGAIN, BASELINE, OWN
from benchmarks.speed.overhead import CALL, COMPILATION
from benchmarks.speed.summary import (
    contestants,
    interval,
    noise,
    overhead_lines,
    second_group,
    select,
    show_means,
)

LEGEND = f"""Ratios are times over those of {BASELINE}, with 95 % intervals: below 1 is faster.
'faster' and 'slower' stand where these leave out 1 and the ratio of {BASELINE} to itself."""
SECOND = "The second group: masks, weights, other axes, losses"
CELL = ("function", "quantity", "dtype", "shape")
AIMS = tuple(field(name) for name in Verdict._fields)

Line = dict[str, Any]


def show(rows: list[Row]) -> str:
    """All of it, for a terminal."""
    parts = [LEGEND, table(cell_columns(rows), cell_lines(rows)), *absent_lines(rows)]
    parts += [f"Geometric means over {BASELINE}:", show_means(rows), noise(rows)]
    if further := second_group(rows):
        parts += [f"{SECOND}:", table(cell_columns(further), cell_lines(further))]
        parts += [f"Geometric means over {BASELINE}:", show_means(further), noise(further)]
    for kind in (CALL, COMPILATION):
        lines = overhead_lines(rows, kind)
        parts += [f"Small inputs, {kind}:", table(overhead_columns(kind), lines)] if lines else []
    judged = [verdict._asdict() for verdict in verdicts(rows, jax.default_backend())]
    return "\n\n".join([*parts, "Aims:", table(AIMS, judged)])


def cell_lines(rows: Sequence[Row]) -> list[Line]:
    """The rows of each cell and run as one line."""
    lines: dict[tuple[Any, ...], Line] = {}
    for row in select(rows, run=(1, 2)):
        key = (*(row[name] for name in CELL), row["run"])
        lines.setdefault(key, dict(zip((*CELL, "run"), key, strict=True)))[row["contestant"]] = row
    return list(lines.values())


def cell_columns(rows: Sequence[Row]) -> list[Column]:
    """The cell, the baseline's time, everyone's ratio, the rates of jaxcalc."""
    names = contestants(rows)
    return [
        *map(field, CELL),
        Column("run", lambda line: "" if line["run"] == 1 else "again"),
        Column(f"{BASELINE} µs (quartiles)", lambda line: _micros(line[BASELINE])),
        *(_ratio_column(name) for name in (*names, AGAIN)),
        *(_rate_column(name) for name in names if name in OWN),
    ]


def overhead_columns(kind: str) -> list[Column]:
    """A case, the baseline's time, both accuracies."""
    unit, size = ("ms", 1e-3) if kind == COMPILATION else ("µs", 1e-6)
    return [
        *map(field, ("function", "quantity", "shape")),
        Column(f"{BASELINE} {unit}", lambda line: show_number(line[BASELINE]["seconds"] / size)),
        *map(_interval_column, OWN),
    ]


def absent_lines(rows: Sequence[Row]) -> list[str]:
    """Who did not take part, in how many cells, and why."""
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["part"] == "absent":
            reasons.setdefault((row["contestant"], row["why"]), []).append(row)
    return [
        f"{name} is absent from {len(cells)} cells ({_example(cells[0])} …): {why}"
        for (name, why), cells in reasons.items()
    ]


def _example(row: Row) -> str:
    return " ".join(str(row[name]) for name in CELL)


def _ratio_column(name: str) -> Column:
    return Column(name, lambda line: _ratio_text(line.get(name)))


def _interval_column(name: str) -> Column:
    return Column(name, lambda line: interval(line[name]))


def _ratio_text(row: Row | None) -> str:
    if row is None:
        return "–"
    verdict = "" if row["verdict"] == "same" else f" {row['verdict']}"
    return f"{interval(row)}{verdict}"


def _rate_column(name: str) -> Column:
    return Column(f"{name} GB/s (of copy)", lambda line: _rate_text(line.get(name)))


def _rate_text(row: Row | None) -> str:
    if row is None:
        return "–"
    return f"{show_number(row['gb_per_second'])} ({row['percent_of_copy']:.0f} %)"


def _micros(row: Mapping[str, Any]) -> str:
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    median, lower, upper = (show_number(1e6 * row[name]) for name in names)
    return f"{median} ({lower}–{upper})"
