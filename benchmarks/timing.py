"""Timing: check first, then time the contestants of a cell against each other.

Every contestant is warmed up and calibrated to samples of measurable length. Then in every
round each gives one sample, in an order shuffled anew, so that drift hits all alike.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.oracles.ulp import unit_roundoff
from benchmarks.oracles.wide import Array

_wait: Callable[[Any], Any] = jax.block_until_ready


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float  # of one sample


class Contestant(NamedTuple):
    """A compiled function, and sets of arguments that are used in turn.

    Several sets keep a large cache from serving what a real program would read from memory.
    """

    function: Callable[..., Any]
    arguments: Sequence[tuple[Any, ...]]

    def result(self) -> Any:
        """What it gives for its first arguments."""
        return self.function(*self.arguments[0])


def check(got: Any, reference: Sequence[Array]) -> str | None:
    """None if every output is near its float64 reference, else what is wrong.

    A plain form is allowed its rounding: 32 u of the norm and 64 u of the largest entry.
    """
    outputs = jax.tree.leaves(got)
    if len(outputs) != len(reference):
        return f"{len(outputs)} outputs instead of {len(reference)}"
    return next(filter(None, map(_difference, outputs, reference)), None)


def _difference(got: Any, reference: Array) -> str | None:
    if got.shape != reference.shape:
        return f"shape {got.shape} instead of {reference.shape}"
    u, error = unit_roundoff(got.dtype), np.asarray(got, np.float64) - reference
    norm = float(np.linalg.norm(error) / np.linalg.norm(reference))
    entry = float(abs(error).max() / abs(reference).max())
    if norm <= 32 * u and entry <= 64 * u:  # false for NaN
        return None
    return f"relative error {norm:.2g} in norm, {entry:.2g} in an entry, for u = {u:.2g}"


def measure(contestants: Mapping[str, Contestant], effort: Effort) -> dict[str, list[float]]:
    """Seconds of one call: a sample of every contestant in each round."""
    repeats = {name: _calibrate(c, effort.seconds) for name, c in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for name in _schedule(list(contestants), effort.rounds):
        samples[name].append(_sample(contestants[name], repeats[name]))
    return samples


def _schedule(names: list[str], rounds: int, seed: int = 0) -> Iterator[str]:
    shuffle = random.Random(seed).sample
    for _ in range(rounds):
        yield from shuffle(names, len(names))


def _calibrate(contestant: Contestant, seconds: float) -> int:
    """How many calls fill a sample, judged by the second of two trials."""
    _sample(contestant, 2)
    return max(1, round(seconds / _sample(contestant, 2)))


def _sample(contestant: Contestant, repeats: int) -> float:
    function = contestant.function
    wait = _wait if jax.default_backend() == "cpu" else _queue
    start, result = time.perf_counter(), None
    for arguments in islice(cycle(contestant.arguments), repeats):
        result = wait(function(*arguments))
    _wait(result)
    return (time.perf_counter() - start) / repeats


def _queue(result: Any) -> Any:
    """An accelerator is kept busy; a CPU would run queued calls side by side."""
    return result
