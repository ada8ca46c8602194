"""The picture of the subject `derive`: growth in n above, ratios of the cases below."""

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import Row

MARKERS = "osx^vD+*<>PX"


def draw_derive(rows: Sequence[Row]) -> Figure:
    """One panel for the growth of each function; one for the cases, one line a quantity."""
    slopes = {_line_of(row): row["slope"] for row in rows if row["part"] == "slope"}
    growth, cases = (_part(rows, part) for part in ("growth", "case"))
    functions = list(dict.fromkeys(row["function"] for row in growth))
    figure = Figure(figsize=(max(8.0, 4.2 * len(functions)), 11), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    panels = above.subplots(1, len(functions), sharex=True, sharey=True, squeeze=False)[0]
    for axes, function in zip(panels, functions, strict=True):
        _draw_growth(axes, [row for row in growth if row["function"] == function], slopes)
        axes.set_title(function)
    panels[0].set_ylabel("seconds (slope in brackets)")
    _draw_cases(below.subplots(), [row for row in cases if row["ratio"] is not None])
    return figure


def _part(rows: Sequence[Row], part: str) -> list[Row]:
    return [row for row in rows if row["part"] == part]


def _line_of(row: Row) -> tuple[str, ...]:
    return row["function"], row["quantity"], row["contestant"]


def _draw_growth(axes: Axes, rows: Sequence[Row], slopes: dict[tuple[str, ...], float]) -> None:
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        lines.setdefault(_line_of(row), []).append(row)
    for (line, points), marker in zip(lines.items(), itertools.cycle(MARKERS), strict=False):
        label = f"{line[1]}, {line[2]} ({slopes.get(line, math.nan):.2f})"
        sizes, seconds = [row["n"] for row in points], [row["seconds"] for row in points]
        axes.loglog(sizes, seconds, marker=marker, label=label, alpha=0.75, markersize=4)
    axes.grid(alpha=0.3)
    axes.set_xlabel("entries")
    axes.legend(fontsize="x-small")


def _draw_cases(axes: Axes, rows: Sequence[Row]) -> None:
    lines = list(dict.fromkeys(_case_of(row) for row in rows))
    contestants = list(dict.fromkeys(row["contestant"] for row in rows))
    axes.axvline(1, color="black", linewidth=0.8)
    for name, marker in zip(contestants, itertools.cycle(MARKERS), strict=False):
        own = [row for row in rows if row["contestant"] == name]
        places = [lines.index(_case_of(row)) for row in own]
        axes.plot([row["ratio"] for row in own], places, marker, label=name, alpha=0.75)
    axes.set_xscale("log")
    axes.set_xlabel("time over the better of jacfwd and jacrev, or over jvp: below 1 is faster")
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)


def _case_of(row: Row) -> str:
    return f"{row['case']}, {row['quantity']}"
