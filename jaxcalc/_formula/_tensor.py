"""The derivative as a canonical tensor: entries J[y axes, x axes] of a map from x to y.

A map is a product with named axes: a diagonal is a δ between an axis of y and one of x, a chain is
summed over the axes between its maps, a block is a label that y and x share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import singledispatchmethod

from jaxcalc._formula import _maps as maps
from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._canonical import RULES, canonical
from jaxcalc._formula._expression import Expression, call, walk
from jaxcalc._formula._gathering import left_over, picked, picked_along, picked_at, put_back
from jaxcalc._formula._indexing import link, read_at_units
from jaxcalc._formula._patterns import (
    gamma_functions,
    logistic,
    normalised_exponentials,
    sums_of_probabilities,
)
from jaxcalc._formula._product import Factor, labels_of, relabel, unpack, whole
from jaxcalc._formula._solving import inverses, pseudo_inverses
from jaxcalc._formula._steps import shared_steps, side
from jaxcalc._formula._sums import eye, terms
from jaxcalc._formula._tables import table


def new_algebra() -> Algebra:
    """An algebra that knows the softmax."""
    patterns = (
        normalised_exponentials,
        sums_of_probabilities,
        logistic,
        gamma_functions,
        read_at_units,
        inverses,
        pseudo_inverses,
        shared_steps,
    )
    return Algebra(patterns, (side,))


@dataclass
class Tensors:
    """Makes canonical tensors; one instance knows the equal expressions of one formula."""

    algebra: Algebra = field(default_factory=new_algebra)
    memo: dict[Expression, Expression] = field(default_factory=dict)

    def value(self, expression: Expression) -> Expression:
        """An expression in canonical form."""
        return canonical(self.algebra, expression, self.memo)

    @singledispatchmethod
    def of(self, map_: maps.Map) -> Expression:
        """The tensor of shape codomain + domain."""
        raise TypeError(f"`map` must be one of the maps of `_maps`, but got {type(map_).__name__}.")

    @of.register
    def _(self, map_: maps.Terms) -> Expression:
        return self._sum([self._term(term, map_) for term in map_.terms], map_)

    @of.register
    def _(self, map_: maps.Addition) -> Expression:
        return self._sum([self.of(part) for part in map_.maps], map_)

    @of.register
    def _(self, map_: maps.Transposed) -> Expression:
        rank, split = len(map_.domain + map_.codomain), len(map_.map.codomain)
        return self.algebra.permuted(self.of(map_.map), [*range(split, rank), *range(split)])

    @of.register
    def _(self, map_: maps.PseudoInverse) -> Expression:
        """Of a column or a row u that is uᵀ/‖u‖²; of a matrix an atom."""
        inner = self.of(maps.transposed(map_.map))
        small, axes = self.algebra.squeezed(inner)
        if len(axes) < 2:
            squares = self.algebra.multiply([whole(inner), whole(inner)], ())
            return self._product([whole(inner), whole(squares, -1)], map_)
        if inner.shape != small.shape or len(axes) > 2:
            return self.of(maps.matrix_free(map_.codomain, map_.domain, "pinv"))
        return self._atom(call("pinv", (self.of(map_.map),), inner.shape))

    @of.register
    def _(self, map_: maps.MatrixFree) -> Expression:
        return self._atom(map_.symbol)

    @of.register
    def _(self, map_: maps.Indexing) -> Expression:
        return self._selected(map_, self.of(maps.diagonal(map_.domain)))

    def _selected(self, map_: maps.Indexing, tensor: Expression) -> Expression:
        """A selection from the first axes of a tensor."""
        rest = tensor.shape[len(map_.domain) :]
        operands = [self.value(operand) for operand in map_.operands]
        if map_.function == "reshape":
            made = call("reshape", (tensor,), map_.codomain + rest)
            return RULES["reshape"](self.algebra, made, [tensor])
        if map_.function == "gather":
            how, of = dict(map_.params), map_.domain
            found = (
                picked(self.algebra, tensor, operands[0], how, of)
                or picked_along(self.algebra, tensor, operands[0], how, of)
                or picked_at(self.algebra, tensor, table(map_.operands[0]), how, of)
            )
            if found is not None:
                return found
        if map_.function in ("scatter", "scatter-add"):
            how = dict(map_.params)
            linear = left_over if how["position"] == 0 else put_back
            found = linear(self.algebra, tensor, operands[0], map_.function, how, map_.codomain)
            if found is not None:
                return found
        params = {"text": map_.text, "function": map_.function, "params": map_.params}
        shape = map_.codomain + map_.domain
        chosen = self._atom(call("selection", operands, shape, source=map_.domain, **params))
        return self._through(chosen, tensor, len(map_.domain))

    def _through(self, left: Expression, right: Expression, count: int) -> Expression:
        """Two tensors joined at the last axes of one and the first of the other."""
        y, x = len(left.shape) - count, len(right.shape) - count
        middle = tuple(range(y + x, y + x + count))
        factors = [
            Factor(left, (*range(y), *middle)),
            Factor(right, (*middle, *range(y, y + x))),
        ]
        return self.algebra.multiply(factors, left.shape[:y] + right.shape[count:])

    @of.register
    def _(self, map_: maps.Composition) -> Expression:
        """From the map that is applied first to the last."""
        tensor = self.of(map_.maps[-1])
        for part in reversed(map_.maps[:-1]):
            if isinstance(part, maps.Indexing):
                tensor = self._selected(part, tensor)
            else:
                tensor = self._through(self.of(part), tensor, len(part.domain))
        return tensor

    @of.register
    def _(self, map_: maps.Block) -> Expression:
        """The inner tensor, its arrays `at` the index read at a label that y and x share."""
        inner = self._lifted(self.of(map_.map), map_.index, map_.size)
        y, x = map_.codomain_axis, len(map_.codomain) + map_.domain_axis
        rest = [axis for axis in range(len(map_.codomain + map_.domain)) if axis not in (y, x)]
        return self._product([Factor(eye(map_.size), (y, x)), Factor(inner, (y, *rest))], map_)

    def _lifted(self, value: Expression, index: str, size: int) -> Expression:
        """A value at an index for every index, on a new first axis."""
        shape = (size, *value.shape)
        parts = []
        for term in terms(value):
            product = unpack(term)
            names = {i: i + 1 for i in labels_of(product.factors)}
            factors = [self._read(f, index, size) for f in relabel(product.factors, names)]
            parts.append(self.algebra.multiply(factors, shape, product.coefficient))
        return self.algebra.add(parts, shape)

    def _read(self, factor: Factor, index: str, size: int) -> Factor:
        """A factor at an index as its whole array at the label 0."""
        value, labels, power = factor
        if value.op == "at" and value["index"] == index:
            axis = value["axis"]
            return Factor(value.args[0], (*labels[:axis], 0, *labels[axis:]), power)
        if not any(node.op == "at" and node["index"] == index for node in walk(value)):
            return factor
        if value.op in ("sum", "product"):
            return Factor(self._lifted(value, index, size), (0, *labels), power)
        every = call("stacked", (value,), (size, *value.shape), index=index)
        return Factor(every, (0, *labels), power)

    def _atom(self, value: Expression) -> Expression:
        return self.algebra.multiply([whole(value)], value.shape)

    def _product(
        self, factors: Sequence[Factor], map_: maps.Map, coefficient: Fraction = Fraction(1)
    ) -> Expression:
        return self.algebra.multiply(factors, map_.codomain + map_.domain, coefficient)

    def _sum(self, parts: Sequence[Expression], map_: maps.Map) -> Expression:
        return self.algebra.add(parts, map_.codomain + map_.domain)

    def _term(self, term: maps.Einsum, map_: maps.Map) -> Expression:
        """A term, with a factor for each link that is no plain axis."""
        rank = len(map_.codomain + map_.domain)
        seen = {*term.out, *(link[0] for link in term.links)}
        seen |= {i for _, labels in term.factors for i in labels}
        names = {old: rank + i for i, old in enumerate(sorted(seen))}
        sizes = _label_sizes(term, map_)
        factors = relabel([Factor(self.value(e), labels) for e, labels in term.factors], names)
        for axis, label in enumerate(term.out):  # y's axis is read at the term's label
            factors.append(Factor(eye(map_.codomain[axis]), (axis, names[label])))
        for i, (label, axis, offset) in enumerate(term.links):
            length, ends = map_.domain[axis], (names[label], len(map_.codomain) + axis)
            if offset in (None, 0) and sizes[label] == length:
                factors.append(Factor(eye(length), ends))
            else:
                places = _places(sizes[label], length, offset)
                factors += link(places, length, *ends, rank + len(seen) + i)
        summed = {names[label]: sizes[label] for label in seen}
        scale = Fraction(term.scale)
        return self.algebra.multiply(factors, map_.codomain + map_.domain, scale, summed)


def is_zero(map_: maps.Map) -> bool:
    """Whether all entries of a map are known to be 0."""
    return not terms(Tensors().of(map_))


def _places(size: int, length: int, offset: tuple[int, ...] | int | None) -> tuple[int, ...]:
    """The index in x for each index of a label."""
    if isinstance(offset, tuple):
        return offset
    return tuple((i + (offset or 0)) % length for i in range(size))


def _label_sizes(term: maps.Einsum, map_: maps.Map) -> dict[int, int]:
    sizes = dict(zip(term.out, map_.codomain, strict=True))
    for label, axis, offset in term.links:
        sizes.setdefault(label, len(offset) if isinstance(offset, tuple) else map_.domain[axis])
    for value, labels in term.factors:
        for label, size in zip(labels, value.shape, strict=True):
            sizes.setdefault(label, size)
    return sizes
