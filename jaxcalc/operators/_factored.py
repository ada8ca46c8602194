"""A matrix beside its LU decomposition: what is solved more than once is decomposed once."""

from typing import Self

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._pytrees import static


class Factored(LinearOperator):
    """J = `array`, a square matrix, or its transpose; `factors` are what its solutions need.

    >>> J = Factored.of(jnp.array([[2.0, 1.0], [1.0, 1.0]]))
    >>> print(J.solve(jnp.array([3.0, 2.0])))
    [1. 1.]
    """

    array: Array
    factors: _matrices.Factors
    transposed: bool = static(default=False)

    @classmethod
    def of(cls, array: Array) -> Self:
        """The operator of a square matrix, decomposed here."""
        return cls(array, _matrices.factorized(array))

    @property
    def codomain(self) -> Shape:
        """The length of the array's sides."""
        return self.array.shape[:1]

    @property
    def domain(self) -> Shape:
        """The length of the array's sides."""
        return self.array.shape[:1]

    @property
    def dtype(self) -> np.dtype:
        """That of `array`."""
        return self.array.dtype

    def mv(self, v: Array) -> Array:
        """The matrix times v."""
        return self.tensor() @ v

    @property
    def T(self) -> "Factored":
        """The transpose, by the same factors."""
        return Factored(self.array, self.factors, not self.transposed)

    def tensor(self) -> Array:
        """The matrix."""
        return self.array.T if self.transposed else self.array

    def _diagonal(self) -> Array:
        return jnp.diagonal(self.array)

    def _slogdet(self) -> tuple[Array, Array]:
        return _matrices.slogdet_by(self.factors, self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None:
            return super()._solve(b, shift)
        return _matrices.solve_by(self.factors, b, self.transposed)

    @property
    def structure(self) -> str:
        """dense."""
        return "dense"
