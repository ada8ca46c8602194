"""Cross-entropy of distributions y, be their sum 1 or not; its gradient is s Σy − y."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._arrays import narrowed, weighed, wide
from jaxcalc._functions.labels import distribution
from jaxcalc._functions.native.forms import native_form
from jaxcalc._functions.primitives import add, changing
from jaxcalc._functions.row_primitives import RowProduct, RowValue
from jaxcalc._functions.rows import Rows, normalizer, probabilities, shifted, total
from jaxcalc._functions.softmax import log_softmax_rows
from jaxcalc._functions.softmax_maps import (
    center,
    center_transposed,
    log_softmax_product,
    log_softmax_transposed,
    mean_change,
    softmax_change,
    weighted_sum,
)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def distribution_cross_entropy(y: Array, x: Array, rows: Rows, dtype: Any) -> Array:
    """−⟨y, log softmax(x)⟩ of each row, in a dtype of its own.

    y broadcasts against x along the axes that are not of the row.
    """
    return _value(y, x, rows=rows, dtype=dtype)


def _formula(y: Array, x: Array, *, rows: Rows, dtype: Any) -> Array:  # −⟨y, log softmax(x)⟩
    d, _ = shifted(x, rows)
    log_s = d - jnp.log(normalizer(total(jnp.exp(d), rows), rows))
    return -total(weighed(distribution(y, x), log_s), rows)


_value = RowValue("distribution_cross_entropy", _formula, "row")


@_value.defjvp
@partial(distribution_cross_entropy.defjvp, symbolic_zeros=True)  # ∂/∂x = (s Σy − y)ᵀ
def _(rows: Rows, dtype: Any, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (y, x), (dy, dx) = primals, tangents
    loss = distribution_cross_entropy(y, x, rows, dtype)
    changes = []
    if changing(dx):
        changes.append(distribution_cross_entropy_product(x, y, dx, rows=rows, dtype=dtype))
    if changing(dy):
        log_s = narrowed(log_softmax_rows(None, wide(x), rows), y.dtype)
        unused = (y == 0) & (log_s == -jnp.inf)
        dy = jnp.broadcast_to(dy, x.shape)
        change = weighted_sum(jnp.where(unused, 0, log_s), dy, rows=rows)
        changes.append(-change.astype(dtype))
    return loss, add(changes)


def _product(x: Array, y: Array, t: Array, *, rows: Rows, dtype: Any) -> Array:  # −⟨y, C t⟩
    s = wide(probabilities(x, rows))
    return -total(distribution(y, x) * center(s, wide(t), rows), rows)


def _transposed(x: Array, y: Array, g: Array, *, rows: Rows, dtype: Any) -> Array:  # −Cᵀ(y g)
    s = wide(probabilities(x, rows))
    return -center_transposed(s, distribution(y, x) * wide(g), rows)


distribution_cross_entropy_product = RowProduct(
    "distribution_cross_entropy_product", _product, gives="row"
)
distribution_cross_entropy_transposed = RowProduct(
    "distribution_cross_entropy_transposed", _transposed, takes="row"
)
distribution_cross_entropy_product.deftranspose(distribution_cross_entropy_transposed)
distribution_cross_entropy_transposed.deftranspose(distribution_cross_entropy_product)

_value.defform("cpu", native_form("distribution_cross_entropy", "cx", "r"))
for _map, _takes, _gives in (
    (distribution_cross_entropy_product, "xcc", "r"),
    (distribution_cross_entropy_transposed, "xcr", "c"),
):
    _map.defform("cpu", native_form(_map.name, _takes, _gives))


def _mass(x: Array, y: Array, rows: Rows) -> Array:
    """Σy of each row, in the dtype to compute in."""
    return total(distribution(y, x), rows).astype(wide(x).dtype)


def _product_change(dx: Array, x: Array, y: Array, t: Array, *, rows: Rows, dtype: Any) -> Array:
    return (_mass(x, y, rows) * mean_change(dx, x, t, rows)).astype(dtype)


def _transposed_change(dx: Array, x: Array, y: Array, g: Array, *, rows: Rows, dtype: Any) -> Array:
    change = _mass(x, y, rows) * softmax_change(x, dx, rows)
    return (change * g.astype(change.dtype)).astype(x.dtype)


def _product_label_change(
    dy: Array, x: Array, y: Array, t: Array, *, rows: Rows, dtype: Any
) -> Array:
    change = -total(dy.astype(t.dtype) * log_softmax_product(x, t, rows=rows), rows)
    return change.astype(dtype)


def _transposed_label_change(
    dy: Array, x: Array, y: Array, g: Array, *, rows: Rows, dtype: Any
) -> Array:
    change = -log_softmax_transposed(x, dy.astype(g.dtype) * g, rows=rows)
    return change.astype(x.dtype)


distribution_cross_entropy_product.defderivative(0, _product_change)
distribution_cross_entropy_product.defderivative(1, _product_label_change)
distribution_cross_entropy_transposed.defderivative(0, _transposed_change)
distribution_cross_entropy_transposed.defderivative(1, _transposed_label_change)
