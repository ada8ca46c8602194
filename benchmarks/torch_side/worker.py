"""The worker: `python -m benchmarks.torch_side.worker FD`, started by `process`.

It answers jobs and samples over the socket of that file descriptor until the parent hangs up.
"""

import sys
import time
from itertools import cycle, islice
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.torch_side.contestants import Call, ways
from benchmarks.torch_side.job import Answer, Array, Job, Sample
from benchmarks.torch_side.tensors import array, load_torch, tensor

REST = 5e-3  # seconds until the threads of a parallel region have gone to sleep


class Worker:
    """PyTorch and the contestants of the present job."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._calls: dict[str, list[Call]] = {}
        self._device = "cpu"

    def prepare(self, job: Job) -> Answer:
        """Make every contestant ready, and give its result; what fails says why."""
        self._calls, self._device, answer = {}, job.device, Answer({}, {})
        sets = [self._tensors(job) for _ in range(job.sets)]
        for name, make in ways(self._torch, job, sets).items():
            try:
                calls = make()
                answer.outputs[name] = self._rows(job, calls[0]())
                self._calls[name] = calls
            except Exception as error:  # whatever a peer raises is its entry in the table
                answer.absent[name] = f"{type(error).__name__}: {_first_line(error)}"
        return answer

    def sample(self, sample: Sample) -> float:
        """Seconds of one call, the mean of so many in a row."""
        self._wake()
        start = time.perf_counter()
        for call in islice(cycle(self._calls[sample.name]), sample.repeats):
            call()
        self._wait()
        seconds = (time.perf_counter() - start) / sample.repeats
        time.sleep(REST)
        return seconds

    def _wake(self) -> None:
        """Put every thread to work after the rest."""
        self._torch.zeros(2**20).add_(1)
        self._wait()

    def _wait(self) -> None:
        if self._device == "cuda":
            self._torch.cuda.synchronize()

    def _tensors(self, job: Job) -> tuple[Any, ...]:
        return tuple(tensor(self._torch, x).to(job.device) for x in job.arguments)

    def _rows(self, job: Job, result: Any) -> list[Array]:
        """The rows that are checked; one number each of reductions."""
        outputs = result if isinstance(result, tuple) else (result,)
        return [array(self._torch, self._some(job, y), job.dtype) for y in outputs]

    def _some(self, job: Job, y: Any) -> Any:
        x = job.arguments[0]
        if job.quantity != "jacobian" and y.ndim < x.ndim:
            return y.reshape(-1)[:: job.step]
        last = y if job.quantity == "jacobian" else y.movedim(job.axis, -1)
        return last.reshape(-1, x.shape[job.axis])[:: job.step]


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]


def serve(connection: Connection, worker: Worker) -> None:
    """Answer until the other side hangs up."""
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        answer = worker.prepare(message) if isinstance(message, Job) else worker.sample(message)
        connection.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), Worker(load_torch()))
