"""Maps with a structure along one axis."""

from collections.abc import Sequence

from jaxcalc._derive._along import Cumulated, MapAlong
from jaxcalc._derive._coefficients import Coefficient, Label, Value, fresh, squeezed
from jaxcalc._derive._graph import Tangent, through
from jaxcalc._derive._pieces import Along
from jaxcalc._derive._rules import reshaped_units
from jaxcalc._derive._step import LinearStep

Axes = Sequence[int | None]  # of an array: the axis of the value it runs along, None for its own


def along(
    t: Tangent,
    axis: int,
    kind: MapAlong,
    kept: Sequence[tuple[Value, Axes]] = (),
    rows: int | None = None,
) -> Tangent:
    """`kind` along one axis of a value; `rows` entries come out, by default as many as there were.

    Other axes of size 1 are left out on the way: there is nothing to be tied in them.
    """
    rows = t.shape[axis] if rows is None else rows
    target = (*t.shape[:axis], rows, *t.shape[axis + 1 :])
    labels = tuple(map(fresh, target))
    axes = [a for a, size in enumerate(t.shape) if size != 1 or a == axis]
    coefficients = tuple(_coefficient(value, along, labels) for value, along in kept)
    piece = Along(kind, coefficients, axes.index(axis), tuple(labels[a] for a in axes))
    compact = reshaped_units(t, tuple(t.shape[a] for a in axes))
    made = through(compact, piece, [target[a] for a in axes], t.dtype)
    return reshaped_units(made, target)


def _coefficient(value: Value, axes: Axes, labels: Sequence[Label]) -> Coefficient:
    """The value with its own axes labelled afresh; others of size 1 are left out."""
    sizes = value.shape
    names = [fresh(n) if a is None else labels[a] for n, a in zip(sizes, axes, strict=True)]
    kept = [i for i, a in enumerate(axes) if a is None or sizes[i] != 1]
    array = value.array.reshape([sizes[i] for i in kept])
    return Coefficient(array, squeezed(value.expression, kept), tuple(names[i] for i in kept))


def cumulated(step: LinearStep) -> Tangent:
    """Partial sums along an axis."""
    t, axis = step.linear, step.params["axis"]
    return t if t.shape[axis] == 1 else along(t, axis, Cumulated(step.params["reverse"]))
