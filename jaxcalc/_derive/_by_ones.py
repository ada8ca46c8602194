"""Operations known to act elementwise: diagonals, whose entries are what they make of ones."""

import jax.numpy as jnp

from jaxcalc._compat import operation
from jaxcalc._derive import _terms
from jaxcalc._derive._bound import Bound
from jaxcalc._derive._coefficients import Value, labelled
from jaxcalc._derive._graph import Tangent
from jaxcalc._derive._opaque import applied, hashable_params
from jaxcalc._derive._pieces import Einsums
from jaxcalc._derive._step import LinearStep
from jaxcalc._formula import call


def by_ones(step: LinearStep) -> list[Tangent]:
    """One entry for each of the result, which may have more axes at its front."""
    # what was computed is told apart by its parameters and the arrays that go into it
    arrays = [x.expression for x in step.values]
    params = hashable_params(step.params)

    def piece(bound: Bound) -> Einsums:
        entries = bound(jnp.ones(bound.shape, step.dtype))
        how = {"params": params, "position": bound.position, "output": bound.output}
        written = call(operation(step.equation), arrays, entries.shape, **how)
        return diagonal(bound.shape, Value(entries, written), step)

    return applied(step, piece)


def diagonal(shape: tuple[int, ...], entries: Value, step: LinearStep) -> Einsums:
    """Entries times a value of that shape, repeated along new first axes."""
    target = entries.shape
    own = range(len(target) - len(shape), len(target))
    term = _terms.broadcast(_terms.identity(shape), target, own)
    return Einsums((_terms.times(term, labelled(entries, term.out, step.dtype)),))
