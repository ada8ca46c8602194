"""The losses beside optax's, the plain formula and PyTorch's: error, time and memory.

Value and gradient, for logits of several scales, and of a last layer for several vocabularies.

    cases           logits, labels, and their true losses and gradients in float64
    contestants     everyone's loss of class indices, one a row
    rows_of_logits  error, memory and time of them, one row each for a case and a contestant
    vocabulary      the same of the loss joined with the last layer, beside the plain program
    tables          what is shown
"""

from contextlib import ExitStack
from functools import partial

from benchmarks.losses.rows_of_logits import planned, run_case
from benchmarks.losses.tables import parts as parts
from benchmarks.losses.vocabulary import planned_layers, run_layer
from benchmarks.report import Progress, Result
from benchmarks.timing import Effort
from benchmarks.torch_side.process import has_torch, torch_process

EFFORT = Effort(rounds=15, seconds=5e-2, budget=20)
QUICK_EFFORT = Effort(rounds=7, seconds=1e-3)


def run(quick: bool, progress: Progress) -> Result:
    """Logits of several scales, then last layers, in several minutes; quickly in half of one."""
    effort = QUICK_EFFORT if quick else EFFORT
    with ExitStack() as stack:
        torch = stack.enter_context(torch_process()) if has_torch() else None
        cases = [
            (f"losses of {case}", partial(run_case, case, effort, torch)) for case in planned(quick)
        ]
        layers = [
            (f"losses of a layer {layer}", partial(run_layer, layer, effort))
            for layer in planned_layers(quick)
        ]
        return progress.each([*cases, *layers])
