"""Primitives of rows: what holds an entry a class, what a number a row, and where they differ.

Inside `jax.shard_map` JAX tracks over which mesh axes an array differs between devices. Where they
split the classes, what holds classes differs; a number a row, made by sums over them, does not.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import match_varying, typed_varying, vary, varying_axes, with_axes
from jaxcalc._functions.primitives import JacobianProduct, ValuePrimitive
from jaxcalc._functions.rows import Rows

Extent = Literal["classes", "row"]  # an entry a class, or a number a row


def _type(aval: Any, extent: Extent, classes: Any, rows: Rows) -> Any:
    """The type `aval`, strong, with the extent of `classes` or of a number a row.

    What holds classes varies over the mesh axes that split them, a number a row does not.
    """
    other = classes if extent == "classes" else None
    sized = with_axes(aval, rows.axes, other)
    if not rows.axis_name:
        return sized
    split = frozenset(rows.axis_name)
    varying = varying_axes(aval) | varying_axes(classes)
    return typed_varying(sized, varying | split if extent == "classes" else varying - split)


def _match(operands: Sequence[Array], last: Extent, rows: Rows) -> list[Array]:
    """Operands that vary over the same mesh axes, those that hold a number a row not over a split.

    Such are labels by their index, and the last operand where it is said to. Were they marked as
    varying, their cotangents would be summed over the devices once more.
    """
    split = frozenset(rows.axis_name)
    if not split:
        return match_varying(operands)
    every = frozenset().union(*map(varying_axes, operands))

    def varies(x: Array, extent: Extent) -> frozenset[str]:
        is_label = jnp.issubdtype(x.dtype, jnp.integer)
        return every - split if is_label or extent == "row" else every | split

    *others, t = operands
    return [*(vary(x, varies(x, "classes")) for x in others), vary(t, varies(t, last))]


class RowValue(ValuePrimitive):
    """A function of rows: of the logits, its last operand, as many results as there are extents.

    They have the dtype of the logits, or that of the parameter `dtype`.
    """

    def __init__(self, name: str, apply: Callable[..., Any], *gives: Extent):
        def types(*avals: Any, rows: Rows, dtype: np.dtype | None = None) -> Any:
            x = avals[-1] if dtype is None else avals[-1].update(dtype=dtype)
            made = [_type(x, extent, x, rows) for extent in gives]
            return made if len(gives) > 1 else made[0]

        super().__init__(name, apply, types, multiple=len(gives) > 1)

    def _matched(self, operands: Sequence[Array], **params: Any) -> list[Array]:
        return _match(operands, "classes", params["rows"])


class RowProduct(JacobianProduct):
    """A linear map of rows, from an entry a class or a number a row to either.

    The result has the dtype of the last operand. Where there is a parameter `dtype`, a number a row
    has that one, and an entry a class the dtype of the first operand.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[..., Array],
        takes: Extent = "classes",
        gives: Extent = "classes",
    ):
        def type_of(*avals: Any, rows: Rows, dtype: np.dtype | None = None) -> Any:
            t = avals[-1]
            if dtype is not None:
                t = t.update(dtype=dtype if gives == "row" else avals[0].dtype)
            return _type(t, gives, avals[0], rows)

        super().__init__(name, apply, type_of)
        self._takes = takes

    def _matched(self, operands: Sequence[Array], **params: Any) -> list[Array]:
        return _match(operands, self._takes, params["rows"])


def spread(x: Array, like: Array, rows: Rows) -> Array:
    """A number a row, repeated for each of the classes of `like`."""
    return vary(jnp.broadcast_to(x, like.shape), varying_axes(like) | frozenset(rows.axis_name))
