"""Scatters in canonical form: what is put at indices is multiplied by the rows of I there.

With P = I[p], x.at[p].add(u) is x + Pᵀ u, and x.at[p].set(u) is x − Pᵀ P x + Pᵀ u. That holds for
indices along one axis; without a repetition where they set.
"""

from collections.abc import Mapping
from typing import Any

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._gathering import unwrapped
from jaxcalc._formula._indexing import unit
from jaxcalc._formula._numbers import ONE
from jaxcalc._formula._product import Factor, Labels, unpack
from jaxcalc._formula._rules import Args, atom
from jaxcalc._formula._sums import eye, terms

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
