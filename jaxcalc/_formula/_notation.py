"""Canonical expressions in the notation of linear algebra.

A product of arrays of at most two axes is a network: labels are its vertices, matrices its edges.
Summing over one label after another multiplies matrices, until what is left joins the labels of
the row and of the column. A network without such a reading becomes an `einsum`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._expression import Expression, call, walk
from jaxcalc._formula._nodes import Part
from jaxcalc._formula._numbers import content
from jaxcalc._formula._product import Factor, Labels, Monomial, pack, relabel, unpack
from jaxcalc._formula._rules import ELEMENTWISE

_OPPOSITE = {"ge": "lt", "gt": "le", "eq": "ne", "ne": "eq"}


@dataclass
class Item:
    """An elementwise product of nodes on one or two labels."""

    labels: Labels
    parts: list[Part]

    @property
    def node(self) -> Expression:
        return nodes.hadamard(self.parts)

    def along(self, row: int) -> Expression:
        """The matrix with rows labelled `row`."""
        return self.node if self.labels[0] == row else nodes.transpose(self.node)

    def other(self, label: int) -> int:
        """The label at the other end."""
        return self.labels[1] if self.labels[0] == label else self.labels[0]


@dataclass
class Notation:
    """Nodes of canonical expressions, each made once."""

    memo: dict[Expression, Expression] = field(default_factory=dict)

    def of(self, value: Expression) -> Expression:
        """The node of a canonical expression."""
        if value not in self.memo:
            for part in walk(value):
                if part not in self.memo:
                    self.memo[part] = self._made(part)
        return self.memo[value]

    def _made(self, value: Expression) -> Expression:
        if value.op == "sum" and value.args:
            return self._sum(value)
        if value.op in ("sum", "product"):
            return self._product(unpack(value)) if value.args or value.op == "product" else value
        if value.op in ("name", "number", "eye"):
            return value
        whole = value.op not in ELEMENTWISE
        args = [self._whole(arg) if whole else self.of(arg) for arg in value.args]
        if value.op == "at":
            return Expression("at", tuple(args), value.params, value.shape)
        if value.op == "not" and args[0].op == "apply" and args[0]["function"] in _OPPOSITE:
            opposite = _OPPOSITE[args[0]["function"]]
            return nodes.apply(opposite, args[0].args, value.shape, value.params)
        return nodes.apply(value.op, args, value.shape, value.params)

    def _sum(self, value: Expression) -> Expression:
        """A sum; the number that all terms have in common goes in front."""
        products = [unpack(term) for term in value.args]
        common = content([product.coefficient for product in products])
        if abs(common) == 1:
            return nodes.plus([self.of(term) for term in value.args])
        parts = [p._replace(coefficient=p.coefficient / common) for p in products]
        made = nodes.plus([self.of(pack(part)) for part in parts])
        return made if made.op == "einsum" else nodes.times(common, [], made)

    def _whole(self, value: Expression) -> Expression:
        """The node with its axes of size 1, which the notation leaves out."""
        node = self.of(value)
        if node.shape == value.shape or 1 not in value.shape:
            return node
        if node.op == "apply" and node["function"] == "squeeze":
            (node,) = node.args
        return (
            node if node.shape == value.shape else nodes.apply("squeeze", [node], value.shape, ())
        )

    def _product(self, product: Monomial) -> Expression:
        rank = len(product.shape)
        labels = [i for i in range(rank) if product.shape[i] != 1]
        names = {label: i for i, label in enumerate(labels)}
        names |= {label: len(labels) + i for i, label in enumerate(sorted(product.summed))}
        factors = relabel(product.factors, names)
        shape = tuple(product.shape[i] for i in labels)
        if len(labels) > 2:
            return self._elementwise(factors, product, shape) or self.einsum(product)
        ends: list[int | None] = [0, 1][: len(labels)] + [None] * (2 - len(labels))
        small = Monomial(product.coefficient, tuple(factors), shape)
        return self.network(small, ends[0], ends[1]) or self.einsum(product)

    def _elementwise(
        self, factors: Sequence[Factor], product: Monomial, shape: tuple[int, ...]
    ) -> Expression | None:
        whole = tuple(range(len(shape)))
        body = [(self.of(f.value), f.power) for f in factors if f.labels]
        if any(f.labels not in ((), whole) for f in factors) or not body:
            return None
        scalars = [self.scalar(f) for f in factors if not f.labels]
        return nodes.times(product.coefficient, scalars, nodes.hadamard(body))

    def einsum(self, product: Monomial) -> Expression:
        """The product by its labels."""
        args = [self.of(f.value) for f in product.factors]
        labels = tuple(f.labels for f in product.factors)
        powers = tuple(f.power for f in product.factors)
        made = call("einsum", args, product.shape, labels=labels, powers=powers)
        return nodes.times(product.coefficient, [], made)

    def network(self, product: Monomial, row: int | None, column: int | None) -> Expression | None:
        """The product as a node with the given labels, or None where there is no such reading."""
        if any(len(f.labels) > 2 for f in product.factors):
            return None
        scalars = [self.scalar(f) for f in product.factors if not f.labels]
        factors = [f for f in product.factors if f.labels]
        delta = [f for f in factors if f.value.op == "eye" and set(f.labels) == {row, column}]
        if delta and row is not None and column is not None:
            rest = relabel([f for f in factors if f not in delta], {column: row})
            body = self._diagonal(rest, row, product.shape[0])
        else:
            body = _reduced(self._items(factors), row, column, product.shape)
        return None if body is None else _multiple(product.coefficient, scalars, body)

    def _diagonal(self, rest: Sequence[Factor], row: int, size: int) -> Expression | None:
        if not rest:
            return nodes.eye(size)
        column = _reduced(self._items(rest), row, None, (size,))
        return None if column is None else nodes.diag(column)

    def _items(self, factors: Sequence[Factor]) -> list[Item]:
        """The factors as items; M[i, i] is the diagonal of M."""
        items = []
        for value, labels, power in factors:
            node = self.of(value)
            if len(labels) == 2 and labels[0] == labels[1]:
                node, labels = nodes.diagonal(node), labels[:1]
            items.append(Item(labels, [(node, power)]))
        return items

    def scalar(self, factor: Factor) -> Part:
        """A scalar factor; the root of a sum of squares is a norm."""
        value, _, power = factor
        product = unpack(value)
        if value.op == "product" and len(product.factors) == 1:
            inner, labels, exponent = product.factors[0]
            several = len(labels) > 1 and len(set(labels)) == len(labels)
            if exponent == 2 and (power.denominator == 2 or several):
                return nodes.norm(self.of(inner)), 2 * power
        return self.of(value), power


def _multiple(coefficient: Fraction, scalars: Sequence[Part], body: Expression) -> Expression:
    """The node times a number and scalars, of which it may be one."""
    if body.shape:
        return nodes.times(coefficient, scalars, body)
    return nodes.times(coefficient, [*scalars, (body, Fraction(1))])


def _reduced(
    items: list[Item], row: int | None, column: int | None, shape: tuple[int, ...]
) -> Expression | None:
    """Every summed label eliminated, the one with the fewest matrices first."""
    scalars: list[Part] = []
    ends = {row, column}
    while True:
        items = _combined(items, ends)
        scalars += [(item.node, Fraction(1)) for item in items if not item.labels]
        items = [item for item in items if item.labels]
        inner = {label for item in items for label in item.labels} - ends
        if not inner:
            body = _joined(items, row, column, shape)
            return _multiple(Fraction(1), scalars, body) if scalars else body
        label = min(inner, key=lambda i: (_degree(items, i), i))
        if _degree(items, label) > 2:
            return None
        touching = [item for item in items if label in item.labels]
        items = [item for item in items if label not in item.labels]
        items += _eliminated(touching, label)


def _degree(items: Sequence[Item], label: int) -> int:
    return sum(len(item.labels) == 2 for item in items if label in item.labels)


def _combined(items: Sequence[Item], ends: set[int | None]) -> list[Item]:
    """Items on the same labels multiplied elementwise, but for a trace of two matrices."""
    groups: dict[frozenset[int], list[Item]] = {}
    for item in items:
        groups.setdefault(frozenset(item.labels), []).append(item)
    combined = []
    for labels, group in groups.items():
        others = [i for i in items if labels & set(i.labels) and i not in group]
        if len(labels) == 2 and not labels & ends and not others:
            combined.append(Item((), [(_inner_product(group), Fraction(1))]))
        else:
            first = group[0].labels
            parts = [part for item in group for part in _parts_along(item, first)]
            combined.append(Item(first, parts))
    return combined


def _parts_along(item: Item, labels: Labels) -> list[Part]:
    if item.labels == labels:
        return item.parts
    return [(nodes.transpose(node), power) for node, power in item.parts]


def _inner_product(group: Sequence[Item]) -> Expression:
    """Σ over both labels of a product of matrices: ‖A‖², tr(Aᵀ B), or the sum of the entries."""
    first, *rest = (part for item in group for part in _parts_along(item, group[0].labels))
    if not rest and first[1] == 2:
        return nodes.power(nodes.norm(first[0]), Fraction(2))
    if len(rest) == 1 and first[1] == rest[0][1] == 1:
        return nodes.trace(nodes.matmul([nodes.transpose(rest[0][0]), first[0]]))
    return nodes.total(nodes.hadamard([first, *rest]))


def _eliminated(touching: Sequence[Item], label: int) -> list[Item]:
    """The items on `label` after the sum over it."""
    matrices = [item for item in touching if len(item.labels) == 2]
    vectors = [part for item in touching if len(item.labels) == 1 for part in item.parts]
    one = Fraction(1)
    if not matrices:
        return [Item((), [(_summed(vectors), one)])]
    first = matrices[0]
    if len(matrices) == 1:
        left = first.along(first.other(label))
        size = left.shape[1]
        right = nodes.hadamard(vectors) if vectors else nodes.ones(size)
        return [Item((first.other(label),), [(nodes.matmul([left, right]), one)])]
    last = matrices[1]
    middle = [nodes.diag(nodes.hadamard(vectors))] if vectors else []
    ends = (first.other(label), last.other(label))
    made = nodes.matmul([first.along(ends[0]), *middle, last.along(label)])
    return [Item(ends, [(made, one)])]


def _summed(vectors: Sequence[Part]) -> Expression:
    """Σ of an elementwise product of columns: uᵀ v where it is one of two."""
    *rest, (last, power) = vectors
    if not rest and power == 1 and last.op == "diagonal":
        return nodes.trace(last.args[0])
    if not rest and power == 2:
        return nodes.matmul([nodes.transpose(last), last])
    if rest and power == 1:
        return nodes.matmul([nodes.transpose(nodes.hadamard(rest)), last])
    return nodes.total(nodes.hadamard(vectors))


def _joined(
    items: Sequence[Item], row: int | None, column: int | None, shape: tuple[int, ...]
) -> Expression:
    """What is left on the labels of the row and the column: ends of a matrix, or of none."""
    ends = [end for end in (row, column) if end is not None]
    sides = [_on(items, end) for end in ends]
    matrices = [item.along(ends[0]) for item in items if len(item.labels) == 2]
    if matrices:
        before, after = ([] if side is None else [nodes.diag(side)] for side in sides)
        return nodes.matmul([*before, matrices[0], *after])
    columns = [
        nodes.ones(size) if side is None else side for side, size in zip(sides, shape, strict=False)
    ]
    if len(columns) == 2:
        return nodes.matmul([columns[0], nodes.transpose(columns[1])])
    return columns[0] if columns else nodes.times(Fraction(1), [])


def _on(items: Sequence[Item], end: int) -> Expression | None:
    """The column on one label."""
    parts = [part for item in items if item.labels == (end,) for part in item.parts]
    return nodes.hadamard(parts) if parts else None
