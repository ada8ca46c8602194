"""Linear functions that are pytrees: primitives with all operands but one given, and their kin."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind, eval_jaxpr

_pytree = jax.tree_util.register_dataclass


@partial(
    _pytree,
    data_fields=["operands"],
    meta_fields=["types", "primitive", "params", "position", "output", "moves"],
)
@dataclass(frozen=True, eq=False)
class Bound:
    """v ↦ output `output` of `primitive(*operands, **params)`, with v at `position`.

    An operand may be None, for zeros of its type. What only `moves` entries keeps their dtype.
    """

    operands: tuple[Any, ...]
    types: tuple[jax.ShapeDtypeStruct, ...]
    primitive: Any
    params: tuple[tuple[str, Any], ...]
    position: int
    output: int
    moves: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of v."""
        return self.types[self.position].shape

    def __call__(self, v: Array) -> Array:
        pairs = zip(self.operands, self.types, strict=True)
        operands = [jnp.zeros(t.shape, t.dtype) if x is None else x for x, t in pairs]
        operands[self.position] = v if self.moves else v.astype(self.types[self.position].dtype)
        if self.moves:
            operands = [_like(x, v) for x in operands]
        outputs = bind(self.primitive, operands, dict(self.params))
        return outputs[self.output].astype(v.dtype)


def _like(x: Any, v: Array) -> Any:
    """A floating operand of a selection in the dtype of what passes through it."""
    return x.astype(v.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x


@partial(_pytree, data_fields=[], meta_fields=["permutation", "shape"])
@dataclass(frozen=True)
class Rearranged:
    """v ↦ v with its axes permuted, then reshaped."""

    permutation: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, v: Array) -> Array:
        return jnp.reshape(jnp.transpose(v, self.permutation), self.shape)

    def keeps(self, domain: tuple[int, ...]) -> bool:
        """Whether arrays of that shape stay as they are."""
        order = [axis for axis in self.permutation if domain[axis] != 1]
        return self.shape == domain and order == sorted(order)


def reshaped(rank: int, shape: tuple[int, ...]) -> Rearranged:
    """v ↦ v, of that rank, in another shape."""
    return Rearranged(tuple(range(rank)), shape)


@partial(_pytree, data_fields=["function"], meta_fields=["shape"])
@dataclass(frozen=True, eq=False)
class Pulled:
    """The transpose of a linear function of arrays of that shape."""

    function: Callable[[Array], Array]
    shape: tuple[int, ...]

    def __call__(self, ct: Array) -> Array:
        x = jax.ShapeDtypeStruct(self.shape, ct.dtype)
        (out,) = jax.linear_transpose(self.function, x)(ct)
        return out


@partial(_pytree, data_fields=["function"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Negated:
    """v ↦ −function(v)."""

    function: Callable[[Array], Array]

    def __call__(self, v: Array) -> Array:
        return -self.function(v)


@partial(_pytree, data_fields=[], meta_fields=["offsets", "shape"])
@dataclass(frozen=True)
class Rolled:
    """v ↦ the first entries, `shape`, of v moved back by `offsets`: v[i + offset], periodic."""

    offsets: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, v: Array) -> Array:
        shifts = [-offset for offset in self.offsets]
        rolled = jnp.roll(v, shifts, tuple(range(v.ndim)))
        return rolled[tuple(slice(0, size) for size in self.shape)]

    def keeps(self, domain: tuple[int, ...]) -> bool:
        """Whether arrays of that shape stay as they are."""
        return self.shape == domain and not any(self.offsets)


@partial(_pytree, data_fields=["places"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class Taken:
    """v ↦ v[places[0]][:, places[1]]…; a place beyond the end gives 0."""

    places: tuple[Array, ...]

    def __call__(self, v: Array) -> Array:
        for axis, places in enumerate(self.places):
            v = jnp.take(v, places, axis, mode="fill", fill_value=0)
        return v

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple(map(len, self.places))

    def keeps(self, domain: tuple[int, ...]) -> bool:
        """Never, as far as is known."""
        return False


Mover = Rearranged | Rolled | Taken


@partial(
    _pytree,
    data_fields=["residuals"],
    meta_fields=["jaxpr", "types", "output", "position"],
)
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
