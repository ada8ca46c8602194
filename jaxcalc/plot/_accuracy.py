"""`accuracy`: the picture of a derivative's errors."""

from typing import TYPE_CHECKING

import numpy as np
from jax.typing import DTypeLike

from jaxcalc._arrays import float_dtype
from jaxcalc.plot._library import need_matplotlib
from jaxcalc.plot._references import FUNCTIONS, errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy(name: str, *, dtype: DTypeLike = "float32", ax: "Axes | None" = None) -> "Figure":
    """The error of a function's first derivative over x, beside that of its namesake in `jax.nn`.

    In ULP, units in the last place of `dtype`, against the derivative in float64 by a form in which
    nothing cancels; both are compiled by `jax.jit` for the default device. An error of half a unit
    is that of rounding; where no digit is right it is at least 2²³ units in float32. The axis is
    linear up to 1 and logarithmic above.

    Functions of rows are those of two logits, x and 0; a loss has the label that x is for. The
    peers of losses are written with `jax.nn.logsumexp` and `jax.nn.log_sigmoid`. x goes as far as
    the derivative is well within the normal numbers of `dtype`, to ±78.6 in float32.

    Args:
        name: sigmoid, logistic, log_sigmoid, softplus, softmax, log_softmax, logsumexp,
            softmax_cross_entropy or sigmoid_binary_cross_entropy.
        dtype: float32, bfloat16 or float16.
        ax: the axes to draw on; a figure of its own without them.

    Returns:
        The figure.

    Raises:
        ImportError: when matplotlib is not installed.
        TypeError: when `dtype` is no real floating dtype.
        ValueError: for an unknown name, or float64, in which the reference is no better.

    >>> import jaxcalc as jc
    >>> (axes,) = jc.plot.accuracy("sigmoid").axes
    >>> print(axes.get_title(), "|", axes.get_ylabel())
    d sigmoid(x) / dx | error (ULP of float32)
    """
    need_matplotlib("plot.accuracy")
    from jaxcalc.plot import _curves  # matplotlib is optional

    if name not in FUNCTIONS:
        raise ValueError(f"`name` must be one of {', '.join(FUNCTIONS)}, but got {name!r}.")
    function, checked = FUNCTIONS[name], _short(dtype)
    return _curves.draw(function.differentiated, errors(function, checked), checked, ax)


def _short(dtype: DTypeLike) -> np.dtype:
    checked = float_dtype(dtype)
    if checked is None or checked.itemsize > 4:
        raise ValueError(
            f"`dtype` must be float32, bfloat16 or float16, but got {dtype}; "
            "the reference is in float64."
        )
    return checked
