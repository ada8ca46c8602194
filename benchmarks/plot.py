"""The pictures of the subjects; matplotlib is imported only from here on."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks import quick
from benchmarks.libraries import BASELINE, FUNCTIONS
from benchmarks.report import Row
from benchmarks.speed.cell import NARROW, QUANTITIES, WIDE
from benchmarks.speed.summary import contestants, mean, select

COLOURS = {"high": "#0072b2", BASELINE: "#d55e00"}  # which the colour-blind tell apart
MARKERS = "os^vDPX<>"
SMALLEST = 1e-8  # where smaller errors of losses are drawn
OCTAVES = 2.0  # a heat map's colours end at a quarter and at four times

Rows = Sequence[Row]


def _distinct(rows: Rows, name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """Of everyone who is in any of the panels."""
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        found |= dict(zip(names, handles, strict=True))
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=4)


def _plain_numbers(axes: Axes) -> None:
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


# --- the short answer ---

SHAPES = {"float32": "o", "bfloat16": "s"}
NO_DIGIT = {"float32": 2.0**24, "bfloat16": 2.0**8}  # errors from which on none is right
NAMES = {quick.OWN: "jaxcalc", BASELINE: BASELINE}


def draw_quick(rows: Rows) -> Figure:
    """Speeds beside worst errors, one line for each function and what is computed of it."""
    lines = quick.measured(rows)
    figure = Figure(figsize=(8.4, 1.6 + 0.24 * len(lines)), layout="constrained")
    speeds, errors = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.4))
    speeds.axvline(1, color=COLOURS[BASELINE], lw=1.2)
    speeds.set_yticks(range(len(lines)), [f"{of['function']}, {of['what']}" for of, _ in lines])
    speeds.set_ylim(len(lines) - 0.5, -0.5)
    for shift, (dtype, marker) in zip((-0.13, 0.13), SHAPES.items(), strict=True):
        places = np.arange(len(lines)) + shift
        found = [quick.speed(line, dtype) or math.nan for _, line in lines]
        speeds.plot(found, places, marker, color=COLOURS[quick.OWN], ms=5.5, alpha=0.8)
        errors.axvline(NO_DIGIT[dtype], color="#999999", lw=1, ls=":")
        text = f" no digit of\n {dtype} right"
        errors.text(NO_DIGIT[dtype], -0.4, text, size=6.5, color="#666666", va="top")
        for name, label in NAMES.items():
            found = [quick.error(line, dtype, name) for _, line in lines]
            style = {"color": COLOURS[name], "label": f"{label}, {dtype}", "ms": 5.5, "alpha": 0.8}
            errors.plot(found, places, marker, ls="", **style)
    speeds.set(xscale="log", title=f"Times as fast as {BASELINE}", xlabel="right is better")
    errors.set(
        xscale="log", title="Worst error", xlabel="ULP, or roundings of the terms; left is better"
    )
    speeds.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    _plain_numbers(speeds)
    for axes in (speeds, errors):
        axes.grid(axis="x", alpha=0.3)
    _legend(figure, [errors])
    return figure


# --- speed ---


def draw_ratios(rows: Rows) -> Figure:
    """Heat maps: a panel a contestant, a line a function and quantity, a column a dtype."""
    names, dtypes = contestants(rows), [d for d in (*WIDE, *NARROW) if select(rows, dtype=d)]
    lines = [(f, q) for f in FUNCTIONS for q in QUANTITIES if select(rows, function=f, quantity=q)]
    size = 2.4 + 0.68 * len(names) * len(dtypes), 1.7 + 0.26 * len(lines)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"Time over {BASELINE}: below 1, blue, is faster")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name)
        axes.set_xticks(range(len(dtypes)), dtypes, rotation=45, ha="right")
        axes.tick_params(length=0)
        own = select(rows, contestant=name)
        _draw_map(axes, [[_ratio(own, *line, dtype) for dtype in dtypes] for line in lines])
    panels[0].set_yticks(range(len(lines)), [" ".join(line) for line in lines])
    return figure


def _ratio(rows: Rows, function: str, quantity: str, dtype: str) -> float:
    """The geometric mean, NaN where there is no cell."""
    return mean(select(rows, function=function, quantity=quantity, dtype=dtype)) or math.nan


def _draw_map(axes: Axes, ratios: list[list[float]]) -> None:
    octaves = np.log2(np.asarray(ratios))
    norm = TwoSlopeNorm(0, -OCTAVES, OCTAVES)
    axes.imshow(np.clip(octaves, -OCTAVES, OCTAVES), cmap="RdBu_r", norm=norm, aspect="auto")
    axes.set_facecolor("#eeeeee")
    for (line, column), ratio in np.ndenumerate(np.asarray(ratios)):
        if np.isfinite(ratio):
            dark = abs(math.log2(ratio)) > 0.6 * OCTAVES
            text = f"{ratio:.2f}" if ratio < 9.95 else f"{ratio:.0f}"
            colour = "white" if dark else "black"
            axes.text(column, line, text, ha="center", va="center", size=7, color=colour)


# --- losses ---

ERRORS = {"mean_error": "mean loss", "gradient_error": "gradient of the worst row"}


def draw_loss_errors(rows: Rows) -> Figure:
    """A column of panels for each dtype: the mean loss above, the gradient below."""
    shape = select(rows, part="logits")[0]["shape"]
    rows = select(rows, part="logits", shape=shape)
    title = f"Relative error of the cross-entropy, {shape} logits (below 1e-8 drawn there)"
    figure, panels = _by_dtype(rows, "scale", list(ERRORS), title)
    for line, text in zip(panels, ERRORS.values(), strict=True):
        for axes in line:
            axes.set(yscale="log", title=f"{text}, {axes.get_title()}")
    for axes in panels[-1]:
        axes.set_xlabel("scale of the logits")
    return figure


def draw_memory(rows: Rows) -> Figure:
    """A panel for each dtype."""
    rows = select(rows, part="vocabulary")
    layer = f"{rows[0]['rows']} rows, {rows[0]['features']} features"
    title = f"Temporaries of a last layer's loss and gradient, {layer}"
    figure, ((first, *_),) = _by_dtype(rows, "vocabulary", ["mib"], title)
    for axes in figure.axes:
        axes.set_xlabel("vocabulary")
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    first.set_ylabel("MiB")
    return figure


def _by_dtype(rows: Rows, along: str, names: Sequence[str], title: str) -> tuple[Figure, Any]:
    """A panel for each field and dtype, with a curve for each contestant."""
    dtypes = _distinct(rows, "dtype")
    size = 1.5 + 3.5 * len(dtypes), 1.4 + 2.8 * len(names)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(names), len(dtypes), sharex=True, sharey=True, squeeze=False)
    for line, name in zip(panels, names, strict=True):
        for axes, dtype in zip(line, dtypes, strict=True):
            _draw_curves(axes, [row for row in rows if row["dtype"] == dtype], along, name)
            axes.set_title(dtype)
    _legend(figure, panels.flat)
    return figure, panels


def _draw_curves(axes: Axes, rows: Rows, along: str, name: str) -> None:
    """Hollow marks, each smaller than the one before: some contestants are equal."""
    for place, contestant in enumerate(_distinct(rows, "contestant")):
        own = [row for row in rows if row["contestant"] == contestant]
        values = [max(row[name], SMALLEST) for row in own]
        style = {"marker": MARKERS[place % len(MARKERS)], "fillstyle": "none", "label": contestant}
        axes.plot([row[along] for row in own], values, ms=max(4, 13 - 2 * place), **style)
    axes.set_xscale("log")
    axes.set_xticks(sorted(set(_distinct(rows, along))))
    _plain_numbers(axes)
    axes.grid(alpha=0.3)


# --- files ---

DRAWINGS: dict[str, dict[str, Callable[[Rows], Figure]]] = {
    "speed": {"ratios": draw_ratios},
    "losses": {"errors": draw_loss_errors, "memory": draw_memory},
}


def write(subject: str, rows: Rows, path: Path) -> dict[str, Path]:
    """Draw what a subject has, beside that path; where each kind of picture is."""
    drawings = DRAWINGS.get(subject, {})
    places = {kind: path.with_stem(f"{path.stem}-{kind}") for kind in drawings}
    for kind, place in places.items():
        save(drawings[kind](rows), place)
    return places


def save(figure: Figure, path: Path, fonts: str = "none") -> None:
    """Write it; an SVG has nothing in it but the picture, the same every time.

    Args:
        figure: the picture.
        path: where.
        fonts: "none" for text as text, "path" for letters that are drawn.
    """
    style: dict[Any, str] = {"svg.fonttype": fonts, "svg.hashsalt": "jaxcalc"}
    options: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    with rc_context(style):
        figure.savefig(path, dpi=150, **options)
