"""Operations without a rule: linear functions, exact all the same, of which only that is known."""

from collections.abc import Callable, Hashable, Mapping
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxcalc._compat import is_backward_rule, sub_jaxprs
from jaxcalc._derive._bound import Bound, Pulled
from jaxcalc._derive._graph import Tangent, added, through
from jaxcalc._derive._pieces import Opaque, Piece
from jaxcalc._derive._step import LinearStep
from jaxcalc._formula import hashable


def opaque(step: LinearStep) -> list[Tangent]:
    """The equation as a matrix-free map of each of its linear operands."""
    return applied(step, lambda bound: _piece(step, bound))


def applied(step: LinearStep, make: Callable[[Bound], Piece]) -> list[Tangent]:
    """The equation's results, with a piece for each linear operand and each result."""
    given = tuple(None if isinstance(x, Tangent) else x.array for x in step.operands)
    variables = step.equation.invars
    types = tuple(jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in variables)
    parts = (given, types, step.equation.primitive, tuple(step.params.items()))

    def result(output: int, aval: Any) -> Tangent:
        if not jnp.issubdtype(aval.dtype, jnp.floating):
            return Tangent(aval.shape, aval.dtype)
        contributions = (
            through(x, make(Bound(*parts, position, output)), aval.shape, aval.dtype)
            for position, x in enumerate(step.operands)
            if isinstance(x, Tangent)
        )
        return reduce(added, contributions)

    return [result(k, aval) for k, aval in enumerate(step.avals)]


def _piece(step: LinearStep, bound: Bound) -> Opaque:
    """By the transpose where a `custom_vjp` gives nothing else."""
    name = step.equation.primitive.name
    key = (*_signature(step), bound.position, bound.output)
    if not only_pulls(step.equation):
        return Opaque(bound, None, name, key)
    return Opaque(None, Pulled(bound, bound.shape), name, key)


def _signature(step: LinearStep) -> tuple[Hashable, ...]:
    """What an equation computes of its linear operands; programs in it are equal to no other."""
    given = tuple(
        (variable.aval.shape, variable.aval.dtype) if isinstance(x, Tangent) else x.expression
        for variable, x in zip(step.equation.invars, step.operands, strict=True)
    )
    return step.equation.primitive.name, hashable_params(step.params), given


def only_pulls(equation: Any) -> bool:
    """Whether a backward rule takes part, of which the forward map is not known."""
    inner = (e for jaxpr in sub_jaxprs(equation) for e in jaxpr.eqns)
    return is_backward_rule(equation) or any(map(only_pulls, inner))


def hashable_params(params: Mapping[str, Any]) -> tuple[tuple[str, Hashable], ...]:
    """An equation's parameters, for its expression."""
    return tuple(sorted((key, hashable(value)) for key, value in params.items()))
