"""Tensors written as operators: by what ties their axes of y to those of x.

    diag(V)          J[i, j, k, l] = δ[i, k] δ[j, l] V[i, j]
    A ⊗ B            J[i, j, k, l] = A[i, k] B[j, l]
    blockdiag_i(Jᵢ)  J[i, j, k, l] = δ[i, k] Jᵢ[j, l]

A chain whose entries would be long is the product of such operators.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from jaxcalc._formula import _maps as maps
from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call, walk
from jaxcalc._formula._indexing import indexed
from jaxcalc._formula._nodes import INDICES
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._product import Factor, Monomial, labels_of, reachable, relabel, unpack
from jaxcalc._formula._sums import terms
from jaxcalc._formula._tensor import Tensors

Ends = tuple[int | None, int | None]  # an axis of y and the axis of x that it is tied to
_ATOMS = ("opaque", "selection")


def has_einsum(node: Expression) -> bool:
    """Whether the derivative itself, not an array in it, is written by labels."""
    if node.op in ("plus", "times", "matmul", "blockdiag", "transposed") or nodes.is_kron(node):
        return any(map(has_einsum, node.args))
    return node.op == "einsum"


@dataclass
class Operators:
    """Tensors written as operators."""

    algebra: Algebra
    notation: Notation
    depth: int = 0

    def of(self, tensor: Expression, split: int) -> Expression | None:
        """The node of a tensor whose first `split` axes are its rows, or None."""
        rank = len(tensor.shape)
        if rank <= 2 or tensor.op in _ATOMS or not terms(tensor):
            made = self._entry_free(tensor)
            return nodes.transpose(made) if made and rank == 1 and split == 0 else made
        parts = [self._paired(unpack(term), split) for term in terms(tensor)]
        if all(part is not None for part in parts):
            return nodes.plus([part for part in parts if part is not None])
        return self._blocks(tensor, split)

    def _entry_free(self, tensor: Expression) -> Expression | None:
        made = self.notation.of(tensor)
        return None if has_einsum(made) else made

    def _paired(self, product: Monomial, split: int) -> Expression | None:
        """One term as a diagonal or a Kronecker product of maps between axes in their order."""
        factors = [f for f in product.factors if f.labels]
        found = (
            self._diagonal(product, factors, split),
            *(self._kronecker(product, factors, way) for way in _alignments(split, product.shape)),
        )
        made = next((node for node in found if node is not None), None)
        scalars = [self.notation.scalar(f) for f in product.factors if not f.labels]
        return made and nodes.times(product.coefficient, scalars, made)

    def _diagonal(
        self, product: Monomial, factors: Sequence[Factor], split: int
    ) -> Expression | None:
        """δ between each axis of y and that of x, and what may stand beside."""
        back = {split + i: i for i in range(split)}
        ends = {(y, x) for x, y in back.items()}
        ties = [f for f in factors if f.value.op == "eye" and f.labels in ends]
        if not len(ties) == split == len(product.shape) - split:
            return None
        if len(factors) == split:
            return call("eye", (), product.shape)
        rest = relabel([f for f in factors if f not in ties], back)
        made = self.notation.of(self.algebra.multiply(rest, product.shape[:split]))
        return None if has_einsum(made) else call("diag", (made,), product.shape)

    def _kronecker(
        self, product: Monomial, factors: Sequence[Factor], pairs: Sequence[Ends]
    ) -> Expression | None:
        parts, used = [], 0
        for y, x in pairs:
            pair = [i for i in (y, x) if i is not None]
            group = reachable(factors, set(pair))
            if labels_of(group) & set(range(len(product.shape))) - set(pair):
                return None
            shape = tuple(product.shape[i] for i in pair)
            names = {label: i for i, label in enumerate(pair)}
            names |= {i: 2 + i for i in labels_of(group) - set(pair)}
            made = self._entry_free(self.algebra.multiply(relabel(group, names), shape))
            if made is None:
                return None
            parts.append(nodes.transpose(made) if y is None else made)
            used += len(group)
        return nodes.kron(parts, product.shape) if used == len(factors) else None

    def _blocks(self, tensor: Expression, split: int) -> Expression | None:
        """δ in every term: one block for each index; equal blocks are I ⊗ block, or block ⊗ I."""
        rank, ends = len(tensor.shape), (split - 1, len(tensor.shape) - 1)
        for y, x in dict.fromkeys([*zip(range(split), range(split, rank), strict=False), ends]):
            if not all(_has_delta(term, (y, x)) for term in terms(tensor)):
                continue
            inner = Operators(self.algebra, self.notation, self.depth + 1)
            shown = inner.of(self._block(tensor, y, x), split - 1)
            if shown is None:
                continue
            index, identity = INDICES[self.depth], nodes.eye(tensor.shape[y])
            varies = any(n.op == "at" and n["index"] == index for n in walk(shown))
            if not varies and (y, x) in ((0, split), ends):
                parts = [identity, shown] if y == 0 and x == split else [shown, identity]
                return nodes.kron(parts, tensor.shape)
            if y == x - split:
                return call("blockdiag", (shown,), tensor.shape, index=index)
        return None

    def _block(self, tensor: Expression, y: int, x: int) -> Expression:
        """The tensor at one index of its axes y and x, without the δ between them."""
        shape = tuple(size for i, size in enumerate(tensor.shape) if i not in (y, x))
        parts = []
        for term in terms(tensor):
            product = unpack(term)
            kept = [f for f in product.factors if f.value.op != "eye" or f.labels != (y, x)]
            names = {x: y} | {i: i for i in product.summed}
            size = tuple(n for i, n in enumerate(tensor.shape) if i != x)
            names |= {i: i - 1 for i in range(x + 1, len(tensor.shape))}
            body = self.algebra.multiply(relabel(kept, names), size, product.coefficient)
            parts.append(indexed(self.algebra, body, y, INDICES[self.depth]))
        return self.algebra.add(parts, shape)


def _alignments(split: int, shape: Shape) -> Sequence[Sequence[Ends]]:
    """The ways to tie axes of y to axes of x in their order; one that is alone is a column, a row.

    Only those of equal numbers of axes, and of one beside two.
    """
    rank = len(shape)
    if rank == 2 * split:
        return [[(i, split + i) for i in range(split)]]
    return _UNEVEN.get((split, rank - split), ())


_UNEVEN: Mapping[tuple[int, int], Sequence[Sequence[Ends]]] = {
    (1, 2): (((0, 1), (None, 2)), ((None, 1), (0, 2))),
    (2, 1): (((0, 2), (1, None)), ((0, None), (1, 2))),
}


def _has_delta(term: Expression, labels: tuple[int, int]) -> bool:
    return any(f.value.op == "eye" and f.labels == labels for f in unpack(term).factors)


# --- chains ---


def as_operator(map_: maps.Map, tensors: Tensors, notation: Notation) -> Expression | None:
    """A chain as the product of the operators of its maps, a map without entries by its name."""
    match map_:
        case maps.Composition(maps=parts) if not all(map(_is_matrix, parts)):
            joined = _with_matrices_joined(parts)
            return _multiplied([as_operator(part, tensors, notation) for part in joined])
        case maps.Transposed(map=(maps.Indexing() | maps.MatrixFree()) as inner):
            upright = as_operator(inner, tensors, notation)
            return upright and call("transposed", (upright,), ())
        case maps.Indexing(function="gather") if tensors.of(map_).op not in _ATOMS:
            return None  # a diagonal, say, which entries show
        case maps.Indexing(symbol=symbol) | maps.MatrixFree(symbol=symbol):
            return nodes.apply(symbol.op, (), (), symbol.params)
    small, _ = tensors.algebra.squeezed(tensors.of(map_))
    rows = sum(size != 1 for size in map_.codomain)
    return Operators(tensors.algebra, notation).of(small, rows)


def _with_matrices_joined(parts: Sequence[maps.Map]) -> Iterator[maps.Map]:
    """The maps of a chain, those from vectors to vectors joined, which simplifies them."""
    for is_matrix, run in groupby(parts, _is_matrix):
        if is_matrix:
            yield maps.chained(*run)
        else:
            yield from run


def _is_matrix(part: maps.Map) -> bool:
    long = [sum(size != 1 for size in shape) for shape in (part.codomain, part.domain)]
    return isinstance(part, maps.Terms) and long == [1, 1]


def _multiplied(parts: Sequence[Expression | None]) -> Expression | None:
    """The product of operators, without those that change nothing."""
    made = [part for part in parts if part is not None]
    flat = [f for part in made for f in (part.args if part.op == "matmul" else (part,))]
    factors = [part for part in flat if part.op != "eye"] or made[:1]
    return call("matmul", factors, ()) if len(made) == len(parts) else None
