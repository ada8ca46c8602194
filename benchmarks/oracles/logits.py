"""Logits and tangents on which softmax and its products lose digits, as tables of makers.

A maker takes a NumPy generator, a shape (the last axis holds the classes) and the dtype to which
its numbers will be rounded.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.oracles.ulp import unit_roundoff

Shape = tuple[int, ...]
Array = npt.NDArray[Any]
Maker = Callable[[np.random.Generator, Shape, npt.DTypeLike], Array]

# The smallest probability an adversarial row may hold. But for float16, whose range is too
# short, the product of two of them is still a normal number.
SMALLEST = {"float16": 1e-4, "bfloat16": 1e-18, "float32": 1e-18, "float64": 1e-140}


def _lowest(shape: Shape, dtype: npt.DTypeLike) -> float:
    """The least logit beside winners at 0 that keeps every probability above `SMALLEST`."""
    return min(math.log(SMALLEST[np.dtype(dtype).name] * 4 * shape[-1]), -0.5)


def _winner(rng: np.random.Generator, shape: Shape) -> npt.NDArray[np.int64]:
    return rng.integers(shape[-1], size=(*shape[:-1], 1))


def _with_winner(rng: np.random.Generator, x: Array, top: float = 0.0) -> Array:
    np.put_along_axis(x, _winner(rng, x.shape), top, axis=-1)
    return x


def _no_majority(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Two classes share the top, each just below ½; the others lie anywhere below."""
    x = rng.uniform(_lowest(shape, dtype), -0.5, shape)
    first = _winner(rng, shape)
    np.put_along_axis(x, first, 0.0, axis=-1)
    np.put_along_axis(x, (first + 1) % shape[-1], rng.uniform(-0.01, 0, first.shape), axis=-1)
    return x


def _one_majority(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """One class wins; the best of the others is behind by an amount that differs by row."""
    lowest = _lowest(shape, dtype)
    best_loser = rng.uniform(lowest, 0, (*shape[:-1], 1))
    return _with_winner(rng, rng.uniform(lowest, best_loser, shape))


def _saturated(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """One class wins by nearly all the range there is; the others are close together."""
    return _with_winner(rng, _lowest(shape, dtype) * rng.uniform(0.8, 1.0, shape))


def _one_far(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Several classes near the top, and one as far below as may be."""
    return _with_winner(rng, 0.5 * rng.standard_normal(shape), 0.9 * _lowest(shape, dtype))


def _normal(scale: float) -> Maker:
    return lambda rng, shape, dtype: scale * rng.standard_normal(shape)


LOGITS: dict[str, Maker] = {
    "no majority": _no_majority,
    "one majority": _one_majority,
    "saturated": _saturated,
    "one far": _one_far,
    "scale 0.1": _normal(0.1),
    "scale 1": _normal(1.0),
    "scale 10": _normal(10.0),
    "scale 60": _normal(60.0),
}


def _offset(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Near 10⁴, where softmax must annihilate the constant; 16-bit dtypes are coarse there."""
    return 1e4 + max(1.0, 1e5 * 2 * unit_roundoff(dtype)) * rng.standard_normal(shape)


def _uneven(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Of both signs and of magnitudes from 10⁻³ to 10³."""
    sign = rng.choice([-1.0, 1.0], shape)
    return sign * 10.0 ** rng.uniform(-3, 3, shape)


def _equal_but_one(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """The same at all classes but one, at each class in turn down the rows."""
    t = np.full(shape, 3.7)
    other = np.arange(math.prod(shape[:-1])).reshape(*shape[:-1], 1) % shape[-1]
    np.put_along_axis(t, other, 3.7 * rng.uniform(-1000, 1000, other.shape), axis=-1)
    return t


def _equal_but_rounding(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> Array:
    """The same but for a few units in the last place, which are 1; as a sum computed twice."""
    units = rng.integers(-3, 4, shape) * (rng.uniform(size=shape) < 0.5)
    return np.asarray(1 / (2 * unit_roundoff(dtype)) + units)


TANGENTS: dict[str, Maker] = {
    "random": _normal(1.0),
    "one-hot": lambda rng, shape, dtype: _with_winner(rng, np.zeros(shape), 1.0),
    "offset": _offset,
    "uneven": _uneven,
    "equal but one": _equal_but_one,
    "equal but rounding": _equal_but_rounding,
}


def make_logits(name: str, shape: Shape, dtype: npt.DTypeLike, seed: int = 0) -> Array:
    """Rows of that kind from `LOGITS`."""
    return LOGITS[name](np.random.default_rng(seed), shape, dtype).astype(dtype)


def make_tangents(name: str, shape: Shape, dtype: npt.DTypeLike, seed: int = 1) -> Array:
    """Tangents or cotangents of that kind from `TANGENTS`."""
    return TANGENTS[name](np.random.default_rng(seed), shape, dtype).astype(dtype)
