"""The errors of a derivative over x, ours and the peer's."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxcalc.plot._picture import axes_or_new, figure_of
from jaxcalc.plot._references import Errors

# Told apart by the colour-blind, and by their marks.
STYLES: dict[str, dict[str, Any]] = {
    "jax.nn": {"color": "#D55E00", "marker": "x", "markersize": 3.5},
    "jaxcalc": {"color": "#0072B2", "marker": "o", "markersize": 2.5},
}
_PLAIN_UP_TO = 4  # digits before the point
_SIZE = (5.6, 3.1)


def draw(differentiated: str, found: Errors, dtype: np.dtype, ax: Axes | None) -> Figure:
    """Draw on `ax`, or on a new figure."""
    axes = axes_or_new(ax, _SIZE)
    nothing = 2.0 ** jnp.finfo(dtype).nmant  # the least that the error of 0 can be
    top = 16 * nothing
    for (name, style), error in zip(STYLES.items(), (found.peer, found.own), strict=True):
        label = f"{name}: at most {_number(np.max(error))}"
        axes.plot(found.x, np.minimum(error, top), ls="none", label=label, **style)
    axes.axhspan(nothing, top, color="0.5", alpha=0.2, lw=0)
    axes.text(found.x[0], 4 * nothing, "no digit is right", va="center")
    axes.set_yscale("symlog", linthresh=1)
    axes.set(xlabel="x", ylabel=f"error (ULP of {dtype.name})", ylim=(0, top))
    axes.set_title(f"d {differentiated} / dx", fontsize="medium")
    axes.legend(loc="center left")
    return figure_of(axes)


def _number(value: float) -> str:
    """Two digits."""
    if np.isinf(value):
        return "∞"
    digits, _, exponent = f"{value:.1e}".partition("e")
    if int(exponent) < _PLAIN_UP_TO:
        return f"{float(f'{value:.2g}'):g}"
    return rf"${digits} \times 10^{{{int(exponent)}}}$"
