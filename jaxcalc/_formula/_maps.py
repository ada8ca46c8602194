"""Derivatives as trees of linear maps: what the formulas are made from.

A map takes x, of shape `domain`, to y, of shape `codomain`: numerator layout. Maps are static and
hashable; the arrays in them are expressions, whose names can be asked for and changed. What has no
name has a number (see `_anonymous`), which may be moved out of the way of others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from jaxcalc._formula._expression import (
    Expression,
    Params,
    Shape,
    call,
    name,
    rebuilt,
    replaced,
    walk,
)

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
class Einsum:
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
    scale: float | Fraction = 1.0


@dataclass(frozen=True)
class Terms(Map):
    """A sum of terms."""

    terms: tuple[Einsum, ...]


@dataclass(frozen=True)
class Indexing(Map):
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

    @property
    def symbol(self) -> Expression:
        """Its name."""
        return call("selection", (), (), text=self.text)


@dataclass(frozen=True)
class MatrixFree(Map):
    """A map without a closed form: `symbol` has its name, and a number where there are several."""

    symbol: Expression


@dataclass(frozen=True)
class Composition(Map):
    """maps[0] ∘ maps[1] ∘ …: the last is applied first."""

    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Addition(Map):
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


def zero(codomain: Shape, domain: Shape) -> Map:
    """Everything becomes zero: the sum of no terms."""
    return Terms(codomain, domain, ())


def diagonal(shape: Shape, *factors: Expression, scale: float | Fraction = 1.0) -> Terms:
    """Every entry times those of the factors, scalars or of that shape; without any, I."""
    labels = every(shape)
    read = tuple((factor, every(factor.shape)) for factor in factors)
    return Terms(shape, shape, (Einsum(read, links(labels), labels, scale),))


def matrix(M: Expression) -> Map:
    """x ↦ M x."""
    return Terms(M.shape[:1], M.shape[1:], (Einsum(((M, (0, 1)),), links((1,)), (0,)),))


def of_rows(kind: str, s: Expression, axes: tuple[int, ...]) -> Map:
    """The Jacobian of the softmax s or its logarithm, along the negative `axes` of a row.

    `kind` is `softmax` for diag(s) − s sᵀ, `log_softmax` for I − 1 sᵀ, `log_softmax_transposed` for
    I − s 1ᵀ.
    """
    labels, rank = every(s.shape), len(s.shape)
    read = tuple(i + rank if i - rank in axes else i for i in labels)  # the row is summed over
    ends = {"y": (s, labels), "x": (s, read)}
    own = (ends["y"],) if kind == "softmax" else ()
    beside = tuple(ends[end] for end in _READ[kind])
    terms = Einsum(own, links(labels), labels), Einsum(beside, links(read), labels, -1.0)
    return Terms(s.shape, s.shape, terms)


_READ = {"softmax": "yx", "log_softmax": "x", "log_softmax_transposed": "y"}  # where s is


def matrix_free(codomain: Shape, domain: Shape, text: str, number: int = 1) -> Map:
    """A map without a closed form, by the name of what it differentiates."""
    symbol = call("opaque", (), codomain + domain, text=text, number=number)
    return MatrixFree(codomain, domain, symbol)


def every(shape: Shape) -> Labels:
    """A label for each axis."""
    return tuple(range(len(shape)))


def links(labels: Labels) -> tuple[Link, ...]:
    """The axes of the source at these labels."""
    return tuple((label, axis, None) for axis, label in enumerate(labels))


def scaled(map_: Map, factor: float | Expression) -> Map:
    """The map times a number, or times a scalar that is an expression."""
    if isinstance(factor, float):
        return chained(diagonal(map_.codomain, scale=factor), map_)
    return chained(diagonal(map_.codomain, factor), map_)


def chained(*maps: Map) -> Map:
    """Their product, the last applied first."""
    parts = [part for m in maps for part in (m.maps if isinstance(m, Composition) else (m,))]
    return Composition(maps[0].codomain, maps[-1].domain, tuple(parts))


def added(*maps: Map) -> Map:
    """Their sum."""
    parts = [part for m in maps for part in (m.maps if isinstance(m, Addition) else (m,))]
    return Addition(maps[0].codomain, maps[0].domain, tuple(parts))


def transposed(map_: Map) -> Map:
    """Its transpose, taken of the parts of a chain or a sum."""
    codomain, domain = map_.domain, map_.codomain
    match map_:
        case Transposed(map=inner):
            return inner
        case Composition(maps=parts):
            return Composition(codomain, domain, tuple(map(transposed, parts[::-1])))
        case Addition(maps=parts):
            return Addition(codomain, domain, tuple(map(transposed, parts)))
    return Transposed(codomain, domain, map_)


def names_in(*parts: Any) -> dict[str, Shape]:
    """The names in maps and expressions, with the shapes of what they stand for."""
    return {node["text"]: node.shape for node in _nodes(parts) if node.op == "name"}


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A map or an expression with other names."""

    def of(e: Expression) -> Expression:
        old = (node for node in walk(e) if node.op == "name" and node["text"] in names)
        return replaced(e, {node: name(names[node["text"]], node.shape) for node in old})

    return _changed(part, of)


def renumbered(part: Any, after: Any) -> Any:
    """A map whose anonymous parts are none of those in another one."""
    shift = max((which for node in _nodes(after) for which in _numbers(node.params)), default=0)

    def change(node: Expression, new: Expression) -> Expression:
        return Expression(new.op, new.args, _shifted(new.params, shift), new.shape)

    return _changed(part, lambda e: rebuilt(e, change)) if shift else part


def _changed(part: Any, of: Callable[[Expression], Expression]) -> Any:
    """A map with each expression in it changed."""
    match part:
        case Expression():
            return of(part)
        case Map() | Einsum():
            inside = {f.name: _changed(getattr(part, f.name), of) for f in fields(part)}
            return replace(part, **inside)
        case tuple():
            return tuple(_changed(item, of) for item in part)
    return part


def _nodes(part: Any) -> Iterator[Expression]:
    """The parts of every expression in a map."""
    found: list[Expression] = []

    def note(e: Expression) -> Expression:
        found.append(e)
        return e

    _changed(part, note)
    return walk(*found)


def _shifted(params: Any, shift: int) -> Any:
    """Parameters, those shifted that number something anonymous; they are in pairs."""
    match params:
        case ("number" | "unhashable" as key, int(which)):
            return key, which + shift
        case tuple() if type(params) is tuple:
            return tuple(_shifted(item, shift) for item in params)
    return params


def _numbers(params: Any) -> Iterator[int]:
    match params:
        case ("number" | "unhashable", int(which)):
            yield which
        case tuple():
            for item in params:
                yield from _numbers(item)
