"""Triangular matrices, solved by substitution."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular

from jaxcalc._arrays import narrowed, wide
from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._pytrees import static


class Triangular(LinearOperator):
    """The lower triangle of `array`, or with `lower=False` the upper one; the rest is not read.

    With `unit_diagonal` the diagonal is not read either, and is 1.

    >>> J = Triangular(jnp.array([[2.0, 9.0], [1.0, 4.0]]))
    >>> print(J @ jnp.ones(2), J.solve(jnp.array([2.0, 9.0])))
    [2. 5.] [1. 2.]
    """

    array: Array
    lower: bool = static(default=True)
    unit_diagonal: bool = static(default=False)

    @property
    def codomain(self) -> Shape:
        """The first axis of `array`."""
        return self.array.shape[:1]

    @property
    def domain(self) -> Shape:
        """The second axis of `array`."""
        return self.array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """That of `array`."""
        return self.array.dtype

    def mv(self, v: Array) -> Array:
        """The triangle times v."""
        return self.tensor() @ v

    @property
    def T(self) -> "Triangular":
        """The other triangle of the transposed array."""
        return Triangular(self.array.T, not self.lower, self.unit_diagonal)

    def tensor(self) -> Array:
        """The array with zeros in the other triangle."""
        triangle = jnp.tril(self.array) if self.lower else jnp.triu(self.array)
        if not self.unit_diagonal:
            return triangle
        on_diagonal = jnp.eye(len(self.array), dtype=bool)
        return jnp.where(on_diagonal, jnp.ones((), self.dtype), triangle)

    def _diagonal(self) -> Array:
        if self.unit_diagonal:
            return jnp.ones(self.domain, self.dtype)
        return jnp.diagonal(self.array)

    def _slogdet(self) -> tuple[Array, Array]:
        return _matrices.slogdet_of_diagonal(self._diagonal())

    def _solve(self, b: Array, shift: Array | None) -> Array:
        matrix = self.array
        if shift is not None:
            matrix = self.tensor() + shift * jnp.eye(len(matrix), dtype=self.dtype)
        unit = self.unit_diagonal and shift is None
        x = solve_triangular(wide(matrix), wide(b), lower=self.lower, unit_diagonal=unit)
        regular = unit or jnp.all(jnp.diagonal(matrix) != 0)
        return narrowed(jnp.where(regular, x, jnp.nan), b.dtype)

    @property
    def structure(self) -> str:
        """triangular."""
        return "triangular"

    def _flops(self) -> int:
        return len(self.array) ** 2
