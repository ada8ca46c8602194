"""Selections: slices, pads, gathers, permutations and reshapes, and by transpose scatters."""

from typing import Any, Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._functions import LinearFunction, as_pytree, image_shape
from jaxcalc.operators._pytrees import static
from jaxcalc.operators._simple import Diagonal, reciprocal
from jaxcalc.operators._sparse import Coordinates, counted


class Selection(LinearOperator):
    """J v = `function(v)`, whose every entry is one entry of v or 0.

    `function` is a pytree (`Selection.of` makes it one) and must take arrays of any dtype: which
    entry goes where is read from what it makes of the integers 1, 2, ….

    >>> J = Selection.of(lambda x: x[::-1][:2], (3,))
    >>> print(J.todense())
    [[0. 0. 1.]
     [0. 1. 0.]]
    """

    function: LinearFunction
    codomain: Shape = static()
    domain: Shape = static()
    dtype: np.dtype = static()

    @classmethod
    def of(cls, function: LinearFunction, domain: Shape, dtype: Any = jnp.float32) -> Self:
        """The operator of a function that selects from one array of shape `domain`."""
        codomain = image_shape(function, domain, dtype)
        return cls(as_pytree(function), codomain, tuple(domain), dtype)

    def mv(self, v: Array) -> Array:
        """function(v)."""
        return self.function(v)

    def indices(self) -> Array:
        """For each output, the row-major index of its input, counted from 1; 0 for none."""
        size = int(np.prod(self.domain, dtype=int))
        return self.function(jnp.arange(1, size + 1).reshape(self.domain))

    def tensor(self) -> Array:
        """A one for each selected entry."""
        indices = self.indices().reshape(-1)
        size = int(np.prod(self.domain, dtype=int))
        columns = jnp.where(indices == 0, size, indices - 1)  # `size` is outside: dropped
        zeros = jnp.zeros((indices.size, size), self.dtype)
        ones = zeros.at[jnp.arange(indices.size), columns].set(1, mode="drop")
        return ones.reshape(self.codomain + self.domain)

    def _coordinates(self) -> Coordinates:
        indices = self.indices().reshape(-1)
        size = int(np.prod(self.domain, dtype=int))
        columns = jnp.where(indices == 0, size, indices - 1).astype(jnp.int32)
        return Coordinates((indices != 0).astype(self.dtype), counted(indices.size), columns)

    def pinv(self) -> LinearOperator:
        """The transpose, which takes the mean where an input was selected more than once."""
        return Diagonal(reciprocal(self._counts())) @ self.T

    def frobenius_norm(self) -> Array:
        """The root of the number of entries selected."""
        return jnp.sqrt(jnp.sum(self.indices() != 0).astype(self.dtype))

    def _counts(self) -> Array:
        """How often each input is selected."""
        return self.T.mv(jnp.ones(self.codomain, self.dtype))

    def _diagonal(self) -> Array:
        own = jnp.arange(1, int(np.prod(self.domain, dtype=int)) + 1).reshape(self.domain)
        return (self.indices() == own).astype(self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None:
            return super()._solve(b, shift)
        is_permutation = jnp.all(self._counts() == 1)
        return jnp.where(is_permutation, self.T.mv(b), jnp.nan)

    @property
    def structure(self) -> str:
        """selection."""
        return "selection"

    def _flops(self) -> int:
        return 0


def selected_twice(outer: Selection, inner: Selection) -> Selection:
    """The selection by `outer` from what `inner` selects."""
    function = Partial(_in_turn, inner.function, outer.function)
    return Selection(function, outer.codomain, inner.domain, outer.dtype)


def _in_turn(first: LinearFunction, second: LinearFunction, v: Array) -> Array:
    return second(first(v))
