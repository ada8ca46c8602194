"""Nodes as strings: what needs parentheses, where the minus and the fraction bars go.

The symbols come from a `Style`: one for text, one for LaTeX.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._expression import Expression
from jaxcalc._formula._naming import Named
from jaxcalc._formula._nodes import INDICES, Part

COMPARISON, SUM, OUTER, PRODUCT, POSTFIX, ATOM = range(6)
Written = tuple[str, int]
_PLAIN = 64
_ROUNDING = Fraction(1, 10**7)


@dataclass(frozen=True)
class Style:
    """How the signs of a formula are spelled."""

    minus: str
    dot: str  # ⊙
    cross: str  # ⊗
    one: str
    identity: str
    sigma: str
    normal: tuple[str, str]  # density and distribution
    delta: str
    equal: str
    infix: dict[str, str]
    functions: dict[str, str]
    name: Callable[[str], str]
    number: Callable[[Fraction], str]
    word: Callable[[str], str]
    counted: Callable[[str, int], str]
    call: Callable[[str, str], str]
    group: Callable[[str], str]
    bracket: Callable[[str], str]
    transpose: Callable[[str], str]
    inverse: Callable[[str, bool], str]
    pseudo_inverse: Callable[[str], str]
    power: Callable[[str, Fraction], str]
    raised: Callable[[str, str], str]
    root: Callable[[str, bool], str]
    over: Callable[[str, str], str]
    is_barred: bool
    norm: Callable[[str], str]
    size: Callable[[str], str]
    subscript: Callable[[str, Sequence[str]], str]
    entry: Callable[[str, Sequence[str]], str]
    summed: Callable[[Sequence[str]], str]
    blocks: Callable[[str, str], str]
    definition: Callable[[str, str], str]
    where: Callable[[str, Sequence[str]], str]
    omitted: Callable[[int], str]


@dataclass(frozen=True)
class Writer:
    """Writes nodes in one style.

    Attributes:
        style: how signs are spelled.
        signs: how the functions are written that have a sign of their own, such as |x|.
    """

    style: Style
    signs: Mapping[str, Callable[["Writer", Expression], Written]]

    def write(self, node: Expression, least: int = COMPARISON) -> str:
        """The node, in parentheses where it binds less than `least`."""
        text, strength = self.written(node)
        return self.style.group(text) if strength < least else text

    def written(self, node: Expression) -> Written:
        return getattr(self, f"_{node.op}")(node)

    def formula(self, named: Named) -> str:
        """The node, and what the names in it stand for."""
        text, definitions = self.write(named.node), self.defined(named)
        return self.style.where(text, definitions) if definitions else text

    def defined(self, named: Named) -> list[str]:
        """What the names stand for."""
        return [
            self.style.definition(self.write(symbol), self.write(node))
            for symbol, node in named.definitions
        ]

    def listed(self, args: Sequence[Expression]) -> str:
        return ", ".join(map(self.write, args))

    def _call(self, function: str, node: Expression) -> Written:
        """A function's value; of several, at an index. Unlike ones of one name are counted."""
        params = dict(node.get("params", ()))
        word = self.style.counted(self.style.word(function), params.get("number", 1))
        text, output = self.style.call(word, self.listed(node.args)), params.get("output")
        return (text if output is None else self.style.entry(text, [str(output)])), ATOM

    # --- leaves ---

    def _name(self, node: Expression) -> Written:
        return self.style.name(node["text"]), ATOM

    def _number(self, node: Expression) -> Written:
        return self.style.word(str(node["value"])), ATOM

    def _eye(self, node: Expression) -> Written:
        return self.style.identity, ATOM

    def _ones(self, node: Expression) -> Written:
        return self.style.one, ATOM

    def _sum(self, node: Expression) -> Written:
        return "0", ATOM

    def _omitted(self, node: Expression) -> Written:
        return self.style.omitted(node["count"]), ATOM

    # --- linear algebra ---

    def _plus(self, node: Expression) -> Written:
        first, *rest = node.args
        text = self._summand(first, SUM)
        for arg in rest:
            if nodes.is_negative(arg):
                text += f" {self.style.minus} {self._summand(nodes.negated(arg), OUTER)}"
            else:
                text += f" + {self._summand(arg, SUM)}"
        return text, SUM

    def _summand(self, node: Expression, least: int) -> str:
        """A term; beside others the array of ones is the number."""
        return "1" if node.op == "ones" else self.write(node, least)

    def _matmul(self, node: Expression) -> Written:
        return " ".join(self.write(arg, POSTFIX) for arg in node.args), PRODUCT

    def _kron(self, node: Expression) -> Written:
        return f" {self.style.cross} ".join(self.write(a, POSTFIX) for a in node.args), OUTER

    def _transposed(self, node: Expression) -> Written:
        (arg,) = node.args
        if arg.op == "apply" and arg["function"] == "inv":
            return self.style.inverse(self.write(arg.args[0], ATOM), True), POSTFIX
        return self.style.transpose(self.write(arg, ATOM)), POSTFIX

    def _diag(self, node: Expression) -> Written:
        return self._call("diag", node)

    def _diagonal(self, node: Expression) -> Written:
        return self._call("diagonal", node)

    def _trace(self, node: Expression) -> Written:
        return self._call("tr", node)

    def _total(self, node: Expression) -> Written:
        return self._call("sum", node)

    def _norm(self, node: Expression) -> Written:
        return self.style.norm(self.write(node.args[0])), ATOM

    def _blockdiag(self, node: Expression) -> Written:
        return self.style.blocks(node["index"], self.write(node.args[0])), ATOM

    # --- products ---

    def _power(self, node: Expression) -> Written:
        return self._raised(node.args[0], node["exponent"])

    def _raised(self, base: Expression, exponent: Fraction) -> Written:
        if exponent < 0:
            return self._quotient("1", [(base, -exponent)])
        if exponent == 1:
            return self.written(base)
        if exponent == Fraction(1, 2):
            text, strength = self.written(base)
            return self.style.root(text, strength >= ATOM), POSTFIX
        return self.style.power(self.write(base, ATOM), exponent), POSTFIX

    def _quotient(self, top: str, bottom: Sequence[Part]) -> Written:
        least = self._below_bar(bottom)
        parts = [self.grouped(self._raised(*part), least) for part in bottom]
        return self.over(top, f" {self.style.dot} ".join(parts), len(parts) == 1)

    def _below_bar(self, parts: Sequence[object]) -> int:
        """How strongly what stands alone under a fraction bar must bind."""
        return COMPARISON if self.style.is_barred and len(parts) == 1 else POSTFIX

    def over(self, top: str, bottom: str, single: bool = True) -> Written:
        if self.style.is_barred:
            return self.style.over(top, bottom), POSTFIX
        return self.style.over(top, bottom if single else self.style.group(bottom)), PRODUCT

    def grouped(self, written: Written, least: int) -> str:
        text, strength = written
        return self.style.group(text) if strength < least else text

    def _hadamard(self, node: Expression) -> Written:
        parts = list(zip(node.args, node["powers"], strict=True))
        above = [self.grouped(self._raised(*p), POSTFIX) for p in parts if p[1] > 0]
        below = [(arg, -power) for arg, power in parts if power < 0]
        top = f" {self.style.dot} ".join(above) or "1"
        if not below:
            return top, PRODUCT
        several = len(above) > 1 and not self.style.is_barred
        return self._quotient(self.style.group(top) if several else top, below)

    def _times(self, node: Expression) -> Written:
        above, below = self._above(node), self._below(node)
        text, strength = above[0] if len(above) == 1 else (self._juxtaposed(above), PRODUCT)
        if below:
            least = COMPARISON if self.style.is_barred and len(below) == 1 else POSTFIX
            bottom = " ".join(self.grouped(part, least) for part in below)
            top = text if self.style.is_barred else self.grouped((text, strength), PRODUCT)
            text, strength = self.over(top, bottom, len(below) == 1)
        if node["coefficient"] < 0:
            return self.style.minus + self.grouped((text, strength), OUTER), SUM
        return text, strength

    def _juxtaposed(self, parts: Sequence[Written]) -> str:
        """Scalars before what they multiply; only the last may be a product of arrays."""
        *scalars, last = parts
        texts = [self.grouped(part, POSTFIX) for part in scalars]
        return " ".join([*texts, self.grouped(last, PRODUCT)])

    def _above(self, node: Expression) -> list[Written]:
        """What is multiplied: a number, scalars, an array."""
        coefficient = readable(abs(node["coefficient"]))
        number = coefficient.numerator if _is_plain(coefficient) else coefficient
        parts = [] if number == 1 else [(self.style.number(Fraction(number)), ATOM)]
        scalars = zip(node.args, node["powers"], strict=False)
        parts += [self._raised(*part) for part in scalars if part[1] > 0]
        body = node.args[len(node["powers"]) :]
        if body and (body[0].op != "ones" or not (parts or self._below(node))):
            parts += [self.written(body[0])]  # every entry of ones is the number before it
        return parts or [("1", ATOM)]

    def _below(self, node: Expression) -> list[Written]:
        """What it is divided by."""
        coefficient = readable(abs(node["coefficient"]))
        number = coefficient.denominator if _is_plain(coefficient) else 1
        parts = [] if number == 1 else [(self.style.number(Fraction(number)), ATOM)]
        scalars = zip(node.args, node["powers"], strict=False)
        return parts + [self._raised(base, -power) for base, power in scalars if power < 0]

    # --- functions ---

    def _apply(self, node: Expression) -> Written:
        function = node["function"]
        if function in self.signs:
            return self.signs[function](self, node)
        if function in self.style.infix:
            sign = f" {self.style.infix[function]} "
            return sign.join(self.write(arg, SUM) for arg in node.args), COMPARISON
        return self._call(self.style.functions.get(function, function), node)

    # --- entries ---

    def _at(self, node: Expression) -> Written:
        """An array at an index: a subscript where only the first axis is read."""
        places: list[tuple[int, str]] = []
        while node.op == "at":
            places.append((node["axis"], node["index"]))
            node = node.args[0]
        base = self.write(node, ATOM)
        if all(axis == 0 and index.isalpha() for axis, index in places):
            return self.style.subscript(base, [index for _, index in reversed(places)]), ATOM
        read = [":"] * len(node.shape)
        free = list(range(len(node.shape)))
        for axis, index in reversed(places):
            read[free.pop(axis)] = index
        while read[-1] == ":":
            read.pop()
        return self.style.entry(base, read), ATOM

    def _einsum(self, node: Expression) -> Written:
        labels = [*node["labels"], tuple(range(len(node.shape)))]
        letters = {i: INDICES[k] for k, i in enumerate(sorted({i for x in labels for i in x}))}
        *read, out = ("".join(letters[i] for i in x) for x in labels)
        args = [self._raised(*part)[0] for part in zip(node.args, node["powers"], strict=True)]
        script = f'"{",".join(read)}→{out}"'
        return self.style.call(self.style.word("einsum"), ", ".join([script, *args])), ATOM

    def _entries(self, node: Expression) -> Written:
        rank = len(node.shape)
        text = self.style.entry("J", INDICES[:rank]) + f" {self.style.equal} "
        for position, term in enumerate(node.args):
            sign = self.style.minus if nodes.is_negative(term) else "+" if position else ""
            text += (f" {sign} " if position else sign) + self.entry(term, rank)
        return (text if node.args else text + "0"), COMPARISON

    def entry(self, term: Expression, rank: int) -> str:
        """|coefficient| Σ Π factors, each at its indices."""
        if term.op == "omitted":
            return self.write(term)
        number = readable(abs(term["coefficient"])) if term.op == "times" else Fraction(1)
        top = number.numerator if _is_plain(number) else number
        texts = [] if top == 1 else [self.style.number(Fraction(top))]
        term = term.args[0] if term.op == "times" else term
        every = [*range(rank), *sorted({i for x in term["labels"] for i in x if i >= rank})]
        letter = {i: INDICES[k] for k, i in enumerate(every)}
        if every[rank:]:
            texts.append(self.style.summed([letter[i] for i in every[rank:]]))
        for arg, labels, power in zip(term.args, term["labels"], term["powers"], strict=True):
            texts.append(self._entry_of(arg, [letter[i] for i in labels], power))
        text = " ".join(texts) or self.style.one
        if number.denominator == 1 or not _is_plain(number):
            return text
        return self.style.over(text, self.style.number(Fraction(number.denominator)))

    def _entry_of(self, arg: Expression, indices: Sequence[str], power: Fraction) -> str:
        if arg.op == "eye":
            return self.style.entry(self.style.delta, indices)
        base = self.write(arg, ATOM)
        read = self.style.entry(base, indices) if indices else base
        return read if power == 1 else self.style.power(read, power)


def readable(number: Fraction) -> Fraction:
    """A simple fraction for one that is it but for the rounding of a float32."""
    near = number.limit_denominator(_PLAIN)
    return near if abs(near - number) <= _ROUNDING * abs(number) else number


def _is_plain(coefficient: Fraction) -> bool:
    """Whether a fraction is one that people write as such."""
    return coefficient.denominator <= _PLAIN
