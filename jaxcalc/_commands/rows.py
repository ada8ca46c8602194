"""Transposed vectors: a JAX vector has one axis either way, on paper x xᵀ and xᵀ x differ.

A `Covector` marks the transpose of a vector while an expression is computed; what comes out has no
mark.

>>> import jax.numpy as jnp
>>> x = jnp.array([1.0, 2.0])
>>> print(product(paper_transpose(x), x))
5.0
>>> print(product(x, paper_transpose(x)))
[[1. 2.]
 [2. 4.]]
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array


class Covector(NamedTuple):
    """The transpose of a vector."""

    vector: Array


def unmarked(value: Any) -> Any:
    """The array."""
    return value.vector if isinstance(value, Covector) else value


def shape(value: Any) -> tuple[int, ...]:
    """The shape of the array."""
    return np.shape(unmarked(value))


def of_rows(apply: Callable[..., Any]) -> Callable[..., Any]:
    """The function of marked values: of rows alone, a vector again is a row."""

    def applied(*values: Any) -> Any:
        value = apply(*map(unmarked, values))
        vectors = [isinstance(v, Covector) for v in values if len(shape(v)) == 1]
        return Covector(value) if any(vectors) and all(vectors) and np.ndim(value) == 1 else value

    return applied


def paper_transpose(x: Any) -> Any:
    """Of a vector a row, of a row the vector."""
    if isinstance(x, Covector):
        return x.vector
    return Covector(x) if np.ndim(x) == 1 else jnp.transpose(x)


def matmul(a: Any, b: Any) -> Any:
    """The matrix product; of a vector and a row the outer product."""
    if isinstance(b, Covector):
        return jnp.outer(a, b.vector)
    value = unmarked(a) @ b
    return Covector(value) if isinstance(a, Covector) and np.ndim(value) == 1 else value


def product(a: Any, b: Any) -> Any:
    """A multiple where one is a scalar, else the matrix product."""
    scalar = not (shape(a) and shape(b))
    return of_rows(lambda x, y: x * y)(a, b) if scalar else matmul(a, b)


def starred(a: Any, b: Any) -> Any:
    """Entry by entry, but a row times anything else is a product."""
    if isinstance(a, Covector) == isinstance(b, Covector):
        return of_rows(lambda x, y: x * y)(a, b)
    return product(a, b)


def inverse(x: Any) -> Any:
    """Of a matrix the inverse, of a vector or a scalar the reciprocals."""
    return jnp.linalg.inv(x) if np.ndim(x) > 1 else 1 / x
