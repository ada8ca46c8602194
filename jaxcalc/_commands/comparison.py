"""How `verify` compares a formula with automatic differentiation at a random point."""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxcalc import Layout
from jaxcalc._commands.formula import Formula

TOLERANCE = 16  # eps
TIMED_CALLS = 15

Arguments = tuple[NDArray[Any], ...]


class Comparison(NamedTuple):
    """A formula in one layout beside `jacfwd` and `jacrev`."""

    layout: Layout
    shape: tuple[int, ...]
    error: float  # in eps of the dtype, relative to the largest entry of the reference
    microseconds: float  # the median of jitted calls

    @property
    def passed(self) -> bool:
        """Whether the error is as small as rounding explains (NaN is not)."""
        return self.error <= TOLERANCE


def compare(formula: Formula, dtype: np.dtype[Any], seed: int) -> Iterator[Comparison]:
    """The comparisons of a formula in both layouts, on JAX's default device."""
    args = random_arguments(formula, dtype, seed)
    tensors = _reference_tensors(formula, args)
    y_ndim = tensors[0].ndim - args[0].ndim
    for layout in Layout:
        derivative = jax.jit(lambda *args, layout=layout: formula.derivative(layout, *args))
        got = derivative(*args)
        error = max(largest_error(got, dtype, arranged(t, y_ndim, layout)) for t in tensors)
        yield Comparison(layout, got.shape, error, _microseconds(derivative, args))


def random_arguments(formula: Formula, dtype: np.dtype[Any], seed: int) -> Arguments:
    """A point: numbers between −1 and 1, rounded to `dtype`."""
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.uniform(-1, 1, shape)).astype(dtype) for shape in formula.shapes)


def _reference_tensors(formula: Formula, args: Arguments) -> list[NDArray[np.float64]]:
    """`jacfwd` and `jacrev` of the plain function at the same point, in double precision."""
    both = jax.jit(lambda *args: [jac(formula.plain)(*args) for jac in (jax.jacfwd, jax.jacrev)])
    with jax.enable_x64(True):
        return [np.asarray(tensor) for tensor in both(*(x.astype(np.float64) for x in args))]


def arranged(tensor: NDArray[np.float64], y_ndim: int, layout: Layout) -> NDArray[np.float64]:
    """The tensor y.shape + x.shape in the shape that §1 of the notes gives the derivative."""
    x_ndim = tensor.ndim - y_ndim
    if max(y_ndim, x_ndim) <= 1:
        tensor, y_ndim = tensor.reshape(math.prod(tensor.shape[:y_ndim]), -1), 1
    elif (y_ndim, x_ndim) == (0, 2):
        tensor, y_ndim = tensor.T, 1
    elif (y_ndim, x_ndim) == (2, 0):
        y_ndim = 1
    x_axes_first = (*range(y_ndim, tensor.ndim), *range(y_ndim))
    return tensor if layout is Layout.NUMERATOR else np.transpose(tensor, x_axes_first)


def largest_error(got: Array, dtype: np.dtype[Any], reference: NDArray[np.float64]) -> float:
    """The largest difference, in eps of the largest entry; infinite for another shape or dtype."""
    if got.shape != reference.shape or got.dtype != dtype:
        return np.inf
    difference = np.max(np.abs(np.asarray(got, np.float64) - reference))
    return float(difference / np.max(np.abs(reference)) / float(jnp.finfo(dtype).eps))


def _microseconds(call: Callable[..., Array], args: Arguments) -> float:
    on_device = [jnp.asarray(x) for x in args]
    call(*on_device).block_until_ready()
    return statistics.median(_seconds(call, on_device) for _ in range(TIMED_CALLS)) * 1e6


def _seconds(call: Callable[..., Array], args: list[Array]) -> float:
    start = time.perf_counter()
    call(*args).block_until_ready()
    return time.perf_counter() - start
