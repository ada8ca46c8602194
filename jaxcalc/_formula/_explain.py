"""The derivation of a derivative, step by step, each step with its rule in the notes."""

from dataclasses import dataclass, field

from jaxcalc._formula import _maps as maps
from jaxcalc._formula._arrangement import arranged_tensor
from jaxcalc._formula._closed_form import closed_form
from jaxcalc._formula._expression import Expression, name, walk
from jaxcalc._formula._local import Derivation, Step
from jaxcalc._formula._naming import named, replaced
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._tensor import Tensors
from jaxcalc._formula._text import WRITER
from jaxcalc._formula._writing import ATOM, COMPARISON

_LONG = 30  # characters


def explain(
    value: Expression | None,
    argument: Expression | None,
    map_: maps.Map,
    transposed: bool = False,
) -> str:
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
    lines: list[str] = []
    if value is not None and argument is not None:
        lines = _Explained(argument, transposed).lines(value)
    text = closed_form(map_, transposed).text
    blocks = ", block by block" if "blockdiag" in text else ""
    lines.append(f"{_composition(map_, len(lines))}{blocks}: {text}")
    return "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))


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
    """Writes steps."""

    argument: Expression
    transposed: bool
    tensors: Tensors = field(default_factory=Tensors)
    notation: Notation = field(default_factory=Notation)
    names: dict[Expression, Expression] = field(default_factory=dict)

    def lines(self, value: Expression) -> list[str]:
        whole = self.tensors.value(value)
        source, _ = self.tensors.algebra.squeezed(self.tensors.value(self.argument))
        if source not in set(walk(whole)):
            return []
        steps = Derivation(self.tensors.algebra, source).steps(whole)
        return [self._line(step) for step in steps]

    def _line(self, step: Step) -> str:
        """The step's rule and derivatives; what is long to write gets a name for the next ones."""
        node = self.notation.of(step.whole)
        text, naming = self._text(step.whole), ""
        if len(text) > _LONG:
            symbol = name(f"h{len(self.names) + 1}", node.shape)
            naming = f"{symbol['text']} = {self._text(step.whole, COMPARISON)}, "
            self.names[node] = symbol
        derivatives = [self._derivative(step, *part) for part in step.parts]
        return f"{step.rule}: {naming}{'; '.join(derivatives)}"

    def _derivative(self, step: Step, part: Expression, tensor: Expression | None) -> str:
        by = f"∂{self._text(step.whole)}/∂{self._text(part)}"
        if tensor is None:
            return f"{by} has no closed form of its own"
        ends = maps.Zero(step.whole.shape, part.shape)
        made = arranged_tensor(self.tensors.algebra, self.notation, tensor, ends, self.transposed)
        return f"{by} = {WRITER.formula(named(replaced(made.shown, self.names)))}"

    def _text(self, value: Expression, least: int = ATOM) -> str:
        return WRITER.write(replaced(self.notation.of(value), self.names), least)
