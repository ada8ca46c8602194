"""Small inputs: what a call costs outside `jit`, and how long compilation takes.

Calls are whole: Python, dispatch and the computation of a handful of numbers. Gradients are of
the sum, by `jax.grad`, traced at every call as a user's would be. Compilation is lowering and
compiling of a function that JAX has not seen.
"""

import functools
from collections.abc import Callable
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.libraries import BASELINE, FUNCTIONS, Function
from benchmarks.report import Result, Row
from benchmarks.speed.cell import Shape, spoken
from benchmarks.statistics import rows_of
from benchmarks.timing import Contestant, Effort, measure

SHAPES = ((8,), (128, 10))
CALL, COMPILATION = "eager call", "compilation"

# Functions as a user would call them.
AS_CALLED: dict[str, Callable[[str], Function]] = {
    "high": lambda name: getattr(jc, name),
    "fast": lambda name: functools.partial(getattr(jc, name), accuracy="fast"),
    BASELINE: lambda name: getattr(jax.nn, name),
}


def measure_overheads(calls: Effort, compilations: Effort, quick: bool) -> Result:
    """A row for each contestant, function, quantity and shape; only softmax's if quick."""
    cases = list(product(("softmax",) if quick else FUNCTIONS, ("value", "grad")))
    planned = [
        *((CALL, *case, shape, calls) for case in cases for shape in SHAPES),
        *((COMPILATION, *case, SHAPES[-1], compilations) for case in cases),
    ]
    return Result([row for case in planned for row in _rows(*case)], [])


def _rows(kind: str, function: str, quantity: str, shape: Shape, effort: Effort) -> list[Row]:
    x = jnp.asarray(np.random.default_rng(0).standard_normal(shape, np.float32))
    contestants = {}
    for name, find in AS_CALLED.items():
        f = find(function) if quantity == "value" else _gradient(find(function))
        contestants[name] = Contestant(f, (x,)) if kind == CALL else compilation(f, x)
    named = {"part": kind, "function": function, "quantity": quantity, "shape": spoken(shape)}
    return rows_of(measure(contestants, effort), named, BASELINE)


def _gradient(f: Function) -> Function:
    return jax.grad(lambda x: jnp.sum(f(x)))


def compilation(f: Function, x: jax.Array) -> Contestant:
    """One that compiles f afresh at every call."""

    def compile_afresh() -> None:
        jax.jit(functools.partial(lambda f, x: f(x), f)).lower(x).compile()

    return Contestant(compile_afresh)
