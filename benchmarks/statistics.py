"""Statistics of interleaved timings: medians with quartiles, ratios with bootstrap intervals."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.report import Row

Times = Mapping[str, Sequence[float]]  # the samples of each contestant, round by round
RESAMPLES = 2000


def paired_ratio(times: Sequence[float], baseline: Sequence[float]) -> tuple[float, float, float]:
    """The median over rounds of times/baseline, and its 95 % block-bootstrap interval.

    Rounds near each other share what the machine was doing, so whole blocks of consecutive
    rounds are drawn, of a length near √n.
    """
    logs = np.log(np.asarray(times)) - np.log(np.asarray(baseline))
    medians = np.median(logs[_block_indices(len(logs))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return math.exp(np.median(logs)), math.exp(low), math.exp(high)


def _block_indices(n: int) -> npt.NDArray[np.int64]:
    """Resamples of 0…n−1 in circular blocks, one a row."""
    rng, length = np.random.default_rng(0), max(1, round(math.sqrt(n)))
    starts = rng.integers(n, size=(RESAMPLES, math.ceil(n / length)))
    blocks = (starts[..., None] + np.arange(length)) % n
    return blocks.reshape(RESAMPLES, -1)[:, :n]


TIMING = (
    *("seconds", "seconds_lower_quartile", "seconds_upper_quartile"),
    *("ratio", "ratio_low", "ratio_high"),
)


def timing(times: Times, name: str, baseline: str | None) -> dict[str, float | None]:
    """Median seconds and the ratio to the baseline; None where one of them was not timed."""
    if baseline is None or name not in times or baseline not in times:
        return dict.fromkeys(TIMING)
    lower, median, upper = map(float, np.quantile(times[name], [0.25, 0.5, 0.75]))
    ratio = paired_ratio(times[name], times[baseline])
    return dict(zip(TIMING, (median, lower, upper, *ratio), strict=True))


def rows_of(times: Times, named: Row, baseline: str | None) -> list[Row]:
    """A row for each who was timed."""
    return [{**named, "contestant": name, **timing(times, name, baseline)} for name in times]
