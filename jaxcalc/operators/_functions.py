"""Linear functions as parts of an operator: their shapes, their pytrees, their transposes."""

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import jax
import numpy as np
from jax import Array
from jax.tree_util import Partial

from jaxcalc.operators._pickling import as_bytes, exportable

LinearFunction = Callable[[Array], Array]


@jax.tree_util.register_pytree_with_keys_class
class PytreeFunction:
    """A function as a pytree: with the leaves that it has as one, or none.

    Whatever pytree it was, `jax.export` need know this class alone.
    """

    def __init__(self, function: LinearFunction) -> None:
        tree = Partial(function) if jax.tree_util.all_leaves([function]) else function
        self.leaves, self.structure = jax.tree.flatten(tree)

    @property
    def wrapped(self) -> LinearFunction:
        """The function itself."""
        function: LinearFunction = jax.tree.unflatten(self.structure, self.leaves)
        return function

    def __call__(self, v: Array) -> Array:
        return self.wrapped(v)

    def __reduce__(self) -> tuple[Any, ...]:
        return PytreeFunction, (self.wrapped,)

    def tree_flatten(self) -> tuple[Sequence[Any], Any]:
        """Its leaves, and its structure."""
        return self.leaves, self.structure

    def tree_flatten_with_keys(self) -> tuple[Sequence[Any], Any]:
        """The same, each leaf with its place."""
        keys = map(jax.tree_util.SequenceKey, range(len(self.leaves)))
        return list(zip(keys, self.leaves, strict=True)), self.structure

    @classmethod
    def tree_unflatten(cls, structure: Any, leaves: Iterable[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        new = object.__new__(cls)
        new.leaves, new.structure = list(leaves), structure
        return new


def _written(structure: Any) -> bytes:
    return as_bytes(jax.tree.unflatten(structure, range(structure.num_leaves)))


def _read(data: bytes) -> Any:
    return jax.tree.structure(pickle.loads(data))


exportable(PytreeFunction, _written, _read)


def as_pytree(function: LinearFunction) -> LinearFunction:
    """`function` as a pytree."""
    return function if isinstance(function, PytreeFunction) else PytreeFunction(function)


def image_shape(function: LinearFunction, domain: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """The shape of what `function` makes of an array of shape `domain`."""
    return jax.eval_shape(function, jax.ShapeDtypeStruct(tuple(domain), dtype)).shape


def transpose_of(function: Any, domain: tuple[int, ...], dtype: np.dtype) -> LinearFunction | None:
    """The transpose of a linear `function`, None where JAX has none, as for a `while` loop."""
    example = jax.ShapeDtypeStruct(domain, dtype)
    transpose = jax.linear_transpose(function, example)
    try:
        jax.eval_shape(transpose, jax.eval_shape(function, example))
    except (NotImplementedError, ValueError):  # what JAX raises for want of a transpose rule
        return None
    return lambda v: transpose(v)[0]
