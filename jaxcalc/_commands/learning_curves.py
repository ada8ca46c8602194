"""The picture of `train --task language`: how the loss fell, and how far the runs are apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

# the runs hardly differ: a wide line shows beneath a narrow one
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "0.6", "lw": 5},
    {"color": "C1", "lw": 2},
    {"color": "C0", "lw": 1},
)


def draw(path: Path, losses: Mapping[str, Sequence[float]]) -> None:
    """Write the picture to `path`; the first run, in float32, is what the others stand against."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    curves, apart = figure.subplots(1, 2)
    runs = np.asarray(list(losses.values()))
    width = max(runs.shape[1] // 20, 1)
    for name, run, style in zip(losses, runs, STYLES, strict=True):
        curves.plot(*_smoothed(run, width), label=name, **style)
        apart.plot(*_smoothed(run - runs[0], width), **style)
    curves.set(title=f"Training loss, mean of {width} steps", ylabel="cross-entropy of a piece")
    apart.set(title="Difference from the float32 run")
    for axes in (curves, apart):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", frameon=False)
    figure.savefig(path, dpi=150)


def _smoothed(
    loss: NDArray[np.floating], width: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Steps, and the mean loss of `width` of them around each."""
    means = np.convolve(loss, np.ones(width) / width, mode="valid")
    return np.arange(len(means)) + (width + 1) / 2, means
