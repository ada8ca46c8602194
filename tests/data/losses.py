"""The losses with their options as plain formulas, in `jax.numpy` and in mpmath."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
from jax import Array

mp.mp.dps = 60

# By name: options of the softmax cross-entropy, for 4 classes.
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.25])
ALONE: dict[str, dict[str, Any]] = {
    "smoothing": {"label_smoothing": 0.125},
    "weights": {"class_weights": WEIGHTS},
    "z": {"z_loss": 0.25},
    "cap": {"soft_cap": 2.0},
}
ALL = {name: value for options in ALONE.values() for name, value in options.items()}
OPTIONS = {**ALONE, "all": ALL}


def typed(options: dict[str, Any], dtype: str = "float32") -> dict[str, Any]:
    """Options whose arrays have a dtype."""
    return {k: np.asarray(v, dtype) if np.ndim(v) else v for k, v in options.items()}


def plain_loss(
    x: Array,
    y: Array,
    axis: int = -1,
    where: Any = True,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = 1.0,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
) -> Array:
    """Σ t w (lse − x) + z lse², y as distributions."""
    x = jnp.asarray(x)
    x = x if soft_cap is None else soft_cap * jnp.tanh(x / soft_cap)
    where = jnp.broadcast_to(where, x.shape)
    lse = jnp.log(jnp.sum(jnp.where(where, jnp.exp(x), 0), axis, keepdims=True))
    K = jnp.sum(jnp.where(where, jnp.ones_like(x), 0), axis, keepdims=True)
    t = (1 - label_smoothing) * jnp.broadcast_to(
        jnp.asarray(y, x.dtype), x.shape
    ) + label_smoothing / K
    if np.ndim(class_weights):
        shape = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]
        class_weights = jnp.reshape(jnp.asarray(class_weights, x.dtype), shape)
    terms = jnp.where(where, t * class_weights * (lse - x), 0)
    return jnp.sum(terms, axis) + z_loss * jnp.squeeze(lse, axis) ** 2


def plain_binary(
    x: Array, y: Array, *, label_smoothing: float = 0.0, pos_weight: Any = 1.0
) -> Array:
    t = (1 - label_smoothing) * y + label_smoothing / 2
    return pos_weight * t * jnp.logaddexp(-x, 0 * x) + (1 - t) * jnp.logaddexp(x, 0 * x)


def plain_focal(x: Array, y: Array, *, gamma: float = 2.0, alpha: float | None = None) -> Array:
    s = jax.nn.sigmoid(x)
    of_label = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return of_label * (y * (1 - s) + (1 - y) * s) ** gamma * plain_binary(x, y)


def plain_entropy(x: Array, axis: Any = -1, where: Any = True) -> Array:
    e = jnp.where(where, jnp.exp(x), 0)
    sums = jnp.sum(e, axis, keepdims=True)
    log_s = x - jnp.log(jnp.where(sums == 0, 1, sums))  # of nothing it is 0, with derivative 0
    return -jnp.sum(jnp.where(where, jnp.exp(log_s) * log_s, 0), axis)


# --- in sixty digits ---


def exact_loss(
    x: list[Any],
    y: Any,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = None,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
) -> Any:
    """`plain_loss` of a row."""
    if soft_cap is not None:
        x = [soft_cap * mp.tanh(v / soft_cap) for v in x]
    lse = mp.log(mp.fsum(map(mp.exp, x)))
    w = np.ones(len(x)) if class_weights is None else class_weights
    t = [(1 - mp.mpf(label_smoothing)) * mp.mpf(v) + mp.mpf(label_smoothing) / len(x) for v in y]
    terms = [a * mp.mpf(b) * (lse - v) for a, b, v in zip(t, w, x, strict=True)]
    return mp.fsum(terms) + z_loss * lse**2


def exact_binary(x: Any, y: float, *, label_smoothing: float = 0.0, pos_weight: Any = 1.0) -> Any:
    t = (1 - mp.mpf(label_smoothing)) * y + mp.mpf(label_smoothing) / 2
    return pos_weight * t * mp.log1p(mp.exp(-x)) + (1 - t) * mp.log1p(mp.exp(x))


def exact_focal(x: Any, y: float, *, gamma: float = 2.0, alpha: float | None = None) -> Any:
    q = y / (1 + mp.exp(x)) + (1 - mp.mpf(y)) / (1 + mp.exp(-x))
    of_label = 1 if alpha is None else alpha * mp.mpf(y) + (1 - mp.mpf(alpha)) * (1 - mp.mpf(y))
    return of_label * q**gamma * exact_binary(x, y)


def exact_entropy(x: list[Any]) -> Any:
    lse = mp.log(mp.fsum(map(mp.exp, x)))
    return mp.fsum(mp.exp(v - lse) * (lse - v) for v in x)


def exact_divergence(q: list[Any], p: list[Any]) -> Any:
    return mp.fsum(mp.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


def partials(f: Callable[..., Any], x: np.ndarray, order: int) -> np.ndarray:
    """All partial derivatives of a function of a row, by differences in sixty digits."""
    point = [mp.mpf(float(v)) for v in x]
    found = np.zeros((len(x),) * order)
    for index in np.ndindex(*found.shape):
        counts = tuple(index.count(i) for i in range(len(x)))
        found[index] = mp.diff(lambda *v: f(list(v)), point, counts) if order else f(point)
    return found


def nth_derivative(f: Callable[[Any], Any], x: float, order: int) -> float:
    return float(mp.diff(f, mp.mpf(x), order))
