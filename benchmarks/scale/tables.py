"""The tables: what is said, and what is held in memory, by contestant."""

from collections.abc import Callable, Sequence

from benchmarks.report import Column, Part, Row, field, lines_of, show_number
from benchmarks.speed.jax_side import BASELINE, OWN

COMMUNICATION = f"""Of {{devices}} devices that share the classes, in compiled code: rounds /
numbers that a device hands over for each row. {BASELINE} knows no name of an axis."""
MEMORY = """Temporaries of value+vjp on one device, by compiled memory analysis, in arrays like x of
the dtype computed in."""


def parts(rows: Sequence[Row]) -> list[Part]:
    """The tables of what was measured."""
    said = [row for row in rows if row["part"] == "communication"]
    held = [row for row in rows if row["part"] == "memory"]
    found = []
    if said:
        text = COMMUNICATION.format(**said[0])
        found.append(_part("Communication", text, said, "way", "function", "quantity", "dtype"))
    if held:
        found.append(_part("Memory", MEMORY, held, "function", "dtype", "shape"))
    return found


def _part(heading: str, text: str, rows: Sequence[Row], *names: str) -> Part:
    """A line for each program, a column for each contestant."""
    shown = TEXTS[rows[0]["part"]]
    columns = [Column(name, _of(name, shown)) for name in (*OWN, BASELINE)]
    return Part(heading, text, [*map(field, names), *columns], lines_of(rows, names))


def _of(name: str, text: Callable[[Row], str]) -> Callable[[Row], str]:
    return lambda line: text(line[name]) if name in line else ""


def _said(row: Row) -> str:
    return f"{row['rounds']} / {show_number(row['numbers'])}"


def _held(row: Row) -> str:
    return f"{row['arrays']:.2f}"


TEXTS: dict[str, Callable[[Row], str]] = {"communication": _said, "memory": _held}
