"""Masks of rows: what is left out, with a derivative of exactly zero."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import broadcast_shape, inexact, mask
from jaxcalc._compat import vary
from jaxcalc._functions.native.forms import native_form
from jaxcalc._functions.primitives import Form, JacobianProduct, ValuePrimitive, plain_form
from jaxcalc._functions.row_primitives import Extent, RowValue
from jaxcalc._functions.rows import Rows, total


def split_mask(name: str, x: ArrayLike, where: ArrayLike | None) -> tuple[Array, Array | None]:
    """x as an inexact array broadcast against the mask, and the mask with the rank of x."""
    array, chosen = inexact(name, x), mask(where)
    if chosen is None:
        return array, None
    array = jnp.broadcast_to(array, broadcast_shape("where", chosen, array, name))
    return array, lax.expand_dims(chosen, range(array.ndim - chosen.ndim))


def nonempty(where: Array, rows: Rows) -> Array:
    """Whether a mask leaves anything of each row."""
    some = jnp.any(where, rows.axes, keepdims=True)
    if not rows.axis_name:
        return some
    count = vary(some, frozenset(rows.axis_name)).astype(jnp.int32)
    return lax.pmax(count, rows.axis_name) > 0


def count(where: Array, rows: Rows) -> Array:
    """How many entries a mask leaves of each row."""
    return total(vary(where, frozenset(rows.axis_name)).astype(jnp.int32), rows)


def fill(x: Array, where: Array | None, value: float) -> Array:
    """x with `value` where the mask is False; its derivative there is exactly zero."""
    return x if where is None else _fill(where, x, value)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _fill(where: Array, x: Array, value: float) -> Array:
    return _fill_value(where, x, value=value)


def mask_logits(x: Array, where: Array | None, rows: Rows) -> Array:
    """x with −inf where the mask is False, but 0 in a row where it is False throughout.

    So such a row has a finite softmax, and no NaN arises where the result is filled in anyhow.
    """
    return x if where is None else _mask_logits(where, x, rows)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _mask_logits(where: Array, x: Array, rows: Rows) -> Array:
    return _masked_logits_value(where, x, rows=rows)


def masked_logits(where: Array, x: Array, *, rows: Rows) -> Array:
    """The formula of `mask_logits`."""
    filling = jnp.where(nonempty(where, rows), -jnp.inf, jnp.zeros((), x.dtype))
    return jnp.where(where, x, filling)


_fill_value = ValuePrimitive("fill", lambda where, x, *, value: jnp.where(where, x, value))
_masked_logits_value = RowValue("masked_logits", masked_logits, "classes")
# A select of jax.numpy would keep the mask broadcast to the size of x.
masked_product = JacobianProduct("masked_product", lambda where, t: jnp.where(where, t, 0))


@_fill_value.defjvp
@_fill.defjvp
def _(value: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    return _fill(where, x, value), masked_product(where, dx)


@_masked_logits_value.defjvp
@_mask_logits.defjvp
def _(rows: Rows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (where, x), (_, dx) = primals, tangents
    return _mask_logits(where, x, rows), masked_product(where, dx)


def masked(where: Array | None, t: Array) -> Array:
    """M t, M = diag(where)."""
    return t if where is None else masked_product(where, t)


def unless_zero(valid: Array, t: Array) -> Array:
    """t, and NaN for what is not valid where t is not 0."""
    return jnp.where(valid | (t == 0), t, jnp.nan)


refused = JacobianProduct("refused", unless_zero)


class MaskableValue:
    """A function of rows as two primitives, of whole rows and of what a mask leaves of each.

    Called with the mask or None, x, the rows and what else is a parameter of the formula.

    Args:
        name: that of the first; the second is `masked_<name>`.
        formula: the mathematics, of x.
        gives: the extent of each result, and what stands where the mask leaves nothing.
    """

    def __init__(self, name: str, formula: Callable[..., Any], *gives: tuple[Extent, float]):
        extents, fillings = zip(*gives, strict=True)

        def of_rest(where: Array, x: Array, *, rows: Rows, **params: Any) -> Any:
            made = formula(masked_logits(where, x, rows=rows), rows=rows, **params)
            results = made if len(gives) > 1 else [made]
            left = nonempty(where, rows)
            filled = [
                jnp.where(where if extent == "classes" else left, y, filling)
                for y, extent, filling in zip(results, extents, fillings, strict=True)
            ]
            return filled if len(gives) > 1 else filled[0]

        self.whole = RowValue(name, formula, *extents)
        self.masked = RowValue(f"masked_{name}", of_rest, *extents)

    def __call__(self, where: Array | None, x: Array, rows: Rows, **params: Any) -> Any:
        if where is None:
            return self.whole(x, rows=rows, **params)
        return self.masked(where, x, rows=rows, **params)

    def defnative(self, gives: str, otherwise: Form = plain_form) -> None:
        """Set the native kernel of that name as the form of both; `gives` as in `native_form`."""
        for value, takes in ((self.whole, "x"), (self.masked, "mx")):
            value.defform("cpu", native_form(self.whole.name, takes, gives, otherwise))

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the derivative of both, `rule(rows, *params, (where, x), (_, dx))`."""
        self.masked.defjvp(rule)
        self.whole.defjvp(lambda *given: rule(*given[:-2], *((None, *pair) for pair in given[-2:])))
        return rule
