"""What a loss is told of the true classes: their indices, or a distribution over them.

Class indices have a class axis of size 1, an int32 or wider, and count the classes of the whole
row, be it split over devices or not.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import array, wide
from jaxcalc._compat import varying_axes
from jaxcalc._functions.rows import Rows, total


def read_labels(labels: ArrayLike, x: Array, rows: Rows) -> Array:
    """Class indices as integers, distributions in the shape and of the width of x as floats."""
    y = array("labels", labels)
    is_index = jnp.issubdtype(y.dtype, jnp.integer) and y.ndim != x.ndim
    if not is_index:
        return _read_distributions(y, x, rows)
    if len(rows.axes) != 1:
        raise ValueError(
            "`labels` given as class indices need a single class axis, but `axis` names "
            f"{len(rows.axes)}; give distributions instead."
        )
    if set(rows.axis_name) & varying_axes(y):
        raise ValueError(
            "`labels` given as class indices are those of the whole row, but differ between the "
            f"devices of `axis_name={rows.axis_name}`; leave its axes out of their `in_specs`."
        )
    (axis,) = rows.axes
    _check_shape(y, _batch(x, rows), f"class indices (dtype {y.dtype})", x, rows)
    return jnp.expand_dims(y, axis)


def _read_distributions(y: Array, x: Array, rows: Rows) -> Array:
    is_float = jnp.issubdtype(y.dtype, jnp.floating)
    kind = "distributions" if is_float else "one-hot rows"
    _check_shape(y, x.shape, f"{kind} (dtype {y.dtype})", x, rows)
    return y if is_float else y.astype(wide(x).dtype)


def _batch(x: Array, rows: Rows) -> tuple[int, ...]:
    """The shape of x without the class axes."""
    return tuple(size for i, size in enumerate(x.shape) if i - x.ndim not in rows.axes)


def _check_shape(y: Array, shape: tuple[int, ...], kind: str, x: Array, rows: Rows) -> None:
    if y.shape == shape:
        return
    squeezed = tuple(size for size in y.shape if size != 1)
    remedy = ""
    if jnp.issubdtype(y.dtype, jnp.integer) and squeezed in (shape, x.shape[:-1]):
        remedy = "; squeeze its axis of size 1"
    if jnp.issubdtype(y.dtype, jnp.floating) and y.shape == _batch(x, rows):
        remedy = "; class indices must be integers, cast them"
    raise ValueError(
        f"`labels` given as {kind} must have shape {shape} for `logits` of "
        f"shape {x.shape}, but got shape {y.shape}{remedy}."
    )


def is_index(y: Array) -> bool:
    """Whether labels are class indices."""
    return jnp.issubdtype(y.dtype, jnp.integer)


def distribution(y: Array, x: Array) -> Array:
    """A distribution in the dtype to compute in."""
    return wide(y).astype(wide(x).dtype)


def counted_rows(y: Array, ignore_index: int | None) -> Array | None:
    """Where rows count; None where all do."""
    if ignore_index is None:
        return None
    if not is_index(y):
        raise ValueError(
            f"`ignore_index={ignore_index}` needs class indices, but `labels` are distributions; "
            "leave their rows out of the mean instead."
        )
    bounds = jnp.iinfo(y.dtype)
    return y != ignore_index if bounds.min <= ignore_index <= bounds.max else None


class Marked(NamedTuple):
    """Where the labels' classes lie in the rows that are here.

    Attributes:
        entry: whether an entry is that of its row's label.
        valid: whether a row's label is one of the classes.
    """

    entry: Array
    valid: Array


def marked(y: Array, x: Array, rows: Rows) -> Marked:
    """Where class indices lie among the classes."""
    (axis,) = rows.axes
    here = x.shape[axis]
    counter = _counter(y.dtype, classes(x, rows))
    index = lax.broadcasted_iota(counter, (here,) + (1,) * (-1 - axis), 0)
    if rows.axis_name:
        index += lax.axis_index(rows.axis_name).astype(counter) * jnp.asarray(here, counter)
    entry = lax.expand_dims(index, range(x.ndim + axis)) == y.astype(counter)
    return Marked(entry, is_valid(y, x, rows))


def is_valid(y: Array, x: Array, rows: Rows) -> Array:
    """Whether class indices lie in [0, K)."""
    K = classes(x, rows)
    last = jnp.asarray(K - 1, _counter(y.dtype, K))
    return (y >= 0) & (y.astype(last.dtype) <= last)


def classes(x: Array, rows: Rows) -> int:
    """K, of the whole row."""
    here = math.prod(x.shape[axis] for axis in rows.axes)
    return here * math.prod(lax.axis_size(name) for name in rows.axis_name)


def _counter(dtype: np.dtype, count: int) -> np.dtype:
    """The dtype of labels, or one that counts the classes: int8 cannot count 300."""
    for name in (dtype.name, "int32", "uint32", "uint64"):
        counter = np.dtype(name)
        if counter.itemsize >= 4 and count - 1 <= jnp.iinfo(counter).max:
            return counter
    raise ValueError(f"`logits` must have fewer than 2⁶⁴ classes, but got {count}.")


def picked(values: Array, y: Array, x: Array, rows: Rows) -> Array:
    """Of a number for each class, that of each class index; 0 for an invalid one."""
    return total(jnp.where(marked(y, x, rows).entry, along_classes(values, x, rows), 0), rows)


def along_classes(values: Array, x: Array, rows: Rows) -> Array:
    """A number for each class, broadcast against the rows of x."""
    (axis,) = rows.axes
    return values.reshape((1,) * (x.ndim + axis) + values.shape + (1,) * (-1 - axis))
