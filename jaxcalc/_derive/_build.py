"""From a plan to the operator it describes, and to the map tree that formulas are made from."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._compat import is_mapped_with
from jaxcalc._derive._plan import Blocked, Chained, Leaf, Plan, Summed, coefficients, with_arrays
from jaxcalc._formula import maps
from jaxcalc.operators._products import compose_all

Operator = ops.LinearOperator


def build(plan: Plan, dtype: np.dtype) -> Operator:
    """The operator; it computes in `dtype`."""
    each = partial(build, dtype=dtype)
    match plan:
        case Chained(parts):
            return compose_all(map(each, parts))
        case Summed(parts):
            return reduce(ops.add, map(each, parts))
        case Blocked():
            return _blocks(plan, dtype)
        case Leaf(piece, codomain, domain):
            return piece.operator(codomain, domain, dtype)


def written(plan: Plan) -> maps.Map:
    """The plan in expressions: the same shape, without arrays."""
    codomain, domain = plan.codomain, plan.domain
    match plan:
        case Chained(parts):
            return maps.Composition(codomain, domain, tuple(map(written, parts)))
        case Summed(parts):
            return maps.Addition(codomain, domain, tuple(map(written, parts)))
        case Blocked(part, (a, c), size, index):
            return maps.Block(codomain, domain, written(part), index, size, a, c)
        case Leaf(piece):
            return piece.written(codomain, domain)


# --- blocks ---


def _blocks(plan: Blocked, dtype: np.dtype) -> Operator:
    """The blocks side by side; one operator, Kronecker an identity, where they are all equal."""
    found = coefficients(plan.part)
    arrays = [jnp.asarray(c.array) for c in found]
    axes = [c.mapped[0] for c in found]
    a, c = plan.pair

    def one(arrays: Sequence[Array]) -> Operator:
        """The block of these arrays, one block level further in."""
        given = iter(arrays)
        inner = with_arrays(plan.part, lambda c: c._replace(array=next(given), mapped=c.mapped[1:]))
        return build(inner, dtype)

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
