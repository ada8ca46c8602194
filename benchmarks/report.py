"""What a subject reports, and how it is shown: rows, a table on the terminal, progress."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

Row = Mapping[str, Any]


class Result(NamedTuple):
    """The rows that a subject measured, and a line for each check that failed."""

    rows: list[Row]
    failures: list[str]


class Column(NamedTuple):
    """A column of a table: its heading, and the text of each row in it."""

    heading: str
    text: Callable[[Row], str]


def field(name: str, heading: str | None = None) -> Column:
    """The column of a field that is shown as it is."""
    return Column(name if heading is None else heading, lambda row: str(row[name]))


def show_number(value: float | None) -> str:
    """A number to three digits, or two with an exponent where it is large; blank for None."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    if abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Aligned text, one line a row under the headings."""
    lines = [[c.heading for c in columns], *([c.text(row) for c in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    ruled = [lines[0], ["─" * width for width in widths], *lines[1:]]
    return "\n".join(_line(cells, widths) for cells in ruled)


def markdown_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The table, with bars in the text escaped."""
    heading = [column.heading for column in columns]
    lines = [heading, ["---"] * len(columns), *([c.text(row) for c in columns] for row in rows)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def write_json(path: Path, machine: Mapping[str, Any], results: Mapping[str, Result]) -> None:
    """Write all rows of those subjects, one a line, and on what they were measured."""
    subjects = ",\n".join(f"{_json(name)}: {_subject(result)}" for name, result in results.items())
    text = f'{{"machine": {_json(machine)},\n"subjects": {{{subjects}}}}}\n'
    path.write_text(text, encoding="utf-8")


def _subject(result: Result) -> str:
    rows = ",\n".join(_json(_finite(row)) for row in result.rows)
    return f'{{"failures": {_json(result.failures)}, "rows": [\n{rows}\n]}}'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _finite(row: Row) -> dict[str, Any]:
    """The row, with None where JSON has no word for a number."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


class Progress:
    """A line on stderr that says what is being done, rewritten in place on a terminal."""

    def __init__(self, stream: IO[str] = sys.stderr, every: float = 5.0) -> None:
        self._stream, self._every, self._last = stream, every, -math.inf

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say that step `done` of `total` begins."""
        text = f"[{done}/{total}] {what}"
        if self._stream.isatty():
            self._write(f"\r\x1b[K{text}")
        elif time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._write(f"{text}\n")

    def finish(self) -> None:
        """Clear the line."""
        if self._stream.isatty():
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
