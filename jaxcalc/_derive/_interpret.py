"""Running a linear program on values that are terms of nodes, by one rule a primitive."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from jaxcalc._compat import bind, inlined, opened, operation, run
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._complex import is_complex
from jaxcalc._derive._graph import Tangent
from jaxcalc._derive._opaque import hashable_params
from jaxcalc._derive._step import LinearStep, Operand, as_list
from jaxcalc._derive._table import NO_ROW, TABLE
from jaxcalc._formula import apply, number, unnamed


def interpret(jaxpr: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Operand]:
    """The results of an open program on its constants and arguments; coefficients in `dtype`."""
    done: dict[Hashable, list[Operand]] = {}

    def step(equation: Any, inputs: list[Operand]) -> list[Operand]:
        same = _key(equation, inputs)
        if same not in done:  # what is written twice is one value, as in formulas
            done[same] = _step(equation, inputs, dtype)
        return done[same]

    return run(jaxpr, operands, _literal, step)


def _key(equation: Any, inputs: Sequence[Operand]) -> Hashable:
    """What an equation computes; a linear value is equal to no other."""
    given = tuple(x.expression if isinstance(x, Value) else x for x in inputs)
    types = tuple((v.aval.shape, v.aval.dtype) for v in equation.outvars)
    return equation.primitive.name, hashable_params(equation.params), given, types


def _inside(program: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Operand]:
    """The results of a program that has its constants with it."""
    jaxpr, constants = opened(program)
    return interpret(jaxpr, [*(Value(c, unnamed("c", c)) for c in constants), *operands], dtype)


def _literal(atom: Any) -> Value:
    return Value(np.asarray(atom.val), number(np.asarray(atom.val).item()))


def _step(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Any]:
    """The results of one equation."""
    step = LinearStep(equation, operands, dtype, _inside)
    if len(step.values) == len(operands):
        return _evaluated(step)
    if inlined(equation) is not None:
        return _inside(inlined(equation), operands, dtype)
    if not step.is_changing:
        return [Tangent(aval.shape, aval.dtype) for aval in step.avals]
    row = TABLE.get(operation(equation), NO_ROW)
    return as_list((row.complex if is_complex(equation) else row.real)(step))


def _evaluated(step: LinearStep) -> list[Value]:
    """What does not depend on the tangent is computed at once."""
    arrays = bind(step.equation.primitive, [x.array for x in step.values], step.params)
    written = apply(step.equation, [x.expression for x in step.values])
    return [Value(a, e) for a, e in zip(arrays, written, strict=True)]
