"""The table of what was compiled, on the terminal and as a page of Markdown."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.compiled.cells import LIBRARIES, QUANTITIES
from benchmarks.report import Row

PAGE = """\
# Compiled for {device}, not run

{count} programs, compiled by XLA for this card on a machine without it ({versions}). A cell is the
number of kernels and the bytes that they read and write, in units of N, the bytes of the input (for
Jacobians of the result). The least traffic there is: 2 N for a value, 3 N for a backward pass from
what was kept, 5 N for both in turn, 4 N for a Hessian-vector product, 1 N for Jacobians.
{verdict}

**Not yet shown, as it takes the card:** that these programs are as fast as their traffic lets them
be, and any time at all.

{tables}"""


def page(rows: Sequence[Row], about: Mapping[str, str], failures: Sequence[str]) -> str:
    """The results page."""
    verdict = f"{len(failures)} of them need more than they are held to:" if failures else ""
    verdict = verdict or "All that are held to a limit keep it."
    return PAGE.format(
        device=about["device"],
        count=len(rows),
        versions=", ".join(f"{key} {about[key]}" for key in ("jax", "jaxlib", "plugin")),
        verdict="\n".join([verdict, *(f"- {line}" for line in failures)]),
        tables="\n".join(_table(function, list(group)) for function, group in _by_function(rows)),
    )


def _by_function(rows: Sequence[Row]) -> Any:
    return groupby(sorted(rows, key=lambda row: row["function"]), lambda row: row["function"])


def _table(function: str, rows: Sequence[Row]) -> str:
    heading = ["shape", "dtype", "quantity", *LIBRARIES]
    lines = [heading, ["---"] * len(heading)]
    for quantity in QUANTITIES:
        for place in dict.fromkeys(_place(row) for row in rows if row["quantity"] == quantity):
            at = {row["library"]: _counts(row) for row in rows if _is_at(row, quantity, place)}
            lines.append([*place, quantity, *(at[library] for library in LIBRARIES)])
    return f"## {function}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _place(row: Row) -> tuple[str, str]:
    shape = " × ".join(map(str, row["shape"]))
    return shape if row["axis"] == -1 else f"{shape}, axis {row['axis']}", row["dtype"]


def _is_at(row: Row, quantity: str, place: tuple[str, str]) -> bool:
    return row["quantity"] == quantity and _place(row) == place


def _counts(row: Row) -> str:
    return f"{len(row['kernels'])}: {row['traffic']:.2f} N"
