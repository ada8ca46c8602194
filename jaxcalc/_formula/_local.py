"""The derivative of one operation by what it is applied to.

A canonical expression is built step by step; each step has a rule of the notes and a derivative by
each of its parts, in canonical form too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._canonical import declared_derivative
from jaxcalc._formula._declared import DECLARED
from jaxcalc._formula._expression import Expression, call, walk
from jaxcalc._formula._product import Factor, Product, unpack
from jaxcalc._formula._sums import constant, eye, terms

ONE = Fraction(1)


@dataclass(frozen=True)
class Step:
    """One operation of a derivation.

    Attributes:
        rule: its name, and its number in the notes where it has one.
        whole: what the operation gives.
        parts: what it is applied to and depends on the argument, each with the tensor
            ∂whole/∂part, or None where that has no closed form.
    """

    rule: str
    whole: Expression
    parts: tuple[tuple[Expression, Expression | None], ...]


@dataclass
class Derivation:
    """Takes a canonical expression apart."""

    algebra: Algebra
    argument: Expression

    def steps(self, value: Expression) -> list[Expression]:
        """What is computed from the argument to the value, each after what it is computed from."""
        self.moving = {self.argument}
        for node in walk(value):
            if any(arg in self.moving for arg in node.args):
                self.moving.add(node)
        found: dict[Expression, None] = {}
        stack = [value]
        while stack:
            node = stack[-1]
            inner = [part for part in self._parts(node) if part not in found]
            if inner:
                stack += reversed(inner)
            else:
                found.setdefault(stack.pop())
        return [node for node in found if self._parts(node) and not _only_moves(node)]

    def _parts(self, value: Expression) -> list[Expression]:
        """What a value is computed from and depends on the argument."""
        if value not in self.moving or value is self.argument:
            return []
        if value.op == "sum":
            moving = [term for term in value.args if term in self.moving]
            return [self.algebra.scaled(t, 1 / unpack(t).coefficient) for t in moving]
        return [arg for arg in dict.fromkeys(value.args) if arg in self.moving]

    def step(self, value: Expression) -> Step:
        """The step that computes a value."""
        if value.op == "sum":
            return self._sum(value)
        if value.op == "product":
            return self._product(value)
        (rule, derivative), (part, *_) = (
            _rule_of(value),
            [a for a in value.args if a in self.moving],
        )
        several = sum(arg in self.moving for arg in value.args) > 1
        made = None if derivative is None or several else derivative(self.algebra, value, part)
        others = [(arg, None) for arg in value.args if arg in self.moving and arg is not part]
        return Step(rule, value, ((part, made), *others))

    def _sum(self, value: Expression) -> Step:
        parts = []
        for term in terms(value):
            if term in self.moving:
                product = unpack(term)
                body = self.algebra.scaled(term, 1 / product.coefficient)
                tensor = _identity(self.algebra, body, product.coefficient)
                parts.append((body, tensor))
        rule = "sum (R1)" if len(parts) > 1 else "constant added (R1)"
        return Step(rule, value, tuple(parts))

    def _product(self, value: Expression) -> Step:
        product = unpack(value)
        moving = dict.fromkeys(f.value for f in product.factors if f.value in self.moving)
        parts = tuple((part, self._by(product, part)) for part in moving)
        return Step(self._rule(product), value, parts)

    def _rule(self, product: Product) -> str:
        moving = [f for f in product.factors if f.value in self.moving]
        fixed = [f for f in product.factors if f.value not in self.moving and f.labels]
        count = sum(f.power for f in moving)
        scalars = [f for f in moving if not f.labels]
        if count == 2 and not product.shape and not scalars and product.summed:
            return "bilinear form (R3)" if fixed else "inner product (R2)"
        if len(moving) == 1 and count == 1:
            return "linear map"
        if scalars and len(scalars) < len(moving):
            return "scalar times vector (R4)"
        return "elementwise" if not product.summed else "product"

    def _by(self, product: Product, part: Expression) -> Expression:
        """∂product/∂part: each factor that is the part in turn is replaced by δ."""
        rank, shape = len(product.shape), (*product.shape, *part.shape)
        shifted = {i: i + len(part.shape) for i in product.summed}
        factors = [
            f._replace(labels=tuple(shifted.get(i, i) for i in f.labels)) for f in product.factors
        ]
        parts = []
        for position, factor in enumerate(factors):
            if factor.value is not part:
                continue
            rest = [f for i, f in enumerate(factors) if i != position]
            if factor.power != 1:
                rest.append(factor._replace(power=factor.power - 1))
            rest += [
                Factor(eye(size), (label, rank + axis))
                for axis, (label, size) in enumerate(zip(factor.labels, part.shape, strict=True))
            ]
            coefficient = product.coefficient * factor.power
            parts.append(self.algebra.multiply(rest, shape, coefficient))
        return self.algebra.add(parts, shape)


def _only_moves(value: Expression) -> bool:
    """Whether a value is one array, its axes moved, repeated or left out where of size 1."""
    if value.op == "squeeze":
        return True
    product = unpack(value)
    powers = [f.power for f in product.factors]
    return (
        value.op == "product" and powers == [1] and product.coefficient == 1 and not product.summed
    )


def _identity(algebra: Algebra, part: Expression, coefficient: Fraction) -> Expression:
    rank = len(part.shape)
    deltas = [Factor(eye(size), (i, rank + i)) for i, size in enumerate(part.shape)]
    return algebra.multiply(deltas, part.shape * 2, coefficient)


Derivative = Callable[[Algebra, Expression, Expression], Expression]


def _rule_of(value: Expression) -> tuple[str, Derivative | None]:
    if value.op in _KNOWN:
        return _KNOWN[value.op]
    return (value.op, None)


def _elementwise(of: Callable[[Algebra, Expression, Expression], Expression]) -> Derivative:
    """diag(f′(u))."""

    def derivative(algebra: Algebra, value: Expression, part: Expression) -> Expression:
        rank = len(value.shape)
        deltas = [Factor(eye(size), (i, rank + i)) for i, size in enumerate(part.shape)]
        slope = Factor(of(algebra, value, part), tuple(range(rank)))
        return algebra.multiply([slope, *deltas], value.shape * 2)

    return derivative


def _softmax(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """diag(s) − s sᵀ along the rows."""
    rank = len(value.shape)
    y, x = tuple(range(rank)), tuple(range(rank, 2 * rank))
    deltas = [Factor(eye(size), (i, rank + i)) for i, size in enumerate(value.shape)]
    batch = [d for i, d in enumerate(deltas) if i - rank not in value["axes"]]
    s = value
    return algebra.add(
        [
            algebra.multiply([Factor(s, y), *deltas], value.shape * 2),
            algebra.multiply([Factor(s, y), Factor(s, x), *batch], value.shape * 2, -ONE),
        ],
        value.shape * 2,
    )


def _sparsemax(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """diag(s) − s sᵀ/Σs along the rows, s = [f > 0]."""
    rank, axes = len(value.shape), [axis % len(value.shape) for axis in value["axes"]]
    y, x = tuple(range(rank)), tuple(range(rank, 2 * rank))
    positive = call("gt", (value, constant(0, value.shape)), value.shape)
    s = algebra.apply("indicator", (positive,), value.shape)
    kept = [i for i in range(rank) if i not in axes]
    order = [*kept, *axes]
    row = [Factor(s, tuple(order.index(i) for i in range(rank)))]
    size = algebra.multiply(row, tuple(value.shape[i] for i in kept))
    deltas = [Factor(eye(n), (i, rank + i)) for i, n in enumerate(value.shape)]
    over = [Factor(size, tuple(kept), -ONE), *(deltas[i] for i in kept)]
    return algebra.add(
        [
            algebra.multiply([Factor(s, y), *deltas], value.shape * 2),
            algebra.multiply([Factor(s, y), Factor(s, x), *over], value.shape * 2, -ONE),
        ],
        value.shape * 2,
    )


def _logsumexp(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """softmax(u) along the rows."""
    rank, own = len(part.shape), len(value.shape)
    kept = [i for i in range(rank) if i - rank not in value["axes"]]
    s = call("softmax", (part,), part.shape, axes=value["axes"])
    deltas = [Factor(eye(part.shape[i]), (k, own + i)) for k, i in enumerate(kept)]
    factors = [Factor(s, tuple(range(own, own + rank))), *deltas]
    return algebra.multiply(factors, value.shape + part.shape)


def _inverse(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """−X⁻¹ ⊗ X⁻ᵀ, for each matrix."""
    rank = len(value.shape)
    *batch, i, j = range(rank)
    k, m = i + rank, j + rank
    deltas = [Factor(eye(value.shape[axis]), (axis, rank + axis)) for axis in batch]
    factors = [Factor(value, (*batch, i, k)), Factor(value, (*batch, m, j)), *deltas]
    return algebra.multiply(factors, value.shape * 2, -ONE)


def _determinant(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """det X X⁻¹, its axes in the order of X, for each matrix."""
    rank = len(value.shape)
    batch, (i, j) = tuple(range(rank)), (2 * rank, 2 * rank + 1)
    inverse = call("inv", (part,), part.shape)
    deltas = [Factor(eye(size), (axis, rank + axis)) for axis, size in enumerate(value.shape)]
    factors = [Factor(value, batch), Factor(inverse, (*batch, j, i)), *deltas]
    return algebra.multiply(factors, value.shape + part.shape)


def _selection(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """δ along the axes that stay, rows of I along the one that is read."""
    axis, rank, own = value["axis"], len(part.shape), len(value.shape)
    kept = [i for i in range(rank) if i != axis]
    size = part.shape[axis]
    if value.op == "at":
        deltas = [Factor(eye(part.shape[i]), (k, own + i)) for k, i in enumerate(kept)]
        place = call("at", (eye(size),), (size,), axis=0, index=value["index"])
        return algebra.multiply([Factor(place, (own + axis,)), *deltas], value.shape + part.shape)
    deltas = [Factor(eye(part.shape[i]), (i, own + i)) for i in kept]
    places = call("select", (), (value.shape[axis], size), places=value["places"])
    return algebra.multiply([Factor(places, (axis, own + axis)), *deltas], value.shape + part.shape)


def _of_part(op: str, sign: int = 1) -> Callable[[Algebra, Expression, Expression], Expression]:
    def slope(algebra: Algebra, value: Expression, part: Expression) -> Expression:
        made = algebra.apply(op, (part,), value.shape)
        return algebra.scaled(made, Fraction(sign))

    return slope


def _power(exponent: Fraction | int) -> Callable[[Algebra, Expression, Expression], Expression]:
    def slope(algebra: Algebra, value: Expression, part: Expression) -> Expression:
        whole = tuple(range(len(part.shape)))
        return algebra.multiply([Factor(part, whole, Fraction(exponent))], part.shape)

    return slope


def _logistic(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """σ ⊙ (1 − σ)."""
    whole, minus = tuple(range(len(value.shape))), algebra.scaled(value, -ONE)
    rest = algebra.add([constant(1, value.shape), minus], value.shape)
    return algebra.multiply([Factor(value, whole), Factor(rest, whole)], value.shape)


def _tanh(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    """1 − tanh²."""
    whole = tuple(range(len(value.shape)))
    square = algebra.multiply([Factor(value, whole, Fraction(2))], value.shape, -ONE)
    return algebra.add([constant(1, value.shape), square], value.shape)


def _declared(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    return declared_derivative(algebra, value.op, 1, part)


def _relu(algebra: Algebra, value: Expression, part: Expression) -> Expression:
    mask = call("gt", (part, constant(0, part.shape)), part.shape)
    return algebra.apply("indicator", (mask,), part.shape)


_KNOWN: dict[str, tuple[str, Derivative | None]] = {
    "softmax": ("softmax (notes §4)", _softmax),
    "logsumexp": ("log-sum-exp (notes §4)", _logsumexp),
    "sparsemax": ("sparsemax", _sparsemax),
    "logistic": ("logistic (notes §3)", _elementwise(_logistic)),
    "inv": ("inverse", _inverse),
    "det": ("determinant", _determinant),
    "exp": ("elementwise", _elementwise(lambda algebra, value, part: value)),
    "log": ("elementwise", _elementwise(_power(-1))),
    "sin": ("elementwise", _elementwise(_of_part("cos"))),
    "cos": ("elementwise", _elementwise(_of_part("sin", -1))),
    "tanh": ("elementwise", _elementwise(_tanh)),
    "relu": ("elementwise", _elementwise(_relu)),
    "softplus": ("softplus (notes §3)", _elementwise(_of_part("logistic"))),
    "abs": ("elementwise", _elementwise(_of_part("sign"))),
    **{name: (name, _elementwise(_declared)) for name in DECLARED},
    "at": ("selection", _selection),
    "take": ("selection", _selection),
}
