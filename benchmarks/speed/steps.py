"""Training steps: one of a perceptron, one of a small language model, by each library's functions.

The perceptron has sigmoid units and as many rows and pixels as the digits of scikit-learn; the
language model is that of `python -m jaxcalc language`. The numbers are random: a step costs the
same whatever they are.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.libraries import BASELINE, Function
from benchmarks.report import Result, Row
from benchmarks.statistics import rows_of
from benchmarks.timing import Contestant, Effort, measure
from jaxcalc._commands import language_model

STEP = "training step"
Loss = Callable[[jax.Array, jax.Array], jax.Array]
Step = Callable[..., Any]


def _plain_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    log_s = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.mean(jnp.take_along_axis(log_s, labels[:, None], -1))


def _own_loss(logits: jax.Array, labels: jax.Array, accuracy: Any) -> jax.Array:
    loss = jc.softmax_cross_entropy(logits, labels, accuracy=accuracy, dtype=jnp.float32)
    return jnp.mean(loss)


LIBRARIES: dict[str, tuple[Function, Loss]] = {  # a unit and a loss
    "high": (jc.sigmoid, partial(_own_loss, accuracy="high")),
    "fast": (partial(jc.sigmoid, accuracy="fast"), partial(_own_loss, accuracy="fast")),
    BASELINE: (jax.nn.sigmoid, _plain_loss),
}


def measure_steps(effort: Effort) -> Result:
    """A row for each contestant and model."""
    models: dict[tuple[str, str, str], Callable[[], tuple[Step, Any]]] = {
        ("digits MLP", "float32", "1797 × 64"): perceptron,
        ("language model", "bfloat16", "2048 × 8192"): partial(_language_model, jnp.bfloat16),
        ("language model", "float32", "2048 × 8192"): partial(_language_model, jnp.float32),
    }
    rows: list[Row] = []
    for (function, quantity, shape), make in models.items():
        step, arguments = make()
        contestants = {
            name: Contestant(jax.jit(partial(step, *functions)), arguments)
            for name, functions in LIBRARIES.items()
        }
        named = {"part": STEP, "function": function, "quantity": quantity, "shape": shape}
        rows += rows_of(measure(contestants, effort), named, BASELINE)
    return Result(rows, [])


def perceptron() -> tuple[Step, tuple[Any, ...]]:
    """A step of gradient descent, and what it takes after the unit and the loss."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((1797, 64)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 10, 1797))
    shapes = ((64, 128), (128, 128), (128, 10))
    layers = [jnp.asarray(rng.standard_normal(shape) / 8, jnp.float32) for shape in shapes]

    def step(unit: Any, loss: Loss, layers: Any, x: jax.Array, labels: jax.Array) -> Any:
        def of(layers: Any) -> jax.Array:
            *hidden, last = layers
            h = x
            for W in hidden:
                h = unit(h @ W)
            return loss(h @ last, labels)

        return jax.tree.map(lambda W, g: W - 0.1 * g, layers, jax.grad(of)(layers))

    return step, (layers, x, labels)


def _language_model(dtype: Any) -> tuple[Step, tuple[Any, ...]]:
    sizes = language_model.Sizes(vocabulary=8192, length=64, width=128, heads=4, layers=2)
    model = language_model.random_model(sizes, np.full(8192, 1 / 8192), 0)
    windows = jnp.asarray(np.random.default_rng(0).integers(0, 8192, (32, 65)), jnp.int32)

    def step(unit: Any, loss: Loss, model: Any, windows: jax.Array) -> Any:
        def of_rows(x: jax.Array, kernel: Any, bias: Any, labels: jax.Array) -> jax.Array:
            rows = x.reshape(-1, x.shape[-1])
            logits = rows @ kernel.astype(x.dtype) + bias.astype(x.dtype)[None]
            return loss(logits, labels.reshape(-1))

        return jax.grad(language_model.mean_loss)(model, windows, dtype, of_rows)

    return step, (model, windows)
