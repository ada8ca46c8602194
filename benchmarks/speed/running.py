"""One cell: computed by everyone, checked, then timed in turns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax

from benchmarks.oracles.wide import Array
from benchmarks.peers.jax import Library
from benchmarks.report import Result, Row
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import Data, error_in_u, make_data, row_step, slack, some_rows, true_rows
from benchmarks.speed.jax_side import AGAIN, BASELINE, contestant, count_sets, make_sets
from benchmarks.speed.rows import absent_row, measure_traffic, timed_row
from benchmarks.timing import Contestant, Effort, Timed, check, measure
from benchmarks.torch_side.job import Job
from benchmarks.torch_side.process import Remote, TorchProcess, WorkerError


class Rivals(NamedTuple):
    """Who is compared: libraries on JAX, and PyTorch's process where it is installed."""

    libraries: Mapping[str, Library]
    torch: TorchProcess | None = None
    compiled: bool = False  # whether torch.compile runs as well


class Entered(NamedTuple):
    """A contestant, and the rows of its outputs that are checked."""

    timed: Timed
    outputs: Sequence[Array]


class Field(NamedTuple):
    """Who takes part in a cell, and why others do not."""

    entered: Mapping[str, Entered]
    absent: Mapping[str, str]

    def without(self, reasons: Mapping[str, str]) -> "Field":
        """The field when those have left."""
        rest = {name: e for name, e in self.entered.items() if name not in reasons}
        return Field(rest, {**self.absent, **reasons})


def run_cell(cell: Cell, rivals: Rivals, working_set: int, effort: Effort) -> Result:
    """Rows for everyone who was right; where one on JAX was wrong, failures and no times."""
    with jax.enable_x64(cell.dtype == "float64"):
        field, true = _enter(cell, rivals, working_set), true_rows(cell, make_data(cell))
        wrong = _wrong(cell, field, true)
        failures = [
            f"{cell}: {name} is {wrong[name]}" for name in rivals.libraries if name in wrong
        ]
        right = field.without(wrong)
        timed, rows = (right, []) if failures else _timed(cell, right, true, effort, working_set)
    rows += [absent_row(cell, *reason) for reason in timed.absent.items()]
    return Result(rows, failures)


# --- making ready ---


def _enter(cell: Cell, rivals: Rivals, working_set: int) -> Field:
    """Everyone with their results; PyTorch compiles at the same time."""
    data = make_data(cell)
    if rivals.torch is not None:
        rivals.torch.begin(_job(cell, data, rivals.compiled, count_sets(cell, working_set)))
    sets = make_sets(cell, data, working_set)
    local = {
        name: contestant(library, cell, sets)
        for name, library in rivals.libraries.items()
        if cell.function in library.functions
    }
    entered = {name: Entered(c, _checked_rows(cell, c)) for name, c in local.items()}
    if rivals.torch is None:
        return Field(entered, {})
    answer = rivals.torch.answer()
    remote = {name: Entered(Remote(rivals.torch, name), y) for name, y in answer.outputs.items()}
    return Field(entered | remote, answer.absent)


def _checked_rows(cell: Cell, contestant: Contestant) -> list[Array]:
    return [some_rows(cell, y) for y in jax.tree.leaves(contestant.result())]


def _job(cell: Cell, data: Data, compiled: bool, sets: int) -> Job:
    device = "cpu" if jax.default_backend() == "cpu" else "cuda"
    step, function = row_step(cell), cell.function
    usual, (axis,) = (data.x, data.t, data.g), cell.axes
    return Job(function, cell.quantity, axis, usual, sets, step, device, compiled)


def _wrong(cell: Cell, field: Field, true: Sequence[Array]) -> dict[str, str]:
    """What is wrong with whose result."""
    verdicts = {
        name: check(list(e.outputs), true, slack(cell)) for name, e in field.entered.items()
    }
    return {
        name: f"wrong, not timed: {what}" for name, what in verdicts.items() if what is not None
    }


# --- timing ---


def _timed(
    cell: Cell, field: Field, true: Sequence[Array], effort: Effort, working_set: int
) -> tuple[Field, list[Row]]:
    """A row for each contestant, and one for the A/A pair; who could not be timed has left."""
    entered = field.entered
    contestants = {name: e.timed for name, e in entered.items()}
    try:
        times = measure({**contestants, AGAIN: contestants[BASELINE]}, effort)
    except WorkerError as error:
        gone = {name: str(error) for name, e in entered.items() if isinstance(e.timed, Remote)}
        return _timed(cell, field.without(gone), true, effort, working_set)
    traffic = measure_traffic(cell, effort, working_set)
    errors = {name: error_in_u(e.outputs, true) for name, e in entered.items()}
    errors[AGAIN] = errors[BASELINE]
    return field, [timed_row(cell, name, times, traffic, errors[name]) for name in times]
