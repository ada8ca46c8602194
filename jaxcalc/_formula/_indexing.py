"""Indexing in canonical form: parts of arrays, and arrays put in larger ones.

`take` reads an axis at given places; at a single place it is `at`, which has one axis less. A
`select` is the matrix of rows of I that does the same, and puts back where it is transposed. Taking
goes inside products, where δ becomes `select`.
"""

from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._product import Factor, relabel, rows_of_identity, unpack
from jaxcalc._formula._rules import Args, atom
from jaxcalc._formula._sums import constant, eye, terms, zero

Places = tuple[int, ...]


def take(algebra: Algebra, value: Expression, axis: int, places: Places) -> Expression:
    """The value read at `places` along `axis`; −1 reads 0."""
    shape = (*value.shape[:axis], len(places), *value.shape[axis + 1 :])
    if places == tuple(range(value.shape[axis])):
        return value
    if min(places, default=0) < 0:
        used = tuple(p for p in places if p >= 0)
        into = tuple(i for i, p in enumerate(places) if p >= 0)
        return put(algebra, take(algebra, value, axis, used), axis, into, len(places))
    return algebra.add([_taken(algebra, t, axis, places) for t in terms(value)], shape)


def _taken(algebra: Algebra, term: Expression, axis: int, places: Places) -> Expression:
    product = unpack(term)
    shape = (*product.shape[:axis], len(places), *product.shape[axis + 1 :])
    factors = [_read(algebra, f, axis, places) for f in product.factors]
    return algebra.multiply(factors, shape, product.coefficient)


def _read(algebra: Algebra, factor: Factor, label: int, places: Places) -> Factor:
    """A factor with the axes of one label read at `places`."""
    value, labels, power = factor
    if len(places) == 1:
        return _index(algebra, factor, label, str(places[0]))
    for position in [i for i, x in enumerate(labels) if x == label]:
        shape = (*value.shape[:position], len(places), *value.shape[position + 1 :])
        if value.op == "eye":
            value = rows_of_identity(places, value.shape[0])
            labels = labels if position == 0 else labels[::-1]
        elif value.op == "select" and position == 0:
            value = rows_of_identity(tuple(value["places"][p] for p in places), value.shape[1])
        elif is_unit(value):
            value = _unit_or_zero(value, places)
        elif value.op == "take" and value["axis"] == position:
            inner = tuple(value["places"][p] for p in places)
            value = _part(value.args[0], shape, position, inner)
        else:
            value = _part(value, shape, position, places)
    return Factor(value, labels, power)


def _part(value: Expression, shape: Shape, axis: int, places: Places) -> Expression:
    if places == tuple(range(value.shape[axis])):
        return value
    return call("take", (value,), shape, axis=axis, places=places)


def _index(algebra: Algebra, factor: Factor, label: int, index: str) -> Factor:
    """A factor with the axes of one label read at an index, and gone."""
    value, labels, power = factor
    while label in labels:
        position = labels.index(label)
        labels = labels[:position] + labels[position + 1 :]
        shape = value.shape[:position] + value.shape[position + 1 :]
        if value.op == "select" and position == 0 and index.isdigit():
            value, position = eye(value.shape[1]), 0
            index = str(factor.value["places"][int(index)])
        elif value.op == "take" and value["axis"] == position and index.isdigit():
            index = str(value["places"][int(index)])
            value = value.args[0]
        if value.op == "eye":
            position = 0
        if value.op in ("sum", "product"):
            value = indexed(algebra, value, position, index)
        elif value.op == "select" and position == 1 and index.isdigit():
            value = _column(value, int(index))
        elif is_unit(value) and index.isdigit():
            value = constant(int(value["index"] == index))
        else:
            value = call("at", (value,), shape, axis=position, index=index)
    return Factor(value, labels, power)


def put(algebra: Algebra, value: Expression, axis: int, places: Places, size: int) -> Expression:
    """Zeros of `size` along `axis`, with the value added at `places`."""
    rank = len(value.shape)
    shape = (*value.shape[:axis], size, *value.shape[axis + 1 :])
    labels = tuple(rank if i == axis else i for i in range(rank))
    factors = [Factor(value, labels), selection(places, size, rank, axis)]
    return algebra.multiply(factors, shape, sizes={rank: len(places)})


def selection(places: Places, size: int, row: int, column: int) -> Factor:
    """The factor that joins label `row` to the places of label `column`."""
    if len(places) == 1:
        return Factor(unit(places[0], size), (column,))
    return Factor(rows_of_identity(places, size), (row, column))


def is_unit(value: Expression) -> bool:
    """Whether an atom is a row of I."""
    return value.op == "at" and value.args[0].op == "eye" and value["index"].isdigit()


def _column(value: Expression, place: int) -> Expression:
    """A column of rows of I."""
    count, places = value.shape[0], value["places"]
    found = [unit(row, count) for row, one in enumerate(places) if one == place]
    return found[0] if len(found) == 1 else call("sum", found, (count,))


def _unit_or_zero(value: Expression, places: Places) -> Expression:
    """A row of I, read at places without repetition."""
    place = int(value["index"])
    return unit(places.index(place), len(places)) if place in places else zero((len(places),))


def unit(place: int, size: int) -> Expression:
    """A row of I."""
    return call("at", (eye(size),), (size,), axis=0, index=str(place))


def link(places: Places, size: int, row: int, column: int, fresh: int) -> list[Factor]:
    """The factors of a table with −1 in it: δ[places[row], column]."""
    if min(places, default=0) >= 0:
        return [selection(places, size, row, column)]
    used = tuple(p for p in places if p >= 0)
    into = tuple(i for i, p in enumerate(places) if p >= 0)
    if not used:
        return [Factor(zero(()), ())]
    if len(used) == 1:
        return [
            Factor(unit(into[0], len(places)), (row,)),
            Factor(unit(used[0], size), (column,)),
        ]
    return [
        Factor(rows_of_identity(into, len(places)), (fresh, row)),
        selection(used, size, fresh, column),
    ]


def read_at_units(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """Σ over a row of I reads the rest there: Σ s[k] I[1][k] is s[1]."""
    for unit_ in factors:
        if is_unit(unit_.value) and unit_.labels[0] not in kept:
            ((label,), index) = unit_.labels, unit_.value["index"]
            rest = [f for f in factors if f is not unit_]
            read = [_index(algebra, f, label, index) for f in rest]
            return read_at_units(algebra, read, kept)
    return factors


# --- operations ---


def indexed(algebra: Algebra, value: Expression, axis: int, index: str) -> Expression:
    """The value at an index along an axis, taken inside sums and products."""
    rank, shape = len(value.shape), value.shape[:axis] + value.shape[axis + 1 :]
    parts = []
    for term in terms(value):
        product = unpack(term)
        factors = [_index(algebra, f, axis, index) for f in product.factors]
        names = {i: i - 1 for i in range(axis + 1, rank)} | {i: 1000 + i for i in product.summed}
        parts.append(algebra.multiply(relabel(factors, names), shape, product.coefficient))
    return algebra.add(parts, shape)


def at(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return indexed(algebra, args[0], node["axis"], node["index"])


def slice_(algebra: Algebra, node: Expression, args: Args) -> Expression:
    (value,) = args
    starts, limits = node["start_indices"], node["limit_indices"]
    steps = node.get("strides") or (1,) * len(starts)
    for axis, ends in enumerate(zip(starts, limits, steps, strict=True)):
        value = take(algebra, value, axis, tuple(range(*ends)))
    return value


def split(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """One of the parts of an axis."""
    sizes, k = node["sizes"], node.get("output", 0)
    start = sum(sizes[:k])
    return take(algebra, args[0], node["axis"], tuple(range(start, start + sizes[k])))


def unstack(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return indexed(algebra, args[0], node["axis"], str(node.get("output", 0)))


def rev(algebra: Algebra, node: Expression, args: Args) -> Expression:
    (value,) = args
    for axis in node["dimensions"]:
        value = take(algebra, value, axis, tuple(range(value.shape[axis]))[::-1])
    return value


def pad(algebra: Algebra, node: Expression, args: Args) -> Expression:
    value, filling = args
    padding = node["padding_config"]
    if filling != zero(()) or min(n for row in padding for n in row) < 0:
        return atom(algebra, node, args)
    for axis, (low, _, interior) in enumerate(padding):
        places = tuple(low + i * (interior + 1) for i in range(value.shape[axis]))
        value = put(algebra, value, axis, places, node.shape[axis])
    return value


def scatter_axis(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Entries added at an offset along an axis, or at places; −1 drops one."""
    (value,) = args
    axis = node["axis"]
    count, size = value.shape[axis], node.shape[axis]
    places = node.get("places") or [(i + node["offset"]) % size for i in range(count)]
    kept = tuple(i for i, place in enumerate(places) if place >= 0)
    taken = take(algebra, value, axis, kept)
    return put(algebra, taken, axis, tuple(places[i] for i in kept), size)


def runs(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Runs of equal entries: ones put at each run."""
    parts, start = [], 0
    for value, length in node["runs"]:
        places = tuple(range(start, start + length))
        if length == node.shape[0]:
            parts.append(constant(Fraction(value), node.shape))
        elif value:
            run = put(algebra, constant(1, (length,)), 0, places, node.shape[0])
            parts.append(algebra.scaled(run, Fraction(value)))
        start += length
    return algebra.add(parts, node.shape)


def one_hot(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Rows of I at class indices; at one that is known, a row of I."""
    (index,) = args
    axis = node["axis"] % len(node.shape)
    small, batch = algebra.squeezed(index)
    classes, product = node.shape[axis], unpack(small)
    if not product.factors and product.coefficient in range(classes) and small.op == "product":
        return algebra.multiply(
            [Factor(unit(int(product.coefficient), classes), (axis,))], node.shape
        )
    made = call("one_hot", (small,), (*small.shape, classes))
    return algebra.multiply([Factor(made, (*batch, axis))], node.shape)


def concatenate(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Parts of one array put together are that array, read in another order."""
    axis, found = node["dimension"], []
    for arg in args:
        source = _source(arg, axis)
        if source is None:
            return atom(algebra, node, args)
        found.append(source)
    (base, *others) = {array for array, _ in found}
    if others:
        return atom(algebra, node, args)
    places = tuple(place for _, part in found for place in part)
    return take(algebra, base, axis, places)


def _source(value: Expression, axis: int) -> tuple[Expression, Places] | None:
    """The array that a vector is a part of, and where it is read."""
    factors = unpack(value).factors
    if len(value.shape) != 1 or len(factors) != 1 or unpack(value).coefficient != 1:
        return None
    inner, _, power = factors[0]
    if power != 1 or len(factors[0].labels) > 1:
        return None
    if inner.op == "take":
        return inner.args[0], inner["places"]
    if inner.op == "at" and inner["index"].isdigit() and len(inner.args[0].shape) == 1:
        return inner.args[0], (int(inner["index"]),) * value.shape[0]  # an entry, repeated
    return (inner, tuple(range(value.shape[0]))) if inner.shape == value.shape else None
