"""Cross-entropy of class indices, in its free accurate form.

With e = exp(x − c), the label y and rest = Σ_{i≠y} e_i, in numerator layout:

    value        −log s_y = log(1 + rest/e_y)
    product      (s − e_y)ᵀ    t ↦ Σ_{i≠y} s_i (t_i − t_y)
    transposed   s − e_y       s_i g, and −rest/(e_y + rest) g for the label

No difference of nearly equal numbers is left: not where s_y is nearly 1, whose 1 − s_y is the sum
of the others, and not where t has much in common. All of them are from the same exponentials, which
XLA forms once where a program asks for more than one.

A label outside [0, K) makes the loss NaN, and its derivative too, but where the tangent or
cotangent is 0: so that a loss which is masked afterwards has the derivative 0.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._arrays import wide
from jaxcalc._functions.labels import Marked, is_valid, marked
from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.row_primitives import RowProduct, RowValue
from jaxcalc._functions.rows import Rows, base, exponentials_over, normalizer, total
from jaxcalc._functions.softmax_maps import mean_change, softmax_change


class Parted(NamedTuple):
    """Rows, parted in the entry of the label and the rest.

    Attributes:
        others: exp(x − c), 0 for the label.
        rest: its sum.
        own: exp(x_y − c) of the label.
        distance: x_y − c.
        label: where the labels lie.
        pick: of an array like x, the entry of each label.
    """

    others: Array
    rest: Array
    own: Array
    distance: Array
    label: Marked
    pick: Callable[[Array], Array]

    def normalizer(self, rows: Rows) -> Array:
        return normalizer(self.rest + self.own, rows)


def by_masks(x: Array, y: Array, rows: Rows) -> Parted:
    """As a GPU fuses it with the sums, and where rows are split."""
    label, c = marked(y, x, rows), base(x, rows)
    others = jnp.where(label.entry, 0, exponentials_over(x, c, rows))
    here = rows._replace(axis_name=())

    def pick(a: Array) -> Array:
        return total(jnp.where(label.entry, a, 0), rows)

    sums = total(others, here), total(jnp.where(label.entry, wide(x), 0), here)
    rest, x_y = lax.psum(sums, rows.axis_name) if rows.axis_name else sums
    return Parted(others, rest, exponentials_over(x_y, c, rows), x_y - c, label, pick)


def in_place(x: Array, y: Array, rows: Rows) -> Parted:
    """By writing a 0 over the label's entry: XLA:CPU does not sum a masked array as fast."""
    label, c = marked(y, x, rows), base(x, rows)
    (axis,) = rows.axes
    y = jnp.where(label.valid, y, 0).astype(jnp.int64 if x.shape[axis] > 2**31 else jnp.int32)

    def pick(a: Array) -> Array:
        return jnp.take_along_axis(a, y, axis, mode="promise_in_bounds")

    shape = jnp.broadcast_shapes(x.shape, label.entry.shape)
    e = jnp.broadcast_to(exponentials_over(x, c, rows), shape)
    one = [1 if i - len(shape) == axis else size for i, size in enumerate(shape)]
    places = [lax.broadcasted_iota(jnp.int32, one, i) for i in range(len(shape))]
    x_y, places[axis] = wide(pick(x)), y
    others = e.at[tuple(places)].set(0, mode="promise_in_bounds", unique_indices=True)
    own = exponentials_over(x_y, c, rows)
    return Parted(others, total(others, rows), own, x_y - c, label, pick)


def _value(y: Array, x: Array, *, rows: Rows, dtype: Any, part: Any = by_masks) -> Array:
    r = part(x, y, rows)
    sums = r.normalizer(rows)
    near = r.distance > -64  # beyond, the label's exponential may have no digits left
    loss = jnp.where(near, jnp.log1p(r.rest / r.own), jnp.log(sums) - r.distance)
    return jnp.where(r.label.valid & ~jnp.isnan(sums), loss, jnp.nan)


def _product(
    x: Array, y: Array, t: Array, *, rows: Rows, dtype: Any, part: Any = by_masks
) -> Array:
    r, t = part(x, y, rows), wide(t)
    changes = total(r.others * (t - r.pick(t)), rows) / r.normalizer(rows)
    return _unless_zero(r.label.valid, changes)


def _transposed(
    x: Array, y: Array, g: Array, *, rows: Rows, dtype: Any, part: Any = by_masks
) -> Array:
    r = part(x, y, rows)
    slope = jnp.where(r.label.entry, -r.rest, r.others)
    return slope * (_unless_zero(r.label.valid, wide(g)) / r.normalizer(rows))


def _unless_zero(valid: Array, g: Array) -> Array:
    return jnp.where(valid | (g == 0), g, jnp.nan)


index_cross_entropy_value = RowValue("index_cross_entropy", _value, "row")
index_cross_entropy_product = RowProduct("index_cross_entropy_product", _product, gives="row")
index_cross_entropy_transposed = RowProduct(
    "index_cross_entropy_transposed", _transposed, takes="row"
)
index_cross_entropy_product.deftranspose(index_cross_entropy_transposed)
index_cross_entropy_transposed.deftranspose(index_cross_entropy_product)


def _some(x: Array) -> bool:
    """Whether there are entries; sizes that are not known yet are taken for more than 0."""
    return not any(isinstance(size, int) and size == 0 for size in x.shape)


def _on_cpu(apply: Callable[..., Array], whole: bool) -> Callable[..., Array]:
    def form(*operands: Array, rows: Rows, dtype: Any) -> Array:
        part = in_place if whole and not rows.axis_name and _some(operands[0]) else by_masks
        return apply(*operands, rows=rows, dtype=dtype, part=part)

    return form


for _primitive in (
    index_cross_entropy_value,
    index_cross_entropy_product,
    index_cross_entropy_transposed,
):
    _primitive.defform("cpu", _on_cpu)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def index_cross_entropy(y: Array, x: Array, rows: Rows, dtype: Any) -> Array:
    """−log s_y of each row, y the class indices, in a dtype of its own."""
    return index_cross_entropy_value(y, x, rows=rows, dtype=dtype)


@index_cross_entropy_value.defjvp
@index_cross_entropy.defjvp  # (s − e_y)ᵀ
def _(rows: Rows, dtype: Any, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (y, x), (_, dx) = primals, tangents
    loss = index_cross_entropy(y, x, rows, dtype)
    return loss, index_cross_entropy_product(x, y, dx, rows=rows, dtype=dtype)


# t, and NaN for an invalid label where it is not 0
refused = JacobianProduct("refused", _unless_zero)


def _product_change(dx: Array, x: Array, y: Array, t: Array, *, rows: Rows, dtype: Any) -> Array:
    return refused(is_valid(y, x, rows), mean_change(dx, x, t, rows).astype(dtype))


def _transposed_change(dx: Array, x: Array, y: Array, g: Array, *, rows: Rows, dtype: Any) -> Array:
    g = wide(refused(is_valid(y, x, rows), g)).astype(wide(x).dtype)
    return (wide(softmax_change(x, dx, rows)) * g).astype(x.dtype)


index_cross_entropy_product.defderivative(0, _product_change)
index_cross_entropy_transposed.defderivative(0, _transposed_change)
