"""The table of what was compiled, on the terminal and as a page of Markdown."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.compiled.cells import CONTESTANTS, QUANTITIES
from benchmarks.report import Row

PAGE = """\
# Compiled for {device}, not run

{count} programs, compiled by XLA for this card on a machine without it ({versions}). A cell is the
number of kernels and the bytes that they read and write, in units of N, the bytes of the input (for
Jacobians of the result). The least traffic there is: 2 N for a value, 3 N for a backward pass from
what was kept, 5 N for both in turn, 4 N for a Hessian-vector product, 1 N for Jacobians.

| column | what |
| --- | --- |
| jaxcalc | as it is by default: "high" accuracy, all kernels by XLA |
| fast | `accuracy="fast"` |
| pallas | `implementation="pallas"`, "high" accuracy; blank where rows are not taken |

{verdict} The pallas kernels use at most {registers} registers a thread and spill {spilled} bytes.

**Not yet shown, as it takes the card:**

- any time, rate or share of the memory's bandwidth, of all columns;
- that clusters of several blocks compute what they should: along the last axis `softmax` and
  `log_softmax` of more than 14,336 float32 or 28,672 16-bit classes, their three products of half
  as many, the curvature of softmax and its transpose of a third; along other axes the same of more
  than 112 classes, 56 and 37;
- rows whose last block's share ends beyond them, which the interpreter refuses;
- the longest rows, of which a block keeps a chunk in registers, in clusters;
- that what was transformed, split by `shard_map` or repeated from the front is computed rightly; it
  is lowered to these kernels.

On a machine with the card, `python -m pytest tests/functions/test_kernels_pallas.py` runs all of it
against float64 and against XLA. Elsewhere it interprets, in one block and in the three dtypes, all
maps along the last axis (the curvatures in float32) and three of them along another, and lowers
the rest.

{tables}"""


def page(rows: Sequence[Row], about: Mapping[str, str], failures: Sequence[str]) -> str:
    """The results page."""
    verdict = f"{len(failures)} of them need more than they are held to:" if failures else ""
    verdict = verdict or "All that are held to a limit keep it."
    verdict = "\n".join(
        [verdict, *(f"- {line}" for line in failures), ""] if failures else [verdict]
    )
    return PAGE.format(
        device=about["device"],
        count=len(rows),
        versions=", ".join(f"{key} {about[key]}" for key in ("jax", "jaxlib", "plugin")),
        verdict=verdict,
        registers=max((count for row in rows for count in row["registers"]), default=0),
        spilled=sum(row["spilled"] for row in rows),
        tables="\n".join(_table(function, list(group)) for function, group in _by_function(rows)),
    )


def _by_function(rows: Sequence[Row]) -> Any:
    return groupby(sorted(rows, key=lambda row: row["function"]), lambda row: row["function"])


def _table(function: str, rows: Sequence[Row]) -> str:
    heading = ["shape", "dtype", "quantity", *CONTESTANTS]
    lines = [heading, ["---"] * len(heading)]
    for quantity in QUANTITIES:
        for place in dict.fromkeys(_place(row) for row in rows if row["quantity"] == quantity):
            at = {row["contestant"]: _counts(row) for row in rows if _is_at(row, quantity, place)}
            lines.append([*place, quantity, *(at.get(name, "") for name in CONTESTANTS)])
    return f"## {function}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _place(row: Row) -> tuple[str, str]:
    shape = " × ".join(map(str, row["shape"]))
    return shape if row["axis"] == -1 else f"{shape}, axis {row['axis']}", row["dtype"]


def _is_at(row: Row, quantity: str, place: tuple[str, str]) -> bool:
    return row["quantity"] == quantity and _place(row) == place


def _counts(row: Row) -> str:
    return f"{len(row['kernels'])}: {row['traffic']:.2f} N"
