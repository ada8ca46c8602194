"""The points at which accuracy is measured."""

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.oracles import LOGITS, TANGENTS, make_logits, make_tangents
from benchmarks.oracles.wide import Array

# (rows of each kind of logits and tangents, classes)
SHAPES = ((32, 2), (32, 10), (4, 1000), (1, 50_000))
QUICK_SHAPES = ((16, 10),)
JACOBIAN_SHAPES = ((32, 10),)

# How many points, in full and quick, and how far out they lie: beyond, σ(−x) is subnormal.
SAMPLES = {"float32": (2**20, 2**15, 88.0), "float64": (20_000, 1_000, 709.0)}


@functools.cache
def elementwise_points(dtype: str, quick: bool) -> Array:
    """Every finite number of a 16-bit dtype, else a sample of every part of the range."""
    if dtype not in SAMPLES:
        return _every_finite(dtype)
    count, quick_count, reach = SAMPLES[dtype]
    return _sample(quick_count if quick else count, reach).astype(dtype)


def _every_finite(dtype: str) -> Array:
    every = np.arange(2**16, dtype=np.uint16).view(_dtype(dtype))
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return every[np.isfinite(every.astype(np.float64))]


def _dtype(name: str) -> npt.DTypeLike:
    import ml_dtypes  # a dependency of jax; NumPy has no bfloat16 of its own

    return np.dtype(getattr(ml_dtypes, name, name))


def _sample(count: int, reach: float) -> npt.NDArray[np.float64]:
    """Spread evenly over the range, evenly where the curves bend, and over the magnitudes."""
    rng = np.random.default_rng(0)
    wide, near = rng.uniform(-reach, reach, count // 2), rng.uniform(-4, 4, count // 4)
    small = 10 ** rng.uniform(-20, 0, count // 4) * rng.choice([-1.0, 1.0], count // 4)
    return np.concatenate([wide, near, small])


def row_inputs(dtype: str, quantity: str, quick: bool) -> Iterator[tuple[Array, Array]]:
    """Logits of every kind, with tangents of every kind where they matter, for each shape."""
    shapes = QUICK_SHAPES if quick else SHAPES
    for rows, classes in JACOBIAN_SHAPES if quantity == "jacobian" else shapes:
        yield _rows(dtype, rows, classes, quantity in ("jvp", "vjp"))


@functools.lru_cache(maxsize=8)
def _rows(dtype: str, rows: int, classes: int, with_tangents: bool) -> tuple[Array, Array]:
    kinds = TANGENTS if with_tangents else ["random"]
    shape = (rows, classes)
    pairs = [
        (
            make_logits(kind, shape, _dtype(dtype), seed),
            make_tangents(t, shape, _dtype(dtype), seed),
        )
        for seed, (kind, t) in enumerate((kind, t) for kind in LOGITS for t in kinds)
    ]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([t for _, t in pairs])
