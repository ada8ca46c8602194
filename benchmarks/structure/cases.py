"""Functions of JAX with their Jacobians in NumPy, in float64."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.oracles.wide import Array
from benchmarks.peers.jacobians import Function, Problem
from benchmarks.plain import VALUES

ALL = slice(None)
_SOFTMAX, _SIGMOID = VALUES["softmax"], VALUES["sigmoid"]


class Case(NamedTuple):
    """f(x, *constants), and its Jacobian by x: the chosen rows of the tensor y.shape + x.shape."""

    name: str
    f: Function
    arguments: tuple[jax.Array, ...]
    jacobian: Callable[..., Array]  # of the rows, x and the constants
    rows: slice = ALL  # those that are checked
    own: Function | None = None  # the same function from jaxcalc
    offsets: tuple[int, ...] | None = None  # the wrapped diagonals that are not zero

    @property
    def problem(self) -> Problem:
        """What a peer is asked."""
        return Problem(self.f, self.arguments, self.offsets)

    def reference(self) -> Array:
        """The rows of the Jacobian that are checked."""
        return self.jacobian(self.rows, *(np.asarray(a, np.float64) for a in self.arguments))


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


def weights(n: int, seed: int) -> jax.Array:
    """A square matrix with rows of norm near one."""
    return normal(n, n, seed=seed) / n**0.5


def _diagonal(entries: Array, rows: slice) -> Array:
    """These rows of diag(entries)."""
    index = np.arange(len(entries))
    return np.where(index[rows, None] == index, entries, 0.0)


# --- softmax ---


def _softmax_rows(rows: slice, x: Array) -> Array:
    s = _SOFTMAX(x)
    return _diagonal(s, rows) - np.outer(s[rows], s)


def softmax(n: int) -> Case:
    """Softmax of a vector."""
    return Case(f"softmax {n}", jax.nn.softmax, (normal(n),), _softmax_rows, own=jc.softmax)


def softmax_of_product(n: int) -> Case:
    """softmax(W x), W square."""
    return Case(
        f"softmax(W x) {n}",
        lambda x, W: jax.nn.softmax(W @ x),
        (normal(n), weights(n, seed=1)),
        lambda rows, x, W: _softmax_rows(rows, W @ x) @ W,
        own=lambda x, W: jc.softmax(W @ x),
    )


def batch_softmax(batch: int, n: int) -> Case:
    """Softmax of each row of a matrix; four rows of blocks are checked."""
    name, arguments = f"softmax of rows {batch}×{n}", (normal(batch, n),)
    some = slice(None, None, max(1, batch // 4))
    return Case(name, jax.nn.softmax, arguments, _batch_rows, some, own=jc.softmax)


def _batch_rows(rows: slice, x: Array) -> Array:
    blocks, (batch, n) = softmax_blocks(x), x.shape
    chosen = np.arange(batch)[rows]
    tensor = np.zeros((len(chosen), n, batch, n))
    tensor[np.arange(len(chosen)), :, chosen, :] = blocks[rows]
    return tensor


def softmax_blocks(x: Array) -> Array:
    """The Jacobian of each row of x."""
    return np.stack([_softmax_rows(ALL, row) for row in x])


# --- others ---


def silu(n: int) -> Case:
    """x σ(x), elementwise."""
    return Case(f"silu {n}", jax.nn.silu, (normal(n),), _silu_rows, offsets=(0,))


def _silu_rows(rows: slice, x: Array) -> Array:
    return _diagonal(_SIGMOID(x) * (1 + x * _SIGMOID(-x)), rows)


def perceptron(width: int) -> Case:
    """Three layers: C tanh(B tanh(A x))."""
    A, B, C = (weights(width, seed) for seed in (1, 2, 3))
    return Case(
        f"3-layer MLP {width}",
        lambda x, A, B, C: C @ jnp.tanh(B @ jnp.tanh(A @ x)),
        (normal(width), A, B, C),
        _perceptron_rows,
    )


def _perceptron_rows(rows: slice, x: Array, A: Array, B: Array, C: Array) -> Array:
    first = np.tanh(A @ x)
    second = np.tanh(B @ first)
    return (C[rows] * (1 - second**2)) @ (B * (1 - first**2)) @ A


VISCOSITY = 0.01


def burgers(n: int) -> Case:
    """The right side of ∂u/∂t = −u ∂u/∂x + ν ∂²u/∂x² on a circle, by central differences."""
    x = jnp.linspace(0, 2 * jnp.pi, n, endpoint=False)
    wave = jnp.sin(x) + 0.5 * jnp.cos(3 * x)
    return Case(f"Burgers stencil {n}", _burgers, (wave,), _burgers_rows, offsets=(-1, 0, 1))


def _burgers(u: jax.Array) -> jax.Array:
    h, after, before = 2 * np.pi / u.size, jnp.roll(u, -1), jnp.roll(u, 1)
    return -u * (after - before) / (2 * h) + VISCOSITY * (after - 2 * u + before) / h**2


def _burgers_rows(rows: slice, u: Array) -> Array:
    n, h = len(u), 2 * np.pi / len(u)
    slope = (np.roll(u, -1) - np.roll(u, 1)) / (2 * h)
    diffusion = VISCOSITY / h**2
    bands = {-1: u / (2 * h) + diffusion, 0: -slope - 2 * diffusion, 1: -u / (2 * h) + diffusion}
    J, index = np.zeros((n, n)), np.arange(n)
    for offset, band in bands.items():
        J[index, (index + offset) % n] = band
    return np.asarray(J[rows])
