"""What is counted in compiled programs of a cell: what devices say to each other, and memory."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from benchmarks.libraries import INDICES, QUANTITIES, Function, is_reduction, vjp_and_hvp
from benchmarks.speed.cell import NARROW, Cell
from benchmarks.speed.data import make_data
from jaxcalc._commands.communication import communication

SPLIT_FUNCTIONS = ("softmax", "log_softmax", "logsumexp", INDICES)
SPLIT_QUANTITIES = ("value", "value+vjp", "vjp+hvp")
JIT, BY_NAME = "jit", "shard_map"  # ways of splitting the classes
AXIS = "model"
WHOLE, SPLIT = PartitionSpec(), PartitionSpec(None, AXIS)


class Said(NamedTuple):
    """Rounds of collectives that wait for each other; numbers a device hands over for each row."""

    rounds: int
    numbers: float


def said(f: Function, cell: Cell, way: str, devices: int) -> Said:
    """What so many devices say to each other to compute that quantity of f."""
    mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,))

    def typed(y: Any) -> jax.ShapeDtypeStruct:
        spec = SPLIT if y.shape == cell.shape else WHOLE
        return jax.ShapeDtypeStruct(y.shape, y.dtype, sharding=NamedSharding(mesh, spec))

    program = compiled(_by_name(f, cell, mesh) if way == BY_NAME else f, cell, typed)
    rounds, numbers = communication(program.as_text())
    return Said(rounds, numbers / cell.shape[0])


def _by_name(f: Function, cell: Cell, mesh: Mesh) -> Function:
    """Each device with its classes, told of the others by `axis_name`; labels are whole."""
    _, _, _, *labels = make_data(cell)
    return jax.shard_map(
        partial(f, axis_name=AXIS),
        mesh=mesh,
        in_specs=(SPLIT, *(WHOLE for _ in labels)),
        out_specs=WHOLE if is_reduction(cell.function) else SPLIT,
    )


def temporaries(f: Function, cell: Cell) -> float:
    """Of that quantity of f, in arrays of the size of x in the dtype that is computed in."""
    stats = compiled(f, cell, lambda y: jax.ShapeDtypeStruct(y.shape, y.dtype)).memory_analysis()
    computed_in = jnp.dtype("float32" if cell.dtype in NARROW else cell.dtype)
    return float(stats.temp_size_in_bytes / (math.prod(cell.shape) * computed_in.itemsize))


def compiled(f: Function, cell: Cell, typed: Callable[[Any], Any]) -> Any:
    """That quantity of f, compiled for the cell's arguments with types made by `typed`."""
    make = vjp_and_hvp if cell.quantity == "vjp+hvp" else QUANTITIES[cell.quantity]
    return jax.jit(make(f)).lower(*map(typed, make_data(cell))).compile()
