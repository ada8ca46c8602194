"""The pictures of the subjects; matplotlib is imported only from here on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.forms.picture import draw_forms
from benchmarks.losses import picture as losses_pictures
from benchmarks.report import Row
from benchmarks.speed import pictures as speed_pictures
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


DRAWINGS: dict[str, Callable[[list[Row]], Figure]] = {
    "accuracy": draw_accuracy,
    **{f"speed-{kind}": drawing for kind, drawing in speed_pictures.DRAWINGS.items()},
    **{f"losses-{kind}": drawing for kind, drawing in losses_pictures.DRAWINGS.items()},
    "derive": draw_derive,
    "forms": draw_forms,
}


def draw(subject: str, rows: list[Row], path: Path) -> None:
    """Write the pictures of that subject, in the format that the path ends in."""
    for name, drawing in DRAWINGS.items():
        if name.partition("-")[0] == subject:
            kind = name.removeprefix(subject)
            drawing(rows).savefig(path.with_stem(f"{path.stem}{kind}"), dpi=120)
