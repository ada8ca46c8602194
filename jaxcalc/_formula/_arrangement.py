"""A canonical derivative as the node to write down, in either layout.

Scalars, vectors and what the layouts arrange as a matrix become linear algebra. A tensor with more
axes is written as an operator where it has that structure, otherwise by its entries. In denominator
layout the axes of x come first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jaxcalc._formula import _maps as maps
from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._algebra import MOST_PARTS, Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._operators import Operators, as_operator, has_einsum
from jaxcalc._formula._product import Factor, Monomial, is_symmetric, merge, unpack
from jaxcalc._formula._solving import with_adjugates
from jaxcalc._formula._sums import parts, terms
from jaxcalc._formula._tensor import Tensors

_MUCH = 2  # factors


@dataclass(frozen=True)
class Arranged:
    """What a formula is printed from.

    Attributes:
        shown: the node for text and LaTeX.
        computed: the node for code, whose value only lacks axes of size 1.
        shape: the shape of the dense derivative.
    """

    shown: Expression
    computed: Expression
    shape: Shape


def arranged(map_: maps.Map, transposed: bool) -> Arranged:
    """The derivative `map_` in numerator layout or, transposed, in denominator layout."""
    tensors, notation = Tensors(), Notation()
    made = arranged_in(tensors, notation, map_, transposed)
    if made.shown.op == "entries":
        oriented = maps.transposed(map_) if transposed else map_
        shown = as_operator(oriented, tensors, notation)
        return made if shown is None else replace(made, shown=shown)
    return made


def arranged_summands(
    map_: maps.Map, transposed: bool, most: int
) -> list[tuple[Arranged, list[Arranged]]]:
    """The terms of a derivative, multiplied out; none if more than `most`: n sums of two give 2ⁿ.

    With each come those that have one of its square matrices transposed.
    """
    tensors, notation = Tensors(), Notation()
    algebra = tensors.algebra

    def made(part: Expression) -> Arranged:
        return _arranged(algebra, notation, part, map_, transposed)

    summed = terms(tensors.of(map_))
    if sum(map(parts, summed)) > most:
        return []
    spread = [part for term in summed for part in algebra.distributed(term)]
    return [(made(part), [made(turned) for turned in _turned(algebra, part)]) for part in spread]


def _turned(algebra: Algebra, term: Expression) -> Iterator[Expression]:
    """The term with one of its square matrices transposed, each in its turn."""
    product = unpack(term)
    for i, factor in enumerate(product.factors):
        mirrored = factor._replace(labels=factor.labels[::-1])
        square = len(factor.labels) == 2 and len(set(factor.value.shape)) == 1
        if square and factor.labels != mirrored.labels and not is_symmetric(factor.value):
            others = [*product.factors[:i], mirrored, *product.factors[i + 1 :]]
            yield algebra.multiply(others, product.shape, product.coefficient)


def arranged_in(tensors: Tensors, notation: Notation, map_: maps.Map, transposed: bool) -> Arranged:
    """The same in the expressions and nodes that are known already."""
    return _arranged(tensors.algebra, notation, tensors.of(map_), map_, transposed)


def _arranged(
    algebra: Algebra, notation: Notation, tensor: Expression, ends: maps.Map, transposed: bool
) -> Arranged:
    """A canonical tensor of shape codomain + domain, those of `ends`."""
    order, shape = _order(ends, transposed)
    small, _ = algebra.squeezed(algebra.permuted(tensor, order))
    spread, computed = _computed(algebra, notation, small)
    if not terms(spread):
        nothing = notation.of(spread)
        return Arranged(nothing, nothing, shape)
    front = ends.domain if transposed else ends.codomain
    shown: Expression | None = computed
    if len(small.shape) == 1 and len(shape) == 2 and shape[0] == 1:
        shown = nodes.plus(list(map(nodes.transpose, nodes.summands(computed))))
    elif len(small.shape) > 2:
        operators, rows = Operators(algebra, notation), sum(size != 1 for size in front)
        shown = operators.of(small, rows) or operators.of(spread, rows)
    if shown is None or has_einsum(shown):
        shown = _entries(notation, list(map(unpack, terms(spread))))
    finite = with_adjugates(small)
    if finite is not small:
        _, computed = _computed(algebra, notation, finite)
    return Arranged(shown, computed, shape)


def _entries(notation: Notation, products: Sequence[Monomial]) -> Expression:
    """A sum by its entries; what all terms have in common stands before it where that is much."""
    shape, shared = products[0].shape, _shared(products)
    if len(products) == 1 or len(shared) < _MUCH:
        return call("entries", list(map(notation.einsum, products)), shape)
    inverse = [f._replace(power=-f.power) for f in shared]
    rest = [p._replace(factors=tuple(merge([*p.factors, *inverse]))) for p in products]
    inner = call("entries", list(map(notation.einsum, rest)), shape)
    labels, powers = (*(f.labels for f in shared), ()), (*(f.power for f in shared), 1)
    args = (*(notation.of(f.value) for f in shared), inner)
    return call("entries", (call("einsum", args, shape, labels=labels, powers=powers),), shape)


def _shared(products: Sequence[Monomial]) -> list[Factor]:
    """The factors that all products have, along axes of the result."""
    (first, *others), found = products, []
    for value, labels, power in first.factors:
        same = (f.power for p in others for f in p.factors if f[:2] == (value, labels))
        powers = [power, *same]
        are_alike = len(powers) == len(products) and all(p * power > 0 for p in powers)
        if are_alike and max(labels, default=0) < len(first.shape):
            found.append(Factor(value, labels, min(powers, key=abs)))
    return found


def _order(map_: maps.Map, transposed: bool) -> tuple[list[int], Shape]:
    """The axes of codomain + domain in the order of the dense array, and its shape."""
    y, x = len(map_.codomain), len(map_.domain)
    full = map_.codomain + map_.domain
    front, back = list(range(y)), list(range(y, y + x))
    if ((y, x), transposed) in (((0, 2), False), ((2, 0), True)):
        order = (front + back)[::-1]
    else:
        order = back + front if transposed else front + back
    shape = tuple(full[i] for i in order)
    if max(y, x) <= 1:
        rows, columns = (map_.domain, map_.codomain) if transposed else (map_.codomain, map_.domain)
        shape = (*(rows or (1,)), *(columns or (1,)))
    return order, shape


def _computed(
    algebra: Algebra, notation: Notation, small: Expression
) -> tuple[Expression, Expression]:
    """The tensor and its node: a matrix, else by labels, multiplied out if the terms are few."""
    if len(small.shape) <= 2:
        made = notation.of(small)
        if not has_einsum(made):
            return small, made
    for least in (0, 3):  # matrices in it stay whole where there would be too many terms
        if sum(parts(term, least) for term in terms(small)) <= MOST_PARTS:
            spread = [part for term in terms(small) for part in algebra.distributed(term, least)]
            small = algebra.add(spread, small.shape)
    if len(small.shape) <= 2 or not terms(small):
        return small, notation.of(small)
    return small, nodes.plus([notation.einsum(unpack(term)) for term in terms(small)])
