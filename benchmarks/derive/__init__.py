"""Structured derivatives: growth with the number of entries, dense forms, time to trace.

Every result is checked against float64, then the contestants of one case are timed
in turns. What is wrong is a failed check.

    cases     functions whose dense derivatives are timed
    growing   functions of vectors of any size, and what their derivatives do, in NumPy
    contest   the contestants of one case, checked, then timed
    tracing   the time to trace
    tables    what is shown
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax

from benchmarks.derive import cases, growing, tracing
from benchmarks.derive.contest import dense_contest, product_contest
from benchmarks.derive.tables import parts as parts
from benchmarks.report import Progress, Result
from benchmarks.timing import Effort


class Plan(NamedTuple):
    """The sizes of a run, and how long it measures."""

    entries: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    functions: tuple[str, ...] = tuple(growing.FUNCTIONS)
    vector: int = 2048
    matrix: int = 512
    batch: tuple[int, int] = (32, 128)
    traced: int = 64
    depth: int = 20
    effort: Effort = Effort(rounds=11, seconds=4e-3)


QUICK = Plan(
    entries=(256, 4096),
    functions=("jc.softmax", "jax.nn.sigmoid"),
    vector=32,
    matrix=16,
    batch=(4, 8),
    traced=8,
    depth=4,
    effort=Effort(rounds=5, seconds=1e-4),
)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time all parts."""
    return run_plan(QUICK if quick else Plan(), progress)


def run_plan(plan: Plan, progress: Progress) -> Result:
    """Check and time all parts at the sizes of that plan."""
    with jax.default_matmul_precision("highest"):  # an accelerator's default is coarser
        return progress.each(list(steps(plan)))


def steps(plan: Plan) -> Iterator[tuple[str, Callable[[], Result]]]:
    """All measurements, none of which holds any array before it is run."""
    for name in plan.functions:
        for n in plan.entries:
            yield f"growth of {name} {n}", partial(growing.grow, name, n, plan.effort)
    for case in all_cases(plan):
        yield f"dense form of {case.name}", partial(dense_contest, case, plan.effort)
    burgers = cases.burgers(plan.vector)
    yield f"products with {burgers.name}", partial(product_contest, burgers, plan.effort)
    yield "time to trace", partial(tracing.measure_all, plan.traced, plan.depth, plan.effort)


def all_cases(plan: Plan) -> list[cases.Case]:
    """Those whose dense forms are timed."""
    return [
        cases.softmax(plan.vector),
        cases.softmax_of_product(plan.matrix),
        cases.batch_softmax(*plan.batch),
        cases.silu(plan.vector),
        cases.perceptron(plan.matrix),
        cases.burgers(plan.vector),
    ]
