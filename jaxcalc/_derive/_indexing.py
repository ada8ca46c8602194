"""What indexing does to a value: along single axes in its terms, otherwise as a selection."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcalc._derive import _terms
from jaxcalc._derive._bound import Bound
from jaxcalc._derive._coefficients import Move, Value
from jaxcalc._derive._graph import Tangent, added, light, settled, through
from jaxcalc._derive._opaque import applied, hashable_params
from jaxcalc._derive._pieces import Einsums, Index, Piece, Reshape
from jaxcalc._derive._rules import masked, permuted, reshaped_units
from jaxcalc._derive._step import LinearStep, Operand
from jaxcalc._formula import call

# --- along one axis ---


def _moved(t: Tangent, axis: int, places: np.ndarray, move: Move, dtype: np.dtype) -> Tangent:
    """t indexed along one axis; see `_terms.moved`."""
    shape = (*t.shape[:axis], len(places), *t.shape[axis + 1 :])
    t = light(t)
    return settled(t.map(lambda term: _terms.moved(term, axis, places, move, dtype), shape))


def sliced(t: Tangent, axis: int, start: int, limit: int, stride: int, dtype: np.dtype) -> Tangent:
    """t from `start` to `limit` along an axis."""
    if (start, limit, stride) == (0, t.shape[axis], 1):
        return t
    places = np.arange(start, limit, stride)
    return _moved(t, axis, places, _slicing(start, limit, stride), dtype)


def _slicing(start: int, limit: int, stride: int) -> Move:
    def move(value: Value, axis: int) -> Value:
        array = lax.slice_in_dim(jnp.asarray(value.array), start, limit, stride, axis)
        starts, limits = [0] * array.ndim, list(value.shape)
        strides = [1] * array.ndim
        starts[axis], limits[axis], strides[axis] = start, limit, stride
        how = {"start_indices": starts, "limit_indices": limits, "strides": strides}
        return value.then(array, "slice", **how)

    return move


def entry(t: Tangent, axis: int, k: int, dtype: np.dtype) -> Tangent:
    """t at an index along an axis, which goes."""
    one = sliced(t, axis, k, k + 1, 1, dtype)
    shape = (*t.shape[:axis], *t.shape[axis + 1 :])
    return one.map(lambda term: _terms.summed(term, [axis]), shape)


def turned_value(value: Value, axis: int) -> Value:
    """An array from the last entry of an axis to the first."""
    return value.then(lax.rev(jnp.asarray(value.array), (axis,)), "rev", dimensions=(axis,))


def turned(t: Tangent, axis: int, dtype: np.dtype) -> Tangent:
    """The same of a value."""
    return _moved(t, axis, np.arange(t.shape[axis])[::-1], turned_value, dtype)


def padded(t: Tangent, axis: int, low: int, high: int, interior: int, dtype: np.dtype) -> Tangent:
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


def joined(
    parts: Sequence[Operand], sizes: Sequence[int], axis: int, dtype: np.dtype
) -> Iterator[Tangent]:
    """Parts of these sizes, each where it is when one follows another along an axis.

    One that does not depend on the tangent is left out.
    """
    starts = np.cumsum([0, *sizes]).tolist()
    for t, start, size in zip(parts, starts, sizes, strict=False):
        if isinstance(t, Tangent):
            yield padded(t, axis, start, starts[-1] - start - size, 0, dtype)


def stacked(parts: Sequence[Operand], axis: int, dtype: np.dtype) -> Iterator[Tangent]:
    """The same along a new axis."""
    rows = [with_axis(t, axis) if isinstance(t, Tangent) else t for t in parts]
    return joined(rows, [1] * len(rows), axis, dtype)


def with_axis(t: Tangent, axis: int) -> Tangent:
    """t with a new axis of size 1."""
    return reshaped_units(t, (*t.shape[:axis], 1, *t.shape[axis:]))


# --- the rules ---


def slice_(step: LinearStep) -> Tangent:
    """A slice along each axis."""
    params, t = step.params, step.linear
    starts, limits = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or (1,) * len(starts)
    for axis, (start, limit, stride) in enumerate(zip(starts, limits, strides, strict=True)):
        t = sliced(t, axis, start, limit, stride, step.dtype)
    return t


def pad(step: LinearStep) -> Tangent | list[Tangent]:
    """Zeros around a value; a filling that depends on the tangent makes it a selection."""
    t, filling = step.operands
    if not isinstance(t, Tangent) or isinstance(filling, Tangent):
        return selected(step)
    for axis, (low, high, interior) in enumerate(step.params["padding_config"]):
        t = padded(t, axis, low, high, interior, step.dtype)
    return t


def rev(step: LinearStep) -> Tangent:
    """Axes turned round."""
    return reduce(
        lambda t, axis: turned(t, axis, step.dtype), step.params["dimensions"], step.linear
    )


def concatenate(step: LinearStep) -> Tangent:
    """Values one after another."""
    axis = step.params["dimension"]
    sizes = [variable.aval.shape[axis] for variable in step.equation.invars]
    return reduce(added, joined(step.operands, sizes, axis, step.dtype))


def stack(step: LinearStep) -> Tangent:
    """Values along a new axis."""
    return reduce(added, stacked(step.operands, step.params["axis"], step.dtype))


def unstack(step: LinearStep) -> list[Tangent]:
    """The entries of an axis, each alone."""
    t, axis = step.linear, step.params["axis"]
    return [entry(t, axis, k, step.dtype) for k in range(t.shape[axis])]


def split(step: LinearStep) -> list[Tangent]:
    """Parts of an axis."""
    axis, ends = step.params["axis"], np.cumsum((0, *step.params["sizes"])).tolist()
    return [sliced(step.linear, axis, a, b, 1, step.dtype) for a, b in itertools.pairwise(ends)]


def reshape(step: LinearStep) -> Tangent:
    """The same entries in another shape."""
    t, shape, order = step.linear, step.shape, step.params["dimensions"]
    t = t if order is None else permuted(t, order)
    if [n for n in t.shape if n != 1] == [n for n in shape if n != 1]:
        return reshaped_units(t, shape)
    return through(t, Reshape(), shape, t.dtype)


def dynamic_slice(step: LinearStep) -> Tangent | list[Tangent]:
    """A slice, where it is written in the program at which index."""
    t, *starts = step.operands
    numbers = [start.expression for start in starts]
    if any(e.op != "number" for e in numbers):
        return selected(step)
    for axis, (e, size) in enumerate(zip(numbers, step.params["slice_sizes"], strict=True)):
        start = min(max(0, int(e["value"])), t.shape[axis] - size)
        t = sliced(t, axis, start, start + size, 1, step.dtype)
    return t


def dynamic_update_slice(step: LinearStep) -> Tangent:
    """What is outside of the slice, and what is put inside."""
    t, update, *starts = step.operands
    parts: list[Tangent] = []
    if isinstance(t, Tangent):
        hole = jnp.zeros(step.equation.invars[1].aval.shape, bool)
        ones, places = jnp.ones(t.shape, bool), [start.array for start in starts]
        mask = lax.dynamic_update_slice(ones, hole, places)
        expressions = [start.expression for start in starts]
        kept = call("outside", expressions, t.shape, sizes=hole.shape)
        parts.append(masked(Value(mask, kept), t, step.dtype))
    if isinstance(update, Tangent):
        nothing = Value(jnp.zeros(step.shape, update.dtype), call("zeros", (), step.shape))
        parts += selected(step.on(nothing, update, *starts))
    return reduce(added, parts)


# --- along several axes ---


def selected(step: LinearStep) -> list[Tangent]:
    """A selection that acts on several axes, or at indices known only when it runs."""
    return applied(step, lambda bound: index_piece(step, bound))


def scattered(step: LinearStep) -> list[Tangent]:
    """The transpose of a selection from the updates; what is there before is kept."""
    return applied(step, lambda bound: kept_first(bound) or index_piece(step, bound, scatters=True))


def kept_first(bound: Bound) -> Piece | None:
    """The identity, for the first operand."""
    return None if bound.position else Einsums((_terms.identity(bound.shape),))


def index_piece(step: LinearStep, function: Bound, scatters: bool = False) -> Index:
    """A selection by the equation's own primitive."""
    are_indices = [
        isinstance(x, Value) and jnp.issubdtype(x.dtype, jnp.integer) for x in step.operands
    ]
    pairs = zip(step.operands, are_indices, strict=True)
    indices = tuple(x.expression for x, is_index in pairs if is_index)
    types = zip(step.equation.invars, are_indices, strict=True)
    arrays = tuple(None if is_index else tuple(v.aval.shape) for v, is_index in types)
    how = hashable_params({**step.params, "position": function.position, "arrays": arrays})
    moving = replace(function, moves=True)
    return Index(moving, step.equation.primitive.name, how, indices, scatters)
