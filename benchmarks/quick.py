"""The short answer: how much faster than `jax.nn`, and how much more accurate, within a minute.

jaxcalc as it comes ("high"). What both have is timed as a value, and as value and gradient in one
program, every result checked first; errors are the worst over the quick rows of `accuracy`.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks import accuracy
from benchmarks.libraries import BASELINE, ELEMENTWISE, INDICES, LOSS, libraries
from benchmarks.peers import jax_peers
from benchmarks.report import Line, Part, Progress, Result, Row, fields, grouped, show_number
from benchmarks.speed.cell import Cell, Shape
from benchmarks.speed.running import run_cell
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
    """Time everything, then look for the worst errors; always quickly."""
    cells = [(f, what, d) for d in DTYPES for f in PLACES for what in (VALUE, GRADIENT)]
    timed = [(f"time of {' '.join(cell)}", partial(_times, *cell)) for cell in cells]
    judged = [(f"errors of {' '.join(cell)}", partial(_errors, *cell)) for cell in cells]
    return progress.each([*timed, *judged])


def _times(function: str, what: str, dtype: str) -> Result:
    name = INDICES if function == LOSS else function
    cell = Cell(name, "value" if what == VALUE else "value+vjp", dtype, PLACES[function])
    both = {name: libraries()[name] for name in (OWN, BASELINE)}
    rows, failures = run_cell(cell, both, EFFORT)
    return Result([{**row, "function": function, "what": what} for row in rows], failures)


def _errors(function: str, what: str, dtype: str) -> Result:
    derivative = "derivative 1" if function in ELEMENTWISE else "vjp"
    asked = accuracy.Question(dtype, function, "value" if what == VALUE else derivative)
    peers = {name: jax_peers()[name] for name in (OWN, BASELINE)}
    rows, failures = accuracy.answers(asked, peers, quick=True)
    return Result([{**row, "part": "error", "what": what} for row in rows], failures)


# --- what is shown ---


def parts(rows: Sequence[Row]) -> list[Part]:
    """The table, what its numbers are, and the answer in words."""
    return [
        Part("", "", [_line(of, line) for of, line in measured(rows)]),
        Part("", _legend(rows)),
        Part("", f"{answer(rows)} {noise(rows)}"),
    ]


Measured = Mapping[str, Row]  # of one line: times and errors


def measured(rows: Sequence[Row]) -> list[tuple[Row, Measured]]:
    """Each function and what is computed of it, with its times and errors."""
    shown = [*select(rows, part="error"), *select(rows)]
    return grouped(shown, ("function", "what"), lambda row: " ".join(row[name] for name in _PLACE))


_PLACE = ("part", "dtype", "contestant")


def speed(line: Measured, dtype: str) -> float | None:
    """How many times as fast; None where a result was wrong."""
    row = line.get(f"cell {dtype} {OWN}")
    return None if row is None else 1 / row["ratio"]


def error(line: Measured, dtype: str, name: str) -> float:
    """The worst error."""
    return float(line[f"error {dtype} {name}"]["worst"])


def _line(of: Row, line: Measured) -> Line:
    speeds = {dtype: speed(line, dtype) for dtype in DTYPES}
    errors = {
        dtype: [show_number(error(line, dtype, name)) for name in (OWN, BASELINE)]
        for dtype in DTYPES
    }
    return {
        **fields(of, "function"),
        "": of["what"],
        **{
            dtype: "wrong" if found is None else f"{found:.2f} ×" for dtype, found in speeds.items()
        },
        **{f"error {dtype}": f"{own} ({theirs})" for dtype, (own, theirs) in errors.items()},
    }


def answer(rows: Sequence[Row]) -> str:
    """The sentence that a user wants; empty where nothing was right."""
    means = {dtype: mean(select(rows, contestant=OWN, dtype=dtype)) for dtype in DTYPES}
    if None in means.values():
        return ""
    speeds = {dtype: 1 / found for dtype, found in means.items() if found}
    cells = len(select(rows, contestant=OWN))
    own, theirs = (
        show_number(
            max(row["worst"] for row in select(rows, part="error", what=GRADIENT, contestant=name))
        )
        for name in (OWN, BASELINE)
    )
    return SENTENCE.format(**speeds, cells=cells, own=own, theirs=theirs)


def _legend(rows: Sequence[Row]) -> str:
    """What the numbers are, and of which arrays."""
    shapes: dict[str, dict[str, None]] = {}
    for row in select(rows, contestant=OWN):
        shapes.setdefault(row["shape"], {})[row["function"]] = None
    places = "; ".join(f"{', '.join(names)} of {shape}" for shape, names in shapes.items())
    return LEGEND.format(baseline=BASELINE, places=places)
