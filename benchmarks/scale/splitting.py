"""The class axis over devices: the ways of splitting it, and what each makes devices say."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from benchmarks.report import Progress, Row
from benchmarks.scale.programs import QUANTITIES, compiled
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import make_data
from benchmarks.speed.jax_side import BASELINE, Program, along, rivals
from benchmarks.traffic import is_reduction
from jaxcalc._commands.communication import communication

AXIS = "model"
ROWS, CLASSES = 64, 4096
DTYPES = ("float32", "bfloat16")
WHOLE, SPLIT = PartitionSpec(), PartitionSpec(None, AXIS)

Way = Callable[[Program, Cell, Mesh], Program]


def _as_it_is(f: Program, cell: Cell, mesh: Mesh) -> Program:
    return f


def _by_name(f: Program, cell: Cell, mesh: Mesh) -> Program:
    """Each device with its classes, told of the others by `axis_name`; labels are whole."""
    beside = len(make_data(cell).beside)  # labels
    return jax.shard_map(
        partial(f, axis_name=AXIS),
        mesh=mesh,
        in_specs=(SPLIT, *(WHOLE,) * beside),
        out_specs=WHOLE if is_reduction(cell.function) else SPLIT,
    )


WAYS: dict[str, Way] = {"jit": _as_it_is, "shard_map": _by_name}


class Said(NamedTuple):
    """Rounds of collectives that wait for each other; numbers a device hands over for each row."""

    rounds: int
    numbers: float


def said(f: Program, cell: Cell, way: str, devices: int) -> Said:
    """What so many devices say to each other to compute that quantity of f."""
    mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,))

    def typed(y: Any) -> jax.ShapeDtypeStruct:
        spec = SPLIT if y.shape == cell.shape else WHOLE
        return jax.ShapeDtypeStruct(y.shape, y.dtype, sharding=NamedSharding(mesh, spec))

    program = compiled(WAYS[way](f, cell, mesh), cell, typed)
    rounds, numbers = communication(program.as_text())
    return Said(rounds, numbers / cell.shape[0])


def communication_rows(
    functions: Sequence[str], devices: int, quick: bool, progress: Progress
) -> Iterator[Row]:
    """For every way and everyone who can go it."""
    planned = [
        Cell(function, quantity, dtype, (ROWS, CLASSES))
        for dtype, function, quantity in itertools.product(
            DTYPES[:1] if quick else DTYPES, functions, QUANTITIES
        )
    ]
    for done, cell in enumerate(planned):
        progress(done, len(planned), f"communication of {cell}")
        for way, (name, library) in itertools.product(WAYS, rivals().items()):
            if way == "jit" or name != BASELINE:  # which knows no name of an axis
                found = said(along(library, cell), cell, way, devices)
                named = {**cell._asdict(), "shape": cell.place, "contestant": name}
                split = {"part": "communication", "way": way, "devices": devices}
                yield {**split, **named, **found._asdict()}
