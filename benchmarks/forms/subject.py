"""Times and errors of every form, one row each for a kind, dtype and shape."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcalc as jc
from benchmarks.accuracy import ROW_JUDGES
from benchmarks.forms import products, values
from benchmarks.forms.form import Form
from benchmarks.inputs import row_inputs
from benchmarks.report import Column, Progress, Result, Row, field, show_number, table
from benchmarks.statistics import paired_ratio, spread
from benchmarks.timing import Contestant, Effort, measure

SHAPES = ((100_000, 10), (2048, 1024), (4096, 1024), (32, 50257))
QUICK_SHAPES = ((512, 256),)
EFFORT, QUICK_EFFORT = Effort(rounds=21, seconds=4e-3), Effort(rounds=7, seconds=1e-3)
DTYPE = "float32"


class Kind(NamedTuple):
    """What the forms compute, from which arrays."""

    name: str
    unit: str
    quantity: str
    forms: Sequence[Form]
    arguments: Callable[[Any, Any], tuple[Array, ...]]


KINDS = (
    Kind("softmax", "ULP", "value", values.FORMS, lambda x, t: (jnp.asarray(x),)),
    Kind(
        "softmax product",
        "u·N",
        "jvp",
        products.FORMS,
        lambda x, t: (jc.softmax(x), jnp.asarray(t)),
    ),
)


def run(quick: bool, progress: Progress) -> Result:
    """Judge and time every form; a finding is no failure, whatever its error."""
    rows: list[Row] = []
    for done, (kind, shape) in enumerate(planned := list(_planned(quick))):
        progress(done, len(planned), f"forms of {kind.name} {shape[0]} × {shape[1]}")
        rows += _rows(kind, shape, quick)
    progress.finish()
    return Result(rows, [])


def _planned(quick: bool) -> Iterator[tuple[Kind, tuple[int, int]]]:
    for kind in KINDS:
        yield from ((kind, shape) for shape in (QUICK_SHAPES if quick else SHAPES))


def _rows(kind: Kind, shape: tuple[int, int], quick: bool) -> list[Row]:
    jitted = {form.name: jax.jit(form.function) for form in kind.forms}
    keys = jax.random.split(jax.random.key(0))
    x, t = 3 * jax.random.normal(keys[0], shape, DTYPE), jax.random.normal(keys[1], shape, DTYPE)
    arguments = [kind.arguments(x, t)]
    contestants = {name: Contestant(f, arguments) for name, f in jitted.items()}
    times = measure(contestants, QUICK_EFFORT if quick else EFFORT)
    plain = kind.forms[0].name
    return [
        {
            "kind": kind.name,
            "unit": kind.unit,
            "form": form.name,
            "finding": form.finding,
            "dtype": DTYPE,
            "shape": f"{shape[0]} × {shape[1]}",
            "seconds": spread(times[form.name]).median,
            "ratio": paired_ratio(times[form.name], times[plain]).value,
            "worst": _worst(kind, jitted[form.name], quick),
        }
        for form in kind.forms
    ]


def _worst(kind: Kind, form: Callable[..., Array], quick: bool) -> float:
    """The largest error over the accuracy subject's rows; infinite where a result is not finite."""
    prepare = ROW_JUDGES["softmax", kind.quantity]
    worst = 0.0
    for x, t in row_inputs(DTYPE, kind.quantity, quick):
        got = np.asarray(form(*kind.arguments(x, t)))
        errors = prepare(x, t)(got)
        worst = max(worst, float(np.nan_to_num(errors, nan=np.inf).max(initial=0)))
    return worst


def show(rows: Sequence[Row]) -> str:
    """One line a form: its worst error, its times over the plain form's, what was found."""
    return "\n\n".join(table(columns, lines) for columns, lines in tables(rows))


def tables(rows: Sequence[Row]) -> Iterator[tuple[list[Column], list[Row]]]:
    """The columns and lines of the table of each kind."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        yield _table([row for row in rows if row["kind"] == kind])


def _table(rows: Sequence[Row]) -> tuple[list[Column], list[Row]]:
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(row["form"], {**row, "worst": show_number(row["worst"])})
        line[row["shape"]] = f"{row['ratio']:.2f}"
    heading = f"{rows[0]['kind']}, {rows[0]['dtype']}"
    columns: list[Column] = [
        field("form", heading),
        field("worst", f"worst error ({rows[0]['unit']})"),
        *map(field, shapes),
        field("finding", "finding"),
    ]
    return columns, list(lines.values())
