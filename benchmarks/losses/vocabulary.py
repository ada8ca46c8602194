"""The loss of a last layer, joined with it or of its logits: memory and time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.libraries import Function, plain_cross_entropy
from benchmarks.losses.logits import temporaries
from benchmarks.report import Result
from benchmarks.statistics import timing
from benchmarks.timing import Contest, Contestant, Effort, check, hold

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


LAYERS = [Layer(ROWS, FEATURES, n, dtype) for dtype in DTYPES for n in VOCABULARIES]
QUICK_LAYERS = [Layer(768, 16, 32768, "float32")]


def _logits(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


PROGRAMS: dict[str, Function] = {  # the loss of each row of x, a kernel, and labels
    "joined": jc.linear_softmax_cross_entropy,
    "of the logits": lambda x, kernel, y: jc.softmax_cross_entropy(_logits(x, kernel), y),
    PLAIN: lambda x, kernel, y: plain_cross_entropy(_logits(x, kernel), y),
}


def run_layer(layer: Layer, effort: Effort, fits: int = FITS) -> Result:
    """A row of each program; wrong ones are failures."""
    arguments = _arguments(layer)
    compiled = {
        name: jax.jit(jax.value_and_grad(_mean(f), (0, 1))).lower(*arguments).compile()
        for name, f in PROGRAMS.items()
    }
    held = Contest({}, {}, {})
    if layer.rows * layer.vocabulary <= fits:
        contestants = {name: Contestant(f, arguments) for name, f in compiled.items()}
        # the plain program and that of the logits were checked as functions of the logits
        plain = [np.asarray(y, np.float64) for y in contestants[PLAIN].outputs()]
        held = hold(contestants, lambda _, outputs: check(outputs, plain), effort)
    rows = [
        {
            "part": "vocabulary",
            **layer._asdict(),
            "contestant": name,
            "mib": temporaries(f) / 2**20,
            **timing(held.times, name, PLAIN),
        }
        for name, f in compiled.items()
    ]
    return Result(rows, [f"{layer}: {name} is {why}" for name, why in held.absent.items()])


def _mean(f: Function) -> Function:
    return lambda *arguments: jnp.mean(f(*arguments))


def _arguments(layer: Layer) -> tuple[jax.Array, ...]:
    rng, of = np.random.default_rng(0), jnp.dtype(layer.dtype)
    x = rng.standard_normal((layer.rows, layer.features), np.float32)
    kernel = rng.standard_normal((layer.features, layer.vocabulary), np.float32) / 8
    labels = rng.integers(layer.vocabulary, size=layer.rows)
    return jnp.array(x, of), jnp.array(kernel, of), jnp.array(labels, jnp.int32)
