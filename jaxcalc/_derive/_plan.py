"""From the graph to the shape of the answer: chains, sums and blocks of pieces.

The derivative of a node by a node it depends on is

    a chain   through the nodes that every path passes (its dominators),
    a sum     over the edges that come in, where there is no such node.

`Blocked` is what `_blocks` makes of plans whose every path keeps an axis of the result tied to one
of the source.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxcalc._derive._coefficients import Coefficient
from jaxcalc._derive._graph import Node, UnstructuredError
from jaxcalc._derive._pieces import Change, Einsums, Piece
from jaxcalc._derive._terms import Pair, Shape, identity

MOST_PIECES = 4  # for each edge of the graph: more paths repeat their pieces too often


@dataclass(frozen=True)
class Leaf:
    """One piece."""

    piece: Piece
    codomain: Shape
    domain: Shape


@dataclass(frozen=True)
class _Parts:
    """Plans together; `codomain` and `domain` are those of the outermost and the innermost."""

    parts: tuple["Plan", ...]

    @property
    def codomain(self) -> Shape:
        """The shape of the result."""
        return self.parts[0].codomain

    @property
    def domain(self) -> Shape:
        """The shape of the source."""
        return self.parts[-1].domain


class Chained(_Parts):
    """The parts one after another, outermost first."""


class Summed(_Parts):
    """The sum of the parts."""


@dataclass(frozen=True)
class Blocked:
    """One map for each index along a pair of axes: `part` is the one at an index.

    The arrays of `part` still have the axis; each says where (see `Coefficient.mapped`).
    """

    part: "Plan"
    pair: Pair
    size: int
    index: str  # its letter in formulas

    @property
    def codomain(self) -> Shape:
        """The shape of the result."""
        return _with(self.part.codomain, self.pair[0], self.size)

    @property
    def domain(self) -> Shape:
        """The shape of the source."""
        return _with(self.part.domain, self.pair[1], self.size)


Plan = Leaf | Chained | Summed | Blocked


def _with(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis:])


def with_arrays(plan: Plan, change: Change) -> Plan:
    """The plan with its arrays changed, always in one order."""
    match plan:
        case Leaf(piece):
            return replace(plan, piece=piece.with_arrays(change))
        case Blocked(part):
            return replace(plan, part=with_arrays(part, change))
        case Chained(parts) | Summed(parts):
            return replace(plan, parts=tuple(with_arrays(part, change) for part in parts))


def coefficients(plan: Plan) -> list[Coefficient]:
    """The arrays of the plan, in the order of `with_arrays`."""
    found: list[Coefficient] = []

    def noted(coefficient: Coefficient) -> Coefficient:
        found.append(coefficient)
        return coefficient

    with_arrays(plan, noted)
    return found


# --- chains and sums ---


def plan(source: Node, target: Node) -> Plan | None:
    """How the target changes with the source; None if it does not.

    Raises:
        UnstructuredError: when there are more paths than are worth writing down.
    """
    if source is target:
        return Leaf(Einsums((identity(source.shape),)), source.shape, source.shape)
    region = _region(source, target)
    return _Planner(source, region).path(source, target) if target in region else None


def _region(source: Node, target: Node) -> dict[Node, list[tuple[Node, Piece]]]:
    """The nodes on the paths from source to target, in order, with their edges."""
    region: dict[Node, list[tuple[Node, Piece]]] = {source: []}
    for node in sorted(_before(target), key=lambda node: node.number):
        edges = [(edge.source, edge.piece) for edge in node.edges if edge.source in region]
        if edges:
            region[node] = edges
    return region


def _before(target: Node) -> set[Node]:
    """The nodes that the target depends on, and itself."""
    seen, stack = {target}, [target]
    while stack:
        new = {edge.source for edge in stack.pop().edges} - seen
        seen |= new
        stack += new
    return seen


class _Planner:
    """Plans within one region, each made once."""

    def __init__(self, source: Node, region: dict[Node, list[tuple[Node, Piece]]]):
        self.region = region
        self.dominator = _dominators(source, region)
        self.paths: dict[tuple[Node, Node], tuple[Plan, int]] = {}
        self.most = MOST_PIECES * sum(map(len, region.values()))

    def path(self, source: Node, target: Node) -> Plan:
        return self._counted(source, target)[0]

    def _counted(self, source: Node, target: Node) -> tuple[Plan, int]:
        key = (source, target)
        if key not in self.paths:
            stops = [target]
            while stops[-1] is not source:
                stops.append(self.dominator[stops[-1]])
            segments = [self._segment(a, b) for b, a in itertools.pairwise(stops)]
            pieces = sum(count for _, count in segments)
            if pieces > self.most:
                raise UnstructuredError
            self.paths[key] = _chained([part for part, _ in segments]), pieces
        return self.paths[key]

    def _segment(self, source: Node, target: Node) -> tuple[Plan, int]:
        """Between a node and the next that every path passes."""
        parts, pieces = [], 0
        for node, piece in self.region[target]:
            leaf: Plan = Leaf(piece, target.shape, node.shape)
            inner, count = (None, 0) if node is source else self._counted(source, node)
            parts.append(leaf if inner is None else _chained([leaf, inner]))
            pieces += count + 1
        if pieces > self.most:
            raise UnstructuredError
        return (parts[0] if len(parts) == 1 else Summed(tuple(parts))), pieces


def _chained(parts: Sequence[Plan]) -> Plan:
    flat = [p for part in parts for p in (part.parts if isinstance(part, Chained) else (part,))]
    return flat[0] if len(flat) == 1 else Chained(tuple(flat))


def _dominators(source: Node, region: dict[Node, list[tuple[Node, Piece]]]) -> dict[Node, Node]:
    """For each node the last one before it that every path from the source passes."""
    dominator: dict[Node, Node] = {source: source}
    for node, edges in region.items():
        if node is source:
            continue
        first, *rest = (origin for origin, _ in edges)
        for other in rest:
            while first is not other:
                if first.number > other.number:
                    first = dominator[first]
                else:
                    other = dominator[other]
        dominator[node] = first
    return dominator
