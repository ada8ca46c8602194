"""Derivations by hand that are wrong, each with the diagnosis that it should get.

The functions are of vectors x, y, matrices A (not symmetric) and X; each claim is a function of the
point, in numerator layout unless its row says otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc

_random = np.random.default_rng(11)
A, W, S = (jnp.asarray(_random.normal(size=(4, 4))) for _ in range(3))
B, C = jnp.asarray(_random.normal(size=(3, 4))), jnp.asarray(_random.normal(size=(4, 3)))
b, c = jnp.asarray(_random.normal(size=4)), jnp.asarray(_random.normal(size=3))
x = jnp.asarray([0.6, -1.2, 0.9, -0.4])
p = jnp.asarray([0.6, 1.2, 0.9, 0.4])
X = jnp.asarray(_random.normal(size=(2, 4)))
M = A + 5 * jnp.eye(4)
POSITIVE, SMALL = b > 0, jnp.abs(b) < jnp.median(jnp.abs(b))


class Wrong(NamedTuple):
    """f at a point, a claim, and a word of its diagnosis."""

    f: Callable[..., Any]
    claim: Callable[..., Any]
    point: Any
    layout: str = "numerator"


def diag(v):
    return jnp.diag(v)


def row(v):
    return v[None]


def unit(x):
    return x / jnp.linalg.norm(x)


def softmax(x):
    return jax.nn.softmax(x)


def s_outer(x):
    return jnp.outer(softmax(x), softmax(x))


def slope(x):
    return 1 - jnp.tanh(x) ** 2


LAYOUT = {
    "A x": Wrong(lambda x: A @ x, lambda x: A.T, x),
    "B x": Wrong(lambda x: B @ x, lambda x: B.T, x),
    "xᵀA": Wrong(lambda x: x @ A, lambda x: A, x),
    "A x, denominator": Wrong(lambda x: A @ x, lambda x: A, x, "denominator"),
    "tanh(A x)": Wrong(lambda x: jnp.tanh(A @ x), lambda x: A.T * slope(A @ x)[None], x),
    "log softmax": Wrong(jax.nn.log_softmax, lambda x: jnp.eye(4) - softmax(x)[:, None], x),
    "gradient": Wrong(lambda x: x @ x, lambda x: 2 * x[:, None], x),
    "gradient by a matrix": Wrong(lambda X: jnp.sum(X**2), lambda X: 2 * X, X),
    "outer": Wrong(lambda x: (b @ x) * x, lambda x: (jnp.outer(x, b) + (b @ x) * jnp.eye(4)).T, x),
    "X A": Wrong(lambda X: X @ A, jc.jacobian(lambda X: X @ A, layout="denominator"), X),
}
SIGN = {
    "cos": Wrong(jnp.cos, lambda x: diag(jnp.sin(x)), x),
    "1/x": Wrong(lambda x: 1 / x, lambda x: diag(1 / x**2), p),
    "−A x": Wrong(lambda x: -A @ x, lambda x: A, x),
    "inverse": Wrong(jnp.linalg.inv, lambda X: -jc.jacobian(jnp.linalg.inv)(X), M),
    "1/‖x‖": Wrong(lambda x: 1 / jnp.linalg.norm(x), lambda x: row(x) / jnp.linalg.norm(x) ** 3, x),
    "exp −x": Wrong(lambda x: jnp.exp(-x), lambda x: diag(jnp.exp(-x)), x),
    "softmax": Wrong(softmax, lambda x: s_outer(x) - diag(softmax(x)), x),
}
FACTOR = {
    "xᵀx, 1": Wrong(lambda x: x @ x, row, x),
    "xᵀx/2": Wrong(lambda x: x @ x / 2, lambda x: 2 * row(x), x),
    "mean": Wrong(jnp.mean, lambda x: jnp.ones((1, 4)), x),
    "sum": Wrong(jnp.sum, lambda x: jnp.ones((1, 4)) / 4, x),
    "sin 2x": Wrong(lambda x: jnp.sin(2 * x), lambda x: diag(jnp.cos(2 * x)), x),
    "x³": Wrong(lambda x: x**3, lambda x: diag(x**2), x),
    "√x": Wrong(jnp.sqrt, lambda x: diag(1 / jnp.sqrt(x)), p),
    "‖Ax−b‖²": Wrong(lambda x: jnp.sum((A @ x - b) ** 2), lambda x: row(A.T @ (A @ x - b)), x),
    "log₂": Wrong(jnp.log2, lambda x: diag(1 / x), p),
    "variance": Wrong(jnp.var, lambda x: 2 * row(x - x.mean()), x),
    "sum of squares, X": Wrong(lambda X: jnp.sum(X**2), lambda X: X.T, X),
}
INNER = {
    "sin(x²)": Wrong(lambda x: jnp.sin(x**2), lambda x: diag(jnp.cos(x**2)), x),
    "exp(b⊙x)": Wrong(lambda x: jnp.exp(b * x), lambda x: diag(jnp.exp(b * x)), x),
    "tanh(A x)": Wrong(lambda x: jnp.tanh(A @ x), lambda x: diag(slope(A @ x)), x),
    "softmax(A x)": Wrong(
        lambda x: softmax(A @ x), lambda x: diag(softmax(A @ x)) - s_outer(A @ x), x
    ),
    "softmax(B x)": Wrong(
        lambda x: softmax(B @ x), lambda x: diag(softmax(B @ x)) - s_outer(B @ x), x
    ),
    "log(sin)": Wrong(lambda x: jnp.log(x**2), lambda x: diag(1 / x**2), p),
    "denominator": Wrong(lambda x: jnp.tanh(B @ x), lambda x: diag(slope(B @ x)), x, "denominator"),
    "σ(x²)": Wrong(
        lambda x: jax.nn.sigmoid(x**2), lambda x: diag(jc.sigmoid_jacobian(x**2).diagonal()), x
    ),
    "‖B x − c‖²": Wrong(lambda x: jnp.sum((B @ x - c) ** 2), lambda x: 2 * row(B @ x - c), x),
    "sin(exp)": Wrong(lambda x: jnp.sin(jnp.exp(x)), lambda x: diag(jnp.cos(jnp.exp(x))), x),
}
OUTER = {
    "A tanh(x)": Wrong(lambda x: A @ jnp.tanh(x), lambda x: diag(slope(x)), x),
    "b ⊙ (A x)": Wrong(lambda x: b * (A @ x), lambda x: A, x),
    "C softmax(B x)": Wrong(
        lambda x: C @ softmax(B @ x), lambda x: (diag(softmax(B @ x)) - s_outer(B @ x)) @ B, x
    ),
}
REVERSED = {
    "A W x": Wrong(lambda x: A @ (W @ x), lambda x: W @ A, x),
    "tanh(A x)": Wrong(lambda x: jnp.tanh(A @ x), lambda x: A @ diag(slope(A @ x)), x),
    "softmax(A x)": Wrong(
        lambda x: softmax(A @ x), lambda x: A @ (diag(softmax(A @ x)) - s_outer(A @ x)), x
    ),
    "W tanh(A x)": Wrong(lambda x: W @ jnp.tanh(A @ x), lambda x: A @ diag(slope(A @ x)) @ W, x),
    "denominator": Wrong(
        lambda x: jnp.tanh(A @ x), lambda x: diag(slope(A @ x)) @ A.T, x, "denominator"
    ),
}
DIAGONAL_ONLY = {
    "softmax": Wrong(softmax, lambda x: diag(softmax(x) * (1 - softmax(x))), x),
    "A x": Wrong(lambda x: A @ x, lambda x: diag(jnp.diagonal(A)), x),
    "x/‖x‖": Wrong(unit, lambda x: diag(jnp.diagonal(jax.jacfwd(unit)(x))), x),
    "softmax, as a vector": Wrong(softmax, lambda x: softmax(x) * (1 - softmax(x)), x),
}
DIAGONAL_VECTOR = {
    "sin": Wrong(jnp.sin, jnp.cos, x),
    "exp": Wrong(jnp.exp, jnp.exp, x),
    "sigmoid": Wrong(jax.nn.sigmoid, lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x), x),
}
DIAGONAL_MISSING = {
    "softmax": Wrong(softmax, lambda x: s_outer(x) * (jnp.eye(4) - 1), x),
    "A x": Wrong(lambda x: A @ x, lambda x: A - diag(jnp.diagonal(A)), x),
}
TERM = {
    "softmax, diag": Wrong(softmax, lambda x: diag(softmax(x)), x),
    "softmax, outer": Wrong(softmax, lambda x: -s_outer(x), x),
    "xᵀAx": Wrong(lambda x: x @ A @ x, lambda x: row(A @ x), x),
    "log softmax": Wrong(jax.nn.log_softmax, lambda x: -jnp.ones((4, 1)) * softmax(x)[None], x),
    "x ⊙ A x": Wrong(lambda x: x * (A @ x), lambda x: diag(A @ x), x),
    "x ⊙ A x, other": Wrong(lambda x: x * (A @ x), lambda x: diag(x) @ A, x),
    "(bᵀx) x": Wrong(lambda x: (b @ x) * x, lambda x: (b @ x) * jnp.eye(4), x),
    "residual": Wrong(lambda x: x + jnp.tanh(A @ x), lambda x: diag(slope(A @ x)) @ A, x),
    "x/bᵀx": Wrong(lambda x: x / (b @ x), lambda x: jnp.eye(4) / (b @ x), x),
    "quadratic and linear": Wrong(lambda x: x @ x + b @ x, lambda x: row(2 * x), x),
    "masks": Wrong(
        lambda x: jnp.where(POSITIVE, x, 0) - jnp.where(SMALL, x, 0),
        lambda x: diag(POSITIVE * 1.0),
        x,
    ),
}
TERM_SIGN = {
    "softmax": Wrong(softmax, lambda x: diag(softmax(x)) + s_outer(x), x),
    "x/‖x‖": Wrong(
        unit,
        lambda x: (jnp.eye(4) + jnp.outer(unit(x), unit(x))) / jnp.linalg.norm(x),
        x,
    ),
    "x/bᵀx": Wrong(
        lambda x: x / (b @ x), lambda x: jnp.eye(4) / (b @ x) + jnp.outer(x, b) / (b @ x) ** 2, x
    ),
}
TERM_FACTOR = {
    "(xᵀx) x": Wrong(lambda x: (x @ x) * x, lambda x: (x @ x) * jnp.eye(4) + jnp.outer(x, x), x),
    "(xᵀx) A x": Wrong(lambda x: (x @ x) * (A @ x), lambda x: (x @ x) * A + jnp.outer(A @ x, x), x),
    "log softmax": Wrong(
        jax.nn.log_softmax, lambda x: jnp.eye(4) - 2 * jnp.ones((4, 1)) * softmax(x)[None], x
    ),
}
OUTER_PRODUCT = {
    "(bᵀx) x": Wrong(lambda x: (b @ x) * x, lambda x: jnp.outer(b, x) + (b @ x) * jnp.eye(4), x),
    "x/bᵀx": Wrong(
        lambda x: x / (b @ x), lambda x: jnp.eye(4) / (b @ x) - jnp.outer(b, x) / (b @ x) ** 2, x
    ),
    "(xᵀx) A x": Wrong(
        lambda x: (x @ x) * (A @ x), lambda x: (x @ x) * A + 2 * jnp.outer(x, A @ x), x
    ),
}
SYMMETRIC = {
    "xᵀAx": Wrong(lambda x: x @ A @ x, lambda x: 2 * row(A @ x), x),
    "xᵀAx, the other": Wrong(lambda x: x @ A @ x, lambda x: 2 * row(x @ A), x),
    "xᵀAx + bᵀx": Wrong(lambda x: x @ A @ x + b @ x, lambda x: row(2 * A @ x + b), x),
}
SPREAD = {
    "(bᵀx) x": Wrong(lambda x: (b @ x) * x, lambda x: jnp.outer(x, b) + b @ x, x),
    "softmax": Wrong(softmax, lambda x: softmax(x)[None] - s_outer(x), x),
    "x ⊙ A x": Wrong(lambda x: x * (A @ x), lambda x: (A @ x)[None] + diag(x) @ A, x),
    "x ⊙ A x, by columns": Wrong(
        lambda x: x * (A @ x), lambda x: (A @ x)[:, None] + diag(x) @ A, x
    ),
    "x/‖x‖": Wrong(
        unit,
        lambda x: 1 / jnp.linalg.norm(x) - jnp.outer(x, x) / jnp.linalg.norm(x) ** 3,
        x,
    ),
}
MATRIX = {
    "(A x)ᵀ W x": Wrong(lambda x: (A @ x) @ (W @ x), lambda x: row(A.T @ W @ x + W @ A @ x), x),
    "xᵀAx + bᵀx": Wrong(lambda x: x @ A @ x + b @ x, lambda x: row(A @ x + A @ x + b), x),
    "tr(A X W X)": Wrong(lambda X: jnp.trace(A @ X @ W @ X), lambda X: W @ X @ A + A @ X @ W.T, M),
    "tr(A X W X), X": Wrong(
        lambda X: jnp.trace(A @ X @ W @ X), lambda X: W @ X @ A + A @ X.T @ W, M
    ),
    "‖A x − b‖²": Wrong(  # in both terms
        lambda x: jnp.sum((A @ x - b) ** 2), lambda x: 2 * row(A @ (A @ x - b)), x
    ),
    "‖A x‖², denominator": Wrong(
        lambda x: jnp.sum((A @ x) ** 2), lambda x: 2 * (A @ A @ x)[:, None], x, "denominator"
    ),
    "A W x": Wrong(lambda x: A @ (W @ x), lambda x: A @ W.T, x),
    "(bᵀx) A x": Wrong(
        lambda x: (b @ x) * (A @ x), lambda x: jnp.outer(A.T @ x, b) + (b @ x) * A, x
    ),
    "X A X": Wrong(
        lambda X: X @ A @ X,
        lambda X: (
            jnp.einsum("ik,lj->ijkl", jnp.eye(4), A.T @ X)
            + jnp.einsum("ik,jl->ijkl", X @ A, jnp.eye(4))
        ),
        M,
    ),
    "inverse": Wrong(
        jnp.linalg.inv,
        lambda X: -jnp.einsum("ki,lj->ijkl", jnp.linalg.inv(X), jnp.linalg.inv(X)),
        M,
    ),
}
SHAPE = {
    "a vector for a row": Wrong(lambda x: x @ x, lambda x: 2 * x, x),
    "a vector for a column": Wrong(lambda x: x @ x, lambda x: 2 * x, x, "denominator"),
    "a number": Wrong(lambda t: t**2, lambda t: 2 * t, jnp.asarray(0.7)),
    "flattened": Wrong(lambda X: X @ A, lambda X: jnp.kron(jnp.eye(2), A.T), X),
}
NO_SHAPE = {
    "too short": Wrong(lambda x: A @ x, lambda x: A[:3], x),
    "too many axes": Wrong(lambda x: A @ x, lambda x: jnp.ones((4, 4, 4)), x),
}
STACKING = {
    "X A, as a matrix": Wrong(lambda X: X @ A, lambda X: jnp.kron(A.T, jnp.eye(2)), X),
    "X A, as a tensor": Wrong(
        lambda X: X @ A, lambda X: jnp.kron(A.T, jnp.eye(2)).reshape(2, 4, 2, 4), X
    ),
    "B X": Wrong(
        lambda Y: B @ Y, lambda Y: jnp.kron(jnp.eye(2), B), jnp.asarray(_random.normal(size=(4, 2)))
    ),
}
AXES = {
    "X A, by Xᵀ": Wrong(
        lambda X: X @ A, lambda X: jnp.transpose(jax.jacfwd(lambda X: X @ A)(X), (0, 1, 3, 2)), X
    ),
    "outer": Wrong(
        lambda x: jnp.outer(x, jnp.tanh(A @ x)),
        lambda x: jnp.transpose(jax.jacfwd(lambda x: jnp.outer(x, jnp.tanh(A @ x)))(x), (1, 0, 2)),
        x,
    ),
}
REGION = {
    "abs": Wrong(jnp.abs, lambda x: jnp.eye(4), x),
    "leaky relu": Wrong(lambda x: jax.nn.leaky_relu(x, 0.1), lambda x: diag((x > 0) * 1.0), x),
    "elu": Wrong(jax.nn.elu, lambda x: jnp.eye(4), x),
}
END = {
    "differences": Wrong(
        lambda x: x * jnp.roll(x, 1),
        lambda x: jax.jacfwd(lambda x: x * jnp.roll(x, 1))(x).at[:, 0].set(0.0),
        x,
    ),
    "sums of squares": Wrong(
        lambda x: jnp.cumsum(x**2),
        lambda x: (jnp.tril(jnp.ones((4, 4))) * (2 * x)[None]).at[-1, -1].set(0.0),
        x,
    ),
}
NOT_FINITE = {
    "log of x": Wrong(jnp.exp, lambda x: diag(jnp.log(x)), x),
    "1/0": Wrong(lambda x: x * jnp.sum(x), lambda x: jnp.eye(4) / (x - x[0])[None], x),
}
TWO = {
    "transposed, ½": Wrong(lambda x: B @ x, lambda x: B.T / 2, x),
    "transposed, −": Wrong(lambda x: jnp.tanh(A @ x), lambda x: -(A.T * slope(A @ x)[None]), x),
    "flat, 2": Wrong(lambda x: jnp.mean(x**2), lambda x: 2 * x, x),
}

# the diagnosis, the derivations that have it
WRONG: dict[str, dict[str, Wrong]] = {
    "the other layout": LAYOUT,
    "the sign": SIGN,
    "a constant factor": FACTOR,
    "a missing inner factor": INNER,
    "a missing outer factor": OUTER,
    "the chain reversed": REVERSED,
    "the diagonal only": DIAGONAL_ONLY,
    "the diagonal as a vector": DIAGONAL_VECTOR,
    "the diagonal missing": DIAGONAL_MISSING,
    "a term missing": TERM,
    "the sign of a term": TERM_SIGN,
    "the factor of a term": TERM_FACTOR,
    "an outer product the wrong way round": OUTER_PRODUCT,
    "right only where an array is symmetric": SYMMETRIC,
    "a diagonal matrix as a vector or a number": SPREAD,
    "a matrix transposed": MATRIX,
    "the shape": SHAPE,
    "its shape is": NO_SHAPE,
    "stacked by columns": STACKING,
    "an axis permutation": AXES,
    "wrong in one region": REGION,
    "wrong at an end": END,
    "NaN or infinite": NOT_FINITE,
    ", and ": TWO,
}
