"""The points at which accuracy is measured."""

import functools
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from benchmarks.oracles import LOGITS, TANGENTS, make_logits, make_tangents
from benchmarks.oracles.wide import Array

# (rows of each kind of logits and tangents, classes)
SHAPES = ((32, 2), (32, 10), (4, 1000), (1, 50_000))
QUICK_SHAPES = ((16, 10),)
JACOBIAN_SHAPES = ((32, 10),)

# How many points, in full and quick, and how far out they lie: beyond, σ(−x) is subnormal.
SAMPLES = {"float32": (2**20, 2**15, 88.0), "float64": (2_000, 1_000, 709.0)}


@functools.cache
def elementwise_points(dtype: str, quick: bool) -> Array:
    """Every finite number of a 16-bit dtype, else a sample of every part of the range.

    That is spread evenly over the range, evenly where the curves bend, and over the magnitudes.
    """
    if dtype not in SAMPLES:
        every = np.arange(2**16, dtype=np.uint16).view(jnp.dtype(dtype))
        with np.errstate(invalid="ignore"):  # signalling NaNs
            return every[np.isfinite(every.astype(np.float64))]
    full, few, reach = SAMPLES[dtype]
    quarter, rng = (few if quick else full) // 4, np.random.default_rng(0)
    wide, near = rng.uniform(-reach, reach, 2 * quarter), rng.uniform(-4, 4, quarter)
    small = 10 ** rng.uniform(-20, 0, quarter) * rng.choice([-1.0, 1.0], quarter)
    return np.concatenate([wide, near, small]).astype(dtype)


def row_inputs(dtype: str, quantity: str, quick: bool) -> Iterator[tuple[Array, Array]]:
    """Logits of every kind, with tangents of every kind where they matter, for each shape."""
    shapes = QUICK_SHAPES if quick else SHAPES
    for shape in JACOBIAN_SHAPES if quantity == "jacobian" else shapes:
        yield _rows(dtype, shape, quantity in ("jvp", "vjp"))


@functools.lru_cache(maxsize=8)
def _rows(dtype: str, shape: tuple[int, int], with_tangents: bool) -> tuple[Array, Array]:
    of, kinds = jnp.dtype(dtype), list(TANGENTS) if with_tangents else ["random"]
    pairs = [
        (make_logits(kind, shape, of, seed), make_tangents(t, shape, of, seed))
        for seed, (kind, t) in enumerate((kind, t) for kind in LOGITS for t in kinds)
    ]
    x, t = zip(*pairs, strict=True)
    return np.concatenate(x), np.concatenate(t)
