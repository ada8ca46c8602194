"""Dataclasses as pytrees: which fields are structure, and what stands for arrays."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators._pickling import enable, exportable

T = TypeVar("T")


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A field that is part of the structure, not an array: hashable, compared by `jax.jit`."""
    return dataclasses.field(default=default, metadata={"static": True})


def register(cls: Any) -> None:
    """Make the dataclass `cls` a pytree; what rebuilds it checks nothing, as leaves may be any.

    Its structure has, beside the static fields, how many axes its arrays had when it was made:
    what leaves a `jax.vmap` has more.
    """
    fields = dataclasses.fields(cls)
    cls._structure = tuple(field.name for field in fields if field.metadata.get("static"))
    cls._children = tuple(field.name for field in fields if not field.metadata.get("static"))

    def flatten(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return _values(op), (ranks(op), *_static(op))

    def flatten_with_keys(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        values, structure = flatten(op)
        keys = map(jax.tree_util.GetAttrKey, cls._children)
        return tuple(zip(keys, values, strict=True)), structure

    def unflatten(structure: tuple[Any, ...], values: Iterable[Any]) -> Any:
        return rebuilt(cls, structure, values)

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    exportable(cls)
    _CLASSES.add(cls)


_CLASSES: set[type] = set()


def rebuilt(cls: Any, structure: Iterable[Any], values: Iterable[Any]) -> Any:
    """The instance of `cls` with this structure and these values, none of them checked."""
    names = ("_ranks", *cls._structure, *cls._children)
    op: Any = object.__new__(cls)
    for name, value in zip(names, (*structure, *values), strict=True):
        object.__setattr__(op, name, value)
    return op


def _values(op: Any) -> tuple[Any, ...]:
    return tuple(getattr(op, name) for name in op._children)


def _static(op: Any) -> tuple[Any, ...]:
    return tuple(getattr(op, name) for name in op._structure)


def is_operator(x: Any) -> bool:
    """Whether `x` is one of the dataclasses made pytrees here."""
    return type(x) in _CLASSES


def _parts(op: Any) -> tuple[list[Any], list[Any]]:
    """The arrays of `op` itself, and the operators inside it."""
    parts = jax.tree.leaves(_values(op), is_leaf=is_operator)
    inside = [is_operator(part) for part in parts]
    pairs = list(zip(parts, inside, strict=True))
    return [part for part, op in pairs if not op], [part for part, op in pairs if op]


def ranks(op: Any) -> tuple[int, ...]:
    """How many axes each array of `op` itself had when it was made.

    Read when it is first flattened: before that no transformation can have added any.
    """
    if "_ranks" not in vars(op):
        object.__setattr__(op, "_ranks", tuple(map(np.ndim, _parts(op)[0])))
    known: tuple[int, ...] = op._ranks
    return known


def added_axes(op: Any) -> tuple[int, ...]:
    """The lengths of the leading axes of the arrays of `op` beyond those it was made with."""
    arrays, inside = _parts(op)
    added = [part.added_axes for part in inside]
    if len(arrays) == len(ranks(op)):
        added += [
            np.shape(x)[: max(np.ndim(x) - n, 0)] for x, n in zip(arrays, ranks(op), strict=True)
        ]
    return max(added, key=len, default=())


def reduced(op: Any) -> tuple[Any, ...]:
    """What `pickle` rebuilds `op` from."""
    enable()
    return rebuilt, (type(op), (ranks(op), *_static(op)), _values(op))


def stacked(op: T, batched: tuple[bool, ...]) -> T:
    """`op` as one operator for each index of the leading axis of its arrays `batched`."""
    one = _as_found(example(op, batched))
    return jax.tree.unflatten(jax.tree.structure(one), jax.tree.leaves(op))


def _as_found(op: Any) -> Any:
    """`op` as made with no more axes than its arrays have."""
    if not is_operator(op):
        return op
    values = jax.tree.map(_as_found, _values(op), is_leaf=is_operator)
    found = map(min, ranks(op), map(np.ndim, _parts(op)[0]))
    return rebuilt(type(op), (tuple(found), *_static(op)), values)


def abstract(leaf: Any) -> Any:
    """What has the shape and dtype of `leaf`, which may be a Python number."""
    return leaf if hasattr(leaf, "dtype") else jax.typeof(leaf)


def example(op: T, batched: tuple[bool, ...]) -> T:
    """`op` with abstract leaves, those that are `batched` without their leading axis.

    What is one array in two places stays one.
    """
    leaves, structure = jax.tree.flatten(op)
    shapes: dict[tuple[int, bool], Any] = {}
    for leaf, b in zip(leaves, batched, strict=True):
        x = abstract(leaf)
        shape = x.shape[1:] if b else x.shape
        shapes.setdefault((id(leaf), b), jax.ShapeDtypeStruct(shape, x.dtype))
    pairs = zip(map(id, leaves), batched, strict=True)
    return jax.tree.unflatten(structure, [shapes[pair] for pair in pairs])


def basis(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """The unit arrays of `shape`, stacked on a leading axis."""
    size = math.prod(shape)
    return jnp.eye(size, dtype=dtype).reshape(size, *shape)
