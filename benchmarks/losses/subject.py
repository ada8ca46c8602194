"""The run: logits of several scales, then last layers of several vocabularies."""

from contextlib import ExitStack

from benchmarks.losses import rows_of_logits, vocabulary
from benchmarks.report import Progress, Result
from benchmarks.timing import Effort
from benchmarks.torch_side.process import has_torch, torch_process

EFFORT = Effort(rounds=15, seconds=5e-2, budget=20)
QUICK_EFFORT = Effort(rounds=7, seconds=1e-3)


def run(quick: bool, progress: Progress) -> Result:
    """Everything, in several minutes; the quick run in half of one."""
    cases, layers = rows_of_logits.planned(quick), vocabulary.planned(quick)
    effort, total = QUICK_EFFORT if quick else EFFORT, len(cases) + len(layers)
    results: list[Result] = []
    with ExitStack() as stack:
        torch = stack.enter_context(torch_process()) if has_torch() else None
        for done, case in enumerate(cases):
            progress(done, total, f"losses of {case}")
            results.append(rows_of_logits.run_case(case, effort, torch))
    for done, layer in enumerate(layers, len(cases)):
        progress(done, total, f"losses of a layer {layer}")
        results.append(vocabulary.run_layer(layer, effort))
    progress.finish()
    return Result(
        [row for result in results for row in result.rows],
        [failure for result in results for failure in result.failures],
    )
