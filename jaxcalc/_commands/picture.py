"""The picture of `train`: how the losses fell, and a digit with its softmax Jacobian."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jaxcalc import plot
from jaxcalc._commands.digits import CLASSES


def draw(
    path: Path,
    losses: Mapping[str, Sequence[float]],
    image: NDArray[np.uint8],
    label: int,
    J: NDArray[np.floating[Any]],
) -> None:
    """Write the picture to `path`, in the format that its name ends in."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    curves, digit, jacobian = figure.subplots(1, 3, width_ratios=(1.5, 0.55, 1.2))
    _draw_losses(curves, losses)
    _draw_digit(digit, image, label)
    _draw_jacobian(jacobian, J)
    figure.savefig(path, dpi=150)


def _draw_losses(axes: Axes, losses: Mapping[str, Sequence[float]]) -> None:
    lowest = min(min(curve) for curve in losses.values())
    for (method, curve), style in zip(losses.items(), ("o-", "-"), strict=False):
        gap = np.asarray(curve) - lowest
        (seen,) = np.nonzero(gap)  # a logarithmic axis has no place for 0
        axes.plot(seen, gap[seen], style, label=f"{method}: {len(curve) - 1} iterations")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_yscale("log")
    axes.set(title="Loss above its minimum", xlabel="iteration", ylabel="loss − lowest loss")
    axes.grid(alpha=0.3)
    axes.margins(y=0.2)
    axes.legend(loc="lower left")


def _draw_digit(axes: Axes, image: NDArray[np.uint8], label: int) -> None:
    axes.imshow(image, cmap="gray_r")
    axes.set(title=f"A held-out digit, {label}", xticks=[], yticks=[])


def _draw_jacobian(axes: Axes, J: NDArray[np.floating[Any]]) -> None:
    plot.jacobian(J, layout="numerator", ax=axes)
    bound = float(np.max(np.abs(J)))
    for row, column in np.argwhere(np.abs(J) >= 0.005):
        entry = J[row, column]
        colour = "white" if abs(entry) > 0.6 * bound else "black"
        axes.text(
            column,
            row,
            f"{entry:.2f}".replace("-", "−"),
            ha="center",
            va="center",
            color=colour,
            fontsize=7,
        )
    axes.set(title="Its softmax Jacobian, diag(s) − s sᵀ", xlabel="logit", ylabel="probability")
    axes.set(xticks=range(CLASSES), yticks=range(CLASSES))
