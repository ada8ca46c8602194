"""Functions and the structure that their derivative has: the table of the tests of `derive`.

Sizes are distinct, so that a transpose cannot hide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

import jaxcalc as jc


def numbers(*shape: int) -> np.ndarray:
    """Random, the same in every run."""
    return np.random.default_rng([3, *shape]).standard_normal(shape).astype(np.float32)


A, B, W, W2, b = (jnp.asarray(numbers(*s)) for s in ((4, 3), (3, 5), (5, 3), (6, 5), (5,)))
LABELS, COLUMNS = np.array([0, 2, 1], np.int32), np.array([0, 2, 2], np.int32)


@dataclass(frozen=True, eq=False)
class Case:
    """A function at a point, and the structure of its derivative there."""

    name: str
    structure: str
    f: Callable[..., Any]
    shape: tuple[int, ...]

    @property
    def x(self) -> Array:
        return jnp.asarray(numbers(*self.shape))

    def __str__(self) -> str:
        return self.name


@cache
def derived(case: Case) -> jc.Derivative:
    """Eagerly."""
    return jc.derive(case.f)(case.x)


def plain_softmax(x):
    return jnp.exp(x) / jnp.sum(jnp.exp(x))


def normalised(x):
    return x / jnp.linalg.norm(x)


def rms_norm(x):
    return b * x * lax.rsqrt(jnp.mean(x * x) + 1e-6)


def layer_norm(x):
    centred = x - jnp.mean(x, -1, keepdims=True)
    return centred * lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + 1e-6)


def burgers(u):
    """Periodic, by rolls."""
    left, right = jnp.roll(u, 1), jnp.roll(u, -1)
    return 0.1 * (right - 2 * u + left) - u * (right - left)


def diffusion(u):
    """Between the ends, by slices."""
    return u[2:] - 2 * u[1:-1] + u[:-2]


def mlp(x):
    return W2 @ jnp.tanh(W @ x + b)


def attention(Q):
    return jc.softmax(Q @ Q.T) @ Q


def residual(x):
    return x + W.T @ jnp.tanh(W @ x)


def batched_residual(X):
    return X + jnp.tanh(X @ W.T) @ W


def logistic_loss(w):
    return jnp.sum(jc.softplus(A @ w))


def least_squares(w):
    return jnp.sum((A @ w) ** 2)


def scanned(x):
    return lax.scan(lambda c, a: (jnp.sin(c) + a, c * a), x, jnp.ones((3, 4)))[0]


def recurrent(x):
    return lax.scan(lambda c, _: (jnp.tanh(W.T @ (W @ c)), None), x, length=9)[0]


def repeated(x):
    return lax.fori_loop(0, 3, lambda i, c: jnp.sin(c), x)


def doubled(x):
    return lax.while_loop(lambda c: jnp.sum(c**2) < 50, lambda c: 1.5 * c, x)


def branched(x):
    return lax.cond(jnp.sum(x) > 0, jnp.sin, jnp.cos, x)


@jax.custom_jvp
def custom_forward(x):
    return jnp.sin(x)


custom_forward.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), 2 * tangents[0]))


@jax.custom_vjp
def custom_backward(x):
    return jnp.sin(x)


custom_backward.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (3 * g * jnp.cos(x),))


def cases(
    structure: str, rows: dict[str, tuple[Callable[..., Any], tuple[int, ...]]]
) -> list[Case]:
    return [Case(name, structure, f, shape) for name, (f, shape) in rows.items()]


CASES = [
    *cases(
        "diagonal",
        {
            "sin": (jnp.sin, (4,)),
            "sigmoid": (jc.sigmoid, (4,)),
            "silu": (jax.nn.silu, (3, 4)),
            "x²": (lambda x: x * x, (4,)),
            "x³, by x": (lambda x: x * x * x, ()),
            "where": (lambda x: jnp.where(x > 0, jnp.log(x), 0.0), (5,)),
            "Hadamard": (lambda X: A * jnp.exp(X), (4, 3)),
            "binary cross entropy": (
                lambda x: jc.sigmoid_binary_cross_entropy(x, jnp.ones(4)),
                (4,),
            ),
            "two steps": (lambda x: jnp.sin(jnp.cos(x)), (4,)),
            "jit in jit": (jax.jit(lambda x: jax.jit(jnp.sin)(x) * x), (4,)),
            "checkpoint": (jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))), (4,)),
            "vmapped": (jax.vmap(jnp.sin), (3, 4)),
            "scan": (scanned, (4,)),
            "fori_loop": (repeated, (4,)),
            "while_loop": (doubled, (4,)),
            "cond": (branched, (4,)),
            "gradient of Σ sin": (jax.grad(lambda x: jnp.sum(jnp.sin(x))), (4,)),
        },
    ),
    *cases(
        "scaled identity",
        {
            "2x": (lambda x: 2 * x, (4,)),
            "custom_jvp": (custom_forward, (4,)),
            "x + x": (lambda x: x + x, (3, 4)),
        },
    ),
    *cases("identity", {"x": (lambda x: x, (3, 4)), "x + b": (lambda x: x + b, (5,))}),
    *cases(
        "zero",
        {
            "constant": (lambda x: jnp.ones(3), (4,)),
            "sign": (jnp.sign, (4,)),
            "stop_gradient": (lambda x: lax.stop_gradient(x) * b[0], (4,)),
        },
    ),
    *cases(
        "diagonal - rank 1",
        {
            "softmax": (jc.softmax, (4,)),
            "jax.nn.softmax": (jax.nn.softmax, (4,)),
            "plain softmax": (plain_softmax, (4,)),
            "log_softmax": (jc.log_softmax, (4,)),
            "jax.nn.log_softmax": (jax.nn.log_softmax, (4,)),
            "normalisation": (normalised, (4,)),
            "gradient of cross entropy": (jax.grad(lambda x: jc.softmax_cross_entropy(x, 1)), (4,)),
        },
    ),
    *cases(
        "diagonal + rank 1",
        {
            "rms norm": (rms_norm, (5,)),
            "gradient of plain cross entropy": (
                jax.grad(lambda x: jax.nn.logsumexp(x) - x[1]),
                (4,),
            ),
        },
    ),
    *cases("diagonal + rank 2", {"layer norm": (layer_norm, (6,))}),
    *cases(
        "rank 1",
        {
            "sum": (jnp.sum, (3, 4)),
            "maximum": (jnp.max, (5,)),
            "logsumexp": (jc.logsumexp, (4,)),
            "norm": (jnp.linalg.norm, (4,)),
            "squared norm": (lambda X: jnp.sum(X**2), (3, 4)),
            "trace": (jnp.trace, (3, 3)),
            "entry": (lambda x: x[2], (5,)),
            "product": (jnp.prod, (4,)),
            "determinant": (jnp.linalg.det, (3, 3)),
            "log-determinant": (lambda X: jnp.linalg.slogdet(X)[1], (3, 3)),
            "mean, spread": (lambda x: jnp.mean(x) * b, (4,)),
            "by a scalar": (lambda x: x * b, ()),
            "quadratic": (lambda x: x @ A[:3] @ x, (3,)),
            "cross entropy": (lambda x: jc.softmax_cross_entropy(x, 2), (4,)),
        },
    ),
    *cases(
        "block diagonal: diagonal - rank 1",
        {
            "softmax of rows": (jc.softmax, (4, 3)),
            "softmax of columns": (lambda x: jc.softmax(x, axis=0), (4, 3)),
            "log_softmax of rows": (jax.nn.log_softmax, (4, 3)),
            "vmapped softmax": (jax.vmap(plain_softmax, 1, 1), (4, 3)),
            "softmax of a batch of matrices": (jax.nn.softmax, (2, 3, 4)),
        },
    ),
    *cases("block diagonal: diagonal + rank 2", {"layer norm of rows": (layer_norm, (4, 6))}),
    *cases(
        "block diagonal: rank 1",
        {
            "logsumexp of columns": (lambda x: jc.logsumexp(x, axis=0), (3, 4)),
            "cross entropy of rows": (lambda X: jc.softmax_cross_entropy(X, LABELS), (3, 4)),
            "norms of rows": (lambda X: jnp.sqrt(jnp.sum(X * X, -1)), (3, 4)),
        },
    ),
    *cases(
        "block diagonal: chain",
        {
            "mlp of rows": (lambda X: jnp.tanh(X @ W.T) @ W2.T, (7, 3)),
            "vmapped mlp": (jax.vmap(mlp), (7, 3)),
            "vmapped softmax of A x": (jax.vmap(lambda x: jc.softmax(A @ x)), (5, 3)),
        },
    ),
    *cases("block diagonal: sum", {"residual, rows": (batched_residual, (7, 3))}),
    *cases(
        "kronecker",
        {
            "X W": (lambda X: X @ W.T, (7, 3)),
            "A X": (lambda X: A @ X, (3, 2)),
            "A X B": (lambda X: A @ X @ B, (3, 3)),
            "inverse": (jnp.linalg.inv, (3, 3)),
            "sums of columns": (lambda X: jnp.sum(X, 0), (3, 4)),
        },
    ),
    *cases("dense", {"A x": (lambda x: A @ x, (3,)), "A x + c": (lambda x: A @ x + 1.0, (3,))}),
    *cases(
        "chain",
        {
            "tanh(W x + b)": (lambda x: jnp.tanh(W @ x + b), (3,)),
            "softmax(A x)": (lambda x: jc.softmax(A @ x), (3,)),
            "mlp": (mlp, (3,)),
            "gradient of a logistic loss": (jax.grad(logistic_loss), (3,)),
            "gradient of least squares": (jax.grad(least_squares), (3,)),
        },
    ),
    *cases(
        "sum",
        {
            "residual": (residual, (3,)),
            "Xᵀ X": (lambda X: X.T @ X, (3, 4)),
            "self-attention": (attention, (4, 3)),
        },
    ),
    *cases(
        "banded",
        {
            "burgers": (burgers, (8,)),
            "vmapped burgers": (jax.vmap(burgers), (3, 8)),
            "diffusion": (diffusion, (8,)),
            "differences": (jnp.diff, (6,)),
        },
    ),
    *cases(
        "selection",
        {
            "roll": (lambda x: jnp.roll(x, 2), (5,)),
            "slice": (lambda x: x[1:3], (5,)),
            "every second": (lambda x: x[::2], (5,)),
            "reversed": (lambda x: x[::-1], (4,)),
            "gathered": (lambda x: x[COLUMNS], (5,)),
            "transpose": (lambda X: X.T, (3, 4)),
            "reshape": (lambda X: X.reshape(6, 2), (3, 4)),
            "pad": (lambda x: jnp.pad(x, 2), (4,)),
            "sort": (jnp.sort, (5,)),
            "set": (lambda x: x.at[1].set(2.0), (4,)),
            "scattered": (lambda x: jnp.zeros(6).at[COLUMNS].add(x), (3,)),
            "where it depends": (lambda x: lax.dynamic_slice(x, (jnp.argmax(x),), (2,)), (6,)),
        },
    ),
    *cases(
        "matrix-free",
        {
            "recurrence": (recurrent, (3,)),
            "custom_vjp": (custom_backward, (4,)),
            "fft": (lambda x: jnp.real(jnp.fft.fft(x)), (4,)),
        },
    ),
]
BY_NAME = {case.name: case for case in CASES}
