"""Maps as what they do to entries: s[i] s[j] ∂x[j] → y[i], one line a term."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxcalc._formula import _maps as maps
from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._expression import Expression, call
from jaxcalc._formula._naming import named
from jaxcalc._formula._nodes import INDICES
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._product import Labels, relabel, unpack
from jaxcalc._formula._styles import TEXT
from jaxcalc._formula._sums import terms
from jaxcalc._formula._tensor import Tensors


def terms_of(map_: maps.Map) -> tuple[str, ...]:
    r"""A line for each term of each map, those that are applied first before the others.

    What one map of a chain gives to the next is d1, d2, …; indices that stand on the left alone
    are summed over. The last line says what names stand for.

    >>> from jaxcalc._formula import call, maps, name
    >>> s = call("softmax", (name("x", (3,)),), (3,), axes=(-1,))
    >>> print("\n".join(terms_of(maps.of_rows("softmax", s, (-1,)))))
    s[i] ∂x[i] → y[i]
    −s[i] s[j] ∂x[j] → y[i]
    where s = softmax(x)
    """
    lines = list(_Lines().lines(map_, "∂x", "y"))
    whole = named(call("terms", [line.factors for line in lines], ()))
    texts = [line.written(body) for line, body in zip(lines, whole.node.args, strict=True)]
    definitions = TEXT.defined(whole)
    return (*texts, f"where {', '.join(definitions)}") if definitions else tuple(texts)


class Line(NamedTuple):
    """factors[…] source[read] → target[out]: an einsum, and the labels of both ends."""

    factors: Expression
    source: str
    read: Labels
    target: str
    out: Labels

    def written(self, factors: Expression) -> str:
        """The line, with names in its factors."""
        text = TEXT.entry(factors, len(self.out) + len(self.read))
        sign = TEXT.style.minus if nodes.is_negative(factors) else ""
        before = "" if text == TEXT.style.one else f"{text} "
        return f"{sign}{before}{_at(self.source, self.read)} → {_at(self.target, self.out)}"


def _at(text: str, labels: Labels) -> str:
    return f"{text}[{', '.join(INDICES[i] for i in labels)}]" if labels else text


@dataclass
class _Lines:
    tensors: Tensors = field(default_factory=Tensors)
    notation: Notation = field(default_factory=Notation)
    between: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def lines(self, map_: maps.Map, source: str, target: str) -> Iterator[Line]:
        if isinstance(map_, maps.Addition):
            for part in map_.maps:
                yield from self.lines(part, source, target)
        elif isinstance(map_, maps.Composition):
            parts = map_.maps[::-1]
            ends = [source, *(f"d{next(self.between)}" for _ in parts[1:]), target]
            for part, (start, end) in zip(parts, itertools.pairwise(ends), strict=True):
                yield from self.lines(part, start, end)
        else:
            for term in terms(self.tensors.of(map_)):
                for product in self.tensors.algebra.distributed(term):
                    yield self._line(product, len(map_.codomain), source, target)

    def _line(self, term: Expression, split: int, source: str, target: str) -> Line:
        """A term, where a δ between both ends is one label."""
        product, rank = unpack(term), len(term.shape)
        ends = range(split, rank)
        ties = [f for f in product.factors if f.value.op == "eye" and f.labels[1] in ends]
        tied = {f.labels[1]: f.labels[0] for f in ties if f.labels[0] < split}
        kept = [f for f in product.factors if f not in ties or f.labels[0] >= split]
        factors = self.notation.einsum(product._replace(factors=tuple(relabel(kept, tied))))
        read = tuple(tied.get(label, label) for label in range(split, rank))
        return Line(factors, source, read, target, tuple(range(split)))
