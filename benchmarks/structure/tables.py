"""The tables of the subject `derive` on the terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.report import Column, Row, field, show_number, table

LEGEND = """Ratios are times over those of the yardstick, with 95 % intervals: below 1 is faster.
Everything is compiled, checked against float64, then timed in turns with the others."""


def show(rows: Sequence[Row]) -> str:
    """The table of each part that was measured, under its heading."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row["part"], []).append(row)
    shown = [
        f"{heading}\n\n{tabulate(parts[part])}"
        for part, (heading, tabulate) in TABLES.items()
        if part in parts
    ]
    return "\n\n".join([LEGEND, *shown])


# --- growth ---


def _growth(rows: Sequence[Row]) -> str:
    """One line for each function and size, the ratios of the operations beside each other."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["function"], row["n"])
        line = lines.setdefault(key, dict(zip(("function", "n"), key, strict=True)))
        name = row["contestant"]
        line[row["quantity"] if name == "derive" else name] = _number_of(row, name == "jvp")
    operations = dict.fromkeys(name for line in lines.values() for name in line)
    headings = {"jvp": "jvp µs", "derive, J given": "J @ v, J given"}
    columns = [Column(headings.get(name, name), _cell(name)) for name in operations]
    return table(columns, list(lines.values()))


def _number_of(row: Row, is_yardstick: bool) -> str:
    return show_number(1e6 * row["seconds"] if is_yardstick else row["ratio"])


def _cell(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.get(name, ""))


def _slopes(rows: Sequence[Row]) -> str:
    numbers = {
        "slope": "slope",
        "slope_of_the_last": "of the last two sizes",
        "bytes_per_entry_least": "bytes/entry, least n",
        "bytes_per_entry_largest": "bytes/entry, largest n",
    }
    columns = [Column(heading, _number(name)) for name, heading in numbers.items()]
    return table([*map(field, ("function", "quantity", "contestant")), *columns], rows)


def _number(name: str) -> Callable[[Row], str]:
    return lambda row: show_number(row[name])


# --- cases, overhead, aims ---


def _cases(rows: Sequence[Row]) -> str:
    columns = [
        *map(field, ("case", "quantity", "contestant", "version")),
        Column("ready s", _number("ready_seconds")),
        Column("ms (quartiles)", milliseconds),
        Column("over the yardstick", ratio_text),
        field("result"),
    ]
    return table(columns, rows)


def _overhead(rows: Sequence[Row]) -> str:
    columns = [
        field("case"),
        field("equations"),
        Column("linearize + make_jaxpr ms", lambda row: milliseconds(row, "parts_")),
        Column("derive ms", milliseconds),
        Column("ratio", ratio_text),
    ]
    return table(columns, rows)


def _aims(rows: Sequence[Row]) -> str:
    columns = [
        *map(field, ("case", "of", "over")),
        Column("ratio", ratio_text),
        Column("at most", _number("at_most")),
        field("verdict"),
    ]
    counts = [f"{sum(row['verdict'] == word for row in rows)} {word}" for word in VERDICTS]
    return f"{table(columns, rows)}\n\n{', '.join(counts)}"


VERDICTS = ("met", "near", "missed", "not timed")


def milliseconds(row: Row, prefix: str = "") -> str:
    """The median between the quartiles; blank where nothing was timed."""
    names = ("seconds", "seconds_lower_quartile", "seconds_upper_quartile")
    values = [row[f"{prefix}{name}"] for name in names]
    if None in values:
        return ""
    median, lower, upper = (show_number(1e3 * value) for value in values)
    return f"{median} ({lower}–{upper})"


def ratio_text(row: Row) -> str:
    """The ratio with its interval; blank where nothing was timed."""
    if row["ratio"] is None:
        return ""
    ratio, low, high = (show_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    return f"{ratio} [{low}, {high}]"


TABLES: Mapping[str, tuple[str, Callable[[Sequence[Row]], str]]] = {
    "growth": ("Times over one jax.jvp of the same function:", _growth),
    "slope": ("Growth in n, as the slope of the time on log axes, and memory:", _slopes),
    "case": ("Dense forms (over the better of jacfwd and jacrev) and products:", _cases),
    "overhead": ("Time to trace:", _overhead),
    "aim": ("Aims:", _aims),
}
