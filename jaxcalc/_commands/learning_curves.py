"""The picture of `train --task language`: how the loss fell, and how far the runs are apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

STYLES = ({"color": "0.6", "lw": 5}, {"color": "C1", "lw": 2}, {"color": "C0", "lw": 1})


def draw(path: Path, losses: Mapping[str, Sequence[float]]) -> None:
    """Write the picture to `path`; the first of the runs is what the others are compared with."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    curves, apart = figure.subplots(1, 2)
    first = np.asarray(next(iter(losses.values())))
    for (name, loss), style in zip(losses.items(), STYLES, strict=False):
        curves.plot(*smoothed(loss), label=name, **style)
        if loss is not next(iter(losses.values())):
            apart.plot(*smoothed(np.asarray(loss) - first), **style)
    apart.axhline(0, **STYLES[0])
    curves.set(title="Training loss", xlabel="step", ylabel="cross-entropy of a piece")
    apart.set(title="Its difference from float32", xlabel="step")
    for axes in (curves, apart):
        axes.grid(alpha=0.3)
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", frameon=False)
    figure.savefig(path, dpi=150)


def smoothed(loss: Sequence[float] | NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """Steps, and the mean loss of so many of them around each."""
    width = max(len(loss) // 20, 1)
    means = np.convolve(loss, np.ones(width) / width, mode="valid")
    return np.arange(len(means)) + (width + 1) / 2, means
