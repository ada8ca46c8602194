"""How much rounding may leave: the coarsest dtype, and the largest number on the way."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind, inlined, opened, operation, run, sub_jaxprs

DOUBLE = float(jnp.finfo(jnp.float64).eps)
MOVES = {"broadcast_in_dim", "concatenate", "gather", "reshape", "slice", "squeeze", "transpose"}


def eps_of(dtype: Any) -> float:
    """That of a floating dtype; of the others, which are exact, that of doubles."""
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else DOUBLE


def coarsest(program: Any) -> float:
    """The largest eps with which a program computes, more than moving numbers about.

    That of (A + Aᵀ) x, for an A of float32, is the eps of float32, whatever x is.
    """
    jaxpr, _ = opened(program)
    found = DOUBLE
    for equation in jaxpr.eqns:
        inside = [*sub_jaxprs(equation)]
        found = max([found, *map(coarsest, inside)])
        if not inside and operation(equation) not in MOVES:
            found = max([found, *(eps_of(out.aval.dtype) for out in equation.outvars)])
    return found


def largest_on_the_way(f: Callable[..., Any], *args: Array) -> float:
    """The largest finite number that is computed in f(*args); inside loops only their results.

    It is 0 for a function that looks at its numbers, which has no program.
    """
    try:
        program = jax.make_jaxpr(f)(*args)
    except jax.errors.ConcretizationTypeError:
        return 0.0

    @jax.jit
    def largest(*args: Array) -> Array:
        seen: list[Array] = [*args]
        _run(program, args, seen)
        sizes = [jnp.max(jnp.abs(x), initial=0, where=jnp.isfinite(x)) for x in _floating(seen)]
        return jnp.max(jnp.stack([x.astype(float) for x in sizes]), initial=0)

    return float(largest(*args))


def _run(program: Any, arguments: Sequence[Any], seen: list[Array]) -> list[Any]:
    """The results of a program; each result inside it is added to what was seen."""
    jaxpr, constants = opened(program)

    def step(equation: Any, operands: list[Any]) -> list[Any]:
        if inlined(equation) is not None:
            return _run(inlined(equation), operands, seen)
        results = bind(equation.primitive, operands, equation.params)
        seen.extend(results)
        return results

    return run(jaxpr, [*constants, *arguments], lambda atom: atom.val, step)


def _floating(arrays: Sequence[Array]) -> Iterator[Array]:
    return (x for x in arrays if jnp.issubdtype(x.dtype, jnp.floating) and x.size)
