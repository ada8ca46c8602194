"""Random arguments of a cell, and what its results are checked against."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from benchmarks import plain
from benchmarks.oracles.ulp import is_normal, unit_roundoff
from benchmarks.oracles.wide import Array
from benchmarks.speed.cell import WIDE, Cell

CHECKED_ENTRIES = 2**20  # beyond, evenly spaced rows are checked
DRAWN = 2**22  # random numbers
ERROR_QUANTILE = 0.999


class Data(NamedTuple):
    """x, a tangent t like x, and a cotangent g like the function's result."""

    x: Array
    t: Array
    g: Array


def make_data(cell: Cell) -> Data:
    """Normal numbers, those of x times 3."""
    x, t, g = _normal(cell.dtype, cell.shape)
    return Data(x, t, np.take(g, 0, cell.axis) if cell.function == "logsumexp" else g)


@functools.lru_cache(maxsize=1)
def _normal(dtype: str, shape: tuple[int, ...]) -> Data:
    """Beyond some millions of entries the same numbers come again."""
    rng, size = np.random.default_rng(0), min(math.prod(shape), DRAWN)
    wide = np.float64 if dtype == "float64" else np.float32
    x, t, g = (rng.standard_normal(size, dtype=wide) for _ in Data._fields)
    return Data(*(np.resize(y.astype(jnp.dtype(dtype)), shape) for y in (3 * x, t, g)))


def some_rows(cell: Cell, y: Any) -> Array:
    """The rows that are checked, of an argument or a result; one number each of reductions."""
    array = np.asarray(y)
    if cell.quantity != "jacobian" and array.ndim < len(cell.shape):
        return array.reshape(-1)[:: row_step(cell)]
    last = array if cell.quantity == "jacobian" else np.moveaxis(array, cell.axis, -1)
    return last.reshape(-1, cell.classes)[:: row_step(cell)]


def row_step(cell: Cell) -> int:
    """How far apart the rows are that are checked."""
    return math.ceil(cell.entries / CHECKED_ENTRIES)


def true_rows(cell: Cell, data: Data) -> tuple[Array, ...]:
    """Those rows of every output, in float64."""
    if cell.quantity == "jacobian":
        references = plain.reference(cell.function, cell.quantity, *data)
        return tuple(some_rows(cell, y) for y in references)
    return plain.reference(cell.function, cell.quantity, *(some_rows(cell, y) for y in data))


def slack(cell: Cell) -> float:
    """How much more rounding a right result may show.

    A second derivative has two products in a row. In float32 peers sum in the order that suits
    them, and their exponentials vary; what is wrong is still far beyond.
    """
    products = 4.0 if cell.quantity == "hvp" else 1.0
    sums = 16.0 if cell.dtype in WIDE else 1.0
    return products * sums


def error_in_u(results: Sequence[Array], references: Sequence[Array]) -> float:
    """The relative error that 999 of 1000 entries stay below, in unit roundoffs.

    Over the last output, the derivative where there is one; entries whose true value is not a
    normal number of the dtype are left out, NaN where that is all of them.
    """
    got, true = results[-1], references[-1]
    counted = is_normal(true, got.dtype)
    if not counted.any():
        return math.nan
    error = np.abs(np.asarray(got, np.float64) - true)[counted] / np.abs(true[counted])
    return float(np.quantile(error, ERROR_QUANTILE)) / unit_roundoff(got.dtype)
