"""The losses inside optax with equinox and with flax: small classifiers of the digits are trained.

Every curve of losses is compared with that of optax's own loss in float32.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import jaxcalc as jc
from jaxcalc._commands import digits

optax = pytest.importorskip("optax", reason="optax is not installed")

BATCH, STEPS, HIDDEN, DEVICES = 128, 24, 32, 8
NEAR = {"float32": 2e-6, "bfloat16": 5e-3}  # bounds of the distance, over the first loss


@pytest.fixture(autouse=True)
def _as_users_have_it():
    """The libraries promote dtypes and ranks."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


class Batches(NamedTuple):
    """[steps, batch, 64] images in [0, 1], and what they show."""

    x: jax.Array
    y: jax.Array


def batches(of=BATCH):
    """The same images in the same order, in batches of that size."""
    data = digits.load()
    order = np.resize(np.random.default_rng(0).permutation(len(data.labels)), BATCH * STEPS)
    x = data.images.reshape(-1, 64)[order] / digits.BRIGHTEST
    return Batches(
        jnp.array(x.reshape(-1, of, 64), jnp.float32),
        jnp.array(data.labels[order].reshape(-1, of), jnp.int32),
    )


class Model(NamedTuple):
    """Parameters in float32, and the logits in the dtype of x."""

    parameters: dict
    hidden: object  # of parameters and x
    logits: object  # of parameters and x
    kernel: object  # of parameters: [hidden, classes], and the bias


def in_dtype(parameters, dtype):
    return jax.tree.map(lambda a: a.astype(dtype), parameters)


def equinox_model():
    eqx = pytest.importorskip("equinox", reason="equinox is not installed")
    first, last = jax.random.split(jax.random.key(0))
    layers = (eqx.nn.Linear(64, HIDDEN, key=first), eqx.nn.Linear(HIDDEN, 10, key=last))
    parameters, static = eqx.partition(layers, eqx.is_array)

    def hidden(parameters, x):
        first, _ = eqx.combine(in_dtype(parameters, x.dtype), static)
        return jax.nn.relu(jax.vmap(first)(x))

    def logits(parameters, x):
        _, last = eqx.combine(in_dtype(parameters, x.dtype), static)
        return jax.vmap(last)(hidden(parameters, x))

    return Model(
        parameters, hidden, logits, lambda parameters: (parameters[1].weight.T, parameters[1].bias)
    )


def flax_model():
    nn = pytest.importorskip("flax.linen", reason="flax is not installed")
    first, last = nn.Dense(HIDDEN, name="first"), nn.Dense(10, name="last")
    keys = jax.random.split(jax.random.key(0))
    parameters = {
        "first": first.init(keys[0], jnp.zeros((1, 64))),
        "last": last.init(keys[1], jnp.zeros((1, HIDDEN))),
    }

    def hidden(parameters, x):
        return nn.relu(nn.Dense(HIDDEN, dtype=x.dtype).apply(parameters["first"], x))

    def logits(parameters, x):
        return nn.Dense(10, dtype=x.dtype).apply(parameters["last"], hidden(parameters, x))

    def kernel(parameters):
        last = parameters["last"]["params"]
        return last["kernel"], last["bias"]

    return Model(parameters, hidden, logits, kernel)


MODELS = {"equinox": equinox_model, "flax": flax_model}

# --- losses: one a row, of a model, its parameters, a batch and the dtype computed in ---


def of_logits(loss):
    return lambda model, parameters, x, y: loss(model.logits(parameters, x), y)


def one_hot(y):
    return jax.nn.one_hot(y, 10)


def joined(model, parameters, x, y):
    kernel, bias = (a.astype(x.dtype) for a in model.kernel(parameters))
    h = model.hidden(parameters, x)
    return jc.linear_softmax_cross_entropy(h, kernel, y, bias=bias, chunk_size=48)


def smoothed(x, y):
    return optax.losses.softmax_cross_entropy(x, optax.losses.smooth_labels(one_hot(y), 0.1))


def divergence(x, y):
    target = jnp.log(0.9 * one_hot(y) + 0.01)
    return jc.kl_divergence(jc.log_softmax(x.astype(jnp.float32)), target)


def optax_divergence(x, y):
    return optax.losses.kl_divergence(jax.nn.log_softmax(x), 0.9 * one_hot(y) + 0.01)


WIDE = {"dtype": jnp.float32}
INDICES = optax.losses.softmax_cross_entropy_with_integer_labels
LOSSES = {  # ours, and optax's
    "indices": (of_logits(partial(jc.softmax_cross_entropy, **WIDE)), of_logits(INDICES)),
    "joined": (joined, of_logits(INDICES)),
    "smoothed": (
        of_logits(partial(jc.softmax_cross_entropy, label_smoothing=0.1, **WIDE)),
        of_logits(smoothed),
    ),
    "distributions": (
        of_logits(lambda x, y: jc.softmax_cross_entropy(x, one_hot(y), **WIDE)),
        of_logits(lambda x, y: optax.losses.softmax_cross_entropy(x, one_hot(y))),
    ),
    "binary": (
        of_logits(lambda x, y: jc.sigmoid_binary_cross_entropy(x, one_hot(y), **WIDE)),
        of_logits(lambda x, y: optax.losses.sigmoid_binary_cross_entropy(x, one_hot(y))),
    ),
    "focal": (
        of_logits(lambda x, y: jc.sigmoid_focal_loss(x, one_hot(y), **WIDE)),
        of_logits(lambda x, y: optax.losses.sigmoid_focal_loss(x, one_hot(y))),
    ),
    "divergence": (of_logits(divergence), of_logits(optax_divergence)),
}

# --- ways to train: the loss of each step ---


def steps(model, loss, dtype, optimiser, mean=jnp.mean):
    """The initial state, and a step from it with a batch."""

    def step(state, batch):
        parameters, memory = state

        def of(parameters):
            return mean(loss(model, parameters, batch.x.astype(dtype), batch.y))

        value, gradient = jax.value_and_grad(of)(parameters)
        updates, memory = optimiser.update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, updates), memory), value

    return (model.parameters, optimiser.init(model.parameters)), step


def by_jit(model, loss, dtype):
    state, step = steps(model, loss, dtype, optax.adam(1e-2))
    step, curve = jax.jit(step), []
    for batch in zip(*batches(), strict=True):
        state, value = step(state, Batches(*batch))
        curve.append(value)
    return np.array(curve)


def by_scan(model, loss, dtype):
    state, step = steps(model, loss, dtype, optax.adam(1e-2))
    return jax.jit(lambda state: lax.scan(step, state, batches())[1])(state)


def by_accumulation(model, loss, dtype, parts=4):
    """Gradients of parts of the batch are averaged; the loss of the batch is that of its parts."""
    optimiser = optax.MultiSteps(optax.adam(1e-2), every_k_schedule=parts)
    state, step = steps(model, loss, dtype, optimiser)
    values = jax.jit(lambda state: lax.scan(step, state, batches(BATCH // parts))[1])(state)
    return np.mean(np.reshape(values, (-1, parts)), -1)


def by_shard_map(model, loss, dtype):
    """The batch is split over devices."""
    mesh = jax.make_mesh((DEVICES,), ("batch",), devices=jax.devices()[:DEVICES])
    state, step = steps(
        model, loss, dtype, optax.adam(1e-2), lambda rows: lax.pmean(jnp.mean(rows), "batch")
    )

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=(P(), P(None, "batch")), out_specs=P())
    def train(state, data):
        return lax.scan(step, state, data)[1]

    return train(state, jax.device_put(batches(), NamedSharding(mesh, P(None, "batch"))))


WAYS = {
    "jit": by_jit,
    "scan": by_scan,
    "accumulation": by_accumulation,
    "shard_map": by_shard_map,
}
FAST = {("indices", "bfloat16", way) for way in WAYS} | {
    ("indices", "float32", "scan"),
    ("joined", "float32", "shard_map"),
    ("joined", "bfloat16", "scan"),
}
CASES = [
    pytest.param(loss, dtype, way, marks=() if (loss, dtype, way) in FAST else pytest.mark.slow)
    for loss in LOSSES
    for dtype in NEAR
    for way in WAYS
]


@pytest.fixture(scope="module")
def expected():
    """The curve of optax's loss in float32, of a library and a loss."""
    known = {}

    def curve(library, loss):
        if (library, loss) not in known:
            known[library, loss] = by_scan(MODELS[library](), LOSSES[loss][1], jnp.float32)
        return known[library, loss]

    return curve


@pytest.mark.slow
@pytest.mark.parametrize("library", MODELS)
@pytest.mark.parametrize(("loss", "dtype", "way"), CASES)
def test_the_curve_is_that_of_float32(library, loss, dtype, way, expected):
    model, true = MODELS[library](), expected(library, loss)
    curve = WAYS[way](model, LOSSES[loss][0], jnp.dtype(dtype))
    assert curve.dtype == jnp.float32
    assert true[-1] < true[0] / 2
    np.testing.assert_allclose(curve, true, rtol=0, atol=NEAR[dtype] * float(true[0]))


@pytest.mark.slow
def test_transposed_kernels_in_a_loop(expected):
    """Inside this loop XLA:CPU of jax 0.10 folds a transposition into a product it cannot run."""
    test_the_curve_is_that_of_float32("equinox", "joined", "bfloat16", "accumulation", expected)
