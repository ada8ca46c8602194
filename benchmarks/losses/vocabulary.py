"""The loss of a last layer, joined with it or of its logits: memory and time."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.losses.contestants import temporaries
from benchmarks.peers.jax import plain_cross_entropy
from benchmarks.report import Result, Row
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, check, measure

ROWS, FEATURES = 4096, 64
VOCABULARIES = (8192, 32768, 131072)
DTYPES = ("float32", "bfloat16")
FITS = 2**27  # logits, beyond which only memory is counted: a few GiB and seconds a call
PLAIN = "plain"


class Layer(NamedTuple):
    """Rows times a kernel."""

    rows: int
    features: int
    vocabulary: int
    dtype: str

    def __str__(self) -> str:
        return f"{self.rows} × {self.features} × {self.vocabulary} {self.dtype}"


def planned_layers(quick: bool) -> list[Layer]:
    """The layers in the order in which they are run."""
    if quick:
        return [Layer(768, 16, 32768, "float32")]
    places = itertools.product(DTYPES, VOCABULARIES)
    return [Layer(ROWS, FEATURES, vocabulary, dtype) for dtype, vocabulary in places]


def _joined(x: jax.Array, kernel: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(jc.linear_softmax_cross_entropy(x, kernel, y))


def _of_logits(x: jax.Array, kernel: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(jc.softmax_cross_entropy(_logits(x, kernel), y))


def _plain(x: jax.Array, kernel: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(plain_cross_entropy(_logits(x, kernel), y))


def _logits(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


PROGRAMS = {"joined": _joined, "of the logits": _of_logits, PLAIN: _plain}


def run_layer(layer: Layer, effort: Effort, fits: int = FITS) -> Result:
    """A row of each program; wrong ones are failures."""
    types = _types(layer)
    compiled = {
        name: jax.jit(jax.value_and_grad(f, (0, 1))).lower(*types).compile()
        for name, f in PROGRAMS.items()
    }
    times: dict[str, list[float]] = {}
    failures: list[str] = []
    if layer.rows * layer.vocabulary <= fits:
        arguments = _arguments(layer)
        failures = _wrong(layer, {name: f(*arguments) for name, f in compiled.items()})
        contestants = {name: Contestant(f, [arguments]) for name, f in compiled.items()}
        times = {} if failures else measure(contestants, effort)
    rows = [_row(layer, name, temporaries(f), times) for name, f in compiled.items()]
    return Result(rows, failures)


def _types(layer: Layer) -> tuple[jax.ShapeDtypeStruct, ...]:
    x, kernel = (layer.rows, layer.features), (layer.features, layer.vocabulary)
    of = jnp.dtype(layer.dtype)
    return (
        jax.ShapeDtypeStruct(x, of),
        jax.ShapeDtypeStruct(kernel, of),
        jax.ShapeDtypeStruct(x[:1], jnp.int32),
    )


def _arguments(layer: Layer) -> tuple[jax.Array, ...]:
    rng = np.random.default_rng(0)
    x, kernel, y = _types(layer)
    labels = rng.integers(layer.vocabulary, size=y.shape)
    return (
        jnp.array(rng.standard_normal(x.shape, np.float32), x.dtype),
        jnp.array(rng.standard_normal(kernel.shape, np.float32) / 8, kernel.dtype),
        jnp.array(labels, y.dtype),
    )


def _wrong(layer: Layer, results: dict[str, Any]) -> list[str]:
    """What is not near the plain program: those two were checked as functions of the logits."""
    reference = [np.asarray(y, np.float64) for y in jax.tree.leaves(results[PLAIN])]
    verdicts = {name: check(result, reference) for name, result in results.items()}
    return [f"{layer}: {name} is wrong: {what}" for name, what in verdicts.items() if what]


def _row(layer: Layer, name: str, held: int, times: dict[str, list[float]]) -> Row:
    return {
        "part": "vocabulary",
        "rows": layer.rows,
        "features": layer.features,
        "vocabulary": layer.vocabulary,
        "dtype": layer.dtype,
        "contestant": name,
        "mib": held / 2**20,
        **timing(times, name, PLAIN),
    }
