"""The benchmark of structured derivatives: its oracles, its judges, its reports."""

import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import derive
from benchmarks.derive import contests, functions
from benchmarks.derive.contests import contest
from benchmarks.report import Progress, show
from benchmarks.timing import Contestant, Effort

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=3, seconds=0)
TINY = derive.QUICK._replace(entries=(8, 16), effort=BRIEF)

# --- oracles ---


@pytest.mark.slow
@pytest.mark.parametrize("case", functions.dense_cases(5, 4, (8, 3)), ids=lambda case: case.name)
def test_the_jacobians_are_those_of_autodiff(case):
    dense_form = jax.jacrev(case.f)(*case.arguments)
    np.testing.assert_allclose(dense_form, case.jacobian(), rtol=1e-4, atol=1e-4)
    assert case.jacobian().dtype == np.float64
    if case.own is not None:
        own = case.own(*case.arguments)
        np.testing.assert_allclose(own, case.f(*case.arguments), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", functions.GROWING)
@pytest.mark.usefixtures("x64")
def test_what_a_derivative_should_do_is_what_its_dense_form_does(name):
    x, v = (np.asarray(functions.normal(6, seed=seed)) for seed in (5, 6))
    assert x.dtype == np.float64
    J = np.asarray(jax.jacfwd(functions.GROWING[name])(x), np.float64)
    expected = {
        "J @ v": (J @ v,),
        "v @ J": (v @ J,),
        "diagonal": (np.diagonal(J),),
        "trace": (np.trace(J),),
        "slogdet of J + I": np.linalg.slogdet(J + np.eye(6)),
        "solve (J + I)": (np.linalg.solve(J + np.eye(6), v),),
    }
    results = functions.true_results(name, x, v)
    assert set(results) == set(expected) == set(contests.OPERATIONS)
    for operation, values in expected.items():
        for got, value in zip(results[operation], values, strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-9, atol=1e-12)


# --- contests ---


def doubling(f):
    return Contestant(f, (np.arange(3.0, dtype=np.float32),))


DOUBLED = (2 * np.arange(3.0),)
NAMED = {"part": "case", "case": "a"}


def held(yardsticks, **entered):
    contestants = {name: doubling(f) for name, f in entered.items()}
    return contest(NAMED, contestants, dict.fromkeys(entered, DOUBLED), yardsticks, BRIEF)


def test_the_wrong_are_reported_and_not_timed():
    def slowly(x):
        return sum(2 * x for _ in range(3000)) / 3000

    entered = {"jacrev": lambda x: 2 * x, "jacfwd": slowly, "own": slowly, "jc": lambda x: 3 * x}
    rows, failures = held(("jacfwd", "jacrev"), **entered)
    assert failures == [
        "a: jc is wrong, not timed: relative error 0.5 in norm, 0.5 in an entry, for u = 6e-08"
    ]
    ratios = {row["contestant"]: row["ratio"] for row in rows}
    assert ratios["jacrev"] == 1  # the fastest yardstick
    assert min(ratios["jacfwd"], ratios["own"]) > 2
    assert set(ratios) == {"jacrev", "jacfwd", "own"}


def test_without_a_right_yardstick_there_is_no_ratio():
    (row,) = held(("jacfwd",), jacfwd=lambda x: 3 * x, derive=lambda x: 2 * x).rows
    assert row["ratio"] is None


@pytest.mark.parametrize(
    ("sign", "logarithm", "right"),
    [(1.0, 1.0001, True), (1.0, 1.01, False), (-1.0, 1.0, False), (1.0, jnp.nan, False)],
)
def test_a_determinant_may_lose_a_rounding_a_factor(sign, logarithm, right):
    f = Contestant(lambda v: (jnp.float32(sign), jnp.float32(logarithm)), (np.zeros(10**4),))
    true = {"slogdet": (np.ones(()), np.ones(()))}
    _, failures = contest(NAMED, {"slogdet": f}, true, (), BRIEF)
    assert (failures == []) == right


def test_both_sides_are_traced_anew_each_time():
    calls = []

    def f(x):
        calls.append(1)
        return 2 * x

    case = functions.Case("counting", f, (jnp.ones(3),))
    (row,) = contests.tracing_contest(case, Effort(rounds=2, seconds=0)).rows
    samples = 2 + 2 + 2  # calibration twice two calls, then a call a round
    assert len(calls) >= 1 + samples + 2 * samples
    assert row["seconds"] > 0


# --- the subject, as small as it gets ---


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(derive, "QUICK", TINY)
        return derive.run(True, SILENT)


def part(result, name):
    return [row for row in result.rows if row["part"] == name]


@pytest.mark.slow
def test_derive_and_autodiff_are_right_everywhere(result):
    assert result.failures == []


@pytest.mark.slow
def test_every_operation_grows_from_the_least_size_to_the_largest(result):
    operations = [*contests.OPERATIONS, contests.JVP, contests.GIVEN]
    for function in TINY.functions:
        rows = [row for row in part(result, "growth") if row["function"] == function]
        assert sorted(row["contestant"] for row in rows) == sorted(2 * operations)
        assert {row["n"] for row in rows} == set(TINY.entries)
        assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] for row in rows)


@pytest.mark.slow
def test_the_tables_have_a_line_for_everything(result):
    text = show(derive.parts(result.rows))
    assert text.count("softmax of rows 4×8  ") == 5
    for words in ("Growth:", "jvp µs", "J given", "solve (J + I)", "Time to trace:", "3-layer MLP"):
        assert words in text


@pytest.mark.slow
def test_parts_that_were_not_measured_are_not_shown(result):
    (traced,) = derive.parts(part(result, "tracing"))
    assert traced.heading == "Time to trace"
