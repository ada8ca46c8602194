"""Linear functions as parts of an operator: their shapes, their pytrees, their transposes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.tree_util import Partial

LinearFunction = Callable[[Array], Array]


def as_pytree(function: LinearFunction) -> LinearFunction:
    """`function` as it is if it is a pytree, else wrapped as one without leaves."""
    return Partial(function) if jax.tree_util.all_leaves([function]) else function


def image_shape(function: LinearFunction, domain: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """The shape of what `function` makes of an array of shape `domain`."""
    return jax.eval_shape(function, jax.ShapeDtypeStruct(tuple(domain), dtype)).shape


def transpose_of(function: Any, domain: tuple[int, ...], dtype: np.dtype) -> LinearFunction | None:
    """The transpose of a linear `function`, None where JAX has none, as for a `while` loop."""
    example = jax.ShapeDtypeStruct(domain, dtype)
    transpose = jax.linear_transpose(function, example)
    try:
        jax.eval_shape(transpose, jax.eval_shape(function, example))
    except (NotImplementedError, ValueError):  # what JAX raises for want of a transpose rule
        return None
    return lambda v: transpose(v)[0]
