"""The contestants on JAX: a library's way to compute a cell, to be compiled at its first call."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.peers.jax import Function, Library, libraries
from benchmarks.peers.peer import ELEMENTWISE
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import Data
from benchmarks.speed.uses import in_plain_jax, own
from benchmarks.timing import Contestant


class JaxData(NamedTuple):
    """Data on the device."""

    x: jax.Array
    t: jax.Array
    g: jax.Array
    beside: tuple[jax.Array, ...] = ()


Program = Callable[..., Any]
BASELINE = "jax.nn"
AGAIN = f"{BASELINE} again"  # the A/A pair
OWN = ("high", "fast")


def rivals() -> dict[str, Library]:
    """Both accuracies of jaxcalc, and the baseline, with their uses."""
    uses = {"high": own("high"), "fast": own("fast"), BASELINE: in_plain_jax()}
    named = {name.removeprefix("jaxcalc "): library for name, library in libraries().items()}
    return {
        name: library._replace(functions={**library.functions, **uses[name]})
        for name, library in named.items()
    }


def make_sets(cell: Cell, data: Data, working_set: int) -> list[JaxData]:
    """The arguments on the device, as often as fills the working set."""
    return [_on_device(data) for _ in range(count_sets(cell, working_set))]


def _on_device(data: Data) -> JaxData:
    x, t, g = map(jnp.array, (data.x, data.t, data.g))
    return JaxData(x, t, g, tuple(map(jnp.array, data.beside)))


def count_sets(cell: Cell, working_set: int) -> int:
    """How many arrays x fill the working set."""
    size = math.prod(cell.shape) * jnp.dtype(cell.dtype).itemsize
    return max(1, math.ceil(working_set / size))


def contestant(library: Library, cell: Cell, sets: list[JaxData]) -> Contestant:
    """That library's way to compute the cell."""
    if cell.quantity == "jacobian":
        rows = jax.jit(jax.vmap(library.jacobians[cell.function]))
        return Contestant(rows, [(data.x,) for data in sets])
    f = along(library, cell)
    if cell.quantity == "vjp":
        return _vjp(f, sets)
    quantity = QUANTITIES[cell.quantity]
    return Contestant(jax.jit(quantity.make(f)), [quantity.arguments(data) for data in sets])


def along(library: Library, cell: Cell) -> Function:
    """That library's function along the class axes of the cell, of x and of what stands beside."""
    f = library.functions[cell.function]
    return f if cell.function in ELEMENTWISE else functools.partial(f, axis=cell.axis)


# --- programs: of f, a function of x and of what stands beside it ---


def value_and_jvp(f: Function) -> Program:
    """Of x and t, and what stands beside them: f(x), and its derivative along t."""
    return lambda x, t, *beside: jax.jvp(lambda x: f(x, *beside), (x,), (t,))


def value_and_vjp(f: Function) -> Program:
    """Of x and g, and what stands beside them: f(x), and its gradient with the cotangent g."""

    def both(x: Any, g: Any, *beside: Any) -> Any:
        y, pullback = jax.vjp(lambda x: f(x, *beside), x)
        return y, pullback(g)[0]

    return both


def vjp_and_hvp(f: Function) -> Program:
    """Of x, t, g and the rest: the gradient of ⟨g, f(x)⟩ and its derivative along t."""

    def both(x: Any, t: Any, g: Any, *beside: Any) -> Any:
        return jax.jvp(lambda x: value_and_vjp(f)(x, g, *beside)[1], (x,), (t,))

    return both


def hvp(f: Function) -> Program:
    """The latter alone, the Hessian of ⟨g, f(x)⟩ times t; forward over reverse."""
    return lambda *arguments: vjp_and_hvp(f)(*arguments)[1]


class Quantity(NamedTuple):
    """A program of a function, and its arguments among the data of a cell."""

    make: Callable[[Function], Program]
    arguments: Callable[[Any], tuple[Any, ...]]


QUANTITIES = {
    "value": Quantity(lambda f: f, lambda data: (data.x, *data.beside)),
    "jvp": Quantity(value_and_jvp, lambda data: (data.x, data.t, *data.beside)),
    "value+vjp": Quantity(value_and_vjp, lambda data: (data.x, data.g, *data.beside)),
    "vjp+hvp": Quantity(vjp_and_hvp, lambda data: (data.x, data.t, data.g, *data.beside)),
    "hvp": Quantity(hvp, lambda data: (data.x, data.t, data.g, *data.beside)),
}


def _vjp(f: Function, sets: list[JaxData]) -> Contestant:
    """The backward pass alone, from what the forward pass keeps."""
    forward = jax.jit(lambda x, *beside: jax.vjp(lambda x: f(x, *beside), x)[1])
    backward = jax.jit(lambda pullback, g: pullback(g)[0])
    return Contestant(backward, [(forward(x, *beside), g) for x, _, g, beside in sets])
