"""Arithmetic: what sums, products and rearrangements of axes do to a value."""

from collections.abc import Sequence
from functools import partial, reduce

import jax.numpy as jnp
import numpy as np

from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Value, fresh, labelled
from jaxcalc._derive._graph import Tangent, added, light, settled
from jaxcalc._derive._step import LinearStep, Operand
from jaxcalc._formula import number


def product(step: LinearStep) -> Tangent:
    """A value times an array."""
    return times(stretched(step.linear, step.shape), step.value, step.dtype)


def quotient(step: LinearStep) -> Tangent:
    """A value over an array."""
    value = step.value
    inverse = value.then(1 / jnp.asarray(value.array, step.dtype), "integer_pow", y=-1)
    return times(stretched(step.linear, step.shape), inverse, step.dtype)


def times(t: Tangent, value: Value, dtype: np.dtype) -> Tangent:
    """value ⊙ t."""
    t = light(t)

    def of_term(term: _terms.Term) -> _terms.Term:
        return _terms.times(term, labelled(value, term.out, dtype))

    return settled(t.map(of_term, t.shape))


def stretched(t: Tangent, shape: tuple[int, ...]) -> Tangent:
    """t broadcast along its axes of size 1."""
    if t.shape == shape:
        return t
    axes = range(len(shape) - len(t.shape), len(shape))
    return t.map(lambda term: _terms.broadcast(term, shape, axes), shape)


def total(step: LinearStep) -> Tangent:
    """The sum of what is linear; arrays beside it do not change."""
    parts = [stretched(x, step.shape) for x in step.operands if isinstance(x, Tangent)]
    return reduce(added, parts)


def difference(step: LinearStep) -> Tangent:
    """The first less the second."""
    a, b = step.operands
    return total(step.on(a, scaled(b, -1.0) if isinstance(b, Tangent) else b))


def scaled(t: Tangent, scale: float) -> Tangent:
    """scale · t."""
    return t.map(lambda term: _terms.scaled(term, scale), t.shape)


def negative(step: LinearStep) -> Tangent:
    """−t."""
    return scaled(step.linear, -1.0)


def same(step: LinearStep) -> list[Tangent]:
    """All operands as they are; one that does not depend on the tangent is zero."""
    pairs = zip(step.operands, step.avals, strict=True)
    return [x if isinstance(x, Tangent) else Tangent(a.shape, a.dtype) for x, a in pairs]


def converted(step: LinearStep) -> Tangent:
    """t in another dtype."""
    t = step.linear
    return Tangent(t.shape, step.avals[0].dtype, t.parts)


def summed(step: LinearStep) -> Tangent:
    """t summed over axes."""
    axes, t = step.params["axes"], light(step.linear)
    return settled(t.map(lambda term: _terms.summed(term, axes), step.shape))


def broadcast(step: LinearStep) -> Tangent:
    """t along new axes."""
    shape, axes = step.shape, step.params["broadcast_dimensions"]
    return step.linear.map(lambda term: _terms.broadcast(term, shape, axes), shape)


def transposed(step: LinearStep) -> Tangent:
    """t with its axes in another order."""
    return permuted(step.linear, step.params["permutation"])


def permuted(t: Tangent, order: Sequence[int]) -> Tangent:
    """The same, in that order."""
    shape = tuple(t.shape[axis] for axis in order)
    return t.map(lambda term: _terms.permuted(term, order), shape)


def reordered_value(value: Value, order: Sequence[int]) -> Value:
    """The same of an array."""
    array = jnp.transpose(jnp.asarray(value.array), order)
    return value.then(array, "transpose", permutation=tuple(order))


def squeezed(step: LinearStep) -> Tangent:
    """t without axes of size 1."""
    return reshaped_units(step.linear, step.shape)


def reshaped_units(t: Tangent, shape: tuple[int, ...]) -> Tangent:
    """t in a shape that differs in axes of size 1."""
    units = [axis for axis, size in enumerate(t.shape) if size == 1]
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    return t.map(lambda term: _terms.broadcast(_terms.summed(term, units), shape, kept), shape)


def choice(step: LinearStep) -> Tangent:
    """The sum of the cases, each where it is chosen."""
    which, *cases = step.operands
    return chosen(which, cases, step.dtype)


def chosen(which: Value, cases: Sequence[Operand], dtype: np.dtype) -> Tangent:
    """The same; a case that does not depend on the tangent is zero."""
    linear = [(k, t) for k, t in enumerate(cases) if isinstance(t, Tangent)]
    return reduce(added, (masked(_is_chosen(which, k), t, dtype) for k, t in linear))


def _is_chosen(which: Value, k: int) -> Value:
    array = jnp.asarray(which.array)
    if array.dtype != bool:
        return which.then(array == k, "eq", number(k))
    return which if k else which.then(~array, "not")


def masked(mask: Value, t: Tangent, dtype: np.dtype) -> Tangent:
    """t where the mask holds, elsewhere 0."""
    t = light(t)
    labels = partial(labelled, mask, dtype=np.dtype(bool))
    return t.map(lambda term: _terms.where(term, labels(term.out), dtype), t.shape)


def contracted(step: LinearStep) -> Tangent:
    """t times an array, summed over axes that both have; batch axes come first in the result."""
    numbers, t, value = step.params["dimension_numbers"], step.linear, step.value
    first = isinstance(step.operands[0], Tangent)
    (own, other), (batch, other_batch) = (pair if first else pair[::-1] for pair in numbers)
    shared = dict(zip((*other, *other_batch), (*own, *batch), strict=True))
    rest = [axis for axis in range(len(value.shape)) if axis not in shared]
    new = {axis: len(t.shape) + k for k, axis in enumerate(rest)}  # axes that t gets
    mine = [axis for axis in range(len(t.shape)) if axis not in shared.values()]
    read = [(shared | new)[axis] for axis in range(len(value.shape))]
    order = [*batch, *mine, *new.values()] if first else [*batch, *new.values(), *mine]
    sizes = [value.shape[axis] for axis in rest]

    def dot(term: _terms.Term) -> _terms.Term:
        wide = _terms.extended(term, list(map(fresh, sizes)))
        weight = labelled(value, [wide.out[axis] for axis in read], step.dtype)
        reduced = _terms.summed(_terms.times(wide, weight), own)
        return _terms.permuted(reduced, np.argsort(np.argsort(order)).tolist())

    is_matrix = any(size > 1 for size in sizes)
    return settled((t.cut() if is_matrix else light(t)).map(dot, step.shape))
