"""The contestants of one case, tried, then timed together; aims, and whether they were met."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report import Result, Row
from benchmarks.statistics import Ratio, paired_ratio, spread
from benchmarks.structure.trial import RIGHT, Entry, Trial, try_entry
from benchmarks.timing import Effort, measure

Times = Mapping[str, Sequence[float]]  # of the keys of entries, "quantity: contestant"


class Aim(NamedTuple):
    """At most so many times as long as the fastest of the yardsticks."""

    of: str
    over: tuple[str, ...]
    at_most: float


class Contest(NamedTuple):
    """One case: who is tried and timed, over which yardsticks, and what is aimed at."""

    case: str
    entries: Sequence[Entry]
    yardsticks: tuple[str, ...]
    aims: Sequence[Aim]
    own: frozenset[str]  # contestants that must be right


def hold(contest: Contest, effort: Effort, limit: float) -> Result:
    """Try every entry, time those that are right, compare."""
    trials = [try_entry(entry, limit) for entry in contest.entries]
    times = time_trials(trials, effort)
    rows = [_row(contest, trial, times) for trial in trials]
    aims = [aim_row(contest.case, aim, times) for aim in contest.aims]
    return Result([*rows, *aims], failures(contest.case, trials, contest.own))


def time_trials(trials: Sequence[Trial], effort: Effort) -> dict[str, list[float]]:
    """The samples of those that are right."""
    ready = {t.entry.key: t.contestant for t in trials if t.contestant is not None}
    return measure(ready, effort)


def failures(case: str, trials: Sequence[Trial], own: frozenset[str]) -> list[str]:
    """A line for each contestant of ours that was not right."""
    return [
        f"{case}: {trial.entry.key}, {trial.verdict}"
        for trial in trials
        if trial.verdict != RIGHT and trial.entry.contestant in own
    ]


# --- rows ---


def _row(contest: Contest, trial: Trial, times: Times) -> Row:
    key = trial.entry.key
    return {
        "part": "case",
        "case": contest.case,
        "quantity": trial.entry.quantity,
        "contestant": trial.entry.contestant,
        "version": trial.entry.version,
        "ready_seconds": trial.seconds,
        "result": trial.verdict,
        **timing_fields(times.get(key)),
        **ratio_fields(times, key, contest.yardsticks),
    }


def timing_fields(samples: Sequence[float] | None) -> dict[str, float | None]:
    """Median and quartiles, None where nothing was timed."""
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    return dict(zip(names, (None,) * 3 if samples is None else spread(samples), strict=True))


def ratio_fields(times: Times, key: str, yardsticks: Sequence[str]) -> dict[str, Any]:
    """The ratio to the fastest yardstick with its interval, None where nothing was timed."""
    over, ratio = fastest(times, yardsticks), ratio_to_fastest(times, key, yardsticks)
    names = ("ratio", "ratio_low", "ratio_high")
    return {"over": over, **dict(zip(names, ratio or (None,) * 3, strict=True))}


def ratio_to_fastest(times: Times, key: str, yardsticks: Sequence[str]) -> Ratio | None:
    """The paired ratio to the yardstick of least median."""
    over = fastest(times, yardsticks)
    return None if over is None or key not in times else paired_ratio(times[key], times[over])


def fastest(times: Times, keys: Sequence[str]) -> str | None:
    """Of those that were timed, the one with the least median."""
    timed = [key for key in keys if key in times]
    return min(timed, key=lambda key: float(np.median(times[key])), default=None)


def aim_row(case: str, aim: Aim, times: Times) -> Row:
    """That aim with the ratio that was reached."""
    return {
        "part": "aim",
        "case": case,
        "of": aim.of,
        "at_most": aim.at_most,
        **ratio_fields(times, aim.of, aim.over),
        "verdict": against(aim.at_most, ratio_to_fastest(times, aim.of, aim.over)),
    }


def against(limit: float, ratio: Ratio | None) -> str:
    """Met or missed where the interval leaves out the limit, else near."""
    if ratio is None:
        return "not timed"
    return "met" if ratio.high <= limit else "missed" if ratio.low > limit else "near"
