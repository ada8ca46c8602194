"""Forward, reverse, or whichever applies: the derivative of one pytree by another, in blocks.

A mode takes a function that returns (y, aux), real arrays in trees, and the point x. It runs the
function once and returns y, the blocks ∂y/∂x and aux.
"""

import itertools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

Mode = Literal["auto", "forward", "reverse"]
# One row a leaf of y, one entry a leaf of x: tensors y.shape + x.shape in the dtype of y.
Blocks = list[list[Array]]
_Function = Callable[[Any], tuple[Any, Any]]
_Result = tuple[Any, Blocks, Any]


def _forward(f: _Function, x: Any) -> _Result:
    def push(tangent: Any) -> tuple[Any, Any, Any]:
        return jax.jvp(f, (x,), (tangent,), has_aux=True)

    y, columns, aux = jax.vmap(push, out_axes=(None, -1, None))(_basis(x))
    return y, _blocks_of_columns(columns, x), aux


def _reverse(f: _Function, x: Any) -> _Result:
    y, pull, aux = jax.vjp(f, x, has_aux=True)
    return y, _blocks_of_rows(jax.vmap(pull)(_basis(y)), y), aux


def _auto(f: _Function, x: Any) -> _Result:
    y, push, aux = jax.linearize(f, x, has_aux=True)

    def forward() -> Blocks:
        return _blocks_of_columns(jax.vmap(push, out_axes=-1)(_basis(x)), x)

    def reverse() -> Blocks:
        pull = jax.linear_transpose(push, x)
        return _blocks_of_rows(jax.vmap(pull)(_basis(y)), y)

    return y, _first_that_applies(forward, reverse, _size(x) <= _size(y)), aux


def _first_that_applies(
    forward: Callable[[], Blocks], reverse: Callable[[], Blocks], prefer_forward: bool
) -> Blocks:
    """The preferred mode's blocks, or the other's where JAX says that it does not apply.

    `f` has run by now, outside any `try`, so its own errors have surfaced; this is its linear
    program. JAX refuses to push it forward only for a `custom_vjp` (TypeError), and to pull it back
    for a `while_loop` (ValueError) or a primitive without a transpose (NotImplementedError). Where
    both refuse, the reverse speaks: the user's own backward rules run there.
    """
    if prefer_forward:
        try:
            return forward()
        except TypeError:
            return reverse()
    try:
        return reverse()
    except (ValueError, NotImplementedError) as refusal:
        try:
            return forward()
        except TypeError:
            raise refusal from None


MODES: dict[str, Callable[[_Function, Any], _Result]] = {
    "auto": _auto,
    "forward": _forward,
    "reverse": _reverse,
}


def _basis(tree: Any) -> Any:
    """The unit vectors of all of `tree` together, one a row, each leaf in its own dtype."""
    leaves, structure = jax.tree.flatten(tree)
    rows = [
        _unit_rows(leaf, _size(tree), start)
        for leaf, start in zip(leaves, [0, *_cuts(tree)], strict=True)
    ]
    return jax.tree.unflatten(structure, rows)


def _unit_rows(leaf: Array, count: int, start: int) -> Array:
    rows = jnp.eye(count, leaf.size, -start, dtype=leaf.dtype).reshape(count, *leaf.shape)
    # The sum takes on the leaf's sharding and, inside `shard_map`, the mesh axes it varies over.
    return rows + jnp.zeros_like(leaf)[None]


def _blocks_of_columns(columns: Any, x: Any) -> Blocks:
    """From a column for each unit tangent: leaves of shape y.shape + (size of x,)."""

    def row(leaf: Array) -> list[Array]:
        parts = jnp.split(leaf, _cuts(x), axis=-1)
        shapes = [leaf.shape[:-1] + x_leaf.shape for x_leaf in jax.tree.leaves(x)]
        return list(map(jnp.reshape, parts, shapes))

    return [row(leaf) for leaf in jax.tree.leaves(columns)]


def _blocks_of_rows(rows: Any, y: Any) -> Blocks:
    """From a row for each unit cotangent: leaves of shape (size of y,) + x.shape."""
    y_leaves = jax.tree.leaves(y)

    def column(leaf: Array) -> list[Array]:
        parts = zip(y_leaves, jnp.split(leaf, _cuts(y)), strict=True)
        return [part.reshape(y.shape + leaf.shape[1:]).astype(y.dtype) for y, part in parts]

    columns = map(column, jax.tree.leaves(rows))
    return [list(row) for row in zip(*columns, strict=True)]


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _cuts(tree: Any) -> list[int]:
    """Where each leaf but the first starts in the concatenation of all."""
    return list(itertools.accumulate(leaf.size for leaf in jax.tree.leaves(tree)))[:-1]
