"""One maker for every operator, and the dense tensor of each in plain NumPy.

Most map a space of 4 into itself, so that sums and products can be tried in every pair; the others
have distinct sizes, so that a transpose cannot hide. Traits: what is "singular" has no inverse
though it is square; what is "alike" is one more case of a class, left out where every two meet.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

from jaxcalc import operators as ops


@dataclass(eq=False)
class Maker:
    """A named operator: `make(array, dtype)` builds it from `array(*shape)`, fresh numbers."""

    name: str
    make: Callable[..., ops.LinearOperator]
    structure: str
    traits: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, dtype: Any = np.float64) -> ops.LinearOperator:
        numbers = np.random.default_rng(sum(map(ord, self.name)))

        def array(*shape: int) -> jax.Array:
            return jnp.asarray(numbers.standard_normal(shape), dtype)

        return self.make(array, dtype)

    def __str__(self) -> str:
        return self.name


MAKERS: list[Maker] = []


def maker(name: str, structure: str, *traits: str) -> Callable[[Callable], Callable]:
    def enter(make: Callable) -> Callable:
        MAKERS.append(Maker(name, make, structure, frozenset(traits)))
        return make

    return enter


def away_from_zero(x):
    return jnp.where(x < 0, x - 1, x + 1)


def reverse_twice_two(x):
    """Entry 2 is taken twice."""
    return jnp.stack([x[3], x[2], x[2], x[0]])


def permuted(x):
    return x[::-1]


def shifted(x):
    return jnp.pad(x[1:], (0, 1))


def picked(index, x):
    return x[index]


def weighted(matrix, x):
    return jnp.sin(matrix) @ x


def looped(matrix, x):
    """A linear function with a loop that JAX cannot transpose."""
    steps = jnp.sum(jnp.ones(2, jnp.int32))
    return lax.fori_loop(0, steps, lambda _, y: matrix @ y, x)


# On a space of 4


@maker("zero", "zero", "singular")
def _(array, dtype):
    return ops.Zero((4,), (4,), dtype)


@maker("identity", "identity")
def _(array, dtype):
    return ops.Identity((4,), dtype)


@maker("scaled identity", "scaled identity")
def _(array, dtype):
    return ops.Identity((4,), dtype, away_from_zero(array()))


@maker("diagonal", "diagonal")
def _(array, dtype):
    return ops.Diagonal(away_from_zero(array(4)))


@maker("diagonal with a zero", "diagonal", "alike", "singular")
def _(array, dtype):
    return ops.Diagonal(array(4).at[2].set(0))


@maker("rank 1", "rank 1", "singular")
def _(array, dtype):
    return ops.LowRank(array(4, 1), array(4, 1))


@maker("rank 2, negative", "rank 2", "singular")
def _(array, dtype):
    return ops.LowRank(array(4, 2), array(4, 2), -1)


@maker("rank 5", "rank 5")
def _(array, dtype):
    return ops.LowRank(array(4, 5), array(4, 5))


@maker("diagonal plus rank 1", "diagonal + rank 1")
def _(array, dtype):
    return ops.DiagonalPlusLowRank(away_from_zero(array(4)), array(4, 1), array(4, 1))


@maker("diagonal minus rank 2", "diagonal - rank 2")
def _(array, dtype):
    return ops.DiagonalPlusLowRank(away_from_zero(array(4)), array(4, 2), array(4, 2), -1)


@maker("diagonal plus rank 2, a zero and a small entry", "diagonal + rank 2", "alike")
def _(array, dtype):
    entries = away_from_zero(array(4)) * jnp.asarray([1, 0, 1e-12, 1], dtype)
    return ops.DiagonalPlusLowRank(entries, array(4, 2), array(4, 2))


@maker("softmax", "diagonal - rank 1", "alike", "singular")
def _(array, dtype):
    s = jax.nn.softmax(array(4))
    return ops.DiagonalPlusLowRank(s, s[:, None], s[:, None], -1)


@maker("banded", "banded")
def _(array, dtype):
    weights = away_from_zero(array(3, 4)) * jnp.asarray([[1], [5], [1]], dtype)
    return ops.Banded(weights, ((-1,), (0,), (1,)), (4,))


@maker("banded, off the diagonal", "banded", "alike", "singular")
def _(array, dtype):
    return ops.Banded(array(1, 4) * jnp.asarray([[1, 1, 1, 0]], dtype), ((5,),), (4,))


@maker("selection, an entry twice", "selection", "singular")
def _(array, dtype):
    return ops.Selection.of(reverse_twice_two, (4,), dtype)


@maker("permutation", "selection", "alike")
def _(array, dtype):
    return ops.Selection.of(permuted, (4,), dtype)


@maker("scatter", "selection", "singular")
def _(array, dtype):
    return ops.Selection.of(reverse_twice_two, (4,), dtype).T


@maker("dense", "dense")
def _(array, dtype):
    return ops.Dense(array(4, 4), 1)


@maker("dense, of rank 3", "dense", "alike", "singular")
def _(array, dtype):
    return ops.Dense(array(4, 3) @ array(3, 4), 1)


@maker("matrix-free", "matrix-free")
def _(array, dtype):
    return ops.Linear.of(Partial(weighted, array(4, 4)), (4,), dtype)


@maker("matrix-free, by its transpose", "matrix-free", "alike")
def _(array, dtype):
    return ops.Linear(None, (4,), (4,), dtype, Partial(weighted, array(4, 4)))


@maker("matrix-free loop", "matrix-free", "alike")
def _(array, dtype):
    return ops.Linear.of(Partial(looped, array(4, 4)), (4,), dtype)


@maker("matrix-free loop, transposed", "matrix-free", "alike")
def _(array, dtype):
    return ops.Linear.of(Partial(looped, array(4, 4)), (4,), dtype).T


@maker("cumulative sum", "cumulative sum")
def _(array, dtype):
    return ops.CumulativeSum(4, np.dtype(dtype))


@maker("cumulative sum from the end", "cumulative sum", "alike")
def _(array, dtype):
    return ops.CumulativeSum(4, np.dtype(dtype), reverse=True)


@maker("factored", "dense")
def _(array, dtype):
    return ops.Factored.of(array(4, 4))


@maker("factored, transposed", "dense", "alike")
def _(array, dtype):
    return ops.Factored.of(array(4, 4)).T


@maker("triangular", "triangular")
def _(array, dtype):
    return ops.Triangular(array(4, 4) + 2 * jnp.eye(4, dtype=dtype))


@maker("triangular, upper with ones", "triangular", "alike")
def _(array, dtype):
    return ops.Triangular(array(4, 4), lower=False, unit_diagonal=True)


@maker("toeplitz", "toeplitz")
def _(array, dtype):
    return ops.Toeplitz(array(3) + jnp.asarray([0, 4, 0], dtype), 4, 4, 1)


@maker("circulant", "circulant")
def _(array, dtype):
    return ops.Circulant(array(4) + jnp.asarray([4, 0, 0, 0], dtype))


@maker("sum", "sum")
def _(array, dtype):
    shift = ops.Selection.of(shifted, (4,), dtype)
    return ops.Sum((ops.Dense(array(4, 4), 1), ops.Diagonal(array(4)), shift))


@maker("chain", "chain")
def _(array, dtype):
    return ops.Chain((ops.Diagonal(away_from_zero(array(4))), ops.Dense(array(4, 4), 1)))


@maker("chain through a space of 3", "chain", "alike", "singular")
def _(array, dtype):
    left, right = ops.Dense(array(4, 3), 1), ops.Dense(array(3, 4), 1)
    return ops.Chain((left, ops.Diagonal(array(3)), right))


@maker("transposed chain", "chain")
def _(array, dtype):
    return ops.Transpose(ops.Chain((ops.Dense(array(4, 4), 1), ops.Diagonal(array(4)))))


@maker("inverse", "inverse: diagonal + rank 1")
def _(array, dtype):
    op = ops.DiagonalPlusLowRank(away_from_zero(array(4)), array(4, 1), array(4, 1))
    return ops.Inverse(op)


@maker("shifted inverse", "inverse: dense", "alike")
def _(array, dtype):
    return ops.Inverse(ops.Dense(array(4, 4), 1), jnp.asarray(0.5, dtype))


# Between other spaces


@maker("zero, 3 by 4", "zero")
def _(array, dtype):
    return ops.Zero((3,), (4,), dtype)


@maker("identity of a number", "identity")
def _(array, dtype):
    return ops.Identity((), dtype)


@maker("diagonal, two axes", "diagonal")
def _(array, dtype):
    return ops.Diagonal(away_from_zero(array(2, 3)))


@maker("row", "rank 1")
def _(array, dtype):
    return ops.LowRank(array(1), array(4, 1))


@maker("row of a matrix", "rank 1")
def _(array, dtype):
    return ops.LowRank(array(1), array(2, 3, 1), -1)


@maker("column of a matrix", "rank 1")
def _(array, dtype):
    return ops.LowRank(array(2, 3, 1), array(1))


@maker("rank 2, two axes to one", "rank 2")
def _(array, dtype):
    return ops.LowRank(array(4, 2), array(2, 3, 2))


@maker("diagonal minus rank 1, two axes", "diagonal - rank 1")
def _(array, dtype):
    return ops.DiagonalPlusLowRank(away_from_zero(array(2, 3)), array(2, 3, 1), array(2, 3, 1), -1)


@maker("forward difference, 3 by 4", "banded")
def _(array, dtype):
    return ops.Banded(array(2, 3), ((0,), (1,)), (4,))


@maker("banded, 5 by 4, wrapped", "banded")
def _(array, dtype):
    return ops.Banded(array(2, 5), ((-1,), (6,)), (4,))


@maker("stencil, two axes", "banded")
def _(array, dtype):
    return ops.Banded(array(3, 2, 3), ((0, 0), (1, -1), (0, 1)), (2, 3))


@maker("toeplitz, 5 by 3, beyond the edge", "toeplitz")
def _(array, dtype):
    return ops.Toeplitz(array(6), 5, 3, -1)


@maker("gather", "selection")
def _(array, dtype):
    return ops.Selection.of(Partial(picked, jnp.array([3, 0, 3, 1, 2])), (4,), dtype)


@maker("reshape", "selection")
def _(array, dtype):
    return ops.Selection.of(lambda x: x.T.reshape(-1), (2, 3), dtype)


@maker("dense, one axis to two", "dense")
def _(array, dtype):
    return ops.Dense(array(2, 3, 4), 2)


@maker("matrix-free gradient", "matrix-free")
def _(array, dtype):
    return ops.Linear.of(Partial(jnp.dot, array(4)), (4,), dtype)


@maker("block diagonal of diagonal plus rank 1", "block diagonal: diagonal + rank 1")
def _(array, dtype):
    block = ops.DiagonalPlusLowRank(away_from_zero(array(2, 3)), array(2, 3, 1), array(2, 3, 1))
    return ops.BlockDiagonal(block, 2)


@maker("block diagonal, last axis", "block diagonal: diagonal - rank 1", "singular")
def _(array, dtype):
    s = jax.nn.softmax(array(3, 2), axis=-1)
    block = ops.DiagonalPlusLowRank(s, s[..., None], s[..., None], -1)
    return ops.BlockDiagonal(block, 3, 1, 1)


@maker("block diagonal, from one axis to another", "block diagonal: dense")
def _(array, dtype):
    return ops.BlockDiagonal(ops.Dense(array(2, 3, 3), 1), 2, 1, 0)


@maker("block diagonal of one shared matrix", "block diagonal: chain")
def _(array, dtype):
    scales = ops.BlockDiagonal(ops.Diagonal(away_from_zero(array(2, 3))), 2)
    return scales @ ops.BlockDiagonal(ops.Dense(array(3, 3), 1), 2, batched=(False,))


@maker("block diagonal without arrays", "block diagonal: selection")
def _(array, dtype):
    return ops.BlockDiagonal(ops.Selection.of(permuted, (3,), dtype), 2)


@maker("blocks of blocks", "block diagonal: dense")
def _(array, dtype):
    def inner(blocks):
        return ops.BlockDiagonal(ops.Dense(blocks, 1), 2, 1, 1)

    return ops.batch(jax.vmap(inner)(array(3, 2, 2, 4)))


@maker("kronecker", "kronecker")
def _(array, dtype):
    return ops.Kronecker((ops.Dense(array(2, 2), 1), ops.Diagonal(away_from_zero(array(3)))))


@maker("kronecker, three factors", "kronecker")
def _(array, dtype):
    first, last = ops.Dense(array(3, 2), 1), ops.Dense(array(4), 0)
    return ops.Kronecker((first, ops.Identity((2,), dtype), last))


@maker("kronecker of 2 by 3 and 3 by 2", "kronecker", "singular")
def _(array, dtype):
    return ops.Kronecker((ops.Dense(array(2, 3), 1), ops.Dense(array(3, 2), 1)))


@maker("chain over several spaces", "chain")
def _(array, dtype):
    stencil = ops.Banded(array(2, 3), ((0,), (1,)), (4,))
    return ops.Chain((ops.Dense(array(2, 3, 5), 2), ops.Dense(array(5, 3), 1), stencil))


# The dense tensors

ORACLES: dict[type, Callable[[Any], np.ndarray]] = {}


def oracle(op: ops.LinearOperator) -> np.ndarray:
    """The tensor of shape codomain + domain, from the definition of each class alone."""
    return np.asarray(ORACLES[type(op)](op)).reshape(op.codomain + op.domain)


def matrix(op: ops.LinearOperator) -> np.ndarray:
    return oracle(op).reshape(int(np.prod(op.codomain)), int(np.prod(op.domain)))


def tensor_oracle(kind: type) -> Callable[[Callable], Callable]:
    return lambda f: ORACLES.setdefault(kind, f)


def basis(op):
    size = int(np.prod(op.domain))
    return np.eye(size).reshape(size, *op.domain)


@tensor_oracle(ops.Zero)
def _(op):
    return np.zeros(op.codomain + op.domain)


@tensor_oracle(ops.Identity)
def _(op):
    return np.eye(int(np.prod(op.domain))) * (1 if op.scale is None else np.asarray(op.scale))


@tensor_oracle(ops.Diagonal)
def _(op):
    return np.diag(np.ravel(op.entries))


@tensor_oracle(ops.LowRank)
def _(op):
    return op.sign * np.tensordot(np.asarray(op.U), np.asarray(op.V), (-1, -1))


@tensor_oracle(ops.DiagonalPlusLowRank)
def _(op):
    U, V = (np.asarray(X).reshape(-1, X.shape[-1]) for X in (op.U, op.V))
    return np.diag(np.ravel(op.entries)) + op.sign * U @ V.T


@tensor_oracle(ops.Banded)
def _(op):
    J = np.zeros(op.codomain + op.domain)
    for i in np.ndindex(*op.codomain):
        for weight, offset in zip(np.asarray(op.weights), op.offsets, strict=True):
            j = tuple((a + o) % n for a, o, n in zip(i, offset, op.domain, strict=True))
            J[i + j] += weight[i]
    return J


@tensor_oracle(ops.Selection)
@tensor_oracle(ops.Linear)
def _(op):
    function = op.function if op.function is not None else op.transposed_function
    shape = op.domain if op.function is not None else op.codomain
    size = int(np.prod(shape))
    dtype = next((x.dtype for x in jax.tree.leaves(op) if x.dtype != int), op.dtype)
    eye = jnp.asarray(np.eye(size).reshape(size, *shape), dtype)
    images = np.array([np.ravel(function(e)) for e in eye])
    return images.T if op.function is not None else images


@tensor_oracle(ops.Dense)
def _(op):
    return op.array


@tensor_oracle(ops.BlockDiagonal)
def _(op):
    leaves, structure = jax.tree.flatten(op.block)
    batched = op.batched or (True,) * len(leaves)
    J = np.zeros(op.codomain + op.domain)
    for i in range(op.size):
        block = jax.tree.unflatten(
            structure, [x[i] if b else x for x, b in zip(leaves, batched, strict=True)]
        )
        index = [slice(None)] * J.ndim
        index[op.codomain_axis] = index[len(op.codomain) + op.domain_axis] = slice(i, i + 1)
        axes = op.codomain_axis, len(op.codomain) + op.domain_axis
        J[tuple(index)] = np.expand_dims(oracle(block), axes)
    return J


@tensor_oracle(ops.Kronecker)
def _(op):
    return functools.reduce(_kron, map(matrix, op.factors))


def _kron(A, B):
    return np.einsum("ij,kl->ikjl", A, B).reshape(len(A) * len(B), -1)


@tensor_oracle(ops.CumulativeSum)
def _(op):
    return np.tri(op.size).T if op.reverse else np.tri(op.size)


@tensor_oracle(ops.Factored)
def _(op):
    return np.asarray(op.array).T if op.transposed else op.array


@tensor_oracle(ops.Triangular)
def _(op):
    triangle = np.tril(op.array) if op.lower else np.triu(op.array)
    if op.unit_diagonal:
        np.fill_diagonal(triangle, 1)
    return triangle


@tensor_oracle(ops.Toeplitz)
def _(op):
    J = np.zeros((op.rows, op.columns))
    for i, j in np.ndindex(*J.shape):
        if 0 <= j - i + op.shift < len(op.values):
            J[i, j] = op.values[j - i + op.shift]
    return J


@tensor_oracle(ops.Circulant)
def _(op):
    return np.stack([np.roll(op.column, k) for k in range(len(op.column))], 1)


@tensor_oracle(ops.Sum)
def _(op):
    return sum(map(oracle, op.terms))


@tensor_oracle(ops.Chain)
def _(op):
    return functools.reduce(np.matmul, map(matrix, op.factors))


@tensor_oracle(ops.Transpose)
def _(op):
    return matrix(op.op).T


@tensor_oracle(ops.Inverse)
def _(op):
    A = matrix(op.op)
    return np.linalg.inv(A + (0 if op.shift is None else np.asarray(op.shift)) * np.eye(len(A)))


def by_name(name: str) -> Maker:
    return next(m for m in MAKERS if m.name == name)


DISTINCT = [m for m in MAKERS if "alike" not in m.traits]


@functools.cache
def shapes(maker: Maker) -> ops.LinearOperator:
    """The operator with abstract arrays."""
    return jax.eval_shape(functools.partial(maker, np.float32))


def fitting(left: Maker, fit: Callable[[Any, Any], bool]) -> list[Maker]:
    """The makers, one a class and space, whose operators fit that of `left` by their shapes."""
    return [right for right in DISTINCT if fit(shapes(left), shapes(right))]


# One operator a class, with arrays of floats if any of its class has them.
CLASSES = list({type(shapes(m)): m for m in reversed(DISTINCT)}.values())[::-1]
