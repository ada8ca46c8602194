"""Logits and tangents on which softmax and its products lose digits, as tables of makers.

A maker takes a NumPy generator, a shape (the last axis holds the classes) and a dtype.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.oracles.ulp import unit_roundoff

Shape = tuple[int, ...]
Maker = Callable[[np.random.Generator, Shape, npt.DTypeLike], npt.NDArray[Any]]

# The smallest probability an adversarial row may hold. But for float16, whose range is too
# short, the product of two of them is still a normal number.
SMALLEST = {"float16": 1e-4, "bfloat16": 1e-18, "float32": 1e-18, "float64": 1e-140}


def _lowest(shape: Shape, dtype: npt.DTypeLike) -> float:
    """The least logit beside winners at 0 that keeps every probability above `SMALLEST`."""
    return min(math.log(SMALLEST[np.dtype(dtype).name] * 4 * shape[-1]), -0.5)


def _winner(rng: np.random.Generator, shape: Shape) -> npt.NDArray[np.int64]:
    return rng.integers(shape[-1], size=(*shape[:-1], 1))


def _no_majority(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Two classes share the top, each just below ½; the others lie anywhere below."""
    x = rng.uniform(_lowest(shape, dtype), -0.5, shape)
    first = _winner(rng, shape)
    np.put_along_axis(x, first, 0.0, axis=-1)
    np.put_along_axis(x, (first + 1) % shape[-1], rng.uniform(-0.01, 0, first.shape), axis=-1)
    return x.astype(dtype)


def _one_majority(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """One class wins; the best of the others is behind by an amount that differs by row."""
    lowest = _lowest(shape, dtype)
    best_loser = rng.uniform(lowest, 0, (*shape[:-1], 1))
    x = rng.uniform(lowest, best_loser, shape)
    np.put_along_axis(x, _winner(rng, shape), 0.0, axis=-1)
    return x.astype(dtype)


def _saturated(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """One class wins by nearly all the range there is; the others are close together."""
    lowest = _lowest(shape, dtype)
    x = lowest * rng.uniform(0.8, 1.0, shape)
    np.put_along_axis(x, _winner(rng, shape), 0.0, axis=-1)
    return x.astype(dtype)


def _one_far(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Several classes near the top, and one as far below as may be."""
    x = 0.5 * rng.standard_normal(shape)
    far = 0.9 * _lowest(shape, dtype) * np.ones((*shape[:-1], 1))
    np.put_along_axis(x, _winner(rng, shape), far, axis=-1)
    return x.astype(dtype)


def _normal(scale: float) -> Maker:
    def make(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return (scale * rng.standard_normal(shape)).astype(dtype)

    return make


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


def _one_hot(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    t = np.zeros(shape)
    np.put_along_axis(t, _winner(rng, shape), 1.0, axis=-1)
    return t.astype(dtype)


def _offset(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Near 10⁴, where softmax must annihilate the constant; 16-bit dtypes are coarse there."""
    spread = max(1.0, 1e5 * 2 * unit_roundoff(dtype))
    return (1e4 + spread * rng.standard_normal(shape)).astype(dtype)


def _uneven(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Of both signs and of magnitudes from 10⁻³ to 10³."""
    sign = rng.choice([-1.0, 1.0], shape)
    return (sign * 10.0 ** rng.uniform(-3, 3, shape)).astype(dtype)


def _equal_but_one(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """The same at all classes but one, at each class in turn down the rows."""
    t = np.full(shape, 3.7)
    other = np.arange(math.prod(shape[:-1])).reshape(*shape[:-1], 1) % shape[-1]
    np.put_along_axis(t, other, 3.7 * rng.uniform(-1000, 1000, other.shape), axis=-1)
    return t.astype(dtype)


def _equal_but_rounding(
    rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """The same but for a few units in the last place, which are 1; as a sum computed twice."""
    units = rng.integers(-3, 4, shape) * (rng.uniform(size=shape) < 0.5)
    return (1 / (2 * unit_roundoff(dtype)) + units).astype(dtype)


TANGENTS: dict[str, Maker] = {
    "random": _normal(1.0),
    "one-hot": _one_hot,
    "offset": _offset,
    "uneven": _uneven,
    "equal but one": _equal_but_one,
    "equal but rounding": _equal_but_rounding,
}


def make_logits(name: str, shape: Shape, dtype: npt.DTypeLike, seed: int = 0) -> npt.NDArray[Any]:
    """Rows of that kind from `LOGITS`."""
    return LOGITS[name](np.random.default_rng(seed), shape, dtype)


def make_tangents(name: str, shape: Shape, dtype: npt.DTypeLike, seed: int = 1) -> npt.NDArray[Any]:
    """Tangents or cotangents of that kind from `TANGENTS`."""
    return TANGENTS[name](np.random.default_rng(seed), shape, dtype)
