"""The worker: `python -m benchmarks.torch_side.worker`, started by `process`.

It answers jobs and samples, pickled, over its standard streams until the parent hangs up.
"""

import os
import pickle
import sys
import time
from typing import IO, Any

from benchmarks.torch_side.functions import Call, array, load_torch, make_call, tensor
from benchmarks.torch_side.process import Answer, Array, Job, checked_entries

REST = 5e-3  # seconds until the threads of a parallel region have gone to sleep


class Worker:
    """PyTorch and the contestants of the present job."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._calls: dict[str, Call] = {}
        self._device = "cpu"

    def prepare(self, job: Job) -> Answer:
        """Make every contestant ready, and give its result; what fails says why."""
        self._calls, self._device = {}, job.device
        computed: dict[str, list[Array]] = {}
        absent: dict[str, str] = {}
        arguments = [tensor(self._torch, x).to(job.device) for x in job.arguments]
        dtype = job.arguments[0].dtype
        for name in ("torch", "torch.compile") if job.compiled else ("torch",):
            try:
                call = make_call(self._torch, job, arguments, compiled=name == "torch.compile")
                result = call()
                outputs = result if isinstance(result, tuple) else (result,)
                computed[name] = [array(self._torch, checked_entries(y), dtype) for y in outputs]
                self._calls[name] = call
            except Exception as error:  # whatever a peer raises is its entry in the table
                line = next(iter(str(error).splitlines()), "")[:200]
                absent[name] = f"{type(error).__name__}: {line}"
        return computed, absent

    def sample(self, name: str, repeats: int) -> float:
        """Seconds of one call, the mean of so many in a row."""
        call = self._calls[name]
        self._torch.zeros(2**20).add_(1)  # puts every thread to work after the rest
        self._wait()
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        self._wait()
        seconds = (time.perf_counter() - start) / repeats
        time.sleep(REST)
        return seconds

    def _wait(self) -> None:
        if self._device == "cuda":
            self._torch.cuda.synchronize()


def serve(requests: IO[bytes], answers: IO[bytes], worker: Worker) -> None:
    """Answer until the other side hangs up."""
    while True:
        try:
            message = pickle.load(requests)
        except EOFError:
            return
        answer = worker.prepare(message) if isinstance(message, Job) else worker.sample(*message)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what PyTorch prints is no answer
        serve(sys.stdin.buffer, answers, Worker(load_torch()))
