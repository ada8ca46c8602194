"""Shapes, scalars and singularity: what operators check, and the wording of their errors."""

import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import holding, is_complex, numbers
from jaxcalc._compat import is_concrete
from jaxcalc.operators._functions import LinearFunction, as_pytree
from jaxcalc.operators._pytrees import abstract, is_operator

Shape = tuple[int, ...]
Scalar = float | Array | np.ndarray | np.generic

_NUMBERS = (bool, int, float, complex, np.generic, np.ndarray, Array)


def batched_over(f: Callable[[Array], Array], extra: int, axis: int) -> Callable[[Array], Array]:
    """`f` mapped over `extra` axes more than it takes, at one end of its argument and result."""
    for _ in range(extra):
        f = jax.vmap(f, axis, axis)
    return f


def checked_factor(scale: Any, dtype: np.dtype) -> Array:
    """`scale` as a 0-d array; a Python number takes `dtype`."""
    remedy = "; scale the rows by `Diagonal(scale) @ J`, or multiply `J.todense()`"
    return _number("scale", scale, dtype, remedy)


def wanted_shift(shift: Any, dtype: np.dtype) -> Array | None:
    """`shift` as a 0-d array that holds `dtype`, None for 0: only a number is known to be 0."""
    if shift is None or (isinstance(shift, bool | int | float) and shift == 0):
        return None
    number = _number("shift", shift, dtype)
    if is_complex(number) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"`shift` must be real where the operator is, but got dtype {number.dtype}; solve with "
            "`J.matrix()`."
        )
    return number.astype(holding(number, dtype))


def _number(name: str, x: Any, dtype: np.dtype, remedy: str = "") -> Array:
    """`x` as a 0-d array; a Python number takes `dtype`, a complex one that of its parts."""
    is_number = isinstance(x, _NUMBERS)
    if not is_number or np.ndim(x) != 0:
        came = f"shape {np.shape(x)}" if is_number else type(x).__name__
        raise TypeError(f"`{name}` must be a number or a 0-d array, but got {came}{remedy}.")
    if isinstance(x, complex):
        return jnp.asarray(x, holding(dtype, jnp.complex64))
    return jnp.asarray(x, dtype) if isinstance(x, bool | int | float) else numbers(name, x)


def same_spaces(method: str, codomain: Shape, domain: Shape) -> None:
    """Refuse a `method` that needs a map of a space into itself."""
    if codomain != domain:
        raise ValueError(
            f"`{method}` needs equal domain and codomain, but got domain {domain} and codomain "
            f"{codomain}; use `todense()`."
        )


def square(method: str, codomain: Shape, domain: Shape) -> None:
    """Refuse a `method` that needs as many outputs as inputs."""
    if math.prod(codomain) != math.prod(domain):
        raise ValueError(
            f"`{method}` needs a square operator, but got domain {domain} and codomain {codomain}; "
            "`pinv()` gives the least-squares solution."
        )


def check_sum(a: tuple[Shape, Shape], b: tuple[Shape, Shape]) -> None:
    """Refuse to add maps between different spaces, each given as (codomain, domain)."""
    if a != b:
        remedy = "; one seems to be in the other layout, so transpose it with `.T`"
        raise ValueError(
            f"`a + b` needs equal spaces, but got codomain {a[0]} and domain {a[1]} for `a`, "
            f"{b[0]} and {b[1]} for `b`{remedy if a == b[::-1] else ''}."
        )


def refuse_if_singular(op: Any, x: Array, b: Array, shift: Array | None) -> None:
    """Refuse the NaN that a singular operator answers with, where there are numbers to look at.

    What is not finite going in explains a NaN coming out.
    """
    given = [leaf for leaf in (*jax.tree.leaves((op, shift)), b) if _holds_floats(leaf)]
    if not all(map(is_concrete, (x, *given))) or not jnp.any(jnp.isnan(x)):
        return
    if all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in given):
        name = "J" if shift is None else "J + shift I"
        raise np.linalg.LinAlgError(
            f"`{name}` is singular within rounding (its structure is {op.structure}), so `solve` "
            "has no unique answer; `J.pinv() @ b` has the least one, and the shifted solve "
            "`J.solve(b, shift=...)` that of a regular operator nearby."
        )


def _holds_floats(leaf: Any) -> bool:
    return bool(jnp.issubdtype(abstract(leaf).dtype, jnp.inexact))


def refuse_batch(op: Any, query: str) -> None:
    """Refuse to ask of a batch what is asked of one operator."""
    if op.added_axes:
        raise ValueError(
            f"{query} needs one operator, but got a batch of them: its arrays lead with the axes "
            f"{op.added_axes} beside their own, as `jax.vmap` leaves them; `jc.batch(J)` is one "
            "block diagonal operator of them all, and inside `jax.vmap` each can be asked."
        )


def operands(expression: str, a: Any, b: Any) -> None:
    """Refuse what is no operator, or a batch of them, on either side of `expression`."""
    for name, op in (("a", a), ("b", b)):
        checked_operator(name, op)
        refuse_batch(op, f"`{expression}`")


# What constructors take: an array or a number where an array is wanted, and so on


def _array(name: str, x: Any) -> Any:
    if isinstance(x, jax.ShapeDtypeStruct):
        return x
    return numbers(name, x)


def _optional_array(name: str, x: Any) -> Any:
    return None if x is None else _array(name, x)


def _shape(name: str, shape: Any) -> Shape:
    try:
        sizes = tuple(map(operator.index, shape))
    except TypeError:
        raise TypeError(
            f"`{name}` must be a shape, a tuple of integers, but got {shape!r}."
        ) from None
    if any(size < 0 for size in sizes):
        raise ValueError(f"`{name}` must hold no negative size, but got {shape}.")
    return sizes


def _dtype(name: str, dtype: Any) -> np.dtype:
    try:
        return np.dtype(dtype)
    except TypeError:
        raise TypeError(f"`{name}` must be a dtype, but got {dtype!r}.") from None


def checked_operator(name: str, op: Any) -> Any:
    """`op`, if it is a linear operator."""
    if not is_operator(op):
        raise TypeError(
            f"`{name}` must be a linear operator, but got {type(op).__name__}; wrap an array as "
            "`Dense(array, codomain_ndim)`."
        )
    return op


def checked_operators(name: str, ops: Any) -> tuple[Any, ...]:
    """`ops` as a tuple of linear operators, at least one."""
    if not isinstance(ops, tuple | list) or not ops:
        came = "none" if isinstance(ops, tuple | list) else type(ops).__name__
        raise TypeError(
            f"`{name}` must be a tuple of linear operators, at least one, but got {came}."
        )
    return tuple(checked_operator(f"{name}[{i}]", op) for i, op in enumerate(ops))


def _function(name: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(
            f"`{name}` must be a function of one array, but got {type(function).__name__}."
        )
    return as_pytree(function)


def _optional_function(name: str, function: Any) -> Any:
    return None if function is None else _function(name, function)


def integer(name: str, value: Any, least: int, most: int, of: str) -> int:
    """An integer between `least` and `most`, both included; `of` says of what."""
    try:
        index = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer, but got {type(value).__name__}.") from None
    if not least <= index <= most:
        raise ValueError(f"`{name}` must lie between {least} and {most}, {of}, but got {index}.")
    return index


CHECKS: dict[Any, Callable[[str, Any], Any]] = {  # by what a field is annotated with
    Array: _array,
    Array | None: _optional_array,
    Shape: _shape,
    np.dtype: _dtype,
    LinearFunction: _function,
    LinearFunction | None: _optional_function,
}
