"""The tables: errors over the scale, memory and time, and the last layer's over the vocabulary."""

from collections.abc import Sequence

from benchmarks.report import Column, Part, Row, field, interval, number

LOGITS = """Losses of class indices, value and gradient, beside float64: the error of the mean loss
(relative), of the worst row's loss, of the worst row's gradient (over its size); temporaries in
float32 arrays like the logits, by compiled memory analysis; time, and its ratio to that of jax.nn,
medians of one run (blank where it was not measured)."""
LAYER = """Loss of a last layer of {rows} rows and {features} features, value and gradient by both:
temporaries by compiled memory analysis; time, and its ratio to that of the plain program."""
TIME = (number("seconds", "ms", 1e-3), Column("ratio", interval))


def parts(rows: Sequence[Row]) -> list[Part]:
    """The tables of what was measured."""
    logits = [row for row in rows if row["part"] == "logits"]
    layers = [row for row in rows if row["part"] == "vocabulary"]
    found = []
    if logits:
        columns = [*map(field, ("shape", "dtype", "scale", "contestant")), *_errors(), *TIME]
        found.append(Part("Logits", LOGITS, [*columns, field("note", "")], logits))
    if layers:
        columns = [*map(field, ("dtype", "vocabulary", "contestant")), number("mib", "MiB"), *TIME]
        found.append(Part("A last layer", LAYER.format(**layers[0]), columns, layers))
    return found


def _errors() -> list[Column]:
    headings = {"mean_error": "mean", "row_error": "worst row", "gradient_error": "gradient"}
    return [*(number(name, heading) for name, heading in headings.items()), number("arrays")]
