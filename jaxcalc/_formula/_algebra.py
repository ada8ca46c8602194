"""The algebra of canonical expressions: products, sums and elementwise functions, simplified.

A canonical expression is a product (see `_product`), a `sum` of products, or an *atom*: a name, a
number that is no fraction, or an operation whose arguments are canonical. Equal products and sums
are one object whatever the order they are written in, so that like terms meet.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from jaxcalc._formula._expression import Expression, Params, Shape
from jaxcalc._formula._numbers import ONE, content, root
from jaxcalc._formula._product import (
    Factor,
    Labels,
    Monomial,
    components,
    is_contraction,
    labels_of,
    merge,
    numbered,
    pack,
    relabel,
    through_selections,
    unpack,
    without_deltas,
)
from jaxcalc._formula._sums import (
    constant,
    has_complement,
    is_complement,
    is_one,
    length,
    parts,
    terms,
    used_axes,
    zero,
)

MOST_PARTS = 16
Pattern = Callable[["Algebra", list[Factor], Sequence[int]], list[Factor]]
SumPattern = Callable[["Algebra", Sequence[Expression]], Expression | None]


@dataclass
class Algebra:
    """Sums and products; one instance knows the equal ones of one formula.

    Attributes:
        patterns: rewrites of the factors of a product, such as exp(u)/Σ exp(u) to softmax(u).
        sums: rewrites of the terms of a sum, such as 2 [x ≥ 0] − 1 to sign(x).
    """

    patterns: tuple[Pattern, ...] = ()
    sums: tuple[SumPattern, ...] = ()
    serial: dict[Expression, int] = field(default_factory=dict)
    equal: dict[object, Expression] = field(default_factory=dict)
    shortest: dict[Expression, Expression] = field(default_factory=dict)

    def multiply(
        self,
        factors: Sequence[Factor],
        shape: Shape,
        coefficient: Fraction = ONE,
        sizes: dict[int, int] | None = None,
    ) -> Expression:
        """coefficient · Σ Π factors, with result axes labelled 0, 1, …, simplified.

        `sizes` gives the sizes of summed labels that may be left without a factor.
        """
        return self._multiplied_out(self._joined(factors, shape, coefficient, sizes))

    def _joined(
        self,
        factors: Sequence[Factor],
        shape: Shape,
        coefficient: Fraction,
        sizes: dict[int, int] | None = None,
    ) -> Expression:
        """The product, sums among its factors left as they are."""
        sizes = _sizes(factors, shape) | (sizes or {})
        kept = range(len(shape))
        coefficient, flat = self._flatten(coefficient, factors, sizes)
        sizes |= _sizes(flat, shape)
        flat, absorbed = without_deltas(through_selections(flat), kept)
        flat = merge(map(self._varying, flat))
        free = set(sizes) - set(kept) - absorbed - labels_of(flat)
        coefficient *= math.prod(sizes[label] for label in free)
        if not coefficient:
            return zero(shape)
        for pattern in self.patterns:
            flat = merge(pattern(self, flat, kept))
        scale, flat = _beside_roots(flat)
        coefficient *= scale
        if any(_openable(f) for f in flat):  # √u · √u has become u
            return self._joined(flat, shape, coefficient)
        return self._interned(
            coefficient, merge(self._squared(self._contracted(flat, kept), kept)), shape
        )

    def _multiplied_out(self, product: Expression) -> Expression:
        """(1 + t)(1 − t) is 1 − t², and Σ (x − mean x) is 0; each product is tried once."""
        if not 1 < parts(product) <= MOST_PARTS:
            return product
        if product not in self.shortest:
            shorter = self._shorter([product], product.shape)
            self.shortest[product] = self.add(shorter, product.shape)
        return self.shortest[product]

    def _flatten(
        self, coefficient: Fraction, factors: Sequence[Factor], sizes: dict[int, int]
    ) -> tuple[Fraction, list[Factor]]:
        """Products inside the factors opened, axes of size 1 dropped."""
        fresh = max(sizes, default=0) + 1000
        flat: list[Factor] = []
        for value, labels, power in factors:
            value, axes = self.squeezed(value)
            labels = tuple(labels[axis] for axis in axes)
            scale, inner = self._opened(value, power)
            coefficient *= scale
            names = dict(enumerate(labels))
            summed = labels_of(inner) - set(names)
            names |= {label: fresh + i for i, label in enumerate(sorted(summed))}
            fresh += len(summed)
            flat += relabel(inner, names)
        return coefficient, flat

    def _varying(self, factor: Factor) -> Factor:
        """A sum along each label once, and without those along which all its terms are constant."""
        value, labels, power = factor
        if value.op != "sum":
            return factor
        kept = tuple(dict.fromkeys(labels[axis] for axis in sorted(used_axes(value))))
        if len(kept) == len(labels):
            return factor
        sizes = dict(zip(labels, value.shape, strict=True))
        names = {axis: kept.index(label) for axis, label in enumerate(labels) if label in kept}
        return Factor(self._narrowed(value, names, tuple(sizes[i] for i in kept)), kept, power)

    def _opened(self, value: Expression, power: Fraction) -> tuple[Fraction, list[Factor]]:
        own = [Factor(value, tuple(range(len(value.shape))), power)]
        if value.op == "sum" and not value.args:
            return (Fraction(0), []) if power > 0 else (ONE, own)
        if value.op == "sum":
            return self._primitive(value, power, own)
        if value.op != "product" or (is_contraction(value) and value["coefficient"] == 1):
            return ONE, own
        product = unpack(value)
        if power != 1 and (power.denominator != 1 or product.summed):
            outside = root(product.coefficient, power)
            if outside is None:
                return ONE, own
            body = pack(product._replace(coefficient=ONE))
            if outside == 1 and body is value:
                return ONE, own
            inner = self.multiply([Factor(body, own[0].labels)], value.shape)
            return outside, [Factor(inner, own[0].labels, power)] if product.factors else []
        scale = product.coefficient**power.numerator
        factors: list[Factor] = []
        for inner, labels, exponent in product.factors:
            number, opened = self._opened(inner, exponent * power)
            names = dict(enumerate(labels))
            scale, factors = scale * number, factors + relabel(opened, names)
        return scale, factors

    def _primitive(
        self, value: Expression, power: Fraction, own: list[Factor]
    ) -> tuple[Fraction, list[Factor]]:
        """A sum without the number, and the scalars, that all its terms have in common."""
        products = list(map(unpack, value.args))
        common = content([product.coefficient for product in products])
        scalars = [f for f in products[0].factors if not f.labels]
        shared = [f for f in scalars if all(f in product.factors for product in products)]
        if power.denominator != 1 or (common == 1 and not shared):
            return ONE, own
        rest = [
            self._interned(
                product.coefficient / common,
                [f for f in product.factors if f not in shared],
                value.shape,
            )
            for product in products
        ]
        outside = [f._replace(power=f.power * power) for f in shared]
        primitive = self.add(rest, value.shape)
        return common**power.numerator, [own[0]._replace(value=primitive), *outside]

    def _contracted(self, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
        """Groups of factors summed to a scalar made one factor each."""
        groups = components(factors)
        loose = [bool(labels_of(g)) and not labels_of(g) & set(kept) for g in groups]
        if loose == [True] and not len(kept):
            return factors
        return [
            factor
            for group, scalar in zip(groups, loose, strict=True)
            for factor in ([Factor(self._interned(ONE, group, ()), ())] if scalar else group)
        ]

    def _squared(self, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
        """Equal sums along the same axes as a power: (Σ x[i, j]) (Σ x[i, k]) is (X 1)²[i]."""
        groups = [g for g in components(factors, kept) if labels_of(g) - {*kept}]
        if len(groups) + sum(f.value.op == "product" for f in factors) < 2:
            return factors
        sums = [self._alone(group, kept) for group in groups]
        uses = Counter((f.value, f.labels) for f in (*sums, *factors))
        several = [pair for pair in zip(groups, sums, strict=True) if uses[pair[1][:2]] > 1]
        gone = [f for group, _ in several for f in group]
        return [f for f in factors if f not in gone] + [f for _, f in several]

    def _alone(self, group: Sequence[Factor], kept: Sequence[int]) -> Factor:
        """Some factors of a product, summed, as one."""
        labels = tuple(sorted(labels_of(group) & set(kept)))
        sizes = _sizes(group, ())
        names = {label: i for i, label in enumerate(labels)}
        names |= {i: len(labels) + i for i in labels_of(group) - set(labels)}
        shape = tuple(sizes[i] for i in labels)
        return Factor(self._interned(ONE, relabel(group, names), shape), labels)

    def _interned(
        self, coefficient: Fraction, factors: Sequence[Factor], shape: Shape
    ) -> Expression:
        for factor in factors:
            self.serial.setdefault(factor.value, len(self.serial))
        order = numbered(factors, len(shape), self.serial)
        names = {label: len(shape) + i for i, label in enumerate(order)}
        factors = relabel(factors, names)
        product = self._known(factors, shape)
        if coefficient == 1 and _is_whole(product, shape):
            return product.factors[0].value
        return pack(product._replace(coefficient=coefficient))

    def _known(self, factors: list[Factor], shape: Shape) -> Monomial:
        key = ("product", frozenset((self.serial[f.value], *f[1:]) for f in factors), shape)
        found = self.equal.setdefault(key, pack(Monomial(ONE, tuple(factors), shape)))
        return unpack(found)

    def squeezed(self, value: Expression) -> tuple[Expression, Labels]:
        """The value without its axes of size 1, and the axes that stay."""
        axes = tuple(i for i, size in enumerate(value.shape) if size != 1)
        if len(axes) == len(value.shape):
            return value, axes
        shape = tuple(value.shape[i] for i in axes)
        if is_one(value):
            return constant(1, shape), axes
        names = {old: new for new, old in enumerate(axes)}
        if value.op == "sum":
            return self.add([self.squeezed(term)[0] for term in value.args], shape), axes
        if value.op == "product":
            product = unpack(value)
            rank = len(value.shape)
            names |= {label: len(shape) + label - rank for label in product.summed}
            factors = relabel(product.factors, names)
            return self._interned(product.coefficient, factors, shape), axes
        return Expression("squeeze", (value,), (), shape), axes

    def add(self, values: Sequence[Expression], shape: Shape) -> Expression:
        """The sum of canonical expressions, like terms collected."""
        if len(values) == 1:
            return values[0]
        collected = self._collected(values, shape)
        collected = self._shorter(collected, shape)
        if len(collected) == 1:
            return collected[0]
        for pattern in self.sums:
            if (found := pattern(self, collected)) is not None:
                return found
        key = ("sum", frozenset(collected), shape)
        return self.equal.setdefault(key, Expression("sum", tuple(collected), (), shape))

    def _shorter(self, values: list[Expression], shape: Shape) -> list[Expression]:
        """The terms, or what is shortest of them multiplied out, and with 1 − [m] for [¬m].

        Multiplying out must make at least half of the terms cancel or join.
        """
        options = [values]
        count = sum(map(parts, values))
        if len(values) < count <= MOST_PARTS:
            several = [p for v in values for p in self.distributed(v)]
            collected = self._collected(several, shape)
            options += [collected] if 2 * len(collected) <= count else []
        if len(values) > 1 and any(map(has_complement, values)):
            several = [p for v in values for p in self._complemented(v)]
            options.append(self._collected(several, shape))
        return min(options, key=length)

    def _complemented(self, value: Expression) -> list[Expression]:
        """R [¬m] as R − R [m]."""
        product = unpack(value)
        for i, (inner, labels, _) in enumerate(product.factors):
            if is_complement(inner):
                rest = [f for k, f in enumerate(product.factors) if k != i]
                mask = Expression("indicator", inner.args[0].args, (), inner.shape)
                both = (rest, ONE), ([*rest, Factor(mask, labels)], -ONE)
                return [
                    self.multiply(factors, value.shape, product.coefficient * sign)
                    for factors, sign in both
                ]
        return [value]

    def _collected(self, values: Sequence[Expression], shape: Shape) -> list[Expression]:
        totals: dict[Expression, Fraction] = {}
        for value in values:
            for term in self._summands(value):
                body = self.scaled(term, 1 / unpack(term).coefficient)
                totals[body] = totals.get(body, Fraction(0)) + unpack(term).coefficient
        return [self.scaled(body, total) for body, total in totals.items() if total]

    def _summands(self, value: Expression) -> list[Expression]:
        """The terms of a sum, and of a number times a sum."""
        if value.op == "sum":
            return [t for term in value.args for t in self._summands(term)]
        product = unpack(value)
        if len(product.factors) != 1 or value.op != "product":
            return [value]
        (inner, labels, power), whole = product.factors[0], tuple(range(len(value.shape)))
        if inner.op != "sum" or power != 1 or labels != whole:
            return [value]
        return [self.scaled(t, product.coefficient) for t in self._summands(inner)]

    def distributed(self, value: Expression, least: int = 0) -> list[Expression]:
        """A product with sums among its factors, of `least` axes or more, as the terms of a sum."""
        product = unpack(value)
        for i, (inner, labels, power) in enumerate(product.factors):
            if inner.op == "sum" and power == 1 and len(labels) >= least:
                rest = [*product.factors[:i], *product.factors[i + 1 :]]
                parts = [
                    self._joined([*rest, Factor(t, labels)], value.shape, product.coefficient)
                    for t in inner.args
                ]
                return [p for part in parts for p in self.distributed(part, least)]
        return [value]

    def scaled(self, value: Expression, number: Fraction) -> Expression:
        """A number times one term."""
        if number == 1:
            return value
        product = unpack(value)
        coefficient = product.coefficient * number
        if not coefficient:
            return zero(value.shape)
        return self._interned(coefficient, product.factors, value.shape)

    def permuted(self, value: Expression, axes: Sequence[int]) -> Expression:
        """The value with axes in another order, as `transpose` has it."""
        labels = tuple(axes.index(i) for i in range(len(axes)))
        shape = tuple(value.shape[i] for i in axes)
        return self.add(
            [self.multiply([Factor(term, labels)], shape) for term in terms(value)], shape
        )

    def spread(self, value: Expression, axes: Sequence[int], shape: Shape) -> Expression:
        """The value with its axes at `axes` of an array of `shape`, repeated along the others."""
        return self.add(
            [self.multiply([Factor(term, tuple(axes))], shape) for term in terms(value)], shape
        )

    def apply(
        self, op: str, args: Sequence[Expression], shape: Shape, params: Params = ()
    ) -> Expression:
        """An elementwise function: computed along the axes where its arguments vary."""
        axes = sorted({i for arg in args for i in used_axes(arg) if arg.shape})
        narrow = tuple(shape[i] for i in axes)
        names = {axis: i for i, axis in enumerate(axes)}
        small = [self._narrowed(arg, names, narrow) if arg.shape else arg for arg in args]
        inner = _moved(small[0]) if len(small) == 1 else None
        if inner is not None:
            value, labels = inner
            atom = Expression(op, (value,), params, value.shape)
            return self.multiply([Factor(atom, tuple(axes[i] for i in labels))], shape)
        atom = Expression(op, tuple(small), params, narrow)
        return self.multiply([Factor(atom, tuple(axes))], shape)

    def _narrowed(self, value: Expression, names: dict[int, int], shape: Shape) -> Expression:
        rank, new = len(value.shape), []
        for term in terms(value):
            product = unpack(term)
            moved = names | {i: len(shape) + i - rank for i in product.summed}
            factors = relabel(product.factors, moved)
            new.append(self.multiply(factors, shape, product.coefficient))
        return self.add(new, shape)


def _openable(factor: Factor) -> bool:
    """Whether a factor is a product that could be opened."""
    value, _, power = factor
    if value.op != "product" or is_contraction(value):
        return False
    return power == 1 or (power.denominator == 1 and not unpack(value).summed)


def _beside_roots(factors: list[Factor]) -> tuple[Fraction, list[Factor]]:
    """u beside √(c u) as c⁻¹ (c u), so that the powers are added."""
    roots = {
        unpack(f.value).factors[0].value: f
        for f in factors
        if f.power.denominator != 1 and f.value.op == "product" and len(f.value.args) == 1
    }
    scale, made = ONE, []
    for f in factors:
        root_ = roots.get(f.value)
        if root_ is not None and _is_multiple(root_.value, f.value) and f.labels == root_.labels:
            scale /= unpack(root_.value).coefficient ** f.power.numerator
            f = f._replace(value=root_.value)
        made.append(f)
    return scale, merge(made)


def _is_multiple(value: Expression, other: Expression) -> bool:
    """Whether a product is a number times another expression."""
    ((inner, labels, power),) = unpack(value).factors
    return inner is other and power == 1 and labels == tuple(range(len(inner.shape)))


def _moved(value: Expression) -> tuple[Expression, Labels] | None:
    """An atom with its axes in another order, and that order."""
    product = unpack(value)
    if value.op != "product" or product.coefficient != 1 or len(product.factors) != 1:
        return None
    inner, labels, power = product.factors[0]
    if power != 1 or sorted(labels) != list(range(len(value.shape))):
        return None
    return (inner, labels) if labels else None


def _is_whole(product: Monomial, shape: Shape) -> bool:
    whole = [(tuple(range(len(shape))), ONE, shape)]
    return [(f.labels, f.power, f.value.shape) for f in product.factors] == whole


def _sizes(factors: Sequence[Factor], shape: Shape) -> dict[int, int]:
    sizes = dict(enumerate(shape))
    for value, labels, _ in factors:
        for label, size in zip(labels, value.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return sizes
