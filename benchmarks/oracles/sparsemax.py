"""Sparsemax along the last axis, by bisection for its threshold and an exact sum above it."""

import math

import numpy as np
import numpy.typing as npt

from benchmarks.oracles.wide import Array


def sparsemax(x: npt.ArrayLike) -> Array:
    """max(x − τ, 0), Σ max(x − τ, 0) = 1."""
    wide = np.asarray(x).astype(np.longdouble)
    rows = wide.reshape(-1, wide.shape[-1])
    return np.stack([np.maximum(row - _threshold(row), 0) for row in rows]).reshape(wide.shape)


def _threshold(row: Array) -> np.longdouble:
    """τ, between max x − 1 and max x, where the sum is 0."""
    low, high = row.max() - 1, row.max()
    for _ in range(80):
        middle = (low + high) / 2
        enough = np.sum(np.maximum(row - middle, 0)) >= 1
        low, high = (middle, high) if enough else (low, middle)
    above = row[row > high] - high
    return high + (np.longdouble(math.fsum(above)) - 1) / len(above)
