"""The softmax family in two processes, the classes split over their four devices.

`python two_processes.py PORT NUMBER FILE` is process 0 or 1 of the two. They meet at that port of
this machine, and each writes what it computed as JSON. How many seconds they wait for each other
may follow. `whole()` is the same from whole arrays.
"""

import json
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import jaxcalc as jc

WHOLE, BY_CLASS = PartitionSpec(), PartitionSpec(None, "model")
ROWS, FEATURES, CLASSES = 3, 5, 8
STEPS, RATE = 5, 0.5
PATIENCE = 60  # seconds until a process gives the other up

_drawn = np.random.default_rng(8)
x, t = (4 * _drawn.standard_normal((ROWS, CLASSES), np.float32) for _ in range(2))
weights = _drawn.standard_normal((FEATURES, CLASSES), np.float32)
features = _drawn.standard_normal((ROWS, FEATURES), np.float32)
labels = np.array([0, 5, 7], np.int32)  # of the whole row, on every device

FUNCTIONS = {  # and how their results are split
    "softmax": (jc.softmax, BY_CLASS),
    "log_softmax": (jc.log_softmax, BY_CLASS),
    "logsumexp": (partial(jc.logsumexp, axis=-1), WHOLE),
    "cross-entropy": (lambda x, **how: jc.softmax_cross_entropy(x, labels, **how), WHOLE),
}


def products(f, x, t):
    """The value, the gradient of ½ Σ f², and its derivative along t."""
    return f(x), *jax.jvp(jax.grad(lambda x: jnp.sum(f(x) ** 2) / 2), (x,), (t,))


def derived(x, t):
    """The same derivative of softmax as an operator, applied from either side."""
    J = jc.derive(jc.softmax)(x)
    return J @ t, J.T @ t


def descend(W, **how):
    """Steps of softmax regression, Φ whole: the losses and the last weights."""

    def loss(W):
        return jnp.mean(jc.softmax_cross_entropy(features @ W, labels, **how))

    def step(W, _):
        value, slope = jax.value_and_grad(loss)(W)
        return W - RATE * slope, value

    W, losses = jax.lax.scan(step, W, length=STEPS)
    return losses, W


def whole():
    """Everything from whole arrays: what the two processes are to agree with."""
    results = {name: jax.jit(partial(products, f))(x, t) for name, (f, _) in FUNCTIONS.items()}
    return results | {"derive": jax.jit(derived)(x, t), "descent": jax.jit(descend)(weights)}


def split(mesh):
    """Everything from arrays split by their classes, by `axis_name=` and by plain `jit`."""
    by_class, everywhere = NamedSharding(mesh, BY_CLASS), NamedSharding(mesh, WHOLE)

    def shards_of(array):
        return jax.make_array_from_callback(array.shape, by_class, lambda here: array[here])

    def named(f, spec):
        f = partial(f, axis_name="model")
        return jax.shard_map(f, mesh=mesh, in_specs=BY_CLASS, out_specs=spec)

    @partial(jax.jit, out_shardings=everywhere)  # gathered, so that each process can read it
    def every(x, t, W):
        return {
            "axis_name": {
                **{name: products(named(*f), x, t) for name, f in FUNCTIONS.items()},
                "descent": named(descend, (WHOLE, BY_CLASS))(W),
            },
            "jit": {
                **{name: products(f, x, t) for name, (f, _) in FUNCTIONS.items()},
                "derive": derived(x, t),
                "descent": descend(W),
            },
        }

    return every(*map(shards_of, (x, t, weights)))


def main(port, number, file, patience=PATIENCE):
    """Meet the other process, compute, write."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        f"127.0.0.1:{port}",
        num_processes=2,
        process_id=int(number),
        initialization_timeout=int(patience),
        heartbeat_timeout_seconds=PATIENCE,
        shutdown_timeout_seconds=PATIENCE,
    )
    results = split(jax.make_mesh((4,), ("model",)))
    results["here"] = [jax.local_device_count(), jax.device_count(), jax.process_count()]
    results["own row"] = derived(x[0], t[0])  # each process by itself
    numbers = jax.tree.map(lambda a: np.asarray(a).tolist(), results)
    Path(file).write_text(json.dumps(numbers), encoding="utf-8")  # stdout is gloo's too


if __name__ == "__main__":
    main(*sys.argv[1:])
