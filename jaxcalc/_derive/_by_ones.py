"""Operations known to act elementwise: diagonals, whose entries are what they make of ones."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._compat import operation
from jaxcalc._derive import _terms
from jaxcalc._derive._bound import Bound
from jaxcalc._derive._coefficients import Value, labelled
from jaxcalc._derive._graph import Einsums, Linear
from jaxcalc._derive._opaque import applied, hashable_params
from jaxcalc._derive._rules import Operand, Rule
from jaxcalc._formula import call


def by_ones(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """One entry for each of the result, which may have more axes at its front."""
    # what was computed is told apart by its parameters and the arrays that go into it
    arrays = [x.expression for x in operands if isinstance(x, Value)]
    params = hashable_params(equation.params)

    def piece(bound: Bound) -> Einsums:
        shape = bound.operands[bound.position].shape
        entries = bound(jnp.ones(shape, dtype))
        own = range(entries.ndim - len(shape), entries.ndim)
        term = _terms.broadcast(_terms.identity(shape), entries.shape, own)
        how = {"params": params, "position": bound.position, "output": bound.output}
        written = call(operation(equation), arrays, entries.shape, **how)
        return Einsums((_terms.times(term, labelled(Value(entries, written), term.out, dtype)),))

    return applied(equation, operands, piece)


ELEMENTWISE: dict[str, Rule] = {"Ldexp": by_ones, "polynomial": by_ones}
