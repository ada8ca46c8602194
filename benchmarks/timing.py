"""Timing: check first, then time the contestants of a cell against each other.

Every contestant is warmed up and calibrated to samples of measurable length. Then in every
round each gives one sample, in an order shuffled anew, so that drift hits all alike.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.oracles.ulp import unit_roundoff
from benchmarks.oracles.wide import Array
from benchmarks.statistics import Times
from benchmarks.torch_side.process import Remote, WorkerError, checked_entries

FEWEST_ROUNDS = 7  # for an interval that means something


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float  # of one sample
    budget: float = math.inf  # seconds for all samples, unless the fewest rounds take longer


class Contestant(NamedTuple):
    """A function, compiled or to be compiled at its first call, and its arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def outputs(self) -> list[Array]:
        """What is checked of its results."""
        return [
            np.asarray(checked_entries(y)) for y in jax.tree.leaves(self.function(*self.arguments))
        ]

    def sample(self, repeats: int) -> float:
        """Seconds of one call; an accelerator is kept busy, a CPU would run calls side by side."""
        wait_for_each = jax.default_backend() == "cpu"
        start, result = time.perf_counter(), None
        for _ in range(repeats):
            result = self.function(*self.arguments)
            if wait_for_each:
                jax.block_until_ready(result)
        jax.block_until_ready(result)
        return (time.perf_counter() - start) / repeats


Timed = Contestant | Remote  # what can be checked and timed, here or in another process

# --- checking ---


def check(got: Sequence[Any], reference: Sequence[Array], slack: float = 1.0) -> str | None:
    """None if every output is near its float64 reference, else what is wrong.

    A plain form is allowed its rounding: 32 u of the norm and 64 u of the largest entry, times
    the slack of what takes several steps.
    """
    if len(got) != len(reference):
        return f"{len(got)} outputs instead of {len(reference)}"
    return next(filter(None, map(partial(_difference, slack), got, reference)), None)


def _difference(slack: float, got: Any, reference: Array) -> str | None:
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


class Contest(NamedTuple):
    """What everyone computed, the times of who was right, and why the others have none."""

    outputs: Mapping[str, Sequence[Array]]
    times: Times
    absent: Mapping[str, str]


def hold(
    contestants: Mapping[str, Timed],
    judge: Callable[[str, Sequence[Array]], str | None],
    effort: Effort | None,
) -> Contest:
    """Everyone computes, who is wrong leaves, the others are timed in turns.

    Args:
        contestants: by name.
        judge: of a name and its outputs: None, or what is wrong.
        effort: how long to measure; None for nobody to be timed.
    """
    outputs = {name: contestant.outputs() for name, contestant in contestants.items()}
    verdicts = {name: judge(name, computed) for name, computed in outputs.items()}
    absent = {name: f"wrong, not timed: {what}" for name, what in verdicts.items() if what}
    if effort is None:
        return Contest(outputs, {}, absent)
    right = {name: c for name, c in contestants.items() if name not in absent}
    try:
        times = measure(right, effort)
    except WorkerError as error:
        absent |= {name: str(error) for name, c in right.items() if isinstance(c, Remote)}
        times = measure({name: c for name, c in right.items() if name not in absent}, effort)
    return Contest(outputs, times, absent)


def measure(contestants: Mapping[str, Timed], effort: Effort) -> dict[str, list[float]]:
    """Seconds of one call: a sample of every contestant in each round."""
    trials = {name: _calibrate(c, effort.seconds) for name, c in contestants.items()}
    each_round = sum(repeats * seconds for repeats, seconds in trials.values())
    affordable = effort.budget / each_round if each_round else math.inf
    rounds = int(min(effort.rounds, max(FEWEST_ROUNDS, affordable)))
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for name in _schedule(list(contestants), rounds):
        samples[name].append(contestants[name].sample(trials[name][0]))
    return samples


def _schedule(names: list[str], rounds: int, seed: int = 0) -> Iterator[str]:
    shuffle = random.Random(seed).sample
    for _ in range(rounds):
        yield from shuffle(names, len(names))


def _calibrate(contestant: Timed, seconds: float) -> tuple[int, float]:
    """How many calls fill a sample, and seconds of one, judged by the second of two trials."""
    contestant.sample(2)
    each = contestant.sample(2)
    return max(1, round(seconds / each)), each
