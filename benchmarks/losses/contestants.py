"""Everyone's loss of class indices, one a row: functions of logits and labels."""

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import jaxcalc as jc
from benchmarks.peers.jax import plain_cross_entropy
from benchmarks.speed.cell import NARROW
from jaxcalc._arrays import Accuracy

Loss = Callable[[jax.Array, jax.Array], jax.Array]
BASELINE = "jax.nn"
OWN: tuple[Accuracy, ...] = ("high", "fast")
WIDENED = "of float32"  # logits that are made float32 first


def contestants(dtype: str) -> dict[str, Loss]:
    """On JAX, by name; of 16 bits the peers also with logits that are made float32 first."""
    own: dict[str, Loss] = {
        name: partial(jc.softmax_cross_entropy, accuracy=name, dtype=jnp.float32) for name in OWN
    }
    peers = {BASELINE: plain_cross_entropy, **_optax()}
    widened = {f"{name}, {WIDENED}": _widened(loss) for name, loss in peers.items()}
    return own | peers | (widened if dtype in NARROW else {})


def _optax() -> dict[str, Loss]:
    if importlib.util.find_spec("optax") is None:
        return {}
    losses = importlib.import_module("optax.losses")
    return {"optax": losses.softmax_cross_entropy_with_integer_labels}


def _widened(loss: Loss) -> Loss:
    return lambda x, y: loss(x.astype(jnp.float32), y)


def value_and_gradient(loss: Loss) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The losses, and the gradient of their sum by the logits."""

    def both(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pull = jax.vjp(lambda x: loss(x, y), x)
        return value, pull(jnp.ones_like(value))[0]

    return both


def temporaries(compiled: Any) -> int:
    """Bytes that a compiled program needs beside its arguments and results."""
    return int(compiled.memory_analysis().temp_size_in_bytes)
