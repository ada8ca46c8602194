"""Geometric means over cells, and how many of them are slower."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report import Column, Row, field, table
from benchmarks.speed.cell import NARROW, QUANTITIES, WIDE
from benchmarks.speed.jax_side import AGAIN, BASELINE

SLOWER = 1.1  # an interval above it is a slower cell
LONG_ROW = 2**15
FURTHER = "further cell"  # the part of the second group


class Mean(NamedTuple):
    """Of the ratios of some cells."""

    value: float
    cells: int
    slower: int

    def __str__(self) -> str:
        """The mean, and how many are slower where there are any."""
        return f"{self.value:.2f}" + (f" ({self.slower} slower)" if self.slower else "")


def select(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """The first measurements of cells whose fields have these values, or one of a tuple's."""
    wanted = {"part": "cell", "run": 1} | wanted
    return [row for row in rows if all(_is(row.get(name), value) for name, value in wanted.items())]


def _is(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, tuple) else bool(value == wanted)


def second_group(rows: Sequence[Row]) -> list[Row]:
    """The rows of the second group, as those of the first are written."""
    return [{**row, "part": "cell"} for row in rows if row["part"] == FURTHER]


def mean(rows: Sequence[Row]) -> Mean | None:
    """The geometric mean of the ratios; None of no cells."""
    if not rows:
        return None
    logs = [math.log(row["ratio"]) for row in rows]
    return Mean(math.exp(np.mean(logs)), len(rows), sum(map(is_slower, rows)))


def is_slower(row: Row) -> bool:
    """Whether the interval lies above what counts as slower."""
    return bool(row["ratio_low"] > SLOWER)


def contestants(rows: Sequence[Row]) -> list[str]:
    """Who was timed beside the baseline, in the order of their first row."""
    names = dict.fromkeys(row["contestant"] for row in select(rows))
    return [name for name in names if name not in (BASELINE, AGAIN)]


def means(rows: Sequence[Row]) -> list[Row]:
    """A line for each dtype and quantity, for each dtype, and for everything."""
    dtypes = [d for d in (*WIDE, *NARROW) if select(rows, dtype=d)]
    lines = [_line(rows, d, q) for d in dtypes for q in (*QUANTITIES, "all")]
    return [line for line in (*lines, _line(rows, "all", "all")) if line["cells"]]


def _line(rows: Sequence[Row], dtype: str, quantity: str) -> dict[str, Any]:
    wanted = {"dtype": dtype, "quantity": quantity}
    chosen = select(rows, **{name: value for name, value in wanted.items() if value != "all"})
    by_name = {name: mean(select(chosen, contestant=name)) for name in contestants(rows)}
    cells = len(select(chosen, contestant=BASELINE))
    return {**wanted, "cells": cells, **by_name}


def mean_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of a table of means."""
    names = contestants(rows)
    return [*map(field, ("dtype", "quantity", "cells")), *map(_mean_column, names)]


def _mean_column(name: str) -> Column:
    return Column(name, lambda line: "–" if line[name] is None else str(line[name]))


def show_means(rows: Sequence[Row]) -> str:
    """The table of means, for a terminal."""
    return table(mean_columns(rows), means(rows))


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


def overhead_lines(rows: Sequence[Row], kind: str) -> list[Row]:
    """A line for each case of that kind, with both accuracies over the baseline."""
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["part"] == kind:
            key = (row["function"], row["quantity"], row["shape"])
            named = {"function": key[0], "quantity": key[1], "shape": key[2]}
            lines.setdefault(key, named)[row["contestant"]] = row
    return list(lines.values())


def interval(row: Mapping[str, Any]) -> str:
    """A ratio with its interval."""
    return f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
