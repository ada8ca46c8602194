"""PyTorch in its own process: what it computes, how it fails."""

import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from benchmarks.speed import data
from benchmarks.speed.cell import FUNCTIONS, QUANTITIES, Cell
from benchmarks.speed.jax_side import rivals
from benchmarks.speed.running import Rivals, run_cell
from benchmarks.timing import Effort, check
from benchmarks.torch_side import contestants, process
from benchmarks.torch_side.job import Answer, Job, Sample
from benchmarks.torch_side.process import Remote, WorkerError, torch_process
from benchmarks.torch_side.worker import Worker, serve

ROOT = Path(__file__).parents[2]
BRIEF = Effort(rounds=3, seconds=1e-5)
QUESTIONS = [(f, q) for f in FUNCTIONS for q in QUANTITIES]


def job(function, quantity, dtype="float32", shape=(3, 4), axis=-1, step=1, **changes):
    cell = Cell(function, quantity, dtype, shape, axis)
    values = data.make_data(cell)
    asked = Job(function, quantity, axis, values[:3], 1, step, "cpu", False)
    return cell, values, asked._replace(**changes)


# --- what does not need PyTorch ---


class NoTensors:
    """Enough of PyTorch for a worker that is never asked for a tensor."""

    def zeros(self, size):
        return self

    def add_(self, number):
        return self


class FakeWorker(Worker):
    """A worker whose contestant counts its calls."""

    def __init__(self):
        super().__init__(NoTensors())
        self.called = []

    def prepare(self, job):
        self._calls = {"torch": [lambda: self.called.append(1), lambda: self.called.append(2)]}
        return Answer({"torch": [job.arguments[0]]}, {})


def test_a_worker_answers_until_the_parent_hangs_up():
    worker, (ours, theirs) = FakeWorker(), Pipe()
    thread = Thread(target=serve, args=(theirs, worker))
    thread.start()
    _, values, asked = job("softmax", "value")
    ours.send(asked)
    np.testing.assert_array_equal(ours.recv().outputs["torch"][0], values.x)
    ours.send(Sample("torch", 3))
    assert 0 < ours.recv() < 1
    assert worker.called == [1, 2, 1]
    ours.close()
    thread.join(timeout=5)
    assert not thread.is_alive()


def python(monkeypatch, code):
    """Make the process run that code instead of the worker's."""
    monkeypatch.setattr(process, "COMMAND", ("-c", code))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('first'); sys.exit('no tensors today')", "ended: no tensors today"),
        ("import time; time.sleep(60)", "gave no answer in 1 seconds"),
    ],
)
def test_a_worker_that_fails_is_absent_and_can_start_again(monkeypatch, code, words):
    python(monkeypatch, code)
    _, _, asked = job("softmax", "value")
    with torch_process(patience=1.0) as torch:
        for _ in range(2):
            torch.begin(asked)
            answer = torch.answer()
            assert answer.outputs == {}
            assert words in answer.absent["torch"]


def test_a_worker_that_ends_while_it_is_timed_leaves_the_others(monkeypatch):
    python(monkeypatch, ANSWERS_ONCE)
    with torch_process(patience=20.0) as torch:
        cell = Cell("softmax", "value", "float32", (3, 4))
        result = run_cell(cell, Rivals(rivals(), torch), 0, BRIEF)
    parts = {row["contestant"]: row["part"] for row in result.rows}
    assert parts.pop("torch") == "absent"
    assert parts == dict.fromkeys(("high", "fast", "jax.nn", "jax.nn again"), "cell")


ANSWERS_ONCE = """
import sys
from multiprocessing.connection import Connection
import numpy as np
from benchmarks.torch_side.job import Answer
connection = Connection(int(sys.argv[1]))
x = connection.recv().arguments[0].astype(np.float64)
s = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
connection.send(Answer({"torch": [s.astype(np.float32)]}, {}))
"""


def test_the_workers_threads_stay_on_their_cores(monkeypatch):
    monkeypatch.delenv("OMP_PROC_BIND", raising=False)
    assert process._environment()["OMP_PROC_BIND"] == "true"
    monkeypatch.setenv("OMP_PROC_BIND", "false")
    assert process._environment()["OMP_PROC_BIND"] == "false"


def test_the_worker_is_free_of_jax():
    code = "import sys, benchmarks.torch_side.worker; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# --- with PyTorch ---


@pytest.fixture(scope="module")
def worker():
    """A worker in this process: what it computes does not depend on where it runs."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.torch_side.tensors import load_torch

    return Worker(load_torch())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("function", "quantity"), QUESTIONS)
def test_every_quantity_is_what_is_asked(worker, function, quantity, dtype):
    cell, values, asked = job(function, quantity, dtype)
    answer = worker.prepare(asked)
    assert answer.absent == {}
    true = data.true_rows(cell, values)
    assert check(answer.outputs["torch"], true, data.slack(cell)) is None
    assert worker.sample(Sample("torch", 2)) > 0


@pytest.mark.parametrize("quantity", ["value+vjp", "jacobian"])
@pytest.mark.parametrize("function", ["softmax", "logsumexp"])
def test_the_rows_that_are_checked_are_those_of_this_side(worker, function, quantity, monkeypatch):
    monkeypatch.setattr(data, "CHECKED_ENTRIES", 30)
    shape, axis = ((5, 6), -1) if quantity == "jacobian" else ((4, 6, 3), 0)
    cell, values, asked = job(function, quantity, shape=shape, axis=axis)
    outputs = worker.prepare(asked._replace(step=data.row_step(cell))).outputs["torch"]
    for got, true in zip(outputs, data.true_rows(cell, values), strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-4, atol=1e-6)


def test_what_a_contestant_raises_is_why_it_is_absent(worker, monkeypatch):
    def fail(torch, f, x, t, g):
        raise RuntimeError("not\nimplemented")

    monkeypatch.setitem(contestants.MAKERS, "value", fail)
    _, _, asked = job("softmax", "value")
    answer = worker.prepare(asked)
    assert answer == Answer({}, {"torch": "RuntimeError: not"})


@pytest.mark.skipif(os.name != "posix", reason="the worker inherits a socket")
def test_a_cell_with_pytorch_beside(monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    cell = Cell("softmax", "value+vjp", "bfloat16", (8, 16), 0)
    with torch_process() as torch:
        result = run_cell(cell, Rivals(rivals(), torch), 0, BRIEF)
        assert isinstance(Remote(torch, "torch").sample(1), float)
        with pytest.raises(WorkerError, match="the process ended: KeyError: 'nobody'"):
            Remote(torch, "nobody").sample(1)
        start = time.perf_counter()
    assert time.perf_counter() - start < 5
    (row,) = (row for row in result.rows if row["contestant"] == "torch")
    assert row["seconds"] > 0
    assert 0 < row["error_u"] < 2000
