"""Contractions, places and choices that leave an array split over devices where it is.

Where its type shows the split (a mesh with explicit axes), JAX asks what becomes of a split axis
that a contraction or an index takes away. Sums and single entries are what travels here, so that
the answer is always: nothing is split along it any more. Elsewhere JAX is told nothing, and
computes as ever.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec, reshard

T = TypeVar("T")
Place = tuple[Array, ...]  # the indices of one or more entries, an array an axis


def contracted(a: Array, b: Array, ndim: int, precision: Any = None) -> Array:
    """Σ a[i, j] b[i, k] over the first `ndim` axes i of both."""
    axes = (tuple(range(ndim)),) * 2
    left = _told((*_sharding(a).spec[ndim:], *_sharding(b).spec[ndim:]), a, b)
    return jnp.tensordot(a, b, axes, precision=precision, out_sharding=left)


def gram(X: Array) -> Array:
    """Xᵀ X, for columns on the last axis."""
    return contracted(X, X, X.ndim - 1)


def norm(x: Array) -> Array:
    """The root of the sum of all |x|²; `jnp.linalg.norm` would make one axis of all."""
    return jnp.sqrt(jnp.sum(jnp.square(jnp.abs(x))))


def whole(tree: T) -> T:
    """`tree` with every array whole on every device, where JAX shows that one is not.

    A matrix has two axes where its arrays have one, which cannot both be split like it.
    """

    def gathered(x: Any) -> Any:
        shown = _explicit(x) if isinstance(x, Array) else []  # a leaf may be anything
        if not shown or not any(shown[0].spec):
            return x
        return reshard(x, shown[0].update(spec=PartitionSpec(*(None,) * x.ndim)))

    return jax.tree.map(gathered, tree)


def picked(x: Array, place: Place, before: int = 0) -> Array:
    """The entries of `x` at `place`, which indexes the axes that have `before` axes before them."""
    spec, after = _sharding(x).spec, before + len(place)
    left = _told((*spec[:before], None, *spec[after:]), x, *place)
    every = x.at[(slice(None),) * before + place]
    return every.get(mode="promise_in_bounds", out_sharding=left)


def raised(x: Array, place: Place, amounts: Array) -> Array:
    """x with `amounts` added, in its place: a check of the indices would cost a copy."""
    left = _told(_sharding(x).spec, x, *place)
    return x.at[place].add(amounts, mode="promise_in_bounds", out_sharding=left)


def first(count: int, shape: tuple[int, ...]) -> Place:
    """The place of the first `count` entries of an array."""
    return jnp.unravel_index(jnp.arange(count, dtype=jnp.int32), shape)


def smallest(x: Array, count: int) -> tuple[Place, Array]:
    """The place of the `count` smallest entries of x, and those.

    By minima, one after the other: a sort gathers all that is split.
    """

    def taken(x: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        indices = jnp.arange(x.size, dtype=jnp.int32).reshape(x.shape)
        least = jnp.min(x, initial=jnp.inf)
        index = jnp.min(indices, where=x == least, initial=x.size - 1)
        return jnp.where(indices == index, jnp.inf, x), (index, least)

    if count == 1:
        index, least = (one[None] for one in taken(x, None)[1])
    else:
        index, least = lax.scan(taken, x, length=count)[1]
    return jnp.unravel_index(index, x.shape), least


def chosen(
    predicate: Array, one: Callable[..., Any], other: Callable[..., Any], *operands: Array
) -> Any:
    """`lax.cond` for small results; on a mesh with explicit axes both are computed.

    Mapped by `jax.vmap` it would select among the operands there, which must then be split alike.
    """
    if not _explicit(*operands):
        return lax.cond(predicate, one, other, *operands)
    select = functools.partial(jnp.where, predicate)
    return jax.tree.map(select, one(*operands), other(*operands))


def aligned(arrays: Any, axes: Any) -> Any:
    """The tree `arrays`, mapped over the tree `axes` (None: shared), split alike along those.

    `jax.vmap` refuses what is whole along its axis beside what is split.
    """
    leaves, treedef = jax.tree.flatten(arrays)
    pairs = list(zip(leaves, jax.tree.leaves(axes, is_leaf=lambda axis: axis is None), strict=True))
    mapped = [(_sharding(x), axis) for x, axis in pairs if axis is not None]
    split = [(s, s.spec[axis]) for s, axis in mapped if s.spec[axis] is not None]
    if not split:
        return arrays
    sharding, wanted = split[0]

    def alike(x: Any, axis: int | None) -> Any:
        spec = list(_sharding(x).spec)
        if axis is None or spec[axis] == wanted:
            return x
        spec[axis] = wanted
        return reshard(x, sharding.update(spec=PartitionSpec(*spec)))

    return jax.tree.unflatten(treedef, [alike(x, axis) for x, axis in pairs])


def _told(spec: Iterable[Any], *arrays: Array) -> NamedSharding | None:
    """What to tell JAX of a result with that `spec`: nothing but on a mesh with explicit axes."""
    shown = _explicit(*arrays)
    return shown[0].update(spec=PartitionSpec(*spec)) if shown else None


def _explicit(*arrays: Array) -> list[NamedSharding]:
    shardings = map(_sharding, arrays)
    return [s for s in shardings if AxisType.Explicit in s.mesh.axis_types]


def _sharding(x: Any) -> NamedSharding:
    return jax.typeof(x).sharding
