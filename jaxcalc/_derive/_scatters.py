"""Arithmetic in place: differences are a selection put back, products a diagonal.

`y[i] -= u` leaves x as it is and puts −u back where [i] selects; `y[i] *= u` scales x by ones that
were multiplied in their place.
"""

from dataclasses import replace

import jax.numpy as jnp

from jaxcalc._derive._bound import Bound, Negated
from jaxcalc._derive._by_ones import diagonal
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Tangent
from jaxcalc._derive._indexing import index_piece, kept_first
from jaxcalc._derive._opaque import applied, opaque
from jaxcalc._derive._pieces import Piece
from jaxcalc._derive._rules import scaled
from jaxcalc._derive._step import LinearStep
from jaxcalc._formula import apply, call, number


def subtracted(step: LinearStep) -> list[Tangent]:
    """x less updates in their places."""
    x, indices, updates = step.operands
    if isinstance(updates, Tangent):
        updates = scaled(updates, -1.0)

    def piece(bound: Bound) -> Piece:
        added = index_piece(step, bound, scatters=True)
        return kept_first(bound) or replace(
            added, function=Negated(added.function), name="scatter-add"
        )

    return applied(step.on(x, indices, updates), piece)


def multiplied(step: LinearStep) -> list[Tangent]:
    """x times updates in their places; a map without structure where these are not given."""
    x, *others = step.operands
    if not isinstance(x, Tangent) or len(step.values) < len(others):
        return opaque(step)
    axes = {"shape": x.shape, "broadcast_dimensions": ()}
    ones = call("broadcast_in_dim", (number(1.0),), x.shape, **axes)
    (written,) = apply(step.equation, [ones, *(value.expression for value in step.values)])

    def piece(bound: Bound) -> Piece:
        return diagonal(x.shape, Value(bound(jnp.ones(x.shape, step.dtype)), written), step)

    return applied(step, piece)
