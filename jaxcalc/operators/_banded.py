"""Banded operators: each output a weighted sum of inputs at fixed offsets, as in a stencil."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._pytrees import static
from jaxcalc.operators._sparse import Coordinates, counted, joined
from jaxcalc.operators._splits import norm

Offset = tuple[int, ...]


class Banded(LinearOperator):
    """J_{i, (i + o) mod domain} = weights[k, i] for the k-th offset o, an int for each axis.

    `weights` has shape `(len(offsets), *codomain)`. What reaches over an edge wraps around, as in a
    periodic stencil; elsewhere its weight is 0.

    >>> weights = jnp.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 0.0]])
    >>> J = Banded(weights, ((0,), (1,)), (3,))
    >>> print(J @ jnp.array([1.0, 4.0, 9.0]))
    [ 3.  5. -9.]
    """

    weights: Array
    offsets: tuple[Offset, ...] = static()
    domain: Shape = static()

    def __post_init__(self) -> None:
        super().__post_init__()
        rank, offsets = len(self.domain), self.offsets
        if not all(isinstance(o, tuple) and len(o) == rank for o in offsets) or not offsets:
            raise ValueError(
                f"`offsets` must be tuples of {rank} integers, one for each axis of the domain "
                f"{self.domain}, but got {offsets}."
            )
        wrapped = {self.wrapped(offset) for offset in self.offsets}
        if len(wrapped) != len(self.offsets):
            raise ValueError(
                f"`offsets` must be distinct modulo the domain {self.domain}, but got "
                f"{self.offsets}; add the weights of equal ones."
            )
        if self.weights.ndim != 1 + len(self.domain) or len(self.weights) != len(self.offsets):
            raise ValueError(
                f"`weights` must have shape ({len(self.offsets)}, *codomain) with a codomain of "
                f"rank {len(self.domain)}, but got {self.weights.shape}."
            )

    @property
    def codomain(self) -> Shape:
        """The axes of `weights` behind its first."""
        return self.weights.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """That of `weights`."""
        return self.weights.dtype

    def wrapped(self, offset: Offset) -> Offset:
        """`offset` with each entry between 0 and the size of its axis."""
        return tuple(o % n for o, n in zip(offset, self.domain, strict=True))

    def seen_from(self, v: Array, offset: Offset) -> Array:
        """The array of shape `codomain` with entries v[(i + offset) mod domain]."""
        shifts, axes = tuple(-o for o in offset), tuple(range(v.ndim))
        rolled = jnp.roll(v, shifts, axes) if any(offset) else v
        repeats = [-(-m // n) for m, n in zip(self.codomain, v.shape, strict=True)]
        tiled = jnp.tile(rolled, repeats) if max(repeats, default=1) > 1 else rolled
        return tiled[tuple(slice(m) for m in self.codomain)]

    def mv(self, v: Array) -> Array:
        """Σₖ weights[k] ⊙ v rolled by the k-th offset."""
        pairs = zip(self.weights, self.offsets, strict=True)
        terms = [weight * self.seen_from(v, offset) for weight, offset in pairs]
        return jnp.sum(jnp.stack(terms), axis=0) if len(terms) != 1 else terms[0]

    @property
    def T(self) -> LinearOperator:
        """Banded with the opposite offsets where domain and codomain are equal, else lazy."""
        if self.codomain != self.domain:
            return super().T
        opposite = tuple(tuple(-o for o in offset) for offset in self.offsets)
        pairs = zip(self.weights, opposite, strict=True)
        weights = jnp.stack([self.seen_from(weight, offset) for weight, offset in pairs])
        return Banded(weights, opposite, self.domain)

    def tensor(self) -> Array:
        """The weights, each written to the entry it belongs to."""
        m, n = math.prod(self.codomain), math.prod(self.domain)
        columns = jnp.stack([self._columns(offset) for offset in self.offsets])
        rows = jnp.broadcast_to(counted(m), columns.shape)
        weights = self.weights.reshape(columns.shape)
        matrix = jnp.zeros((m, n), self.dtype).at[rows, columns].set(weights)
        return matrix.reshape(self.codomain + self.domain)

    def _coordinates(self) -> Coordinates:
        places = counted(math.prod(self.codomain))
        bands = zip(self.weights, self.offsets, strict=True)
        return joined(
            [Coordinates(w.reshape(-1), places, self._columns(offset)) for w, offset in bands]
        )

    def _columns(self, offset: Offset) -> Array:
        """The column of the entry that each row has at `offset`, both in row-major order."""
        indices = counted(math.prod(self.domain)).reshape(self.domain)
        return self.seen_from(indices, offset).reshape(-1)

    def frobenius_norm(self) -> Array:
        """The norm of all weights."""
        return norm(self.weights)

    def _scaled(self, scale: Array) -> LinearOperator:
        return Banded(self.weights * scale, self.offsets, self.domain)

    def _diagonal(self) -> Array:
        own = [self.wrapped(offset) == (0,) * len(self.domain) for offset in self.offsets]
        return self.weights[own.index(True)] if any(own) else jnp.zeros(self.domain, self.dtype)

    @property
    def structure(self) -> str:
        """banded."""
        return "banded"

    def _flops(self) -> int:
        return 2 * len(self.offsets) * math.prod(self.codomain)


def merged(bands: dict[Offset, Array], domain: Shape) -> Banded:
    """The banded operator of the weights at each offset."""
    return Banded(jnp.stack(list(bands.values())), tuple(bands), domain)


def bands_of(op: Banded) -> dict[Offset, Array]:
    """The weights at each offset, wrapped around."""
    return {op.wrapped(o): weight for o, weight in zip(op.offsets, op.weights, strict=True)}
