"""Functions of JAX whose derivatives are timed, with what is true of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks import oracles
from benchmarks.libraries import Function
from benchmarks.oracles.wide import Array

VISCOSITY = 0.01
SHIFT = 1.0  # of J + I


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


# --- those whose dense forms are timed ---


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


def dense_cases(vector: int, matrix: int, batch: tuple[int, int]) -> list[Case]:
    """Of vectors of that length, square matrices of that, and a batch of rows."""
    x, rows = normal(vector), normal(*batch)
    A, B, C = (normal(matrix, matrix, seed=seed) / matrix**0.5 for seed in (1, 2, 3))
    short, angle = normal(matrix), jnp.linspace(0, 2 * jnp.pi, vector, endpoint=False)
    u = jnp.sin(angle) + 0.5 * jnp.cos(3 * angle)
    softmax = jax.nn.softmax
    return [
        Case(f"softmax {vector}", softmax, (x,), jc.softmax),
        Case(f"softmax(W x) {matrix}", _after(softmax), (short, A), _after(jc.softmax)),
        Case(f"softmax of rows {batch[0]}×{batch[1]}", softmax, (rows,), jc.softmax),
        Case(f"silu {vector}", jax.nn.silu, (x,)),
        Case(f"3-layer MLP {matrix}", _perceptron, (short, A, B, C)),
        Case(f"Burgers stencil {vector}", _burgers, (u,)),
    ]


def _after(f: Function) -> Function:
    return lambda x, W: f(W @ x)


def _perceptron(x: jax.Array, A: jax.Array, B: jax.Array, C: jax.Array) -> jax.Array:
    return C @ jnp.tanh(B @ jnp.tanh(A @ x))


def _burgers(u: jax.Array) -> jax.Array:
    """The right side of ∂u/∂t = −u ∂u/∂x + ν ∂²u/∂x² on a circle, by central differences."""
    h, after, before = 2 * np.pi / u.size, jnp.roll(u, -1), jnp.roll(u, 1)
    return -u * (after - before) / (2 * h) + VISCOSITY * (after - 2 * u + before) / h**2


# --- those of vectors of any size ---

GROWING: dict[str, Function] = {
    "jax.nn.softmax": jax.nn.softmax,
    "jc.softmax": jc.softmax,
    "jax.nn.sigmoid": jax.nn.sigmoid,
    "jc.sigmoid": jc.sigmoid,
}


def true_results(name: str, x: Array, v: Array) -> dict[str, tuple[Array, ...]]:
    """What the derivative J = diag(d) − u uᵀ does at v, by the operation.

    J + I is inverted by Sherman–Morrison, its determinant that of the lemma.
    """
    v = np.asarray(v, np.float64)
    if name.endswith("softmax"):
        d = u = oracles.softmax(x).astype(np.float64)
    else:
        d, u = oracles.sigmoid(x, 1).astype(np.float64), np.zeros(v.shape)
    product, diagonal = d * v - u * (u @ v), d - u * u
    z, left = u / (SHIFT + d), v / (SHIFT + d)
    logarithm = np.log1p(d).sum() + np.log1p(-u @ z)
    return {
        "J @ v": (product,),
        "v @ J": (product,),
        "diagonal": (diagonal,),
        "trace": (np.asarray(diagonal.sum()),),
        "slogdet of J + I": (np.ones(()), np.asarray(logarithm)),
        "solve (J + I)": (left + z * (u @ left) / (1 - u @ z),),
    }
