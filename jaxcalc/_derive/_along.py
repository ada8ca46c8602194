"""Pieces with a structure of their own along one axis, the same kind at each index of the others.

kind           along its axis              arrays
Cumulated      a triangle of ones          none
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._formula import Expression, call, maps


class MapAlong(Protocol):
    """What is known of such a map without its arrays; hashable."""

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """The map along the axis, from `size` entries."""
        ...

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """The same in expressions."""
        ...


@dataclass(frozen=True)
class Cumulated:
    """Partial sums."""

    reverse: bool

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """L or Lᵀ."""
        return ops.CumulativeSum(size, dtype, self.reverse)

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """tril(1 1ᵀ) or its transpose."""
        made = maps.matrix(call("tri", (), (rows, columns), k=0))
        return maps.transposed(made) if self.reverse else made
