"""Programs read as expressions: each equation becomes the operation it computes.

Calls are read inside, unless they are of a function that is known. A primitive that nothing knows
keeps its name and parameters: reading never fails.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxcalc._compat import inlined, is_concrete, opened, run, sub_jaxprs
from jaxcalc._formula._anonymous import number_of
from jaxcalc._formula._expression import Expression, Shape, call, hashable, number
from jaxcalc._formula._known import known
from jaxcalc._formula._own import OWN, PLAIN, plain_program

Args = Sequence[Expression]
Results = list[Expression] | None


def read(
    program: Any, constants: Sequence[Expression], arguments: Sequence[Expression]
) -> list[Expression]:
    """The expressions of a program's results, from those of its constants and arguments."""
    jaxpr, closed = opened(program)
    constants = [*constants] or [_constant(value) for value in closed]
    return run(jaxpr, [*constants, *arguments], lambda atom: _constant(atom.val), apply)


def apply(equation: Any, args: Args) -> list[Expression]:
    """The expressions of one equation's results."""
    shapes = [tuple(variable.aval.shape) for variable in equation.outvars]
    program = _program_called(equation)
    if program is not None:
        found = known(equation, args, shapes)
        return read(program, (), args) if found is None else found
    op = equation.primitive.name
    if op in OWN:
        return OWN[op](args, equation.params, shapes)
    found = READ[op](equation, args, shapes) if op in READ else None
    return _itself(op, equation, args, shapes) if found is None else found


def _itself(op: str, equation: Any, args: Args, shapes: Sequence[Shape]) -> list[Expression]:
    """The operation with the parameters that matter."""
    kept = {key: value for key, value in equation.params.items() if key not in _UNIMPORTANT}
    if next(sub_jaxprs(equation), None) is not None:  # two loops, say, that print alike
        kept["number"] = number_of(op, hashable(kept))
    if len(shapes) == 1:
        return [call(op, args, shapes[0], **kept)]
    return [call(op, args, shape, output=k, **kept) for k, shape in enumerate(shapes)]


def _program_called(equation: Any) -> Any:
    if equation.primitive.name.startswith("custom_vjp_call"):
        params = equation.params
        return params["call_jaxpr"] if "call_jaxpr" in params else params["fun_jaxpr"]
    return inlined(equation)


def _constant(value: Any) -> Expression:
    """A scalar as a number; an array as its entries where they are few."""
    if is_concrete(value) and np.size(value) <= _FEW:
        array = np.asarray(value)
        if array.ndim:
            return call("constant", (), array.shape, entries=array)
        return number(array.item())
    return unnamed(f"constant of shape {np.shape(value)}", value)


def unnamed(text: str, array: Any) -> Expression:
    """An array without a name, which is equal to no other."""
    which = number_of(text, id(array), array)
    return call("unknown", (), np.shape(array), text=text, number=which)


# --- what is read other than as itself ---


def _converted(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """x in another dtype; x itself where that is no change."""
    (variable,), (x,) = equation.invars, args
    dtype = np.dtype(equation.params["new_dtype"])
    if x.op == "number" or np.dtype(variable.aval.dtype) == dtype:
        return [x]
    return [call("convert_element_type", (x,), x.shape, new_dtype=dtype.name)]


def _linear_solve(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """x with M x = b, where M v is a program: `linear_solve(M v, v, b)`."""
    size = equation.params["const_lengths"].matvec
    rights = args[sum(equation.params["const_lengths"]) :]
    unknowns = [call("placeholder", (), b.shape, index=k) for k, b in enumerate(rights)]
    images = read(equation.params["jaxprs"].matvec, (), [*args[:size], *unknowns])
    triples = zip(images, unknowns, rights, shapes, strict=True)
    return [call("linear_solve", (Mv, v, b), shape) for Mv, v, b, shape in triples]


def _branch(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """One value, computed in several ways."""
    params = equation.params
    return read(params["branches"][0], (), args[1:]) if params.get("branches_platforms") else None


def _platform(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """Which of several ways; the first will do."""
    return [number(0)]


def _quotient(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """7/2 is 3 for integers."""
    if np.issubdtype(equation.outvars[0].aval.dtype, np.integer):
        return _itself("integer_div", equation, args, shapes)
    return None


def _plainly(equation: Any, args: Args, shapes: Sequence[Shape]) -> Results:
    """In the operations that it is made of."""
    return read(plain_program(equation), (), args)


READ: dict[str, Callable[[Any, Args, Sequence[Shape]], Results]] = {
    "cond": _branch,
    "convert_element_type": _converted,
    "custom_linear_solve": _linear_solve,
    "div": _quotient,
    "platform_index": _platform,
    **dict.fromkeys(PLAIN, _plainly),
}
_FEW = 64
_UNIMPORTANT = {
    "accuracy",
    "algorithm",
    "dimensions_sharding",
    "out_sharding",
    "precision",
    "preferred_element_type",
    "sharding",
}
