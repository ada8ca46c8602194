"""Structured derivatives: growth with the number of entries, dense forms, time to trace.

Every result is checked against float64, then the contestants of one case are timed
in turns. What is wrong is a failed check.

    functions   whose derivatives are timed, and what is true of them
    contests    everyone of one case, checked, then timed; the time to trace
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax

from benchmarks.derive.contests import JVP, dense_contest, growth_contest, tracing_contest
from benchmarks.derive.functions import GROWING, dense_cases
from benchmarks.report import (
    Line,
    Part,
    Progress,
    Result,
    Row,
    fields,
    grouped,
    show_number,
    time_and_ratio,
)
from benchmarks.timing import Effort

GROWTH = "Times over one `jax.jvp` of the same function: where they stay, time grows as it does."
CASES = "Over the better of `jax.jacfwd` and `jax.jacrev`."
TRACING = "Over `jax.linearize` and `jax.make_jaxpr` of the same function."


class Plan(NamedTuple):
    """The sizes of a run, and how long it measures."""

    entries: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    functions: tuple[str, ...] = tuple(GROWING)
    vector: int = 2048
    matrix: int = 512
    batch: tuple[int, int] = (32, 128)
    effort: Effort = Effort(rounds=11, seconds=4e-3)


QUICK = Plan(
    entries=(256, 4096),
    functions=("jc.softmax", "jax.nn.sigmoid"),
    vector=32,
    matrix=16,
    batch=(4, 8),
    effort=Effort(rounds=5, seconds=1e-4),
)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time all parts."""
    plan = QUICK if quick else Plan()
    with jax.default_matmul_precision("highest"):  # an accelerator's default is coarser
        return progress.each(list(_steps(plan)))


def _steps(plan: Plan) -> Iterator[tuple[str, Callable[[], Result]]]:
    for name in plan.functions:
        for n in plan.entries:
            yield f"growth of {name} {n}", partial(growth_contest, name, n, plan.effort)
    for case in dense_cases(plan.vector, plan.matrix, plan.batch):
        yield f"dense form of {case.name}", partial(dense_contest, case, plan.effort)
        yield f"time to trace {case.name}", partial(tracing_contest, case, plan.effort)


# --- what is shown ---


def parts(rows: Sequence[Row]) -> list[Part]:
    """The table of each part that was measured."""
    growth, cases, traced = (
        [row for row in rows if row["part"] == part] for part in ("growth", "case", "tracing")
    )
    found = [
        Part("Growth", GROWTH, _growth(growth)),
        Part("Dense forms", CASES, [_line(row, "case", "contestant") for row in cases]),
        Part("Time to trace", TRACING, [_line(row, "case", "equations") for row in traced]),
    ]
    return [part for part in found if part.lines]


def _line(row: Row, *names: str) -> Line:
    return {**fields(row, *names), **time_and_ratio(row)}


def _growth(rows: Sequence[Row]) -> list[Line]:
    """One line for each function and size, the operations beside each other."""
    operations = [name for name in dict.fromkeys(row["contestant"] for row in rows) if name != JVP]
    return [
        {
            **fields(of, "function", "n"),
            "jvp µs": show_number(found[JVP]["seconds"], 1e-6) if JVP in found else "",
            **{o: show_number(found[o]["ratio"]) if o in found else "" for o in operations},
        }
        for of, found in grouped(rows, ("function", "n"))
    ]
