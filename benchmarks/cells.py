"""What is timed: the cells of the speed table, and their contestants ready to run."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.peers.jax import Function, Library
from benchmarks.timing import Contestant

Shape = tuple[int, int]
Inputs = list[tuple[jax.Array, jax.Array]]

FUNCTIONS = ("sigmoid", "log_sigmoid", "softmax", "log_softmax", "logsumexp")
QUANTITIES = ("value", "jvp", "vjp", "value+vjp")
JACOBIANS = ("sigmoid", "softmax", "log_softmax")


class Grid(NamedTuple):
    """The dtypes, shapes and functions of a run."""

    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    jacobian_shapes: tuple[Shape, ...]
    functions: tuple[str, ...] = FUNCTIONS
    working_set: int = 0  # bytes, so that a cache cannot hold the arguments


GRIDS = {
    "cpu": Grid(
        dtypes=("float32", "bfloat16", "float16"),
        shapes=((8192, 10), (4096, 1024), (64, 50257)),
        jacobian_shapes=((8192, 10), (4, 1024)),
    ),
    "accelerator": Grid(
        dtypes=("float32", "bfloat16", "float16"),
        shapes=((65536, 1024), (16384, 4096), (4096, 16384), (512, 131072)),
        jacobian_shapes=((65536, 32), (64, 1024)),
        working_set=2**28,
    ),
    "quick": Grid(dtypes=("float32",), shapes=((512, 256),), jacobian_shapes=((256, 16),)),
}


def grid(quick: bool) -> Grid:
    """The grid for the device that JAX uses."""
    on_cpu = jax.default_backend() == "cpu"
    return GRIDS["quick" if quick else "cpu" if on_cpu else "accelerator"]


class Cell(NamedTuple):
    """One line of the table."""

    function: str
    quantity: str
    dtype: str
    shape: Shape

    @property
    def entries(self) -> int:
        """How many numbers its largest array holds."""
        return math.prod(self.shape) * (self.shape[-1] if self.quantity == "jacobian" else 1)


def cells(grid: Grid) -> Iterator[Cell]:
    """All cells, those of one dtype and shape together."""
    for dtype in grid.dtypes:
        for shape in grid.shapes:
            for function in grid.functions:
                yield from (Cell(function, q, dtype, shape) for q in QUANTITIES)
        for shape in grid.jacobian_shapes:
            square = [function for function in grid.functions if function in JACOBIANS]
            yield from (Cell(function, "jacobian", dtype, shape) for function in square)


def inputs(cell: Cell, working_set: int) -> Inputs:
    """Random x with tangents or cotangents, as many sets as fill the working set."""
    size = math.prod(cell.shape) * jnp.dtype(cell.dtype).itemsize
    one_a_row = cell.function == "logsumexp" and "vjp" in cell.quantity
    shape = cell.shape[:-1] if one_a_row else cell.shape
    return _random(cell.dtype, cell.shape, shape, max(1, math.ceil(working_set / size)))


@functools.lru_cache(maxsize=2)
def _random(dtype: str, x_shape: Shape, t_shape: tuple[int, ...], sets: int) -> Inputs:
    keys = jax.random.split(jax.random.key(0), (sets, 2))
    return [
        (3 * jax.random.normal(first, x_shape, dtype), jax.random.normal(second, t_shape, dtype))
        for first, second in keys
    ]


def contestant(library: Library, cell: Cell, inputs: Inputs) -> Contestant:
    """That library's way to compute the cell, to be compiled at its first call."""
    return _MAKERS[cell.quantity](library, cell.function, inputs)


def _of_both(transform: Callable[[Function, Any, Any], Any]) -> Callable[..., Contestant]:
    def make(library: Library, function: str, inputs: Inputs) -> Contestant:
        f = library.functions[function]
        return Contestant(jax.jit(lambda x, t: transform(f, x, t)), inputs)

    return make


def _value(library: Library, function: str, inputs: Inputs) -> Contestant:
    return Contestant(jax.jit(library.functions[function]), [(x,) for x, _ in inputs])


def _vjp(library: Library, function: str, inputs: Inputs) -> Contestant:
    """The backward pass alone, from what the forward pass keeps."""
    forward = jax.jit(lambda x: jax.vjp(library.functions[function], x)[1])
    backward = jax.jit(lambda pullback, g: pullback(g)[0])
    return Contestant(backward, [(forward(x), g) for x, g in inputs])


def _jacobian(library: Library, function: str, inputs: Inputs) -> Contestant:
    rows = jax.jit(jax.vmap(library.jacobians[function]))
    return Contestant(rows, [(x,) for x, _ in inputs])


def _value_and_vjp(f: Function, x: Any, g: Any) -> Any:
    y, pullback = jax.vjp(f, x)
    return y, pullback(g)[0]


_MAKERS: dict[str, Callable[[Library, str, Inputs], Contestant]] = {
    "value": _value,
    "jvp": _of_both(lambda f, x, t: jax.jvp(f, (x,), (t,))),
    "vjp": _vjp,
    "value+vjp": _of_both(_value_and_vjp),
    "jacobian": _jacobian,
}
