"""The contestants on JAX: a library's way to compute a cell, to be compiled at its first call."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.peers.jax import Function, Library, libraries
from benchmarks.peers.peer import ROWS
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import Data
from benchmarks.timing import Contestant


class JaxData(NamedTuple):
    """Data on the device."""

    x: jax.Array
    t: jax.Array
    g: jax.Array


BASELINE = "jax.nn"
AGAIN = f"{BASELINE} again"  # the A/A pair
OWN = ("high", "fast")


def rivals() -> dict[str, Library]:
    """Both accuracies of jaxcalc, and the baseline."""
    return {name.removeprefix("jaxcalc "): library for name, library in libraries().items()}


def make_sets(cell: Cell, data: Data, working_set: int) -> list[JaxData]:
    """The arguments on the device, as often as fills the working set."""
    return [JaxData(*map(jnp.array, data)) for _ in range(count_sets(cell, working_set))]


def count_sets(cell: Cell, working_set: int) -> int:
    """How many arrays x fill the working set."""
    size = math.prod(cell.shape) * jnp.dtype(cell.dtype).itemsize
    return max(1, math.ceil(working_set / size))


def contestant(library: Library, cell: Cell, sets: list[JaxData]) -> Contestant:
    """That library's way to compute the cell."""
    if cell.quantity == "jacobian":
        rows = jax.jit(jax.vmap(library.jacobians[cell.function]))
        return Contestant(rows, [(x,) for x, _, _ in sets])
    return _MAKERS[cell.quantity](_along(library, cell), sets)


def _along(library: Library, cell: Cell) -> Function:
    f = library.functions[cell.function]
    return functools.partial(f, axis=cell.axis) if cell.function in ROWS else f


def _value(f: Function, sets: list[JaxData]) -> Contestant:
    return Contestant(jax.jit(f), [(x,) for x, _, _ in sets])


def _jvp(f: Function, sets: list[JaxData]) -> Contestant:
    both = jax.jit(lambda x, t: jax.jvp(f, (x,), (t,)))
    return Contestant(both, [(x, t) for x, t, _ in sets])


def _vjp(f: Function, sets: list[JaxData]) -> Contestant:
    """The backward pass alone, from what the forward pass keeps."""
    forward = jax.jit(lambda x: jax.vjp(f, x)[1])
    backward = jax.jit(lambda pullback, g: pullback(g)[0])
    return Contestant(backward, [(forward(x), g) for x, _, g in sets])


def _value_and_vjp(f: Function, sets: list[JaxData]) -> Contestant:
    def both(x: Any, g: Any) -> Any:
        y, pullback = jax.vjp(f, x)
        return y, pullback(g)[0]

    return Contestant(jax.jit(both), [(x, g) for x, _, g in sets])


def _hvp(f: Function, sets: list[JaxData]) -> Contestant:
    """The Hessian of ⟨g, f(x)⟩ times t, forward over reverse."""

    def product(x: Any, t: Any, g: Any) -> Any:
        return jax.jvp(lambda x: jax.vjp(f, x)[1](g)[0], (x,), (t,))[1]

    return Contestant(jax.jit(product), [tuple(data) for data in sets])


_MAKERS: dict[str, Callable[[Function, list[JaxData]], Contestant]] = {
    "value": _value,
    "jvp": _jvp,
    "vjp": _vjp,
    "value+vjp": _value_and_vjp,
    "hvp": _hvp,
}
