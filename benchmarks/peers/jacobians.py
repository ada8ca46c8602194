"""Libraries for Jacobians of JAX functions, each used as its documentation says.

- lineax: a matrix-free operator, told that it is diagonal where it is; made dense on request.
- folx: forward mode on sparse rows, whose indices are found beforehand, outside `jit`.
- asdex: finds the sparsity pattern, colours it, compresses.
- sparsejac: colours a pattern that it is given, compresses.
"""

import importlib
import importlib.metadata
import importlib.util
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse

from benchmarks.oracles.wide import Array

Function = Callable[..., Any]
LARGEST = 2**28  # entries, a gigabyte in float32


class Problem(NamedTuple):
    """A function of x and of what is held constant, at these arguments.

    `offsets` are the wrapped diagonals outside which the Jacobian is zero, None where it is full.
    """

    f: Function
    arguments: tuple[jax.Array, ...]
    offsets: tuple[int, ...] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the Jacobian as a tensor."""
        x, y = self.arguments[0], jax.eval_shape(self.f, *self.arguments)
        return (*y.shape, *x.shape)

    def require_memory(self) -> None:
        """Raise MemoryError where what may be nonzero is more than a machine can hold."""
        per_row = self.shape[-1] if self.offsets is None else len(self.offsets)
        count = math.prod(self.shape[:-1]) * per_row
        if count > LARGEST:
            raise MemoryError(f"would hold {count:.0e} entries")


class JacobianPeer(NamedTuple):
    """What makes functions of (x, *constants): the Jacobian, or its product with a leading v."""

    name: str
    version: str
    dense: Callable[[Problem], Function]
    product: Callable[[Problem], Function]


def find_jacobian_peers() -> list[JacobianPeer]:
    """Every peer that is installed, whether it imports or not."""
    return [
        JacobianPeer(name, importlib.metadata.version(name), *makers)
        for name, makers in _MAKERS.items()
        if importlib.util.find_spec(name) is not None
    ]


# --- lineax ---


def _lineax_operator(problem: Problem) -> Function:
    lineax = importlib.import_module("lineax")
    tags = lineax.diagonal_tag if problem.offsets == (0,) else ()

    def operator(x: jax.Array, *constants: jax.Array) -> Any:
        return lineax.JacobianLinearOperator(lambda x, _: problem.f(x, *constants), x, tags=tags)

    return operator


def _lineax_dense(problem: Problem) -> Function:
    lineax, operator, shape = (
        importlib.import_module("lineax"),
        _lineax_operator(problem),
        problem.shape,
    )
    return lambda *arguments: lineax.materialise(operator(*arguments)).as_matrix().reshape(shape)


def _lineax_product(problem: Problem) -> Function:
    operator = _lineax_operator(problem)
    return lambda v, *arguments: operator(*arguments).mv(v)


# --- folx ---


def _folx_jacobian(problem: Problem) -> Function:
    """The Jacobian with x along the first axis; its sparse indices do not survive `jit`."""
    folx = importlib.import_module("folx")
    problem.require_memory()

    def jacobian(x: jax.Array, *constants: jax.Array) -> Any:
        laplacian = folx.forward_laplacian(lambda x: problem.f(x, *constants), 0.6)
        return laplacian(x).jacobian

    found = jacobian(*problem.arguments).x0_idx
    indices = None if found is None else np.asarray(found)
    return lambda *arguments: jacobian(*arguments)._replace(x0_idx=indices)


def _folx_dense(problem: Problem) -> Function:
    jacobian, shape = _folx_jacobian(problem), problem.shape
    return lambda *arguments: jnp.moveaxis(jacobian(*arguments).dense_array, 0, -1).reshape(shape)


def _folx_product(problem: Problem) -> Function:
    jacobian = _folx_jacobian(problem)

    def product(v: jax.Array, *arguments: jax.Array) -> jax.Array:
        J = jacobian(*arguments)
        return jnp.tensordot(v, J.data, 1) if J.x0_idx is None else (v[J.x0_idx] * J.data).sum(0)

    return product


# --- asdex ---


def _asdex_dense(problem: Problem) -> Function:
    return _asdex_jacobian(problem, output_format="dense")


def _asdex_jacobian(problem: Problem, **options: str) -> Function:
    asdex = importlib.import_module("asdex")
    problem.require_memory()
    return asdex.jacobian(problem.f, *problem.arguments, **options)


def _asdex_product(problem: Problem) -> Function:
    jacobian = _asdex_jacobian(problem)
    return lambda v, *arguments: jacobian(*arguments) @ v


# --- sparsejac ---


def _sparsejac_jacobian(problem: Problem) -> Function:
    sparsejac = importlib.import_module("sparsejac")
    if len(problem.shape) != 2:
        raise ValueError(f"only vectors by vectors, but the Jacobian is {problem.shape}")
    problem.require_memory()
    return sparsejac.jacfwd(problem.f, _pattern(problem))


def _pattern(problem: Problem) -> sparse.BCOO:
    rows, columns = problem.shape
    offsets = range(columns) if problem.offsets is None else problem.offsets
    row = np.repeat(np.arange(rows), len(offsets))
    column = (row + np.tile(offsets, rows)) % columns
    indices: Array = np.stack([row, column], axis=1)
    ones = jnp.ones(len(indices), problem.arguments[0].dtype)
    return sparse.BCOO((ones, jnp.asarray(indices)), shape=problem.shape)


def _sparsejac_dense(problem: Problem) -> Function:
    jacobian = _sparsejac_jacobian(problem)
    return lambda *arguments: jacobian(*arguments).todense()


def _sparsejac_product(problem: Problem) -> Function:
    jacobian = _sparsejac_jacobian(problem)
    return lambda v, *arguments: jacobian(*arguments) @ v


_MAKERS: dict[str, tuple[Callable[[Problem], Function], Callable[[Problem], Function]]] = {
    "lineax": (_lineax_dense, _lineax_product),
    "folx": (_folx_dense, _folx_product),
    "asdex": (_asdex_dense, _asdex_product),
    "sparsejac": (_sparsejac_dense, _sparsejac_product),
}
