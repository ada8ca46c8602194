"""A function at a point as two programs: one of values, one that is linear in the tangent.

`jax.linearize` runs the function's own derivative rules; everything it computes that does not
depend on the tangent becomes a value with an expression, by reading the program of values.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import eval_jaxpr
from jaxcalc._derive._closed import evaluated, may_call_closed
from jaxcalc._derive._coefficients import Value
from jaxcalc._formula import Expression, call, name, read


class Linearised(NamedTuple):
    """What there is to know of a function at a point.

    Attributes:
        values: the outputs, as arrays with expressions.
        program: the linear program, of the residuals and the tangents.
        residuals: the values that the linear program uses.
        captured: the arrays that the function closes over, by their names.
    """

    values: list[Value]
    program: Any
    residuals: list[Value]
    captured: dict[str, Array]


Names = Callable[[Sequence[Array]], list[str]]
_WITHOUT_NUMBERS = (
    jax.errors.ConcretizationTypeError,  # a truth value too
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def linearised(f: Callable[..., list[Array]], x: Sequence[Value], captured: Names) -> Linearised:
    """`f`, a function of flat lists, at x; `captured` names the arrays that it closes over.

    A function whose Python code looks at numbers cannot be traced without them. Where those do not
    depend on x, it is traced with them. Otherwise it is linearised as it runs; the formula then has
    no expressions for its residuals.
    """
    for attempt in (contextlib.nullcontext, jax.ensure_compile_time_eval):
        with contextlib.suppress(*_WITHOUT_NUMBERS), attempt():
            return _as_traced(f, x, captured)
    return _as_it_runs(f, [jnp.asarray(value.array) for value in x])


def _as_traced(f: Callable[..., list[Array]], x: Sequence[Value], names_of: Names) -> Linearised:
    arrays = [jnp.asarray(value.array) for value in x]
    whole, program = _programs(f, arrays)
    if may_call_closed(whole.jaxpr):
        traced = jax.make_jaxpr(f)(*arrays)
        whole, program = _programs(lambda *x: evaluated(traced, *x), arrays)
    names = names_of(whole.consts)
    constants = [name(text, jnp.shape(c)) for c, text in zip(whole.consts, names, strict=True)]
    written = read(whole.jaxpr, constants, [value.expression for value in x])
    results = eval_jaxpr(whole.jaxpr, whole.consts, *arrays)
    values = [
        Value(a if isinstance(a, jax.Array) else np.asarray(a), e)
        for a, e in zip(results, written, strict=True)
    ]
    split = len(values) - len(program.constvars)
    captured = dict(zip(names, map(jnp.asarray, whole.consts), strict=True))
    return Linearised(values[:split], program, values[split:], captured)


def _programs(f: Callable[..., list[Array]], x: Sequence[Array]) -> tuple[Any, Any]:
    """The program of the outputs and the residuals, and the linear program of the residuals."""
    linear: list[Any] = []

    def values_and_residuals(*x: Array) -> Any:
        values, push = _linearised(f, x)
        program = jax.make_jaxpr(lambda *t: push(*t))(*x)  # which has a short name to print
        linear.append(program.jaxpr)
        return values, program.consts

    return jax.make_jaxpr(values_and_residuals)(*x), linear[-1]


def _linearised(f: Callable[..., Any], x: Sequence[Array]) -> tuple[Any, Callable[..., Any]]:
    """The values and the linear function; where JAX cannot part them, all of the tangent's program.

    That is a reduction with a user's own function, whose tangent goes through the same equation.
    """
    try:
        return jax.linearize(f, *x)
    except ValueError as error:
        if "Linearization failed" not in str(error):
            raise
    return f(*x), lambda *t: jax.jvp(f, tuple(x), t)[1]


def _as_it_runs(f: Callable[..., list[Array]], x: Sequence[Array]) -> Linearised:
    values, push = jax.linearize(f, *x)
    program = jax.make_jaxpr(push)(*x)
    outputs = [Value(y, _unknown(f"y{i}", y)) for i, y in enumerate(values)]
    residuals = [Value(r, _unknown(f"r{i}", r)) for i, r in enumerate(program.consts)]
    return Linearised(outputs, program.jaxpr, residuals, {})


def _unknown(text: str, array: Array | np.ndarray) -> Expression:
    return call("unknown", (), jnp.shape(array), text=text)
