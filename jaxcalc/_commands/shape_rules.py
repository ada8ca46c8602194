"""What each kind of operation makes of shapes, known or not: one rule a kind.

A rule is called with what is known of the sizes, the operands' sorts and the options, and gives the
sort of the value. It raises `MisfitError` with a reason where the operation cannot be.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from jaxcalc._commands.sizes import MisfitError, Size, Sort, UnknownSizes, plus

SELDOM = 4  # the oddity of what is possible but not meant: more than that of an unusual rank

Options = Mapping[str, Any]
Rule = Callable[[UnknownSizes, tuple[Sort, ...], Options], Sort]


def elementwise(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Entry by entry, smaller ranks and axes of one entry repeated."""
    vectors = [sort.row for sort in sorts if sort.rank == 1]
    ranks = {sort.rank for sort in sorts} - {0}
    sizes.odd += len(ranks) > 1
    columns = itertools.zip_longest(*(reversed(sort.sizes) for sort in sorts), fillvalue=1)
    found = tuple(_broadcast(sizes, column) for column in columns)[::-1]
    return Sort(found, len(found) == 1 and all(vectors))


def _broadcast(sizes: UnknownSizes, column: tuple[Size, ...]) -> Size:
    """The common size of what stands in one place."""
    long = [size for size in map(sizes.find, column) if size != 1]
    for other in long[1:]:
        _same(sizes, long[0], other, "these entries cannot be paired")
    return sizes.find(long[0]) if long else 1


def _same(sizes: UnknownSizes, one: Size, other: Size, reason: str) -> None:
    try:
        sizes.equal(one, other)
    except MisfitError as misfit:
        raise MisfitError(f"{reason}, since {misfit}") from misfit


def _axes(sort: Sort, options: Options, default: Any = None) -> tuple[int, ...]:
    """The axes that an option names, counted from the first."""
    axis = options.get("axis", default)
    axes = tuple(range(sort.rank)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not -sort.rank <= a < sort.rank:
            raise MisfitError(f"there is no axis {a}")
    return tuple(a % sort.rank for a in axes)


def along(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """The shape stays; there must be an axis to work along."""
    (sort,) = sorts
    if not sort.rank:
        raise MisfitError("it needs an axis")
    _axes(sort, options)
    return sort


def cumulated(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """As `along`; without an axis, along all entries in a row."""
    sort = along(sizes, sorts, options)
    return sort if "axis" in options else Sort((sizes.total(sort.sizes),), sort.row)


def reduced(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Over the axes in the options, by default all."""
    (sort,) = sorts
    axes = _axes(sort, options)
    if options.get("keepdims"):
        return Sort(tuple(1 if i in axes else n for i, n in enumerate(sort.sizes)))
    return Sort(tuple(n for i, n in enumerate(sort.sizes) if i not in axes))


def normed(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """As `reduced`; a norm by its order is of a vector or a matrix."""
    axes = _axes(sorts[0], options)
    if "ord" in options and len(axes) not in (1, 2):
        raise MisfitError("a norm by its order needs a vector or a matrix")
    return reduced(sizes, sorts, options)


def loss(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """One number for the entries along an axis, by default the last, of two equal shapes."""
    logits, labels = sorts
    if logits.rank != labels.rank or not logits.rank:
        raise MisfitError("logits and labels need the same shape, with an axis of classes")
    for one, other in zip(logits.sizes, labels.sizes, strict=True):
        _same(sizes, one, other, "logits and labels need the same shape")
    return reduced(sizes, (logits,), {"axis": options.get("axis", -1)})


def same_shapes(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Entry by entry, nothing repeated."""
    if sorts[0].rank != sorts[1].rank:
        raise MisfitError("logits and labels need the same shape")
    for one, other in zip(sorts[0].sizes, sorts[1].sizes, strict=True):
        _same(sizes, one, other, "logits and labels need the same shape")
    return sorts[0]


def matmul(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """The product of vectors, rows and matrices; stacks of matrices keep their leading axes."""
    a, b = sorts
    if not (a.rank and b.rank):
        raise MisfitError("a matrix product needs vectors or matrices; a multiple is c * x")
    if b.row:
        return _by_a_row(a, b)
    _same(sizes, a.sizes[-1], b.sizes[max(-2, -b.rank)], "the inner sizes differ")
    leads = (Sort(a.sizes[:-2]), Sort(b.sizes[:-2]))
    lead = elementwise(sizes, leads, {}).sizes if any(s.rank for s in leads) else ()
    rows, columns = a.sizes[-2:-1] if a.rank > 1 else (), b.sizes[-1:] if b.rank > 1 else ()
    return Sort((*lead, *rows, *columns), a.row and b.rank == 2)


def _by_a_row(a: Sort, b: Sort) -> Sort:
    if a.rank == 1 and not a.row:
        return Sort((*a.sizes, *b.sizes))
    raise MisfitError("a transposed vector stands after a vector or before a matrix")


def product(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """A multiple where one is a scalar, else the matrix product."""
    return elementwise(sizes, sorts, {}) if _scalar(sorts) else matmul(sizes, sorts, {})


def paper_product(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """As `product`, where two columns side by side are not usual."""
    columns = all(sort.rank == 1 and not sort.row for sort in sorts)
    sizes.odd += columns
    if columns:
        sizes.doubts.append("is read as the inner product; x ⊙ y is entry by entry, x yᵀ outer")
    return product(sizes, sorts, options)


def product_with_transpose(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """As `product`; of x x.T people mean the outer product, which it is not in NumPy."""
    if all(sort.rank == 1 and not sort.row for sort in sorts):
        sizes.doubts.append("is read as NumPy does, as the inner product; x xᵀ is the outer")
    return product(sizes, sorts, options) if options.get("multiples") else matmul(sizes, sorts, {})


def starred(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """`*`: entry by entry, but x' * A is a product."""
    if any(sort.row for sort in sorts) and not all(sort.row for sort in sorts):
        return product(sizes, sorts, options)
    if sorted(sort.rank for sort in sorts) == [1, 2]:
        sizes.doubts.append("is read entry by entry; A x or A @ x is the matrix product")
    return elementwise(sizes, sorts, options)


def _scalar(sorts: tuple[Sort, ...]) -> bool:
    return any(not sort.rank for sort in sorts)


def inner(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Over the last axis of both."""
    a, b = sorts
    if _scalar(sorts):
        return elementwise(sizes, sorts, {})
    _same(sizes, a.sizes[-1], b.sizes[-1], "the last axes differ")
    return Sort((*a.sizes[:-1], *b.sizes[:-1]))


def dot(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """As `product`, by the rules of `numpy.dot` for stacks."""
    a, b = sorts
    if a.rank < 3 and b.rank < 3:
        return product(sizes, (Sort(a.sizes), Sort(b.sizes)), {})
    _same(sizes, a.sizes[-1], b.sizes[max(-2, -b.rank)], "the inner sizes differ")
    return Sort((*a.sizes[:-1], *b.sizes[:-2], *b.sizes[-1:]))


def outer(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Every entry of one by every entry of the other."""
    return Sort(tuple(sizes.total(sort.sizes) for sort in sorts))


def kron(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Sizes are multiplied."""
    rank = max(sort.rank for sort in sorts)
    a, b = ((1,) * (rank - sort.rank) + sort.sizes for sort in sorts)
    if not rank:
        raise MisfitError("it needs vectors or matrices")
    sizes.odd += SELDOM * sum(sort.rank < 2 for sort in sorts)
    return Sort(tuple(sizes.total(pair) for pair in zip(a, b, strict=True)))


def transposed(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Axes backwards, as in NumPy: a vector stays as it is."""
    (sort,) = sorts
    return Sort(sort.sizes[::-1])


def paper_transposed(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Axes backwards; of a vector a row, of a row a vector."""
    (sort,) = sorts
    return Sort(sort.sizes[::-1], sort.rank == 1 and not sort.row)


def _matrix(sort: Sort) -> tuple[Size, Size]:
    if sort.rank != 2:
        raise MisfitError("it needs a matrix")
    return sort.sizes[0], sort.sizes[1]


def square(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """A square matrix stays one; it may be one of a stack."""
    sort = sorts[0]
    if sort.rank < 2:
        raise MisfitError("it needs a square matrix")
    _same(sizes, sort.sizes[-2], sort.sizes[-1], "it needs a square matrix")
    return sort


def square_to_scalar(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """One number for each square matrix."""
    return Sort(square(sizes, sorts, options).sizes[:-2])


def pseudo_inverted(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """The shape of the transpose."""
    rows, columns = _matrix(sorts[0])
    return Sort((columns, rows))


def inverted(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """On paper: of a square matrix its inverse, of less the reciprocals."""
    sizes.odd += SELDOM * (sorts[0].rank < 2)
    return square(sizes, sorts, options) if sorts[0].rank > 1 else sorts[0]


def solved(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """A square matrix, and what has as many rows."""
    A, b = sorts
    _same(sizes, *_matrix(A), "it needs a square matrix")
    if b.rank not in (1, 2):
        raise MisfitError("the right side must be a vector or a matrix")
    _same(sizes, A.sizes[0], b.sizes[0], "the right side needs as many rows as the matrix")
    return Sort(b.sizes)


def diagonal(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """A matrix for a vector, a vector for a matrix."""
    (sort,) = sorts
    if sort.rank == 1:
        return Sort(sort.sizes * 2)
    rows, columns = map(sizes.find, _matrix(sort))
    if isinstance(rows, int) and isinstance(columns, int):
        return Sort((min(rows, columns),))
    sizes.equal(rows, columns)  # where nobody says otherwise
    return Sort((rows,))


def reshaped(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """To the shape in the options, where one size may be −1."""
    shape = options["shape"] if isinstance(options["shape"], tuple) else (options["shape"],)
    total, given = sizes.find(sizes.total(sorts[0].sizes)), math.prod(n for n in shape if n != -1)
    if any(n < -1 for n in shape) or shape.count(-1) > 1:
        raise MisfitError("sizes are positive, and one may be -1")
    if -1 not in shape:
        _same(sizes, total, given, "the number of entries must stay")
        return Sort(shape)
    rest = _quotient(sizes, total, given)
    return Sort(tuple(rest if n == -1 else n for n in shape))


def _quotient(sizes: UnknownSizes, total: Size, divisor: int) -> Size:
    """A size divided; one that is free becomes a multiple."""

    def divided(n: int) -> int:
        if not divisor or n % divisor:
            raise MisfitError(f"the entries do not divide by {divisor}")
        return n // divisor

    if isinstance(total, int) or sizes.is_computed(total):
        return sizes.compute(divided, total)
    quotient = sizes.unknown()
    sizes.equal(total, sizes.compute(lambda n: n * divisor, quotient))
    return quotient


def filled(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """The shape in the options."""
    shape = options["shape"] if isinstance(options["shape"], tuple) else (options["shape"],)
    return Sort(_positive(shape))


def identity(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """Square, of the size in the options."""
    return Sort(_positive((options["N"],) * 2))


def _positive(shape: tuple[int, ...]) -> tuple[int, ...]:
    if any(n < 0 for n in shape):
        raise MisfitError("sizes are not negative")
    return shape


def indexed(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Options) -> Sort:
    """By integers and slices, which must lie within."""
    (sort,), index = sorts, options["index"]
    if len(index) > sort.rank:
        raise MisfitError(f"{len(index)} indices are too many")
    left = [_entries(sizes, n, entry) for n, entry in zip(sort.sizes, index, strict=False)]
    return Sort((*(n for n in left if n is not None), *sort.sizes[len(index) :]))


def _entries(sizes: UnknownSizes, size: Size, entry: int | slice) -> Size | None:
    """How many entries are left of an axis, or None where the axis goes."""
    if isinstance(entry, slice):
        return _cut(sizes, size, entry)
    least = entry + 1 if entry >= 0 else -entry
    sizes.at_least(size, least, f"index {entry} is out of bounds")
    return None


def _cut(sizes: UnknownSizes, size: Size, entry: slice) -> Size:
    """How many entries a slice leaves; of x[1:] and x[:-1] it is known without the size."""
    if entry.step == 0:
        raise MisfitError("the step of a slice is not zero")
    start, stop = entry.start or 0, entry.stop
    if isinstance(sizes.find(size), int) or entry.step not in (None, 1):
        return sizes.compute(lambda n: len(range(n)[entry]), size)
    if start >= 0 and (stop is None or stop < 0):
        sizes.at_least(size, start - (stop or 0) + 1, "the slice is empty")
        return plus(size, (stop or 0) - start)
    sizes.at_least(size, max(abs(start), abs(stop or 0)), "the slice reaches too far")
    return sizes.compute(lambda n: len(range(n)[entry]), size)
