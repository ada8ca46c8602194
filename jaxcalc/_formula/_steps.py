"""Steps in canonical form: what the derivatives of max, min and |x| are made of.

step(a, b)         [a > b], and 1/2 where a = b, as JAX has it
between(a, x, b)   step(x, a) step(b, x): [a < x < b]
side(x)            sign(x), and 1 where x = 0, as JAX has it
"""

from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression
from jaxcalc._formula._product import Factor, unpack
from jaxcalc._formula._sums import number_of

HALF = Fraction(1, 2)


def step(algebra: Algebra, a: Expression, b: Expression) -> Expression:
    """[a > b]; 3 > max(x, 1) is 3 > x."""
    return algebra.apply("step", (_unbounded(a, "min", b), _unbounded(b, "max", a)), a.shape)


def _unbounded(value: Expression, bound: str, other: Expression) -> Expression:
    """x for a max(x, c), or a min, that is compared with a number beyond c."""
    if value.op == bound and (limit := number_of(other)) is not None:
        for x, c in (value.args, value.args[::-1]):
            number = number_of(c)
            if number is not None and (number < limit if bound == "max" else number > limit):
                return x
    return value


def chosen_step(
    algebra: Algebra, mask: Expression, no: Expression, yes: Expression
) -> Expression | None:
    """where(a > b, 1, [a = b]/2) as a step."""
    product = unpack(no)
    if mask.op != "gt" or number_of(yes) != 1 or product.coefficient != HALF:
        return None
    (half, *more) = (f.value for f in product.factors)
    equal = half.op == "indicator" and half.args[0].op == "eq" and not more
    if not equal or half.args[0].args != mask.args:
        return None
    return step(algebra, *mask.args)


def shared_steps(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """[a = max(a, b)] / where(b = max(a, b), 2, 1) as a step; two steps as `between`."""
    for top in factors:
        for bottom in factors:
            made = _shared(algebra, top, bottom) or _between(top, bottom)
            if made is not None and top.labels == bottom.labels:
                rest = [f for f in factors if f is not top and f is not bottom]
                return shared_steps(algebra, [*rest, Factor(made, top.labels)], kept)
    return factors


def _shared(algebra: Algebra, top: Factor, bottom: Factor) -> Expression | None:
    match top, bottom:
        case (
            Factor(Expression(op="indicator", args=(Expression(op="eq", args=mine),)), _, 1),
            Factor(
                Expression(op="select_n", args=(Expression(op="eq", args=its), one, two)), _, -1
            ),
        ) if number_of(one) == 1 and number_of(two) == 2:
            extremes = [arg for arg in mine if arg.op in ("max", "min") and arg in its]
            found = (_step_to(algebra, extreme, mine, its) for extreme in extremes)
            return next((made for made in found if made is not None), None)
    return None


def _step_to(
    algebra: Algebra, extreme: Expression, mine: Sequence[Expression], its: Sequence[Expression]
) -> Expression | None:
    """a is the extreme of a and b, as b may be too."""
    ((a,), (b,)) = ([x for x in compared if x is not extreme] for compared in (mine, its))
    if {a, b} != {*extreme.args}:
        return None
    return step(algebra, a, b) if extreme.op == "max" else step(algebra, b, a)


def _between(top: Factor, bottom: Factor) -> Expression | None:
    match top, bottom:
        case (
            Factor(Expression(op="step", args=(x, low)) as above, _, 1),
            Factor(Expression(op="step", args=(high, same)), _, 1),
        ) if x is same and None not in (number_of(low), number_of(high)):
            return Expression("between", (low, x, high), (), above.shape)
    return None


def side(algebra: Algebra, values: Sequence[Expression]) -> Expression | None:
    """2 [x ≥ 0] − 1, or a multiple of it."""
    products = sorted(map(unpack, values), key=lambda product: len(product.factors))
    if [len(product.factors) for product in products] != [0, 1]:
        return None
    number, mask = products
    ((value, labels, power),) = mask.factors
    if mask.coefficient != -2 * number.coefficient or value.op != "indicator" or power != 1:
        return None
    (compared,) = value.args
    if compared.op != "ge" or number_of(compared.args[1]) != 0:
        return None
    made = Factor(Expression("side", compared.args[:1], (), value.shape), labels)
    return algebra.multiply([made], number.shape, -number.coefficient)
