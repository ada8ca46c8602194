"""What indexing does to a value: along single axes in its terms, otherwise as a selection."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcalc._derive import _terms
from jaxcalc._derive._bound import Bound, Rearranged
from jaxcalc._derive._coefficients import Move, Value
from jaxcalc._derive._graph import Einsums, Index, Linear, Piece, added, light, settled, through
from jaxcalc._derive._opaque import applied, hashable_params
from jaxcalc._derive._rules import Operand, Rule, masked, reshaped_units, unit_axes_only
from jaxcalc._formula import call


def _moved(t: Linear, axis: int, places: np.ndarray, move: Move, dtype: np.dtype) -> Linear:
    """t indexed along one axis; see `_terms.moved`."""
    shape = (*t.shape[:axis], len(places), *t.shape[axis + 1 :])
    t = light(t)
    return settled(t.map(lambda term: _terms.moved(term, axis, places, move, dtype), shape))


def sliced(t: Linear, axis: int, start: int, limit: int, stride: int, dtype: np.dtype) -> Linear:
    """t from `start` to `limit` along an axis."""
    if (start, limit, stride) == (0, t.shape[axis], 1):
        return t
    places = np.arange(start, limit, stride)
    return _moved(t, axis, places, _slicing(start, limit, stride), dtype)


def _slicing(start: int, limit: int, stride: int) -> Move:
    def move(value: Value, axis: int) -> Value:
        array = lax.slice_in_dim(jnp.asarray(value.array), start, limit, stride, axis)
        starts, limits = [0] * array.ndim, list(value.array.shape)
        strides = [1] * array.ndim
        starts[axis], limits[axis], strides[axis] = start, limit, stride
        how = {"start_indices": starts, "limit_indices": limits, "strides": strides}
        return Value(array, call("slice", (value.expression,), array.shape, **how))

    return move


def turned_value(value: Value, axis: int) -> Value:
    """The same of an array."""
    array = lax.rev(jnp.asarray(value.array), (axis,))
    return Value(array, call("rev", (value.expression,), array.shape, dimensions=(axis,)))


def turned(t: Linear, axis: int, dtype: np.dtype) -> Linear:
    """t from the last entry of an axis to the first."""
    return _moved(t, axis, np.arange(t.shape[axis])[::-1], turned_value, dtype)


def padded(t: Linear, axis: int, low: int, high: int, interior: int, dtype: np.dtype) -> Linear:
    """t with zeros before, after and between the entries of an axis."""
    if (low, high, interior) == (0, 0, 0):
        return t
    places = _padding(t.shape[axis], low, high, interior)
    return _moved(t, axis, places, _terms.padding(low, high, interior), dtype)


def _padding(count: int, low: int, high: int, interior: int) -> np.ndarray:
    """For each entry of a padded axis its index before, or −1."""
    spaced = np.full((count, interior + 1), -1)
    spaced[:, 0] = np.arange(count)
    inner = spaced.ravel()[: max(0, count * (interior + 1) - interior)]
    ends = [np.full(max(0, n), -1) for n in (low, high)]
    padded = np.concatenate([ends[0], inner, ends[1]])
    return padded[max(0, -low) : len(padded) - max(0, -high)]


def _slice(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    (t,) = operands
    assert isinstance(t, Linear)
    params = equation.params
    starts, limits = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or (1,) * len(starts)
    for axis, (start, limit, stride) in enumerate(zip(starts, limits, strides, strict=True)):
        t = sliced(t, axis, start, limit, stride, dtype)
    return [t]


def _pad(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    t, filling = operands
    if not isinstance(t, Linear) or isinstance(filling, Linear):
        return _selected(equation, operands, dtype)
    for axis, (low, high, interior) in enumerate(equation.params["padding_config"]):
        t = padded(t, axis, low, high, interior, dtype)
    return [t]


def _rev(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    (t,) = operands
    assert isinstance(t, Linear)
    for axis in equation.params["dimensions"]:
        t = turned(t, axis, dtype)
    return [t]


def _concatenate(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    axis = equation.params["dimension"]
    size, start, parts = equation.outvars[0].aval.shape[axis], 0, []
    for variable, t in zip(equation.invars, operands, strict=True):
        length = variable.aval.shape[axis]
        if isinstance(t, Linear):
            parts.append(padded(t, axis, start, size - start - length, 0, dtype))
        start += length
    return [reduce(added, parts)]


def _stack(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    axis, count = equation.params["axis"], len(operands)
    shape = list(equation.outvars[0].aval.shape)
    kept = [a for a in range(len(shape)) if a != axis]
    shape[axis] = 1
    parts = []
    for k, t in enumerate(operands):
        if isinstance(t, Linear):
            one = t.map(lambda term: _terms.broadcast(term, shape, kept), shape)
            parts.append(padded(one, axis, k, count - 1 - k, 0, dtype))
    return [reduce(added, parts)]


def _unstack(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    (t,) = operands
    assert isinstance(t, Linear)
    axis = equation.params["axis"]
    slices = [sliced(t, axis, k, k + 1, 1, dtype) for k in range(t.shape[axis])]
    shape = tuple(equation.outvars[0].aval.shape)
    return [one.map(lambda term: _terms.summed(term, [axis]), shape) for one in slices]


def _split(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    (t,) = operands
    assert isinstance(t, Linear)
    axis = equation.params["axis"]
    ends = np.cumsum(equation.params["sizes"]).tolist()
    starts = [0, *ends[:-1]]
    return [sliced(t, axis, a, b, 1, dtype) for a, b in zip(starts, ends, strict=True)]


def _reshape(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    (t,) = operands
    assert isinstance(t, Linear)
    shape, order = tuple(equation.outvars[0].aval.shape), equation.params["dimensions"]
    if order is not None:
        before = [t.shape[axis] for axis in order]
        t = t.map(lambda term: _terms.permuted(term, order), before)
    if unit_axes_only(t.shape, shape):
        return [reshaped_units(t, shape)]
    function = Rearranged(tuple(range(len(t.shape))), shape)
    piece = Index(function, "reshape", (("new_sizes", shape),))
    return [through(t, piece, shape, t.dtype)]


def _dynamic_slice(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    t, *starts = operands
    assert isinstance(t, Linear)
    numbers = [_known(start) for start in starts]
    if any(number is None for number in numbers):
        return _selected(equation, operands, dtype)
    sizes = equation.params["slice_sizes"]
    for axis, (number, size) in enumerate(zip(numbers, sizes, strict=True)):
        start = min(max(0, number or 0), t.shape[axis] - size)
        t = sliced(t, axis, start, start + size, 1, dtype)
    return [t]


def _known(start: Operand) -> int | None:
    """An index that is written in the program."""
    assert isinstance(start, Value)
    return int(start.expression["value"]) if start.expression.op == "number" else None


def _dynamic_update_slice(
    equation: Any, operands: Sequence[Operand], dtype: np.dtype
) -> list[Linear]:
    t, update, *starts = operands
    parts = []
    if isinstance(t, Linear):
        arrays = [start.array for start in starts if isinstance(start, Value)]
        hole = jnp.zeros(equation.invars[1].aval.shape, bool)
        mask = lax.dynamic_update_slice(jnp.ones(t.shape, bool), hole, arrays)
        expressions = [start.expression for start in starts if isinstance(start, Value)]
        kept = call("outside", expressions, t.shape, sizes=hole.shape)
        parts.append(masked(Value(mask, kept), t, dtype))
    if isinstance(update, Linear):
        shape = equation.outvars[0].aval.shape
        nothing = Value(jnp.zeros(shape, update.dtype), call("zeros", (), shape))
        parts += _selected(equation, [nothing, update, *starts], dtype)
    return [reduce(added, parts)]


def _selected(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """A selection that acts on several axes, or at indices known only when it runs."""
    return applied(equation, operands, lambda bound: index_piece(equation, operands, bound))


def _scattered(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """The transpose of a selection from the updates; what is there before is kept."""

    def piece(bound: Bound) -> Piece:
        if bound.position == 0:
            return Einsums((_terms.identity(bound.operands[0].shape),))
        return index_piece(equation, operands, bound, scatters=True)

    return applied(equation, operands, piece)


def index_piece(
    equation: Any, operands: Sequence[Operand], function: Bound, scatters: bool = False
) -> Index:
    indices = tuple(
        x.expression
        for x in operands
        if isinstance(x, Value) and jnp.issubdtype(x.array.dtype, jnp.integer)
    )
    arrays = tuple(
        None if isinstance(x, Value) and jnp.issubdtype(x.array.dtype, jnp.integer) else shape
        for x, shape in zip(operands, [tuple(v.aval.shape) for v in equation.invars], strict=True)
    )
    how = hashable_params({**equation.params, "position": function.position, "arrays": arrays})
    return Index(function, equation.primitive.name, how, indices, scatters)


INDEXING: dict[str, Rule] = {
    "slice": _slice,
    "pad": _pad,
    "rev": _rev,
    "concatenate": _concatenate,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "tile": _selected,
    "reshape": _reshape,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _selected,
    "scatter": _selected,
    "scatter-add": _scattered,
}
