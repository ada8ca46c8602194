"""Random arguments of a cell: x, a tangent t, a cotangent g, and what a use takes beside them."""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from benchmarks.libraries import INDICES, ROWS, is_reduction
from benchmarks.oracles.wide import Array
from benchmarks.speed.cell import Cell, Shape

DRAWN = 2**22  # random numbers
Axes = tuple[int, ...]
Maker = Callable[[np.random.Generator, Array, Axes], Array]  # of an argument beside x


def make_data(cell: Cell) -> tuple[Array, ...]:
    """Normal numbers, those of x times 3; g is like the function's result."""
    x, t, g = _normal(cell.dtype, cell.shape)
    if is_reduction(cell.function):
        g = np.resize(g, tuple(np.delete(cell.shape, cell.axes)))
    if cell.function not in BESIDE:
        return x, t, g
    return x, t, g, BESIDE[cell.function](np.random.default_rng(1), x, cell.axes)


@functools.lru_cache(maxsize=1)
def _normal(dtype: str, shape: Shape) -> tuple[Array, Array, Array]:
    """Beyond some millions of entries the same numbers come again."""
    rng, size = np.random.default_rng(0), min(math.prod(shape), DRAWN)
    wide = np.float64 if dtype == "float64" else np.float32
    x, t, g = (rng.standard_normal(size, dtype=wide) for _ in range(3))
    x, t, g = (np.resize(y.astype(jnp.dtype(dtype)), shape) for y in (3 * x, t, g))
    return x, t, g


def _indices(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    """A class of each row."""
    (axis,) = axes
    rows = np.take(x, 0, axis).shape
    return np.asarray(rng.integers(x.shape[axis], size=rows).astype(np.int32))


def _distributions(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    weights = rng.exponential(size=x.shape)
    return np.asarray((weights / weights.sum(axes, keepdims=True)).astype(x.dtype))


def _mask(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    """Three of four classes."""
    return np.asarray(rng.random(x.shape, np.float32) < 0.75)


BESIDE: dict[str, Maker] = {
    **{f"{name}(where)": _mask for name in ROWS},
    "logsumexp(b)": lambda rng, x, axes: rng.uniform(0.5, 2.0, x.shape).astype(x.dtype),
    INDICES: _indices,
    "cross-entropy(distributions)": _distributions,
    "binary cross-entropy": lambda rng, x, axes: rng.random(x.shape, np.float32).astype(x.dtype),
}
