"""The package's own Jacobian products: what each does to a value.

softmax family    a piece of its own, which keeps the accurate forms
elementwise       a coefficient: the product with ones; so for a number a row, repeated
row by row        sᵀ and the like: a coefficient, the transpose of ones, and a sum over the row
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind
from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Coefficient, Value, labelled
from jaxcalc._derive._graph import Tangent, light, settled, through
from jaxcalc._derive._pieces import Product
from jaxcalc._derive._rules import masked, stretched, times
from jaxcalc._derive._step import LinearStep, Rule
from jaxcalc._formula import WEIGHTS, plain_program


def softmax_map(kind: str) -> Rule:
    """One of the softmax family, kept as it is."""

    def rule(step: LinearStep) -> Tangent:
        kept, t, params = step.value, step.linear, step.params
        s = WEIGHTS["logsumexp"]((kept.expression,), kept.shape, params)
        piece = Product(kind, Coefficient(*kept, ()), params["rows"], s)
        return through(t, piece, t.shape, t.dtype)

    return rule


def scaling(name: str) -> Rule:
    """t ↦ w ⊙ t, or w g for a number g of each row; w is the product with ones."""

    def rule(step: LinearStep) -> Tangent:
        t = step.linear
        weight = _weight(name, step, _product(step)(jnp.ones(t.shape, step.dtype)))
        return times(stretched(t, step.shape), weight, step.dtype)

    return rule


def row_sum(name: str) -> Rule:
    """t ↦ ⟨w, t⟩ for each row, with w the transpose of a one."""

    def rule(step: LinearStep) -> Tangent:
        t, shape, product = step.linear, step.shape, _product(step)
        x = jax.ShapeDtypeStruct(t.shape, step.dtype)
        ones = jnp.ones(shape, jax.eval_shape(product, x).dtype)
        weight = _weight(name, step, jax.linear_transpose(product, x)(ones)[0])
        axes = [axis % len(shape) for axis in step.params["rows"].axes]
        rest = [axis for axis in range(len(shape)) if axis not in axes]

        def summed(term: _terms.Term) -> _terms.Term:
            weighed = _terms.times(term, labelled(weight, term.out, step.dtype))
            return _terms.broadcast(_terms.summed(weighed, axes), shape, rest)

        return settled(light(t).map(summed, shape))

    return rule


def _product(step: LinearStep) -> Callable[[Array], Array]:
    kept = [jnp.asarray(x.array) for x in step.values]
    return lambda t: bind(step.equation.primitive, [*kept, t], step.params)[0]


def _weight(name: str, step: LinearStep, array: Array) -> Value:
    expressions = [x.expression for x in step.values]
    return Value(array, WEIGHTS[name](expressions, array.shape, step.params))


def masked_product(step: LinearStep) -> Tangent:
    """t where a mask holds."""
    return masked(step.value, step.linear, step.dtype)


def refused(step: LinearStep) -> Tangent:
    """The identity, for labels that are classes."""
    return step.linear


def plainly(step: LinearStep) -> list[Tangent]:
    """A product that is read in ordinary operations, or in other products."""
    results = step.run(plain_program(step.equation), step.operands)
    return [result for result in results if isinstance(result, Tangent)]
