"""How wrong is a result: in units in the last place, or over a condition sum."""

from typing import Any

import ml_dtypes  # a dependency of jax
import numpy as np
import numpy.typing as npt

from benchmarks.oracles.wide import Array, map_multiprecision, multiprecision

FloatArray = npt.NDArray[np.float64]


def unit_roundoff(dtype: npt.DTypeLike) -> float:
    """u, the largest relative error of one rounding: 2⁻²⁴ for float32."""
    return 2.0 ** -(_finfo(dtype).nmant + 1)


def _finfo(dtype: npt.DTypeLike) -> Any:
    """The format of a floating dtype."""
    return ml_dtypes.finfo(np.dtype(dtype))


def is_normal(true: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[np.bool_]:
    """Where a true value is a normal number of `dtype`: neither 0, subnormal, inf nor NaN."""
    form, size = _finfo(dtype), abs(np.asarray(true))
    normal = (size >= float(form.smallest_normal)) & (size <= float(form.max))
    return np.asarray(normal, np.bool_)


def ulp_error(got: npt.ArrayLike, true: npt.ArrayLike) -> FloatArray:
    """|got − true| in units in the last place of got's dtype, elementwise.

    The unit is the spacing of that dtype in the binade of the *true* value; below the normal
    numbers it is the smallest subnormal. NaN for NaN and an infinity for the same infinity are
    right (0), and so is an infinity where the true value overflows; any other mismatch of
    these is infinitely wrong.

    Args:
        got: an array of float16, bfloat16, float32 or float64.
        true: float64, longdouble or mpmath numbers, of the same shape.
    """
    got, true = np.asarray(got), np.asarray(true)
    _need_same_shape(got, true)
    form, wide, value = _finfo(got.dtype), got.astype(np.float64), _to_double(true)
    limit = float(form.max) + 2.0 ** (form.maxexp - form.nmant - 2)  # by half a spacing more
    value = np.where(abs(value) >= limit, np.copysign(np.inf, value), value)
    right = (wide == value) | (np.isnan(wide) & np.isnan(value))
    error = np.where(right, 0.0, np.inf)
    finite = np.isfinite(wide) & np.isfinite(value)
    difference, spacing = _difference(got[finite], true[finite]), _spacing(true[finite], form)
    error[finite] = abs(_to_double(difference / spacing))  # rounded only when it is scaled
    return error


def worst_ulp(got: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """The largest `ulp_error` where the true value is a normal number of got's dtype."""
    normal = is_normal(true, np.asarray(got).dtype)
    return float(np.max(ulp_error(got, true)[normal]))


def error_over_condition(
    got: npt.ArrayLike, true: npt.ArrayLike, condition: npt.ArrayLike
) -> FloatArray:
    """|got − true| / (u · condition), elementwise; 0 where got is exact though condition is 0."""
    got, true, condition = np.asarray(got), np.asarray(true), np.asarray(condition)
    _need_same_shape(got, true)
    difference = abs(_to_double(_difference(got, true)))
    scale = _to_double(unit_roundoff(got.dtype) * condition)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = difference / scale
    error[difference == 0] = 0.0
    error[np.isnan(error)] = np.inf
    return error


def _need_same_shape(got: Array, true: Array) -> None:
    if got.shape != true.shape:
        raise ValueError(
            f"`got` and `true` must have one shape, but they have {got.shape} and {true.shape}."
        )


def _to_double(x: Array) -> FloatArray:
    return np.asarray(x, np.float64) if x.shape else np.asarray(float(x[()]), np.float64)


def _difference(got: Array, true: Array) -> Array:
    if true.dtype == object:
        return np.asarray(got.astype(np.float64).astype(object) - true, dtype=object)
    return np.asarray(got.astype(true.dtype) - true)


def _spacing(true: Array, form: Any) -> Array:
    """That of the format at each true value."""
    if true.dtype == object:
        exponent = map_multiprecision(lambda v: multiprecision().frexp(v)[1], true)
    else:
        exponent = np.frexp(true)[1]
    binade = np.where(true == 0, form.minexp, exponent.astype(np.int64) - 1)
    return np.ldexp(1.0, np.maximum(binade, form.minexp) - form.nmant)
