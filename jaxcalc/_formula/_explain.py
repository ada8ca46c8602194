"""The derivation of a derivative, step by step, each step with its rule in the notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple, Self

from jaxcalc._formula import _maps as maps
from jaxcalc._formula._arrangement import arranged_in
from jaxcalc._formula._closed_form import closed_form
from jaxcalc._formula._expression import Expression, name, replaced, walk
from jaxcalc._formula._local import Derivation, Step
from jaxcalc._formula._naming import MOST, brief, shortened
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._strength import ATOM, COMPARISON
from jaxcalc._formula._styles import LATEX, TEXT
from jaxcalc._formula._tensor import Tensors
from jaxcalc._formula._writing import Writer

_LONG = 30  # characters of what is written again rather than named
_LINE = 400  # characters of one formula in a step
_LAST = 2_000  # and of the last one
_PARTS = 8  # derivatives in a step
_MORE = "… ({} more steps)"
_NUMBER = len("1000. \n")  # before and after a line


class Explanation(str):
    """A derivation: lines of text; in a notebook a list with its formulas set by LaTeX.

    Attributes:
        html: the list.
    """

    html: str

    def __new__(cls, text: str, html: str = "") -> Self:
        """Both styles of one derivation."""
        made = super().__new__(cls, text)
        made.html = html
        return made

    def _repr_html_(self) -> str:
        return self.html


class Sentence(NamedTuple):
    """One step: its rule, and what it says in two styles."""

    rule: str
    plain: str
    latex: str

    @property
    def text(self) -> str:
        """The step in a line of text."""
        return f"{self.rule}: {self.plain}"

    def item(self, number: int | None = None) -> str:
        """The step as an item of a list, in LaTeX."""
        value = "" if number is None else f' value="{number}"'
        return f"<li{value}>{escape(self.rule)}: ${self.latex}$</li>"


@dataclass(frozen=True)
class Wording:
    """How steps are said in one style."""

    writer: Writer
    values: Writer
    by: str  # the derivative of one thing by another
    missing: str


IN_TEXT = Wording(TEXT, TEXT.about(True), "∂{}/∂{}", " has no closed form of its own")
IN_LATEX = Wording(
    LATEX,
    LATEX.about(True),
    r"\frac{{\partial {}}}{{\partial {}}}",
    r"\text{ has no closed form of its own}",
)


def explain(
    value: Expression | None,
    argument: Expression | None,
    map_: maps.Map,
    transposed: bool = False,
) -> Explanation:
    """Numbered steps from the argument to the value, then the formula they make.

    Args:
        value: y, as an expression; None where it is not known.
        argument: x, as it occurs in `value`; None where y is not known as an expression of it.
        map_: the derivative, x to y.
        transposed: whether to write it in denominator layout.

    Returns:
        One line a step: its number, its rule and the derivative of the operation; of many steps
        the first, and how many more there are.

    >>> from jaxcalc._formula import call, maps, name
    >>> A, x = name("A", (3, 4)), name("x", (4,))
    >>> Ax = call("contract", (A, x), (3,), labels=((0, 1), (1,)), out=(0,))
    >>> J = maps.Terms((3,), (4,), (maps.Einsum(((A, (0, 1)),), ((1, 0, None),), (0,)),))
    >>> print(explain(Ax, x, J))
    1. linear map: ∂(A x)/∂x = A
    2. the derivative: A
    """
    explained = _Explained(argument, transposed)
    steps = [] if value is None else explained.steps(value)
    form = closed_form(map_, transposed)
    blocks = ", block by block" if "blockdiag" in form.text else ""
    last = Sentence(f"{_composition(map_, len(steps))}{blocks}", form.within(_LAST), form.latex)
    lines, room = list[Sentence](), MOST - len(last.text) - len(_MORE) - _NUMBER
    for step in steps:
        line = explained.line(step)
        room -= len(line.text) + _NUMBER
        if room < 0:
            break
        lines.append(line)
    return _numbered(lines, len(steps) - len(lines), last)


def _numbered(lines: Sequence[Sentence], more: int, last: Sentence) -> Explanation:
    """The lines in both styles, with the number of those that are left out before the last."""
    left_out = [_MORE.format(more)] if more else []
    text = [f"{i}. {line.text}" for i, line in enumerate(lines, 1)]
    text += [*left_out, f"{len(lines) + more + 1}. {last.text}"]
    items = [line.item() for line in lines]
    items += [
        *(f"<li>{escape(words)}</li>" for words in left_out),
        last.item(len(lines) + more + 1),
    ]
    return Explanation("\n".join(text), f"<ol>{''.join(items)}</ol>")


def _composition(map_: maps.Map, steps: int) -> str:
    """The rule that puts several steps together."""
    if steps < 2:
        return "the derivative"
    ranks = (len(map_.codomain), len(map_.domain))
    if ranks[1] == 0:
        return "chain with scalar input (C1)"
    return "chain with matrix input (C3)" if ranks == (0, 2) else "chain (C2)"


@dataclass
class _Explained:
    """The steps from an argument to a value, and what is needed to write them down."""

    argument: Expression | None
    transposed: bool
    tensors: Tensors = field(default_factory=Tensors)
    notation: Notation = field(default_factory=Notation)
    names: dict[Expression, Expression] = field(default_factory=dict)

    def steps(self, value: Expression) -> list[Expression]:
        """What there is to compute from the argument to the value."""
        if self.argument is None:
            return []
        whole = self.tensors.value(value)
        source, _ = self.tensors.algebra.squeezed(self.tensors.value(self.argument))
        if source not in set(walk(whole)):
            return []
        self.derivation = Derivation(self.tensors.algebra, source)
        return self.derivation.steps(whole)

    def line(self, value: Expression) -> Sentence:
        """A step's rule and derivatives; what is long to write gets a name for the next ones."""
        step = self.derivation.step(value)
        node, definitions = self.notation.of(step.whole), ["", ""]
        if len(self._text(step.whole, IN_TEXT)) > _LONG:
            symbol = name(f"h{len(self.names) + 1}", node.shape)
            definitions = [self._definition(symbol, step, style) for style in (IN_TEXT, IN_LATEX)]
            self.names[node] = symbol
        plain, latex = (
            definition + "; ".join(self._derivatives(step, style))
            for definition, style in zip(definitions, (IN_TEXT, IN_LATEX), strict=True)
        )
        return Sentence(step.rule, plain, latex)

    def _definition(self, symbol: Expression, step: Step, style: Wording) -> str:
        value = self._text(step.whole, style, COMPARISON)
        return f"{style.writer.write(symbol)} = {value}, "

    def _derivatives(self, step: Step, style: Wording) -> list[str]:
        """The derivatives by the parts of a step; of many the first."""
        written = [self._derivative(step, *part, style) for part in step.parts[:_PARTS]]
        more = len(step.parts) - _PARTS
        return [*written, f"… ({more} more)"] if more > 0 else written

    def _derivative(
        self, step: Step, part: Expression, map_: maps.Map | None, style: Wording
    ) -> str:
        by = style.by.format(*(self._text(value, style) for value in (step.whole, part)))
        if map_ is None:
            return by + style.missing
        made = arranged_in(self.tensors, self.notation, map_, self.transposed)
        shown = shortened(replaced(made.shown, self.names), IN_TEXT.writer.formula, _LINE)
        return f"{by} = {style.writer.formula(shown)}"

    def _text(self, value: Expression, style: Wording, least: int = ATOM) -> str:
        node = replaced(self.notation.of(value), self.names)
        return style.values.write(brief(node, IN_TEXT.writer.write, _LINE), least)
