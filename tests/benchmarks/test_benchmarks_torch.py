"""PyTorch in its own process: what it computes, how it fails."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from benchmarks.libraries import FUNCTIONS, libraries
from benchmarks.speed import data, running
from benchmarks.speed.cell import QUANTITIES, Cell
from benchmarks.speed.running import run_cell
from benchmarks.timing import Effort, check
from benchmarks.torch_side import process
from benchmarks.torch_side.process import Job, Remote, TorchProcess, WorkerError, torch_process
from benchmarks.torch_side.worker import Worker, serve

ROOT = Path(__file__).parents[2]
BRIEF = Effort(rounds=3, seconds=1e-5)
QUESTIONS = [(f, q) for f in FUNCTIONS for q in QUANTITIES]


def job(function, quantity, dtype="float32", shape=(3, 4), axis=-1, **changes):
    cell = Cell(function, quantity, dtype, shape, axis)
    values = data.make_data(cell)
    return cell, values, Job(function, quantity, axis, values, "cpu", False)._replace(**changes)


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
        self.called = 0

    def prepare(self, job):
        def call():
            self.called += 1

        self._calls = {"torch": call}
        return {"torch": [job.arguments[0]]}, {}


def test_a_worker_answers_until_the_parent_hangs_up():
    worker, pipes = FakeWorker(), (os.pipe(), os.pipe())
    (requests, ask), (answer, answers) = (
        (os.fdopen(r, "rb"), os.fdopen(w, "wb")) for r, w in pipes
    )
    thread = Thread(target=serve, args=(requests, answers, worker))
    thread.start()

    def said(message):
        pickle.dump(message, ask)
        ask.flush()
        return pickle.load(answer)

    _, values, asked = job("softmax", "value")
    computed, absent = said(asked)
    np.testing.assert_array_equal(computed["torch"][0], values[0])
    assert absent == {}
    assert 0 < said(("torch", 3)) < 1
    assert worker.called == 3
    ask.close()
    thread.join(timeout=5)
    assert not thread.is_alive()
    for stream in (requests, answer, answers):
        stream.close()


@pytest.fixture
def torch(monkeypatch, tmp_path, request):
    """The process, whose worker runs that code instead."""
    monkeypatch.setattr(process, "COMMAND", ("-c", request.param))
    with (tmp_path / "log").open("w+b") as log:
        started = TorchProcess(log)
        yield started
        started.stop()


@pytest.mark.parametrize(
    "torch", ["import sys; sys.stdin.read(1); sys.exit('no tensors today')"], indirect=True
)
def test_a_worker_that_ends_is_absent_and_can_start_again(torch):
    _, _, asked = job("softmax", "value")
    for _ in range(2):
        ready, absent = torch.prepare(asked)
        assert ready == {}
        assert "the process ended: no tensors today" in absent["torch"]


@pytest.mark.parametrize("torch", ["import time; time.sleep(60)"], indirect=True)
def test_a_worker_that_does_not_listen_is_killed(torch, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.1)
    started = torch._process = torch._started()
    torch.stop()
    assert started.returncode != 0


ANSWERS_ONCE = """
import pickle, sys
import numpy as np
x = pickle.load(sys.stdin.buffer).arguments[0].astype(np.float64)
s = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
pickle.dump(({"torch": [s.astype(np.float32)]}, {}), sys.stdout.buffer)
"""


@pytest.mark.parametrize("torch", [ANSWERS_ONCE], indirect=True)
def test_a_worker_that_ends_while_it_is_timed_leaves_the_others(torch):
    cell = Cell("softmax", "value", "float32", (3, 4))
    result = run_cell(cell, libraries(), BRIEF, torch)
    parts = {row["contestant"]: row["part"] for row in result.rows}
    assert parts.pop("torch") == "absent"
    assert parts == dict.fromkeys(("high", "fast", "jax.nn", "jax.nn again"), "cell")
    assert result.failures == []


@pytest.mark.parametrize("own", [{}, {"OMP_PROC_BIND": "false"}])
def test_the_workers_threads_stay_on_their_cores(monkeypatch, own):
    monkeypatch.delenv("OMP_PROC_BIND", raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    code = "import os, pickle, sys; pickle.dump(os.environ['OMP_PROC_BIND'], sys.stdout.buffer)"
    monkeypatch.setattr(process, "COMMAND", ("-c", code))
    with Path(os.devnull).open("w+b") as log:
        worker = TorchProcess(log)
        assert worker.ask(("torch", 1)) == own.get("OMP_PROC_BIND", "true")
        worker.stop()


def test_the_worker_is_free_of_jax():
    code = "import sys, benchmarks.torch_side.worker; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# --- with PyTorch ---


@pytest.fixture(scope="module")
def worker():
    """A worker in this process: what it computes does not depend on where it runs."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.torch_side.functions import load_torch

    return Worker(load_torch())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("function", "quantity"), QUESTIONS)
def test_every_quantity_is_what_is_asked(worker, function, quantity, dtype):
    cell, values, asked = job(function, quantity, dtype)
    computed, absent = worker.prepare(asked)
    assert absent == {}
    true = running.true_results(cell, values)
    assert check(computed["torch"], true, running.slack(cell)) is None
    assert worker.sample("torch", 2) > 0


@pytest.mark.parametrize("quantity", ["value+vjp", "jacobian"])
@pytest.mark.parametrize("function", ["softmax", "logsumexp"])
def test_the_entries_that_are_checked_are_those_of_this_side(
    worker, function, quantity, monkeypatch
):
    monkeypatch.setattr(process, "CHECKED", 10)
    shape, axis = ((5, 6), -1) if quantity == "jacobian" else ((4, 6, 3), 0)
    cell, values, asked = job(function, quantity, shape=shape, axis=axis)
    computed, _ = worker.prepare(asked)
    for got, true in zip(computed["torch"], running.true_results(cell, values), strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-4, atol=1e-6)


def test_what_a_contestant_raises_is_why_it_is_absent(worker):
    _, _, asked = job("softmax", "value")
    assert worker.prepare(asked._replace(function="nobody")) == (
        {},
        {"torch": "KeyError: 'nobody'"},
    )


def test_a_cell_with_pytorch_beside(monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    cell = Cell("softmax", "value+vjp", "bfloat16", (8, 16), 0)
    with torch_process() as torch:
        result = run_cell(cell, libraries(), BRIEF, torch)
        assert isinstance(Remote(torch, "torch", []).sample(1), float)
        with pytest.raises(WorkerError, match="the process ended: KeyError: 'nobody'"):
            Remote(torch, "nobody", []).sample(1)
        start = time.perf_counter()
    assert time.perf_counter() - start < 5
    (row,) = (row for row in result.rows if row["contestant"] == "torch")
    assert row["seconds"] > 0


def test_without_pytorch_there_is_no_process(monkeypatch):
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    with torch_process() as torch:
        assert torch is None
