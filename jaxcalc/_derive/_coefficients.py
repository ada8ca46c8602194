"""Coefficients: arrays of the primal program with a label on each axis, beside their expressions.

Labels say which axes of several arrays are the same, as the letters of an einsum do. A label knows
its size; axes of size one carry none. What is computed on the array is written on the expression.
"""

import itertools
import operator
from collections.abc import Callable, Collection, Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcalc._arrays import in_dtype
from jaxcalc._formula import Expression, call, repeated


class Label(NamedTuple):
    """One axis, wherever it appears."""

    number: int
    size: int


Labels = tuple[Label, ...]
Binary = Callable[[Array, Array], Array]
_Item = TypeVar("_Item")
_numbers = itertools.count()


def fresh(size: int) -> Label:
    """A label that nothing has yet."""
    return Label(next(_numbers), size)


class Value(NamedTuple):
    """An array that does not depend on the tangent, and how it was computed."""

    array: Array | np.ndarray
    expression: Expression

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """That of the array."""
        return self.array.dtype

    def then(
        self, array: Array | np.ndarray, op: str, /, *others: Expression, **params: object
    ) -> "Value":
        """The array that an operation makes of this one."""
        return Value(array, call(op, (self.expression, *others), array.shape, **params))


# a value and one of its axes to the value with that axis indexed, padded or turned round
Move = Callable[[Value, int], Value]


class Coefficient(NamedTuple):
    """An array whose axes are labelled.

    Once blocks are taken out, `mapped` says for each of them, outermost first, which axis of the
    array that is then left runs over the blocks (None: the array is shared); labels and expression
    are those of one block.
    """

    array: Array | np.ndarray
    expression: Expression
    labels: Labels
    mapped: tuple[int | None, ...] = ()

    def at(self, label: Label, index: str) -> "Coefficient":
        """The one of a block, at an index of the label that runs over the blocks."""
        if label not in self.labels:
            return self._replace(mapped=(*self.mapped, None))
        axis, e = self.labels.index(label), self.expression
        return Coefficient(
            self.array,
            call("at", (e,), dropped(e.shape, axis), axis=axis, index=index),
            dropped(self.labels, axis),
            (*self.mapped, axis),
        )


def dropped(items: Sequence[_Item], place: int) -> tuple[_Item, ...]:
    """All but the one at a place."""
    return (*items[:place], *items[place + 1 :])


def labelled(value: Value, labels: Sequence[Label], dtype: np.dtype) -> Coefficient:
    """The value as a coefficient; axes along which it is constant lose their label."""
    array, expression = unrepeated(value)
    if array.ndim == 0 and expression.op == "number":  # stays known while tracing
        return Coefficient(np.asarray(expression["value"], dtype), expression, ())
    array = in_dtype(array, dtype)
    kept = [axis for axis, size in enumerate(array.shape) if size != 1]
    if len(kept) < array.ndim:
        array = array.reshape([array.shape[axis] for axis in kept])
        expression = squeezed(expression, kept)
    return Coefficient(array, expression, tuple(labels[axis] for axis in kept))


def unrepeated(value: Value) -> Value:
    """Without the axes that a broadcast made, of which the expression knows; they have size 1."""
    array, found = value.array, repeated(value.expression)
    if found is None:
        return value
    inner, axes = found
    source = dict(zip(axes, inner.shape, strict=True))
    shape = tuple(source.get(axis, 1) for axis in range(array.ndim))
    reshaped = Value(array, inner).then(array[tuple(map(slice, shape))], "reshape", new_sizes=shape)
    return unrepeated(reshaped) if shape == inner.shape else reshaped


def squeezed(expression: Expression, kept: Sequence[int]) -> Expression:
    """The expression without its axes of size 1."""
    shape = tuple(expression.shape[axis] for axis in kept)
    if shape == expression.shape:
        return expression
    return call("reshape", (expression,), shape, new_sizes=shape)


def product(factors: Sequence[Coefficient], summed: Collection[Label] = ()) -> Coefficient:
    """The product of the factors, summed over those labels."""
    if len(factors) == 1 and not summed:
        return factors[0]
    union = tuple(dict.fromkeys(label for factor in factors for label in factor.labels))
    out = tuple(label for label in union if label not in summed)
    numbers = [_numbered(factor.labels, union) for factor in factors]
    read, kept = {"labels": numbers}, _numbered(out, union)
    expression = call("contract", [f.expression for f in factors], _shape(out), out=kept, **read)
    if summed:
        operands = itertools.chain(*zip((f.array for f in factors), numbers, strict=True))
        # "highest": a GPU would otherwise round the factors to 10 bits
        array = jnp.einsum(*operands, kept, precision="highest")
    else:
        array = reduce(_times, (spread(factor, out) for factor in factors))
    return Coefficient(array, expression, out)


def _of_two(plain: Binary, broadcast: Binary) -> Binary:
    """The plain operation where it will do: it is traced in a fifth of the time."""

    def operation(a: Array, b: Array) -> Array:
        alike = (a.shape, a.dtype) == (b.shape, b.dtype)
        return plain(a, b) if alike else broadcast(a, b)

    return operation


_times = _of_two(lax.mul, operator.mul)
_plus = _of_two(lax.add, operator.add)


def _numbered(labels: Labels, union: Labels) -> list[int]:
    return [union.index(label) for label in labels]


def spread(factor: Coefficient, out: Labels) -> Any:
    """Its array with the axes of `out`, of size 1 where it has no such label; a scalar as it is."""
    if not factor.labels:
        return factor.array
    if factor.labels == out:
        return jnp.asarray(factor.array)
    order = sorted(range(len(factor.labels)), key=lambda axis: out.index(factor.labels[axis]))
    sizes = [label.size if label in factor.labels else 1 for label in out]
    return jnp.reshape(jnp.transpose(jnp.asarray(factor.array), order), sizes)


def total(a: Coefficient, b: Coefficient) -> Coefficient:
    """a + b, each constant along the labels it does not have."""
    out = tuple(dict.fromkeys((*a.labels, *b.labels)))
    expressions = tuple(_spread_out(term, out) for term in (a, b))
    array = _plus(spread(a, out), spread(b, out))
    return Coefficient(array, call("add", expressions, _shape(out)), out)


def _spread_out(factor: Coefficient, out: Labels) -> Expression:
    """Its expression broadcast to the labels `out`."""
    if factor.labels == out:
        return factor.expression
    axes = tuple(out.index(label) for label in factor.labels)
    shape = _shape(out)
    return call("broadcast", (factor.expression,), shape, to=shape, axes=axes)


def scaled(factor: Coefficient, scale: float) -> Coefficient:
    """scale · factor."""
    if scale == 1:
        return factor
    expression = call("scale", (factor.expression,), factor.expression.shape, factor=scale)
    return Coefficient(
        factor.array * np.asarray(scale, factor.array.dtype), expression, factor.labels
    )


def chosen(mask: Coefficient, factor: Coefficient) -> Coefficient:
    """The factor where the mask holds, elsewhere 0, whatever the factor is there."""
    out = tuple(dict.fromkeys((*factor.labels, *mask.labels)))
    kept = jnp.asarray(spread(mask, out), bool)
    zero = np.zeros((), factor.array.dtype)
    shape = _shape(out)
    cases = (_spread_out(mask, out), call("zeros", (), shape), _spread_out(factor, out))
    return Coefficient(
        jnp.where(kept, spread(factor, out), zero), call("select_n", cases, shape), out
    )


def along(factor: Coefficient, label: Label, to: Label, move: Move) -> Coefficient:
    """The factor moved along one label, which becomes another; none if that has size 1."""
    axis = factor.labels.index(label)
    array, expression = move(Value(factor.array, factor.expression), axis)
    if to.size != 1:
        labels = (*factor.labels[:axis], to, *factor.labels[axis + 1 :])
        return Coefficient(array, expression, labels)
    rest = dropped(range(array.ndim), axis)
    labels = dropped(factor.labels, axis)
    return Coefficient(jnp.squeeze(array, axis), squeezed(expression, rest), labels)


def arranged(factor: Coefficient, out: Labels) -> Coefficient:
    """The factor with all the labels of `out`, in that order."""
    if factor.labels == out:
        return factor
    array = jnp.broadcast_to(spread(factor, out), _shape(out))
    return Coefficient(array, _spread_out(factor, out), out)


def mask_of(array: np.ndarray, *labels: Label) -> Coefficient:
    """Ones and zeros that are known while tracing; the expression has their runs."""
    return Coefficient(array, call("runs", (), array.shape, runs=_runs(array)), labels)


def _runs(array: np.ndarray) -> tuple[tuple[float, int], ...]:
    """Equal entries that follow each other, as pairs of the entry and their number."""
    starts = np.flatnonzero(np.diff(array, prepend=np.nan))
    lengths = np.diff(starts, append=array.size)
    return tuple(zip(array[starts].tolist(), lengths.tolist(), strict=True))


def renamed(factor: Coefficient, names: dict[Label, Label]) -> Coefficient:
    """The factor with other labels."""
    return factor._replace(labels=tuple(names.get(label, label) for label in factor.labels))


def same(a: Coefficient, b: Coefficient) -> bool:
    """Whether both are known to be one array, with the same labels in the same order."""
    return a.labels == b.labels and (a.array is b.array or a.expression is b.expression)


def _shape(labels: Labels) -> tuple[int, ...]:
    return tuple(label.size for label in labels)
