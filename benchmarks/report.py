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
Line = Mapping[str, str]  # of a table: the text under each heading


class Result(NamedTuple):
    """The rows that a subject measured, and a line for each check that failed."""

    rows: Sequence[Row]
    failures: Sequence[str]


def joined(results: Iterable[Result]) -> Result:
    """All rows and failures of several."""
    results = list(results)
    rows = [row for result in results for row in result.rows]
    return Result(rows, [line for result in results for line in result.failures])


# --- tables ---


class Part(NamedTuple):
    """A table with its heading and what it shows; without lines the text alone."""

    heading: str
    text: str = ""
    lines: Sequence[Line] = ()


def grouped(
    rows: Iterable[Row],
    names: Sequence[str],
    by: Callable[[Row], str] = lambda row: row["contestant"],
) -> list[tuple[Row, Mapping[str, Row]]]:
    """Rows that agree in those fields: the fields, and the row of each contestant.

    >>> grouped([{"n": 1, "contestant": "a"}], ["n"])
    [({'n': 1}, {'a': {'n': 1, 'contestant': 'a'}})]
    """
    groups: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), {})[by(row)] = row
    return [(dict(zip(names, key, strict=True)), group) for key, group in groups.items()]


def fields(row: Row, *names: str) -> Line:
    """Those fields as they are; blank where there is none."""
    return {name: str(row.get(name, "")) for name in names}


def show_number(value: float | None, unit: float = 1.0) -> str:
    """A number to three digits, or two with an exponent where it is large; blank for None."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    value /= unit
    if abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def interval(row: Row) -> str:
    """A ratio with its interval; blank where nothing was timed."""
    if row["ratio"] is None:
        return ""
    return f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"


def time_and_ratio(row: Row) -> Line:
    """Both; blank where nothing was timed."""
    return {"ms": show_number(row["seconds"], 1e-3), "ratio": interval(row)}


def table(lines: Sequence[Line]) -> str:
    """Aligned text, one line a row under the headings."""
    cells = [list(lines[0]), *(list(line.values()) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    ruled = [cells[0], ["─" * width for width in widths], *cells[1:]]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in ruled
    )


def markdown_table(lines: Sequence[Line]) -> str:
    """The table, with bars in the text escaped."""
    cells = [list(lines[0]), ["---"] * len(lines[0]), *(list(line.values()) for line in lines)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells
    )


def show(parts: Iterable[Part]) -> str:
    """All of it, for a terminal."""
    return "\n\n".join(text for part in parts for text in _shown(part) if text)


def _shown(part: Part) -> tuple[str, str, str]:
    heading = f"{part.heading}:" if part.heading else ""
    paragraphs = (" ".join(text.split()) for text in part.text.split("\n\n"))
    text = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
    return heading, text, table(part.lines) if part.lines else ""


# --- JSON ---


def write_json(path: Path, machine: Mapping[str, Any], subject: str, result: Result) -> None:
    """Write all rows of that subject, one a line, and on what they were measured."""
    rows = ",\n".join(_json({k: _finite(value) for k, value in row.items()}) for row in result.rows)
    found = f'{{"failures": {_json(result.failures)}, "rows": [\n{rows}\n]}}'
    text = f'{{"machine": {_json(machine)},\n"subjects": {{{_json(subject)}: {found}}}}}\n'
    path.write_text(text, encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _finite(value: Any) -> Any:
    """None where JSON has no word for a number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- progress ---


class Progress:
    """A line on stderr that says what is being done, rewritten in place on a terminal."""

    def __init__(self, stream: IO[str] | None = None, every: float = 5.0) -> None:
        self._stream, self._every, self._last = stream or sys.stderr, every, -math.inf

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say that step `done` of `total` begins; sparingly where lines stay."""
        on_terminal, now = self._stream.isatty(), time.monotonic()
        if on_terminal or now - self._last >= self._every:
            self._last, text = now, f"[{done}/{total}] {what}"
            self._write(f"\r\x1b[K{text}" if on_terminal else f"{text}\n")

    def each(self, steps: Sequence[tuple[str, Callable[[], Result]]]) -> Result:
        """Take the steps one after another, saying each; what all of them found."""
        results = []
        for done, (what, step) in enumerate(steps):
            self(done, len(steps), what)
            results.append(step())
        if self._stream.isatty():
            self._write("\r\x1b[K")
        return joined(results)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
