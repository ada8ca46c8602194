"""The losses beside their peers: known errors, who takes part, memory, tables, pictures."""

import io
import json
import math
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc
from benchmarks import losses, machine
from benchmarks.libraries import plain_cross_entropy
from benchmarks.losses import cases, logits, vocabulary
from benchmarks.losses.cases import Case
from benchmarks.losses.vocabulary import Layer
from benchmarks.report import Progress, Result, show
from benchmarks.timing import Effort
from benchmarks.torch_side.process import torch_process

BRIEF = Effort(rounds=3, seconds=1e-5)


def case(scale=5, dtype="float32"):
    return Case(scale, dtype, (6, 10))


# --- cases and errors ---


def test_dtypes_share_their_numbers():
    wide, narrow = (cases.make_data(case(dtype=dtype)) for dtype in ("float32", "bfloat16"))
    np.testing.assert_array_equal(wide.x.astype(narrow.x.dtype), narrow.x)
    np.testing.assert_array_equal(wide.y, narrow.y)


def test_truth_is_what_float64_gives():
    data = cases.make_data(case(dtype="float16"))
    x = data.x.astype(np.float64)
    loss = np.log(np.exp(x).sum(-1)) - x[np.arange(6), data.y]
    np.testing.assert_allclose(data.loss, loss, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(data.gradient.sum(-1), 0, atol=1e-14)


def test_errors_of_the_truth_are_0_and_of_a_change_that():
    data = cases.make_data(case())
    assert set(cases.errors(data, data.loss, data.gradient).values()) == {0}
    loss, gradient = data.loss.copy(), 1.5 * data.gradient
    loss[2] += 0.25
    expected = {"mean_error": 0.25 / data.loss.sum(), "row_error": 0.25, "gradient_error": 0.5}
    assert cases.errors(data, loss, gradient) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_rounding_is_no_error_however_small_a_gradient_is(dtype):
    dtype = jnp.dtype(dtype)
    entry = cases.smallest(dtype)
    below = np.array([entry / 3, entry / 1000]).astype(dtype).astype(np.float64)
    u = float(jnp.finfo(dtype).eps) / 2
    assert np.all(abs(below - [entry / 3, entry / 1000]) <= u * entry)
    assert float(jnp.finfo(dtype).tiny) <= max(u, dtype == jnp.float16) * entry


# --- who takes part ---


def test_16_bits_are_also_widened():
    assert set(logits.OWN) < set(logits.contestants("float32"))
    more = set(logits.contestants("float16")) - set(logits.contestants("float32"))
    assert "jax.nn, of float32" in more


def test_without_optax_the_others_remain(monkeypatch):
    monkeypatch.setattr(logits.importlib.util, "find_spec", lambda name: None)
    assert set(logits.contestants("float32")) == {"high", "fast", "jax.nn"}


def by_name(result):
    return {row["contestant"]: row for row in result.rows}


@pytest.fixture(scope="module")
def measured():
    """One case, and a layer so small that it is timed."""
    found = [
        logits.run_case(case(logits.TIMED_SCALE, "bfloat16"), BRIEF, None),
        vocabulary.run_layer(Layer(rows=4, features=3, vocabulary=1024, dtype="bfloat16"), BRIEF),
    ]
    assert [result.failures for result in found] == [[], []]
    return Result([row for result in found for row in result.rows], [])


@pytest.mark.slow
def test_ours_keep_digits_that_the_peers_lose(measured):
    rows = by_name(measured)
    for own in logits.OWN:
        assert rows[own]["mean_error"] < 1e-6
        assert rows[own]["gradient_error"] <= 2**-8
    assert rows["jax.nn"]["mean_error"] > 1e-4


@pytest.mark.slow
def test_everyone_is_timed_at_one_scale(measured):
    assert all(row["seconds"] > 0 for row in measured.rows)
    assert by_name(measured)["jax.nn"]["ratio"] == 1


def test_who_is_wrong_is_not_timed(monkeypatch):
    def wrong(x, y):
        return 2 * jc.softmax_cross_entropy(x, y)

    entered = {"high": wrong, "optax": wrong, "jax.nn": plain_cross_entropy}
    monkeypatch.setattr(logits, "contestants", lambda dtype: entered)
    result = logits.run_case(case(), BRIEF, None)
    (failure,) = result.failures
    assert failure.startswith("6 × 10 float32, scale 5: high is wrong, not timed: relative error")
    rows = by_name(result)
    assert rows["optax"]["seconds"] is None
    assert rows["optax"]["note"].startswith("wrong, not timed")
    assert rows["jax.nn"]["seconds"] > 0


def test_torch_takes_part():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    with torch_process() as process:
        result = logits.run_case(case(), BRIEF, process)
    torch = by_name(result)["torch"]
    assert torch["row_error"] < 1e-5
    assert torch["seconds"] > 0
    assert torch["arrays"] is None


# --- the last layer ---


def test_the_joined_loss_holds_less():
    layer = Layer(rows=768, features=2, vocabulary=32768, dtype="float32")
    rows = by_name(vocabulary.run_layer(layer, BRIEF, fits=0))
    assert rows["joined"]["mib"] < 0.7 * rows["plain"]["mib"]
    assert all(row["seconds"] is None for row in rows.values())


def test_a_wrong_layer_is_a_failure(monkeypatch):
    twice = partial(lambda f, *arguments: 2 * f(*arguments), vocabulary.PROGRAMS["joined"])
    monkeypatch.setitem(vocabulary.PROGRAMS, "joined", twice)
    result = vocabulary.run_layer(Layer(4, 3, 5, "bfloat16"), BRIEF)
    (failure,) = result.failures
    assert failure.startswith("4 × 3 × 5 bfloat16: joined is wrong, not timed: relative error")
    not_timed = [row["contestant"] for row in result.rows if row["seconds"] is None]
    assert not_timed == ["joined"]


# --- what is shown ---


def test_the_subject_shows_its_rows(measured):
    text = show(losses.parts(measured.rows))
    assert losses.parts([]) == []
    for word in (
        "6 × 10",
        "bfloat16",
        "jax.nn, of float32",
        "1.00 [1.00, 1.00]",
        "joined",
        "4 rows",
    ):
        assert word in text


def test_results_are_a_page_with_rows_and_pictures(measured, tmp_path):
    pages = pytest.importorskip("benchmarks.pages")
    on = machine.describe() | {"command": "the command"}
    page = pages.write_page(tmp_path, "losses", losses.parts, measured, on)
    text = page.read_text(encoding="utf-8")
    assert "the command" in text
    for kind in ("errors", "memory"):
        name = f"{page.stem}-{kind}.svg"
        assert f"]({name})" in text
        assert (tmp_path / name).stat().st_size > 5_000
    written = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(written["subjects"]["losses"]["rows"]) == len(measured.rows)


@pytest.mark.slow
def test_a_quick_run():
    result = losses.run(True, Progress(io.StringIO(), every=math.inf))
    assert result.failures == []
    assert {row["part"] for row in result.rows} == {"logits", "vocabulary"}
