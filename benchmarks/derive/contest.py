"""The contestants of one case, checked, then timed together."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxcalc as jc
from benchmarks.derive.cases import Case, Function, normal
from benchmarks.oracles.ulp import unit_roundoff
from benchmarks.oracles.wide import Array
from benchmarks.report import Result, Row
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, check, measure

Judge = Callable[[Any], str | None]  # of a result: None, or what is wrong
OWN = "derive"
OWN_JC = "derive, jc"  # of the same function from jaxcalc
GIVEN = "derive, J given"  # found once, passed to a compiled function
PRODUCT = "J @ v"
AUTODIFF: dict[str, Callable[[Function], Function]] = {"jacfwd": jax.jacfwd, "jacrev": jax.jacrev}


class Entry(NamedTuple):
    """Who computes what, and the judge of it."""

    quantity: str
    contestant: str
    function: Contestant
    judge: Judge


def compiled(f: Function, *arguments: Any) -> Contestant:
    """That function, to be compiled at its first call."""
    return Contestant(jax.jit(f), [arguments])


def hold(named: Row, entries: Sequence[Entry], yardsticks: Sequence[str], effort: Effort) -> Result:
    """Time those that are right, over the fastest of the contestants that are yardsticks."""
    where = " ".join(str(value) for value in list(named.values())[1:])
    verdicts = [(entry, entry.judge(entry.function.result())) for entry in entries]
    failures = [
        f"{where}: {entry.quantity} by {entry.contestant} is wrong, not timed: {wrong}"
        for entry, wrong in verdicts
        if wrong is not None
    ]
    right = {_key(entry): entry for entry, wrong in verdicts if wrong is None}
    times = measure({key: entry.function for key, entry in right.items()}, effort)
    known = [key for key, entry in right.items() if entry.contestant in yardsticks]
    over = min(known, key=lambda key: float(np.median(times[key])), default=None)
    rows = [_row(named, entry, timing(times, key, over)) for key, entry in right.items()]
    return Result(rows, failures)


def _row(named: Row, entry: Entry, times: Row) -> Row:
    return {**named, "quantity": entry.quantity, "contestant": entry.contestant, **times}


def _key(entry: Entry) -> str:
    return f"{entry.quantity}: {entry.contestant}"


# --- dense forms and products ---


def dense_contest(case: Case, effort: Effort) -> Result:
    """The dense form by `derive`, over the better of both modes of autodiff."""
    judge = near(case.jacobian())
    functions = {OWN: case.f} if case.own is None else {OWN: case.f, OWN_JC: case.own}
    forms = {name: _todense(f) for name, f in functions.items()}
    forms |= {name: transform(case.f) for name, transform in AUTODIFF.items()}
    entries = [
        Entry("dense", name, compiled(form, *case.arguments), judge) for name, form in forms.items()
    ]
    return hold({"part": "case", "case": case.name}, entries, list(AUTODIFF), effort)


def _todense(f: Function) -> Function:
    return lambda *arguments: jc.derive(f)(*arguments).todense()


def product_contest(case: Case, effort: Effort) -> Result:
    """Products of a function of one vector with its derivative, over one `jax.jvp`."""
    (x,) = case.arguments
    v = normal(*x.shape, seed=4)
    entries = products(case.f, x, v, near(case.jacobian() @ np.asarray(v, np.float64)))
    return hold({"part": "case", "case": case.name}, list(entries), ["jvp"], effort)


def products(f: Function, x: jax.Array, v: jax.Array, judge: Judge) -> Iterator[Entry]:
    """J v by `jax.jvp`, by the derivative found in the same program, and by one found before."""
    tangent = compiled(lambda v, x: jax.jvp(f, (x,), (v,))[1], v, x)
    yield Entry(PRODUCT, "jvp", tangent, judge)
    yield Entry(PRODUCT, OWN, compiled(lambda v, x: jc.derive(f)(x) @ v, v, x), judge)
    given = compiled(lambda J, v: J @ v, jax.jit(jc.derive(f))(x), v)
    yield Entry(PRODUCT, GIVEN, given, judge)


# --- judges ---


def near(*reference: Array) -> Judge:
    """Every output near its float64 reference; the same where that is zero or not finite."""

    def judge(got: Any) -> str | None:
        outputs = jax.tree.leaves(got)
        if len(outputs) != len(reference):
            return f"{len(outputs)} outputs instead of {len(reference)}"
        return next(filter(None, map(_difference, outputs, reference)), None)

    return judge


def _difference(got: Any, reference: Array) -> str | None:
    if np.any(reference) and np.all(np.isfinite(reference)):
        return check(got, (reference,))
    return None if np.array_equal(got, reference) else f"{np.asarray(got)} instead of {reference}"


def near_determinant(factors: int, sign: Array, logarithm: Array) -> Judge:
    """As `near`, but each of so many factors may have been rounded once."""

    def judge(got: Any) -> str | None:
        wrong = near(sign, logarithm)(got)
        if wrong is None or not np.isfinite(logarithm) or float(got[0]) != sign:
            return wrong
        allowed = 8 * unit_roundoff(got[1].dtype) * factors**0.5
        return None if abs(float(got[1]) - logarithm) <= allowed else wrong

    return judge
