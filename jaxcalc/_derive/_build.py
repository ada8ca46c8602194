"""From a plan to the operator it describes."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._closed_forms.softmax_operators import Origin, softmax_operator
from jaxcalc._compat import is_mapped_with
from jaxcalc._derive._along import Along
from jaxcalc._derive._bound import Pulled, Rearranged
from jaxcalc._derive._coefficients import Coefficient
from jaxcalc._derive._graph import Einsums, Index, Opaque, Piece, Product
from jaxcalc._derive._plan import Blocked, Chained, Leaf, Plan, Summed
from jaxcalc._derive._structure import operator_of

Operator = ops.LinearOperator


def build(plan: Plan, dtype: np.dtype) -> Operator:
    """The operator; it computes in `dtype`."""
    match plan:
        case Chained(parts):
            return reduce(ops.compose, [build(part, dtype) for part in parts])
        case Summed(parts):
            return reduce(ops.add, [build(part, dtype) for part in parts])
        case Blocked():
            return _blocks(plan, dtype)
        case Leaf():
            return _leaf(plan, dtype)


def _leaf(leaf: Leaf, dtype: np.dtype) -> Operator:
    codomain, domain = leaf.codomain, leaf.domain
    match leaf.piece:
        case Einsums(terms):
            return operator_of(terms, codomain, domain, dtype)
        case Product(kind, kept, rows):
            return softmax_operator(kind, Origin(jnp.asarray(kept.array)), rows, dtype)
        case Along(kind, kept):
            return kind.operator([jnp.asarray(f.array) for f in kept], domain[0], dtype)
        case Index(name="reshape"):
            function = Rearranged(tuple(range(len(domain))), codomain)
            return ops.Selection(function, codomain, domain, dtype)
        case Index(function, scatters=True):
            return ops.Selection(Pulled(function, domain), domain, codomain, dtype).T
        case Index(function):
            return ops.Selection(function, codomain, domain, dtype)
        case Opaque(function, transposed):
            return ops.Linear(function, codomain, domain, dtype, transposed)


# --- blocks ---


def _blocks(plan: Blocked, dtype: np.dtype) -> Operator:
    """The blocks side by side; one operator, Kronecker an identity, where they are all equal."""
    found = list(_coefficients(plan.part))
    arrays = [jnp.asarray(c.array) for c in found]
    axes = [c.mapped[0] for c in found]
    a, c = plan.pair

    def one(arrays: Sequence[Array]) -> Operator:
        return build(_filled(plan.part, iter(arrays)), dtype)

    if all(axis is None for axis in axes):
        return _repeated(one(arrays), plan.size, a, c, dtype)
    mapped = _mapped_leaves(one, axes, arrays)
    structure, leaves = _vmapped(one, axes, arrays, mapped)
    block = jax.tree.unflatten(structure, leaves)
    return ops.BlockDiagonal(block, plan.size, a, c, tuple(mapped))


def _repeated(block: Operator, size: int, a: int, c: int, dtype: np.dtype) -> Operator:
    unit = ops.Identity((size,), dtype)
    if a == c == 0:
        return ops.Kronecker((unit, block))
    if a == len(block.codomain) and c == len(block.domain):
        return ops.Kronecker((block, unit))
    shared = (False,) * len(jax.tree.leaves(block))
    return ops.BlockDiagonal(block, size, a, c, shared)


def _mapped_leaves(one: Any, axes: list[int | None], arrays: list[Array]) -> list[bool]:
    """Which leaves of the block differ from index to index, as the mapped arrays do."""
    flags: list[bool] = []
    first = next(i for i, axis in enumerate(axes) if axis is not None)

    def probe(arrays: Sequence[Array]) -> Array:
        leaves = jax.tree.leaves(one(arrays))
        flags.extend(is_mapped_with(leaf, arrays[first]) for leaf in leaves)
        return arrays[first]

    jax.eval_shape(jax.vmap(probe, (axes,)), arrays)
    return flags


def _vmapped(
    one: Any, axes: list[int | None], arrays: list[Array], mapped: list[bool]
) -> tuple[Any, list[Array]]:
    structures = []

    def leaves(arrays: Sequence[Array]) -> tuple[Array, ...]:
        flat, structure = jax.tree.flatten(one(arrays))
        structures.append(structure)
        return tuple(flat)

    out_axes = tuple(0 if flag else None for flag in mapped)
    flat = jax.vmap(leaves, (axes,), out_axes)(arrays)
    return structures[0], list(flat)


def _coefficients(plan: Plan) -> Iterator[Coefficient]:
    """The arrays of the plan that a block may have its own of, always in one order."""
    match plan:
        case Chained(parts) | Summed(parts):
            for part in parts:
                yield from _coefficients(part)
        case Blocked(part):
            yield from _coefficients(part)
        case Leaf(Einsums(terms)):
            yield from (factor for term in terms for factor in term.factors)
        case Leaf(Product(kept=kept)):
            yield kept
        case Leaf(Along(kept=several)):
            yield from several


def _filled(plan: Plan, arrays: Iterator[Array]) -> Plan:
    """The plan with other arrays, in the order of `_coefficients`, one block level further in."""
    match plan:
        case Chained(parts):
            return Chained(tuple(_filled(part, arrays) for part in parts))
        case Summed(parts):
            return Summed(tuple(_filled(part, arrays) for part in parts))
        case Blocked(part, pair, size, index):
            return Blocked(_filled(part, arrays), pair, size, index)
        case Leaf(piece, codomain, domain):
            return Leaf(_piece_filled(piece, arrays), codomain, domain)


def _piece_filled(piece: Piece, arrays: Iterator[Array]) -> Piece:
    def inner(c: Coefficient) -> Coefficient:
        return c._replace(array=next(arrays), mapped=c.mapped[1:])

    match piece:
        case Einsums(terms):
            return Einsums(
                tuple(
                    dataclasses.replace(term, factors=tuple(map(inner, term.factors)))
                    for term in terms
                )
            )
        case Product(kind, kept, rows, s):
            return Product(kind, inner(kept), rows, s)
        case Along(kept=several):
            return dataclasses.replace(piece, kept=tuple(map(inner, several)))
    return piece
