"""The picture of the forms: error against time."""

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from benchmarks.report import Row

INFINITY = 1e24  # where infinite errors are drawn
MARKERS = "os^vD<>phX"


def draw_forms(rows: list[Row]) -> Figure:
    """One panel a kind, one mark a form: its worst error, and its times' geometric mean."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    figure = Figure(figsize=(6 * len(kinds), 6), layout="constrained")
    figure.suptitle("Forms that were tried: down and to the left is better")
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        own = [row for row in rows if row["kind"] == kind]
        axes.set(title=kind, xlabel="time over the plain form", ylabel=f"error, {own[0]['unit']}")
        axes.set(xscale="log", yscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.grid(alpha=0.3)
        forms = dict.fromkeys(row["form"] for row in own)
        for form, marker in zip(forms, cycle(MARKERS), strict=False):
            ratios = [row["ratio"] for row in own if row["form"] == form]
            worst = next(min(row["worst"], INFINITY) for row in own if row["form"] == form)
            place = float(np.exp(np.mean(np.log(ratios)))), worst
            axes.plot(*place, marker, markersize=7, alpha=0.8, label=form)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, fontsize=9)
    return figure
