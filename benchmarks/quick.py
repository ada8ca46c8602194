"""The short answer: how much faster than `jax.nn`, and how much more accurate, within a minute.

jaxcalc as it comes ("high"). What both have is timed as a value, and as value and gradient in one
program, every result checked first; errors are the worst over the quick rows of `accuracy`.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks import accuracy
from benchmarks.peers import ELEMENTWISE, LOSS
from benchmarks.peers import jax as jax_peers
from benchmarks.report import (
    Column,
    Line,
    Part,
    Progress,
    Result,
    Row,
    field,
    lines_of,
    show_number,
)
from benchmarks.speed.cell import Cell, Shape
from benchmarks.speed.jax_side import BASELINE, rivals
from benchmarks.speed.running import Rivals, run_cell
from benchmarks.speed.summary import mean, noise, select
from benchmarks.timing import Effort

DTYPES = ("float32", "bfloat16")
OWN = "high"
VALUE, GRADIENT = "value", "gradient"
FEW, MANY = (2048, 1000), (32, 50257)  # rows × classes, of images and of words
PLACES: dict[str, Shape] = {
    "sigmoid": FEW,
    "softmax": FEW,
    "logsumexp": FEW,
    "log_softmax": MANY,
    LOSS: MANY,
}
EFFORT = Effort(rounds=11, seconds=1e-3, budget=0.3)

LEGEND = """How many times as fast as {baseline}: above 1 is faster; gradients with their values,
in one program; {places}. Errors: the worst on hard inputs, of {baseline} in brackets; in ULP or, of
sums whose terms cancel, in roundings of the terms. From 1.7e7 on no digit of float32 is right, from
256 on none of bfloat16."""
SENTENCE = (
    "On this machine jaxcalc is {float32:.2f} × as fast as jax.nn in float32 and {bfloat16:.2f} × "
    "in bfloat16 (geometric means, {cells} cells in all), and its worst derivative error is {own} "
    "against {theirs} units."
)


def run(quick: bool, progress: Progress) -> Result:
    """The short answer, which is always quick."""
    return measure(PLACES, EFFORT, progress)


def measure(places: Mapping[str, Shape], effort: Effort, progress: Progress) -> Result:
    """Time those functions on arrays of those shapes, then look for their worst errors."""
    cells = [(f, what, d) for d in DTYPES for f in places for what in (VALUE, GRADIENT)]
    timed = [
        (f"time of {' '.join(cell)}", partial(_times, *cell, places[cell[0]], effort))
        for cell in cells
    ]
    judged = [(f"errors of {' '.join(cell)}", partial(_errors, *cell)) for cell in cells]
    return progress.each([*timed, *judged])


def _times(function: str, what: str, dtype: str, shape: Shape, effort: Effort) -> Result:
    name = "cross-entropy(indices)" if function == LOSS else function
    cell = Cell(name, "value" if what == VALUE else "value+vjp", dtype, shape)
    both = {name: library for name, library in rivals().items() if name in (OWN, BASELINE)}
    rows, failures = run_cell(cell, Rivals(both), 0, effort)
    return Result([{**row, "function": function, "what": what} for row in rows], failures)


def _errors(function: str, what: str, dtype: str) -> Result:
    derivative = "derivative 1" if function in ELEMENTWISE else "vjp"
    asked = accuracy.question(function, "value" if what == VALUE else derivative, dtype)
    names = {f"jaxcalc {OWN}": OWN, BASELINE: BASELINE}
    peers = [peer for peer in jax_peers.find() if peer.name in names]
    rows = accuracy.answers(asked, peers, quick=True)
    named = {"part": "error", "what": what}
    return Result([{**row, **named, "contestant": names[row["peer"]]} for row in rows], [])


# --- what is shown ---


def parts(rows: Sequence[Row]) -> list[Part]:
    """The table, what its numbers are, and the answer in words."""
    columns = [field("function"), field("what", ""), *map(_speed, DTYPES), *map(_error, DTYPES)]
    return [
        Part("", columns=columns, rows=lines(rows)),
        Part("", _legend(rows)),
        Part("", f"{answer(rows)} {noise(rows)}"),
    ]


def lines(rows: Sequence[Row]) -> list[Line]:
    """A line for each function and what is computed of it, with its times and errors."""
    shown = [*_of_part(rows, "error"), *select(rows)]
    return lines_of(shown, ("function", "what"), _place)


def _place(row: Row) -> str:
    return f"{row['part']} {row['dtype']} {row['contestant']}"


def speed(line: Line, dtype: str) -> float | None:
    """How many times as fast; None where a result was wrong."""
    row = line.get(f"cell {dtype} {OWN}")
    return None if row is None else 1 / row["ratio"]


def error(line: Line, dtype: str, name: str) -> float:
    """The worst error."""
    return float(line[f"error {dtype} {name}"]["worst"])


def _speed(dtype: str) -> Column:
    def text(line: Row) -> str:
        found = speed(dict(line), dtype)
        return "wrong" if found is None else f"{found:.2f} ×"

    return Column(dtype, text)


def _error(dtype: str) -> Column:
    def text(line: Row) -> str:
        own, theirs = (show_number(error(dict(line), dtype, name)) for name in (OWN, BASELINE))
        return f"{own} ({theirs})"

    return Column(f"error {dtype}", text)


def answer(rows: Sequence[Row]) -> str:
    """The sentence that a user wants; empty where nothing was right."""
    means = {dtype: mean(select(rows, contestant=OWN, dtype=dtype)) for dtype in DTYPES}
    if None in means.values():
        return ""
    speeds = {dtype: 1 / found.value for dtype, found in means.items() if found}
    cells = len(select(rows, contestant=OWN))
    own, theirs = (show_number(_worst(rows, name)) for name in (OWN, BASELINE))
    return SENTENCE.format(**speeds, cells=cells, own=own, theirs=theirs)


def _worst(rows: Sequence[Row], name: str) -> float:
    """Of all derivatives."""
    derivatives = [row for row in _of_part(rows, "error") if row["what"] == GRADIENT]
    return max(row["worst"] for row in derivatives if row["contestant"] == name)


def _of_part(rows: Sequence[Row], part: str) -> list[Row]:
    return [row for row in rows if row["part"] == part]


def _legend(rows: Sequence[Row]) -> str:
    """What the numbers are, and of which arrays."""
    shapes: dict[str, list[str]] = {}
    for row in select(rows, contestant=OWN):
        shapes.setdefault(row["shape"], []).append(row["function"])
    places = "; ".join(
        f"{', '.join(dict.fromkeys(names))} of {shape}" for shape, names in shapes.items()
    )
    return LEGEND.format(baseline=BASELINE, places=places)
