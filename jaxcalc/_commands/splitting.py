"""The same regression on several devices, its classes split by `axis_name=`.

Sizes: n images, d features, K classes, padded to a multiple of the N devices by classes that
`where=` leaves out. Each device holds all features Φ and K/N columns of W, and computes K/N columns
of the logits Φ W. What it cannot know alone travels: maxima and sums of rows.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from numpy.typing import NDArray

import jaxcalc as jc
from jaxcalc._commands import fitting, regression
from jaxcalc._commands.communication import Said, communication
from jaxcalc._commands.digits import CLASSES
from jaxcalc._commands.regression import RegressionProblem
from jaxcalc._compat import setting

STEPS = 200
MODEL = "model"  # the mesh axis
WHOLE, BY_CLASS = PartitionSpec(), PartitionSpec(None, MODEL)

# the loss, and its gradient in W
Evaluate = Callable[[Array, RegressionProblem], tuple[Array, Array]]


class SplitTraining(NamedTuple):
    """What came of it, without the columns that are padding."""

    gradient: NDArray[np.floating]  # at the random weights
    weights: NDArray[np.floating]  # after the steps from W = 0
    loss: float  # of these
    said: Said  # for the loss and its gradient, once


def virtual_devices(count: int) -> list[jax.Device]:
    """So many devices of the CPU, or fewer where JAX has already started with fewer."""
    with contextlib.suppress(RuntimeError):  # it has started
        asked_for = setting("jax_num_cpu_devices")
        jax.config.update("jax_num_cpu_devices", max(count, asked_for))
    return jax.devices("cpu")[:count]


def train_whole(p: RegressionProblem, seed: int, device: jax.Device) -> SplitTraining:
    """On one device, by the closed-form gradient of `regression`."""
    W, p = jax.device_put((regression.random_weights(p, seed), p), device)
    return _train(lambda W, p: (regression.loss(W, p), regression.gradient(W, p)), W, p)


def train_split(p: RegressionProblem, seed: int, devices: Sequence[jax.Device]) -> SplitTraining:
    """On several devices, by autodiff of the split loss."""
    mesh = jax.make_mesh((len(devices),), (MODEL,), (AxisType.Auto,), devices=devices)
    padding = -CLASSES % mesh.size
    W = jnp.pad(regression.random_weights(p, seed), ((0, 0), (0, padding)))
    split = jax.shard_map(
        jax.value_and_grad(split_loss),
        mesh=mesh,
        in_specs=(BY_CLASS, WHOLE),
        out_specs=(WHOLE, BY_CLASS),
    )
    W = jax.device_put(W, NamedSharding(mesh, BY_CLASS))
    p = jax.device_put(p, NamedSharding(mesh, WHOLE))
    return _train(split, W, p)


def split_loss(W: Array, p: RegressionProblem) -> Array:
    """`regression.loss` from this device's columns of W; the same on each device."""
    here = W.shape[1]
    is_class = lax.axis_index(MODEL) * here + jnp.arange(here, dtype=jnp.int32) < CLASSES
    entropies = jc.softmax_cross_entropy(p.features @ W, p.labels, where=is_class, axis_name=MODEL)
    return jnp.mean(entropies) + p.penalty / 2 * lax.psum(jnp.sum(W * W), MODEL)


def _train(evaluate: Evaluate, W: Array, p: RegressionProblem) -> SplitTraining:
    """The gradient at W, and Nesterov's steps from W = 0; all split as W is."""

    def step(state: fitting.State, _: None) -> tuple[fitting.State, None]:
        return fitting.descent_update(state, evaluate(state[0], p)[1], p), None

    def descend(W: Array) -> Array:
        start = jnp.zeros_like(W)
        return lax.scan(step, (start, start), length=STEPS)[0][0]

    evaluation = jax.jit(evaluate).lower(W, p).compile()
    _, gradient = evaluation(W, p)
    weights = jax.jit(descend, out_shardings=W.sharding)(W)
    loss, _ = evaluation(weights, p)
    return SplitTraining(
        np.asarray(gradient)[:, :CLASSES],
        np.asarray(weights)[:, :CLASSES],
        float(loss),
        communication(evaluation.as_text() or ""),
    )
