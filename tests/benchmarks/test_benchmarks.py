"""The benchmarks measure what they say, and refuse what is wrong."""

import io
import math

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import accuracy, oracles, timing
from benchmarks.peers import LOSS, Peer, find_peers
from benchmarks.report import Progress, Result, show
from benchmarks.statistics import Ratio, paired_ratio, spread
from benchmarks.subjects import Subject
from benchmarks.timing import Contestant, Effort, check
from benchmarks.traffic import Sizes, ideal_bytes

SILENT = Progress(io.StringIO(), every=math.inf)

# --- statistics ---


def noisy(rng, scale, rounds=40):
    return scale * np.exp(0.1 * rng.standard_normal(rounds))


def test_spread_is_the_median_between_the_quartiles():
    assert spread([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0, 4.0)


def test_a_ratio_is_found_within_its_interval():
    rng = np.random.default_rng(0)
    ratio = paired_ratio(noisy(rng, 2.0), noisy(rng, 1.0))
    assert ratio.low < ratio.value < ratio.high
    assert ratio.low < 2 < ratio.high
    assert ratio.high / ratio.low < 1.3
    assert ratio.verdict() == "slower"


def test_drift_that_hits_both_alike_cancels():
    drift = np.exp(np.linspace(0, 3, 40))
    ratio = paired_ratio(drift * 1.5, drift)
    np.testing.assert_allclose(ratio, 1.5)


def test_a_contestant_against_itself_covers_one():
    rng = np.random.default_rng(1)
    pairs = [paired_ratio(noisy(rng, 1.0), noisy(rng, 1.0)) for _ in range(60)]
    assert sum(ratio.low <= 1 <= ratio.high for ratio in pairs) >= 50


@pytest.mark.parametrize(
    ("ratio", "noise", "verdict"),
    [
        (Ratio(0.8, 0.7, 0.9), 1.0, "faster"),
        (Ratio(0.8, 0.7, 0.9), 1.2, "same"),
        (Ratio(0.8, 0.7, 0.9), 1 / 1.2, "same"),
        (Ratio(1.0, 0.9, 1.1), 1.0, "same"),
        (Ratio(1.3, 1.2, 1.4), 1.1, "slower"),
    ],
)
def test_a_verdict_needs_an_interval_clear_of_the_noise(ratio, noise, verdict):
    assert ratio.verdict(noise) == verdict


# --- traffic ---


@pytest.mark.parametrize(
    ("function", "quantity", "expected"),
    [
        ("softmax", "value", 2 * 800),
        ("sigmoid", "jvp", 4 * 800),
        ("softmax", "vjp", 3 * 800),
        ("log_softmax", "value+vjp", 4 * 800),
        ("logsumexp", "value", 800 + 80),
        ("logsumexp", "vjp", 2 * 800 + 2 * 80),
        ("softmax", "hvp", 4 * 800),
        ("logsumexp", "hvp", 3 * 800 + 80),
        ("softmax", "jacobian", 800 + 8000),
        ("logsumexp", "jacobian", 2 * 800),
    ],
)
def test_ideal_traffic(function, quantity, expected):
    assert ideal_bytes(function, quantity, Sizes((4, 5, 10), itemsize=4)) == expected


def test_traffic_of_what_stands_beside():
    assert ideal_bytes("logsumexp(b)", "value", Sizes((4, 5), 4, beside=80)) == 80 + 16 + 80
    assert ideal_bytes("cross-entropy(indices)", "vjp", Sizes((4, 5), 4, beside=16)) == 2 * 96 + 16


def test_traffic_of_rows_along_another_axis():
    assert ideal_bytes("logsumexp", "value", Sizes((4, 10, 5), 4, axis=1)) == 800 + 80
    assert ideal_bytes("logsumexp", "value", Sizes((4, 10, 5), 4, axis=(1, 2))) == 800 + 16


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
    assert check(x, reference) is None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(check(got(x), reference))


def test_infinities_must_be_where_they_belong():
    reference = (np.array([1.0, -np.inf, 2.0]),)
    assert check(jnp.array([1.0, -jnp.inf, 2.0]), reference) is None
    assert check(jnp.array([1.0, -9.0, 2.0]), reference) == "finite where it should be infinite"
    assert "relative error inf" in check(jnp.array([1.0, -jnp.inf, -jnp.inf]), reference)


def test_slack_lets_more_rounding_pass():
    x = np.linspace(1, 2, 20, dtype=np.float32)
    got = (x * np.float32(1 + 5e-6)).astype(np.float32)
    assert "relative error" in check(got, (x.astype(np.float64),))
    assert check(got, (x.astype(np.float64),), slack=4) is None


@pytest.mark.parametrize(("budget", "rounds"), [(math.inf, 15), (10.0, 10), (0.1, 7)])
def test_a_budget_means_fewer_rounds_but_never_too_few(budget, rounds):
    class Sleeper:
        def sample(self, repeats):
            return 1.0

    times = timing.measure({"slow": Sleeper()}, Effort(rounds=15, seconds=0, budget=budget))
    assert len(times["slow"]) == rounds


def test_every_round_has_every_contestant_in_a_fresh_order():
    schedule = list(timing._schedule(["a", "b", "c"], rounds=20))
    rounds = [tuple(schedule[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 3


def test_arguments_are_used_in_turn():
    used = []
    contestant = Contestant(lambda x: used.append(x) or x, [(1,), (2,), (3,)])
    timing.measure({"only": contestant}, Effort(rounds=1, seconds=1e-9))
    assert used[:2] == [1, 2]
    assert contestant.sample(4) > 0
    assert used[-4:] == [1, 2, 3, 1]


# --- accuracy, as small as it gets ---


@pytest.fixture(scope="module")
def accuracy_rows():
    asked = [
        accuracy.question("sigmoid", "derivative 1", "float32"),
        accuracy.question("softmax", "vjp", "float32"),
    ]
    peers = [peer for peer in find_peers() if peer.name in ("jaxcalc high", "jax.nn")]
    return accuracy.ask(asked, peers, True, SILENT).rows


def worst(rows, peer):
    return [row["worst"] for row in rows if row["peer"] == peer]


def test_accuracy(accuracy_rows):
    high, nn = worst(accuracy_rows, "jaxcalc high"), worst(accuracy_rows, "jax.nn")
    assert high[0] < 4
    assert high[1] < 50
    assert min(nn) > 1e6
    assert all(row["quantile_999"] <= row["worst"] for row in accuracy_rows)
    assert all(row["points"] > 1000 for row in accuracy_rows)


def test_accuracy_is_shown_with_the_peers_side_by_side(accuracy_rows):
    heading, _, *lines = show(accuracy.parts(accuracy_rows)).splitlines()
    assert " ".join(heading.split()) == "dtype function quantity unit jaxcalc high jax.nn"
    assert [line.split()[:2] for line in lines] == [["float32", "sigmoid"], ["float32", "softmax"]]


@pytest.mark.parametrize(("function", "quantity"), accuracy.ROW_JUDGES)
def test_an_exact_peer_has_no_error_beyond_rounding(function, quantity):
    exact = Peer("exact", "1", ("float32",), rounded_oracle)
    asked = accuracy.question(function, quantity, "float32")
    (row,) = accuracy.ask([asked], [exact], True, SILENT).rows
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
    one_a_row = function in ("logsumexp", LOSS) and quantity == "vjp"
    t = oracles.make_tangents("random", (3,) if one_a_row else (3, 4), np.float32)
    true = rounded_oracle(function, quantity, x, t)
    for peer in find_peers():
        got = peer.evaluate(function, quantity, x, t)
        if got is not None:
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, true, rtol=1e-3, atol=1e-5, err_msg=peer.name)


def test_pictures(tmp_path, accuracy_rows, monkeypatch):
    pytest.importorskip("matplotlib")
    subject = Subject("", lambda quick, progress: Result(accuracy_rows, []), accuracy.parts)
    monkeypatch.setattr(command, "SUBJECTS", {"accuracy": subject})
    for place in ("new", "one.svg"):
        assert command.main(["--subject", "accuracy", "--plot", str(tmp_path / place)]) == 0
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert names == {"new/accuracy.png", "one.svg"}
