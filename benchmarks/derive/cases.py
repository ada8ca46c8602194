"""Functions of JAX with their Jacobians in NumPy, in float64."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.oracles.wide import Array
from benchmarks.plain import VALUES

Function = Callable[..., Any]
_SOFTMAX, _SIGMOID = VALUES["softmax"], VALUES["sigmoid"]


class Case(NamedTuple):
    """f(x, *constants), and its Jacobian by x, of the shape y.shape + x.shape."""

    name: str
    f: Function
    arguments: tuple[jax.Array, ...]
    jacobian: Callable[..., Array]  # of x and the constants
    own: Function | None = None  # the same function from jaxcalc

    def reference(self) -> Array:
        """The true Jacobian."""
        return self.jacobian(*(np.asarray(a, np.float64) for a in self.arguments))


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


def weights(n: int, seed: int) -> jax.Array:
    """A square matrix with rows of norm near one."""
    return normal(n, n, seed=seed) / n**0.5


# --- softmax ---


def _softmax_jacobian(x: Array) -> Array:
    s = _SOFTMAX(x)
    return np.asarray(np.diag(s) - np.outer(s, s))


def softmax(n: int) -> Case:
    """Softmax of a vector."""
    return Case(f"softmax {n}", jax.nn.softmax, (normal(n),), _softmax_jacobian, jc.softmax)


def softmax_of_product(n: int) -> Case:
    """softmax(W x), W square."""
    return Case(
        f"softmax(W x) {n}",
        lambda x, W: jax.nn.softmax(W @ x),
        (normal(n), weights(n, seed=1)),
        lambda x, W: _softmax_jacobian(W @ x) @ W,
        lambda x, W: jc.softmax(W @ x),
    )


def batch_softmax(batch: int, n: int) -> Case:
    """Softmax of each row of a matrix."""
    name, x = f"softmax of rows {batch}×{n}", normal(batch, n)
    return Case(name, jax.nn.softmax, (x,), _batch_jacobian, jc.softmax)


def _batch_jacobian(x: Array) -> Array:
    batch, n = x.shape
    tensor, row = np.zeros((batch, n, batch, n)), np.arange(batch)
    tensor[row, :, row, :] = [_softmax_jacobian(row) for row in x]
    return tensor


# --- others ---


def silu(n: int) -> Case:
    """x σ(x), elementwise."""
    return Case(f"silu {n}", jax.nn.silu, (normal(n),), _silu_jacobian)


def _silu_jacobian(x: Array) -> Array:
    return np.diag(_SIGMOID(x) * (1 + x * _SIGMOID(-x)))


def perceptron(width: int) -> Case:
    """Three layers: C tanh(B tanh(A x))."""
    return Case(
        f"3-layer MLP {width}",
        lambda x, A, B, C: C @ jnp.tanh(B @ jnp.tanh(A @ x)),
        (normal(width), *(weights(width, seed) for seed in (1, 2, 3))),
        _perceptron_jacobian,
    )


def _perceptron_jacobian(x: Array, A: Array, B: Array, C: Array) -> Array:
    first = np.tanh(A @ x)
    second = np.tanh(B @ first)
    return (C * (1 - second**2)) @ (B * (1 - first**2)) @ A


VISCOSITY = 0.01


def burgers(n: int) -> Case:
    """The right side of ∂u/∂t = −u ∂u/∂x + ν ∂²u/∂x² on a circle, by central differences."""
    x = jnp.linspace(0, 2 * jnp.pi, n, endpoint=False)
    wave = jnp.sin(x) + 0.5 * jnp.cos(3 * x)
    return Case(f"Burgers stencil {n}", _burgers, (wave,), _burgers_jacobian)


def _burgers(u: jax.Array) -> jax.Array:
    h, after, before = 2 * np.pi / u.size, jnp.roll(u, -1), jnp.roll(u, 1)
    return -u * (after - before) / (2 * h) + VISCOSITY * (after - 2 * u + before) / h**2


def _burgers_jacobian(u: Array) -> Array:
    n, h = len(u), 2 * np.pi / len(u)
    slope = (np.roll(u, -1) - np.roll(u, 1)) / (2 * h)
    diffusion = VISCOSITY / h**2
    bands = {-1: u / (2 * h) + diffusion, 0: -slope - 2 * diffusion, 1: -u / (2 * h) + diffusion}
    J, index = np.zeros((n, n)), np.arange(n)
    for offset, band in bands.items():
        J[index, (index + offset) % n] = band
    return J
