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
from benchmarks.speed.cell import WIDE, Cell, Shape
from benchmarks.speed.uses import USES, Axes
from benchmarks.traffic import is_reduction

CHECKED_ENTRIES = 2**20  # beyond, evenly spaced rows are checked
DRAWN = 2**22  # random numbers
ERROR_QUANTILE = 0.999


class Data(NamedTuple):
    """x, a tangent t like x, a cotangent g like the function's result, and what a use takes."""

    x: Array
    t: Array
    g: Array
    beside: tuple[Array, ...] = ()  # x


def make_data(cell: Cell) -> Data:
    """Normal numbers, those of x times 3."""
    x, t, g = _normal(cell.dtype, cell.shape)
    g = _one_a_row(g, cell.axes) if is_reduction(cell.function) else g
    return Data(x, t, g, _beside(cell.function, cell.dtype, cell.shape, cell.axes))


def _one_a_row(g: Array, axes: Axes) -> Array:
    for axis in sorted((axis % g.ndim for axis in axes), reverse=True):
        g = np.take(g, 0, axis)
    return g


@functools.lru_cache(maxsize=1)
def _beside(function: str, dtype: str, shape: Shape, axes: Axes) -> tuple[Array, ...]:
    if function not in USES:
        return ()
    x, _, _ = _normal(dtype, shape)
    return (USES[function].argument(np.random.default_rng(1), x, axes),)


@functools.lru_cache(maxsize=1)
def _normal(dtype: str, shape: Shape) -> tuple[Array, Array, Array]:
    """Beyond some millions of entries the same numbers come again."""
    rng, size = np.random.default_rng(0), min(math.prod(shape), DRAWN)
    wide = np.float64 if dtype == "float64" else np.float32
    x, t, g = (rng.standard_normal(size, dtype=wide) for _ in range(3))
    x, t, g = (np.resize(y.astype(jnp.dtype(dtype)), shape) for y in (3 * x, t, g))
    return x, t, g


def some_rows(cell: Cell, y: Any) -> Array:
    """The rows that are checked, of an argument or a result; one number each of reductions."""
    array = np.asarray(y)
    if cell.quantity != "jacobian" and array.ndim < len(cell.shape):
        return array.reshape(-1)[:: row_step(cell)]
    ends = range(-len(cell.axes), 0)
    last = array if cell.quantity == "jacobian" else np.moveaxis(array, cell.axes, list(ends))
    return last.reshape(-1, cell.classes)[:: row_step(cell)]


def row_step(cell: Cell) -> int:
    """How far apart the rows are that are checked."""
    return math.ceil(cell.entries / CHECKED_ENTRIES)


def true_rows(cell: Cell, data: Data) -> tuple[Array, ...]:
    """Those rows of every output, in float64."""
    *usual, beside = data
    if cell.quantity == "jacobian":
        references = plain.reference(cell.function, cell.quantity, *usual)
        return tuple(some_rows(cell, y) for y in references)
    rows = [some_rows(cell, y) for y in (*usual, *beside)]
    if cell.function in USES:
        return USES[cell.function].reference(cell.quantity, *rows)
    return plain.reference(cell.function, cell.quantity, *rows)


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
