"""The parent's side: the worker's process, and its contestants as ones that can be timed here."""

import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks.torch_side.job import Answer, Job, Sample

CHECKOUT = Path(__file__).parents[2]  # where the worker finds this package
COMMAND = ("-m", "benchmarks.torch_side.worker")
PATIENCE = 240.0  # seconds; a first torch.compile takes half a minute
REST = 2e-3  # seconds until JAX's threads have gone to sleep


class WorkerError(RuntimeError):
    """The worker ended or gave no answer; a new one starts with the next job."""


@contextmanager
def torch_process(patience: float = PATIENCE) -> Iterator["TorchProcess"]:
    """A worker for as long as the context lasts."""
    with tempfile.TemporaryFile() as log:
        process = TorchProcess(log, patience)
        try:
            yield process
        finally:
            process.stop()


class TorchProcess:
    """A worker that is started when it is first needed, and again after it failed."""

    def __init__(self, log: IO[bytes], patience: float) -> None:
        self._log, self._patience = log, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Any = None
        self._broken: str | None = None

    def begin(self, job: Job) -> None:
        """Send a job; `answer` waits for it, and until then this process may do other things."""
        if self._process is None:
            self._start()
        self._broken = None
        try:
            self._send(job)
        except WorkerError as error:
            self._broken = str(error)

    def answer(self) -> Answer:
        """What became of the job; if the worker failed, that."""
        try:
            return self._receive() if self._broken is None else Answer({}, {"torch": self._broken})
        except WorkerError as error:
            return Answer({}, {"torch": str(error)})

    def sample(self, sample: Sample) -> float:
        """Seconds of one call in the worker.

        Raises:
            WorkerError: if the worker ended or is silent for too long.
        """
        time.sleep(REST)
        self._send(sample)
        seconds: float = self._receive()
        return seconds

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        descriptor = theirs.fileno()
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, str(descriptor)],
            pass_fds=[descriptor],
            stdout=self._log,
            stderr=self._log,
            cwd=CHECKOUT,
            env=_environment(),
        )
        theirs.close()

    def stop(self, grace: float = 5.0) -> None:
        """Hang up, which ends the worker; one that does not listen for so long is killed."""
        if self._process is None:
            return
        self._connection.close()
        try:
            self._process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _send(self, message: Job | Sample) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._failure("ended") from error

    def _receive(self) -> Any:
        try:
            if self._connection.poll(self._patience):
                return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._failure("ended") from error
        raise self._failure(f"gave no answer in {self._patience:g} seconds", grace=0)

    def _failure(self, how: str, grace: float = 5.0) -> WorkerError:
        self.stop(grace)
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().rpartition("\n")[2]
        return WorkerError(f"the process {how}: {last[:200]}")


def _environment() -> dict[str, str]:
    """Threads stay where they are: two that wake on one core wait for each other, 50 ms a call."""
    return {"OMP_PROC_BIND": "true", **os.environ}


class Remote(NamedTuple):
    """A contestant in the worker."""

    process: TorchProcess
    name: str

    def sample(self, repeats: int) -> float:
        """Seconds of one call, the mean of so many in a row."""
        return self.process.sample(Sample(self.name, repeats))


def has_torch() -> bool:
    """Whether PyTorch is installed, on a system where a child can inherit a socket."""
    return os.name == "posix" and importlib.util.find_spec("torch") is not None
