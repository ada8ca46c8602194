"""What is aimed at, for each line of a table of results by contestant."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.report import Row
from benchmarks.speed.jax_side import BASELINE, OWN

LONGEST = 16384  # classes; beyond, log_softmax may have two arrays
SLACK = 0.02  # of an array, for numbers of which there is one a row

Line = Mapping[str, Row]  # a row of each contestant


class Most(NamedTuple):
    """Rounds, and numbers a row."""

    rounds: float
    numbers: float


ANY = Most(math.inf, math.inf)
MOST = {  # of "high"
    ("softmax", "value"): Most(2, 2),
    ("softmax", "value+vjp"): Most(6, 8),
    ("softmax", "vjp+hvp"): Most(10, 16),
    ("log_softmax", "value"): Most(2, 2),
    ("log_softmax", "value+vjp"): Most(3, 4),
    ("logsumexp", "value"): Most(2, 2),
    ("logsumexp", "value+vjp"): Most(3, 4),
    ("cross-entropy(indices)", "value"): Most(2, 3),
    ("cross-entropy(indices)", "value+vjp"): Most(2, 3),
}


def too_talkative(line: Line) -> list[str]:
    """Who says more than is aimed at: "high" by the table, "fast" by the baseline's rounds."""
    high, fast = (line[name] for name in OWN)
    most = MOST.get((high["function"], high["quantity"]), ANY)
    over = {
        "high": high["rounds"] > most.rounds or high["numbers"] > most.numbers,
        "fast": fast["quantity"] != "value" and fast["rounds"] > line[BASELINE]["rounds"],
    }
    return [name for name in OWN if over[name] or line[name]["gathers"]]


def too_large(line: Line) -> list[str]:
    """Whose temporaries are more than the baseline's, and more than an array, or two."""
    nn = line[BASELINE]
    is_long = nn["function"].startswith("log_softmax") and nn["classes"] > LONGEST
    most = max(nn["arrays"], 2 if is_long else 1) + SLACK
    return [name for name in OWN if line[name]["arrays"] > most]
