"""The table of subjects. A further one is a file with `run` and `show`, and a line here."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import accuracy, derive, speed
from benchmarks.report import Progress, Result, Row


class Subject(NamedTuple):
    """What is measured, and how it is shown."""

    summary: str
    run: Callable[[bool, Progress], Result]  # of whether it should be quick
    show: Callable[[list[Row]], str]


SUBJECTS = {
    "accuracy": Subject("the worst errors", accuracy.run, accuracy.show),
    "speed": Subject("times and rates", speed.run, speed.show),
    "derive": Subject("structured derivatives", derive.run, derive.show),
}
