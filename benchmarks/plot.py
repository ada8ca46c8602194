"""The pictures of the subjects; matplotlib is imported only from here on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import Row
from benchmarks.structure.picture import draw_derive

INFINITY = 1e24  # where infinite errors are drawn
SMALLEST_SHOWN = 0.1
ERROR_TICKS = (1, 1e4, 1e8, 1e12, 1e16, 1e20)
MARKERS = ("o", "s", "x", "^", "v", "D")


def _distinct(rows: list[Row], name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


def _panels(figure: Figure, rows: list[Row], title: str) -> Iterator[tuple[Axes, list[Row]]]:
    """One panel for each dtype, beside each other, with common scales."""
    figure.suptitle(title)
    dtypes = _distinct(rows, "dtype")
    panels = figure.subplots(1, len(dtypes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        axes.set_title(dtype)
        axes.grid(axis="both", alpha=0.3)
        yield axes, [row for row in rows if row["dtype"] == dtype]


def _list_lines(axes: Axes, lines: list[str]) -> None:
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)


def _power_of_ten(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$" if value > 1 else "1"


def draw_accuracy(rows: list[Row]) -> Figure:
    """The worst error of each peer, one line a question, one panel a dtype."""
    lines = list(dict.fromkeys(_question(row) for row in rows))
    figure = Figure(figsize=(3 + 3 * len(_distinct(rows, "dtype")), 1.6 + 0.27 * len(lines)))
    figure.set_layout_engine("constrained")
    peers = _distinct(rows, "peer")
    for axes, chosen in _panels(figure, rows, "Worst error"):
        for peer, marker in zip(peers, MARKERS, strict=False):
            own = [row for row in chosen if row["peer"] == peer]
            errors = np.clip([row["worst"] for row in own], SMALLEST_SHOWN, INFINITY)
            places = [lines.index(_question(row)) for row in own]
            axes.plot(errors, places, marker, label=peer, alpha=0.75, markersize=5)
        axes.set_xscale("log")
        axes.set_xticks([*ERROR_TICKS, INFINITY], [*map(_power_of_ten, ERROR_TICKS), "∞"])
        axes.set_xlabel("in the units named on the left")
        _list_lines(axes, lines)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(peers))
    return figure


def _question(row: Row) -> str:
    return f"{row['function']} {row['quantity']} ({row['unit']})"


def draw_speed(rows: list[Row]) -> Figure:
    """The ratios to the baseline with their intervals, one line a cell, one panel a dtype."""
    lines = list(dict.fromkeys(_cell(row) for row in rows))
    figure = Figure(figsize=(4 + 3 * len(_distinct(rows, "dtype")), 1.6 + 0.2 * len(lines)))
    figure.set_layout_engine("constrained")
    names = [name for name in _distinct(rows, "contestant") if name != "jax.nn"]
    for axes, chosen in _panels(figure, rows, "Time over jax.nn, with 95 % intervals"):
        axes.axvline(1, color="black", linewidth=0.8)
        for number, name in enumerate(names):
            own = [row for row in chosen if row["contestant"] == name]
            places = [lines.index(_cell(row)) + 0.2 * (number - 1) for row in own]
            _draw_ratios(axes, own, places, MARKERS[number])
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("below 1 is faster")
        _list_lines(axes, lines)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    return figure


def _draw_ratios(axes: Axes, rows: list[Row], places: list[float], marker: str) -> None:
    value, low, high = (
        np.array([row[name] for row in rows]) for name in ("ratio", "ratio_low", "ratio_high")
    )
    # Rounding can put the median a hair outside the interval of its own resamples.
    error = np.maximum([value - low, high - value], 0)
    axes.errorbar(
        value, places, xerr=error, fmt=marker, label=rows[0]["contestant"], markersize=3, alpha=0.75
    )


def _cell(row: Row) -> str:
    return f"{row['function']} {row['quantity']} {row['shape']}"


DRAWINGS: dict[str, Callable[[list[Row]], Figure]] = {
    "accuracy": draw_accuracy,
    "speed": draw_speed,
    "derive": draw_derive,
}


def draw(subject: str, rows: list[Row], path: Path) -> None:
    """Write the picture of that subject, in the format that the path ends in."""
    DRAWINGS[subject](rows).savefig(path, dpi=120)
