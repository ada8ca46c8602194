"""What the rules of canonical form have in common."""

from collections.abc import Callable

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._product import Factor

Args = list[Expression]
Rule = Callable[[Algebra, Expression, Args], Expression]

# fmt: off
BOOLEAN = {"and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"}
ELEMENTWISE = BOOLEAN | {
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clamp",
    "conj", "convert_element_type", "cos", "cosh", "digamma", "erf", "erf_inv", "erfc", "exp",
    "exp2", "expm1", "floor", "imag", "indicator", "integer_div", "lgamma", "log", "log1p",
    "log_sigmoid", "logaddexp", "logistic", "max", "min", "part", "pow", "real", "relu", "rem",
    "round", "select_n", "sign", "sin", "sinh", "softplus", "tan", "tanh",
}
# fmt: on


def atom(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """The operation itself, of canonical arguments."""
    made = Expression(node.op, tuple(args), node.params, node.shape)
    return algebra.multiply([Factor(made, tuple(range(len(node.shape))))], node.shape)


def other(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """An elementwise function along the axes where its arguments vary, else an atom."""
    if node.op in ELEMENTWISE:
        wide = [fitted(algebra, arg, node.shape) for arg in args]
        return algebra.apply(node.op, wide, node.shape, node.params)
    return atom(algebra, node, args)


def fitted(algebra: Algebra, value: Expression, shape: Shape) -> Expression:
    """The value repeated along axes of size 1, or a scalar along all axes."""
    if value.shape == shape:
        return value
    return algebra.spread(value, range(len(value.shape)), shape)
