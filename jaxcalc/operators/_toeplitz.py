"""Toeplitz matrices: convolutions along an axis."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcalc._arrays import holding, narrowed, wide
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._pytrees import static


class Toeplitz(LinearOperator):
    """J_ij = values[j − i + shift], 0 outside of `values`, of shape (rows, columns).

    With `shift` 0 its product slides `values` over v, as `jnp.correlate(v, values)` does.

    >>> J = Toeplitz(jnp.array([1.0, -1.0]), 3, 3, 0)
    >>> print(J @ jnp.array([1.0, 4.0, 9.0]))
    [-3. -5.  9.]
    """

    values: Array
    rows: int = static()
    columns: int = static()
    shift: int = static()

    @property
    def codomain(self) -> Shape:
        """(rows,)."""
        return (self.rows,)

    @property
    def domain(self) -> Shape:
        """(columns,)."""
        return (self.columns,)

    @property
    def dtype(self) -> np.dtype:
        """That of `values`."""
        return self.values.dtype

    def mv(self, v: Array) -> Array:
        """Σ_k values[k] v[i + k − shift]."""
        return self.mm(v[:, None])[:, 0]

    def mm(self, columns: Array) -> Array:
        """The same down each column."""
        dtype = holding(self.dtype, columns)
        x, kernel = (wide(a.astype(dtype)) for a in (columns.T[:, None], self.values[None, None]))
        ends = (self.shift, self.rows + len(self.values) - 1 - self.columns - self.shift)
        y = lax.conv_general_dilated(x, kernel, (1,), [ends], precision="highest")
        return narrowed(y[:, 0].T, dtype)

    @property
    def T(self) -> "Toeplitz":
        """The values in reverse."""
        shift = len(self.values) - 1 - self.shift
        return Toeplitz(self.values[::-1], self.columns, self.rows, shift)

    def tensor(self) -> Array:
        """The values along the diagonals."""
        places = np.arange(self.columns) - np.arange(self.rows)[:, None] + self.shift
        inside = np.where((places < 0) | (places >= len(self.values)), len(self.values), places)
        return self.values.at[inside].get(mode="fill", fill_value=0)

    def frobenius_norm(self) -> Array:
        """The norm of the values, each as often as its diagonal is long."""
        offsets = np.arange(len(self.values)) - self.shift
        last = np.minimum(self.rows, self.columns - offsets)
        lengths = np.maximum(0, last - np.maximum(0, -offsets))
        return jnp.linalg.norm(self.values * jnp.asarray(np.sqrt(lengths), self.dtype))

    def _scaled(self, scale: Array) -> "Toeplitz":
        return Toeplitz(self.values * scale, self.rows, self.columns, self.shift)

    @property
    def _middle(self) -> Array:
        """The value on the diagonal."""
        has_one = 0 <= self.shift < len(self.values)
        return self.values[self.shift] if has_one else jnp.zeros((), self.dtype)

    def _diagonal(self) -> Array:
        return jnp.broadcast_to(self._middle, self.domain)

    def _trace(self) -> Array:
        return self._middle * self.rows

    @property
    def structure(self) -> str:
        """toeplitz."""
        return "toeplitz"

    def _flops(self) -> int:
        return 2 * math.prod(self.values.shape) * self.rows
