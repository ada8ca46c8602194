"""Masks in canonical form: comparisons, choices, and arrays of 0 and 1.

A comparison of index arrays is a δ or a triangle of ones, and a choice between 0 and x is a product
with the mask.
"""

import operator
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, call
from jaxcalc._formula._indexing import unit
from jaxcalc._formula._product import Factor, unpack, whole
from jaxcalc._formula._rules import BOOLEAN, Args, Rule, fitted, other
from jaxcalc._formula._steps import chosen_step
from jaxcalc._formula._sums import constant, eye, terms, used_axes, zero

_OPPOSITE = {"lt": "ge", "le": "gt"}
_COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_ONES_AND_ZEROS = {"eye", "tri", "shifted_eye", "select"}


def compare(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """i + k = j is a δ, i + k ≥ j a triangle of ones; numbers are compared, all others finite."""
    if node.op in _OPPOSITE:
        opposite = call(_OPPOSITE[node.op], (), node.shape)
        return negation(algebra, node, [compare(algebra, opposite, args)])
    left, right = (fitted(algebra, arg, node.shape) for arg in args)
    if node.op in ("eq", "ne") and (_infinity(left) is None) != (_infinity(right) is None):
        return constant(int(node.op == "ne"), node.shape)
    minus = [algebra.scaled(term, Fraction(-1)) for term in terms(right)]
    difference = algebra.add([*terms(left), *minus], node.shape)
    if not any(unpack(term).factors for term in terms(difference)):
        return _decided(node, difference)
    if node.op != "eq" and is_positive(difference):
        return constant(1, node.shape)
    return _of_indices(algebra, node, difference) or other(algebra, node, args)


def _of_indices(algebra: Algebra, node: Expression, difference: Expression) -> Expression | None:
    """i = k as a row of I, i + k = j and i + k ≥ j as matrices; None for anything else."""
    place, found = _single_index(difference), _index_difference(difference)
    if node.op == "eq" and place is not None:
        axis, k = place
        return algebra.multiply([Factor(unit(k, node.shape[axis]), (axis,))], node.shape)
    if node.op not in ("eq", "ge") or found is None:
        return None
    labels, shift = found
    shape = tuple(node.shape[axis] for axis in labels)
    made = call("tri" if node.op == "ge" else "shifted_eye", (), shape, k=shift)
    if node.op == "eq" and shift == 0 and shape[0] == shape[1]:
        made = eye(shape[0])
    return algebra.multiply([Factor(made, labels)], node.shape)


def _decided(node: Expression, difference: Expression) -> Expression:
    """A comparison of numbers."""
    number = unpack(difference).coefficient if difference.args or difference.op != "sum" else 0
    return constant(int(_COMPARISONS[node.op](number, 0)), node.shape)


def _index_difference(value: Expression) -> tuple[tuple[int, int], int] | None:
    """For i + k − j, the axes of i and of j, and k."""
    found = _index_sum(value)
    if found is None or set(found[0]) != {1, -1}:
        return None
    return (found[0][1], found[0][-1]), found[1]


def _single_index(value: Expression) -> tuple[int, int] | None:
    """For i − k or k − i with an index k, the axis of i, and k."""
    found = _index_sum(value)
    if found is None or len(found[0]) != 1:
        return None
    ((sign, axis),), place = found[0].items(), found[1]
    return (axis, -sign * place) if -sign * place in range(value.shape[axis]) else None


def _index_sum(value: Expression) -> tuple[dict[int, int], int] | None:
    """For a sum of ±i and a whole number, the axis of i by its sign, and the number."""
    axes, shift = {}, Fraction(0)
    for term in terms(value):
        product = unpack(term)
        kinds = [f.value.op for f in product.factors]
        if not kinds:
            shift = product.coefficient
        elif kinds == ["iota"] and abs(product.coefficient) == 1:
            axes[int(product.coefficient)] = product.factors[0].labels[0]
        else:
            return None
    return (axes, int(shift)) if shift.denominator == 1 else None


def both(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """and, or: of a constant and a mask, one of the two."""
    left, right = (fitted(algebra, arg, node.shape) for arg in args)
    neutral = constant(1, node.shape) if node.op == "and" else zero(node.shape)
    absorbing = zero(node.shape) if node.op == "and" else constant(1, node.shape)
    for mask, rest in ((left, right), (right, left)):
        if mask is neutral:
            return rest
        if mask is absorbing:
            return absorbing
    return other(algebra, node, args)


def negation(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """not: of a constant, the other; of not, what that negates."""
    (mask,) = args
    ends = {constant(1, node.shape): zero(node.shape), zero(node.shape): constant(1, node.shape)}
    if mask in ends:
        return ends[mask]
    if mask.op == "not":
        return mask.args[0]
    return algebra.apply("not", (mask,), node.shape)


def size(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """|x|; of what is positive, itself."""
    return args[0] if is_positive(args[0]) else other(algebra, node, args)


def finite(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Formulas are for finite values."""
    return constant(1, node.shape)


def is_positive(value: Expression) -> bool:
    """Whether all entries are greater than 0, whatever the arguments are."""
    if value.op == "sum":
        return bool(value.args) and all(map(is_positive, value.args))
    if value.op == "product":
        product = unpack(value)
        return product.coefficient > 0 and all(is_positive(f.value) for f in product.factors)
    if value.op == "part":
        return is_positive(value.args[0])
    return value.op in ("exp", "logistic", "softmax")


def indicator(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """A mask as an array of 0 and 1."""
    mask = fitted(algebra, args[0], node.shape)
    if all(_is_ones(f.value) for term in terms(mask) for f in unpack(term).factors):
        return mask
    return algebra.apply("indicator", (mask,), node.shape)


def _is_ones(value: Expression) -> bool:
    """Whether an array of 0 and 1 stands for a mask already."""
    return value.op in _ONES_AND_ZEROS or (value.op == "at" and value.args[0].op == "eye")


def convert(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Another dtype: of a mask, 0 and 1; of a number, itself."""
    (value,) = args
    factors = [f for term in terms(value) for f in unpack(term).factors]
    masks = [f for f in factors if f.value.op in BOOLEAN or _is_ones(f.value)]
    if not node.get("new_dtype") or (masks and len(masks) == len(factors)):
        return indicator(algebra, node, args)
    return other(algebra, node, args) if used_axes(value) or factors else value


def select(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """The second of two cases where the mask holds, else the first."""
    if len(args) != 3:
        return other(algebra, node, args)
    mask, no, yes = (fitted(algebra, arg, node.shape) for arg in args)
    if no is yes or mask is zero(node.shape):
        return no
    if mask is constant(1, node.shape):
        return yes
    if no is zero(node.shape):
        return masked(algebra, mask, yes)
    if found := chosen_step(algebra, mask, no, yes):
        return found
    if yes is zero(node.shape):
        return masked(algebra, algebra.apply("not", (mask,), node.shape), no)
    return other(algebra, node, args)


def masked(algebra: Algebra, mask: Expression, value: Expression) -> Expression:
    """The value where the mask holds, else 0."""
    ones = indicator(algebra, mask, [mask])
    return algebra.multiply([whole(ones), whole(value)], value.shape)


def extremum(neutral: float) -> Rule:
    """max or min, whose neutral element leaves the other argument."""

    def rule(algebra: Algebra, node: Expression, args: Args) -> Expression:
        for x, rest in (args, args[::-1]):
            if _infinity(x) == neutral:
                return fitted(algebra, rest, node.shape)
        return other(algebra, node, args)

    return rule


def _infinity(value: Expression) -> float | None:
    """The infinity that a value is, or None."""
    factors = unpack(value).factors
    if len(factors) == 1 and factors[0].value.op == "number":
        return float(factors[0].value["value"])
    return None
