"""The tables: errors over the scale, memory and time, and the last layer's over the vocabulary."""

from collections.abc import Sequence

from benchmarks.report import Column, Row, field, show_number, table

LOGITS = """Losses of class indices, value and gradient, beside float64: the error of the mean loss
(relative), of the worst row's loss, of the worst row's gradient (over its size); temporaries in
float32 arrays like the logits, by compiled memory analysis; time, and its ratio to that of jax.nn,
medians of one run (blank where it was not measured)."""
LAYER = """Loss of a last layer of {rows} rows and {features} features, value and gradient by both:
temporaries by compiled memory analysis; time, and its ratio to that of the plain program."""

Part = tuple[str, list[Column], list[Row]]


def parts(rows: Sequence[Row]) -> list[Part]:
    """What each table shows, its columns and its lines."""
    of_logits = [row for row in rows if row["part"] == "logits"]
    of_layers = [row for row in rows if row["part"] == "vocabulary"]
    found: list[Part] = []
    if of_logits:
        found.append((LOGITS, _logits_columns(), of_logits))
    if of_layers:
        found.append((LAYER.format(**of_layers[0]), _layer_columns(), of_layers))
    return found


def show(rows: Sequence[Row]) -> str:
    """The tables of what was measured."""
    return "\n\n".join(f"{text}\n\n{table(columns, lines)}" for text, columns, lines in parts(rows))


def _logits_columns() -> list[Column]:
    return [
        *map(field, ("shape", "dtype", "scale", "contestant")),
        _number("mean_error", "mean"),
        _number("row_error", "worst row"),
        _number("gradient_error", "gradient"),
        _number("arrays", "arrays"),
        *_time_columns(),
        field("note", ""),
    ]


def _layer_columns() -> list[Column]:
    names = ("dtype", "vocabulary", "contestant")
    return [*map(field, names), _number("mib", "MiB"), *_time_columns()]


def _number(name: str, heading: str) -> Column:
    return Column(heading, lambda row: show_number(row[name]))


def _time_columns() -> list[Column]:
    return [
        Column("ms", lambda row: "" if row["seconds"] is None else f"{1e3 * row['seconds']:.2f}"),
        Column("ratio", _ratio),
    ]


def _ratio(row: Row) -> str:
    if row["ratio"] is None:
        return ""
    return f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
