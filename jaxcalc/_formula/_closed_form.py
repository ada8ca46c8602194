"""The closed form of a derivative: text, LaTeX and Python code."""

from dataclasses import dataclass
from functools import cached_property

from jaxcalc._formula import _maps
from jaxcalc._formula._arrangement import Arranged, arranged, arranged_summands
from jaxcalc._formula._expression import Expression
from jaxcalc._formula._naming import Named, named
from jaxcalc._formula._shortening import MOST, shortened
from jaxcalc._formula._source import source
from jaxcalc._formula._styles import LATEX, TEXT


@dataclass(frozen=True)
class ClosedForm:
    """A derivative as a formula, in one layout.

    Attributes:
        arranged: what the formula is printed from.
        dtype: that of the dense array; without it, code takes that of an array in it.
    """

    arranged: Arranged
    dtype: str = ""

    @cached_property
    def _shown(self) -> Named:
        return self._shortened(MOST)

    def _shortened(self, most: int) -> Named:
        return shortened(self.arranged.shown, TEXT.formula, most)

    @cached_property
    def text(self) -> str:
        """The formula in the signs of Unicode, with a `where` for the names in it."""
        return TEXT.formula(self._shown)

    def within(self, most: int) -> str:
        """The text, of at most so many characters."""
        if len(self.text) <= most:
            return self.text
        return TEXT.formula(self._shortened(most))

    @cached_property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return LATEX.formula(self._shown)

    @cached_property
    def code(self) -> str:
        """The source of a function `derivative` of the formula's names: the dense array.

        Raises:
            ValueError: when a function without a closed form takes part; it says which.
        """
        return source(self._computed, self.arranged.shape, self.names, self.dtype)

    @cached_property
    def names(self) -> list[str]:
        """The names in the formula and the code, in the order in which one reads them."""
        return list(dict.fromkeys([*_names(self._shown), *_names(self._computed)]))

    @cached_property
    def _computed(self) -> Named:
        return named(self.arranged.computed)


def closed_form(map_: _maps.Map, transposed: bool = False, dtype: str = "") -> ClosedForm:
    """The closed form of the derivative `map_`, x to y; transposed, in denominator layout."""
    return ClosedForm(arranged(map_, transposed), dtype)


def summands(map_: _maps.Map, transposed: bool = False, dtype: str = "") -> list[ClosedForm]:
    """The terms of the derivative, multiplied out, each as a closed form of its own."""
    return [ClosedForm(made, dtype) for made in arranged_summands(map_, transposed)]


def _names(formula: Named) -> list[str]:
    """The arguments and captured arrays in a formula, in the order in which one reads them."""
    found: dict[str, None] = {}
    defined = {symbol for symbol, _ in formula.definitions}
    stack: list[Expression] = [formula.node, *(node for _, node in formula.definitions)][::-1]
    seen: set[Expression] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "name" and node not in defined:
            found[node["text"]] = None
        stack.extend(reversed(node.args))
    return list(found)
