"""Logits of a scale with labels, and what is true of them."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from benchmarks.oracles import cross_entropy, cross_entropy_gradient, unit_roundoff
from benchmarks.oracles.wide import Array

SCALES = (1, 5, 20, 50)
DTYPES = ("float32", "bfloat16", "float16")
SHAPES = ((4096, 1000), (64, 50257))


class Case(NamedTuple):
    """Normal logits times a scale; labels drawn with the probabilities that the logits give."""

    scale: int
    dtype: str
    shape: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.shape[0]} × {self.shape[1]} {self.dtype}, scale {self.scale}"


CASES = [Case(s, dtype, shape) for shape in SHAPES for dtype in DTYPES for s in SCALES]
QUICK_CASES = [Case(s, dtype, (256, 1000)) for dtype in DTYPES[:2] for s in (5, 20)]


class Data(NamedTuple):
    """Logits, labels, and the true losses and gradients."""

    x: Array
    y: npt.NDArray[np.int32]
    loss: Array
    gradient: Array


@functools.lru_cache(maxsize=1)
def make_data(case: Case) -> Data:
    """The same numbers for all dtypes, but for their rounding."""
    rng = np.random.default_rng(0)
    x = case.scale * rng.standard_normal(case.shape, dtype=np.float32)
    y = np.argmax(x + rng.gumbel(size=case.shape), -1).astype(np.int32)
    x = np.asarray(x.astype(jnp.dtype(case.dtype)))
    single = x.astype(np.float32)  # exactly; the oracles compute in float64
    return Data(x, y, cross_entropy(single, y), cross_entropy_gradient(single, y).value)


def errors(data: Data, loss: Array, gradient: Array) -> dict[str, float]:
    """Of the mean loss, relative; of the worst row's loss, and of its gradient over its size.

    A row's gradient is as large as its largest entry, but never smaller than what keeps its digits
    in that dtype.
    """
    got, slopes = np.asarray(loss, np.float64), np.asarray(gradient, np.float64)
    size = np.maximum(abs(data.gradient).max(-1), smallest(gradient.dtype))
    return {
        "mean_error": abs(float(got.mean() / data.loss.mean()) - 1),
        "row_error": float(abs(got - data.loss).max()),
        "gradient_error": float((abs(slopes - data.gradient).max(-1) / size).max()),
    }


def smallest(dtype: npt.DTypeLike) -> float:
    """Relative to more than that, rounding is at most u, though subnormal numbers become 0."""
    tiny, u = float(jnp.finfo(dtype).tiny), unit_roundoff(np.dtype(dtype))
    return tiny if np.dtype(dtype) == np.float16 else tiny / u
