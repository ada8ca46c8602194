"""Partial sums along an axis: a triangle of ones whose every product and solution costs O(n)."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._inverse import Inverse
from jaxcalc.operators._pytrees import static
from jaxcalc.operators._simple import divided


class CumulativeSum(LinearOperator):
    """J = L, the lower triangle of ones: (J v)_i = v_1 + … + v_i; with `reverse`, J = Lᵀ.

    Its inverse takes differences, and its determinant is 1.

    >>> J = CumulativeSum(3, jnp.float32)
    >>> print(J @ jnp.array([1.0, 2.0, 3.0]), J.solve(jnp.array([1.0, 3.0, 6.0])))
    [1. 3. 6.] [1. 2. 3.]
    """

    size: int = static()
    dtype: np.dtype = static()
    reverse: bool = static(default=False)

    @property
    def codomain(self) -> tuple[int, ...]:
        """(size,)."""
        return (self.size,)

    @property
    def domain(self) -> tuple[int, ...]:
        """(size,)."""
        return (self.size,)

    def mv(self, v: Array) -> Array:
        """The sums from one end on."""
        return self.mm(v)

    def mm(self, columns: Array) -> Array:
        """The sums down each column."""
        return lax.cumsum(columns, axis=0, reverse=self.reverse)

    @property
    def T(self) -> "CumulativeSum":
        """The sums from the other end on."""
        return CumulativeSum(self.size, self.dtype, not self.reverse)

    def tensor(self) -> Array:
        """The triangle of ones."""
        lower = jnp.tri(self.size, dtype=self.dtype)
        return lower.T if self.reverse else lower

    def pinv(self) -> LinearOperator:
        """The differences."""
        return Inverse(self)

    def frobenius_norm(self) -> Array:
        """√(n (n + 1) / 2)."""
        return jnp.asarray(math.sqrt(self.size * (self.size + 1) / 2), self.dtype)

    def _diagonal(self) -> Array:
        return jnp.ones(self.size, self.dtype)

    def _trace(self) -> Array:
        return jnp.asarray(self.size, self.dtype)

    def _slogdet(self) -> tuple[Array, Array]:
        return jnp.ones((), self.dtype), jnp.zeros((), self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        """x_i − x_{i−1} of b; with a shift, (1 + shift) x_i − shift x_{i−1} = b_i − b_{i−1}."""
        b = b[::-1] if self.reverse else b
        x = b - jnp.pad(b[:-1], (1, 0))
        if shift is not None:
            step, x = divided(shift, 1 + shift), divided(x, 1 + shift)
            _, x = lax.associative_scan(_in_turn, (jnp.full_like(x, step), x))
        return x[::-1] if self.reverse else x

    @property
    def structure(self) -> str:
        """cumulative sum."""
        return "cumulative sum"

    def _flops(self) -> int:
        return self.size


def _in_turn(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """x ↦ a₁ x + c₁, then x ↦ a₂ x + c₂."""
    (a1, c1), (a2, c2) = first, second
    return a1 * a2, a2 * c1 + c2
