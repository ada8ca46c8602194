"""Timing: check first, then time the contestants of a cell against each other.

Every contestant is warmed up and calibrated to samples of measurable length. Then in every
round each gives one sample, in an order shuffled anew, so that drift hits all alike.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from benchmarks.oracles.ulp import unit_roundoff
from benchmarks.oracles.wide import Array

FEWEST_ROUNDS = 7  # for an interval that means something

_wait: Callable[[Any], Any] = jax.block_until_ready


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float  # of one sample
    budget: float = math.inf  # seconds for all samples, unless the fewest rounds take longer


class Timed(Protocol):
    """What can be timed, here or in another process."""

    def sample(self, repeats: int) -> float:
        """Seconds of one call, the mean of so many in a row."""
        ...


class Contestant(NamedTuple):
    """A compiled function, and sets of arguments that are used in turn.

    Several sets keep a large cache from serving what a real program would read from memory.
    """

    function: Callable[..., Any]
    arguments: Sequence[tuple[Any, ...]]

    def result(self) -> Any:
        """What it gives for its first arguments."""
        return self.function(*self.arguments[0])

    def sample(self, repeats: int) -> float:
        """Seconds of one call, the mean of so many in a row."""
        wait = _wait if jax.default_backend() == "cpu" else _queue
        start, result = time.perf_counter(), None
        for arguments in islice(cycle(self.arguments), repeats):
            result = wait(self.function(*arguments))
        _wait(result)
        return (time.perf_counter() - start) / repeats


def _queue(result: Any) -> Any:
    """An accelerator is kept busy; a CPU would run queued calls side by side."""
    return result


# --- checking ---


def check(got: Any, reference: Sequence[Array], slack: float = 1.0) -> str | None:
    """None if every output is near its float64 reference, else what is wrong.

    A plain form is allowed its rounding: 32 u of the norm and 64 u of the largest entry, times
    the slack of what takes several steps.
    """
    outputs = jax.tree.leaves(got)
    if len(outputs) != len(reference):
        return f"{len(outputs)} outputs instead of {len(reference)}"
    differences = (_difference(y, r, slack) for y, r in zip(outputs, reference, strict=True))
    return next(filter(None, differences), None)


def _difference(got: Any, reference: Array, slack: float) -> str | None:
    if got.shape != reference.shape:
        return f"shape {got.shape} instead of {reference.shape}"
    u, wide, finite = unit_roundoff(got.dtype), np.asarray(got, np.float64), np.isfinite(reference)
    if not np.array_equal(wide[~finite], reference[~finite]):
        return "finite where it should be infinite"
    error, reference = wide[finite] - reference[finite], reference[finite]
    norm = float(np.linalg.norm(error) / np.linalg.norm(reference))
    entry = float(abs(error).max() / abs(reference).max())
    if norm <= 32 * slack * u and entry <= 64 * slack * u:  # false for NaN
        return None
    return f"relative error {norm:.2g} in norm, {entry:.2g} in an entry, for u = {u:.2g}"


# --- timing ---


def measure(contestants: Mapping[str, Timed], effort: Effort) -> dict[str, list[float]]:
    """Seconds of one call: a sample of every contestant in each round."""
    trials = {name: _calibrate(c, effort.seconds) for name, c in contestants.items()}
    rounds = _affordable(effort, sum(repeats * seconds for repeats, seconds in trials.values()))
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for name in _schedule(list(contestants), rounds):
        samples[name].append(contestants[name].sample(trials[name][0]))
    return samples


def _affordable(effort: Effort, seconds: float) -> int:
    """How many rounds of that length the budget allows, within the limits."""
    affordable = math.inf if seconds == 0 else effort.budget / seconds
    return int(min(effort.rounds, max(FEWEST_ROUNDS, affordable)))


def _schedule(names: list[str], rounds: int, seed: int = 0) -> Iterator[str]:
    shuffle = random.Random(seed).sample
    for _ in range(rounds):
        yield from shuffle(names, len(names))


def _calibrate(contestant: Timed, seconds: float) -> tuple[int, float]:
    """How many calls fill a sample, and seconds of one, judged by the second of two trials."""
    contestant.sample(2)
    each = contestant.sample(2)
    return max(1, round(seconds / each)), each
