"""The table of subjects. A further one is a file with `run` and `show`, and a line here."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from benchmarks import accuracy, derive, speed
from benchmarks.report import Progress, Result, Row


class Subject(NamedTuple):
    """What is measured, and how it is shown.

    Those with a results page also have a full run of everything.
    """

    summary: str
    run: Callable[[bool, Progress], Result]  # of whether it should be quick
    show: Callable[[list[Row]], str]
    run_all: Callable[[Progress], Result] | None = None
    has_page: bool = False


def _speed(quick: bool, progress: Progress) -> Result:
    return speed.run("quick" if quick else "default", progress)


SUBJECTS = {
    "accuracy": Subject("the worst errors", accuracy.run, accuracy.show),
    "speed": Subject("times and rates", _speed, speed.show, partial(speed.run, "full"), True),
    "derive": Subject("structured derivatives", derive.run, derive.show),
}
