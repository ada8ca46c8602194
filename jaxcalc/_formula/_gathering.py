"""Gathers in canonical form: x[p] reads rows, which are those of I there times x.

A gather that does more than read along one axis stays an atom.
"""

from collections.abc import Mapping
from typing import Any

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._indexing import unit
from jaxcalc._formula._product import Factor, unpack
from jaxcalc._formula._rules import Args, atom
from jaxcalc._formula._sums import number_of, terms


def gather(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """x[p], where the parameters say that and no more."""
    x, indices = args
    known = node.get("fill_value") is None  # what is filled in is not 0
    found = picked(algebra, x, indices, dict(node.params), x.shape) if known else None
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
