"""Which rows are meant, and the geometric means over them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.libraries import AGAIN, BASELINE
from benchmarks.report import Row

SLOWER = 1.1  # an interval above it is a slower cell
FURTHER = "further cell"  # the part of the second group


def select(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """The rows, of cells if nothing else is said, whose fields have these values."""
    wanted = {"part": "cell"} | wanted
    return [row for row in rows if all(row.get(name) == wanted[name] for name in wanted)]


def mean(rows: Sequence[Row]) -> float | None:
    """The geometric mean of the ratios; None of no cells."""
    return math.exp(np.mean([math.log(row["ratio"]) for row in rows])) if rows else None


def slower(rows: Sequence[Row]) -> int:
    """How many cells are slower."""
    return sum(row["ratio_low"] > SLOWER for row in rows)


def contestants(rows: Sequence[Row]) -> list[str]:
    """Who was timed beside the baseline, in the order of their first row."""
    names = dict.fromkeys(row["contestant"] for row in rows if row["part"] == "cell")
    return [name for name in names if name not in (BASELINE, AGAIN)]


def noise(rows: Sequence[Row]) -> str:
    """How the baseline fared against itself."""
    pairs = select(rows, contestant=AGAIN)
    if not pairs:
        return ""
    off = [math.exp(abs(math.log(row["ratio"]))) - 1 for row in pairs]
    outside = sum(not row["ratio_low"] <= 1 <= row["ratio_high"] for row in pairs)
    return (
        f"{BASELINE} against itself: off by {100 * np.median(off):.0f} % in the median cell and "
        f"{100 * max(off):.0f} % at most; {outside} of {len(pairs)} intervals leave out 1."
    )
