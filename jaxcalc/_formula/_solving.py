"""Solutions of linear equations in canonical form: M x = b becomes x = M⁻¹ b."""

from collections.abc import Sequence

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call, walk
from jaxcalc._formula._numbers import ONE
from jaxcalc._formula._product import Factor, labels_of, pack, relabel, unpack
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
    made: dict[Expression, Expression] = {}
    for node in walk(value):
        args = tuple(made[arg] for arg in node.args)
        made[node] = Expression(node.op, args, node.params, node.shape)
        if node.op == "product":
            product = unpack(made[node])
            made[node] = pack(product._replace(factors=_adjugate(product.factors)))
    return made[value]


def _adjugate(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """The factors, with adj X for as many det X as there are X⁻¹ beside them."""
    for inverse_ in (f for f in factors if f.value.op == "inv" and f.power == 1):
        for size in (f for f in factors if f.value.op == "det" and f.power >= 1):
            if size.value.args != inverse_.value.args or size.labels != inverse_.labels[:-2]:
                continue
            adjugate = call("adjugate", inverse_.value.args, inverse_.value.shape)
            rest = [f for f in factors if f is not size and f is not inverse_]
            left = [size._replace(power=size.power - 1)] if size.power > 1 else []
            return _adjugate((*rest, *left, inverse_._replace(value=adjugate)))
    return factors


def inverses(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """Σ X⁻¹[i, j] X[j, k] is δ[i, k]."""
    for inverse_ in [f for f in factors if f.value.op == "inv" and len(f.labels) == 2]:
        for matrix in [f for f in factors if f.value is inverse_.value.args[0]]:
            for end in (0, 1):
                label, pair = inverse_.labels[end], (inverse_, matrix)
                rest = [f for f in factors if f not in pair]
                free = label not in kept and label not in labels_of(rest)
                if free and label == matrix.labels[1 - end] and {f.power for f in pair} == {1}:
                    ends = (inverse_.labels[1 - end], matrix.labels[end])
                    made = Factor(eye(matrix.value.shape[0]), ends)
                    return inverses(algebra, [*rest, made], kept)
    return factors


def _matrix(
    algebra: Algebra, term: Expression, unknown: Expression
) -> tuple[Expression, int, int] | None:
    """For a product with v, the matrix beside it, and the axes of v and of the product."""
    product, rank = unpack(term), len(term.shape)
    inner = unpack(unknown).factors[0].value
    sources = [f for f in product.factors if f.value is inner]
    if len(sources) != 1 or sources[0].power != 1:
        return None
    axes = [i for i, size in enumerate(unknown.shape) if size != 1]
    labels = dict(zip(axes, sources[0].labels, strict=True))
    summed = [axis for axis, label in labels.items() if label >= rank]
    out = [i for i in range(rank) if i not in labels.values() and term.shape[i] != 1]
    if len(summed) != 1 or len(out) != 1 or _order(labels, rank) != _rest(rank, out[0], term.shape):
        return None
    shape: Shape = (term.shape[out[0]], unknown.shape[summed[0]])
    rest = [f for f in product.factors if f is not sources[0]]
    if labels_of(rest) - product.summed - {out[0]}:  # another matrix for each index
        return None
    names = {i: 100 + i for i in product.summed} | {out[0]: 0, labels[summed[0]]: 1}
    return algebra.multiply(relabel(rest, names), shape, product.coefficient), summed[0], out[0]


def _order(labels: dict[int, int], rank: int) -> list[int]:
    """The axes of the product that v passes on, in the order of v's."""
    return [label for label in labels.values() if label < rank]


def _rest(rank: int, axis: int, shape: Shape) -> list[int]:
    return [i for i in range(rank) if i != axis and shape[i] != 1]


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
    whole = tuple(range(len(node.shape)))
    if node.shape[-1] == 1:
        return algebra.multiply([Factor(args[0], whole, -ONE)], node.shape)
    small, kept = algebra.squeezed(args[0])
    if len(kept) != 2:
        return atom(algebra, node, args)
    return algebra.multiply([Factor(inverted(algebra, small), kept)], node.shape)
