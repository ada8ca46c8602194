"""The losses beside optax's, the plain formula and PyTorch's: error, time and memory.

Value and gradient, for logits of several scales, and of a last layer for several vocabularies.

    cases       logits, labels, and their true losses and gradients in float64
    logits      error, memory and time of everyone's loss of class indices
    vocabulary  the same of the loss joined with the last layer, beside the plain program
"""

from collections.abc import Sequence
from functools import partial

from benchmarks.losses.cases import CASES, QUICK_CASES
from benchmarks.losses.logits import run_case
from benchmarks.losses.vocabulary import LAYERS, QUICK_LAYERS, run_layer
from benchmarks.report import Line, Part, Progress, Result, Row, fields, show_number, time_and_ratio
from benchmarks.speed.summary import select
from benchmarks.timing import Effort
from benchmarks.torch_side.process import torch_process

EFFORT = Effort(rounds=15, seconds=5e-2, budget=20)
QUICK_EFFORT = Effort(rounds=7, seconds=1e-3)

LOGITS = """Losses of class indices, value and gradient, beside float64: the error of the mean loss
(relative), of the worst row's loss, of the worst row's gradient (over its size); temporaries in
float32 arrays like the logits, by compiled memory analysis; time, and its ratio to that of jax.nn,
medians of one run (blank where it was not measured)."""
LAYER = """Loss of a last layer of {rows} rows and {features} features, value and gradient by both:
temporaries by compiled memory analysis; time, and its ratio to that of the plain program."""
NUMBERS = {
    "mean_error": "mean",
    "row_error": "worst row",
    "gradient_error": "gradient",
    "arrays": "arrays",
}


def run(quick: bool, progress: Progress) -> Result:
    """Logits of several scales, then last layers, in several minutes; quickly in half of one."""
    effort = QUICK_EFFORT if quick else EFFORT
    with torch_process() as torch:
        steps = [
            (f"losses of {case}", partial(run_case, case, effort, torch))
            for case in (QUICK_CASES if quick else CASES)
        ]
        steps += [
            (f"losses of a layer {layer}", partial(run_layer, layer, effort))
            for layer in (QUICK_LAYERS if quick else LAYERS)
        ]
        return progress.each(steps)


def parts(rows: Sequence[Row]) -> list[Part]:
    """The tables of what was measured."""
    logits, layers = select(rows, part="logits"), select(rows, part="vocabulary")
    found = []
    if logits:
        found.append(Part("Logits", LOGITS, [_of_logits(row) for row in logits]))
    if layers:
        text = LAYER.format(**layers[0])
        found.append(Part("A last layer", text, [_of_a_layer(row) for row in layers]))
    return found


def _of_logits(row: Row) -> Line:
    numbers = {heading: show_number(row[name]) for name, heading in NUMBERS.items()}
    named = fields(row, "shape", "dtype", "scale", "contestant")
    return {**named, **numbers, **time_and_ratio(row), "": row["note"]}


def _of_a_layer(row: Row) -> Line:
    named = fields(row, "dtype", "vocabulary", "contestant")
    return {**named, "MiB": show_number(row["mib"]), **time_and_ratio(row)}
