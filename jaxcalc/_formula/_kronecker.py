"""Kronecker products, recognised in the reshape that makes them."""

from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._product import Factor, Monomial, labels_of, reachable, relabel, unpack
from jaxcalc._formula._sums import terms


def kronecker(algebra: Algebra, value: Expression, shape: Shape) -> Expression | None:
    """A ⊗ B for a value A[i, k] B[j, l] with axes i, j, k, l, reshaped to (i j, k l)."""
    if len(value.shape) != 4 or len(shape) != 2:
        return None
    (a, b, c, d) = value.shape
    if shape != (a * b, c * d):
        return None
    parts = [_factored(algebra, unpack(term)) for term in terms(value)]
    made = [part for part in parts if part is not None]
    return algebra.add(made, shape) if len(made) == len(parts) else None


def _factored(algebra: Algebra, product: Monomial) -> Expression | None:
    scalars = [f for f in product.factors if not f.labels]
    factors = [f for f in product.factors if f.labels]
    groups = [reachable(factors, {0, 2}), reachable(factors, {1, 3})]
    if labels_of(groups[0]) & labels_of(groups[1]) or sum(map(len, groups)) != len(factors):
        return None
    matrices = [_matrix(algebra, product, *pair) for pair in zip(groups, (0, 1), strict=True)]
    sizes = [m.shape for m in matrices]
    shape = (sizes[0][0] * sizes[1][0], sizes[0][1] * sizes[1][1])
    made = call("kron", matrices, shape)
    return algebra.multiply([*scalars, Factor(made, (0, 1))], shape, product.coefficient)


def _matrix(algebra: Algebra, product: Monomial, group: list[Factor], row: int) -> Expression:
    shape = (product.shape[row], product.shape[row + 2])
    names = {row: 0, row + 2: 1} | {i: 100 + i for i in product.summed}
    return algebra.multiply(relabel(group, names), shape, Fraction(1))
