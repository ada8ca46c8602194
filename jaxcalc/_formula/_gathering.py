"""Gathers and scatters in canonical form: rows of I at indices.

x[p] reads rows, which are those of I there times x. With P = I[p], x.at[p].add(u) is x + Pᵀ u, and
x.at[p].set(u) is x − Pᵀ P x + Pᵀ u; without a repetition where they set. One that does more than
read, or put, along one axis stays an atom.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._indexing import unit
from jaxcalc._formula._numbers import ONE
from jaxcalc._formula._product import Factor, Labels, rows_of_identity, unpack
from jaxcalc._formula._rules import Args, atom
from jaxcalc._formula._sums import eye, number_of, terms
from jaxcalc._formula._tables import table


def gather(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """x[p], where the parameters say that and no more."""
    x, indices = args
    params = dict(node.params)
    known = node.get("fill_value") is None  # what is filled in is not 0
    found = picked(algebra, x, indices, params, x.shape) if known else None
    found = found or picked_at(algebra, x, table(node.args[1]), params, x.shape)
    return found or atom(algebra, node, args)


def picked(
    algebra: Algebra, x: Expression, indices: Expression, params: Mapping[str, Any], shape: Shape
) -> Expression | None:
    """Rows of x at indices, if that is what a gather from an array of `shape` does."""
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    keys = ("collapsed_slice_dims", "start_index_map", "operand_batching_dims")
    whole = [getattr(numbers, key, None) for key in keys] == [(0,), (0,), ()]
    if not whole or tuple(sizes) != (1, *shape[1:]) or len(indices.shape) != 2:
        return None
    index, out = unwrapped(algebra.squeezed(indices)[0]), (indices.shape[0], *x.shape[1:])
    if not index.shape:
        return None
    outside = {} if params.get("fill_value") is None else {"outside": "dropped"}
    return algebra.add([_picked(algebra, term, index, out, outside) for term in terms(x)], out)


def picked_at(
    algebra: Algebra,
    x: Expression,
    places: np.ndarray | None,
    params: Mapping[str, Any],
    source: Shape,
) -> Expression | None:
    """Entries of x at known places in each of the axes of `source`, such as those of a diagonal."""
    numbers, axes = params["dimension_numbers"], tuple(range(len(source)))
    if places is None or places.ndim != 2 or numbers.start_index_map != axes:
        return None
    inside = ((places >= 0) & (places < source)).all()
    if numbers.collapsed_slice_dims != axes or not inside:
        return None
    rank, shape = len(x.shape), (len(places), *x.shape[len(axes) :])
    labels = (*range(rank, rank + len(axes)), *range(1, len(shape)))
    rows = [
        Factor(rows_of_identity(tuple(column.tolist()), size), (0, label))
        for column, size, label in zip(places.T, source, labels, strict=False)
    ]
    return algebra.multiply([Factor(x, labels), *rows], shape)


def picked_along(
    algebra: Algebra, x: Expression, indices: Expression, params: Mapping[str, Any], source: Shape
) -> Expression | None:
    """The first axes of x, those of `source`, read at indices of one of them: rows of I times x.

    x[i, y[i]] is Σ one_hot(y)[i, k] x[i, k]. None where a gather does something else.
    """
    numbers = params["dimension_numbers"]
    batching, axes = numbers.operand_batching_dims, numbers.start_index_map
    gone = {*axes, *batching}
    sizes = tuple(1 if i in gone else size for i, size in enumerate(source))
    is_single = len(axes) == 1 == indices.shape[-1] and axes == numbers.collapsed_slice_dims
    if not is_single or sizes != tuple(params["slice_sizes"]) or "CLIP" in str(params["mode"]):
        return None
    kept = [i for i in range(len(source)) if i not in gone]
    rank = len(indices.shape) - 1 + len(kept)
    own = [i for i in range(rank) if i not in numbers.offset_dims]  # the labels of the indices
    rest = range(rank, rank + len(x.shape) - len(source))
    summed = rank + len(rest)
    labels = dict(zip(kept, numbers.offset_dims, strict=True)) | {axes[0]: summed}
    labels |= {
        i: own[k] for i, k in zip(batching, numbers.start_indices_batching_dims, strict=True)
    }
    small, places = algebra.squeezed(indices)
    rows = _rows_at(small, source[axes[0]], params.get("fill_value"))
    factors = [
        Factor(x, (*(labels[i] for i in range(len(source))), *rest)),
        Factor(rows, (*(own[i] for i in places), summed)),
    ]
    size_of = dict(zip(own, indices.shape, strict=False)) | {labels[i]: source[i] for i in kept}
    shape = tuple(size_of[i] for i in range(rank)) + x.shape[len(source) :]
    return algebra.multiply(factors, shape)


def _rows_at(indices: Expression, size: int, filling: int | float | None) -> Expression:
    """Rows of I; an index outside gives a row of the filling, NaN by default."""
    index = unwrapped(indices)
    place = None if index.shape else number_of(index)
    if place is not None and place in range(-size, size):
        return unit(int(place) % size, size)
    return call("one_hot", (index,), (*index.shape, size), outside=filling)


def _picked(
    algebra: Algebra, term: Expression, index: Expression, shape: Shape, outside: Mapping[str, str]
) -> Expression:
    product = unpack(term)
    factors = []
    for value, labels, power in product.factors:
        for axis in [i for i, label in enumerate(labels) if label == 0]:
            own = (*value.shape[:axis], *index.shape, *value.shape[axis + 1 :])
            value = call("pick", (value, index), own, axis=axis, **outside)
        factors.append(Factor(value, labels, power))
    return algebra.multiply(factors, shape, product.coefficient)


def unwrapped(index: Expression) -> Expression:
    """An index before JAX counts negative ones from the end, as `x[p]` does again."""
    is_converted = index.op == "convert_element_type"
    chosen = index.args[0] if is_converted else index
    if chosen.op == "select_n":
        mask, plain, _ = chosen.args
        if mask.op == "not" and mask.args[0].op == "ge" and mask.args[0].args[0] is plain:
            return plain
    return index


Params = Mapping[str, Any]


def scatter(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Arrays with others added or set at indices."""
    operand, indices, updates = args
    params = dict(node.params)
    added = put_back(algebra, updates, indices, node.op, params, node.shape)
    kept = left_over(algebra, operand, indices, node.op, params, node.shape)
    if added is None or kept is None:
        return atom(algebra, node, args)
    return algebra.add([*terms(kept), *terms(added)], node.shape)


def put_back(
    algebra: Algebra,
    updates: Expression,
    indices: Expression,
    function: str,
    params: Params,
    shape: Shape,
) -> Expression | None:
    """Pᵀ u in an array of `shape`; u may have more axes behind. None where that is not it."""
    axis = _axis(function, params)
    rows = None if axis is None else _rows(algebra, indices, shape[axis])
    if axis is None or rows is None:
        return None
    beside = tuple(i for i in range(len(shape)) if i != axis)
    count = len(beside) + len(indices.shape) - 1
    more = updates.shape[count:]
    fresh = len(shape) + len(more)
    window = dict(zip(params["dimension_numbers"].update_window_dims, beside, strict=True))
    own = tuple(window.get(i, fresh) for i in range(count))
    labels = (*own, *range(len(shape), fresh))
    return algebra.multiply([Factor(updates, labels), _factor(rows, fresh, axis)], shape + more)


def left_over(
    algebra: Algebra,
    operand: Expression,
    indices: Expression,
    function: str,
    params: Params,
    shape: Shape,
) -> Expression | None:
    """What stays of the operand x: all where it is added to, x − Pᵀ P x where it is set."""
    axis = _axis(function, params)
    rows = None if axis is None else _rows(algebra, indices, shape[axis])
    if axis is None or rows is None or function == "scatter-add":
        return None if rows is None else operand
    rank = len(operand.shape)
    row, column = rank, rank + 1
    labels = tuple(column if i == axis else i for i in range(rank))
    ends = [_factor(rows, row, axis), _factor(rows, row, column)]
    gone = algebra.multiply([Factor(operand, labels), *ends], operand.shape, -ONE)
    return algebra.add([*terms(operand), *terms(gone)], operand.shape)


def _axis(function: str, params: Params) -> int | None:
    """The one axis that is indexed."""
    numbers = params["dimension_numbers"]
    axes = numbers.inserted_window_dims
    single = len(axes) == 1 and axes == numbers.scatter_dims_to_operand_dims
    if not single or numbers.operand_batching_dims or "CLIP" in str(params["mode"]):
        return None
    return axes[0] if function == "scatter-add" or params["unique_indices"] else None


def _rows(algebra: Algebra, indices: Expression, size: int) -> Expression | None:
    """I[p]: a matrix, or for one index a row."""
    index = unwrapped(algebra.squeezed(indices)[0])
    if len(indices.shape) > 2:
        return None
    if not index.shape and all(not unpack(term).factors for term in terms(index)):
        place = sum(int(unpack(term).coefficient) for term in terms(index))
        return unit(place, size) if place in range(size) else None
    shape = (*index.shape, size)
    return call("pick", (eye(size), index), shape, axis=0, outside="dropped")


def _factor(rows: Expression, row: int, column: int) -> Factor:
    labels: Labels = (row, column) if len(rows.shape) == 2 else (column,)
    return Factor(rows, labels)
