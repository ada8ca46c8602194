"""Operations without a rule: linear functions, exact all the same, of which only that is known."""

from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._compat import sub_jaxprs
from jaxcalc._derive._bound import Bound, Pulled
from jaxcalc._derive._graph import Linear, Opaque, Piece, added, through
from jaxcalc._derive._rules import Operand
from jaxcalc._formula import hashable


def opaque(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """The equation as a matrix-free map of each of its linear operands."""
    return applied(equation, operands, lambda bound: _piece(equation, operands, bound))


def applied(
    equation: Any, operands: Sequence[Operand], make: Callable[[Bound], Piece]
) -> list[Linear]:
    """The equation's results, with a piece for each linear operand and each result."""
    slots = tuple(_slot(v, x) for v, x in zip(equation.invars, operands, strict=True))
    return [
        reduce(added, _contributions(equation, operands, slots, output, make))
        for output in range(len(equation.outvars))
    ]


def _contributions(
    equation: Any,
    operands: Sequence[Operand],
    slots: tuple[Any, ...],
    output: int,
    make: Callable[[Bound], Piece],
) -> list[Linear]:
    aval = equation.outvars[output].aval
    if not jnp.issubdtype(aval.dtype, jnp.floating):
        return [Linear(aval.shape, aval.dtype)]
    params = tuple(equation.params.items())
    return [
        through(
            x, make(Bound(slots, equation.primitive, params, i, output)), aval.shape, aval.dtype
        )
        for i, x in enumerate(operands)
        if isinstance(x, Linear)
    ]


def _slot(variable: Any, operand: Operand) -> Any:
    """An array, or for what is linear its type."""
    if isinstance(operand, Linear):
        return jax.ShapeDtypeStruct(variable.aval.shape, variable.aval.dtype)
    return operand.array


def _piece(equation: Any, operands: Sequence[Operand], bound: Bound) -> Opaque:
    """By the transpose where a `custom_vjp` gives nothing else."""
    name = equation.primitive.name
    key = (*signature(equation, operands), bound.position, bound.output)
    if not only_pulls(equation):
        return Opaque(bound, None, name, key)
    slot = bound.operands[bound.position]
    return Opaque(None, Pulled(bound, slot.shape), name, key)


def signature(equation: Any, operands: Sequence[Operand]) -> tuple[Hashable, ...]:
    """What an equation computes of its linear operands; programs in it are equal to no other."""
    given = tuple(
        (variable.aval.shape, variable.aval.dtype) if isinstance(x, Linear) else x.expression
        for variable, x in zip(equation.invars, operands, strict=True)
    )
    return equation.primitive.name, hashable_params(equation.params), given


def only_pulls(equation: Any) -> bool:
    """Whether a backward rule takes part, of which the forward map is not known."""
    inner = (e for jaxpr in sub_jaxprs(equation) for e in jaxpr.eqns)
    return equation.primitive.name == "custom_lin" or any(map(only_pulls, inner))


def hashable_params(params: dict[str, Any]) -> tuple[tuple[str, Hashable], ...]:
    """An equation's parameters, for its expression."""
    return tuple(sorted((key, hashable(value)) for key, value in params.items()))
