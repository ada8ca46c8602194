"""Everyone's loss of class indices: a row for each, of error, memory and time."""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.libraries import BASELINE, plain_cross_entropy
from benchmarks.losses.cases import Case, Data, errors, make_data
from benchmarks.oracles.wide import Array
from benchmarks.report import Result
from benchmarks.speed.cell import NARROW, spoken
from benchmarks.speed.running import torch_device
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, Timed, check, hold
from benchmarks.torch_side.process import Job, TorchProcess
from jaxcalc._arrays import Accuracy

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # of logits and labels, one a row
OWN: tuple[Accuracy, ...] = ("high", "fast")
WIDENED = "of float32"  # logits that are made float32 first
TIMED_SCALE = 5  # no time depends on the scale


def contestants(dtype: str) -> dict[str, Loss]:
    """On JAX, by name; of 16 bits the peers also with logits that are made float32 first."""
    own: dict[str, Loss] = {
        name: functools.partial(jc.softmax_cross_entropy, accuracy=name, dtype=jnp.float32)
        for name in OWN
    }
    peers: dict[str, Loss] = {BASELINE: plain_cross_entropy}
    if importlib.util.find_spec("optax") is not None:
        optax = importlib.import_module("optax.losses")
        peers["optax"] = optax.softmax_cross_entropy_with_integer_labels
    widened = {f"{name}, {WIDENED}": _widened(loss) for name, loss in peers.items()}
    return own | peers | (widened if dtype in NARROW else {})


def _widened(loss: Loss) -> Loss:
    return lambda x, y: loss(x.astype(jnp.float32), y)


def value_and_gradient(loss: Loss) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The losses, and the gradient of their sum by the logits."""

    def both(x: jax.Array, y: jax.Array) -> Any:
        value, pull = jax.vjp(lambda x: loss(x, y), x)
        return value, pull(jnp.ones_like(value))[0]

    return both


def temporaries(compiled: Any) -> int:
    """Bytes that a compiled program needs beside its arguments and results."""
    return int(compiled.memory_analysis().temp_size_in_bytes)


def run_case(case: Case, effort: Effort | None, torch: TorchProcess | None) -> Result:
    """Rows for everyone; a failure where jaxcalc is wrong, a note where others are."""
    data = make_data(case)
    x, y = jnp.array(data.x), jnp.array(data.y)
    compiled = {
        name: jax.jit(value_and_gradient(loss)).lower(x, y).compile()
        for name, loss in contestants(case.dtype).items()
    }
    entered: dict[str, Timed] = {name: Contestant(f, (x, y)) for name, f in compiled.items()}
    if torch is not None:
        arguments = data.x, data.y.astype(np.int64), np.ones(len(data.x), data.x.dtype)
        job = Job("cross-entropy", "loss+gradient", -1, arguments, torch_device(), False)
        entered |= torch.prepare(job)[0]
    judge = functools.partial(_wrong, data)
    held = hold(entered, judge, effort if case.scale == TIMED_SCALE else None)
    rows = [
        {
            "part": "logits",
            "scale": case.scale,
            "dtype": case.dtype,
            "shape": spoken(case.shape),
            "contestant": name,
            **errors(data, *outputs),
            "arrays": temporaries(compiled[name]) / (4 * x.size) if name in compiled else None,
            **timing(held.times, name, BASELINE),
            "note": held.absent.get(name, ""),
        }
        for name, outputs in held.outputs.items()
    ]
    wrong = [name for name in OWN if name in held.absent]
    return Result(rows, [f"{case}: {name} is {held.absent[name]}" for name in wrong])


def _wrong(data: Data, name: str, outputs: Sequence[Array]) -> str | None:
    """A loss is a difference of numbers that may be far larger."""
    slack = max(1.0, float(abs(data.x.astype(np.float64)).max() / data.loss.mean()))
    return check(outputs, (data.loss, data.gradient), slack)
