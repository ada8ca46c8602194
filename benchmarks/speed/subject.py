"""A whole run: every cell, those that seem slower once more, small inputs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.report import Progress, Result, Row
from benchmarks.speed.cell import Cell
from benchmarks.speed.grid import Grid, further, grid
from benchmarks.speed.jax_side import rivals
from benchmarks.speed.overhead import measure_overheads
from benchmarks.speed.running import Rivals, run_cell
from benchmarks.speed.summary import FURTHER, is_slower
from benchmarks.timing import Effort
from benchmarks.torch_side.process import has_torch, torch_process


class Plan(NamedTuple):
    """How long a run measures."""

    cells: Effort
    calls: Effort  # of small inputs
    compilations: Effort
    compiled: bool = True  # whether torch.compile takes part


_DEFAULT = Plan(
    cells=Effort(rounds=21, seconds=4e-3, budget=1.5),
    calls=Effort(rounds=21, seconds=2e-3),
    compilations=Effort(rounds=7, seconds=0),
)
PLANS = {
    "quick": Plan(
        cells=Effort(rounds=9, seconds=1e-3, budget=0.3),
        calls=Effort(rounds=7, seconds=2e-4),
        compilations=Effort(rounds=3, seconds=0),
        compiled=False,
    ),
    "default": _DEFAULT,
    "full": _DEFAULT,
}


def run(level: str, progress: Progress) -> Result:
    """Check and time every cell of both groups at "quick", "default" or "full"."""
    plan = PLANS[level]
    with torch_process() as torch:
        contestants = Rivals(rivals(), torch if has_torch() else None, plan.compiled)
        result = run_grid(grid(level), plan.cells, progress, contestants)
    second = run_grid(further(level), plan.cells, progress, Rivals(contestants.libraries))
    progress(1, 1, "small inputs")
    small = measure_overheads(plan.calls, plan.compilations, quick=level == "quick")
    progress.finish()
    rows = [*result.rows, *map(_of_second_group, second.rows), *small]
    return Result(rows, result.failures + second.failures)


def _of_second_group(row: Row) -> Row:
    return {**row, "part": FURTHER} if row["part"] == "cell" else row


def run_grid(grid: Grid, effort: Effort, progress: Progress, rivals: Rivals) -> Result:
    """Every cell of that grid; those in which "fast" seems slower once more, on JAX alone."""

    def measure(cells: Sequence[Cell], run: int, rivals: Rivals) -> Result:
        return _each(
            cells,
            lambda cell: run_cell(cell, rivals, grid.working_set, effort, run),
            lambda done, cell: progress(done, len(cells), f"speed of {cell}, run {run}"),
        )

    first = measure(grid.cells, 1, rivals)
    slow = seemingly_slower(grid.cells, first.rows)
    second = measure(slow, 2, Rivals(rivals.libraries))
    progress.finish()
    return Result([*first.rows, *second.rows], first.failures + second.failures)


def _each(
    cells: Sequence[Cell], run: Callable[[Cell], Result], tell: Callable[[int, Cell], None]
) -> Result:
    rows, failures = list[Row](), list[str]()
    for done, cell in enumerate(cells):
        tell(done, cell)
        result = run(cell)
        rows += result.rows
        failures += result.failures
    return Result(rows, failures)


def seemingly_slower(cells: Sequence[Cell], rows: Sequence[Row]) -> list[Cell]:
    """The cells whose interval for "fast" lies above what counts as slower."""
    slow = {
        (row["function"], row["quantity"], row["dtype"], row["shape"])
        for row in rows
        if row["part"] == "cell" and row["contestant"] == "fast" and is_slower(row)
    }
    return [cell for cell in cells if (*cell[:3], cell.place) in slow]
