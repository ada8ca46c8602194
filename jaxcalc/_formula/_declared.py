"""Functions made from a declaration: the derivatives of every order that it writes.

The first is the declaration's slope. The others are those that JAX makes of it, in double precision
whatever the dtype, since their numbers are printed.
"""

from functools import lru_cache
from typing import Any

import jax

from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._program import read
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.elementwise import JAX

DECLARED = {function.name: function for function in ELEMENTWISE}


@lru_cache
def derivative(name: str, order: int, shape: Shape) -> tuple[Expression, Expression]:
    """A placeholder for the argument, and f⁽ⁿ⁾ of it, n = order ≥ 1."""
    argument = call("placeholder", (), shape, index=0)
    with jax.enable_x64(True), jax.disable_jit(False):
        program = jax.make_jaxpr(_program(name, order))(jax.ShapeDtypeStruct(shape, "float64"))
    (written,) = read(program, (), (argument,))
    return argument, written


def _program(name: str, order: int) -> Any:
    if order == 1:
        return lambda x: DECLARED[name].slope(JAX, x)
    last = _program(name, order - 1)
    return lambda x: jax.jvp(last, (x,), (jax.numpy.ones_like(x),))[1]
