"""What formulas and code have in common: sums, products, powers, and what needs parentheses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._expression import Expression
from jaxcalc._formula._nodes import INDICES
from jaxcalc._formula._strength import ATOM, COMPARISON, OUTER, POSTFIX, PRODUCT, SUM

Written = tuple[str, int]


@dataclass(frozen=True)
class Spelling:
    """How arithmetic is spelled.

    Attributes:
        minus: the sign.
        space: what stands between scalars and what they multiply.
        dot: what stands between arrays that are multiplied entry by entry.
        calls: the operations of `_nodes` that are written as functions.
    """

    minus: str
    space: str
    dot: str
    calls: Mapping[str, str]
    call: Callable[[str, str], str]
    group: Callable[[str], str]
    root: Callable[[str, bool], str]
    power: Callable[[str, Fraction], str]


class Walker:
    """Writes nodes: a method for each operation of `_nodes`."""

    style: Spelling

    def written(self, node: Expression) -> Written:
        """The node, and how strongly its last operation binds."""
        function = self.style.calls.get(node.op)
        if function is not None:
            return self.style.call(function, self.listed(node.args)), ATOM
        made: Written = getattr(self, f"_{node.op}")(node)
        return made

    def write(self, node: Expression, least: int = COMPARISON) -> str:
        """The node, in parentheses where it binds less than `least`."""
        return self.grouped(self.written(node), least)

    def listed(self, args: Sequence[Expression]) -> str:
        """Arguments with commas between them."""
        return ", ".join(map(self.write, args))

    def grouped(self, written: Written, least: int) -> str:
        """What is written, in parentheses where it binds less than `least`."""
        text, strength = written
        return self.style.group(text) if strength < least else text

    def operand(self, node: Expression, may_be_number: bool) -> Written:
        """The node; an array of one number as that number, where others have the shape."""
        number = nodes.number_in(node) if may_be_number else None
        return self.written(node if number is None else number)

    def numbers_may_stand(self, node: Expression) -> bool:
        """Whether a number among the arguments is read as an array of their shape."""
        return any(nodes.number_in(arg) is None for arg in node.args)

    # --- sums and products ---

    def _plus(self, node: Expression) -> Written:
        first, *rest = node.args
        may_be_number = self.numbers_may_stand(node)
        text = self.grouped(self.operand(first, may_be_number), SUM)
        for arg in rest:
            sign, term, least = "+", arg, SUM
            if nodes.is_negative(arg):
                sign, term, least = self.style.minus, nodes.negated(arg), OUTER
            text += f" {sign} {self.grouped(self.operand(term, may_be_number), least)}"
        return text, SUM

    def _times(self, node: Expression) -> Written:
        coefficient, scalars, body = nodes.parts_of(node)
        above, below = self.quotient(abs(coefficient))
        above += [self.raised(base, power) for base, power in scalars if power > 0]
        below += [self.raised(base, -power) for base, power in scalars if power < 0]
        above += [] if body is None else self.body(body, bool(above or below))
        text, strength = self.fraction(above, below, self.style.space, PRODUCT)
        if coefficient < 0:
            return self.style.minus + self.grouped((text, strength), OUTER), SUM
        return text, strength

    def _hadamard(self, node: Expression) -> Written:
        parts = list(zip(node.args, node["powers"], strict=True))
        above = [self.raised(base, power) for base, power in parts if power > 0]
        below = [self.raised(base, -power) for base, power in parts if power < 0]
        return self.fraction(above, below, self.style.dot, POSTFIX)

    def _power(self, node: Expression) -> Written:
        return self.raised(node.args[0], node["exponent"])

    def raised(self, base: Expression, exponent: Fraction) -> Written:
        """A power."""
        if exponent < 0:
            return self.fraction([], [self.raised(base, -exponent)], self.style.dot, POSTFIX)
        text, strength = self.written(base)
        if exponent == 1:
            return text, strength
        if exponent == Fraction(1, 2):
            return self.style.root(text, strength >= ATOM), POSTFIX
        return self.style.power(self.grouped((text, strength), ATOM), exponent), POSTFIX

    def quotient(self, number: Fraction) -> tuple[list[Written], list[Written]]:
        """A number as what is above and below a fraction bar."""
        raise NotImplementedError

    def body(self, node: Expression, has_scalars: bool) -> list[Written]:
        """The array that scalars multiply."""
        return [self.written(node)]

    def fraction(
        self, above: Sequence[Written], below: Sequence[Written], sign: str, last: int
    ) -> Written:
        """A product over another; `last` is how strongly its last factor must bind."""
        raise NotImplementedError

    def script(self, labels: Sequence[nodes.Labels], out: nodes.Labels, arrow: str) -> str:
        """The labels of an einsum, in letters."""
        every = sorted({i for x in [*labels, out] for i in x})
        letters = {i: INDICES[k] for k, i in enumerate(every)}
        read, to = (["".join(letters[i] for i in x) for x in xs] for xs in (labels, [out]))
        return f'"{",".join(read)}{arrow}{to[0]}"'
