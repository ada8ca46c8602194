"""Running a linear program on values that are terms of nodes, by one rule a primitive."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._compat import bind, inlined, is_literal, opened
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Linear, UnstructuredError
from jaxcalc._derive._indexing import INDEXING
from jaxcalc._derive._opaque import opaque
from jaxcalc._derive._own import OWN
from jaxcalc._derive._rules import ARITHMETIC, Operand, Rule
from jaxcalc._formula import apply, call, number

RULES: Mapping[str, Rule] = {**ARITHMETIC, **INDEXING, **OWN}


def interpret(jaxpr: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Operand]:
    """The results of an open program on its constants and arguments; coefficients in `dtype`."""
    variables = (*jaxpr.constvars, *jaxpr.invars)
    environment: dict[Any, Operand] = dict(zip(variables, operands, strict=True))

    def read(atom: Any) -> Operand:
        return _literal(atom) if is_literal(atom) else environment[atom]

    for equation in jaxpr.eqns:
        results = _step(equation, [read(atom) for atom in equation.invars], dtype)
        environment.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _literal(atom: Any) -> Value:
    return Value(np.asarray(atom.val), number(np.asarray(atom.val).item()))


def _step(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Any]:
    """The results of one equation."""
    if not any(isinstance(x, Linear) for x in operands):
        return _evaluated(equation, [x for x in operands if isinstance(x, Value)])
    inner = inlined(equation)
    if inner is not None:
        jaxpr, constants = opened(inner)
        return interpret(jaxpr, [*map(_constant, constants), *operands], dtype)
    changing = any(isinstance(x, Linear) and x.parts for x in operands)
    if not changing or all(0 in v.aval.shape for v in equation.outvars):
        return [Linear(v.aval.shape, v.aval.dtype) for v in equation.outvars]
    if any(jnp.issubdtype(v.aval.dtype, jnp.complexfloating) for v in equation.outvars):
        raise UnstructuredError
    results = RULES.get(equation.primitive.name, opaque)(equation, operands, dtype)
    return [Linear(r.shape, r.dtype) if 0 in r.shape else r for r in results]


def _evaluated(equation: Any, operands: Sequence[Value]) -> list[Value]:
    """What does not depend on the tangent is computed at once."""
    arrays = bind(equation.primitive, [x.array for x in operands], equation.params)
    written = apply(equation, [x.expression for x in operands])
    return [Value(a, e) for a, e in zip(arrays, written, strict=True)]


def _constant(array: Any) -> Value:
    return Value(array, call("unknown", (), np.shape(array), text="c"))
