"""Shapes, scalars and singularity: what operators check, and the wording of their errors."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import is_concrete
from jaxcalc.operators._pytrees import abstract

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
    if not isinstance(scale, _NUMBERS) or np.ndim(scale) != 0:
        came = f"shape {np.shape(scale)}" if isinstance(scale, _NUMBERS) else type(scale).__name__
        raise TypeError(
            f"`scale` must be a number or a 0-d array, but got {came}; scale the rows by "
            "`Diagonal(scale) @ J`, or multiply `J.todense()`."
        )
    weak = isinstance(scale, bool | int | float | complex)
    return jnp.asarray(scale, dtype) if weak else jnp.asarray(scale)


def wanted_shift(shift: Any, dtype: np.dtype) -> Array | None:
    """`shift` as a 0-d array, None for the number 0: only a number is known to be 0."""
    if shift is None or (isinstance(shift, bool | int | float) and shift == 0):
        return None
    if np.ndim(shift) != 0:
        raise TypeError(
            f"`shift` must be a number or a 0-d array, but got shape {np.shape(shift)}."
        )
    return jnp.asarray(shift, dtype)


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
    return bool(jnp.issubdtype(abstract(leaf).dtype, jnp.floating))
