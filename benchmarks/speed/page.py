"""The results page of a device, in Markdown, written from the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import Row, field, markdown_table
from benchmarks.speed.aims import verdicts
from benchmarks.speed.jax_side import BASELINE
from benchmarks.speed.overhead import CALL, COMPILATION
from benchmarks.speed.summary import (
    contestants,
    mean_columns,
    means,
    noise,
    overhead_lines,
    second_group,
    select,
)
from benchmarks.speed.tables import (
    AIMS,
    SECOND,
    absent_lines,
    cell_columns,
    cell_lines,
    overhead_columns,
)

PEERS = ("torch", "torch.compile", "Liger", "QuACK")
CAPTIONS = {
    "ratios": f"Time over {BASELINE}, geometric means; blue is faster",
    "rates": "GB/s of the least traffic over the length of a row; dashed: a copy of as many bytes",
    "pareto": f"Error against time over {BASELINE}; large marks are geometric means",
}


def write_page(
    rows: Sequence[Row],
    machine: Mapping[str, Any],
    command: str,
    pictures: Mapping[str, str],
    failures: Sequence[str],
) -> str:
    """The page, with the pictures of those names and files."""
    judged = [verdict._asdict() for verdict in verdicts(rows, machine["platform"])]
    parts = [
        f"# Speed on {machine['device_name']}, jax {machine['jax']}",
        f"Written by `{command}` from its JSON; `benchmarks/speed` says how it is measured.",
        *_failed(failures),
        "## Aims",
        markdown_table(AIMS, judged),
        "## Time over jax.nn",
        _explanation(rows),
        markdown_table(mean_columns(rows), means(rows)),
        *(f"![{CAPTIONS[kind]}]({name})\n\n*{CAPTIONS[kind]}.*" for kind, name in pictures.items()),
    ]
    return "\n\n".join([*parts, *_details(rows, machine)])


def _details(rows: Sequence[Row], machine: Mapping[str, Any]) -> list[str]:
    lines, facts = cell_lines(rows), [{"what": key, "is": value} for key, value in machine.items()]
    return [
        *_further(rows),
        *_small_inputs(rows),
        "## Who took part",
        _present(rows),
        *absent_lines(rows),
        "## Machine",
        markdown_table([field("what"), field("is")], facts),
        "## Every cell",
        _folded(markdown_table(cell_columns(rows), lines), len(lines)),
    ]


def _failed(failures: Sequence[str]) -> list[str]:
    if not failures:
        return []
    return ["## Wrong results, not timed", "\n".join(f"- {line}" for line in failures)]


def _explanation(rows: Sequence[Row]) -> str:
    cells, reruns = (len(select(rows, contestant=BASELINE, run=run)) for run in (1, 2))
    return (
        f"Geometric means over {cells} cells, below 1 is faster; a cell counts as slower if its "
        f"95 % interval lies above 1.1. {reruns} cells in which fast seemed slower were measured "
        "once more; both measurements are in the table of cells, the means use the first. "
        f"{noise(rows)}"
    )


def _further(rows: Sequence[Row]) -> list[str]:
    """The second group, where it was measured."""
    further = second_group(rows)
    if not further:
        return []
    means_of_it = markdown_table(mean_columns(further), means(further))
    lines = cell_lines(further)
    cells = _folded(markdown_table(cell_columns(further), lines), len(lines))
    return [f"## {SECOND}", _explanation(further), means_of_it, cells]


def _small_inputs(rows: Sequence[Row]) -> list[str]:
    parts = []
    for kind in (CALL, COMPILATION):
        lines = overhead_lines(rows, kind)
        if lines:
            parts += [f"## Small inputs: {kind}", markdown_table(overhead_columns(kind), lines)]
    return parts


def _present(rows: Sequence[Row]) -> str:
    """Who was timed, and which of the peers that the tool knows was not."""
    there = contestants(rows)
    missing = [name for name in PEERS if name not in there]
    text = f"Timed: {', '.join([BASELINE, *there])}."
    return text + (f" Not run here: {', '.join(missing)}." if missing else "")


def _folded(text: str, count: int) -> str:
    return f"<details><summary>{count} lines</summary>\n\n{text}\n\n</details>\n"
