"""One cell: computed by everyone, checked, then timed in turns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax

from benchmarks.contest import Entered, Field, checked, enter, take_turns, torch_device
from benchmarks.oracles.wide import Array
from benchmarks.peers.jax import Library
from benchmarks.report import Result, Row
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import error_in_u, make_data, row_step, slack, some_rows, true_rows
from benchmarks.speed.jax_side import AGAIN, BASELINE, contestant, count_sets, make_sets
from benchmarks.speed.rows import absent_row, measure_traffic, timed_row
from benchmarks.timing import Contestant, Effort, check
from benchmarks.torch_side.job import Job
from benchmarks.torch_side.process import TorchProcess


class Rivals(NamedTuple):
    """Who is compared: libraries on JAX, and PyTorch's process where it is installed."""

    libraries: Mapping[str, Library]
    torch: TorchProcess | None = None
    compiled: bool = False  # whether torch.compile runs as well


def run_cell(cell: Cell, rivals: Rivals, working_set: int, effort: Effort) -> Result:
    """Rows for everyone who was right; where one on JAX was wrong, failures and no times."""
    with jax.enable_x64(cell.dtype == "float64"):
        true = true_rows(cell, make_data(cell))
        field = enter(
            lambda: _entered(cell, rivals.libraries, working_set),
            rivals.torch,
            lambda: _job(cell, rivals.compiled, working_set),
        )
        right = checked(field, lambda outputs: check(list(outputs), true, slack(cell)))
        wrong = [name for name in rivals.libraries if name in right.absent]
        timed, rows = (right, []) if wrong else _timed(cell, right, true, effort, working_set)
    rows += [absent_row(cell, *reason) for reason in timed.absent.items()]
    return Result(rows, [f"{cell}: {name} is {right.absent[name]}" for name in wrong])


def _entered(cell: Cell, libraries: Mapping[str, Library], working_set: int) -> dict[str, Entered]:
    sets = make_sets(cell, make_data(cell), working_set)
    here = {
        name: contestant(library, cell, sets)
        for name, library in libraries.items()
        if cell.function in library.functions
    }
    return {name: Entered(c, _checked_rows(cell, c)) for name, c in here.items()}


def _checked_rows(cell: Cell, contestant: Contestant) -> list[Array]:
    return [some_rows(cell, y) for y in jax.tree.leaves(contestant.result())]


def _job(cell: Cell, compiled: bool, working_set: int) -> Job:
    x, t, g, _ = make_data(cell)
    (axis,), sets = cell.axes, count_sets(cell, working_set)
    place = axis, (x, t, g), sets, row_step(cell)
    return Job(cell.function, cell.quantity, *place, torch_device(), compiled)


def _timed(
    cell: Cell, field: Field, true: Sequence[Array], effort: Effort, working_set: int
) -> tuple[Field, list[Row]]:
    """A row for each contestant, and one for the A/A pair; who could not be timed has left."""
    field, times = take_turns(field, effort, twice=[BASELINE])
    traffic = measure_traffic(cell, effort, working_set)
    errors = {name: error_in_u(e.outputs, true) for name, e in field.entered.items()}
    errors[AGAIN] = errors[BASELINE]
    return field, [timed_row(cell, name, times, traffic, errors[name]) for name in times]
