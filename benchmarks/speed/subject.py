"""A whole run: every cell of both groups, small inputs, training steps."""

from functools import partial
from typing import NamedTuple

from benchmarks.report import Progress, Result, joined
from benchmarks.speed.grid import Grid, further, grid
from benchmarks.speed.jax_side import rivals
from benchmarks.speed.overhead import measure_overheads
from benchmarks.speed.running import Rivals, run_cell
from benchmarks.speed.steps import measure_steps
from benchmarks.speed.summary import FURTHER
from benchmarks.timing import Effort
from benchmarks.torch_side.process import has_torch, torch_process


class Plan(NamedTuple):
    """How long a run measures."""

    cells: Effort = Effort(rounds=21, seconds=4e-3, budget=1.5)
    calls: Effort = Effort(rounds=21, seconds=2e-3)  # of small inputs
    compilations: Effort = Effort(rounds=7, seconds=0)
    steps: Effort | None = Effort(rounds=21, seconds=0)
    compiled: bool = True  # whether torch.compile takes part


QUICK = Plan(
    cells=Effort(rounds=9, seconds=1e-3, budget=0.3),
    calls=Effort(rounds=7, seconds=2e-4),
    compilations=Effort(rounds=3, seconds=0),
    steps=None,
    compiled=False,
)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time everything."""
    plan = QUICK if quick else Plan()
    with torch_process() as torch:
        contestants = Rivals(rivals(), torch if has_torch() else None, plan.compiled)
        first = run_grid(grid(quick), plan.cells, progress, contestants)
    second = run_grid(further(quick), plan.cells, progress, Rivals(contestants.libraries))
    progress(0, 1, "small inputs")
    small = Result(measure_overheads(plan.calls, plan.compilations, quick), [])
    progress(0, 1, "training steps")
    steps = Result([] if plan.steps is None else list(measure_steps(plan.steps)), [])
    progress.finish()
    return joined([first, of_second_group(second), small, steps])


def of_second_group(result: Result) -> Result:
    """The same cells, named as those of the second group."""
    rows = [{**row, "part": FURTHER} if row["part"] == "cell" else row for row in result.rows]
    return Result(rows, result.failures)


def run_grid(grid: Grid, effort: Effort, progress: Progress, rivals: Rivals) -> Result:
    """Every cell of that grid."""
    return progress.each(
        [
            (f"speed of {cell}", partial(run_cell, cell, rivals, grid.working_set, effort))
            for cell in grid.cells
        ]
    )
