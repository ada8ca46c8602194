"""A contestant is made ready within a time limit, and its first result checked."""

import contextlib
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.oracles.ulp import unit_roundoff
from benchmarks.oracles.wide import Array
from benchmarks.timing import Contestant, check

Judge = Callable[[Any], str | None]
RIGHT = "right"


class Entry(NamedTuple):
    """Who computes what: `prepare` does what comes before the first call, `judge` checks it."""

    quantity: str
    contestant: str
    version: str
    prepare: Callable[[], Contestant]
    judge: Judge

    @property
    def key(self) -> str:
        """Its name in times and aims."""
        return f"{self.quantity}: {self.contestant}"


class Trial(NamedTuple):
    """How an entry fared: ready to be timed only where its result was right."""

    entry: Entry
    contestant: Contestant | None
    seconds: float  # until its first result was there
    verdict: str


def try_entry(entry: Entry, limit: float) -> Trial:
    """Prepare, call once and judge; what goes wrong is the verdict."""
    start = time.perf_counter()
    try:
        with time_limit(limit), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a peer's advice about its own slowness
            contestant = entry.prepare()
            result = jax.block_until_ready(contestant.result())
    except Exception as error:  # a peer may raise anything: that is its row in the table
        seconds = time.perf_counter() - start
        # Compiled code that is interrupted can raise something else.
        what = _late(limit) if seconds >= limit else f"{type(error).__name__}: {error}"
        return Trial(entry, None, seconds, f"failed: {_one_line(what)}")
    seconds, wrong = time.perf_counter() - start, entry.judge(result)
    if wrong is None:
        return Trial(entry, contestant, seconds, RIGHT)
    return Trial(entry, None, seconds, f"wrong: {wrong}")


def _late(limit: float) -> str:
    return f"not ready within {limit:g} s"


def _one_line(text: str, width: int = 70) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread after that long, where the system has timers."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(_late(seconds))

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again if what it interrupts swallows it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


# --- judges ---


def near(*reference: Array) -> Judge:
    """Every output near its float64 reference; the same where that is zero or not finite."""

    def judge(got: Any) -> str | None:
        outputs = jax.tree.leaves(got)
        if len(outputs) != len(reference):
            return f"{len(outputs)} outputs instead of {len(reference)}"
        return next(filter(None, map(_difference, outputs, reference)), None)

    return judge


def _difference(got: Any, reference: Array) -> str | None:
    if np.any(reference) and np.all(np.isfinite(reference)):
        return check(got, (reference,))
    return None if np.array_equal(got, reference) else f"{np.asarray(got)} instead of {reference}"


def near_determinant(factors: int, sign: Array, logarithm: Array) -> Judge:
    """As `near`, but each of so many factors may have been rounded once."""

    def judge(got: Any) -> str | None:
        wrong = near(sign, logarithm)(got)
        if wrong is None or not np.isfinite(logarithm) or float(got[0]) != sign:
            return wrong
        allowed = 8 * unit_roundoff(got[1].dtype) * factors**0.5
        return None if abs(float(got[1]) - logarithm) <= allowed else wrong

    return judge


def near_in_rows(rows: slice, *reference: Array) -> Judge:
    """As `near`, of some rows of each output, so that gigabytes need no second gigabyte."""
    judge = near(*reference)
    return lambda got: judge(jax.tree.map(lambda array: array[rows], got))


def any_result(got: Any) -> str | None:
    """Nothing to check: what is timed is only a yardstick."""
    return None
