"""The benchmarks measure what they say, and refuse what is wrong."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import accuracy, oracles
from benchmarks.accuracy import Question
from benchmarks.libraries import DECLARED, ELEMENTWISE, LOSS, ORDERS, is_reduction
from benchmarks.peers import find_peers, jax_peers
from benchmarks.report import show
from benchmarks.statistics import TIMING, paired_ratio, timing
from benchmarks.timing import Contestant, Effort, _schedule, check, hold, measure
from benchmarks.torch_side import process
from benchmarks.torch_side.process import checked_entries

# --- statistics ---


def noisy(rng, scale, rounds=40):
    return scale * np.exp(0.1 * rng.standard_normal(rounds))


def test_a_time_is_the_median_between_the_quartiles():
    found = timing({"a": [5.0, 1.0, 2.0, 4.0, 3.0], "b": [1.0] * 5}, "a", "b")
    assert [found[name] for name in TIMING[:3]] == [3.0, 2.0, 4.0]
    assert found["ratio_low"] <= found["ratio"] <= found["ratio_high"]


@pytest.mark.parametrize(("name", "baseline"), [("a", None), ("a", "b"), ("b", "a")])
def test_what_was_not_timed_is_none(name, baseline):
    assert set(timing({"a": [1.0, 2.0]}, name, baseline).values()) == {None}


def test_a_ratio_is_found_within_its_interval():
    rng = np.random.default_rng(0)
    ratio, low, high = paired_ratio(noisy(rng, 2.0), noisy(rng, 1.0))
    assert low < ratio < high
    assert low < 2 < high
    assert high / low < 1.3


def test_drift_that_hits_both_alike_cancels():
    drift = np.exp(np.linspace(0, 3, 40))
    ratio = paired_ratio(drift * 1.5, drift)
    np.testing.assert_allclose(ratio, 1.5)


def test_a_contestant_against_itself_covers_one():
    rng = np.random.default_rng(1)
    pairs = [paired_ratio(noisy(rng, 1.0), noisy(rng, 1.0)) for _ in range(60)]
    assert sum(low <= 1 <= high for _, low, high in pairs) >= 50


# --- check, then time ---


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (lambda x: 1.01 * x, "relative error"),
        (lambda x: x.at[3, 2].set(jnp.nan), "relative error nan"),
        (lambda x: x.at[3, 2].add(0.1), "relative error"),
        (lambda x: x.T, r"shape \(5, 4\) instead of \(4, 5\)"),
        (lambda x: (x, x), "2 outputs instead of 1"),
    ],
)
def test_a_wrong_result_is_described(got, words):
    x = jnp.arange(1.0, 21).reshape(4, 5)
    reference = (np.asarray(x, np.float64),)
    assert check([x], reference) is None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(check(jax.tree.leaves(got(x)), reference))


def test_infinities_must_be_where_they_belong():
    reference = (np.array([1.0, -np.inf, 2.0]),)
    assert check([jnp.array([1.0, -jnp.inf, 2.0])], reference) is None
    assert check([jnp.array([1.0, -9.0, 2.0])], reference) == "finite where it should be infinite"
    assert "relative error inf" in check([jnp.array([1.0, -jnp.inf, -jnp.inf])], reference)


def test_slack_lets_more_rounding_pass():
    x = np.linspace(1, 2, 20, dtype=np.float32)
    got = (x * np.float32(1 + 5e-6)).astype(np.float32)
    assert "relative error" in check([got], (x.astype(np.float64),))
    assert check([got], (x.astype(np.float64),), slack=4) is None


@pytest.mark.parametrize(("budget", "rounds"), [(math.inf, 15), (10.0, 10), (0.1, 7)])
def test_a_budget_means_fewer_rounds_but_never_too_few(budget, rounds):
    class Sleeper:
        def sample(self, repeats):
            return 1.0

    times = measure({"slow": Sleeper()}, Effort(rounds=15, seconds=0, budget=budget))
    assert len(times["slow"]) == rounds


def test_every_round_has_every_contestant_in_a_fresh_order():
    schedule = list(_schedule(["a", "b", "c"], rounds=20))
    rounds = [tuple(schedule[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 3


@pytest.mark.parametrize("shape", [(5, 6), (40, 6), (6, 40)])
def test_evenly_spaced_entries_are_checked_of_every_column(shape, monkeypatch):
    monkeypatch.setattr(process, "CHECKED", 60)
    x = np.arange(math.prod(shape)).reshape(shape)
    checked = checked_entries(x)
    if x.size <= 60:
        assert checked is x
    else:
        assert 24 <= checked.size <= 60
        assert len(set(checked % shape[1])) >= min(shape[1], 34)


def contestants():
    right = Contestant(lambda: jnp.ones(3))
    return {"a": right, "wrong": Contestant(lambda: jnp.full(3, 2.0)), "b": right}


def test_who_is_wrong_is_not_timed():
    outputs, times, absent = hold(contestants(), judge, Effort(rounds=3, seconds=0))
    assert list(outputs) == ["a", "wrong", "b"]
    assert {name: len(samples) for name, samples in times.items()} == {"a": 3, "b": 3}
    assert absent["wrong"].startswith("wrong, not timed: relative error 1 in norm")


def test_without_an_effort_nobody_is_timed():
    assert hold(contestants(), judge, None).times == {}


def judge(name, outputs):
    return check(outputs, (np.ones(3),))


# --- accuracy, as small as it gets ---


@pytest.fixture(scope="module")
def accuracy_rows():
    asked = [("sigmoid", "derivative 1"), ("softmax", "vjp")]
    peers = {name: jax_peers()[name] for name in ("high", "jax.nn")}
    return [
        row for of in asked for row in accuracy.answers(Question("float32", *of), peers, True).rows
    ]


def worst(rows, peer):
    return [row["worst"] for row in rows if row["contestant"] == peer]


def test_accuracy(accuracy_rows):
    high, nn = worst(accuracy_rows, "high"), worst(accuracy_rows, "jax.nn")
    assert high[0] < 4
    assert high[1] < 50
    assert min(nn) > 1e6


def test_accuracy_is_shown_with_the_peers_side_by_side(accuracy_rows):
    heading, _, *lines = show(accuracy.parts(accuracy_rows)).splitlines()
    assert " ".join(heading.split()) == "dtype function quantity unit high jax.nn"
    assert [line.split()[:4] for line in lines] == [
        ["float32", "sigmoid", "derivative", "1"],
        ["float32", "softmax", "vjp", "u·N"],
    ]


@pytest.mark.parametrize(("function", "quantity"), accuracy.ROW_JUDGES)
def test_an_exact_peer_has_no_error_beyond_rounding(function, quantity):
    asked = Question("float32", function, quantity)
    (row,) = accuracy.answers(asked, {"exact": rounded_oracle}, True).rows
    assert row["worst"] <= 1.0


EXACT = {
    ("softmax", "jvp"): lambda x, t: oracles.softmax_product(x, t).value,
    ("softmax", "vjp"): lambda x, t: oracles.softmax_product(x, t).value,
    ("softmax", "jacobian"): lambda x, t: oracles.softmax_jacobian(x),
    ("log_softmax", "jvp"): lambda x, t: oracles.log_softmax_jvp(x, t).value,
    ("log_softmax", "vjp"): lambda x, t: oracles.log_softmax_vjp(x, t).value,
    ("logsumexp", "jvp"): lambda x, t: oracles.logsumexp_jvp(x, t).value,
    ("logsumexp", "vjp"): lambda x, t: t[:, None] * oracles.softmax(x),
    (LOSS, "value"): lambda x, t: oracles.cross_entropy(x, x.argmax(-1)),
    (LOSS, "vjp"): lambda x, t: t[:, None] * oracles.cross_entropy_gradient(x, x.argmax(-1)).value,
}


def rounded_oracle(function, quantity, x, t):
    value = EXACT.get((function, quantity), lambda x, t: getattr(oracles, function)(x))
    return value(x, t).astype(x.dtype)


@pytest.mark.parametrize(("function", "quantity"), accuracy.ROW_JUDGES)
def test_every_peer_computes_the_quantity_that_is_asked(function, quantity):
    x = oracles.make_logits("scale 1", (3, 4), np.float32)
    one_a_row = is_reduction(function) and quantity == "vjp"
    t = oracles.make_tangents("random", (3,) if one_a_row else (3, 4), np.float32)
    true = rounded_oracle(function, quantity, x, t)
    for name, evaluate in find_peers().items():
        got = evaluate(function, quantity, x, t)
        if got is not None:
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, true, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("function", ELEMENTWISE)
def test_every_peer_has_the_derivatives_of_functions_of_each_entry(function, order):
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    if function in DECLARED:
        true = oracles.derivative(DECLARED[function].definition, x, order)
    else:
        true = getattr(oracles, function)(x, order)
    kept = x != 0  # where softsign has no second derivative
    for name, evaluate in find_peers().items():
        got = evaluate(function, ORDERS[order], x, x)
        if got is not None:
            np.testing.assert_allclose(
                got[kept], true[kept].astype(float), rtol=1e-3, atol=1e-5, err_msg=name
            )
