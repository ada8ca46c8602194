"""Small inputs: what a call costs outside `jit`, and how long compilation takes.

Calls are whole: Python, dispatch and the computation of a handful of numbers. Gradients are of
the sum, by `jax.grad`, traced at every call as a user's would be. Compilation is lowering and
compiling of a function that JAX has not seen.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.peers.jax import Function
from benchmarks.report import Row
from benchmarks.speed.cell import FUNCTIONS, spoken
from benchmarks.speed.jax_side import BASELINE
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, measure

SHAPES = ((8,), (128, 10))
CALL, COMPILATION = "eager call", "compilation"

# Functions as a user would call them.
AS_CALLED: dict[str, Callable[[str], Function]] = {
    "high": lambda name: getattr(jc, name),
    "fast": lambda name: functools.partial(getattr(jc, name), accuracy="fast"),
    BASELINE: lambda name: getattr(jax.nn, name),
}

Make = Callable[[Function, jax.Array], Contestant]


def measure_overheads(calls: Effort, compilations: Effort, quick: bool) -> list[Row]:
    """A row for each contestant, function, quantity and shape; only softmax's if quick."""
    functions = ("softmax",) if quick else FUNCTIONS
    cases = list(product(functions, ("value", "grad")))
    return [
        *(row for f, q in cases for shape in SHAPES for row in _rows(CALL, f, q, shape, calls)),
        *(row for f, q in cases for row in _rows(COMPILATION, f, q, SHAPES[-1], compilations)),
    ]


def _rows(
    kind: str, function: str, quantity: str, shape: Sequence[int], effort: Effort
) -> Iterator[Row]:
    x = jnp.asarray(np.random.default_rng(0).standard_normal(shape, np.float32))
    transform = {"value": _itself, "grad": _gradient}[quantity]
    contestants = {
        name: MAKERS[kind](transform(find(function)), x) for name, find in AS_CALLED.items()
    }
    times = measure(contestants, effort)
    named = {"part": kind, "function": function, "quantity": quantity, "shape": spoken(shape)}
    return (named | {"contestant": name} | timing(times, name, BASELINE) for name in times)


def _itself(f: Function) -> Function:
    return f


def _gradient(f: Function) -> Function:
    return jax.grad(lambda x: jnp.sum(f(x)))


def _calls(f: Function, x: jax.Array) -> Contestant:
    return Contestant(f, [(x,)])


def _compilations(f: Function, x: jax.Array) -> Contestant:
    def compile_afresh() -> None:
        jax.jit(functools.partial(lambda f, x: f(x), f)).lower(x).compile()

    return Contestant(compile_afresh, [()])


MAKERS: dict[str, Make] = {CALL: _calls, COMPILATION: _compilations}
