"""`train --devices`: the split regression against the whole one, what is counted, the command."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcalc.__main__ import main
from jaxcalc._commands import digits, options, regression, splitting
from jaxcalc._commands.communication import communication
from jaxcalc._functions.native import forms
from jaxcalc._native import Kernels

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _started():
    """JAX, with the eight devices of the conftest."""
    assert len(jax.devices("cpu")) == 8


def run(folder, *argv):
    """The exit status, the printed text and the record of a run."""
    out, path = io.StringIO(), folder / "f.json"
    with contextlib.redirect_stdout(out):
        status = main(["train", "--json", str(path), *argv])
    return status, out.getvalue(), json.loads(path.read_text(encoding="utf-8"))


# What is counted


def compiled(f, *specs):
    """The text of f, each of its arguments [8, 16] and split over four devices."""
    mesh = jax.make_mesh((4,), ("model",), (AxisType.Auto,), devices=jax.devices("cpu")[:4])
    f = jax.shard_map(f, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)
    shardings = (NamedSharding(mesh, spec) for spec in specs)
    types = (jax.ShapeDtypeStruct((8, 16), jnp.float32, sharding=s) for s in shardings)
    return jax.jit(f).lower(*types).compile().as_text()


def sums(x):
    return jax.lax.psum(jnp.sum(x, 1), "model")


PROGRAMS = {
    "nothing": (lambda x: x[:, 0], 0, 0),
    "one sum": (sums, 1, 8),
    "two that wait": (lambda x: sums(x * sums(x)[:, None]), 2, 16),
    "two that do not": (lambda x: sums(x) * jax.lax.pmax(jnp.max(x, 1), "model"), 1, 16),
    "a gathering": (lambda x: jax.lax.all_gather(x, "model", axis=1, tiled=True), 1, 32),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_rounds_and_numbers_are_those_of_the_program(name):
    f, rounds, numbers = PROGRAMS[name]
    text = compiled(f, PartitionSpec(None, "model"))
    assert communication(text) == (rounds, numbers)


def test_a_loop_that_communicates_is_not_counted():
    def f(x):
        return jax.lax.scan(lambda y, _: (sums(x * y[:, None]), None), x[:, 0], length=3)[0]

    with pytest.raises(ValueError, match="in a loop or a branch"):
        communication(compiled(f, PartitionSpec(None, "model")))


# The mathematics


@pytest.mark.parametrize("count", [1, 3, 8], ids=lambda n: f"{n} devices")
def test_the_split_regression_is_the_whole_one(count, x64):
    """Of eight devices three hold nothing but padding."""
    data = digits.load()
    some = digits.Digits(data.images[:15, 2:6, 2:5], data.labels[:15])
    p = regression.problem(some, 0.01, jnp.float64)
    devices = splitting.virtual_devices(count)
    whole = splitting.train_whole(p, 1, devices[0])
    split = splitting.train_split(p, 1, devices)
    np.testing.assert_allclose(split.gradient, whole.gradient, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(split.weights, whole.weights, rtol=1e-10, atol=1e-12)
    assert split.loss == pytest.approx(whole.loss, rel=1e-13)
    assert whole.loss < np.log(10) / 2
    assert whole.said == (0, 0)


# The command


@pytest.mark.slow
def test_a_run_prints_and_records_both(tmp_path, monkeypatch):
    # native rows are for whole arrays: without them one device adds up as the four do
    monkeypatch.setattr(forms, "kernels", lambda: Kernels(None, "the test says so"))
    status, out, record = run(tmp_path, "--devices", "4")
    one, four = record["split"]
    assert status == 0
    assert (record["dtype"], record["seed"], record["steps"]) == ("float32", 0, splitting.STEPS)
    assert (one["devices"], one["rounds"], one["gradient_error"]) == (1, 0, 0)
    assert (four["devices"], four["rounds"]) == (4, 3)
    assert 3 <= four["numbers_a_row"] <= 8 < digits.CLASSES
    assert four["loss"] == pytest.approx(one["loss"], rel=1e-6)
    assert "10 classes, 3 a device, 2 of them masked" in out
    assert "numbers a row" in out


@pytest.mark.slow
def test_a_wrong_split_fails(monkeypatch, tmp_path):
    right = splitting.split_loss
    monkeypatch.setattr(splitting, "split_loss", lambda W, p: right(W, p) * (1 + 1e-4))
    assert run(tmp_path, "--devices", "2")[0] == 1


BAD_ARGUMENTS = {
    "none": (["0"], "argument --devices: must be a whole number from 1 to 64, not '0'"),
    "letters": (["two"], "must be a whole number from 1 to 64, not 'two'"),
    "too many": ([str(options.MOST_DEVICES + 1)], "must be a whole number from 1 to 64, not '65'"),
    "a picture": (["2", "--plot", "f.png"], "--plot: draws the two methods, which --devices does"),
    "more than there are": (["9"], "--devices: must be at most 8 here, since JAX has already"),
}


@pytest.mark.parametrize(("argv", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_a_bad_number_of_devices_gets_one_line(argv, words, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["train", "--devices", *argv])
    out, err = capsys.readouterr()
    assert (exit_info.value.code, out, err.count("\n")) == (2, "", 1)
    assert words in err


@pytest.mark.slow
def test_a_process_of_its_own_gets_its_devices(tmp_path):
    command = [sys.executable, "-m", "jaxcalc", "train", "--devices", "16", "--json"]
    path = tmp_path / "f.json"
    done = subprocess.run([*command, path], cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [row["devices"] for row in json.loads(path.read_bytes())["split"]] == [1, 16]
