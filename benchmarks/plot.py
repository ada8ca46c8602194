"""The pictures of the subjects; matplotlib is imported only from here on."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from benchmarks.report import Row
from benchmarks.speed.cell import FUNCTIONS, NARROW, QUANTITIES, WIDE
from benchmarks.speed.jax_side import BASELINE
from benchmarks.speed.summary import contestants, mean, select

# text as text, the same every time
SVG: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "jaxcalc"}
DTYPES = (*WIDE, *NARROW)
COLOURS = {  # which the colour-blind tell apart
    "high": "#0072b2",
    "fast": "#009e73",
    BASELINE: "#d55e00",
    "torch": "#cc79a7",
    "torch.compile": "#e69f00",
}
MARKERS = "os^vDPX<>"
INFINITY = 1e24  # where infinite errors are drawn
SMALLEST = 1e-8  # where smaller ones are, in the pictures of losses
OCTAVES = 2.0  # a heat map's colours end at a quarter and at four times

Rows = Sequence[Row]


def _distinct(rows: Rows, name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


def _of(rows: Rows, **wanted: Any) -> list[Row]:
    """The rows whose fields have these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _list_lines(axes: Axes, lines: Sequence[str]) -> None:
    """A line of text for each place down the left side."""
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """Of everyone who is in any of the panels."""
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        found |= dict(zip(names, handles, strict=True))
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=4)


# --- the short answer ---

SHAPES = {"float32": "o", "bfloat16": "s"}
NO_DIGIT = {"float32": 2.0**24, "bfloat16": 2.0**8}  # errors from which on none is right
NAMES = {quick.OWN: "jaxcalc", BASELINE: BASELINE}


def draw_quick(rows: Rows) -> Figure:
    """Speeds beside worst errors, one line for each function and what is computed of it."""
    lines = quick.lines(rows)
    figure = Figure(figsize=(8.4, 1.6 + 0.24 * len(lines)), layout="constrained")
    speeds, errors = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.4))
    speeds.axvline(1, color=COLOURS[BASELINE], lw=1.2)
    _list_lines(speeds, [f"{line['function']}, {line['what']}" for line in lines])
    for shift, (dtype, marker) in zip((-0.13, 0.13), SHAPES.items(), strict=True):
        places = np.arange(len(lines)) + shift
        found = [quick.speed(line, dtype) or math.nan for line in lines]
        speeds.plot(found, places, marker, color=COLOURS[quick.OWN], ms=5.5, alpha=0.8)
        errors.axvline(NO_DIGIT[dtype], color="#999999", lw=1, ls=":")
        _tell(errors, f" no digit of\n {dtype} right", NO_DIGIT[dtype])
        for name, label in NAMES.items():
            found = [quick.error(line, dtype, name) for line in lines]
            style = {"color": COLOURS[name], "label": f"{label}, {dtype}", "ms": 5.5, "alpha": 0.8}
            errors.plot(found, places, marker, ls="", **style)
    speeds.set(xscale="log", title=f"Times as fast as {BASELINE}", xlabel="right is better")
    errors.set(
        xscale="log", title="Worst error", xlabel="ULP, or roundings of the terms; left is better"
    )
    speeds.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    speeds.minorticks_off()
    _plain_numbers(speeds)
    errors.grid(axis="x", alpha=0.3)
    _legend(figure, [errors])
    return figure


def _tell(axes: Axes, text: str, place: float) -> None:
    axes.text(place, -0.4, text, size=6.5, color="#666666", va="top")


def _plain_numbers(axes: Axes) -> None:
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


# --- accuracy ---


def draw_accuracy(rows: Rows) -> Figure:
    """The worst error of each peer, one line a question, one panel a dtype."""
    lines = list(dict.fromkeys(map(_question, rows)))
    dtypes = _distinct(rows, "dtype")
    size = 3 + 3 * len(dtypes), 1.6 + 0.27 * len(lines)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(dtypes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        for peer, marker in zip(_distinct(rows, "peer"), MARKERS, strict=False):
            own = _of(rows, dtype=dtype, peer=peer)
            errors = np.clip([row["worst"] for row in own], 0.1, INFINITY)
            places = [lines.index(_question(row)) for row in own]
            axes.plot(errors, places, marker, label=peer, alpha=0.75, markersize=5)
        axes.set(xscale="log", title=dtype, xlabel="worst error, in the units on the left")
        _list_lines(axes, lines)
    _legend(figure, panels)
    return figure


def _question(row: Row) -> str:
    return f"{row['function']} {row['quantity']} ({row['unit']})"


# --- speed ---


def draw_ratios(rows: Rows) -> Figure:
    """Heat maps: a panel a contestant, a line a function and quantity, a column a dtype."""
    names, dtypes = contestants(rows), [d for d in DTYPES if select(rows, dtype=d)]
    lines = [(f, q) for f in FUNCTIONS for q in QUANTITIES if select(rows, function=f, quantity=q)]
    size = 2.4 + 0.68 * len(names) * len(dtypes), 1.7 + 0.26 * len(lines)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"Time over {BASELINE}: below 1, blue, is faster")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name)
        axes.set_xticks(range(len(dtypes)), dtypes, rotation=45, ha="right")
        axes.tick_params(length=0)
        _draw_map(axes, [list(_ratios(rows, name, *line, dtypes)) for line in lines])
    panels[0].set_yticks(range(len(lines)), [" ".join(line) for line in lines])
    return figure


def _ratios(
    rows: Rows, name: str, function: str, quantity: str, dtypes: Sequence[str]
) -> Iterator[float]:
    """Geometric means, NaN where there is no cell."""
    for dtype in dtypes:
        wanted = {"contestant": name, "function": function, "quantity": quantity, "dtype": dtype}
        found = mean(select(rows, **wanted))
        yield math.nan if found is None else found.value


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
    logits = _of(rows, part="logits")
    rows = _of(logits, shape=logits[0]["shape"])
    dtypes = _distinct(rows, "dtype")
    figure = Figure(figsize=(2 + 3.2 * len(dtypes), 7), layout="constrained")
    figure.suptitle(
        f"Relative error of the cross-entropy, {rows[0]['shape']} logits (below 1e-8 drawn there)"
    )
    panels = figure.subplots(len(ERRORS), len(dtypes), sharex=True, sharey=True, squeeze=False)
    for line, (field, title) in zip(panels, ERRORS.items(), strict=True):
        for axes, dtype in zip(line, dtypes, strict=True):
            _draw_curves(axes, _of(rows, dtype=dtype), "scale", field)
            axes.set(yscale="log", title=f"{title}, {dtype}")
    for axes in panels[-1]:
        axes.set_xlabel("scale of the logits")
    _legend(figure, panels.flat)
    return figure


def draw_memory(rows: Rows) -> Figure:
    """A panel for each dtype."""
    rows = _of(rows, part="vocabulary")
    dtypes = _distinct(rows, "dtype")
    figure = Figure(figsize=(1.5 + 3.6 * len(dtypes), 4.2), layout="constrained")
    figure.suptitle(
        f"Temporaries of a last layer's loss and gradient, {rows[0]['rows']} rows, "
        f"{rows[0]['features']} features"
    )
    panels = figure.subplots(1, len(dtypes), sharey=True, squeeze=False)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        _draw_curves(axes, _of(rows, dtype=dtype), "vocabulary", "mib")
        axes.set(title=dtype, xlabel="vocabulary")
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("MiB")
    _legend(figure, panels)
    return figure


def _draw_curves(axes: Axes, rows: Rows, along: str, name: str) -> None:
    """Hollow marks, each smaller than the one before: some contestants are equal."""
    for place, contestant in enumerate(_distinct(rows, "contestant")):
        own = _of(rows, contestant=contestant)
        values = [max(row[name], SMALLEST) for row in own]
        style = {"marker": MARKERS[place % len(MARKERS)], "fillstyle": "none", "label": contestant}
        axes.plot([row[along] for row in own], values, ms=max(4, 13 - 2 * place), **style)
    axes.set_xscale("log")
    axes.set_xticks(sorted(set(_distinct(rows, along))))
    axes.minorticks_off()
    _plain_numbers(axes)
    axes.grid(alpha=0.3)


# --- files ---

Drawing = Callable[[Rows], Figure]
DRAWINGS: dict[str, dict[str, Drawing]] = {
    "quick": {"answer": draw_quick},
    "accuracy": {"errors": draw_accuracy},
    "speed": {"ratios": draw_ratios},
    "losses": {"errors": draw_loss_errors, "memory": draw_memory},
}


def write(subject: str, rows: Rows, path: Path, kinds: bool = False) -> list[Path]:
    """Draw what a subject has: to the path, or several beside it with their kinds."""
    drawings = DRAWINGS.get(subject, {})
    several = kinds or len(drawings) > 1
    places = {k: path.with_stem(f"{path.stem}-{k}") if several else path for k in drawings}
    with rc_context(SVG):
        for kind, place in places.items():
            save(drawings[kind](rows), place)
    return list(places.values())


def save(figure: Figure, path: Path) -> None:
    """Write it; an SVG has nothing in it but the picture."""
    options: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    figure.savefig(path, dpi=150, **options)
