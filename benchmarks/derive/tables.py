"""The tables of the subject `derive`."""

from collections.abc import Sequence

from benchmarks.derive.contest import OWN
from benchmarks.report import Column, Part, Row, field, interval, lines_of, number, show_number

GROWTH = "Times over one `jax.jvp` of the same function: where they stay, time grows as it does."
CASES = "Dense forms over the better of jacfwd and jacrev; products over one `jax.jvp`."
TRACING = "Over `jax.linearize` and `jax.make_jaxpr` of the same function."
TIME = (number("seconds", "ms", 1e-3), Column("ratio", interval))


def parts(rows: Sequence[Row]) -> list[Part]:
    """The table of each part that was measured."""
    growth, cases, tracing = (
        [row for row in rows if row["part"] == part] for part in ("growth", "case", "tracing")
    )
    named = [*map(field, ("case", "quantity", "contestant")), *TIME]
    traced = [*map(field, ("case", "equations")), *TIME]
    found = [
        _growth(growth),
        Part("Dense forms and products", CASES, named, cases),
        Part("Time to trace", TRACING, traced, tracing),
    ]
    return [part for part in found if part.rows]


def _growth(rows: Sequence[Row]) -> Part:
    """One line for each function and size, the operations beside each other."""
    headings = dict.fromkeys(map(_operation, rows))
    lines = lines_of(rows, ("function", "n"), _operation)
    columns = [*map(field, ("function", "n")), *map(_column, headings)]
    return Part("Growth", GROWTH, columns, lines)


def _operation(row: Row) -> str:
    own = row["contestant"] == OWN
    return str(row["quantity"] if own else row["contestant"].removeprefix(f"{OWN}, "))


def _column(operation: str) -> Column:
    if operation == "jvp":
        return Column("jvp µs", lambda line: _number(line, operation, "seconds", 1e-6))
    return Column(operation, lambda line: _number(line, operation, "ratio", 1.0))


def _number(line: Row, operation: str, name: str, unit: float) -> str:
    return show_number(line[operation][name] / unit) if operation in line else ""
