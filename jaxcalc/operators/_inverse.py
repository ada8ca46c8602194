"""The transpose and the inverse of an operator whose class has no closed form for them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import holding
from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape, same_spaces, square
from jaxcalc.operators._registry import pseudo_inverse, transposed
from jaxcalc.operators._simple import Dense, Identity
from jaxcalc.operators._sparse import Coordinates


class Transpose(LinearOperator):
    """The transpose of `op`, applied by `jax.linear_transpose` of its product.

    >>> from jaxcalc.operators import Selection
    >>> print(Selection.of(lambda x: x[1:], (3,)).T @ jnp.ones(2))
    [0. 1. 1.]
    """

    op: LinearOperator

    @property
    def codomain(self) -> Shape:
        """The domain of `op`."""
        return self.op.domain

    @property
    def domain(self) -> Shape:
        """The codomain of `op`."""
        return self.op.codomain

    @property
    def dtype(self) -> np.dtype:
        """That of `op`."""
        return self.op.dtype

    def mv(self, v: Array) -> Array:
        """opᵀ v."""
        example = jax.ShapeDtypeStruct(self.op.domain, v.dtype)
        return jax.linear_transpose(self.op.mv, example)(v)[0]

    @property
    def T(self) -> LinearOperator:
        """`op` itself."""
        return self.op

    def tensor(self) -> Array:
        """The array of `op`, the axes of its domain first."""
        return Dense(self.op.tensor(), len(self.domain)).T.tensor()

    def _coordinates(self) -> Coordinates:
        # a column of `op` that is none would be a row that is none, which no matrix has
        values, rows, columns = self.op._coordinates()
        there = columns < math.prod(self.op.domain)
        return Coordinates(jnp.where(there, values, 0), jnp.where(there, columns, 0), rows)

    def pinv(self) -> LinearOperator:
        """(op⁺)ᵀ."""
        return self.op.pinv().T

    def frobenius_norm(self) -> Array:
        """That of `op`."""
        return self.op.frobenius_norm()

    def _scaled(self, scale: Array) -> LinearOperator:
        return (self.op * scale).T

    def _diagonal(self) -> Array:
        return self.op.diagonal()

    def _slogdet(self) -> tuple[Array, Array]:
        return self.op.slogdet()

    @property
    def structure(self) -> str:
        """That of `op`."""
        return self.op.structure

    def _flops(self) -> int:
        return self.op.cost().flops


class Inverse(LinearOperator):
    """(op + shift I)⁻¹, applied by `op.solve`; NaN where that is singular, as `solve` has it.

    >>> from jaxcalc.operators import Diagonal
    >>> print(Inverse(Diagonal(jnp.array([1.0, 3.0])), jnp.array(1.0)) @ jnp.ones(2))
    [0.5  0.25]
    """

    op: LinearOperator
    shift: Array | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        square("Inverse", self.op.codomain, self.op.domain)
        if self.shift is not None:
            same_spaces("Inverse(op, shift)", self.op.codomain, self.op.domain)

    @property
    def codomain(self) -> Shape:
        """The domain of `op`."""
        return self.op.domain

    @property
    def domain(self) -> Shape:
        """The codomain of `op`."""
        return self.op.codomain

    @property
    def dtype(self) -> np.dtype:
        """That of `op`."""
        return self.op.dtype

    def mv(self, v: Array) -> Array:
        """The x of (op + shift I) x = v."""
        return self.op.solve(v, self.shift)

    @property
    def T(self) -> LinearOperator:
        """The inverse of the transpose."""
        return Inverse(self.op.T, self.shift)

    def pinv(self) -> LinearOperator:
        """What was inverted."""
        return self._inverted()

    def _inverted(self) -> LinearOperator:
        if self.shift is None:
            return self.op
        return self.op + Identity(
            self.domain, self.dtype, jnp.asarray(self.shift, holding(self.shift, self.dtype))
        )

    def _slogdet(self) -> tuple[Array, Array]:
        sign, logarithm = self._inverted().slogdet()
        return sign, -logarithm

    def _solve(self, b: Array, shift: Array | None) -> Array:
        return super()._solve(b, shift) if shift is not None else self._inverted().mv(b)

    @property
    def structure(self) -> str:
        """inverse: <that of op>."""
        return f"inverse: {self.op.structure}"


@transposed.register(LinearOperator)
def _(op: LinearOperator) -> LinearOperator:
    return Transpose(op)


@pseudo_inverse.register(LinearOperator)
def _(op: LinearOperator) -> LinearOperator:
    inverse = _matrices.pinv(op.matrix())
    return Dense(inverse.reshape(op.domain + op.codomain), len(op.domain))
