"""What each primitive of a linear program does to a value: one row a primitive."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Value, fresh, labelled
from jaxcalc._derive._graph import Linear, added, light, settled
from jaxcalc._formula import call, number

Operand = Linear | Value
# (equation, operands, dtype to compute in) -> its results
Rule = Callable[[Any, Sequence[Operand], np.dtype], list[Linear]]
# (program with its constants, operands, dtype) -> the program's results
Interpret = Callable[[Any, Sequence[Operand], np.dtype], list[Operand]]
Single = Callable[[Any, Sequence[Operand], np.dtype], Linear]


def _linear(operands: Sequence[Operand]) -> Linear:
    """The one operand that is linear."""
    (t,) = (x for x in operands if isinstance(x, Linear))
    return t


def _shape(equation: Any) -> tuple[int, ...]:
    return tuple(equation.outvars[0].aval.shape)


def times(t: Linear, value: Value, dtype: np.dtype) -> Linear:
    t = light(t)

    def of_term(term: _terms.Term) -> _terms.Term:
        return _terms.times(term, labelled(value, term.out, dtype))

    return settled(t.map(of_term, t.shape))


def _mul(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    (value,) = (x for x in operands if isinstance(x, Value))
    return times(stretched(_linear(operands), _shape(equation)), value, dtype)


def _div(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    t, value = operands
    assert isinstance(t, Linear)
    assert isinstance(value, Value)
    inverse = call("integer_pow", (value.expression,), value.expression.shape, y=-1)
    array = 1 / jnp.asarray(value.array, dtype)
    return times(stretched(t, _shape(equation)), Value(array, inverse), dtype)


def stretched(t: Linear, shape: tuple[int, ...]) -> Linear:
    """t broadcast along its axes of size 1."""
    if t.shape == shape:
        return t
    axes = range(len(shape) - len(t.shape), len(shape))
    return t.map(lambda term: _terms.broadcast(term, shape, axes), shape)


def _add(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    shape = _shape(equation)
    parts = [stretched(x, shape) for x in operands if isinstance(x, Linear)]
    return added(*parts) if len(parts) == 2 else parts[0]


def _sub(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    a, b = operands
    minus = _scaled(b, -1.0) if isinstance(b, Linear) else b
    return _add(equation, (a, minus), dtype)


def _scaled(t: Linear, scale: float) -> Linear:
    return t.map(lambda term: _terms.scaled(term, scale), t.shape)


def _neg(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    return _scaled(_linear(operands), -1.0)


def _same(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    return _linear(operands)


def _converted(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    t = _linear(operands)
    return Linear(t.shape, equation.outvars[0].aval.dtype, t.parts)


def _reduce_sum(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    axes, t = equation.params["axes"], light(_linear(operands))
    return settled(t.map(lambda term: _terms.summed(term, axes), _shape(equation)))


def _broadcast(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    shape, axes = _shape(equation), equation.params["broadcast_dimensions"]
    return _linear(operands).map(lambda term: _terms.broadcast(term, shape, axes), shape)


def _transpose(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    order = equation.params["permutation"]
    return _linear(operands).map(lambda term: _terms.permuted(term, order), _shape(equation))


def _squeeze(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    axes, t = equation.params["dimensions"], _linear(operands)
    axes = [axis % len(t.shape) for axis in axes]
    return t.map(lambda term: _terms.summed(term, axes), _shape(equation))


def unit_axes_only(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether two shapes differ in axes of size 1 alone."""
    return [n for n in before if n != 1] == [n for n in after if n != 1]


def reshaped_units(t: Linear, shape: tuple[int, ...]) -> Linear:
    """t in a shape that differs in axes of size 1."""
    units = [axis for axis, size in enumerate(t.shape) if size == 1]
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    return t.map(lambda term: _terms.broadcast(_terms.summed(term, units), shape, kept), shape)


def _select(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    which, *cases = operands
    assert isinstance(which, Value)
    parts = [case(which, k, t, dtype) for k, t in enumerate(cases) if isinstance(t, Linear)]
    total = parts[0]
    for part in parts[1:]:
        total = added(total, part)
    return total


def case(which: Value, k: int, t: Linear, dtype: np.dtype) -> Linear:
    """t where `which` is k; a case that does not depend on the tangent is zero."""
    array, e = jnp.asarray(which.array), which.expression
    if array.dtype != bool:
        return masked(Value(array == k, call("eq", (e, number(k)), array.shape)), t, dtype)
    return masked(which if k else Value(~array, call("not", (e,), array.shape)), t, dtype)


def masked(mask: Value, t: Linear, dtype: np.dtype) -> Linear:
    """t where the mask holds, elsewhere 0."""
    t = light(t)
    labels = partial(labelled, mask, dtype=np.dtype(bool))
    return t.map(lambda term: _terms.where(term, labels(term.out), dtype), t.shape)


def _dot_general(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> Linear:
    (contracting, batch) = equation.params["dimension_numbers"]
    position = 0 if isinstance(operands[0], Linear) else 1
    t, value = operands[position], operands[1 - position]
    assert isinstance(t, Linear)
    assert isinstance(value, Value)
    own, other = contracting[position], contracting[1 - position]
    own_batch, other_batch = batch[position], batch[1 - position]
    fixed = (*other, *other_batch)
    remaining = [axis for axis in range(value.array.ndim) if axis not in fixed]
    is_matrix = any(value.array.shape[axis] > 1 for axis in remaining)
    t = t.cut() if is_matrix else light(t)

    def dot(term: _terms.Term) -> _terms.Term:
        names = {axis: term.out[a] for a, axis in zip(own, other, strict=True)}
        names |= {axis: term.out[a] for a, axis in zip(own_batch, other_batch, strict=True)}
        names |= {axis: fresh(value.array.shape[axis]) for axis in remaining}
        labels = [names[axis] for axis in range(value.array.ndim)]
        kept = [a for a in range(len(term.out)) if a not in own and a not in own_batch]
        mine, its = [term.out[a] for a in kept], [names[axis] for axis in remaining]
        out = [term.out[a] for a in own_batch] + (mine + its if position == 0 else its + mine)
        summed = [term.out[a] for a in own]
        product = _terms.times(_terms.extended(term, its), labelled(value, labels, dtype))
        axes = [product.out.index(label) for label in summed]
        reduced = _terms.summed(product, axes)
        return _terms.permuted(reduced, [reduced.out.index(label) for label in out])

    return settled(t.map(dot, _shape(equation)))


_SINGLE: dict[str, Single] = {
    "mul": _mul,
    "div": _div,
    "add_any": _add,
    "add": _add,
    "sub": _sub,
    "neg": _neg,
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "sharding_constraint": _same,
    "convert_element_type": _converted,
    "reduce_sum": _reduce_sum,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "select_n": _select,
    "dot_general": _dot_general,
}


def _listed(rule: Single) -> Rule:
    return lambda equation, operands, dtype: [rule(equation, operands, dtype)]


def _each(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """All operands as they are; one that does not depend on the tangent is zero."""
    types = [variable.aval for variable in equation.outvars]
    pairs = zip(operands, types, strict=True)
    return [x if isinstance(x, Linear) else Linear(t.shape, t.dtype) for x, t in pairs]


ARITHMETIC: dict[str, Rule] = {
    **{name: _listed(rule) for name, rule in _SINGLE.items()},
    "device_put": _each,
}
