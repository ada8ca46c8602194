"""A small transformer that predicts the next piece of a text: its mathematics.

Sizes: B windows of L pieces, a vocabulary of V, rows of D numbers, H heads of E = D/H.
The parameters are float32; what is computed is in the `dtype` that they are rounded to.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

import jaxcalc as jc

Loss = Callable[[Array, Array, Array, Array], Array]  # of rows, kernel, bias and labels
MOMENTUM, FORGETTING, TINY = 0.9, 0.98, 1e-8  # of Adam


class Sizes(NamedTuple):
    """How large a model is."""

    vocabulary: int = 8192  # V
    length: int = 64  # L
    width: int = 128  # D
    heads: int = 4  # H
    layers: int = 2


class Layer(NamedTuple):
    """One layer: attention, and two linear layers with a GELU between them."""

    query_key_value: Array  # [3, D, H, E]
    out: Array  # [H, E, D]
    up: Array  # [D, 4D]
    down: Array  # [4D, D]


class Model(NamedTuple):
    """All parameters."""

    embedding: Array  # [V, D]
    position: Array  # [L, D]
    layers: tuple[Layer, ...]
    kernel: Array  # [D, V], from the rows to the logits
    bias: Array  # [V]


class Training(NamedTuple):
    """What Adam goes on from."""

    model: Model
    mean: Model  # of the gradients
    square: Model  # the mean of their squares
    steps: Array  # how many there were, float32


def random_model(sizes: Sizes, frequencies: NDArray[np.floating], seed: int) -> Model:
    """Normal numbers, but a kernel of 0: at first every piece is as likely as it is frequent."""
    V, L, D, H, depth = sizes
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return jnp.asarray(0.5 * D**-0.5 * rng.standard_normal(shape), jnp.float32)

    layers = tuple(
        Layer(normal(3, D, H, D // H), normal(H, D // H, D), normal(D, 4 * D), normal(4 * D, D))
        for _ in range(depth)
    )
    return Model(
        embedding=normal(V, D) * D**0.5,
        position=normal(L, D) * D**0.5,
        layers=layers,
        kernel=jnp.zeros((D, V), jnp.float32),
        bias=jnp.asarray(np.log(frequencies), jnp.float32),
    )


def hidden(model: Model, pieces: Array, dtype: Any) -> Array:
    """The rows from which each following piece is predicted, [B, L, D]."""
    # the rows are taken in float32: their gradients are added up, frequent ones by the hundred
    x = (model.embedding[pieces] + model.position[None]).astype(dtype)
    for layer in jax.tree.map(lambda W: W.astype(dtype), model.layers):
        x = x + attention(normalized(x), layer)
        x = x + jax.nn.gelu(normalized(x) @ layer.up) @ layer.down
    return normalized(x)


def attention(x: Array, layer: Layer) -> Array:
    """Each place takes from itself and those before it."""
    L = x.shape[1]
    q, k, v = jnp.einsum("bld,ndhe->nbhle", x, layer.query_key_value)
    scores = jnp.einsum("bhqe,bhke->bhqk", q, k) / q.shape[-1] ** 0.5
    before = jnp.tri(L, dtype=bool)[None, None]
    taken = jnp.einsum("bhqk,bhke->bqhe", jc.softmax(scores, where=before), v)
    return jnp.einsum("bqhe,hed->bqd", taken, layer.out)


def normalized(x: Array) -> Array:
    """`x` over the root of its mean square, computed in float32."""
    wide = x.astype(jnp.float32)
    return (wide * jax.lax.rsqrt(jnp.mean(wide * wide, -1, keepdims=True) + 1e-6)).astype(x.dtype)


def joined_loss(x: Array, kernel: Array, bias: Array, labels: Array) -> Array:
    """The cross-entropy of each row by jaxcalc: the logits of a few rows at a time, in float32."""
    return jc.linear_softmax_cross_entropy(x, kernel, labels, bias=bias, chunk_size=512)


def plain_loss(x: Array, kernel: Array, bias: Array, labels: Array) -> Array:
    """The same as it is usually written: all logits at once, in the dtype of `x`."""
    logits = x @ kernel + bias[None, None]
    own = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - own


def mean_loss(model: Model, windows: Array, dtype: Any, loss: Loss) -> Array:
    """The mean of `loss` over the places of the windows, [B, L + 1]."""
    x = hidden(model, windows[:, :-1], dtype)
    kernel, bias = model.kernel.astype(dtype), model.bias.astype(dtype)
    return jnp.mean(loss(x, kernel, bias, windows[:, 1:]).astype(jnp.float32))


def start(model: Model) -> Training:
    """Before the first step."""
    mean, square = (jax.tree.map(jnp.zeros_like, model) for _ in range(2))
    return Training(model, mean, square, jnp.float32(0))


def adam_step(t: Training, gradient: Model, rate: Array) -> Training:
    """One step of Adam."""
    steps = t.steps + 1

    def average(decay: float, means: Model, new: Model) -> Model:
        return jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, means, new)

    mean = average(MOMENTUM, t.mean, gradient)
    square = average(FORGETTING, t.square, jax.tree.map(jnp.square, gradient))
    # the means begin at 0, which is divided out
    lr = rate * jnp.sqrt(1 - FORGETTING**steps) / (1 - MOMENTUM**steps)
    model = jax.tree.map(lambda W, m, s: W - lr * m / (jnp.sqrt(s) + TINY), t.model, mean, square)
    return Training(model, mean, square, steps)
