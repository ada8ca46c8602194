"""Figures that a notebook shows, whether or not `matplotlib.pyplot` is imported."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of one picture: a notebook shows it."""

    def _repr_png_(self) -> bytes:
        written = io.BytesIO()
        self.savefig(written, format="png")
        return written.getvalue()


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax`, or the axes of a new picture of that size in inches.

    Raises:
        TypeError: when `ax` is neither axes nor None.
    """
    if ax is None:
        return Picture(figsize=size, layout="compressed").subplots()
    if isinstance(ax, Axes):
        return ax
    raise TypeError(
        f"`ax` must be the matplotlib Axes to draw on, but got {type(ax).__name__}; "
        "of `plt.subplots()` they are the second result."
    )


def figure_of(axes: Axes) -> Figure:
    """The whole figure, also of axes in a part of it."""
    figure = axes.figure
    return figure if isinstance(figure, Figure) else figure.figure
