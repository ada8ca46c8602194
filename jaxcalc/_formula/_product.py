"""Products with named axes: coefficient · Σ Π valueᵏ[labels], summed over what the result lacks.

One notation covers scaling, elementwise, inner, outer, matrix and diagonal products, transposes
and broadcasting. A product with summed labels and no factor beside them is a *contraction*, such
as xᵀ x.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from jaxcalc._formula._expression import Expression, Shape

Labels = tuple[int, ...]
IDEMPOTENT = {"eye", "select", "indicator", "tri", "shifted_eye"}  # of 0 and 1


class Factor(NamedTuple):
    """value[labels] to the power `power`, elementwise."""

    value: Expression
    labels: Labels
    power: Fraction = Fraction(1)


def whole(value: Expression, power: Fraction | int = 1) -> Factor:
    """The value along the axes of the result, to a power."""
    return Factor(value, tuple(range(len(value.shape))), Fraction(power))


class Monomial(NamedTuple):
    """coefficient · Π factors, with result axes labelled 0, 1, …; the other labels are summed."""

    coefficient: Fraction
    factors: tuple[Factor, ...]
    shape: Shape

    @property
    def summed(self) -> set[int]:
        """The labels that are summed over."""
        return labels_of(self.factors) - set(range(len(self.shape)))


def labels_of(factors: Iterable[Factor]) -> set[int]:
    """Every label of `factors`."""
    return {label for factor in factors for label in factor.labels}


def pack(product: Monomial) -> Expression:
    """The product as an expression."""
    values, labels, powers = zip(*product.factors, strict=True) if product.factors else ((),) * 3
    params = (("coefficient", product.coefficient), ("labels", labels), ("powers", powers))
    return Expression("product", values, params, product.shape)


def unpack(value: Expression) -> Monomial:
    """Any expression as a product: what is none is one factor."""
    if value.op != "product":
        return Monomial(Fraction(1), (whole(value),), value.shape)
    factors = tuple(map(Factor, value.args, value["labels"], value["powers"]))
    return Monomial(value["coefficient"], factors, value.shape)


def is_contraction(value: Expression) -> bool:
    """Whether `value` is a scalar sum over labels, such as xᵀ x."""
    return value.op == "product" and not value.shape and bool(labels_of(unpack(value).factors))


def relabel(factors: Iterable[Factor], names: Mapping[int, int]) -> list[Factor]:
    """The factors with labels renamed."""
    return [f._replace(labels=tuple(names.get(i, i) for i in f.labels)) for f in factors]


def is_symmetric(value: Expression) -> bool:
    """Whether an atom is known to be its own transpose."""
    return value.op == "eye" or value.get("symmetric", False)


def merge(factors: Iterable[Factor]) -> list[Factor]:
    """Equal factors joined to powers, and powers of zero left out."""
    powers: dict[tuple[Expression, Labels], Fraction] = defaultdict(Fraction)
    for value, labels, power in factors:
        powers[value, tuple(sorted(labels)) if is_symmetric(value) else labels] += power
    merged = (
        Factor(value, labels, min(power, Fraction(1)) if value.op in IDEMPOTENT else power)
        for (value, labels), power in powers.items()
    )
    return [factor for factor in merged if factor.power]


def without_deltas(factors: list[Factor], kept: Sequence[int]) -> tuple[list[Factor], set[int]]:
    """The factors after every δ with a label not in `kept` has renamed that label; those labels."""
    absorbed: set[int] = set()
    while found := next((f for f in factors if _redundant(f, kept)), None):
        a, b = found.labels
        old, new = (a, b) if a not in kept else (b, a)
        absorbed |= {old} - {new}
        factors = relabel([f for f in factors if f is not found], {old: new})
    return factors, absorbed


def through_selections(factors: list[Factor]) -> list[Factor]:
    """Rows of rows of I read from I: E[k, i] F[i, j] is E[k, i] (E F)[k, j]."""
    for outer in [f for f in factors if f.value.op == "select"]:
        k, i = outer.labels
        for inner in [f for f in factors if f.value.op == "select" and f.labels[0] == i]:
            places = tuple(inner.value["places"][place] for place in outer.value["places"])
            made = rows_of_identity(places, inner.value.shape[1])
            rest = [f for f in factors if f is not inner]
            return through_selections([*rest, Factor(made, (k, inner.labels[1]))])
    return factors


def rows_of_identity(places: tuple[int, ...], size: int) -> Expression:
    """The rows of I at `places`; I itself where these are all, in order."""
    if places == tuple(range(size)):
        return Expression("eye", (), (), (size, size))
    return Expression("select", (), (("places", places),), (len(places), size))


def _redundant(factor: Factor, kept: Sequence[int]) -> bool:
    """Whether a factor is a δ that can be summed over, or is 1."""
    if factor.value.op != "eye":
        return False
    a, b = factor.labels
    return a == b or a not in kept or b not in kept


def components(factors: Sequence[Factor], apart: Sequence[int] = ()) -> list[list[Factor]]:
    """The factors in groups that share no label but those `apart`."""
    root: dict[int, int] = {}

    def find(label: int) -> int:
        while root.setdefault(label, label) != label:
            label = root[label]
        return label

    joining = [[label for label in f.labels if label not in apart] for f in factors]
    for labels in joining:
        for label in labels[1:]:
            root[find(label)] = find(labels[0])
    groups: dict[object, list[Factor]] = {}
    for factor, labels in zip(factors, joining, strict=True):
        groups.setdefault(find(labels[0]) if labels else factor, []).append(factor)
    return list(groups.values())


def reachable(factors: Sequence[Factor], labels: set[int]) -> list[Factor]:
    """The factors joined to `labels` by shared labels."""
    while True:
        group = [f for f in factors if labels & set(f.labels)]
        if labels_of(group) <= labels:
            return group
        labels = labels | labels_of(group)


def numbered(factors: Sequence[Factor], rank: int, serial: Mapping[Expression, int]) -> Labels:
    """The summed labels in an order that depends only on how they are used."""
    colours: dict[int, int] = {label: min(label, rank) for label in labels_of(factors)}
    for _ in range(3):
        uses: dict[int, list[object]] = {label: [colours[label]] for label in colours}
        for value, labels, power in factors:
            seen = tuple(colours[label] for label in labels)
            for position, label in enumerate(labels):
                uses[label].append((serial[value], power, position, seen))
        keys = {label: (use[0], sorted(map(repr, use[1:]))) for label, use in uses.items()}
        order = sorted(keys.values(), key=repr)
        colours = {label: order.index(key) for label, key in keys.items()}
        colours |= {label: -rank + label for label in colours if label < rank}
    return tuple(sorted((i for i in colours if i >= rank), key=lambda i: (colours[i], i)))
