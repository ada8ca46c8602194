"""What a subject reports, and how it is shown: rows, tables, progress."""

import json
import math
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

WIDTH = 80  # of text on a terminal
Row = Mapping[str, Any]
Line = dict[str, Any]  # several rows as one line of a table


class Result(NamedTuple):
    """The rows that a subject measured, and a line for each check that failed."""

    rows: list[Row]
    failures: list[str]


def joined(results: Iterable[Result]) -> Result:
    """All rows and failures of several."""
    results = list(results)
    rows = [row for result in results for row in result.rows]
    return Result(rows, [line for result in results for line in result.failures])


# --- tables ---


class Column(NamedTuple):
    """A column of a table: its heading, and the text of each row in it."""

    heading: str
    text: Callable[[Row], str]


class Part(NamedTuple):
    """A table with its heading and what it shows; without columns the text alone."""

    heading: str
    text: str = ""
    columns: Sequence[Column] = ()
    rows: Sequence[Row] = ()


def field(name: str, heading: str | None = None) -> Column:
    """The column of a field that is shown as it is; blank where there is none."""
    return Column(name if heading is None else heading, lambda row: str(row.get(name, "")))


def number(name: str, heading: str | None = None, unit: float = 1.0) -> Column:
    """The column of a field in that unit; blank where it is None or missing."""

    def text(row: Row) -> str:
        value = row.get(name)
        return show_number(None if value is None else value / unit)

    return Column(name if heading is None else heading, text)


def show_number(value: float | None) -> str:
    """A number to three digits, or two with an exponent where it is large; blank for None."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    if abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def interval(row: Row | None) -> str:
    """A ratio with its interval; blank where nothing was timed."""
    if row is None or row["ratio"] is None:
        return ""
    return f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"


def lines_of(
    rows: Iterable[Row],
    names: Sequence[str],
    by: Callable[[Row], str] = lambda row: row["contestant"],
) -> list[Line]:
    """Rows that agree in those fields as one line, with the row of each contestant.

    >>> lines_of([{"n": 1, "contestant": "a"}], ["n"])
    [{'n': 1, 'a': {'n': 1, 'contestant': 'a'}}]
    """
    lines: dict[tuple[Any, ...], Line] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        lines.setdefault(key, dict(zip(names, key, strict=True)))[by(row)] = row
    return list(lines.values())


def _cells(columns: Sequence[Column], rows: Sequence[Row]) -> list[list[str]]:
    return [[c.heading for c in columns], *([c.text(row) for c in columns] for row in rows)]


def table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Aligned text, one line a row under the headings."""
    heading, *lines = _cells(columns, rows)
    widths = [max(map(len, cells)) for cells in zip(heading, *lines, strict=True)]
    ruled = [heading, ["─" * width for width in widths], *lines]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()
        for cells in ruled
    )


def markdown_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The table, with bars in the text escaped."""
    heading, *lines = _cells(columns, rows)
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in (heading, ["---"] * len(columns), *lines)
    )


def show(parts: Iterable[Part]) -> str:
    """All of it, for a terminal."""
    return "\n\n".join(text for part in parts for text in _shown(part) if text)


def _shown(part: Part) -> tuple[str, str, str]:
    heading = f"{part.heading}:" if part.heading else ""
    paragraphs = (" ".join(text.split()) for text in part.text.split("\n\n"))
    text = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
    return heading, text, table(part.columns, part.rows) if part.columns else ""


# --- JSON ---


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


# --- progress ---


class Progress:
    """A line on stderr that says what is being done, rewritten in place on a terminal."""

    def __init__(self, stream: IO[str] | None = None, every: float = 5.0) -> None:
        self._stream, self._every, self._last = stream or sys.stderr, every, -math.inf

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

    def each(self, steps: Sequence[tuple[str, Callable[[], Result]]]) -> Result:
        """Take the steps one after another, saying each; what all of them found."""
        results = []
        for done, (what, step) in enumerate(steps):
            self(done, len(steps), what)
            results.append(step())
        self.finish()
        return joined(results)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
