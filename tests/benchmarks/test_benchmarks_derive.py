"""The benchmark of structured derivatives: its oracles, its judges, its peers, its reports."""

import importlib.metadata
import io
import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.peers.jacobians import JacobianPeer, find_jacobian_peers
from benchmarks.structure import cases, dense, growing, growth, overhead, tables
from benchmarks.structure.contest import Aim, Contest, against, hold
from benchmarks.structure.trial import RIGHT, Entry, near, near_determinant, try_entry
from slow import some

from benchmarks import derive, plot
from benchmarks.report import Progress
from benchmarks.statistics import Ratio
from benchmarks.timing import Contestant, Effort

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=3, seconds=0)
TINY = derive.QUICK._replace(
    entries=(8, 16),
    depth=2,
    effort=BRIEF,
    effort_for_batch=BRIEF,
)

# --- oracles ---

CASES = {
    "softmax": lambda: cases.softmax(5),
    "softmax(W x)": lambda: cases.softmax_of_product(4),
    "batch": lambda: cases.batch_softmax(8, 3),
    "silu": lambda: cases.silu(5),
    "MLP": lambda: cases.perceptron(4),
    "Burgers": lambda: cases.burgers(7),
}


@pytest.mark.parametrize("name", some(CASES, ["softmax(W x)", "Burgers"]))
def test_the_jacobians_are_those_of_autodiff(name):
    case = CASES[name]()
    dense_form = jax.jacrev(case.f)(*case.arguments)
    np.testing.assert_allclose(dense_form[case.rows], case.reference(), rtol=1e-4, atol=1e-4)
    assert case.problem.shape == dense_form.shape
    if case.own is not None:
        own = case.own(*case.arguments)
        np.testing.assert_allclose(own, case.f(*case.arguments), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["silu", "Burgers"])
def test_the_offsets_hold_all_that_is_not_zero(name):
    case = CASES[name]()
    row, column = np.nonzero(case.reference())
    n = case.problem.shape[1]
    assert set((column - row) % n) == {offset % n for offset in case.offsets}
    assert any(np.asarray(case.reference()).sum(0) != 0)


def test_blocks_are_those_of_the_dense_form():
    case = CASES["batch"]()
    tensor = jax.jacrev(case.f)(*case.arguments)
    blocks = cases.softmax_blocks(np.asarray(case.arguments[0], np.float64))
    np.testing.assert_allclose(blocks, jnp.einsum("bibj->bij", tensor), atol=1e-6)


@pytest.mark.parametrize("name", growing.FUNCTIONS)
@pytest.mark.usefixtures("x64")
def test_what_a_derivative_should_do_is_what_its_dense_form_does(name):
    point = growing.Point(name, 6)
    x, v = np.asarray(point.x), np.asarray(point.v)
    J, results = np.asarray(jax.jacfwd(point.growing.f)(point.x), np.float64), point.results()
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
    got_sign, logarithm = growing.Point(name, 6).results()["slogdet"]
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


def entry(f, name="derive", quantity="dense"):
    x = jnp.arange(3.0)
    return Entry(quantity, name, "1", lambda: Contestant(f, [(x,)]), near(2 * np.arange(3.0)))


def raising(x):
    raise KeyError("no such rule")


def sleeping(x):
    time.sleep(5)
    return 2 * x


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: 2 * x, RIGHT),
        (lambda x: 3 * x, "wrong: relative error 0.5"),
        (lambda x: 2 * x[:2], r"wrong: shape (2,) instead of (3,)"),
        (raising, "failed: KeyError: 'no such rule'"),
        (sleeping, "failed: not ready within 0.1 s"),
    ],
)
def test_a_trial_says_how_it_went(f, words):
    tried = try_entry(entry(f), limit=0.1 if f is sleeping else 60.0)
    assert tried.verdict.startswith(words)
    assert (tried.contestant is None) == (words != RIGHT)
    assert tried.seconds < 4


# --- contests ---


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio(0.3, 0.2, 0.5), "met"),
        (Ratio(0.4, 0.3, 0.6), "near"),
        (Ratio(0.6, 0.51, 0.7), "missed"),
        (None, "not timed"),
    ],
)
def test_an_aim_is_met_or_missed_when_the_interval_says_so(ratio, verdict):
    assert against(0.5, ratio) == verdict


def test_the_wrong_are_reported_and_not_timed():
    slow, fast = "dense: jacfwd", "dense: jacrev"
    entries = [
        entry(lambda x: 2 * x, "jacrev"),
        entry(lambda x: time.sleep(0.01) or 2 * x, "jacfwd"),
        entry(lambda x: time.sleep(0.002) or 2 * x, "derive"),
        entry(lambda x: 3 * x, "derive, jc"),
        entry(raising, "peer"),
    ]
    aims = [Aim("dense: derive", (slow,), 1.0), Aim("dense: derive", (slow, fast), 1.0)]
    own = frozenset({"derive", "derive, jc"})
    rows, failures = hold(Contest("case", entries, (slow, fast), aims, own), BRIEF, limit=1.0)
    assert failures == ["case: dense: derive, jc, wrong: relative error 0.5 in norm, " + UNITS]
    timed = {row["contestant"]: row["seconds"] is not None for row in rows if "result" in row}
    assert timed == {
        "jacrev": True,
        "jacfwd": True,
        "derive": True,
        "derive, jc": False,
        "peer": False,
    }
    assert [row["verdict"] for row in rows if row["part"] == "aim"] == ["met", "missed"]
    assert {row["over"] for row in rows if row["part"] == "case"} == {fast}


UNITS = "0.5 in an entry, for u = 6e-08"


# --- growth ---


@pytest.mark.parametrize("power", [0, 1, 2])
def test_slope_is_the_power(power):
    line = [{"n": n, "seconds": 3e-9 * n**power} for n in (10, 100, 1000)]
    assert math.isclose(growth.slope(line), power, abs_tol=1e-9)


@pytest.mark.slow
def test_what_was_right_at_one_size_only_has_no_slope(result):
    rows = [row for row in part(result, "growth") if row["n"] == 8 or row["quantity"] == "trace"]
    assert {row["quantity"] for row in growth.slope_rows(rows)} == {"trace"}


def test_bytes_are_those_of_arguments_results_and_temporaries():
    x = jnp.ones(1000)
    outer = jax.jit(lambda x: jnp.linalg.qr(jnp.outer(x, x) + jnp.eye(1000)).Q.sum(0))
    assert growth.bytes_used(Contestant(outer, [(x,)])) > 4 * 1000**2
    assert growth.bytes_used(Contestant(jax.jit(lambda x: 2 * x), [(x,)])) == 2 * 4000


# --- peers ---


@pytest.fixture
def lenient():
    """Peers are written for JAX as it comes."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("name", ["asdex", "folx", "lineax", "sparsejac"])
def test_a_peer_is_right_where_it_works(name):
    found = {peer.name: peer for peer in find_jacobian_peers()}
    if name not in found:
        pytest.skip(f"{name} is not installed")
    assert found[name].version == importlib.metadata.version(name)
    dense_rows = hold(dense.contest(CASES["MLP"](), [found[name]], 1.0), BRIEF, limit=60.0).rows
    rows = hold(
        dense.contest_with_products(CASES["Burgers"](), [found[name]]), BRIEF, limit=60.0
    ).rows
    results = [row["result"] for row in [*dense_rows, *rows] if row.get("contestant") == name]
    assert len(results) == 3
    assert all(result == RIGHT or "ImportError" in result for result in results), results


def test_peers_are_spared_what_no_memory_holds():
    point = growing.Point("jax.nn.softmax", 10**5)
    with pytest.raises(MemoryError, match=r"would hold 1e\+10 entries"):
        point.problem.require_memory()
    growing.Point("jax.nn.sigmoid", 10**5).problem.require_memory()


# --- the subject, as small as it gets ---


@pytest.fixture(scope="module")
def result():
    doubling = JacobianPeer("doubling", "1", doubled_dense, doubled_product)
    return derive.run_plan(TINY, [doubling], SILENT)


def doubled_dense(problem):
    return lambda *arguments: 2 * jax.jacrev(problem.f)(*arguments)


def doubled_product(problem):
    return lambda v, *arguments: 2 * jax.jvp(problem.f, arguments, (v,))[1]


def part(result, name):
    return [row for row in result.rows if row["part"] == name]


@pytest.mark.slow
def test_derive_and_autodiff_are_right_everywhere(result):
    assert result.failures == []


@pytest.mark.slow
def test_a_wrong_peer_is_in_the_table(result):
    rows = [row for row in part(result, "case") if row["contestant"] == "doubling"]
    assert len(rows) == 8
    assert all(row["result"].startswith("wrong: relative error 1 in norm") for row in rows)
    assert all(row["seconds"] is None and row["ratio"] is None for row in rows)


@pytest.mark.slow
def test_every_operation_grows_from_the_least_size_to_the_largest(result):
    operations = [*growing.OPERATIONS, "J @ v", "J @ v", "J @ v"]  # jvp twice, J given
    for function in TINY.functions:
        rows = [row for row in part(result, "growth") if row["function"] == function]
        assert sorted(row["quantity"] for row in rows) == sorted(2 * operations)
        assert {row["n"] for row in rows} == set(TINY.entries)
        assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] for row in rows)
        assert all(row["bytes_per_entry"] > 0 for row in rows)


@pytest.mark.slow
def test_aims_are_those_of_the_largest_size(result):
    aims = part(result, "aim")
    grown = [row for row in aims if row["case"].startswith(TINY.functions)]
    assert {row["case"].split()[-1] for row in grown} == {"16"}
    assert {row["at_most"] for row in aims} == {2.0, 1 / 3, 1.3, 1 / 2, 1 / 100, 1.1, 3.0}
    assert {row["verdict"] for row in aims} <= {"met", "near", "missed"}


def test_both_sides_of_the_overhead_are_traced_anew_each_time():
    calls = []

    def f(x):
        calls.append(1)
        return 2 * x

    function = overhead.Traced("counting", f, jnp.ones(3))
    row, aim = overhead.measure_overhead(function, Effort(rounds=2, seconds=0))
    samples = 2 + 2 + 2  # calibration twice two calls, then a call a round
    assert len(calls) >= 1 + samples + 2 * samples
    assert row["seconds"] > 0
    assert aim["at_most"] == 3.0


@pytest.mark.slow
def test_the_tables_have_a_line_for_everything(result):
    text = tables.show(result.rows)
    assert text.count("softmax of rows 4×8  ") >= 7
    for heading, _ in tables.TABLES.values():
        assert heading in text
    assert "wrong: relative error 1 in norm" in text
    assert text.splitlines()[-1].endswith("0 not timed")


@pytest.mark.slow
def test_parts_that_were_not_measured_are_not_shown(result):
    text = tables.show(part(result, "overhead"))
    assert "Time to trace" in text
    assert "Aims" not in text


@pytest.mark.slow
def test_the_picture_shows_growth_and_cases(result):
    pytest.importorskip("matplotlib")
    figure = plot.DRAWINGS["derive"](result.rows)
    *growths, cases_panel = figure.get_axes()
    assert [axes.get_title() for axes in growths] == list(TINY.functions)
    assert "Burgers stencil 32, J @ v" in [t.get_text() for t in cases_panel.get_yticklabels()]
