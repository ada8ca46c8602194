"""What is compiled: functions, quantities, and the types that they are called with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from benchmarks.speed.cell import Cell
from benchmarks.speed.data import Data, make_data
from benchmarks.speed.jax_side import Program, value_and_vjp, vjp_and_hvp
from benchmarks.speed.uses import USES

SPLIT = ("softmax", "log_softmax", "logsumexp", "cross-entropy(indices)")
ELEMENTWISE = ("sigmoid", "log_sigmoid", "softplus")
FUNCTIONS = (*ELEMENTWISE, "softmax", "log_softmax", "logsumexp", *USES)


class Quantity(NamedTuple):
    """A program of a function, and its arguments among the data of a cell."""

    make: Callable[[Program], Program]
    arguments: Callable[[Data], tuple[Any, ...]]


QUANTITIES = {
    "value": Quantity(lambda f: f, lambda data: (data.x, *data.beside)),
    "value+vjp": Quantity(value_and_vjp, lambda data: (data.x, data.g, *data.beside)),
    "vjp+hvp": Quantity(vjp_and_hvp, lambda data: (data.x, data.t, data.g, *data.beside)),
}


def compiled(f: Program, cell: Cell, typed: Callable[[Any], Any]) -> Any:
    """That quantity of f, compiled for the cell's arguments with types made by `typed`."""
    make, arguments = QUANTITIES[cell.quantity]
    types = map(typed, arguments(make_data(cell)))
    return jax.jit(make(f)).lower(*types).compile()
