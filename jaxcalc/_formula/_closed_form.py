"""The closed form of a derivative: text, LaTeX, and the source of a function that computes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxcalc._formula import _maps
from jaxcalc._formula._arrangement import Arranged, arranged, arranged_summands
from jaxcalc._formula._code import CodeWriter
from jaxcalc._formula._expression import Expression, Shape, walk
from jaxcalc._formula._functions import index_arguments
from jaxcalc._formula._naming import MOST, Named, named, shortened
from jaxcalc._formula._rules import BOOLEAN
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

    @property
    def is_zero(self) -> bool:
        """Whether all entries are known to be 0."""
        return self.arranged.shown.op == "sum"

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


def summands(
    map_: _maps.Map, most: int, transposed: bool = False, dtype: str = ""
) -> list[tuple[ClosedForm, list[ClosedForm]]]:
    """The terms of the derivative, multiplied out, each as a closed form; none if more than `most`.

    With each come those that have one square matrix in it transposed: A Bᵀ x and Aᵀ B x for A B x.
    """
    return [
        (ClosedForm(made, dtype), [ClosedForm(other, dtype) for other in turned])
        for made, turned in arranged_summands(map_, transposed, most)
    ]


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


def source(named: Named, shape: Shape, parameters: Sequence[str], dtype: str = "") -> str:
    """The source of `derivative`, which returns an array of `shape`, and of `dtype` if given."""
    live = _live(named, index_arguments)
    writer = CodeWriter(_dtype(named, live, dtype))
    written = (
        (symbol["text"], writer.write(node) if symbol in live else writer.index(node))
        for symbol, node in reversed(named.definitions)
    )
    lines = [f"    {symbol} = {text}" for symbol, text in written]
    result = writer.dense(named.node, shape)
    body = "\n".join([*lines, f"    return {result}"])
    imports = "".join(line for name, line in _IMPORTS.items() if name in body)
    return f"{imports}\n\ndef derivative({', '.join(parameters)}):\n{body}\n"


_IMPORTS = {  # by what they are for
    "jax.": "import jax\n",
    "": "import jax.numpy as jnp\n",
    "jc.": "\nimport jaxcalc as jc\n",
}


def _dtype(named: Named, live: set[Expression], dtype: str) -> str:
    """`, dtype=` with that of an array which takes part in arithmetic, else the one given."""
    defined = {symbol for symbol, _ in named.definitions}
    counted = _live(named, lambda node: [*index_arguments(node), *_compared(node)])
    roots = [named.node, *(node for _, node in named.definitions)]
    names = [n for n in walk(*roots) if n.op == "name" and n in live - defined]
    chosen = [n["text"] for n in names if n in counted]
    if not chosen and dtype:
        return f", dtype=jnp.{dtype}"
    found = chosen or [n["text"] for n in names]
    real = ".real" if any(_function(n) in _PARTS for n in walk(*roots)) else ""
    return f", dtype={found[0]}{real}.dtype" if found else ""


_PARTS = {"real", "imag", "irfft"}  # of arrays that may be complex


def _live(named: Named, left_out: Callable[[Expression], Sequence[Expression]]) -> set[Expression]:
    """The nodes that are more than what is left out of others: an index, say."""
    meaning = dict(named.definitions)
    live: set[Expression] = set()
    stack = [named.node]
    while stack:
        node = stack.pop()
        if node not in live:
            live.add(node)
            apart = left_out(node)
            stack += [arg for arg in node.args if arg not in apart]
            stack += [meaning[node]] if node in meaning else []
    return live


def _compared(node: Expression) -> Sequence[Expression]:
    """The arguments that need not be floating."""
    function = _function(node)
    if function in BOOLEAN or function in ("indicator", "convert_element_type"):
        return node.args
    return node.args[:1] if function == "select_n" else ()


def _function(node: Expression) -> str:
    return str(node["function"]) if node.op == "apply" else ""
