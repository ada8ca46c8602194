r"""Formulas that fit above a picture.

The first that is no wider than the axes: as mathematics on one line, or with its definitions on a
second; as text on at most three, broken between words, and cut where there is more of it.
"""

import re
import textwrap
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from jaxcalc._formula import ClosedForm
from jaxcalc.plot._picture import figure_of

_POINTS = 72  # in an inch
_LINES = 3
_LONGEST = 160  # characters of text: to set a longer formula as mathematics may take seconds
_WHERE = r" \quad\text{where }"
# What matplotlib calls otherwise; bars, which it scales badly; fractions that can be read
_MATHTEXT = {
    r"\\(le|ge)\b": r"\\\1q",
    r"\\land\b": r"\\wedge",
    r"\\lor\b": r"\\vee",
    r"\\lnot\b": r"\\neg",
    r"\\left\\lVert|\\right\\rVert": r"\\Vert",
    r"\\left\||\\right\|": "|",
    r"\\frac": r"\\dfrac",
}
_WIDTHS = range(100, 3, -3)  # characters of a line


def set_title(axes: Axes, formula: ClosedForm) -> None:
    """The formula above the axes, never wider than they are."""
    room = axes.bbox.width / figure_of(axes).dpi * _POINTS
    font = FontProperties(size="medium")
    title = next((title for title in _titles(formula) if _width(title, font) <= room), "…")
    # a fraction stands on its bottom, not on its line
    axes.set_title(title, font=font, va="bottom", parse_math=title.startswith("$"))


def _titles(formula: ClosedForm) -> Iterator[str]:
    if len(formula.text) <= _LONGEST:
        yield from _as_mathematics(formula.latex)
    for width in _WIDTHS:
        yield "\n".join(_wrapped(formula.text, width))


def _as_mathematics(latex: str) -> Iterator[str]:
    for name, other in _MATHTEXT.items():
        latex = re.sub(name, other, latex)
    yield f"${latex}$"
    head, where, definitions = latex.partition(_WHERE)
    if where:
        yield f"${head}$\n$\\text{{where }}{definitions}$"


def _wrapped(text: str, width: int) -> list[str]:
    head, where, definitions = text.partition(" where ")
    parts = [head, f"where {definitions}"] if where else [head]
    lines = [line for part in parts for line in textwrap.wrap(part, width)]
    if len(lines) <= _LINES:
        return lines
    return textwrap.wrap(text, width, max_lines=_LINES, placeholder=" …")


def _width(title: str, font: FontProperties) -> float:
    """In points; infinite for what matplotlib cannot set."""
    try:
        return max(_line_width(line, font) for line in title.split("\n"))
    except ValueError:
        return float("inf")


def _line_width(line: str, font: FontProperties) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(line, font, line.startswith("$"))
    return float(width)
