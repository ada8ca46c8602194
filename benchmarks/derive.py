"""Structured derivatives: growth, dense forms beside the peers, time to trace.

Every result is checked against a closed form in float64 before it is timed; the contestants of
one case are timed in turns. A peer has a time limit to be ready, and what it raises or gets wrong
is its row in the table; if `derive` or JAX's autodiff is wrong, that is a failed check.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax

from benchmarks.peers.jacobians import JacobianPeer, find_jacobian_peers
from benchmarks.report import Progress, Result, Row
from benchmarks.structure import cases, dense, growth, overhead, tables
from benchmarks.structure.contest import Contest, hold
from benchmarks.structure.growing import FUNCTIONS, Point
from benchmarks.structure.products import PRODUCT, product_contest
from benchmarks.structure.trial import near
from benchmarks.timing import Effort

Peers = Sequence[JacobianPeer]
Step = tuple[str, Callable[[], Result]]  # what is measured, in words; the measurement


class Plan(NamedTuple):
    """The sizes of a run, and how long it measures."""

    entries: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    functions: tuple[str, ...] = tuple(FUNCTIONS)
    product: int = 512
    softmax: int = 2048
    batch: tuple[int, int] = (64, 256)
    silu: int = 4096
    perceptron: int = 256
    stencil: int = 4096
    traced: int = 64
    depth: int = 20
    effort: Effort = Effort(rounds=11, seconds=4e-3)
    effort_for_batch: Effort = Effort(rounds=4, seconds=0)  # a gigabyte each time
    limit: float = 20.0  # seconds until a contestant must be ready


FULL = Plan()
_BRIEF = Effort(rounds=5, seconds=1e-4)
QUICK = Plan(
    entries=(256, 4096),
    functions=("jc.softmax", "jax.nn.sigmoid"),
    product=16,
    softmax=32,
    batch=(4, 8),
    silu=32,
    perceptron=8,
    stencil=32,
    traced=8,
    depth=4,
    effort=_BRIEF,
    effort_for_batch=_BRIEF,
)


def run(quick: bool, progress: Progress) -> Result:
    """Check and time all parts; a quick run, too small for them, leaves out peers and aims."""
    if not quick:
        return run_plan(FULL, find_jacobian_peers(), progress)
    rows, failures = run_plan(QUICK, [], progress)
    return Result([row for row in rows if row["part"] != "aim"], failures)


def run_plan(plan: Plan, peers: Peers, progress: Progress) -> Result:
    """Check and time all parts at the sizes of that plan."""
    planned, results = list(steps(plan, peers)), list[Result]()
    with jax.default_matmul_precision("highest"):  # an accelerator's default is coarser
        for done, (what, measure) in enumerate(planned):
            progress(done, len(planned), what)
            results.append(measure())
    progress.finish()
    rows = [row for result in results for row in result.rows]
    return Result(rows, [line for result in results for line in result.failures])


def steps(plan: Plan, peers: Peers) -> Iterator[Step]:
    """All measurements, none of which holds any array before it is run."""
    for name in plan.functions:
        yield f"growth of {name}", partial(growth.grow, name, plan.entries, plan.effort, plan.limit)
    for what, make in contests(plan, peers).items():
        effort = plan.effort_for_batch if what == "batch" else plan.effort
        yield f"dense forms and products of {what}", partial(_held, make, effort, plan.limit)
    yield "time to trace", lambda: Result(overhead_rows(plan), [])


def _held(make: Callable[[], Contest], effort: Effort, limit: float) -> Result:
    return hold(make(), effort, limit)


def contests(plan: Plan, peers: Peers) -> dict[str, Callable[[], Contest]]:
    """The cases that the peers are given too, by a word for each."""
    return {
        "softmax(W x)": lambda: dense.contest(cases.softmax_of_product(plan.product), peers, 1 / 3),
        "softmax": lambda: dense.contest(cases.softmax(plan.softmax), peers, 1.3, (dense.FILL,)),
        "batch": lambda: dense.contest_with_blocks(cases.batch_softmax(*plan.batch), peers),
        "silu": lambda: dense.contest(cases.silu(plan.silu), peers, 1.1),
        "MLP": lambda: dense.contest(cases.perceptron(plan.perceptron), peers, 1.1),
        "Burgers": lambda: dense.contest_with_products(cases.burgers(plan.stencil), peers),
        **{
            f"{name} {plan.entries[-1]}": partial(_largest, Point(name, plan.entries[-1]), peers)
            for name in plan.functions
            if name.startswith("jax.nn")
        },
    }


def _largest(point: Point, peers: Peers) -> Contest:
    """Products alone, beside the peers, over one `jax.jvp`."""
    judge = near(*point.results()[PRODUCT])
    return product_contest(str(point), point.problem, point.v, judge, peers)


def overhead_rows(plan: Plan) -> list[Row]:
    """The time to trace, of every function."""
    return [
        row
        for function in overhead.traced(plan.traced, plan.depth)
        for row in overhead.measure_overhead(function, plan.effort)
    ]


show = tables.show
