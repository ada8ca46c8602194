"""The table of subjects. A further one is a file with `run` and `parts`, and a line here."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks import accuracy, derive, losses, quick, scale, speed
from benchmarks.report import Part, Progress, Result, Row


class Subject(NamedTuple):
    """What is measured, and how it is shown."""

    summary: str
    run: Callable[[bool, Progress], Result]  # of whether it should be quick
    parts: Callable[[Sequence[Row]], list[Part]]


QUICK = "quick"  # what is measured where no subject is named
SUBJECTS = {
    QUICK: Subject("the short answer", quick.run, quick.parts),
    "accuracy": Subject("the worst errors", accuracy.run, accuracy.parts),
    "speed": Subject("times and rates", speed.run, speed.parts),
    "losses": Subject("losses beside optax's and PyTorch's", losses.run, losses.parts),
    "scale": Subject("what devices say to each other, and memory", scale.run, scale.parts),
    "derive": Subject("structured derivatives", derive.run, derive.parts),
}
