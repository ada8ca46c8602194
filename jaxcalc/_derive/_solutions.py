"""Solutions of linear equations: the inverse of a matrix along one axis, applied by solving.

custom_linear_solve    M⁻¹, where M v, run as a linear program, is one matrix times v
triangular_solve       L⁻¹ or L⁻ᵀ, by substitution
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._compat import substitutes
from jaxcalc._derive._coefficients import Label, Value, product
from jaxcalc._derive._graph import Edge, Node, Tangent, tangent_of
from jaxcalc._derive._opaque import opaque
from jaxcalc._derive._pieces import Einsums
from jaxcalc._derive._rules import reordered_value, same
from jaxcalc._derive._step import LinearStep, Results
from jaxcalc._derive._structured import Axes, along
from jaxcalc._derive._terms import Term, identity
from jaxcalc._formula import Expression, call, maps


@dataclass(frozen=True)
class Solved:
    """M⁻¹ for a matrix M."""

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """By the LU decomposition of M."""
        (M,) = arrays
        return ops.Inverse(ops.Factored.of(M.astype(dtype)))

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """M⁻¹."""
        (M,) = arrays
        return _written_inverse(M)


@dataclass(frozen=True)
class Substituted:
    """L⁻¹, or with `transposed` L⁻ᵀ, for a triangle of a matrix."""

    lower: bool
    unit_diagonal: bool
    transposed: bool

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """By substitution."""
        (L,) = arrays
        op = ops.Inverse(ops.Triangular(L.astype(dtype), self.lower, self.unit_diagonal))
        return op.T if self.transposed else op

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """(tril(1 1ᵀ) ⊙ L)⁻¹; with ones on the diagonal, (I + tril(1 1ᵀ, −1) ⊙ L)⁻¹."""
        (L,) = arrays
        ones = call("tri", (), L.shape, k=-1 if self.unit_diagonal else 0)
        if not self.lower:
            ones = call("transpose", (ones,), L.shape, permutation=(1, 0))
        triangle = call("mul", (L, ones), L.shape)
        if self.unit_diagonal:
            triangle = call("add", (triangle, call("eye", (), L.shape)), L.shape)
        made = _written_inverse(triangle)
        return maps.transposed(made) if self.transposed else made


def _written_inverse(M: Expression) -> maps.Map:
    return maps.matrix(call("inv", (M,), M.shape))


# --- which matrix ---


def solved(step: LinearStep) -> Results:
    """x with M x = b; an iterative solver, which may have no room for M, stays as it is."""
    lengths, programs = step.params["const_lengths"], step.params["jaxprs"]
    t, *others = step.operands[sum(lengths) :]
    if isinstance(t, Tangent) and not others and substitutes(programs.solve):
        unknown = Node(t.shape, t.dtype)
        given = [*step.operands[: lengths.matvec], tangent_of(unknown)]
        (image,) = same(step.on(*step.run(programs.matvec, given)))
        node = image.cut().node
        whole = None if node is None else _whole(node, unknown)
        found = None if whole is None else _read(whole)
        if found is not None:
            M, axes, axis = found
            return along(t, axis, Solved(), [(M, axes)])
    return opaque(step)


def _whole(node: Node, source: Node) -> Term | None:
    """The derivative of a node by another as one term, where it is one."""
    if node is source:
        return identity(node.shape)
    match node.edges:
        case (Edge(inner, Einsums((term,))),):
            whole = _whole(inner, source)
            return None if whole is None else _joined(term, whole)
    return None


def _joined(outer: Term, inner: Term) -> Term | None:
    """One after the other, where one only permutes."""
    if _permutes(outer):
        return replace(inner, out=tuple(inner.out[outer.links[k].axis] for k in outer.out))
    if _permutes(inner):
        links = {k: inner.links[inner.out[link.axis]] for k, link in outer.links.items()}
        return replace(outer, links=links)
    return None


def _permutes(term: Term) -> bool:
    plain = all(link.is_plain(label) for label, link in term.links.items())
    return plain and not term.factors and term.scale == 1 and not term.summed and not term.free


def _read(term: Term) -> tuple[Value, Axes, int] | None:
    """A term as a matrix, the axes that its own run along, and the one that it acts on."""
    ends, M = _ends(term), product(term.factors) if term.factors else None
    if ends is None or M is None or not {*ends} <= {*M.labels}:
        return None
    order = [*(k for k in M.labels if k not in ends), *ends]
    value, axes = Value(M.array, M.expression), [*map(term.out.index, order[:-2]), None, None]
    if order != [*M.labels]:
        value = reordered_value(value, list(map(M.labels.index, order)))
    return value, axes, term.out.index(ends[0])


def _ends(term: Term) -> tuple[Label, Label] | None:
    """The labels of rows and columns of a term that is square along one axis, else the identity."""
    if (len(term.free), len(term.summed), term.scale) != (1, 1, 1):
        return None
    (row,), (column,) = term.free, term.summed
    axes = [term.links.get(label, term.links[column]).axis for label in term.out]
    plain = all(link.is_plain(label) for label, link in term.links.items())
    square = row.size == column.size and axes == [*range(len(axes))]
    return (row, column) if plain and square else None


def substituted(step: LinearStep) -> Results:
    """L⁻¹ along one axis; a map without structure where L depends on the tangent."""
    L, t = step.operands
    if isinstance(L, Tangent):
        return opaque(step)
    params, rank = step.params, len(t.shape)
    left = params["left_side"]
    kind = Substituted(
        params["lower"], params["unit_diagonal"], bool(params["transpose_a"]) == bool(left)
    )
    axes = [*range(rank - 2), None, None]
    return along(t, rank - 2 if left else rank - 1, kind, [(L, axes)])
