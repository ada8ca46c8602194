"""The package's own Jacobian products, each known by its primitive: one row a primitive.

softmax family    a piece of its own, which keeps the accurate forms
elementwise       a coefficient: the product with ones
row by row        sᵀ and the like: a coefficient, then a sum over the row; and the transposes
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Coefficient, Value, labelled
from jaxcalc._derive._graph import Linear, Product, light, settled, through
from jaxcalc._derive._rules import Interpret, Operand, Rule, masked, stretched, times
from jaxcalc._formula import WEIGHTS, Weight
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.binary_cross_entropy import binary_cross_entropy_product
from jaxcalc._functions.distribution_cross_entropy import distribution_cross_entropy_transposed
from jaxcalc._functions.index_cross_entropy import index_cross_entropy_transposed
from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.rowwise import PiecewiseLinear
from jaxcalc._functions.softmax_maps import (
    logsumexp_transposed,
    weighted_sum_transposed,
)
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR


def _piece(kind: str) -> Rule:
    """One of the softmax family, kept as it is."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        kept, t = operands
        assert isinstance(kept, Value)
        assert isinstance(t, Linear)
        s = WEIGHTS["logsumexp"]((kept.expression,), kept.array.shape, equation.params)
        piece = Product(kind, Coefficient(*kept, ()), equation.params["rows"], s)
        return [through(t, piece, t.shape, t.dtype)]

    return rule


def _elementwise(product: JacobianProduct, written: Weight) -> Rule:
    """t ↦ w ⊙ t."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        *kept, t = operands
        assert isinstance(t, Linear)
        return [times(t, _coefficient(product, kept, t.shape, written, equation, dtype), dtype)]

    return rule


def _row_sum(transposed: JacobianProduct, written: Weight) -> Rule:
    """t ↦ ⟨w, t⟩ for each row, with w the transpose of a one."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        *kept, t = operands
        assert isinstance(t, Linear)
        shape = tuple(equation.outvars[0].aval.shape)
        weight = _coefficient(transposed, kept, shape, written, equation, dtype)
        axes = [axis % len(shape) for axis in equation.params["rows"].axes]
        rest = [axis for axis in range(len(shape)) if axis not in axes]

        def summed(term: _terms.Term) -> _terms.Term:
            weighed = _terms.times(term, labelled(weight, term.out, dtype))
            return _terms.broadcast(_terms.summed(weighed, axes), shape, rest)

        return [settled(light(t).map(summed, shape))]

    return rule


def _repeated(product: JacobianProduct, written: Weight) -> Rule:
    """g ↦ w g for each row, with w the product with one."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        *kept, g = operands
        assert isinstance(g, Linear)
        shape = tuple(equation.outvars[0].aval.shape)
        weight = _coefficient(product, kept, g.shape, written, equation, dtype)
        return [times(stretched(g, shape), weight, dtype)]

    return rule


def _coefficient(
    product: JacobianProduct,
    kept: Sequence[Operand],
    shape: tuple[int, ...],
    written: Weight,
    equation: Any,
    dtype: np.dtype,
) -> Value:
    """The product with ones of that shape."""
    residuals = [jnp.asarray(x.array) for x in kept if isinstance(x, Value)]
    array = product(*residuals, jnp.ones(shape, dtype), **equation.params)
    expressions = [x.expression for x in kept if isinstance(x, Value)]
    return Value(array, written(expressions, array.shape, equation.params))


def _masked(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    where, t = operands
    assert isinstance(where, Value)
    assert isinstance(t, Linear)
    return [masked(where, t, dtype)]


def _refused(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
    """The identity, for labels that are classes."""
    _, t = operands
    assert isinstance(t, Linear)
    return [t]


def piecewise_linear(interpret: Interpret) -> dict[str, Rule]:
    """Products that are read in ordinary operations."""

    def rule_of(function: PiecewiseLinear) -> Rule:
        def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
            results = interpret(function.plain_program(equation), operands, dtype)
            return [result for result in results if isinstance(result, Linear)]

        return rule

    return {f"jaxcalc_{f.apply.name}": rule_of(f) for f in PIECEWISE_LINEAR}


OWN: dict[str, Rule] = {
    "jaxcalc_softmax_product": _piece("softmax"),
    "jaxcalc_log_softmax_product": _piece("log_softmax"),
    "jaxcalc_log_softmax_transposed": _piece("log_softmax_transposed"),
    "jaxcalc_logistic_product": _elementwise(logistic_product, WEIGHTS["logistic"]),
    "jaxcalc_binary_cross_entropy_product": _elementwise(
        binary_cross_entropy_product, WEIGHTS["binary_cross_entropy"]
    ),
    **{f"jaxcalc_{f.product.name}": _elementwise(f.product, WEIGHTS[f.name]) for f in ELEMENTWISE},
    "jaxcalc_logsumexp_product": _row_sum(logsumexp_transposed, WEIGHTS["logsumexp"]),
    "jaxcalc_logsumexp_transposed": _repeated(logsumexp_transposed, WEIGHTS["logsumexp"]),
    "jaxcalc_weighted_sum": _row_sum(weighted_sum_transposed, WEIGHTS["weighted_sum"]),
    "jaxcalc_weighted_sum_transposed": _repeated(weighted_sum_transposed, WEIGHTS["weighted_sum"]),
    "jaxcalc_index_cross_entropy_product": _row_sum(
        index_cross_entropy_transposed, WEIGHTS["index_cross_entropy"]
    ),
    "jaxcalc_index_cross_entropy_transposed": _repeated(
        index_cross_entropy_transposed, WEIGHTS["index_cross_entropy"]
    ),
    "jaxcalc_distribution_cross_entropy_product": _row_sum(
        distribution_cross_entropy_transposed, WEIGHTS["distribution_cross_entropy"]
    ),
    "jaxcalc_distribution_cross_entropy_transposed": _repeated(
        distribution_cross_entropy_transposed, WEIGHTS["distribution_cross_entropy"]
    ),
    "jaxcalc_refused": _refused,
    "jaxcalc_masked_product": _masked,
}
