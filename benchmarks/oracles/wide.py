"""Arithmetic wider than the dtype under test: float64, extended precision, or mpmath."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# On some platforms `longdouble` is plain double, or a pair of doubles of varying precision.
HAS_EXTENDED = np.finfo(np.longdouble).nmant in (63, 112)

DIGITS = 50


@functools.cache
def multiprecision() -> Any:
    """A context of mpmath of our own: its numbers keep `DIGITS` digits whatever the user sets."""
    context = importlib.import_module("mpmath").MPContext()
    context.dps = DIGITS
    return context


def as_multiprecision(x: npt.ArrayLike) -> Array:
    """The same numbers as an object array of mpmath numbers."""
    mpf = multiprecision().mpf
    exact: Array = np.frompyfunc(lambda v: mpf(float(v)), 1, 1)(np.asarray(x, np.float64))
    return exact


def widen(x: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
    """The numbers of x, exactly, in an arithmetic wide enough to judge results of `dtype`."""
    if np.dtype(dtype).itemsize < 8:
        return np.asarray(x).astype(np.float64)
    return np.asarray(x).astype(np.longdouble) if HAS_EXTENDED else as_multiprecision(x)


def map_multiprecision(function: Callable[[Any], Any], x: Array) -> Array:
    """`function` of every number of an object array."""
    with np.errstate(all="ignore"):  # flags that are not mpmath's: of garbage collected meanwhile
        return np.asarray(np.frompyfunc(function, 1, 1)(x), dtype=object)


def _elementwise(name: str) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        if x.dtype != object:
            return np.asarray(getattr(np, name)(x))
        return map_multiprecision(getattr(multiprecision(), name), x)

    return function


exp = _elementwise("exp")
log1p = _elementwise("log1p")
tanh = _elementwise("tanh")
