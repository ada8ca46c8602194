"""Nodes as formulas: what is written in text and in LaTeX alike, each a style."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._expression import Expression
from jaxcalc._formula._naming import Named
from jaxcalc._formula._nodes import INDICES
from jaxcalc._formula._rules import ELEMENTWISE
from jaxcalc._formula._strength import ATOM, COMPARISON, POSTFIX, PRODUCT, SUM
from jaxcalc._formula._walking import Spelling, Walker, Written

_PLAIN = 64
_ROUNDING = Fraction(1, 10**7)


@dataclass(frozen=True)
class Style(Spelling):
    """How the signs of a formula are spelled."""

    cross: str  # ⊗
    one: str
    sigma: str
    normal: tuple[str, str]  # density and distribution
    delta: str
    infix: Mapping[str, str]
    name: Callable[[str], str]
    number: Callable[[Fraction], str]
    word: Callable[[str], str]
    counted: Callable[[str, int], str]
    bracket: Callable[[str], str]
    transpose: Callable[[str], str]
    inverse: Callable[[str, bool], str]
    pseudo_inverse: Callable[[str], str]
    raised: Callable[[str, str], str]
    over: Callable[[str, str], str]
    is_barred: bool
    norm: Callable[[str], str]
    size: Callable[[str], str]
    subscript: Callable[[str, Sequence[str]], str]
    entry: Callable[[str, Sequence[str]], str]
    summed: Callable[[Sequence[str]], str]
    blocks: Callable[[str, str], str]
    where: Callable[[str, Sequence[str]], str]
    omitted: Callable[[int], str]
    functions: Mapping[str, str]
    identity: str = "I"


@dataclass(frozen=True)
class Writer(Walker):
    """Writes nodes in one style.

    Attributes:
        style: how signs are spelled.
        signs: how the functions are written that have a sign of their own, such as |x|.
        is_entrywise: whether it is about entries, where 1 1ᵀ is but the number 1.
    """

    style: Style
    signs: Mapping[str, Callable[["Writer", Expression], Written]]
    is_entrywise: bool = False

    def written(self, node: Expression) -> Written:
        """The node, and how strongly its last operation binds."""
        if self.is_entrywise and nodes.is_outer_of_ones(node):
            return "1", ATOM
        return Walker.written(self._inside(node), node)

    def _inside(self, node: Expression) -> "Writer":
        """What writes the arguments of a node."""
        is_entrywise = _reads_entries(node) or (self.is_entrywise and node.op in ("plus", "times"))
        return self if is_entrywise == self.is_entrywise else self.about(is_entrywise)

    def about(self, entries: bool) -> "Writer":
        """The same, about entries or not."""
        return replace(self, is_entrywise=entries)

    def formula(self, named: Named) -> str:
        """The node, and what the names in it stand for."""
        text, definitions = self.write(named.node), self.defined(named)
        return self.style.where(text, definitions) if definitions else text

    def defined(self, named: Named) -> list[str]:
        """What the names stand for: of those that are read entry by entry alone, the entries."""
        matrices, made = set(self._matrices(named.node)), []
        for symbol, node in named.definitions:
            writer = self.about(symbol not in matrices)
            matrices |= set(writer._matrices(node))
            made.append(f"{self.write(symbol)} = {writer.write(node)}")
        return made

    def _matrices(self, root: Expression) -> Iterator[Expression]:
        """The names in a node that are read as a whole."""
        seen: set[tuple[bool, Expression]] = set()
        stack = [(self.is_entrywise, root)]
        while stack:
            about, node = stack.pop()
            if node.op == "name" and not about:
                yield node
            inside = self.about(about)._inside(node).is_entrywise
            new = {(inside, arg) for arg in node.args} - seen
            stack += new
            seen |= new

    def numbers_may_stand(self, node: Expression) -> bool:
        """Beside the entries of a column, and of matrices where it is about entries."""
        return self.is_entrywise or len(node.shape) == 1

    def _call(self, function: str, node: Expression) -> Written:
        """A function's value; of several, at an index. Unlike ones of one name are counted."""
        params = dict(node["params"])
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

    def _matmul(self, node: Expression) -> Written:
        return " ".join(self.write(arg, POSTFIX) for arg in node.args), PRODUCT

    def _transposed(self, node: Expression) -> Written:
        (arg,) = node.args
        if arg.op == "apply" and arg["function"] == "inv":
            return self.style.inverse(self.write(arg.args[0], ATOM), True), POSTFIX
        return self.style.transpose(self.write(arg, ATOM)), POSTFIX

    def _norm(self, node: Expression) -> Written:
        return self.style.norm(self.write(node.args[0])), ATOM

    def _blockdiag(self, node: Expression) -> Written:
        return self.style.blocks(node["index"], self.write(node.args[0])), ATOM

    # --- products ---

    def quotient(self, number: Fraction) -> tuple[list[Written], list[Written]]:
        """A simple fraction as its parts, any other number as a decimal."""
        number = readable(number)
        parts = number.as_integer_ratio() if _is_plain(number) else (number, 1)
        above, below = ([self.style.number(Fraction(n))] if n != 1 else [] for n in parts)
        return [(text, ATOM) for text in above], [(text, ATOM) for text in below]

    def body(self, node: Expression, has_scalars: bool) -> list[Written]:
        """Every entry of ones is the number before it."""
        is_number = node.op == "ones" or (self.is_entrywise and nodes.is_outer_of_ones(node))
        return [] if is_number and has_scalars else [self.written(node)]

    def fraction(
        self, above: Sequence[Written], below: Sequence[Written], sign: str, last: int
    ) -> Written:
        """With a fraction bar what is above needs no parentheses, nor what is alone below."""
        *first, end = above or [("1", ATOM)]
        if not first and not below:
            return end
        is_barred, is_single = self.style.is_barred, len(below) == 1
        least = COMPARISON if is_barred and below and not first else last
        text = sign.join([*(self.grouped(p, POSTFIX) for p in first), self.grouped(end, least)])
        if not below:
            return text, PRODUCT
        if first and last == POSTFIX and not is_barred:
            text = self.style.group(text)  # x ⊙ y/z is read as two things
        least = COMPARISON if is_barred and is_single else POSTFIX
        return self.over(text, sign.join(self.grouped(p, least) for p in below), is_single)

    def over(self, top: str, bottom: str, single: bool = True) -> Written:
        if self.style.is_barred:
            return self.style.over(top, bottom), POSTFIX
        return self.style.over(top, bottom if single else self.style.group(bottom)), PRODUCT

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
        script = self.script(node["labels"], tuple(range(len(node.shape))), "→")
        powers = zip(node.args, node["powers"], strict=True)
        args = [script, *(self.raised(*part)[0] for part in powers)]
        return self.style.call(self.style.word("einsum"), ", ".join(args)), ATOM

    def _entries(self, node: Expression) -> Written:
        rank = len(node.shape)
        return f"{self.style.entry('J', INDICES[:rank])} = {self._terms(node, rank)}", COMPARISON

    def _terms(self, node: Expression, rank: int) -> str:
        """The sum of the terms, a factor that all have in common before or below it."""
        text = ""
        for position, term in enumerate(node.args):
            sign = self.style.minus if nodes.is_negative(term) else "+" if position else ""
            text += (f" {sign} " if position else sign) + self.entry(term, rank)
        return text or "0"

    def entry(self, term: Expression, rank: int) -> str:
        """|coefficient| Σ Π factors, each at its indices."""
        if term.op == "omitted":
            return self.write(term)
        number = abs(term["coefficient"]) if term.op == "times" else Fraction(1)
        term = term.args[0] if term.op == "times" else term
        above, below = ([text for text, _ in part] for part in self.quotient(number))
        summed = sorted({i for labels in term["labels"] for i in labels if i >= rank})
        letter = dict(zip([*range(rank), *summed], INDICES, strict=False))
        if summed:
            above.append(self.style.summed([letter[i] for i in summed]))
        for arg, labels, power in zip(term.args, term["labels"], term["powers"], strict=True):
            side = above if power > 0 else below
            side.append(self._entry_of(arg, [letter[i] for i in labels], rank, abs(power)))
        top, bottom = (self.style.space.join(side) for side in (above, below))
        top = top or self.style.one
        return self.over(top, bottom, len(below) == 1)[0] if below else top

    def _entry_of(self, arg: Expression, indices: Sequence[str], rank: int, power: Fraction) -> str:
        if arg.op == "entries":
            return self.style.group(self._terms(arg, rank))
        if arg.op == "eye":
            return self.style.entry(self.style.delta, indices)
        base = self.about(True).write(arg, ATOM)
        read = self.style.entry(base, indices) if indices else base
        if power == Fraction(1, 2):
            return self.style.root(read, True)
        return read if power == 1 else self.style.power(read, power)


def readable(number: Fraction) -> Fraction:
    """A simple fraction for one that is it but for the rounding of a float32."""
    near = number.limit_denominator(_PLAIN)
    return near if abs(near - number) <= _ROUNDING * abs(number) else number


def _is_plain(coefficient: Fraction) -> bool:
    """Whether a fraction is one that people write as such."""
    return coefficient.denominator <= _PLAIN


def _reads_entries(node: Expression) -> bool:
    """Whether a node is an operation entry by entry, or a tensor made of entries."""
    if node.op == "apply":
        return node["function"] in ELEMENTWISE
    is_matrix = node.op == "diag" and len(node.args[0].shape) == 2
    return is_matrix or node.op in ("hadamard", "power", "einsum")
