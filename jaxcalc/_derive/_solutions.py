"""Solutions of linear equations: the inverse of a matrix along one axis, applied by solving.

custom_linear_solve    M⁻¹, where M v, run as a linear program, is one matrix times v
triangular_solve       L⁻¹ or L⁻ᵀ, by substitution
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._compat import opened, sub_jaxprs
from jaxcalc._derive._coefficients import Value, product
from jaxcalc._derive._graph import Einsums, Linear, Node, linear_of
from jaxcalc._derive._opaque import opaque
from jaxcalc._derive._plan import Chained, Leaf, plan
from jaxcalc._derive._rules import Interpret, Operand, Rule
from jaxcalc._derive._structured import Axes, along
from jaxcalc._derive._terms import Term
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


def _linear_solve(interpret: Interpret) -> Rule:
    """x with M x = b; an iterative solver, which may have no room for M, stays as it is."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        lengths, programs = equation.params["const_lengths"], equation.params["jaxprs"]
        t, *others = operands[sum(lengths) :]
        found = None
        if isinstance(t, Linear) and not others and _decomposes(programs.solve):
            unknown = Node(t.shape, t.dtype)
            given = [*operands[: lengths.matvec], linear_of(unknown)]
            found = _matrix(unknown, interpret(programs.matvec, given, dtype))
        if found is None:
            return opaque(equation, operands, dtype)
        assert isinstance(t, Linear)
        M, axes, axis = found
        return [along(t, axis, Solved(), [(M, axes)])]

    return rule


def _decomposes(program: Any) -> bool:
    """Whether a program solves by substitution, as one with a decomposition of M does."""
    jaxpr, _ = opened(program)
    return any(
        e.primitive.name == "triangular_solve" or any(map(_decomposes, sub_jaxprs(e)))
        for e in jaxpr.eqns
    )


def _matrix(unknown: Node, images: Sequence[Operand]) -> tuple[Value, Axes, int] | None:
    """The matrix M of an image M v, the axes of v that each of its axes runs along, and its own."""
    (image,) = images
    node = image.cut().node if isinstance(image, Linear) else None
    found = None if node is None else plan(unknown, node)
    parts = found.parts if isinstance(found, Chained) else (found,)
    terms = [
        p.piece.terms[0]
        for p in parts
        if isinstance(p, Leaf) and isinstance(p.piece, Einsums) and len(p.piece.terms) == 1
    ]
    if len(terms) < len(parts):
        return None
    whole: Term | None = terms[-1]
    for term in reversed(terms[:-1]):
        whole = None if whole is None else _joined(term, whole)
    return None if whole is None else _read(whole)


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
    """A term that is a matrix along one axis, at each index of the others."""
    free, summed = term.free, term.summed
    if len(free) != 1 or len(summed) != 1 or term.scale != 1 or not term.factors:
        return None
    (row,), (column,) = free, summed
    axis = term.out.index(row)
    runs = [axis if k == row else term.links[k].axis for k in term.out]
    M = product(term.factors)
    square = term.links[column].axis == axis and row.size == column.size
    plain = all(link.is_plain(label) for label, link in term.links.items())
    if not (square and plain and runs == [*range(len(runs))] and {row, column} <= {*M.labels}):
        return None
    order = [*(k for k in M.labels if k not in (row, column)), row, column]
    permutation = tuple(map(M.labels.index, order))
    array = jnp.transpose(jnp.asarray(M.array), permutation)
    expression = M.expression
    if permutation != tuple(range(len(order))):
        expression = call("transpose", (expression,), array.shape, permutation=permutation)
    return Value(array, expression), [*map(term.out.index, order[:-2]), None, None], axis


def _substitution(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    L, t = operands
    if not isinstance(t, Linear) or not isinstance(L, Value):
        return opaque(equation, operands, dtype)
    params, rank = equation.params, len(t.shape)
    left = params["left_side"]
    kind = Substituted(
        params["lower"], params["unit_diagonal"], bool(params["transpose_a"]) == bool(left)
    )
    axes = [*range(rank - 2), None, None]
    return [along(t, rank - 2 if left else rank - 1, kind, [(L, axes)])]


def solutions(interpret: Interpret) -> dict[str, Rule]:
    """The rules, with what runs a linear program."""
    return {
        "custom_linear_solve": _linear_solve(interpret),
        "triangular_solve": _substitution,
    }
