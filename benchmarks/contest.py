"""A contest: everyone computes, who is wrong leaves, the others are timed in turns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax

from benchmarks.oracles.wide import Array
from benchmarks.statistics import Times
from benchmarks.timing import Effort, Timed, measure
from benchmarks.torch_side.job import Job
from benchmarks.torch_side.process import Remote, TorchProcess, WorkerError


class Entered(NamedTuple):
    """A contestant, and what is checked of its outputs."""

    timed: Timed
    outputs: Sequence[Array]


class Field(NamedTuple):
    """Who takes part, and why others do not."""

    entered: Mapping[str, Entered]
    absent: Mapping[str, str]

    def without(self, reasons: Mapping[str, str]) -> "Field":
        """The field when those have left."""
        rest = {name: e for name, e in self.entered.items() if name not in reasons}
        return Field(rest, {**self.absent, **reasons})


def enter(
    make: Callable[[], Mapping[str, Entered]], torch: TorchProcess | None, job: Callable[[], Job]
) -> Field:
    """Everyone with their results; PyTorch, where it is there, compiles at the same time."""
    if torch is None:
        return Field(make(), {})
    torch.begin(job())
    here, answer = make(), torch.answer()
    there = {name: Entered(Remote(torch, name), y) for name, y in answer.outputs.items()}
    return Field({**here, **there}, answer.absent)


def torch_device() -> str:
    """Where PyTorch should compute."""
    return "cpu" if jax.default_backend() == "cpu" else "cuda"


def checked(field: Field, judge: Callable[[Sequence[Array]], str | None]) -> Field:
    """The field without those whose outputs the judge finds wrong."""
    verdicts = {name: judge(entered.outputs) for name, entered in field.entered.items()}
    wrong = {name: f"wrong, not timed: {what}" for name, what in verdicts.items() if what}
    return field.without(wrong)


def take_turns(field: Field, effort: Effort, twice: Iterable[str] = ()) -> tuple[Field, Times]:
    """Samples of everyone, of some as "… again" too; without PyTorch where its process fails."""
    timed = {name: entered.timed for name, entered in field.entered.items()}
    again = {f"{name} again": timed[name] for name in twice}
    try:
        return field, measure(timed | again, effort)
    except WorkerError as error:
        gone = {name: str(error) for name, t in timed.items() if isinstance(t, Remote)}
        return take_turns(field.without(gone), effort, twice)
