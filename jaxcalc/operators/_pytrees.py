"""Dataclasses as pytrees: which fields are structure, and what stands for arrays."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

T = TypeVar("T")


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A field that is part of the structure, not an array: hashable, compared by `jax.jit`."""
    return dataclasses.field(default=default, metadata={"static": True})


def register(cls: Any) -> None:
    """Make the dataclass `cls` a pytree; what rebuilds it checks nothing, as leaves may be any."""
    fields = dataclasses.fields(cls)
    aux = tuple(field.name for field in fields if field.metadata.get("static"))
    children = tuple(field.name for field in fields if not field.metadata.get("static"))

    def flatten(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(op, n) for n in children), tuple(getattr(op, n) for n in aux)

    def flatten_with_keys(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        values, structure = flatten(op)
        keys = map(jax.tree_util.GetAttrKey, children)
        return tuple(zip(keys, values, strict=True)), structure

    def unflatten(structure: tuple[Any, ...], values: Iterable[Any]) -> Any:
        op = object.__new__(cls)
        for name, value in zip(aux + children, (*structure, *values), strict=True):
            object.__setattr__(op, name, value)
        return op

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


def abstract(leaf: Any) -> Any:
    """What has the shape and dtype of `leaf`, which may be a Python number."""
    return leaf if hasattr(leaf, "dtype") else jax.typeof(leaf)


def example(op: T, batched: tuple[bool, ...]) -> T:
    """`op` with abstract leaves, those that are `batched` without their leading axis."""
    leaves, structure = jax.tree.flatten(op)
    pairs = zip(map(abstract, leaves), batched, strict=True)
    shapes = [jax.ShapeDtypeStruct(x.shape[1:] if b else x.shape, x.dtype) for x, b in pairs]
    return jax.tree.unflatten(structure, shapes)


def basis(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """The unit arrays of `shape`, stacked on a leading axis."""
    size = math.prod(shape)
    return jnp.eye(size, dtype=dtype).reshape(size, *shape)
