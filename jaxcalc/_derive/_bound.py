"""Primitives with all operands but one given: linear functions that are pytrees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind, eval_jaxpr


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Bound:
    """v ↦ output `output` of `primitive(*operands, **params)`, with v at `position`.

    An operand may be a `jax.ShapeDtypeStruct`, for zeros of that type.
    """

    operands: tuple[Any, ...]
    primitive: Any
    params: tuple[tuple[str, Any], ...]
    position: int
    output: int

    def __call__(self, v: Array) -> Array:
        operands = [_zeros(x) if isinstance(x, jax.ShapeDtypeStruct) else x for x in self.operands]
        slot = self.operands[self.position]
        integer = jnp.issubdtype(v.dtype, jnp.integer)
        operands[self.position] = v if integer else v.astype(slot.dtype)
        if integer:
            operands = [_like(x, v) for x in operands]
        outputs = bind(self.primitive, operands, dict(self.params))
        return outputs[self.output].astype(v.dtype)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The arrays among the operands, and the rest."""
        arrays = tuple(x for x in self.operands if not isinstance(x, jax.ShapeDtypeStruct))
        slots = tuple(x if isinstance(x, jax.ShapeDtypeStruct) else None for x in self.operands)
        return arrays, (slots, self.primitive, self.params, self.position, self.output)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], arrays: Sequence[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        slots, *rest = static
        remaining = iter(arrays)
        operands = tuple(next(remaining) if x is None else x for x in slots)
        return cls(operands, *rest)


def _zeros(x: jax.ShapeDtypeStruct) -> Array:
    return jnp.zeros(x.shape, x.dtype)


def _like(x: Any, v: Array) -> Any:
    """A floating operand of a selection in the dtype of the integers that pass through it."""
    return x.astype(v.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x


@jax.tree_util.register_static
@dataclass(frozen=True)
class Rearranged:
    """v ↦ v with its axes permuted, then reshaped."""

    permutation: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, v: Array) -> Array:
        return jnp.reshape(jnp.transpose(v, self.permutation), self.shape)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Pulled:
    """The transpose of a linear function of arrays of that shape."""

    function: Callable[[Array], Array]
    shape: tuple[int, ...]

    def __call__(self, ct: Array) -> Array:
        x = jax.ShapeDtypeStruct(self.shape, ct.dtype)
        (out,) = jax.linear_transpose(self.function, x)(ct)
        return out

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The function, and the rest."""
        return (self.function,), (self.shape,)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: Sequence[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        return cls(*children, *static)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Negated:
    """v ↦ −function(v)."""

    function: Callable[[Array], Array]

    def __call__(self, v: Array) -> Array:
        return -self.function(v)

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """The function."""
        return (self.function,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Sequence[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        return cls(*children)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Rolled:
    """v ↦ the first entries, `shape`, of v moved back by `offsets`: v[i + offset], periodic."""

    offsets: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, v: Array) -> Array:
        shifts = [-offset for offset in self.offsets]
        rolled = jnp.roll(v, shifts, tuple(range(v.ndim)))
        return rolled[tuple(slice(0, size) for size in self.shape)]


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Taken:
    """v ↦ v[places[0]][:, places[1]]…; a place beyond the end gives 0."""

    places: tuple[Array, ...]

    def __call__(self, v: Array) -> Array:
        for axis, places in enumerate(self.places):
            v = jnp.take(v, places, axis, mode="fill", fill_value=0)
        return v

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """The places."""
        return self.places, None

    @classmethod
    def tree_unflatten(cls, _: None, places: Sequence[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        return cls(tuple(places))


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Pushed:
    """v ↦ output `output` of a linear program, with v for argument `position` and zeros besides."""

    jaxpr: Any
    residuals: tuple[Array, ...]
    types: tuple[jax.ShapeDtypeStruct, ...]
    output: int
    position: int

    def __call__(self, v: Array) -> Array:
        tangents = [jnp.zeros(t.shape, t.dtype) for t in self.types]
        tangents[self.position] = v.astype(self.types[self.position].dtype)
        results = eval_jaxpr(self.jaxpr, self.residuals, *tangents)
        return results[self.output].astype(v.dtype)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The residuals, and the rest."""
        return self.residuals, (self.jaxpr, self.types, self.output, self.position)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], residuals: Sequence[Any]) -> Self:
        """The inverse of `tree_flatten`."""
        jaxpr, *rest = static
        return cls(jaxpr, tuple(residuals), *rest)
