"""How fast: jaxcalc at both accuracies against `jax.nn` and PyTorch, on JAX's device.

What is measured
    `value`; `vjp`, the backward pass alone, from what the forward pass kept; `value+vjp`, both in
    one program; `jvp`, value and tangent in one program; `hvp`, the Hessian of ⟨g, f(x)⟩ times a
    vector, forward over reverse in one program; `jacobian`, dense, of every row. All under
    `jax.jit`, on random data, for five functions, on the cells that `grid` chooses.

    A second group, without PyTorch and with tables of its own: masks, weights and losses
    beside what is written in plain JAX, classes along the first or several axes, and the
    functions made from a declaration, which have one accuracy only.

How
    1. Everyone computes the cell, and every result is compared with the plain formula in float64.
       Who is wrong is not timed: a failure if it is one on JAX, a note if it is a peer.
    2. Everyone is warmed up, and a sample is made of as many calls as fill a few milliseconds.
    3. In every round everyone gives one sample, in an order shuffled anew (`benchmarks.timing`).
       PyTorch runs in its own process and rests while JAX is measured, and the other way round:
       in one process their threads spoil each other's times (`benchmarks.torch_side`).
    4. A ratio is the median over the rounds of time over the baseline's time in the same round,
       so that drift cancels, with a 95 % interval from a bootstrap over blocks of rounds
       (`benchmarks.statistics`). The baseline, `jax.nn`, takes part twice; the ratio of the two
       is the noise. A cell is called slower where the whole interval lies above 1.1.
    5. Small inputs: the time of eager calls, and of compilation (`overhead`).
    6. Training steps of a perceptron and of a small language model, whole (`steps`).

Every call has the same arguments, so small arrays come from a cache. Large results are often
written to fresh pages, whose faults cost as much as the computation. Settings in the environment
that change this, or the threads, are recorded with the machine, as are all versions and the load.
What it cannot show: other machines, other shapes, programs in which XLA fuses these functions with
their surroundings.

    cell, grid, data    what is measured, on which arrays
    running             one cell, from its arguments to its rows
    overhead, steps     small inputs; training steps
    summary, tables     geometric means; what is shown
"""

from collections.abc import Sequence
from functools import partial

from benchmarks.libraries import libraries
from benchmarks.report import Progress, Result, joined
from benchmarks.speed.cell import Cell
from benchmarks.speed.grid import further, grid
from benchmarks.speed.overhead import measure_overheads
from benchmarks.speed.running import run_cell
from benchmarks.speed.steps import measure_steps
from benchmarks.speed.summary import FURTHER
from benchmarks.speed.tables import parts as parts
from benchmarks.timing import Effort
from benchmarks.torch_side.process import TorchProcess, torch_process

CELLS = Effort(rounds=21, seconds=4e-3, budget=1.5)
QUICK_CELLS = Effort(rounds=9, seconds=1e-3, budget=0.3)
CALLS = Effort(rounds=21, seconds=2e-3)  # of small inputs
COMPILATIONS = Effort(rounds=7, seconds=0)
STEPS = Effort(rounds=21, seconds=0)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time everything; quickly without `torch.compile` and training steps."""
    effort = QUICK_CELLS if quick else CELLS
    with torch_process() as torch:
        first = run_cells(grid(quick), effort, progress, torch, compiled=not quick)
    second = run_cells(further(quick), effort, progress)
    rest = [("small inputs", partial(measure_overheads, CALLS, COMPILATIONS, quick))]
    if not quick:
        rest.append(("training steps", partial(measure_steps, STEPS)))
    return joined([first, of_second_group(second), progress.each(rest)])


def of_second_group(result: Result) -> Result:
    """The same cells, named as those of the second group."""
    rows = [{**row, "part": FURTHER} if row["part"] == "cell" else row for row in result.rows]
    return Result(rows, result.failures)


def run_cells(
    cells: Sequence[Cell],
    effort: Effort,
    progress: Progress,
    torch: TorchProcess | None = None,
    compiled: bool = False,
) -> Result:
    """Every one of these cells."""
    run = partial(run_cell, libraries=libraries(), effort=effort, torch=torch, compiled=compiled)
    return progress.each([(f"speed of {cell}", partial(run, cell)) for cell in cells])
