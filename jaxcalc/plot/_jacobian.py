"""`jacobian`: the picture of a derivative."""

from typing import TYPE_CHECKING

from jax.typing import ArrayLike

from jaxcalc._layout.layout import Layout, LayoutLike
from jaxcalc.operators import LinearOperator
from jaxcalc.plot._library import need_matplotlib
from jaxcalc.plot._seen import seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def jacobian(
    J: LinearOperator | ArrayLike,
    *,
    layout: LayoutLike | None = None,
    y_ndim: int | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """The heat map of a derivative: blue below 0, red above, white at 0.

    The axes say which of them follows y and which x; the title is the formula, as mathematics where
    that fits, else as text, cut where it is long. What has more than two axes is shown as its
    matrix, entries in row-major order, with lines between its blocks; a scalar by a matrix, or the
    reverse, in the shape that the layout gives it. Entries that are not finite are hatched and
    counted; what is beyond 10³⁰⁰ has the colour of that.

    A matrix of more than 512 rows or columns is reduced: each cell shows, of a block of entries,
    the one of the largest magnitude, and the colour bar says how large the blocks are.

    Args:
        J: a `Derivative`, any other operator, or a real array of at least two axes.
        layout: that of `J`, where it does not know its own: arrays, operators, and derivatives that
            were computed with. Without it the rows are the outputs of the map `J @ v`, the columns
            its inputs.
        y_ndim: the rank of y, required for an array of more than two axes.
        ax: the axes to draw on; a figure of its own without them.

    Returns:
        The figure.

    Raises:
        ImportError: when matplotlib is not installed.
        TypeError: when `J` is no real array or operator, or is traced.
        ValueError: when `J` is a batch, has no entries or more than 2²⁴, or knows another layout;
            for an unknown layout, and a `y_ndim` that is missing or does not fit.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> J = jc.derive(lambda x: jc.softmax(x, axis=0), layout="denominator")(jnp.ones((3, 2)))
    >>> axes, colour_bar = jc.plot.jacobian(J).axes
    >>> print(axes.get_ylabel(), "|", axes.get_xlabel())
    inputs x (3×2) | outputs y (3×2)
    """
    need_matplotlib("plot.jacobian")
    from jaxcalc.plot import _heat_map  # matplotlib is optional

    return _heat_map.draw(seen(J, None if layout is None else Layout(layout), y_ndim), ax)
