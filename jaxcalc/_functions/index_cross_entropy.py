"""Cross-entropy of class indices, in its free accurate form.

With e = exp(x − c), the label y and rest = Σ_{i≠y} e_i, in numerator layout:

    value        −log s_y = log(1 + rest/e_y)
    product      (s − e_y)ᵀ    t ↦ Σ_{i≠y} s_i (t_i − t_y)
    transposed   s − e_y       s_i g, and −rest/(e_y + rest) g for the label

No difference of nearly equal numbers is left: not where s_y is nearly 1, whose 1 − s_y is the sum
of the others, and not where t has much in common. What is kept of a row for the products is x and
three numbers: c, rest and e_y.

A label outside [0, K) makes the loss NaN, and its derivative too, but where the tangent or
cotangent is 0: so that a loss which is masked afterwards has the derivative 0.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._arrays import narrowed, wide
from jaxcalc._functions.labels import is_valid, marked
from jaxcalc._functions.masks import refused, unless_zero
from jaxcalc._functions.native.forms import native_form
from jaxcalc._functions.primitives import Lowered
from jaxcalc._functions.row_primitives import RowProduct, RowValue
from jaxcalc._functions.rows import Rows, base, exponentials_over, normalizer, total
from jaxcalc._functions.softmax_maps import mean_change, softmax_change


class Access(NamedTuple):
    """How the entry of each row's label is reached.

    Attributes:
        parted: the sum of the others among exponentials of x, and the x of the label.
        exponentials: those of x over c; whatever for the label.
        pick: of an array like x, the entry of each label.
    """

    parted: Callable[..., tuple[Array, Array]]
    exponentials: Callable[..., Array]
    pick: Callable[..., Array]


def _picked(a: Array, y: Array, x: Array, rows: Rows) -> Array:
    return total(jnp.where(marked(y, x, rows).entry, a, 0), rows)


def _parted(x: Array, y: Array, c: Array, rows: Rows) -> tuple[Array, Array]:
    entry, here = marked(y, x, rows).entry, rows._replace(axis_name=())
    others = total(jnp.where(entry, 0, exponentials_over(x, c, rows)), here)
    sums = others, total(jnp.where(entry, wide(x), 0), here)
    return lax.psum(sums, rows.axis_name) if rows.axis_name else sums


# As a GPU fuses it with the sums, and where rows are split.
BY_MASKS = Access(_parted, lambda x, y, c, rows: exponentials_over(x, c, rows), _picked)


def _index(y: Array, x: Array, rows: Rows) -> Array:
    """The labels, 0 for one that is not valid."""
    counter = jnp.int64 if x.shape[rows.axes[0]] > 2**31 else jnp.int32
    return jnp.where(is_valid(y, x, rows), y, 0).astype(counter)


def _picked_in_place(a: Array, y: Array, x: Array, rows: Rows) -> Array:
    (axis,) = rows.axes
    return jnp.take_along_axis(a, _index(y, x, rows), axis, mode="promise_in_bounds")


def _others_in_place(x: Array, y: Array, c: Array, rows: Rows) -> Array:
    (axis,) = rows.axes
    e = exponentials_over(x, c, rows)
    shape = jnp.broadcast_shapes(e.shape, marked(y, x, rows).entry.shape)
    one = [1 if i - len(shape) == axis else size for i, size in enumerate(shape)]
    places = [lax.broadcasted_iota(jnp.int32, one, i) for i in range(len(shape))]
    places[axis] = _index(y, x, rows)
    e = jnp.broadcast_to(e, shape)
    return e.at[tuple(places)].set(0, mode="promise_in_bounds", unique_indices=True)


def _parted_in_place(x: Array, y: Array, c: Array, rows: Rows) -> tuple[Array, Array]:
    return total(_others_in_place(x, y, c, rows), rows), wide(_picked_in_place(x, y, x, rows))


# A 0 is written over the label's entry: XLA:CPU does not sum a masked array as fast.
IN_PLACE = Access(_parted_in_place, _others_in_place, _picked_in_place)


def _value_and_sums(
    y: Array, x: Array, *, rows: Rows, dtype: Any, access: Access = BY_MASKS
) -> list[Array]:
    """The loss; c, rest and e_y."""
    c = base(x, rows)
    rest, x_y = access.parted(x, y, c, rows)
    own = exponentials_over(x_y, c, rows)
    sums, distance = normalizer(rest + own, rows), x_y - c
    # where the label is far below, its exponential may have no digits left
    loss = jnp.where(distance > -64, jnp.log1p(rest / own), jnp.log(sums) - distance)
    loss = jnp.where(is_valid(y, x, rows) & ~jnp.isnan(sums), loss, jnp.nan)
    return [loss, *jnp.broadcast_arrays(c, rest, own)]


def _value(y: Array, x: Array, **how: Any) -> Array:
    return _value_and_sums(y, x, **how)[0]


def _product(
    x: Array,
    y: Array,
    c: Array,
    rest: Array,
    own: Array,
    t: Array,
    *,
    rows: Rows,
    dtype: Any,
    access: Access = BY_MASKS,
) -> Array:
    e, t = access.exponentials(x, y, c, rows), wide(t)
    change = total(e * (t - access.pick(t, y, x, rows)), rows) / normalizer(rest + own, rows)
    return unless_zero(is_valid(y, x, rows), change)


def _transposed(
    x: Array,
    y: Array,
    c: Array,
    rest: Array,
    own: Array,
    g: Array,
    *,
    rows: Rows,
    dtype: Any,
    access: Access = BY_MASKS,
) -> Array:
    e = access.exponentials(x, y, c, rows)
    slope = jnp.where(marked(y, x, rows).entry, -rest, e)
    return slope * (unless_zero(is_valid(y, x, rows), wide(g)) / normalizer(rest + own, rows))


_index_cross_entropy_value = RowValue("index_cross_entropy", _value, "row")
_value_and_sums_values = RowValue(
    "index_cross_entropy_and_sums", _value_and_sums, "row", "row", "row", "row"
)
index_cross_entropy_product = RowProduct("index_cross_entropy_product", _product, gives="row")
index_cross_entropy_transposed = RowProduct(
    "index_cross_entropy_transposed", _transposed, takes="row"
)
index_cross_entropy_product.deftranspose(index_cross_entropy_transposed)
index_cross_entropy_transposed.deftranspose(index_cross_entropy_product)


def _some(x: Array) -> bool:
    """Whether there are entries; sizes that are not known yet are taken for more than 0."""
    return not any(isinstance(size, int) and size == 0 for size in x.shape)


def _in_place(apply: Callable[..., Any], lowered: Lowered) -> Callable[..., Any]:
    def form(*operands: Array, rows: Rows, dtype: Any) -> Any:
        in_place = lowered.whole and not rows.axis_name and all(map(_some, operands))
        access = IN_PLACE if in_place else BY_MASKS
        return apply(*operands, rows=rows, dtype=dtype, access=access)

    return form


for _primitive, _map, _takes, _gives in (
    (_index_cross_entropy_value, "index_cross_entropy", "yx", "rrrr"),
    (_value_and_sums_values, "index_cross_entropy", "yx", "rrrr"),
    (index_cross_entropy_product, "index_cross_entropy_product", "xyrrrc", "r"),
    (index_cross_entropy_transposed, "index_cross_entropy_transposed", "xyrrrr", "c"),
):
    _primitive.defform("cpu", native_form(_map, _takes, _gives, _in_place))


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def index_cross_entropy(y: Array, x: Array, rows: Rows, dtype: Any) -> Array:
    """−log s_y of each row, y the class indices, in a dtype of its own."""
    return _index_cross_entropy_value(y, x, rows=rows, dtype=dtype)


@_index_cross_entropy_value.defjvp
@index_cross_entropy.defjvp  # (s − e_y)ᵀ
def _(rows: Rows, dtype: Any, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (y, x), (_, dx) = primals, tangents
    loss, *sums = _value_and_sums_values(y, x, rows=rows, dtype=wide(x).dtype)
    # what depends on x in them, the derivative of the products by x has already
    sums = lax.stop_gradient(sums)
    change = index_cross_entropy_product(x, y, *sums, dx, rows=rows, dtype=dtype)
    return narrowed(loss, dtype), change


@_value_and_sums_values.defjvp
def _(rows: Rows, dtype: Any, primals: Any, tangents: Any) -> tuple[list[Array], list[Array]]:
    (y, x), (_, dx) = primals, tangents
    loss, *sums = _value_and_sums_values(y, x, rows=rows, dtype=dtype)
    kept = lax.stop_gradient(sums)
    change = index_cross_entropy_product(x, y, *kept, dx, rows=rows, dtype=dtype)
    return [loss, *sums], [change, *map(jnp.zeros_like, sums)]


def _product_change(dx: Array, x: Array, y: Array, *rest: Array, rows: Rows, dtype: Any) -> Array:
    change = mean_change(dx, x, rest[-1], rows).astype(dtype)
    return refused(is_valid(y, x, rows), change)


def _transposed_change(
    dx: Array, x: Array, y: Array, *rest: Array, rows: Rows, dtype: Any
) -> Array:
    change = softmax_change(x, dx, rows)
    return (change * refused(is_valid(y, x, rows), rest[-1]).astype(change.dtype)).astype(x.dtype)


index_cross_entropy_product.defderivative(0, _product_change)
index_cross_entropy_transposed.defderivative(0, _transposed_change)
