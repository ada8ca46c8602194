"""Contests of `derive` with JAX's own derivatives: checked against float64, then timed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

import jaxcalc as jc
from benchmarks.derive.functions import GROWING, SHIFT, Case, normal, true_results
from benchmarks.libraries import Function
from benchmarks.oracles.wide import Array
from benchmarks.report import Result, Row
from benchmarks.statistics import rows_of
from benchmarks.timing import Contestant, Effort, check, hold, measure
from benchmarks.torch_side.process import checked_entries
from jaxcalc.operators import Identity

OWN = "derive"
OWN_JC = "derive, jc"  # of the same function from jaxcalc
AUTODIFF: dict[str, Callable[[Function], Function]] = {"jacfwd": jax.jacfwd, "jacrev": jax.jacrev}
JVP, PRODUCT, GIVEN = "jvp", "J @ v", "J given"  # found once, passed to a compiled function
PARTS = "linearize + make_jaxpr"

# What is asked of J at a vector v.
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    PRODUCT: lambda J, v: J @ v,
    "v @ J": lambda J, v: v @ J,
    "diagonal": lambda J, v: J.diagonal(),
    "trace": lambda J, v: J.trace(),
    "slogdet of J + I": lambda J, v: (J + Identity(v.shape, v.dtype)).slogdet(),
    "solve (J + I)": lambda J, v: J.solve(v, shift=SHIFT),
}


def dense_contest(case: Case, effort: Effort) -> Result:
    """The dense form by `derive`, over the better of both modes of autodiff."""
    functions = {OWN: case.f} if case.own is None else {OWN: case.f, OWN_JC: case.own}
    forms = {name: _todense(f) for name, f in functions.items()}
    forms |= {name: transform(case.f) for name, transform in AUTODIFF.items()}
    contestants = {name: Contestant(jax.jit(f), case.arguments) for name, f in forms.items()}
    true = (checked_entries(case.jacobian()),)
    named = {"part": "case", "case": case.name}
    return contest(named, contestants, dict.fromkeys(contestants, true), tuple(AUTODIFF), effort)


def growth_contest(name: str, n: int, effort: Effort) -> Result:
    """Everything at vectors of n entries, over one `jax.jvp` of the same function at the point.

    Where that ratio stays, time grows as it does for the function.
    """
    f, x, v = GROWING[name], normal(n, seed=5), normal(n, seed=6)
    found = jax.jit(jc.derive(f))(x)
    contestants = {
        JVP: Contestant(jax.jit(lambda v, x: jax.jvp(f, (x,), (v,))[1]), (v, x)),
        GIVEN: Contestant(jax.jit(lambda v, J: J @ v), (v, found)),
    }
    for what, operation in OPERATIONS.items():
        contestants[what] = Contestant(jax.jit(_asked(f, operation)), (v, x))
    true = true_results(name, np.asarray(x), np.asarray(v))
    references = {**true, JVP: true[PRODUCT], GIVEN: true[PRODUCT]}
    return contest(
        {"part": "growth", "function": name, "n": n}, contestants, references, (JVP,), effort
    )


def _todense(f: Function) -> Function:
    return lambda *arguments: jc.derive(f)(*arguments).todense()


def _asked(f: Function, operation: Callable[[Any, Any], Any]) -> Function:
    return lambda v, x: operation(jc.derive(f)(x), v)


def contest(
    named: Row,
    contestants: Mapping[str, Contestant],
    references: Mapping[str, Sequence[Array]],
    yardsticks: Sequence[str],
    effort: Effort,
) -> Result:
    """Rows of those that are right, over the fastest of the yardsticks; the others are failures."""

    def judge(name: str, outputs: Sequence[Array]) -> str | None:
        # a determinant has as many factors as J has rows, and each may be rounded
        slack = contestants[name].arguments[0].size ** 0.5 if "slogdet" in name else 1.0
        return check(outputs, references[name], slack)

    held = hold(contestants, judge, effort)
    known = [name for name in yardsticks if name in held.times]
    over = min(known, key=lambda name: float(np.median(held.times[name])), default=None)
    where = " ".join(str(value) for key, value in named.items() if key != "part")
    failures = [f"{where}: {name} is {why}" for name, why in held.absent.items()]
    return Result(rows_of(held.times, named, over), failures)


def tracing_contest(case: Case, effort: Effort) -> Result:
    """Tracing, over what `derive` cannot do without: `jax.linearize` and `jax.make_jaxpr` of f.

    Each call gets a fresh function, as no cache of JAX knows; what f calls is known already.
    """
    x, *constants = case.arguments

    def traced(what: Callable[[Function, Any], Any]) -> Contestant:
        def trace() -> None:
            jax.make_jaxpr(lambda x: what(lambda x: case.f(x, *constants), x))(x)

        return Contestant(trace)

    def in_parts(f: Function, x: jax.Array) -> Any:
        jax.make_jaxpr(f)(x)
        return jax.linearize(f, x)[0]

    own = traced(lambda f, x: jc.derive(f)(x))
    times = measure({OWN: own, PARTS: traced(in_parts)}, effort)
    equations = len(jax.make_jaxpr(case.f)(x, *constants).eqns)
    named = {"part": "tracing", "case": case.name, "equations": equations}
    return Result([row for row in rows_of(times, named, PARTS) if row["contestant"] == OWN], [])
