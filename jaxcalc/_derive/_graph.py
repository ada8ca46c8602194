"""The linear program as a graph: values that are cut out, and the pieces that lead to them.

A `Node` is such a value. A `Tangent` is a value on its way: for each node it depends on, a sum of
terms. Where terms would become unwieldy, or an operation is no einsum, the value becomes a node, so
that the derivative is a chain through it.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaxcalc._derive._like_terms import merged
from jaxcalc._derive._pieces import Einsums, Piece
from jaxcalc._derive._terms import Shape, Term, identity, is_identity

MOST_TERMS = 6  # of one node, before the value is cut out


class UnstructuredError(Exception):
    """The linear program is not worth, or beyond, taking apart."""


@dataclass(frozen=True)
class Edge:
    """A piece of the derivative of one node by another."""

    source: "Node"
    piece: Piece


@dataclass(eq=False)
class Node:
    """A value of the linear program: the sum of what its edges bring."""

    shape: Shape
    dtype: np.dtype
    edges: tuple[Edge, ...] = ()
    number: int = field(default_factory=itertools.count().__next__)  # after those of its edges


@dataclass(eq=False)
class Tangent:
    """A value of the linear program as sums of terms of nodes; without parts it is zero.

    Once it has been cut out, every later use starts from that node: what it is used for besides
    then goes through the node too, as the sum in a residual network does.
    """

    shape: Shape
    dtype: np.dtype
    parts: dict[Node, tuple[Term, ...]] = field(default_factory=dict)

    def map(self, f: Callable[[Term], Term], shape: Sequence[int]) -> "Tangent":
        """`f` of every term; what has no entries cannot change."""
        if 0 in shape:
            return Tangent(tuple(shape), self.dtype)
        parts = {node: _tidy(map(f, terms)) for node, terms in self.parts.items()}
        return Tangent(tuple(shape), self.dtype, {n: ts for n, ts in parts.items() if ts})

    def cut(self) -> "Tangent":
        """The value as a node of its own, from now on."""
        if self.node is None and self.parts:
            edges = tuple(Edge(node, Einsums(terms)) for node, terms in self.parts.items())
            self.parts = tangent_of(Node(self.shape, self.dtype, edges)).parts
        return self

    @property
    def node(self) -> Node | None:
        """The node that the value simply is, if it is one."""
        if len(self.parts) != 1:
            return None
        ((node, terms),) = self.parts.items()
        return node if len(terms) == 1 and is_identity(terms[0]) else None


def _tidy(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(merged(tuple(terms)))


def tangent_of(node: Node) -> Tangent:
    """The node as a value; one without entries cannot change."""
    if 0 in node.shape:
        return Tangent(node.shape, node.dtype)
    return Tangent(node.shape, node.dtype, {node: (identity(node.shape),)})


def light(value: Tangent) -> Tangent:
    """The value on one node, ready for a coefficient."""
    return value if len(value.parts) <= 1 else value.cut()


def settled(value: Tangent) -> Tangent:
    """The value, cut out if it holds a matrix or too many terms."""
    heavy = any(
        len(terms) > MOST_TERMS or any(term.is_dense for term in terms)
        for terms in value.parts.values()
    )
    return value.cut() if heavy else value


def added(a: Tangent, b: Tangent) -> Tangent:
    """a + b, of one shape."""
    parts = dict(a.parts)
    for node, terms in b.parts.items():
        parts[node] = _tidy((*parts.get(node, ()), *terms))
    return settled(Tangent(a.shape, a.dtype, {node: ts for node, ts in parts.items() if ts}))


def through(value: Tangent, piece: Piece, shape: Sequence[int], dtype: np.dtype) -> Tangent:
    """A piece applied to a value, which is cut out before and after."""
    if not value.parts:
        return Tangent(tuple(shape), dtype)
    node = value.cut().node
    assert node is not None
    return tangent_of(Node(tuple(shape), dtype, (Edge(node, piece),)))
