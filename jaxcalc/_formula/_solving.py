"""Solutions of linear equations in canonical form: M x = b becomes x = M⁻¹ b."""

import itertools
from collections.abc import Iterator, Sequence

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call, rebuilt
from jaxcalc._formula._numbers import ONE
from jaxcalc._formula._product import Factor, labels_of, pack, relabel, unpack, whole
from jaxcalc._formula._rules import Args, atom
from jaxcalc._formula._sums import eye, terms


def linear_solve(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """From M v, v and b, the solution of M x = b, where M is a matrix along one axis."""
    image, unknown, right = args
    found = inverse(algebra, image, unknown)
    if found is None:
        return atom(algebra, node, args)
    inverted, axis_in, axis_out = found
    rank = len(node.shape)
    along = [i for i in range(rank) if i != axis_in]
    rest = iter(along)
    labels = tuple(rank if i == axis_out else next(rest) for i in range(len(right.shape)))
    factors = [Factor(inverted, (axis_in, rank)), Factor(right, labels)]
    return algebra.multiply(factors, node.shape)


def inverse(
    algebra: Algebra, image: Expression, unknown: Expression
) -> tuple[Expression, int, int] | None:
    """The inverse of v ↦ image, a matrix, and the axes of v and of the image that it joins."""
    found = [_matrix(algebra, term, unknown) for term in terms(image)]
    places = {part[1:] for part in found if part is not None}
    if len(places) != 1 or None in found:
        return None
    ((axis_in, axis_out),) = places
    shape = (image.shape[axis_out], unknown.shape[axis_in])
    matrix = algebra.add([part[0] for part in found if part is not None], shape)
    return inverted(algebra, matrix), axis_in, axis_out


def inverted(algebra: Algebra, matrix: Expression) -> Expression:
    """matrix⁻¹; the inverse of a transposed array is written as a transposed inverse."""
    if matrix.op == "inv":
        return matrix.args[0]
    product = unpack(matrix)
    single = len(product.factors) == 1 and product.coefficient == 1
    if single and product.factors[0].labels == (1, 0) and product.factors[0].power == 1:
        made = inverted(algebra, product.factors[0].value)
        return algebra.permuted(made, (1, 0))
    symmetric = algebra.permuted(matrix, (1, 0)) is matrix
    return call("inv", (matrix,), matrix.shape, symmetric=symmetric)


def with_adjugates(value: Expression) -> Expression:
    """A canonical expression with adj X for det(X) X⁻¹, which is finite where X is singular."""

    def change(node: Expression, new: Expression) -> Expression:
        if new.op != "product":
            return new
        product = unpack(new)
        return pack(product._replace(factors=_adjugate(product.factors)))

    return rebuilt(value, change)


def _adjugate(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """The factors, with adj X for as many det X as there are X⁻¹ beside them."""
    for inverse_, size in itertools.product(factors, factors):
        X = inverse_.value.args
        is_inverse = inverse_.value.op == "inv" and inverse_.power == 1
        is_size = size.value.op == "det" and size.power >= 1
        if is_inverse and is_size and size.value.args == X and size.labels == inverse_.labels[:-2]:
            adjugate = call("adjugate", X, inverse_.value.shape)
            rest = [f for f in factors if f is not size and f is not inverse_]
            left = [size._replace(power=size.power - 1)] if size.power > 1 else []
            return _adjugate((*rest, *left, inverse_._replace(value=adjugate)))
    return factors


def inverses(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """Σ X⁻¹[i, j] X[j, k] is δ[i, k]."""
    for inverse_, matrix, end in _inverse_pairs(factors):
        label = inverse_.labels[end]
        rest = [f for f in factors if f is not inverse_ and f is not matrix]
        if label not in kept and label not in labels_of(rest):
            ends = (inverse_.labels[1 - end], matrix.labels[end])
            return inverses(algebra, [*rest, Factor(eye(matrix.value.shape[0]), ends)], kept)
    return factors


def _inverse_pairs(factors: Sequence[Factor]) -> Iterator[tuple[Factor, Factor, int]]:
    """X⁻¹ and X, and the end of X⁻¹ at which they meet."""
    single = [f for f in factors if f.power == 1 and len(f.labels) == 2]
    for inverse_ in (f for f in single if f.value.op == "inv"):
        for matrix in (f for f in single if f.value is inverse_.value.args[0]):
            for end in (0, 1):
                if inverse_.labels[end] == matrix.labels[1 - end]:
                    yield inverse_, matrix, end


def pseudo_inverses(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """Σ V[k, i] U[j, k] / s[k], for the singular values that count, is X⁺[i, j]."""
    for V in (f for f in factors if _is_of_svd(f.value, 2) and f.labels[0] not in kept):
        made = _pseudo_inverse(V, factors)
        if made is not None:
            rest = [f for f in factors if V.labels[0] not in f.labels]
            return pseudo_inverses(algebra, [*rest, made], kept)
    return factors


def _pseudo_inverse(V: Factor, factors: Sequence[Factor]) -> Factor | None:
    (k, i), (X,) = V.labels, V.value.args
    along = [f for f in factors if k in f.labels and f is not V]
    tolerance = _tolerance([f for f in along if len(f.labels) == 1])
    match [f for f in along if len(f.labels) == 2]:
        case [Factor(U, (j, _))] if tolerance is not None and _is_of_svd(U, 1):
            return Factor(call("pinv", (X,), X.shape[::-1], rtol=tolerance), (i, j))
    return None


def _is_of_svd(value: Expression, output: int) -> bool:
    """Whether an atom is an output of the decomposition of one matrix: s, U or Vᵀ."""
    return value.op == "svd" and value["output"] == output and len(value.args[0].shape) == 2


def _tolerance(factors: Sequence[Factor]) -> float | None:
    """c for [s ≥ c s[0]]/s, 0 where s is no more than that: where(…, s, ∞) or a mask beside."""
    kinds = {(f.value.op, f.power): f.value for f in factors}
    chosen, mask = kinds.pop(("select_n", -ONE), None), kinds.pop(("indicator", ONE), None)
    if chosen is None or kinds or (mask is not None and mask.args != chosen.args[:1]):
        return None
    compared, _, s = chosen.args
    last = compared.args[-1] if compared.op == "and" else compared
    if last.op not in ("gt", "ge") or last.args[0] is not s or not _is_of_svd(s, 0):
        return None
    bound = unpack(last.args[1])
    largest = [f.value.args for f in bound.factors if f.value.op == "at"]
    return float(bound.coefficient) if largest == [(s,)] else None


def _matrix(
    algebra: Algebra, term: Expression, unknown: Expression
) -> tuple[Expression, int, int] | None:
    """For a product with v, the matrix beside it, and the axes of v and of the product."""
    product, inner = unpack(term), unpack(unknown).factors[0].value
    sources = [f for f in product.factors if f.value is inner]
    if [f.power for f in sources] != [1]:
        return None
    rest = [f for f in product.factors if f is not sources[0]]
    label_of = dict(zip(_long(unknown.shape), sources[0].labels, strict=True))
    summed = [axis for axis, label in label_of.items() if label in product.summed]
    passed = [label for label in label_of.values() if label not in product.summed]
    out = [axis for axis in _long(term.shape) if axis not in passed]
    # v's other axes are passed on in their order, and the matrix is the same at each index of them
    is_same = passed == sorted({*passed}) and not labels_of(rest) & {*passed}
    if not is_same or len(summed) != 1 or len(out) != 1:
        return None
    shape = (term.shape[out[0]], unknown.shape[summed[0]])
    names = {i: 100 + i for i in product.summed} | {out[0]: 0, label_of[summed[0]]: 1}
    return algebra.multiply(relabel(rest, names), shape, product.coefficient), summed[0], out[0]


def _long(shape: Shape) -> list[int]:
    """The axes that are longer than 1."""
    return [i for i, size in enumerate(shape) if size != 1]


def solve(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """The solution of A x = b, for one matrix."""
    A, b = args
    rank = len(node.shape)
    if len(A.shape) != 2:
        return atom(algebra, node, args)
    factors = [Factor(inverted(algebra, A), (0, rank)), Factor(b, (rank, *range(1, rank)))]
    return algebra.multiply(factors, node.shape)


def triangular_solve(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """The solution of L x = b, or of x L = b, for one triangle of a matrix or its transpose."""
    A, b = args
    if len(node.shape) != 2:
        return atom(algebra, node, args)
    unit, left = node["unit_diagonal"], node["left_side"]
    ones = call("tri", (), A.shape, k=-1 if unit else 0)
    triangle = Factor(ones, (0, 1) if node["lower"] else (1, 0))
    L = algebra.multiply([Factor(A, (0, 1)), triangle], A.shape)
    inverse = inverted(algebra, algebra.add([L, eye(A.shape[0])], A.shape) if unit else L)
    beside, labels = ((0, 2), (2, 1)) if left else ((2, 1), (0, 2))
    factors = [Factor(inverse, beside[::-1] if node["transpose_a"] else beside), Factor(b, labels)]
    return algebra.multiply(factors, node.shape)


def inv(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """A⁻¹, for one matrix; 1/A where the matrices are numbers."""
    if node.shape[-1] == 1:
        return algebra.multiply([whole(args[0], -1)], node.shape)
    small, kept = algebra.squeezed(args[0])
    if len(kept) != 2:
        return atom(algebra, node, args)
    return algebra.multiply([Factor(inverted(algebra, small), kept)], node.shape)
