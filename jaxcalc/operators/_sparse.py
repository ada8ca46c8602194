"""Operators as sparse matrices: of JAX, entry by entry, and of SciPy, by their products."""

import importlib
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


class Coordinates(NamedTuple):
    """Entries of a matrix; several at one place add up, those beyond the last column are none."""

    values: Array
    rows: Array
    columns: Array


def of_dense(matrix: Array) -> Coordinates:
    """Every entry."""
    rows, columns = jnp.indices(matrix.shape, dtype=jnp.int32).reshape(2, -1)
    return Coordinates(matrix.reshape(-1), rows, columns)


def on_diagonal(values: Array) -> Coordinates:
    """`values`, row-major, on the diagonal."""
    places = counted(values.size)
    return Coordinates(values.reshape(-1), places, places)


def counted(size: int) -> Array:
    """0, 1, …, as the indices of a sparse matrix."""
    return jnp.arange(size, dtype=jnp.int32)


def joined(parts: list[Coordinates]) -> Coordinates:
    """The entries of all."""
    return Coordinates(*map(jnp.concatenate, zip(*parts, strict=True)))


def kron(a: Coordinates, b: Coordinates, shape: tuple[int, int]) -> Coordinates:
    """Those of A ⊗ B, with B of that shape."""
    a, b = Coordinates(*(x[:, None] for x in a)), Coordinates(*(x[None] for x in b))
    values, rows = a.values * b.values, a.rows * shape[0] + b.rows
    # what is beyond the last column of B is so in the product
    columns = jnp.where(b.columns < shape[1], a.columns * shape[1] + b.columns, _NOWHERE)
    return Coordinates(*(x.reshape(-1) for x in (values, rows, columns)))


_NOWHERE = np.iinfo(np.int32).max


def bcoo(op: Any) -> Any:
    """The `jax.experimental.sparse.BCOO` of an operator."""
    from jax.experimental.sparse import BCOO

    values, rows, columns = op._coordinates()
    shape = math.prod(op.codomain), math.prod(op.domain)
    return BCOO((values, jnp.stack([rows, columns], axis=1)), shape=shape)


def scipy_operator(op: Any) -> Any:
    """The `scipy.sparse.linalg.LinearOperator` of an operator."""
    linalg = importlib.import_module("scipy.sparse.linalg")
    dtype = np.dtype(op.dtype if op.dtype.char in "fdFD" else np.float32)  # all that SciPy solves

    def product(x: Any) -> np.ndarray:
        return _product(op, x, dtype)

    def product_of_adjoint(y: Any) -> np.ndarray:
        return _product(op.T, np.conj(y), dtype).conj()

    return linalg.LinearOperator(
        (math.prod(op.codomain), math.prod(op.domain)),
        matvec=product,
        rmatvec=product_of_adjoint,
        matmat=product,
        rmatmat=product_of_adjoint,
        dtype=dtype,
    )


def _product(op: Any, x: Any, dtype: np.dtype) -> np.ndarray:
    """J x, for x a vector or a matrix of columns."""
    if np.iscomplexobj(x) and not np.issubdtype(dtype, np.complexfloating):
        return _product(op, np.real(x), dtype) + 1j * _product(op, np.imag(x), dtype)
    columns = np.shape(x)[1:]
    v = jnp.asarray(np.reshape(x, (*op.domain, *columns)), op.dtype)
    return np.asarray(_applied(op, v), dtype).reshape(-1, *columns)


@jax.jit
def _applied(op: Any, v: Array) -> Array:
    product: Array = op @ v
    return product
