"""Derivatives in float64, and errors in units in the last place of a shorter dtype.

A function is one of a number x; of the functions of rows it is that of two logits, x and 0. The
references are those of the logistic function, in forms in which nothing cancels: NumPy's `exp` is
all that they need.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._functions.binary_cross_entropy import sigmoid_binary_cross_entropy
from jaxcalc._functions.logistic import log_sigmoid, logistic, softplus
from jaxcalc._functions.logsumexp import logsumexp
from jaxcalc._functions.softmax import log_softmax, softmax
from jaxcalc._functions.softmax_cross_entropy import softmax_cross_entropy

Scalar = Callable[[Array], Array]


class Reference(NamedTuple):
    """A function of x, the same by `jax.nn`, and its true derivative."""

    differentiated: str
    own: Scalar
    peer: Scalar
    derivative: Callable[[np.ndarray], np.ndarray]


def _logits(x: Array) -> Array:
    return jnp.stack([x, jnp.zeros_like(x)])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """σ(x)."""
    e = np.exp(-abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1 + e))


def _bell(x: np.ndarray) -> np.ndarray:
    """σ(x) σ(−x)."""
    return _sigmoid(x) * _sigmoid(-x)


def _rest(x: np.ndarray) -> np.ndarray:
    """σ(−x)."""
    return _sigmoid(-x)


def _falling(x: np.ndarray) -> np.ndarray:
    """−σ(−x)."""
    return -_sigmoid(-x)


_SIGMOID = Reference("sigmoid(x)", logistic, jax.nn.sigmoid, _bell)
FUNCTIONS = {
    "sigmoid": _SIGMOID,
    "logistic": _SIGMOID,
    "log_sigmoid": Reference("log_sigmoid(x)", log_sigmoid, jax.nn.log_sigmoid, _rest),
    "softplus": Reference("softplus(x)", softplus, jax.nn.softplus, _sigmoid),
    "softmax": Reference(
        "softmax((x, 0))[0]",
        lambda x: softmax(_logits(x))[0],
        lambda x: jax.nn.softmax(_logits(x))[0],
        _bell,
    ),
    "log_softmax": Reference(
        "log_softmax((x, 0))[0]",
        lambda x: log_softmax(_logits(x))[0],
        lambda x: jax.nn.log_softmax(_logits(x))[0],
        _rest,
    ),
    "logsumexp": Reference(
        "logsumexp((x, 0))",
        lambda x: logsumexp(_logits(x)),
        lambda x: jax.nn.logsumexp(_logits(x)),
        _sigmoid,
    ),
    "softmax_cross_entropy": Reference(
        "softmax_cross_entropy((x, 0), 0)",
        lambda x: softmax_cross_entropy(_logits(x), 0),
        lambda x: jax.nn.logsumexp(_logits(x)) - x,
        _falling,
    ),
    "sigmoid_binary_cross_entropy": Reference(
        "sigmoid_binary_cross_entropy(x, 1)",
        lambda x: sigmoid_binary_cross_entropy(x, jnp.ones_like(x)),
        lambda x: -jax.nn.log_sigmoid(x),
        _falling,
    ),
}

POINTS = 801
_OF_THE_RANGE = 0.9  # of that over which e⁻ˣ is a normal number


class Errors(NamedTuple):
    """Where, and how wrong the two derivatives are there, in units in the last place."""

    x: np.ndarray
    own: np.ndarray
    peer: np.ndarray


def errors(function: Reference, dtype: np.dtype) -> Errors:
    """At points of `dtype` from end to end of the range where the derivative is a normal number."""
    end = -_OF_THE_RANGE * float(np.log(float(jnp.finfo(dtype).tiny)))
    x = np.unique(np.linspace(-end, end, POINTS).astype(dtype))
    wide = x.astype(np.float64)
    true = function.derivative(wide)
    own, peer = (ulps(_derivatives(f, x), true) for f in (function.own, function.peer))
    return Errors(wide, own, peer)


def _derivatives(f: Scalar, x: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(jax.grad(f)))(x))


def ulps(got: np.ndarray, true: np.ndarray) -> np.ndarray:
    """|got − true| over the spacing of got's dtype at the true value; infinite for NaN."""
    _, exponent = np.frexp(true)
    spacing = np.ldexp(1.0, exponent - 1 - jnp.finfo(got.dtype).nmant)
    error = abs(got.astype(np.float64) - true) / spacing
    return np.where(np.isnan(error), np.inf, error)
