"""The pictures: error over the scale of the logits, memory over the vocabulary."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import Row

SMALLEST = 1e-8  # what is smaller, an error of 0 too, is drawn there
MARKERS = "os^vDPX<>"
ERRORS = {"mean_error": "mean loss", "gradient_error": "gradient of the worst row"}


def _style(place: int) -> dict[str, Any]:
    """Hollow marks, each smaller than the one before: some contestants are equal."""
    marker = MARKERS[place % len(MARKERS)]
    return {"marker": marker, "markersize": max(4, 13 - 2 * place), "fillstyle": "none"}


def draw_errors(rows: list[Row]) -> Figure:
    """A column of panels for each dtype: the mean loss above, the gradient below."""
    rows = [row for row in rows if row["part"] == "logits"]
    rows = [row for row in rows if row["shape"] == rows[0]["shape"]]
    dtypes = list(dict.fromkeys(row["dtype"] for row in rows))
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    figure = Figure(figsize=(2 + 3.2 * len(dtypes), 7), layout="constrained")
    figure.suptitle(
        f"Relative error of the cross-entropy, {rows[0]['shape']} logits (below 1e-8 drawn there)"
    )
    panels = figure.subplots(len(ERRORS), len(dtypes), sharex=True, sharey=True, squeeze=False)
    for line, (field, title) in zip(panels, ERRORS.items(), strict=True):
        for axes, dtype in zip(line, dtypes, strict=True):
            axes.set(xscale="log", yscale="log", title=f"{title}, {dtype}")
            axes.grid(alpha=0.3)
            for place, name in enumerate(names):
                own = [row for row in rows if (row["dtype"], row["contestant"]) == (dtype, name)]
                errors = [max(row[field], SMALLEST) for row in own]
                axes.plot([row["scale"] for row in own], errors, label=name, **_style(place))
            axes.set_xticks(sorted({row["scale"] for row in rows}))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
    for axes in panels[-1]:
        axes.set_xlabel("scale of the logits")
    figure.legend(*_everyone(list(panels[0])), loc="outside lower center", ncols=4)
    return figure


def _everyone(panels: list[Axes]) -> tuple[list[Artist], list[str]]:
    """For a legend: those that are in any of the panels."""
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        found |= dict(zip(names, handles, strict=True))
    return list(found.values()), list(found)


def draw_memory(rows: list[Row]) -> Figure:
    """A panel for each dtype."""
    rows = [row for row in rows if row["part"] == "vocabulary"]
    dtypes = list(dict.fromkeys(row["dtype"] for row in rows))
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    vocabularies = sorted({row["vocabulary"] for row in rows})
    figure = Figure(figsize=(1.5 + 3.6 * len(dtypes), 4.2), layout="constrained")
    figure.suptitle(
        f"Temporaries of a last layer's loss and gradient, {rows[0]['rows']} rows, "
        f"{rows[0]['features']} features"
    )
    panels = figure.subplots(1, len(dtypes), sharey=True, squeeze=False)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        for place, name in enumerate(names):
            own = [row for row in rows if (row["dtype"], row["contestant"]) == (dtype, name)]
            points = [row["vocabulary"] for row in own], [row["mib"] for row in own]
            axes.plot(*points, label=name, **_style(place))
        axes.set(xscale="log", title=dtype, xlabel="vocabulary")
        axes.set_yscale("log", base=2)
        axes.set_xticks(vocabularies, [f"{v // 1024}k" for v in vocabularies])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("MiB")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


DRAWINGS = {"errors": draw_errors, "memory": draw_memory}
