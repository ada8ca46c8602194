"""Functions of JAX whose dense derivatives are timed, with what is true of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.oracles.wide import Array

Function = Callable[..., Any]
VISCOSITY = 0.01


class Case(NamedTuple):
    """f(x, *constants), to be differentiated by x."""

    name: str
    f: Function
    arguments: tuple[jax.Array, ...]
    own: Function | None = None  # the same function from jaxcalc

    def jacobian(self) -> Array:
        """Of the shape y.shape + x.shape, by JAX in float64."""
        wide = [np.asarray(a, np.float64) for a in self.arguments]
        with jax.enable_x64(True):
            return np.asarray(jax.jacrev(self.f)(*map(jnp.asarray, wide)))


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


def weights(n: int, seed: int) -> jax.Array:
    """A square matrix with rows of norm near one."""
    return normal(n, n, seed=seed) / n**0.5


def softmax(n: int) -> Case:
    """Softmax of a vector."""
    return Case(f"softmax {n}", jax.nn.softmax, (normal(n),), jc.softmax)


def softmax_of_product(n: int) -> Case:
    """softmax(W x), W square."""
    return Case(
        f"softmax(W x) {n}",
        lambda x, W: jax.nn.softmax(W @ x),
        (normal(n), weights(n, seed=1)),
        lambda x, W: jc.softmax(W @ x),
    )


def batch_softmax(batch: int, n: int) -> Case:
    """Softmax of each row of a matrix."""
    return Case(f"softmax of rows {batch}×{n}", jax.nn.softmax, (normal(batch, n),), jc.softmax)


def silu(n: int) -> Case:
    """x σ(x), elementwise."""
    return Case(f"silu {n}", jax.nn.silu, (normal(n),))


def perceptron(width: int) -> Case:
    """Three layers: C tanh(B tanh(A x))."""
    return Case(
        f"3-layer MLP {width}",
        lambda x, A, B, C: C @ jnp.tanh(B @ jnp.tanh(A @ x)),
        (normal(width), *(weights(width, seed) for seed in (1, 2, 3))),
    )


def burgers(n: int) -> Case:
    """The right side of ∂u/∂t = −u ∂u/∂x + ν ∂²u/∂x² on a circle, by central differences."""
    x = jnp.linspace(0, 2 * jnp.pi, n, endpoint=False)
    return Case(f"Burgers stencil {n}", _burgers, (jnp.sin(x) + 0.5 * jnp.cos(3 * x),))


def _burgers(u: jax.Array) -> jax.Array:
    h, after, before = 2 * np.pi / u.size, jnp.roll(u, -1), jnp.roll(u, 1)
    return -u * (after - before) / (2 * h) + VISCOSITY * (after - 2 * u + before) / h**2
