"""What the parent asks of the worker, its process, and contestants that can be timed from here."""

import importlib.util
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy.typing as npt

Array = npt.NDArray[Any]
CHECKED = 2**22  # entries of a result: all of the losses' logits
CHECKOUT = Path(__file__).parents[2]  # where the worker finds this package
COMMAND = ("-m", "benchmarks.torch_side.worker")
REST = 2e-3  # seconds until JAX's threads have gone to sleep
GRACE = 5.0  # seconds for the worker to end


class Job(NamedTuple):
    """A cell to compute."""

    function: str
    quantity: str
    axis: int
    arguments: tuple[Array, Array, Array]  # x, a tangent or labels, a cotangent
    device: str  # "cpu" or "cuda"
    compiled: bool  # whether torch.compile is tried


Sample = tuple[str, int]  # a contestant to time, and how many calls in a row
# What is checked of each contestant's outputs; for those that cannot, why.
Answer = tuple[dict[str, list[Array]], dict[str, str]]


def checked_entries(y: Any) -> Any:
    """An array or tensor, or evenly spaced entries of every column where it has too many."""
    step = math.prod(y.shape) // CHECKED
    if step <= 1:
        return y
    return y.reshape(-1)[:: next(n for n in count(step) if math.gcd(n, y.shape[-1]) == 1)]


class WorkerError(RuntimeError):
    """The worker ended; a new one starts with the next job."""


@contextmanager
def torch_process() -> Iterator["TorchProcess | None"]:
    """A worker for as long as the context lasts; None where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        yield None
        return
    with tempfile.TemporaryFile() as log:
        process = TorchProcess(log)
        try:
            yield process
        finally:
            process.stop()


class TorchProcess:
    """A worker that is started when it is first needed, and again after it ended."""

    def __init__(self, log: IO[bytes]) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self, job: Job) -> tuple[dict[str, "Remote"], dict[str, str]]:
        """The contestants of that job, and why others are absent; if the worker ended, that."""
        try:
            answer: Answer = self.ask(job)
        except WorkerError as error:
            return {}, {"torch": str(error)}
        computed, absent = answer
        return {name: Remote(self, name, outputs) for name, outputs in computed.items()}, absent

    def ask(self, message: Job | Sample) -> Any:
        """The worker's answer.

        Raises:
            WorkerError: if it ended.
        """
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(message, process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (EOFError, OSError) as error:
            self.stop()
            self._log.seek(0)
            last = self._log.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise WorkerError(f"the process ended: {last[:200]}") from error

    def stop(self) -> None:
        """Hang up, which ends the worker; one that does not listen is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=CHECKOUT,
            # Two threads that wake on one core wait for each other, 50 ms a call.
            env={"OMP_PROC_BIND": "true", **os.environ},
        )


class Remote(NamedTuple):
    """A contestant in the worker."""

    process: TorchProcess
    name: str
    computed: list[Array]

    def outputs(self) -> list[Array]:
        """What is checked of its results."""
        return self.computed

    def sample(self, repeats: int) -> float:
        """Seconds of one call, the mean of so many in a row."""
        time.sleep(REST)
        seconds: float = self.process.ask((self.name, repeats))
        return seconds
