"""`train`: the data, the closed forms against autodiff, the two methods, the command."""

import contextlib
import importlib.util
import io
import json
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcalc.__main__ import main
from jaxcalc._commands import digits, fitting, regression, train


def run(folder, *argv):
    """The exit status, the printed text and the record of a run."""
    out, path = io.StringIO(), folder / "f.json"
    with contextlib.redirect_stdout(out):
        status = main(["train", "--json", str(path), *argv])
    return status, out.getvalue(), json.loads(path.read_text(encoding="utf-8"))


# The data


def test_the_data_is_whole_small_and_cited():
    data = digits.load()
    assert data.images.shape == (1797, 8, 8)
    assert (data.images.dtype, data.images.min(), data.images.max()) == (np.uint8, 0, 16)
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_array_equal(np.bincount(data.labels), counts)
    folder = resources.files("jaxcalc._commands") / "data"
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 100_000
    for words in ("Alpaydin", "Kaynak", "1998", "10.24432/C50P49", "CC BY 4.0"):
        assert words in digits.citation()


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn")
def test_the_data_is_that_of_scikit_learn():
    from sklearn.datasets import load_digits

    data, theirs = digits.load(), load_digits()
    np.testing.assert_array_equal(data.images, theirs.images)
    np.testing.assert_array_equal(data.labels, theirs.target)


def test_the_split_keeps_every_image_once_and_the_classes_in_proportion():
    data = digits.load()
    numbered = digits.Digits(np.arange(1797), data.labels)
    parts = digits.split(numbered, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([p.images for p in parts])), range(1797))
    fitted, held_out = (np.bincount(part.labels) for part in parts)
    assert np.all(np.abs(held_out - (fitted + held_out) / 3) < 1)


def test_the_seed_and_nothing_else_decides_the_split():
    data = digits.load()
    first, again, other = (digits.split(data, seed)[1].images for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# The mathematics, in double precision on a few images


@pytest.fixture
def small(x64):
    """Four by three pixels of fifteen images."""
    data = digits.load()
    some = digits.Digits(data.images[:15, 2:6, 2:5], data.labels[:15])
    return regression.problem(some, 0.01, jnp.float64)


@pytest.fixture
def weights(small):
    return regression.random_weights(small, seed=1)


def test_the_loss_is_the_plain_loss(small, weights):
    np.testing.assert_allclose(
        regression.loss(weights, small), regression.plain_loss(weights, small), rtol=1e-14
    )


@pytest.mark.slow
def test_the_gradient_is_that_of_autodiff(small, weights):
    expected = jax.grad(regression.plain_loss)(weights, small)
    np.testing.assert_allclose(
        regression.gradient(weights, small), expected, rtol=1e-12, atol=1e-15
    )
    assert regression.gradient_error(weights, small) < 1e-14


@pytest.mark.slow
def test_the_hessian_is_that_of_autodiff(small, weights):
    v = regression.random_weights(small, seed=2)
    gradient = jax.grad(regression.plain_loss)
    _, expected = jax.jvp(lambda W: gradient(W, small), (weights,), (v,))
    product = (regression.hessian(weights, small) @ v.ravel()).reshape(v.shape)
    np.testing.assert_allclose(product, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.slow
def test_the_curvature_lies_between_the_penalty_and_the_smoothness(small, weights):
    curvatures = np.linalg.eigvalsh(regression.hessian(weights, small))
    assert small.penalty * (1 - 1e-9) <= curvatures[0]
    assert curvatures[-1] <= small.smoothness


def test_the_gap_bound_holds(small, weights):
    lowest = fitting.fit(fitting.NEWTON, small, lambda *_: None).losses[-1]
    for scale in (0.0, 0.1, 1.0):
        loss = regression.loss(scale * weights, small)
        bound = regression.gap_bound(regression.gradient(scale * weights, small), small)
        assert loss - lowest <= bound


# The methods


@pytest.mark.parametrize("stretch", [1, 64, 512])
def test_the_step_is_halved_until_the_loss_falls(stretch, small):
    W = regression.no_weights(small)
    g = regression.gradient(W, small)
    direction = -stretch / small.smoothness * g
    t = fitting.step_length(W, direction, g, small)
    assert regression.loss(W + t * direction, small) < regression.loss(W, small)
    assert (t == 1) == (stretch == 1)


@pytest.mark.slow
def test_a_method_that_runs_out_of_iterations_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(train, "METHODS", (fitting.DESCENT._replace(limit=200),))
    status, out, record = run(tmp_path)
    assert status == 1
    assert out.rstrip().endswith("not converged")
    assert not record["methods"][0]["converged"]


@pytest.mark.slow
def test_a_wrong_gradient_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(train, "METHODS", ())
    right = regression.gradient
    monkeypatch.setattr(regression, "gradient", lambda W, p: right(W, p) * (1 + 1e-4))
    assert run(tmp_path)[0] == 1


# The command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    return folder, *run(folder, "--plot", str(folder / "f.png"))


@pytest.mark.slow
def test_both_methods_reach_the_same_minimum(trained):
    _, status, _, record = trained
    newton, descent = record["methods"]
    assert status == 0
    assert (record["dtype"], record["seed"]) == ("float32", 0)
    assert newton["converged"]
    assert descent["converged"]
    assert newton["iterations"] < 15 < descent["iterations"]
    assert newton["loss"] == pytest.approx(descent["loss"], rel=1e-6)
    assert newton["losses"][0] == pytest.approx(np.log(10), rel=1e-6)
    assert np.all(np.diff(newton["losses"]) < 1e-6)
    assert len(newton["losses"]) == newton["iterations"] + 1


@pytest.mark.slow
def test_held_out_digits_are_recognised(trained):
    for method in trained[-1]["methods"]:
        assert method["held_out_accuracy"] >= 0.95
        assert method["train_accuracy"] >= 0.95


def test_the_gradient_check_is_printed(trained):
    _, _, out, record = trained
    assert "gradient against `jax.grad` of the plain loss: largest relative difference" in out
    assert record["gradient_error_eps"] <= train.AGREEMENT


def test_progress_table_and_licence_are_printed(trained):
    _, _, out, record = trained
    lines = out.splitlines()
    assert digits.citation() in out
    newton = [line for line in lines if line.startswith("Newton") and "iteration " in line]
    assert len(newton) == record["methods"][0]["iterations"] + 1
    table = lines[-2:]
    for line, method in zip(table, record["methods"], strict=True):
        assert line.startswith(method["method"])
        assert f"{method['held_out_accuracy']:.4f}" in line
        assert f"{method['iterations']}" in line


def test_the_picture_is_written(trained):
    picture = (trained[0] / "f.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 20_000


@pytest.mark.slow
def test_double_precision_reaches_further(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "METHODS", (fitting.NEWTON,))
    status, _, record = run(tmp_path, "--x64", "--seed", "5")
    assert (status, record["dtype"], record["seed"]) == (0, "float64", 5)
    assert record["methods"][0]["held_out_accuracy"] >= 0.95
    assert record["gradient_error_eps"] <= train.AGREEMENT
    losses = np.array(record["methods"][0]["losses"])
    assert abs(losses[-1] - losses[-2]) < 1e-11
