"""The pictures of a run: ratios, rates, error against time. Only this file needs matplotlib."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from benchmarks.report import Row
from benchmarks.speed.cell import FUNCTIONS, NARROW, QUANTITIES, WIDE
from benchmarks.speed.jax_side import BASELINE
from benchmarks.speed.summary import contestants, mean, select

DTYPES = (*WIDE, *NARROW)
COLOURS = {
    "high": "#0072b2",
    "fast": "#009e73",
    BASELINE: "#444444",
    "torch": "#d55e00",
    "torch.compile": "#e69f00",
    "Liger": "#cc79a7",
    "QuACK": "#56b4e9",
}
COPY = "copy"
LEAST_ERROR = 0.1  # where smaller ones are drawn
OCTAVES = 2.0  # a heat map's colours end at a quarter and at four times


def _colour(name: str) -> str:
    return COLOURS.get(name, "#999999")


def _found(rows: Sequence[Row], name: str, order: Sequence[str]) -> list[str]:
    """Those values of a field that occur, in their order."""
    return [value for value in order if select(rows, **{name: value})]


def _powers_of_two(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")


# --- ratios ---


def draw_ratios(rows: Sequence[Row]) -> Figure:
    """Heat maps: a panel a contestant, a line a function and quantity, a column a dtype."""
    names, dtypes = contestants(rows), _found(rows, "dtype", DTYPES)
    lines = [(f, q) for f in FUNCTIONS for q in QUANTITIES if select(rows, function=f, quantity=q)]
    figure = Figure(figsize=(2.4 + 0.68 * len(names) * len(dtypes), 1.7 + 0.26 * len(lines)))
    figure.set_layout_engine("constrained")
    figure.suptitle(f"Time over {BASELINE}: below 1, blue, is faster")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name)
        axes.set_xticks(range(len(dtypes)), dtypes, rotation=45, ha="right")
        axes.tick_params(length=0)
        _draw_map(axes, _ratios(select(rows, contestant=name), lines, dtypes))
    panels[0].set_yticks(range(len(lines)), [" ".join(line) for line in lines])
    return figure


def _ratios(
    rows: Sequence[Row], lines: Sequence[tuple[str, str]], dtypes: Sequence[str]
) -> list[list[float]]:
    """Geometric means, NaN where there is no cell."""
    means = [
        [mean(select(rows, function=f, quantity=q, dtype=d)) for d in dtypes] for f, q in lines
    ]
    return [[math.nan if m is None else m.value for m in line] for line in means]


def _draw_map(axes: Axes, ratios: list[list[float]]) -> None:
    octaves = np.log2(np.asarray(ratios))
    norm = TwoSlopeNorm(0, -OCTAVES, OCTAVES)
    axes.imshow(np.clip(octaves, -OCTAVES, OCTAVES), cmap="RdBu_r", norm=norm, aspect="auto")
    axes.set_facecolor("#eeeeee")
    for (line, column), ratio in np.ndenumerate(np.asarray(ratios)):
        if np.isfinite(ratio):
            dark = abs(math.log2(ratio)) > 0.6 * OCTAVES
            colour = "white" if dark else "black"
            axes.text(column, line, _short(ratio), ha="center", va="center", size=7, color=colour)


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 9.95 else f"{ratio:.0f}"


# --- rates ---


def draw_rates(rows: Sequence[Row]) -> Figure:
    """GB/s over the length of a row, a panel a quantity, with a copy of as many bytes."""
    quantities = _found(rows, "quantity", QUANTITIES)
    columns = min(3, len(quantities))
    lines = math.ceil(len(quantities) / columns)
    figure = Figure(figsize=(1 + 3.6 * columns, 1 + 2.9 * lines))
    figure.set_layout_engine("constrained")
    figure.suptitle("GB/s of the least traffic: cells, and their geometric means")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(quantities) :]:
        axes.remove()
    for axes, quantity in zip(grid.flat, quantities, strict=False):
        _draw_rates(axes, select(rows, quantity=quantity))
        axes.set_title(quantity)
    for axes in grid[:, 0]:
        axes.set_ylabel("GB/s")
    for axes in grid[-1]:
        axes.set_xlabel("classes in a row")
    _legend(figure, [*_timed(rows), COPY])
    return figure


def _draw_rates(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    _draw_curve(axes, select(rows, contestant=BASELINE), "copy_gb_per_second", "black", "--")
    for name in _timed(rows):
        _draw_curve(axes, select(rows, contestant=name), "gb_per_second", _colour(name), "-")


def _draw_curve(axes: Axes, rows: Sequence[Row], rate: str, colour: str, style: str) -> None:
    """Every cell as a point, the means of those of like length as a line."""
    axes.plot(
        [row["classes"] for row in rows],
        [row[rate] for row in rows],
        ".",
        color=colour,
        alpha=0.35,
        markersize=4,
    )
    alike: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["classes"])):
        alike.setdefault(round(math.log2(row["classes"])), []).append(row)
    means = [
        [_geometric([row[key] for row in some]) for some in alike.values()]
        for key in ("classes", rate)
    ]
    axes.plot(*means, style, marker="o", markersize=5, color=colour)


def _timed(rows: Sequence[Row]) -> list[str]:
    return [*contestants(rows), BASELINE]


def _legend(figure: Figure, names: Sequence[str]) -> None:
    marks = [
        Line2D([], [], color="black", linestyle="--")
        if name == COPY
        else Line2D([], [], color=_colour(name), marker="o", linestyle="")
        for name in names
    ]
    figure.legend(marks, names, loc="outside lower center", ncols=len(names), frameon=False)


# --- error against time ---


def draw_pareto(rows: Sequence[Row]) -> Figure:
    """Error in unit roundoffs against time over the baseline, a panel a dtype."""
    dtypes = _found(rows, "dtype", DTYPES)
    figure = Figure(figsize=(1 + 3.1 * len(dtypes), 4.2))
    figure.set_layout_engine("constrained")
    figure.suptitle("Error against time: left is faster, down is more accurate")
    panels = figure.subplots(1, len(dtypes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        axes.set_title(dtype)
        _draw_errors(axes, select(rows, dtype=dtype))
        axes.set_xlabel(f"time over {BASELINE}")
    panels[0].set_ylabel("error of 999 in 1000 entries, u")
    _legend(figure, _timed(rows))
    return figure


def _draw_errors(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yscale("log")
    _powers_of_two(axes)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3)
    for name in _timed(rows):
        own = select(rows, contestant=name)
        ratios = [row["ratio"] for row in own]
        errors = np.maximum([row["error_u"] for row in own], LEAST_ERROR)
        axes.plot(ratios, errors, ".", color=_colour(name), alpha=0.35, markersize=4)
        if own:
            axes.plot(*map(_geometric, (ratios, errors)), "o", color=_colour(name), markersize=11)


def _geometric(values: npt.ArrayLike) -> float:
    return float(np.exp(np.mean(np.log(values))))


DRAWINGS: dict[str, Callable[[Sequence[Row]], Figure]] = {
    "ratios": draw_ratios,
    "rates": draw_rates,
    "pareto": draw_pareto,
}
