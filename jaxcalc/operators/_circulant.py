"""Circulant matrices: periodic convolutions, diagonal in the Fourier basis."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import holding, narrowed, wide
from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape

_UNITS = 8  # of rounding that an eigenvalue may consist of


class Circulant(LinearOperator):
    """J_ij = column[(i − j) mod n] = F⁻¹ diag(F column) F: products and solutions in O(n log n).

    >>> J = Circulant(jnp.array([2.0, 1.0, 0.0]))
    >>> print(J.todense())
    [[2. 0. 1.]
     [1. 2. 0.]
     [0. 1. 2.]]
    """

    column: Array

    @property
    def codomain(self) -> Shape:
        """(n,)."""
        return self.column.shape

    @property
    def domain(self) -> Shape:
        """(n,)."""
        return self.column.shape

    @property
    def dtype(self) -> np.dtype:
        """That of `column`."""
        return self.column.dtype

    @property
    def _eigenvalues(self) -> Array:
        """Half of them: the other half are their conjugates."""
        return jnp.fft.rfft(wide(self.column))

    def mv(self, v: Array) -> Array:
        """F⁻¹ (F column ⊙ F v)."""
        column = self.column.astype(holding(self.dtype, v))
        return self._filtered(v, jnp.fft.rfft(wide(column)))

    def _filtered(self, v: Array, h: Array) -> Array:
        size = len(self.column)
        product = jnp.fft.irfft(h * jnp.fft.rfft(wide(v)), size)
        return narrowed(product, holding(self.dtype, v))

    @property
    def T(self) -> "Circulant":
        """The column read backwards from its first entry."""
        return Circulant(jnp.roll(self.column[::-1], 1))

    def tensor(self) -> Array:
        """The column, rolled down by one from each column to the next."""
        places = np.arange(len(self.column))
        return self.column[(places[:, None] - places) % len(places)]

    def frobenius_norm(self) -> Array:
        """√n ‖column‖."""
        return jnp.linalg.norm(self.column) * jnp.asarray(math.sqrt(len(self.column)), self.dtype)

    def _scaled(self, scale: Array) -> LinearOperator:
        return Circulant(self.column * scale)

    def _diagonal(self) -> Array:
        return jnp.broadcast_to(self.column[0], self.domain)

    def _trace(self) -> Array:
        return self.column[0] * len(self.column)

    def _slogdet(self) -> tuple[Array, Array]:
        """Pairs of conjugates have positive products; only the first and the middle have a sign."""
        size, h = len(self.column), self._eigenvalues
        single = jnp.asarray([k == 0 or 2 * k == size for k in range(len(h))])
        sign = jnp.prod(jnp.where(single, jnp.sign(jnp.real(h)), 1))
        logarithms = jnp.log(jnp.where(self._regular(h), jnp.abs(h), 1))
        logarithm = jnp.sum(jnp.where(single, 1.0, 2.0).astype(logarithms.dtype) * logarithms)
        return _matrices.masked_slogdet(jnp.all(self._regular(h)), sign, logarithm, self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        h = (
            self._eigenvalues
            if shift is None
            else self._eigenvalues + wide(shift).astype(self._eigenvalues.dtype)
        )
        regular = jnp.all(self._regular(h))
        x = self._filtered(b, 1 / jnp.where(regular, h, 1))
        return jnp.where(regular, x, jnp.nan)

    def _regular(self, h: Array) -> Array:
        """Which eigenvalues are more than rounding."""
        rounding = _UNITS * jnp.finfo(h.dtype).eps * jnp.sum(jnp.abs(wide(self.column)))
        return jnp.abs(h) > rounding

    @property
    def structure(self) -> str:
        """circulant."""
        return "circulant"

    def _flops(self) -> int:
        size = len(self.column)
        return size + 5 * size * max(1, math.ceil(math.log2(max(size, 2))))
