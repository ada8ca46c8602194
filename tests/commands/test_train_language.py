"""`train --task language`: the text and its vocabulary, the model's mathematics, the command."""

import contextlib
import io
import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcalc.__main__ import main
from jaxcalc._commands import corpus, language, language_model
from jaxcalc._commands.language_model import Sizes

pytestmark = pytest.mark.slow

SMALL = language.Setting(
    Sizes(vocabulary=2048, length=32, width=16, heads=2, layers=1),
    windows=64,
    steps=6,
    rate=1e-2,
    reports=3,
)
WAYS = (language.WIDE, language.PLAIN, language.OURS)


def run(folder, *argv):
    """The exit status, the printed text and the record of a run."""
    out, path = io.StringIO(), folder / "f.json"
    with contextlib.redirect_stdout(out):
        status = main(["train", "--task", "language", "--json", str(path), *argv])
    return status, out.getvalue(), json.loads(path.read_text(encoding="utf-8"))


# The text


@pytest.fixture(scope="module")
def text():
    return corpus.load(8192, seed=0)


def test_the_text_is_large_and_the_vocabulary_full(text):
    assert len(text.train) > 400_000
    assert 0.04 < len(text.held_out) / len(text.train) < 0.25
    assert len(set(text.vocabulary.pieces)) == 8192
    used = np.count_nonzero(np.bincount(text.train, minlength=8192))
    assert used > 8192 - len(corpus.BYTES)


@pytest.mark.parametrize(
    "spelled",
    [b"", b"The value of a string.", "∂ and αβγ\n\n  \t x\r\n".encode(), bytes(range(256))],
    ids=["nothing", "words", "other letters", "every byte"],
)
def test_any_text_comes_back(spelled, text):
    numbers = text.vocabulary.encode(spelled)
    assert text.vocabulary.decode(numbers) == spelled


def test_the_whole_text_comes_back(text):
    for part in (text.train, text.held_out):
        whole = text.vocabulary.decode(part)
        np.testing.assert_array_equal(text.vocabulary.encode(whole), part)


def test_a_frequent_word_is_one_piece_and_a_rare_one_is_spelled(text):
    assert len(text.vocabulary.encode(b" function")) == 1
    rare = text.vocabulary.encode(b" functionqqzx")
    assert text.vocabulary.pieces[rare[0]] == b" function"
    assert len(rare) > 2


def test_what_is_held_out_is_not_fitted_and_follows_from_the_seed(monkeypatch):
    documents = list(corpus.documents())[::4]
    monkeypatch.setattr(corpus, "documents", lambda: documents)
    first, again, other = (corpus.load(300, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.held_out, again.held_out)
    assert not np.array_equal(first.held_out, other.held_out)
    fitted, held_out = (first.vocabulary.decode(part) for part in (first.train, first.held_out))
    apart = [document for document in documents if len(document) > 1000 and document in held_out]
    assert apart
    assert not [document for document in apart if document in fitted]


def test_a_python_without_sources_is_said(monkeypatch, capsys):
    monkeypatch.setattr(corpus, "documents", lambda: iter([b"a few words"] * 40))
    assert main(["train", "--task", "language"]) == 2
    assert "this Python came without its source files" in capsys.readouterr().err


# The model


@pytest.fixture(scope="module")
def model():
    """A model of a vocabulary that is large beside the rest, and windows for it."""
    sizes = Sizes(vocabulary=3000, length=24, width=16, heads=2, layers=1)
    rng = np.random.default_rng(1)
    frequencies = rng.dirichlet(np.full(3000, 5.0))
    model = language_model.random_model(sizes, frequencies, seed=0)
    kernel = jnp.asarray(rng.normal(size=(16, 3000)), jnp.float32)
    return model._replace(kernel=kernel), jnp.asarray(rng.integers(3000, size=(32, 25)))


@partial(jax.jit, static_argnums=(2, 3))
def loss_and_gradient(model, windows, dtype, loss):
    return jax.value_and_grad(language_model.mean_loss)(model, windows, dtype, loss)


def errors(gradient, right):
    return [
        float(jnp.linalg.norm(g - r) / jnp.linalg.norm(r))
        for g, r in zip(jax.tree.leaves(gradient), jax.tree.leaves(right), strict=True)
    ]


@pytest.fixture(scope="module")
def right(model):
    return loss_and_gradient(*model, jnp.dtype(jnp.float32), language_model.plain_loss)


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.06)])
def test_loss_and_gradient_are_those_of_the_plain_loss_in_float32(dtype, bound, model, right):
    loss, gradient = loss_and_gradient(*model, jnp.dtype(dtype), language_model.joined_loss)
    assert loss == pytest.approx(float(right[0]), rel=bound / 10)
    assert max(errors(gradient, right[1])) < bound


def test_the_first_loss_is_that_of_the_frequencies(model):
    model, windows = model
    untrained = model._replace(kernel=jnp.zeros_like(model.kernel))
    loss, _ = loss_and_gradient(
        untrained, windows, jnp.dtype(jnp.float32), language_model.joined_loss
    )
    assert loss == pytest.approx(-float(jnp.mean(model.bias[windows[:, 1:]])), rel=1e-4)


def test_a_place_sees_nothing_that_follows(model):
    model, windows = model
    rows = jax.jit(lambda pieces: language_model.hidden(model, pieces, jnp.float32))
    here, there = rows(windows[:, :24]), rows(windows[:, :24].at[:, 12:].set(7))
    np.testing.assert_allclose(there[:, :12], here[:, :12], rtol=1e-5, atol=1e-5)
    assert not np.allclose(there[:, 12:], here[:, 12:], atol=0.1)


def test_the_first_step_of_adam_goes_by_signs(model):
    start = language_model.start(model[0])
    gradient = jax.tree.map(lambda W: np.where(W > 0, np.float32(3), np.float32(-0.1)), model[0])
    after = jax.jit(language_model.adam_step)(start, gradient, jnp.float32(0.01))
    for new, old, g in zip(*map(jax.tree.leaves, (after.model, model[0], gradient)), strict=True):
        np.testing.assert_allclose(new, old - 0.01 * np.sign(g), rtol=1e-4, atol=1e-6)


# The training


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_no_window_comes_twice_before_each_was_there(steps):
    length = SMALL.sizes.length
    setting = SMALL._replace(windows=5, steps=steps)
    pieces = np.arange(10 * length + 1, dtype=np.int32)
    taken = language.batches(pieces, setting, seed=0)
    assert taken.shape == (steps, 5, length + 1)
    counts = np.bincount(taken[..., 0].ravel() // length, minlength=10)
    assert (counts.sum(), counts.max()) == (5 * steps, -(-steps // 2))
    assert np.ptp(counts) <= 1
    np.testing.assert_array_equal(taken[..., 1:], taken[..., :-1] + 1)


def test_the_rate_rises_and_falls():
    setting = SMALL._replace(steps=40)
    rates = [language.rate(step, setting) for step in range(40)]
    assert max(rates) <= setting.rate
    assert 0 < rates[-1] < rates[0] < max(rates)


# The command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    some = list(corpus.documents())[::8]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "SETTING", SMALL)
        patch.setattr(corpus, "documents", lambda: some)
        return folder, *run(folder, "--plot", str(folder / "f.png"))


def test_text_memory_progress_and_table_are_printed(trained):
    _, status, out, record = trained
    assert status in (0, 1)  # so few steps need not beat the frequencies
    assert out.startswith(corpus.citation())
    assert "nothing is downloaded" in out
    assert "seed and batches of all runs are the same" in out
    assert "vocabulary of 2048: 256 bytes and the most frequent words" in out
    for way, result in zip(WAYS, record["runs"], strict=True):
        lines = [line for line in out.splitlines() if line.startswith(way.name)]  # table last
        assert len([line for line in lines if "step " in line]) == SMALL.reports
        assert f"{result['held_out_perplexity']:.2f}" in lines[-1]
        assert f"MiB   {way.name}" in out


def test_the_record_holds_the_three_runs(trained):
    record = trained[-1]
    wide, plain, ours = record["runs"]
    assert (record["task"], record["seed"], record["steps"]) == ("language", 0, SMALL.steps)
    assert record["sizes"]["vocabulary"] == 2048
    for result in (wide, plain, ours):
        assert len(result["losses"]) == SMALL.steps
        assert result["losses"][0] == pytest.approx(wide["losses"][0], rel=0.01)
        assert result["held_out_perplexity"] == pytest.approx(np.exp(result["held_out_loss"]))
        assert result["step_bytes"] == record["step_bytes"][result["name"]]
        assert result["pieces_per_second"] > 0


def test_our_step_takes_less_memory_than_the_plain_one(trained):
    wide, plain, ours = (trained[-1]["step_bytes"][way.name] for way in WAYS)
    logits = SMALL.windows * SMALL.sizes.length * SMALL.sizes.vocabulary
    assert min(wide, plain) > 4 * logits
    assert ours < min(wide, plain) - 2 * logits


def test_the_picture_is_written(trained):
    picture = (trained[0] / "f.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 20_000


BAD_ARGUMENTS = {
    "another task": (["--task", "poetry"], "argument --task: invalid choice: 'poetry'"),
    "no task": (["--task"], "argument --task: expected one argument"),
    "devices": (["--task", "language", "--devices", "2"], "--devices: is for --task digits only"),
    "x64": (["--task", "language", "--x64"], "--x64: is for --task digits only"),
}


@pytest.mark.parametrize(("argv", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_a_bad_argument_gets_one_line(argv, words, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["train", *argv])
    out, err = capsys.readouterr()
    assert (exit_info.value.code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_third_of_the_run_learns(tmp_path, monkeypatch):
    monkeypatch.setattr(language, "SETTING", language.SETTING._replace(steps=40))
    status, _, record = run(tmp_path)
    (ours,) = record["runs"]
    assert status == 0
    assert ours["held_out_perplexity"] < 0.5 * record["frequency_perplexity"]
    assert ours["step_bytes"] < record["step_bytes"][language.PLAIN.name] / 1.5
