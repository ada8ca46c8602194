"""Derivatives as trees of linear maps: what the formulas are made from.

A map takes x, of shape `domain`, to y, of shape `codomain`: numerator layout. Maps are static and
hashable; the arrays in them are expressions.
"""

from dataclasses import dataclass

from jaxcalc._formula._expression import Expression, Params, Shape

Labels = tuple[int, ...]
# A label, a source axis, and how the label becomes an index along it: None as it is, an int shifts
# it (modulo the axis), a tuple looks it up (−1: nothing is read).
Link = tuple[int, int, tuple[int, ...] | int | None]


@dataclass(frozen=True)
class Map:
    """A linear map between arrays of shape `domain` and arrays of shape `codomain`."""

    codomain: Shape
    domain: Shape


@dataclass(frozen=True)
class Zero(Map):
    """Everything becomes zero."""


@dataclass(frozen=True)
class Identity(Map):
    """Everything stays as it is."""


@dataclass(frozen=True)
class Term:
    """y[out] = scale · Σ Π factors · x[links], the sum over every label that is not in `out`.

    A label of `out` that also reads the source is a diagonal in that axis; one in no factor and no
    link repeats the result.

    Attributes:
        factors: arrays, each with a label for every axis.
        links: for every axis of the source, the label it is read at.
        out: a label for every axis of the result.
        scale: a number that multiplies the term.
    """

    factors: tuple[tuple[Expression, Labels], ...]
    links: tuple[Link, ...]
    out: Labels
    scale: float = 1.0


@dataclass(frozen=True)
class Terms(Map):
    """A sum of terms."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Product(Map):
    """diag(left) K diag(right), with K one of the notes' Jacobians along `axes`.

    Attributes:
        kind: `softmax` for K = diag(s) − s sᵀ, `log_softmax` for I − 1 sᵀ,
            `log_softmax_transposed` for I − s 1ᵀ.
        parameter: s, in full shape.
        axes: the axes of a row, negative.
        left: what scales the result, or None.
        right: what scales the source, or None.
    """

    kind: str
    parameter: Expression
    axes: tuple[int, ...]
    left: Expression | None = None
    right: Expression | None = None


@dataclass(frozen=True)
class Selection(Map):
    """Entries of the source, moved: y = function(x, *operands, **params).

    Attributes:
        text: the map in words or as an index, such as `[1:]`.
        function: the operation, as an expression names it.
        params: its parameters.
        operands: its further operands, such as indices.
    """

    text: str
    function: str
    params: Params = ()
    operands: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class CumulativeSum(Map):
    """Partial sums along an axis, from the last entry on if `reverse`."""

    axis: int
    reverse: bool = False


@dataclass(frozen=True)
class Opaque(Map):
    """A map without a closed form, by the name of what it differentiates.

    Attributes:
        text: the name.
        number: which of the maps with that name it is.
    """

    text: str
    number: int = 1


@dataclass(frozen=True)
class Chain(Map):
    """maps[0] ∘ maps[1] ∘ …: the last is applied first."""

    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Sum(Map):
    """The sum of maps."""

    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Block(Map):
    """One map for each index along an axis that source and result share.

    Attributes:
        map: the map at one index; its arrays are `at(array, axis, index)` where they depend on it.
        index: the index, as its arrays name it.
        size: how many there are.
        codomain_axis: the axis of the result.
        domain_axis: the axis of the source.
    """

    map: Map
    index: str
    size: int
    codomain_axis: int
    domain_axis: int


@dataclass(frozen=True)
class Transposed(Map):
    """The transpose of `map`."""

    map: Map


@dataclass(frozen=True)
class PseudoInverse(Map):
    """The Moore-Penrose inverse of `map`."""

    map: Map


def scaled(map_: Map, factor: float | Expression) -> Map:
    """The map times a number, or times a scalar that is an expression."""
    axes = tuple(range(len(map_.codomain)))
    links = tuple((axis, axis, None) for axis in axes)
    number = factor if isinstance(factor, float) else 1.0
    factors = () if isinstance(factor, float) else ((factor, ()),)
    multiple = Terms(map_.codomain, map_.codomain, (Term(factors, links, axes, number),))
    return chained(multiple, map_)


def chained(*maps: Map) -> Map:
    """Their product, the last applied first."""
    parts = [part for m in maps for part in (m.maps if isinstance(m, Chain) else (m,))]
    return Chain(maps[0].codomain, maps[-1].domain, tuple(parts))


def added(*maps: Map) -> Map:
    """Their sum."""
    parts = [part for m in maps for part in (m.maps if isinstance(m, Sum) else (m,))]
    return Sum(maps[0].codomain, maps[0].domain, tuple(parts))


def transposed(map_: Map) -> Map:
    """Its transpose, taken of the parts of a chain or a sum."""
    codomain, domain = map_.domain, map_.codomain
    match map_:
        case Transposed(map=inner):
            return inner
        case Chain(maps=parts):
            return Chain(codomain, domain, tuple(map(transposed, parts[::-1])))
        case Sum(maps=parts):
            return Sum(codomain, domain, tuple(map(transposed, parts)))
    return Transposed(codomain, domain, map_)
