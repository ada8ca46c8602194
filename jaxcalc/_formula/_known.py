"""JAX's public functions that are one operation, known by what their programs compute.

A call is one of them where its program is, but for the names of variables, the one that JAX makes
of the public function at the same types, or of a `vmap` of it over first axes. So a user's own
`relu` is read inside, whatever it is called, and JAX may name what it has inside as it likes.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from jaxcalc._compat import inlined, is_concrete, is_literal, opened, setting
from jaxcalc._formula._expression import Expression, Shape, call

Function = Callable[..., Any]
Types = tuple[jax.ShapeDtypeStruct, ...]


def known(equation: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Any:
    """The results of a call of a known function; None where it is not, or is more than that."""
    function = public(equation, WRITTEN)
    return None if function is None else WRITTEN[function](args, shapes)


def public(equation: Any, functions: Iterable[Function]) -> Function | None:
    """The one among public functions that an equation calls, if there is one."""
    program, name = inlined(equation), equation.params.get("name")
    # the name only saves work: what decides is the program
    called = [f for f in functions if program is not None and name in (None, f.__name__)]
    if not called:
        return None
    types = tuple(
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype, weak_type=v.aval.weak_type)
        for v in equation.invars
    )
    computed = _computed(program)
    x64 = setting("jax_enable_x64")
    return next((f for f in called if computed in _programs_of(f, types, x64)), None)


# --- what a program computes ---


@lru_cache(maxsize=1024)
def _programs_of(function: Function, types: Types, x64: bool) -> frozenset[Hashable]:
    """What the programs of a function compute, mapped over first axes too."""
    found: set[Hashable] = set()
    for _ in range(1 + min((len(t.shape) for t in types), default=0)):
        try:
            program = jax.make_jaxpr(function)(*types)
        except (TypeError, ValueError):  # not of such arguments
            break
        found.update(map(_computed, _called_inside(program)))
        function = jax.vmap(function)
    return frozenset(found)


def _called_inside(program: Any) -> Iterator[Any]:
    """The program, and what it calls as long as it does no more than call it."""
    yield program
    jaxpr, _ = opened(program)
    for equation in jaxpr.eqns if len(jaxpr.eqns) == 1 else ():
        same = (equation.invars, equation.outvars) == (jaxpr.invars, jaxpr.outvars)
        if same and inlined(equation) is not None:
            yield from _called_inside(inlined(equation))


def _computed(program: Any) -> Hashable:
    """Equal for programs that differ in the names of variables and functions alone."""
    jaxpr, constants = opened(program)
    numbers = {v: k for k, v in enumerate((*jaxpr.constvars, *jaxpr.invars))}

    def read(atom: Any) -> Hashable:
        return _entries(atom.val) if is_literal(atom) else numbers[atom]

    rows = []
    for equation in jaxpr.eqns:
        params = {k: _key(v) for k, v in equation.params.items() if k not in _NAMES}
        operands = tuple(map(read, equation.invars))
        rows.append((equation.primitive, tuple(sorted(params.items())), operands))
        numbers |= {v: len(numbers) + k for k, v in enumerate(equation.outvars)}
    given = tuple((v.aval.shape, v.aval.dtype) for v in jaxpr.invars)
    return given, tuple(map(_key, constants)), tuple(rows), tuple(map(read, jaxpr.outvars))


def _key(value: Any) -> Hashable:
    """A parameter or a constant; what cannot be compared is equal to nothing."""
    if hasattr(value, "eqns"):
        return _computed(value)
    if isinstance(value, tuple | list):
        return tuple(map(_key, value))
    if isinstance(value, jax.Array | np.ndarray):
        return _entries(value)
    try:
        hash(value)
    except TypeError:
        return object()
    return value


def _entries(value: Any) -> Hashable:
    if not is_concrete(value):
        return object()
    array = np.asarray(value)
    return array.shape, str(array.dtype), array.tobytes()


_NAMES = {"name", "jvp_jaxpr_fun", "ctx_mesh"}  # of functions, and what is not computed


# --- how they are written ---

Results = list[Expression] | None
Known = Callable[[Sequence[Expression], Sequence[Shape]], Results]


def _named(op: str) -> Known:
    """A function of one matrix, or of arrays entry by entry."""

    def rule(args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
        return [call(op, args, shapes[0])]

    return rule


def _sign_and_log(args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    determinant = call("det", args, shapes[0])
    size = call("abs", (determinant,), shapes[1])
    return [call("sign", (determinant,), shapes[0]), call("log", (size,), shapes[1])]


WRITTEN: dict[Function, Known] = {
    jax.nn.relu: _named("relu"),
    jnp.hypot: _named("hypot"),
    jnp.logaddexp: _named("logaddexp"),
    special.gammasgn: _named("gammasgn"),
    special.log_ndtr: _named("log_ndtr"),
    jnp.linalg.det: _named("det"),
    jnp.linalg.inv: _named("inv"),
    jnp.linalg.slogdet: _sign_and_log,
}
