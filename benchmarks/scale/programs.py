"""What is compiled: functions, quantities, and the types that they are called with."""

from collections.abc import Callable
from typing import Any

import jax

from benchmarks.speed import jax_side
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import make_data
from benchmarks.speed.uses import USES

SPLIT = ("softmax", "log_softmax", "logsumexp", "cross-entropy(indices)")
ELEMENTWISE = ("sigmoid", "log_sigmoid", "softplus")
FUNCTIONS = (*ELEMENTWISE, "softmax", "log_softmax", "logsumexp", *USES)
QUANTITIES = ("value", "value+vjp", "vjp+hvp")


def compiled(f: jax_side.Program, cell: Cell, typed: Callable[[Any], Any]) -> Any:
    """That quantity of f, compiled for the cell's arguments with types made by `typed`."""
    make, arguments = jax_side.QUANTITIES[cell.quantity]
    types = map(typed, arguments(make_data(cell)))
    return jax.jit(make(f)).lower(*types).compile()
