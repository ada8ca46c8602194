"""Arithmetic in place: differences are a selection put back, products a diagonal.

`y[i] -= u` leaves x as it is and puts −u back where [i] selects; `y[i] *= u` scales x by ones that
were multiplied in their place.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._derive import _terms
from jaxcalc._derive._bound import Bound, Negated
from jaxcalc._derive._coefficients import Value, labelled
from jaxcalc._derive._graph import Einsums, Linear, Piece
from jaxcalc._derive._indexing import index_piece
from jaxcalc._derive._opaque import applied, opaque
from jaxcalc._derive._rules import ARITHMETIC, Operand, Rule
from jaxcalc._formula import apply, call, number


def _subtracted(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    x, indices, updates = operands
    if isinstance(updates, Linear):
        (updates,) = ARITHMETIC["neg"](equation, (updates,), dtype)

    def piece(bound: Bound) -> Piece:
        if bound.position == 0:
            return Einsums((_terms.identity(bound.operands[0].shape),))
        added = index_piece(equation, operands, bound, scatters=True)
        return replace(added, function=Negated(bound), name="scatter-add")

    return applied(equation, (x, indices, updates), piece)


def _multiplied(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    x, *others = operands
    factors = [value.expression for value in others if isinstance(value, Value)]
    if not isinstance(x, Linear) or len(factors) < len(others):
        return opaque(equation, operands, dtype)

    def piece(bound: Bound) -> Piece:
        entries = bound(jnp.ones(x.shape, dtype))
        axes = {"shape": x.shape, "broadcast_dimensions": ()}
        ones = call("broadcast_in_dim", (number(1.0),), x.shape, **axes)
        (written,) = apply(equation, [ones, *factors])
        term = _terms.identity(x.shape)
        scale = labelled(Value(entries, written), term.out, dtype)
        return Einsums((_terms.times(term, scale),))

    return applied(equation, operands, piece)


SCATTERS: dict[str, Rule] = {"scatter-mul": _multiplied, "scatter-sub": _subtracted}
