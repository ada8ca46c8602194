"""The table of subjects. A further one is a file with `run` and `show`, and a line here."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import accuracy, derive, forms, losses, scale, speed
from benchmarks.report import Progress, Result, Row

# of a folder, what was measured on which machine, and the command; gives the path of the page
WriteResults = Callable[[Path, Result, Mapping[str, Any], str], Path]


class Subject(NamedTuple):
    """What is measured, and how it is shown.

    Some have a full run of everything, and a page of results.
    """

    summary: str
    run: Callable[[bool, Progress], Result]  # of whether it should be quick
    show: Callable[[list[Row]], str]
    run_all: Callable[[Progress], Result] | None = None
    write_results: WriteResults | None = None


def _speed(quick: bool, progress: Progress) -> Result:
    return speed.run("quick" if quick else "default", progress)


def _write_speed(folder: Path, result: Result, machine: Mapping[str, Any], command: str) -> Path:
    from benchmarks.speed.results import write_results  # matplotlib is optional

    return write_results(folder, result, machine, command)


SUBJECTS = {
    "accuracy": Subject("the worst errors", accuracy.run, accuracy.show),
    "speed": Subject(
        "times and rates", _speed, speed.show, partial(speed.run, "full"), _write_speed
    ),
    "losses": Subject(
        "losses beside optax's and PyTorch's", losses.run, losses.show, None, losses.write_results
    ),
    "scale": Subject("communication and memory of compiled programs", scale.run, scale.show),
    "derive": Subject("structured derivatives", derive.run, derive.show),
    "forms": Subject("what was tried", forms.run, forms.show, None, forms.write_results),
}
