"""The linear maps among the package's own primitives, in ordinary operations.

A Jacobian product is written by its weight w, which is what a linear program has for coefficient.
"""

from collections.abc import Callable

from jaxcalc._formula._expression import Expression, Shape, call
from jaxcalc._formula._own_operations import (
    Args,
    Params,
    Written,
    logistic,
    row_sum,
    single,
    spread,
)
from jaxcalc._functions.activations import ELEMENTWISE as DECLARED

# The residuals, the shape of the weight and the parameters of a Jacobian product, to the weight.
Weight = Callable[[Args, Shape, Params], Expression]


def weight_of_softmax(kept: Args, shape: Shape, params: Params) -> Expression:
    rows, r = params["rows"], kept[0]
    return r if rows.keep_softmax else call("softmax", (r,), r.shape, axes=rows.axes)


def weight_of_logistic(kept: Args, shape: Shape, params: Params) -> Expression:
    """σ, and its derivatives as polynomials in σ."""
    order, sigma = params["order"], call("logistic", kept, shape)
    if order > 2:
        return call("logistic_derivative", kept, shape, order=order)
    slope = sigma * (1.0 - sigma)
    return (sigma, slope, slope * (1.0 - sigma * 2.0))[order]


def _derivative_of(name: str) -> Weight:
    """f⁽ⁿ⁾, for a function f made from a declaration."""
    return lambda kept, shape, params: call(
        "derivative", kept, shape, of=name, order=params["order"]
    )


def _weight(kept: Args, shape: Shape, params: Params) -> Expression:
    return kept[0]


def _weight_of_index_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """s − e_y, the one-hot row of a class index y."""
    one_hot = call("one_hot", (kept[1],), shape, axis=params["rows"].axes[0])
    return weight_of_softmax(kept, shape, params) - one_hot


def _weight_of_distribution_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """s Σy − y."""
    y = spread(kept[1], shape)
    return weight_of_softmax(kept, shape, params) * row_sum(y, params) - y


def _weight_of_binary_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """σ(x) − y, or (1 − y) σ(x) − w y σ(−x)."""
    x, y, *weight = kept
    if not weight:
        return logistic(x) - y
    return (1.0 - y) * logistic(x) - weight[0] * y * logistic(-x)


def _softmax_product(args: Args, params: Params, shape: Shape) -> Expression:
    """s ⊙ (t − ⟨s, t⟩)."""
    s = weight_of_softmax(args, args[0].shape, params)
    return s * _log_softmax_product(args, params, shape)


def _log_softmax_product(args: Args, params: Params, shape: Shape) -> Expression:
    """t − ⟨s, t⟩."""
    r, t = args
    return t - row_sum(weight_of_softmax(args, r.shape, params) * t, params)


def _log_softmax_transposed(args: Args, params: Params, shape: Shape) -> Expression:
    """g − s Σg."""
    r, g = args
    return g - weight_of_softmax(args, r.shape, params) * row_sum(g, params)


def _weighted_by(weight: Weight) -> Written:
    """t ↦ w ⊙ t; g ↦ w g for each row."""

    def written(args: Args, params: Params, shape: Shape) -> Expression:
        *kept, t = args
        return weight(kept, shape, params) * t

    return single(written)


def _summed_by(weight: Weight) -> Written:
    """t ↦ ⟨w, t⟩ for each row."""

    def written(args: Args, params: Params, shape: Shape) -> Expression:
        *kept, t = args
        return row_sum(weight(kept, t.shape, params) * t, params)

    return single(written)


WEIGHTS: dict[str, Weight] = {
    "logistic": weight_of_logistic,
    "binary_cross_entropy": _weight_of_binary_cross_entropy,
    "logsumexp": weight_of_softmax,
    "exponentials": weight_of_softmax,
    "weighted_sum": _weight,
    "index_cross_entropy": _weight_of_index_cross_entropy,
    "distribution_cross_entropy": _weight_of_distribution_cross_entropy,
    **{function.name: _derivative_of(function.name) for function in DECLARED},
}
_ELEMENTWISE = ("logistic", "binary_cross_entropy", *(function.name for function in DECLARED))
_ROW_BY_ROW = ("logsumexp", "exponentials", "index_cross_entropy", "distribution_cross_entropy")
PRODUCTS: dict[str, Written] = {
    "jaxcalc_softmax_product": single(_softmax_product),
    "jaxcalc_log_softmax_product": single(_log_softmax_product),
    "jaxcalc_log_softmax_transposed": single(_log_softmax_transposed),
    **{f"jaxcalc_{name}_product": _weighted_by(WEIGHTS[name]) for name in _ELEMENTWISE},
    **{f"jaxcalc_{name}_product": _summed_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    **{f"jaxcalc_{name}_transposed": _weighted_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    "jaxcalc_weighted_sum": _summed_by(_weight),
    "jaxcalc_weighted_sum_transposed": _weighted_by(_weight),
}
