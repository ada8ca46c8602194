"""The functions of the package beside plain formulas, and the derivatives of those in float64.

Sizes are distinct, so that a transpose cannot hide. All numbers are multiples of 1/8: exact in
every floating dtype, so that one truth serves them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcalc as jc
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.elementwise import JAX

BATCH, ROWS, CLASSES = 6, 2, 4
ORDERS = 4  # the value and three derivatives

# For tests of what is computed rather than of the code that is made for it.
# The XLA of jax 0.10 still has an emitter that needs a third of the time.
QUICK: dict[str, Any] = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):
    QUICK["xla_cpu_use_fusion_emitters"] = False
quick_jit = partial(jax.jit, compiler_options=QUICK)


def eighths(*shape: int, seed: int = 0) -> np.ndarray:
    """Random multiples of 1/8 in (−3, 3)."""
    return np.random.default_rng([seed, *shape]).integers(-24, 24, shape) / 8


POINTS = eighths(BATCH, ROWS, CLASSES)
TANGENTS = eighths(BATCH, ROWS, CLASSES, seed=1)
MASK = np.array([True, False, True, True])
ROW_MASK = np.array([[True, False, True, True], [True, True, False, True]])
WEIGHTS = np.array([[1.0, -0.25, 2.0, 0.0], [0.5, 3.0, -1.0, 1.0]])
LABELS = np.array([2, 0], np.int32)
DISTRIBUTIONS = np.array([[0.25, 0.5, 0.125, 0.125], [0.0, 0.875, 0.125, 0.25]])  # sums 1, 1¼
LOGITS = np.array([[0.5, -1.25, 0.875, 0.25], [2.0, 0.125, -0.75, 1.0]])


@dataclass(frozen=True, eq=False)
class Function:
    """A function of one array of shape (ROWS, CLASSES), and the same in plain `jax.numpy`."""

    name: str
    own: Callable[[Array], Array]
    plain: Callable[[Array], Array]

    def __str__(self) -> str:
        return self.name


def like(x: Array, constant: np.ndarray) -> Array:
    return jnp.asarray(constant, x.dtype)


def plain_softmax(x: Array, axis=-1, where: np.ndarray | bool = True) -> Array:
    e = jnp.where(where, jnp.exp(x), 0)
    return e / jnp.sum(e, axis, keepdims=True)


def plain_logsumexp(x: Array, axis=-1, b: Array | float = 1.0, where=True, keepdims=False) -> Array:
    weighted = jnp.sum(jnp.where(where, b * jnp.exp(x), 0), axis, keepdims=keepdims)
    return jnp.log(jnp.abs(weighted))


def plain_log_softmax(x: Array, axis=-1, where: np.ndarray | bool = True) -> Array:
    return x - plain_logsumexp(x, axis, where=where, keepdims=True)


def plain_cross_entropy(x: Array, y: Array, axis=-1, where: np.ndarray | bool = True) -> Array:
    return -jnp.sum(jnp.where(where, y * plain_log_softmax(x, axis, where), 0), axis)


def plain_binary_cross_entropy(x: Array, y: Array) -> Array:
    return y * jnp.log1p(jnp.exp(-x)) + (1 - y) * jnp.log1p(jnp.exp(x))


def plain_sparsemax(x: Array, axis=-1, where: np.ndarray | bool = True) -> Array:
    """The threshold is the largest (Σ x − 1)/k over the entries that are no smaller than one."""
    last = jnp.moveaxis(jnp.where(where, x, -1e9), axis, -1)
    chosen = last[..., None, :] >= last[..., :, None]
    sums = jnp.sum(jnp.where(chosen, last[..., None, :], 0), -1)
    threshold = jnp.max((sums - 1) / jnp.sum(chosen, -1, dtype=x.dtype), -1, keepdims=True)
    return jnp.moveaxis(jnp.maximum(last - threshold, 0), -1, axis)


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES)[labels]


LOGISTIC = [
    Function("sigmoid", jc.sigmoid, lambda x: 1 / (1 + jnp.exp(-x))),
    Function("log_sigmoid", jc.log_sigmoid, lambda x: -jnp.log1p(jnp.exp(-x))),
    Function("softplus", jc.softplus, lambda x: jnp.log1p(jnp.exp(x))),
]
DECLARED = [Function(f.name, f, partial(f.definition, JAX)) for f in ELEMENTWISE]
SPARSEMAX = [
    Function("sparsemax", lambda x: jc.sparsemax(0.875 * x), lambda x: plain_sparsemax(0.875 * x)),
    Function(
        "sparsemax, first axis, masked",
        lambda x: jc.sparsemax(0.875 * x, 0, ROW_MASK),
        lambda x: plain_sparsemax(0.875 * x, 0, ROW_MASK),
    ),
]
SOFTMAX = [
    Function("softmax", jc.softmax, plain_softmax),
    Function("softmax, first axis", partial(jc.softmax, axis=0), partial(plain_softmax, axis=0)),
    Function(
        "softmax, all axes", partial(jc.softmax, axis=None), partial(plain_softmax, axis=None)
    ),
    Function(
        "softmax, masked",
        lambda x: jc.softmax(x, where=MASK),
        lambda x: plain_softmax(x, where=MASK[None]),
    ),
    Function("log_softmax", jc.log_softmax, plain_log_softmax),
    Function(
        "log_softmax, masked",
        # what is masked is −inf: 0 here, where only finite numbers are compared
        lambda x: jnp.where(MASK[None], jc.log_softmax(x, where=MASK), 0),
        lambda x: jnp.where(MASK[None], plain_log_softmax(x, where=MASK[None]), 0),
    ),
    Function("logsumexp", partial(jc.logsumexp, axis=-1), plain_logsumexp),
    Function("logsumexp, all axes", jc.logsumexp, partial(plain_logsumexp, axis=None)),
    Function(
        "logsumexp, masked",
        lambda x: jc.logsumexp(x, axis=-1, keepdims=True, where=MASK),
        lambda x: plain_logsumexp(x, where=MASK[None], keepdims=True),
    ),
    Function(
        "logsumexp, weighted",
        lambda x: jc.logsumexp(x, axis=0, b=like(x, WEIGHTS), return_sign=True)[0],
        lambda x: plain_logsumexp(x, axis=0, b=WEIGHTS),
    ),
    Function(
        "logsumexp of the weights",
        lambda b: jc.logsumexp(like(b, LOGITS), axis=-1, b=b, return_sign=True)[0],
        lambda b: plain_logsumexp(LOGITS, b=b),
    ),
]
LOSSES = [
    Function(
        "softmax_cross_entropy, indices",
        lambda x: jc.softmax_cross_entropy(x, LABELS),
        lambda x: plain_cross_entropy(x, one_hot(LABELS)),
    ),
    Function(
        "softmax_cross_entropy, distributions",
        lambda x: jc.softmax_cross_entropy(x, like(x, DISTRIBUTIONS), axis=0),
        lambda x: plain_cross_entropy(x, DISTRIBUTIONS, axis=0),
    ),
    Function(
        "softmax_cross_entropy, masked",
        lambda x: jc.softmax_cross_entropy(x, LABELS, where=MASK),
        lambda x: plain_cross_entropy(x, one_hot(LABELS), where=MASK[None]),
    ),
    Function(
        "softmax_cross_entropy of the labels",
        lambda y: jc.softmax_cross_entropy(like(y, LOGITS), y),
        lambda y: plain_cross_entropy(LOGITS, y),
    ),
    Function(
        "sigmoid_binary_cross_entropy",
        lambda x: jc.sigmoid_binary_cross_entropy(x, like(x, DISTRIBUTIONS)),
        lambda x: plain_binary_cross_entropy(x, DISTRIBUTIONS),
    ),
    Function(
        "sigmoid_binary_cross_entropy of the labels",
        lambda y: jc.sigmoid_binary_cross_entropy(like(y, LOGITS), y),
        lambda y: plain_binary_cross_entropy(LOGITS, y),
    ),
]
FAST = [
    Function("softmax, fast", partial(jc.softmax, accuracy="fast"), plain_softmax),
    Function("log_softmax, fast", partial(jc.log_softmax, accuracy="fast"), plain_log_softmax),
]
FUNCTIONS = LOGISTIC + DECLARED + SOFTMAX + SPARSEMAX + LOSSES + FAST

_CORE = {
    "sigmoid",
    "mish",
    "sparsemax",
    "softmax",
    "log_softmax, masked",
    "logsumexp",
    "logsumexp, weighted",
    "softmax_cross_entropy, indices",
}
# One for each kind of map behind them.
CORE = [f for f in FUNCTIONS if f.name in _CORE]


@cache
def truth(function: Function) -> tuple[np.ndarray, ...]:
    """The plain value and derivatives at POINTS: order n has the axes batch, output, n × input."""
    with jax.enable_x64(True):
        derivatives = [function.plain]
        while len(derivatives) < ORDERS:
            derivatives.append(jax.jacfwd(derivatives[-1]))
        every = quick_jit(jax.vmap(lambda x: [f(x) for f in derivatives]))
        return tuple(np.asarray(d) for d in every(jnp.asarray(POINTS)))


def assert_close(got, true, units: float = 16.0, name: str = "") -> None:
    """Equal up to a few units of the dtype of `got`, at least of its size and of 1."""
    got_leaves, true_leaves = jax.tree.leaves(got), jax.tree.leaves(true)
    assert len(got_leaves) == len(true_leaves)
    for g, t in zip(got_leaves, true_leaves, strict=True):
        tolerance = units * float(jnp.finfo(g.dtype).eps)
        scale = max(1.0, float(np.max(np.abs(t), initial=0)))
        assert g.shape == np.shape(t), name
        wide = np.asarray(g, np.float64)
        np.testing.assert_allclose(wide, t, tolerance, tolerance * scale, err_msg=name)
