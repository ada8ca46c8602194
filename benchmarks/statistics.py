"""Statistics of interleaved timings: medians with quartiles, ratios with bootstrap intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Times = Mapping[str, Sequence[float]]  # the samples of each contestant, round by round
FloatArray = npt.NDArray[np.float64]
RESAMPLES = 2000


class Spread(NamedTuple):
    """The median of some samples, between their quartiles."""

    median: float
    lower: float
    upper: float


class Ratio(NamedTuple):
    """A ratio of times, with the interval in which it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def verdict(self, noise: float = 1.0) -> str:
        """Faster or slower only where the interval leaves out 1 and what noise makes of 1.

        Args:
            noise: the ratio of a contestant to itself, on either side of 1.
        """
        floor = max(noise, 1 / noise)
        return "faster" if self.high < 1 / floor else "slower" if self.low > floor else "same"


def spread(samples: Sequence[float]) -> Spread:
    """Median and quartiles."""
    lower, median, upper = np.quantile(np.asarray(samples), [0.25, 0.5, 0.75])
    return Spread(float(median), float(lower), float(upper))


def paired_ratio(times: Sequence[float], baseline: Sequence[float], seed: int = 0) -> Ratio:
    """The median over rounds of times/baseline, with its block-bootstrap interval.

    Rounds near each other share what the machine was doing, so whole blocks of consecutive
    rounds are drawn, of a length near √n.
    """
    logs = np.log(np.asarray(times)) - np.log(np.asarray(baseline))
    medians = np.median(logs[_block_indices(len(logs), seed)], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Ratio(math.exp(np.median(logs)), math.exp(low), math.exp(high))


TIMING = (
    *("seconds", "seconds_lower_quartile", "seconds_upper_quartile"),
    *("ratio", "ratio_low", "ratio_high"),
)


def timing(times: Times, name: str, baseline: str | None) -> dict[str, float | None]:
    """Seconds of a contestant, and its ratio to the baseline; None where one was not timed."""
    if baseline is None or name not in times or baseline not in times:
        return dict.fromkeys(TIMING)
    ratio = paired_ratio(times[name], times[baseline])
    return dict(zip(TIMING, (*spread(times[name]), *ratio), strict=True))


def _block_indices(n: int, seed: int) -> npt.NDArray[np.int64]:
    """Resamples of 0…n−1 in circular blocks, one a row."""
    rng, length = np.random.default_rng(seed), max(1, round(math.sqrt(n)))
    starts = rng.integers(n, size=(RESAMPLES, math.ceil(n / length)))
    blocks = (starts[..., None] + np.arange(length)) % n
    return blocks.reshape(RESAMPLES, -1)[:, :n]
