"""The derivation of a derivative, step by step, each step with its rule in the notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple, Self

from jaxcalc._formula import _latex, _text
from jaxcalc._formula import _maps as maps
from jaxcalc._formula._arrangement import arranged_tensor
from jaxcalc._formula._closed_form import closed_form
from jaxcalc._formula._expression import Expression, name, walk
from jaxcalc._formula._local import Derivation, Step
from jaxcalc._formula._naming import named, replaced
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._tensor import Tensors
from jaxcalc._formula._writing import ATOM, COMPARISON, Writer

_LONG = 30  # characters


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


class Line(NamedTuple):
    """One step: its rule, and what it says in two styles."""

    rule: str
    plain: str
    latex: str


@dataclass(frozen=True)
class Wording:
    """How steps are said in one style."""

    writer: Writer
    by: str  # the derivative of one thing by another
    missing: str


PLAIN = Wording(_text.WRITER, "∂{}/∂{}", " has no closed form of its own")
LATEX = Wording(
    _latex.WRITER,
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
        One line a step: its number, its rule and the derivative of the operation.

    >>> from jaxcalc._formula import call, maps, name
    >>> A, x = name("A", (3, 4)), name("x", (4,))
    >>> Ax = call("contract", (A, x), (3,), labels=((0, 1), (1,)), out=(0,))
    >>> J = maps.Terms((3,), (4,), (maps.Term(((A, (0, 1)),), ((1, 0, None),), (0,)),))
    >>> print(explain(Ax, x, J))
    1. linear map: ∂(A x)/∂x = A
    2. the derivative: A
    """
    lines: list[Line] = []
    if value is not None and argument is not None:
        lines = _Explained(argument, transposed).lines(value)
    form = closed_form(map_, transposed)
    blocks = ", block by block" if "blockdiag" in form.text else ""
    rule = f"{_composition(map_, len(lines))}{blocks}"
    lines.append(Line(rule, form.text, form.latex))
    items = "".join(f"<li>{escape(line.rule)}: ${line.latex}$</li>" for line in lines)
    text = "\n".join(f"{i}. {line.rule}: {line.plain}" for i, line in enumerate(lines, 1))
    return Explanation(text, f"<ol>{items}</ol>")


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

    argument: Expression
    transposed: bool
    tensors: Tensors = field(default_factory=Tensors)
    notation: Notation = field(default_factory=Notation)

    def lines(self, value: Expression) -> list[Line]:
        whole = self.tensors.value(value)
        source, _ = self.tensors.algebra.squeezed(self.tensors.value(self.argument))
        if source not in set(walk(whole)):
            return []
        steps = Derivation(self.tensors.algebra, source).steps(whole)
        names = self._names(steps)
        return [
            Line(step.rule, self._said(step, names, PLAIN), self._said(step, names, LATEX))
            for step in steps
        ]

    def _names(self, steps: Sequence[Step]) -> dict[Expression, Expression]:
        """Names, for the steps that follow, of what is long to write."""
        names: dict[Expression, Expression] = {}
        for step in steps:
            node = self.notation.of(step.whole)
            if len(_text_of(node, names, PLAIN)) > _LONG:
                names[node] = name(f"h{len(names) + 1}", node.shape)
        return names

    def _said(self, step: Step, names: Mapping[Expression, Expression], style: Wording) -> str:
        """The definition of its name, if it gets one, and its derivatives."""
        node = self.notation.of(step.whole)
        derivatives = "; ".join(self._derivative(step, *part, names, style) for part in step.parts)
        if node not in names:
            return derivatives
        before = {long: symbol for long, symbol in names.items() if long is not node}
        definition = style.writer.style.definition(
            _text_of(node, names, style), _text_of(node, before, style, COMPARISON)
        )
        return f"{definition}, {derivatives}"

    def _derivative(
        self,
        step: Step,
        part: Expression,
        tensor: Expression | None,
        names: Mapping[Expression, Expression],
        style: Wording,
    ) -> str:
        y, x = (_text_of(self.notation.of(e), names, style) for e in (step.whole, part))
        by = style.by.format(y, x)
        if tensor is None:
            return by + style.missing
        ends = maps.Zero(step.whole.shape, part.shape)
        made = arranged_tensor(self.tensors.algebra, self.notation, tensor, ends, self.transposed)
        return f"{by} = {style.writer.formula(named(replaced(made.shown, names)))}"


def _text_of(
    node: Expression, names: Mapping[Expression, Expression], style: Wording, least: int = ATOM
) -> str:
    return style.writer.write(replaced(node, names), least)
