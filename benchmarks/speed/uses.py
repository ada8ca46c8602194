"""Functions as models use them: with a mask, with weights, against labels.

A use is a line of `USES`: how jaxcalc is called, what is written in plain JAX instead, the argument
beside x, and the true results.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks import plain
from benchmarks.oracles.wide import Array
from benchmarks.peers.jax import Function, plain_cross_entropy
from benchmarks.speed.cell import Axis

Axes = tuple[int, ...]
Outputs = tuple[Array, ...]


class Use(NamedTuple):
    """One way to use a function of rows."""

    own: Function  # of x and that argument; takes what jaxcalc takes, `axis`, `accuracy`
    rival: Function  # the same in plain JAX; takes `axis`
    argument: Callable[[np.random.Generator, Array, Axes], Array]  # for x
    reference: Callable[[str, Array, Array, Array, Array], Outputs]  # of quantity, x, t, g, and it


def _keyword(f: Function, name: str) -> Function:
    return lambda x, argument, **options: f(x, **{name: argument}, **options)


# --- arguments ---


def _mask(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    """Three of four classes."""
    return np.asarray(rng.random(x.shape, np.float32) < 0.75)


def _weights(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    return np.asarray(rng.uniform(0.5, 2.0, x.shape).astype(x.dtype))


def _indices(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    """A class of each row."""
    (axis,) = axes
    rows = np.take(x, 0, axis).shape
    return np.asarray(rng.integers(x.shape[axis], size=rows).astype(np.int32))


def _distributions(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    weights = rng.exponential(size=x.shape)
    return np.asarray((weights / weights.sum(axes, keepdims=True)).astype(x.dtype))


def _probabilities(rng: np.random.Generator, x: Array, axes: Axes) -> Array:
    return np.asarray(rng.random(x.shape, np.float32).astype(x.dtype))


# --- what is written in plain JAX ---


def _cross_entropy_of_distributions(x: jax.Array, y: jax.Array, axis: Axis) -> jax.Array:
    return -jnp.sum(y * jax.nn.log_softmax(x, axis), axis)


def _binary_cross_entropy(x: jax.Array, y: jax.Array, axis: Axis) -> jax.Array:
    return jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))


# --- true results in float64, of rows along the last axis ---


def _masked(function: str) -> Callable[..., Outputs]:
    """Where the mask is False x is −∞, and nothing changes."""

    def reference(quantity: str, x: Array, t: Array, g: Array, mask: Array) -> Outputs:
        x, t = np.where(mask, x.astype(np.float64), -np.inf), np.where(mask, t, 0.0)
        g = np.where(mask, g, 0.0) if g.shape == x.shape else g
        return plain.reference(function, quantity, x, t, g)

    return reference


def _weighted(quantity: str, x: Array, t: Array, g: Array, b: Array) -> Outputs:
    """log Σ b exp x is that of x + log b."""
    shifted = x.astype(np.float64) + np.log(b.astype(np.float64))
    return plain.reference("logsumexp", quantity, shifted, t, g)


def _of_indices(quantity: str, x: Array, t: Array, g: Array, y: Array) -> Outputs:
    one_hot = np.arange(x.shape[-1]) == y[..., None]
    return _of_distributions(quantity, x, t, g, one_hot)


def _of_distributions(quantity: str, x: Array, t: Array, g: Array, y: Array) -> Outputs:
    x, t, g, y = (array.astype(np.float64) for array in (x, t, g, y))
    mass, linear = y.sum(-1), np.einsum("...k,...k->...", x, y)
    return _outputs(
        quantity,
        value=lambda: mass * plain.VALUES["logsumexp"](x) - linear,
        vjp=lambda: (plain.VALUES["softmax"](x) * mass[..., None] - y) * g[..., None],
        hvp=lambda: plain.JVPS["softmax"](x, t) * (mass * g)[..., None],
    )


def _binary(quantity: str, x: Array, t: Array, g: Array, y: Array) -> Outputs:
    x, t, g, y = (array.astype(np.float64) for array in (x, t, g, y))
    return _outputs(
        quantity,
        value=lambda: np.logaddexp(0, x) - x * y,
        vjp=lambda: (plain.VALUES["sigmoid"](x) - y) * g,
        hvp=lambda: plain.JVPS["sigmoid"](x, t) * g,
    )


def _outputs(quantity: str, **made: Callable[[], Array]) -> Outputs:
    return tuple(made[name]() for name in quantity.split("+"))


USES: dict[str, Use] = {
    "softmax(where)": Use(
        _keyword(jc.softmax, "where"),
        _keyword(jax.nn.softmax, "where"),
        _mask,
        _masked("softmax"),
    ),
    "log_softmax(where)": Use(
        _keyword(jc.log_softmax, "where"),
        _keyword(jax.nn.log_softmax, "where"),
        _mask,
        _masked("log_softmax"),
    ),
    "logsumexp(where)": Use(
        _keyword(jc.logsumexp, "where"),
        _keyword(jax.nn.logsumexp, "where"),
        _mask,
        _masked("logsumexp"),
    ),
    "logsumexp(b)": Use(
        _keyword(jc.logsumexp, "b"),
        _keyword(jax.nn.logsumexp, "b"),
        _weights,
        _weighted,
    ),
    "cross-entropy(indices)": Use(
        jc.softmax_cross_entropy,
        plain_cross_entropy,
        _indices,
        _of_indices,
    ),
    "cross-entropy(distributions)": Use(
        jc.softmax_cross_entropy,
        _cross_entropy_of_distributions,
        _distributions,
        _of_distributions,
    ),
    "binary cross-entropy": Use(
        lambda x, y, axis, **options: jc.sigmoid_binary_cross_entropy(x, y, **options),
        _binary_cross_entropy,
        _probabilities,
        _binary,
    ),
}


def own(accuracy: str) -> dict[str, Function]:
    """The uses of jaxcalc at that accuracy, by name."""

    def at(use: Use) -> Function:
        return lambda x, argument, **options: use.own(x, argument, accuracy=accuracy, **options)

    return {name: at(use) for name, use in USES.items()}


def in_plain_jax() -> dict[str, Any]:
    """The uses as written without jaxcalc, by name."""
    return {name: use.rival for name, use in USES.items()}
