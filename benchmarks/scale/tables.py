"""The tables: what is said, and what is held in memory, by contestant."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.report import Column, Row, field, show_number, table
from benchmarks.scale.aims import LONGEST, MOST, too_large, too_talkative
from benchmarks.speed.jax_side import BASELINE, OWN

COMMUNICATION = f"""Communication of {{devices}} devices that share the classes, in compiled code:
rounds / numbers a row / bytes a row. Aims: "high" at most what its column says; "fast" in
derivatives no more rounds than {BASELINE} under `jit`; nothing as large as a device's part of x
is handed over ("gathers")."""
MEMORY = f"""Temporaries of value+vjp on one device, by compiled memory analysis, in arrays like x
of the dtype computed in. Aim: at most those of {BASELINE}, or one (two for log_softmax of more than
{LONGEST:,} classes)."""
NAMES = (*OWN, BASELINE)

Line = dict[str, Any]


def show(rows: Sequence[Row]) -> str:
    """The tables of what was measured."""
    said = [row for row in rows if row["part"] == "communication"]
    held = [row for row in rows if row["part"] == "memory"]
    parts = [show_communication(said)] if said else []
    return "\n\n".join([*parts, show_memory(held)] if held else parts)


def show_communication(rows: Sequence[Row]) -> str:
    """A line for each program, the baseline's of plain `jit` beside that of every way."""
    program, baseline = ("function", "quantity", "dtype"), {}
    for row in rows:
        if row["contestant"] == BASELINE:
            baseline[tuple(row[name] for name in program)] = row
    lines = _lines(rows, "way", *program)
    for line in lines:
        line[BASELINE] = baseline[tuple(line[name] for name in program)]
    columns = [
        *map(field, ("way", *program)),
        *_columns(_said),
        Column("high at most", _most),
        Column("aims", lambda line: _verdict(too_talkative(line))),
    ]
    legend = COMMUNICATION.format(devices=rows[0]["devices"])
    return f"{legend}\n\n{table(columns, lines)}"


def show_memory(rows: Sequence[Row]) -> str:
    """A line for each program."""
    names = ("function", "dtype", "shape")
    columns = [
        *map(field, names),
        *_columns(lambda row: f"{row['arrays']:.2f}"),
        Column("aims", lambda line: _verdict(too_large(line))),
    ]
    return f"{MEMORY}\n\n{table(columns, _lines(rows, *names))}"


def _lines(rows: Sequence[Row], *names: str) -> list[Line]:
    """Rows that agree in these fields as one line, with the row of each contestant."""
    lines: dict[tuple[Any, ...], Line] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        lines.setdefault(key, dict(zip(names, key, strict=True)))[row["contestant"]] = row
    return list(lines.values())


def _columns(text: Callable[[Row], str]) -> list[Column]:
    """One of each contestant."""
    return [Column(name, partial(_of, name, text)) for name in NAMES]


def _of(name: str, text: Callable[[Row], str], line: Row) -> str:
    return text(line[name])


def _said(row: Row) -> str:
    amounts = " / ".join(show_number(row[name]) for name in ("rounds", "numbers", "bytes"))
    return f"{amounts} gathers" if row["gathers"] else amounts


def _most(line: Row) -> str:
    most = MOST.get((line["function"], line["quantity"]))
    return "" if most is None else f"{most.rounds} / {most.numbers}"


def _verdict(missing: Sequence[str]) -> str:
    return f"missed by {' and '.join(missing)}" if missing else "met"
