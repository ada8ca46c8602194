"""The benchmark of structured derivatives: its oracles, its judges, its reports."""

import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import derive
from benchmarks.derive import cases, contest, growing, tracing
from benchmarks.derive.contest import Entry, hold, near, near_determinant
from benchmarks.report import Progress, show
from benchmarks.timing import Contestant, Effort

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=3, seconds=0)
TINY = derive.QUICK._replace(entries=(8, 16), depth=2, effort=BRIEF)

# --- oracles ---

CASES = {
    "softmax": lambda: cases.softmax(5),
    "softmax(W x)": lambda: cases.softmax_of_product(4),
    "batch": lambda: cases.batch_softmax(8, 3),
    "silu": lambda: cases.silu(5),
    "MLP": lambda: cases.perceptron(4),
    "Burgers": lambda: cases.burgers(7),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_jacobians_are_those_of_autodiff(name):
    case = CASES[name]()
    dense_form = jax.jacrev(case.f)(*case.arguments)
    np.testing.assert_allclose(dense_form, case.jacobian(), rtol=1e-4, atol=1e-4)
    assert case.jacobian().dtype == np.float64
    if case.own is not None:
        own = case.own(*case.arguments)
        np.testing.assert_allclose(own, case.f(*case.arguments), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", growing.FUNCTIONS)
@pytest.mark.usefixtures("x64")
def test_what_a_derivative_should_do_is_what_its_dense_form_does(name):
    x, v = map(np.asarray, growing.point(6))
    J = np.asarray(jax.jacfwd(growing.FUNCTIONS[name].f)(x), np.float64)
    results = growing.true_results(name, 6)
    expected = {
        "J @ v": J @ v,
        "v @ J": v @ J,
        "diagonal": np.diagonal(J),
        "trace": np.trace(J),
        "slogdet of J + I": np.linalg.slogdet(J + np.eye(6))[1],
        "solve (J + I)": np.linalg.solve(J + np.eye(6), v),
    }
    for operation, value in expected.items():
        np.testing.assert_allclose(results[operation][-1], value, rtol=1e-9, atol=1e-12)
    assert x.dtype == np.float64


@pytest.mark.parametrize(("name", "sign"), [("jc.softmax", 0), ("jc.sigmoid", 1)])
def test_a_softmax_is_singular_and_a_sigmoid_is_not(name, sign):
    got_sign, logarithm = growing.true_results(name, 6)["slogdet"]
    assert got_sign == sign
    assert np.isneginf(logarithm) == (sign == 0)


# --- judges and trials ---


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (1.0, None),
        (1.001, "relative error"),
        (jnp.nan, "relative error nan"),
    ],
)
def test_near_takes_rounding_only(got, words):
    verdict = near(np.ones(3))(jnp.full(3, got, jnp.float32))
    assert verdict is None if words is None else words in verdict


@pytest.mark.parametrize(("got", "right"), [(-jnp.inf, True), (jnp.inf, False), (-1e30, False)])
def test_what_is_not_finite_must_be_the_same(got, right):
    judge = near(np.zeros(()), np.asarray(-np.inf))
    assert (judge((jnp.zeros(()), jnp.asarray(got))) is None) == right


@pytest.mark.parametrize(
    ("sign", "logarithm", "right"),
    [(1.0, 1.0001, True), (1.0, 1.001, False), (-1.0, 1.0, False), (1.0, jnp.nan, False)],
)
def test_a_determinant_may_lose_a_rounding_a_factor(sign, logarithm, right):
    judge = near_determinant(10**6, np.ones(()), np.ones(()))
    got = jnp.asarray(sign, jnp.float32), jnp.asarray(logarithm, jnp.float32)
    assert (judge(got) is None) == right


# --- contests ---


def entry(f, name):
    return Entry("dense", name, Contestant(f, [(np.arange(3.0, dtype=np.float32),)]), DOUBLED)


DOUBLED = near(2 * np.arange(3.0))


def test_the_wrong_are_reported_and_not_timed():
    def slowly(x):
        return sum(2 * x for _ in range(3000)) / 3000

    entries = [
        entry(lambda x: 2 * x, "jacrev"),
        entry(slowly, "jacfwd"),
        entry(slowly, "derive"),
        entry(lambda x: 3 * x, "derive, jc"),
    ]
    rows, failures = hold({"part": "case", "case": "a"}, entries, ["jacfwd", "jacrev"], BRIEF)
    assert failures == [
        "a: dense by derive, jc is wrong, not timed: relative error 0.5 in norm, "
        "0.5 in an entry, for u = 6e-08"
    ]
    ratios = {row["contestant"]: row["ratio"] for row in rows}
    assert ratios["jacrev"] == 1  # the fastest yardstick
    assert min(ratios["jacfwd"], ratios["derive"]) > 2
    assert set(ratios) == {"jacrev", "jacfwd", "derive"}


def test_without_a_right_yardstick_there_is_no_ratio():
    entries = [entry(lambda x: 3 * x, "jacfwd"), entry(lambda x: 2 * x, "derive")]
    (row,) = hold({"part": "case", "case": "a"}, entries, ["jacfwd"], BRIEF).rows
    assert row["ratio"] is None


def test_both_sides_are_traced_anew_each_time():
    calls = []

    def f(x):
        calls.append(1)
        return 2 * x

    row = tracing.measure_tracing("counting", f, jnp.ones(3), Effort(rounds=2, seconds=0))
    samples = 2 + 2 + 2  # calibration twice two calls, then a call a round
    assert len(calls) >= 1 + samples + 2 * samples
    assert row["seconds"] > 0


# --- the subject, as small as it gets ---


@pytest.fixture(scope="module")
def result():
    return derive.run_plan(TINY, SILENT)


def part(result, name):
    return [row for row in result.rows if row["part"] == name]


@pytest.mark.slow
def test_derive_and_autodiff_are_right_everywhere(result):
    assert result.failures == []


@pytest.mark.slow
def test_every_operation_grows_from_the_least_size_to_the_largest(result):
    operations = [*growing.OPERATIONS, *(contest.PRODUCT,) * 3]  # by jvp, J given
    for function in TINY.functions:
        rows = [row for row in part(result, "growth") if row["function"] == function]
        assert sorted(row["quantity"] for row in rows) == sorted(2 * operations)
        assert {row["n"] for row in rows} == set(TINY.entries)
        assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] for row in rows)


@pytest.mark.slow
def test_the_tables_have_a_line_for_everything(result):
    text = show(derive.parts(result.rows))
    assert text.count("softmax of rows 4×8  ") == 4
    for words in ("Growth:", "jvp µs", "J given", "solve (J + I)", "Time to trace:", "2-layer MLP"):
        assert words in text


@pytest.mark.slow
def test_parts_that_were_not_measured_are_not_shown(result):
    (traced,) = derive.parts(part(result, "tracing"))
    assert traced.heading == "Time to trace"
