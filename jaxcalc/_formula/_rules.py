"""What the rules of canonical form have in common."""

import math
from collections.abc import Callable
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._product import whole
from jaxcalc._formula._sums import constant, number_of
from jaxcalc._functions.activations import ELEMENTWISE as DECLARED

Args = list[Expression]
Rule = Callable[[Algebra, Expression, Args], Expression]

# fmt: off
BOOLEAN = {"and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"}
ELEMENTWISE = BOOLEAN | {
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e", "bessel_i1e",
    "between", "cbrt", "ceil", "clamp", "conj", "convert_element_type", "cos", "cosh", "digamma",
    "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "gamma", "gammasgn", "hypot",
    "igamma", "igammac", "imag", "indicator", "integer_div", "lgamma", "log", "log1p", "log_ndtr",
    "log_sigmoid", "logaddexp", "logistic", "max", "mills", "min", "part", "polygamma", "pow",
    "real", "relu", "rem", "round", "select_n", "side", "sign", "sin", "sinh", "softplus", "step",
    "tan", "tanh",
} | {function.name for function in DECLARED}
# fmt: on
NUMERIC: dict[str, Callable[..., Fraction | int]] = {  # of numbers that are known
    "abs": abs,
    "ceil": math.ceil,
    "clamp": lambda low, x, high: min(max(low, x), high),
    "floor": math.floor,
    "max": max,
    "min": min,
    "reduce_and": lambda x: x,
    "reduce_max": lambda x: x,
    "reduce_min": lambda x: x,
    "reduce_or": lambda x: x,
    "sign": lambda x: (x > 0) - (x < 0),
}


def atom(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """The operation itself, of canonical arguments."""
    made = Expression(node.op, tuple(args), node.params, node.shape)
    return algebra.multiply([whole(made)], node.shape)


def other(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """An elementwise function along the axes where its arguments vary, else an atom."""
    numbers = [number_of(arg) for arg in args]
    known = [n for n in numbers if n is not None]
    if node.op in NUMERIC and len(known) == len(args):
        return constant(Fraction(NUMERIC[node.op](*known)), node.shape)
    if node.op in ELEMENTWISE:
        wide = [fitted(algebra, arg, node.shape) for arg in args]
        return algebra.apply(node.op, wide, node.shape, node.params)
    return atom(algebra, node, args)


def fitted(algebra: Algebra, value: Expression, shape: Shape) -> Expression:
    """The value repeated along axes of size 1, or a scalar along all axes."""
    if value.shape == shape:
        return value
    return algebra.spread(value, range(len(value.shape)), shape)
