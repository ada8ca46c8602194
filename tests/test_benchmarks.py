"""The benchmarks measure what they say, and refuse what is wrong."""

import io
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import accuracy, cells, oracles, plain, speed, timing
from benchmarks.peers import Peer, find_peers
from benchmarks.peers.jax import jax_nn, libraries
from benchmarks.report import Progress, Result
from benchmarks.statistics import Ratio, paired_ratio, spread
from benchmarks.subjects import Subject
from benchmarks.timing import Contestant, Effort, check
from benchmarks.traffic import Sizes, ideal_bytes

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=5, seconds=1e-5)
TINY = cells.Grid(("float32",), ((16, 8),), ((4, 3),), functions=("softmax",))

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
        ("softmax", "jacobian", 800 + 8000),
    ],
)
def test_ideal_traffic(function, quantity, expected):
    assert ideal_bytes(function, quantity, Sizes((4, 5, 10), itemsize=4)) == expected


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


def doubled():
    """jax.nn with a softmax whose derivative is twice what it should be."""

    @jax.custom_jvp
    def softmax(x):
        return jax.nn.softmax(x)

    @softmax.defjvp
    def _(primals, tangents):
        value, tangent = jax.jvp(jax.nn.softmax, primals, tangents)
        return value, 2 * tangent

    right = jax_nn()
    return right._replace(functions={**right.functions, "softmax": softmax})


def test_a_wrong_contestant_is_reported_and_its_cell_not_timed():
    result = speed.run_grid(TINY, BRIEF, SILENT, {"jax.nn": jax_nn(), "doubled": doubled()})
    wrong = [line.partition(":")[0] for line in result.failures]
    assert wrong == [f"softmax {q} float32 16 × 8" for q in ("jvp", "vjp", "value+vjp")]
    assert all("doubled is wrong, not timed: relative error" in line for line in result.failures)
    assert {row["quantity"] for row in result.rows} == {"value", "jacobian"}


@pytest.mark.parametrize(
    ("function", "quantity"), dict.fromkeys(cell[:2] for cell in cells.cells(cells.GRIDS["quick"]))
)
def test_what_results_are_checked_against(function, quantity):
    x = oracles.make_logits("scale 1", (3, 4), np.float32).astype(np.float64)
    t = oracles.make_tangents("random", (3,) if is_one_a_row(function, quantity) else (3, 4), "f8")
    with jax.enable_x64(True):
        cell = cells.Cell(function, quantity, "float64", (3, 4))
        result = cells.contestant(jax_nn(), cell, [(jnp.asarray(x), jnp.asarray(t))]).result()
        references = plain.reference(function, quantity, x, t)
        for got, reference in zip(jax.tree.leaves(result), references, strict=True):
            np.testing.assert_allclose(got, reference, rtol=1e-11, atol=1e-14)


def is_one_a_row(function, quantity):
    return function == "logsumexp" and "vjp" in quantity


def test_every_round_has_every_contestant_in_a_fresh_order():
    schedule = list(timing._schedule(["a", "b", "c"], rounds=20))
    rounds = [tuple(schedule[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 3


def test_arguments_are_used_in_turn():
    used = []
    contestant = Contestant(lambda x: used.append(x) or x, [(1,), (2,), (3,)])
    timing.measure({"only": contestant}, Effort(rounds=1, seconds=0))
    assert used[:2] == [1, 2]
    assert timing._sample(contestant, 4) > 0
    assert used[-4:] == [1, 2, 3, 1]


def test_working_set_is_filled():
    cell = cells.Cell("softmax", "value", "float32", (16, 8))
    assert [len(cells.inputs(cell, size)) for size in (0, 512, 513, 2000)] == [1, 1, 2, 4]


# --- the subjects, as small as they get ---


@pytest.fixture(scope="module")
def speed_rows():
    return speed.run_grid(TINY, BRIEF, SILENT, libraries()).rows


def test_speed(speed_rows):
    assert len(speed_rows) == 5 * 4  # quantities, contestants with the A/A pair
    for row in speed_rows:
        assert row["seconds_lower_quartile"] <= row["seconds"] <= row["seconds_upper_quartile"]
        assert math.isclose(row["gb_per_second"], row["bytes"] / row["seconds"] / 1e9)
        assert row["percent_of_copy"] > 0
        assert (row["contestant"] != "jax.nn") or row["ratio"] == row["ratio_high"] == 1


def test_speed_is_shown_one_line_a_cell(speed_rows):
    text = speed.show(speed_rows)
    assert sum(line.startswith("softmax") for line in text.splitlines()) == 5
    assert "jaxcalc high GB/s (of copy)" in text
    assert "geometric mean" in text


def question(function, quantity, dtype="float32"):
    (found,) = [
        q for q in accuracy.questions(accuracy.DTYPES) if q[:3] == (dtype, function, quantity)
    ]
    return found


@pytest.fixture(scope="module")
def accuracy_rows():
    asked = [question("sigmoid", "derivative 1"), question("softmax", "vjp")]
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
    heading, _, *lines = accuracy.show(accuracy_rows).splitlines()
    assert " ".join(heading.split()) == "dtype function quantity unit jaxcalc high jax.nn"
    assert [line.split()[:2] for line in lines] == [["float32", "sigmoid"], ["float32", "softmax"]]


@pytest.mark.parametrize(("function", "quantity"), accuracy.ROW_JUDGES)
def test_an_exact_peer_has_no_error_beyond_rounding(function, quantity):
    exact = Peer("exact", "1", ("float32",), rounded_oracle)
    (row,) = accuracy.ask([question(function, quantity)], [exact], True, SILENT).rows
    assert row["worst"] <= 1.0


EXACT = {
    ("softmax", "jvp"): lambda x, t: oracles.softmax_product(x, t).value,
    ("softmax", "vjp"): lambda x, t: oracles.softmax_product(x, t).value,
    ("softmax", "jacobian"): lambda x, t: oracles.softmax_jacobian(x),
    ("log_softmax", "jvp"): lambda x, t: oracles.log_softmax_jvp(x, t).value,
    ("log_softmax", "vjp"): lambda x, t: oracles.log_softmax_vjp(x, t).value,
    ("logsumexp", "jvp"): lambda x, t: oracles.logsumexp_jvp(x, t).value,
    ("logsumexp", "vjp"): lambda x, t: t[:, None] * oracles.softmax(x),
}


def rounded_oracle(function, quantity, x, t):
    value = EXACT.get((function, quantity), lambda x, t: getattr(oracles, function)(x))
    return value(x, t).astype(x.dtype)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("function", "quantity"), accuracy.ROW_JUDGES)
def test_every_peer_computes_the_quantity_that_is_asked(function, quantity):
    x = oracles.make_logits("scale 1", (3, 4), np.float32)
    shape = (3,) if is_one_a_row(function, quantity) else (3, 4)
    t = oracles.make_tangents("random", shape, np.float32)
    true = rounded_oracle(function, quantity, x, t)
    for peer in find_peers():
        got = peer.evaluate(function, quantity, x, t)
        if got is not None:
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, true, rtol=1e-3, atol=1e-5, err_msg=peer.name)


def test_pictures(tmp_path, accuracy_rows, speed_rows, monkeypatch):
    pytest.importorskip("matplotlib")
    subjects = {
        name: Subject("", lambda quick, progress, rows=rows: Result(rows, []), str)
        for name, rows in (("accuracy", accuracy_rows), ("speed", speed_rows))
    }
    monkeypatch.setattr(command, "SUBJECTS", subjects)
    assert command.main(["--plot", str(tmp_path / "new")]) == 0
    assert command.main(["--plot", str(tmp_path / "both.svg")]) == 0
    assert command.main(["--subject", "speed", "--plot", str(tmp_path / "one.png")]) == 0
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    pictures = {"new/accuracy.png", "new/speed.png", "both-accuracy.svg", "both-speed.svg"}
    assert names == pictures | {"one.png"}
