"""The package's own Jacobian products, each known by its primitive: one row a primitive.

softmax family    a piece of its own, which keeps the accurate forms
elementwise       a coefficient: the product with ones
row by row        sᵀ and the like: a coefficient, then a sum over the row; and the transposes
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Coefficient, Value, labelled
from jaxcalc._derive._graph import Linear, Product, light, settled, through
from jaxcalc._derive._rules import Operand, Rule, masked, stretched, times
from jaxcalc._formula import Expression, call, number
from jaxcalc._functions.binary_cross_entropy import binary_cross_entropy_product
from jaxcalc._functions.distribution_cross_entropy import distribution_cross_entropy_transposed
from jaxcalc._functions.index_cross_entropy import index_cross_entropy_transposed
from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.softmax_maps import (
    logsumexp_transposed,
    weighted_sum_transposed,
)

# the residuals' expressions, the shape of the coefficient, the primitive's parameters
Written = Callable[[Sequence[Expression], tuple[int, ...], dict[str, Any]], Expression]


def _softmax(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    rows, r = params["rows"], kept[0]
    if rows.keep_softmax:
        return r
    return call("softmax", (r,), r.shape, axes=rows.axes)


def _logistic(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    """σ, and its derivatives as polynomials in σ."""
    sigma = call("logistic", kept, shape)
    if params["order"] == 0:
        return sigma
    one = number(1.0)
    slope = call("mul", (sigma, call("sub", (one, sigma), shape)), shape)
    if params["order"] == 1:
        return slope
    if params["order"] == 2:
        twice = call("mul", (number(2.0), sigma), shape)
        return call("mul", (slope, call("sub", (one, twice), shape)), shape)
    return call("logistic_derivative", kept, shape, order=params["order"])


def _weight(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    return kept[0]


def _index_cross_entropy(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    """s − e_y, the one-hot row of a class index y."""
    y = kept[1]
    one_hot = call("one_hot", (y,), shape, axis=params["rows"].axes[0])
    return call("sub", (_softmax(kept, shape, params), one_hot), shape)


def _distribution_cross_entropy(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    """s Σy − y."""
    y, axes = kept[1], params["rows"].axes
    every = tuple(range(len(shape)))
    if y.shape != shape:
        y = call("broadcast_in_dim", (y,), shape, shape=shape, broadcast_dimensions=every)
    mass = call("reduce_sum", (y,), _without(shape, axes), axes=tuple(a % len(shape) for a in axes))
    rest = tuple(a for a in every if a - len(shape) not in axes)
    mass = call("broadcast_in_dim", (mass,), shape, shape=shape, broadcast_dimensions=rest)
    scaled = call("mul", (_softmax(kept, shape, params), mass), shape)
    return call("sub", (scaled, y), shape)


def _without(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for a, n in enumerate(shape) if a - len(shape) not in axes)


def _binary_cross_entropy(
    kept: Sequence[Expression], shape: tuple[int, ...], params: dict[str, Any]
) -> Expression:
    """σ(x) − y, or (1 − y) σ(x) − w y σ(−x)."""
    x, y, *weight = kept
    if not weight:
        return call("sub", (call("logistic", (x,), shape), y), shape)
    one, (w,) = number(1.0), weight
    other = call("logistic", (call("neg", (x,), shape),), shape)
    of_zero = call("mul", (call("sub", (one, y), shape), call("logistic", (x,), shape)), shape)
    of_one = call("mul", (call("mul", (w, y), shape), other), shape)
    return call("sub", (of_zero, of_one), shape)


def _piece(kind: str) -> Rule:
    """One of the softmax family, kept as it is."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        kept, t = operands
        assert isinstance(kept, Value)
        assert isinstance(t, Linear)
        s = _softmax((kept.expression,), kept.array.shape, equation.params)
        piece = Product(kind, Coefficient(*kept, ()), equation.params["rows"], s)
        return [through(t, piece, t.shape, t.dtype)]

    return rule


def _elementwise(product: JacobianProduct, written: Written) -> Rule:
    """t ↦ w ⊙ t."""

    def rule(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        *kept, t = operands
        assert isinstance(t, Linear)
        return [times(t, _coefficient(product, kept, t.shape, written, equation, dtype), dtype)]

    return rule


def _row_sum(transposed: JacobianProduct, written: Written) -> Rule:
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


def _repeated(product: JacobianProduct, written: Written) -> Rule:
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
    written: Written,
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


OWN: dict[str, Rule] = {
    "jaxcalc_softmax_product": _piece("softmax"),
    "jaxcalc_log_softmax_product": _piece("log_softmax"),
    "jaxcalc_log_softmax_transposed": _piece("log_softmax_transposed"),
    "jaxcalc_logistic_product": _elementwise(logistic_product, _logistic),
    "jaxcalc_binary_cross_entropy_product": _elementwise(
        binary_cross_entropy_product, _binary_cross_entropy
    ),
    "jaxcalc_logsumexp_product": _row_sum(logsumexp_transposed, _softmax),
    "jaxcalc_logsumexp_transposed": _repeated(logsumexp_transposed, _softmax),
    "jaxcalc_weighted_sum": _row_sum(weighted_sum_transposed, _weight),
    "jaxcalc_weighted_sum_transposed": _repeated(weighted_sum_transposed, _weight),
    "jaxcalc_index_cross_entropy_product": _row_sum(
        index_cross_entropy_transposed, _index_cross_entropy
    ),
    "jaxcalc_index_cross_entropy_transposed": _repeated(
        index_cross_entropy_transposed, _index_cross_entropy
    ),
    "jaxcalc_distribution_cross_entropy_product": _row_sum(
        distribution_cross_entropy_transposed, _distribution_cross_entropy
    ),
    "jaxcalc_distribution_cross_entropy_transposed": _repeated(
        distribution_cross_entropy_transposed, _distribution_cross_entropy
    ),
    "jaxcalc_refused": _refused,
    "jaxcalc_masked_product": _masked,
}
