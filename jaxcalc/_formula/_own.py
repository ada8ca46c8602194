"""The package's own primitives: what each of them computes, written in ordinary operations.

A Jacobian product is written by its weight w, which is what a linear program has for coefficient.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxcalc._formula._expression import Expression, Shape, call, number
from jaxcalc._functions.activations import ELEMENTWISE as DECLARED
from jaxcalc._functions.softmax_maps import COMPOSED
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR

Args = Sequence[Expression]
Params = Mapping[str, Any]
# The arguments, the parameters and the shapes of the results, to the results.
Written = Callable[[Args, Params, Sequence[Shape]], list[Expression]]
# The same of one result.
Single = Callable[[Args, Params, Shape], Expression]
# The residuals, the shape of the weight and the parameters of a Jacobian product, to the weight.
Weight = Callable[[Args, Shape, Params], Expression]


def _single(of: Single) -> Written:
    return lambda args, params, shapes: [of(args, params, shapes[0])]


def _elementwise(op: str) -> Written:
    return lambda args, params, shapes: [call(op, args, shapes[0])]


def _of_rows(*ops: str) -> Written:
    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        axes = params["rows"].axes
        return [call(op, args, shape, axes=axes) for op, shape in zip(ops, shapes, strict=True)]

    return written


def _of_masked_rows(**fillings: float | None) -> Written:
    """Those of what a mask leaves, and what is filled in elsewhere, if anything is."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        logits = _masked_logits(args, params, args[1].shape)
        made = _of_rows(*fillings)((logits,), params, shapes)
        return [
            value if filling is None else _filled(filling)((args[0], value), params, value.shape)
            for value, filling in zip(made, fillings.values(), strict=True)
        ]

    return written


def _indicator_of(op: str) -> Single:
    """Where a function of rows is positive."""

    def written(args: Args, params: Params, shape: Shape) -> Expression:
        value = call(op, args, shape, axes=params["rows"].axes)
        return call("indicator", (call("gt", (value, number(0.0)), shape),), shape)

    return written


def _spread(x: Expression, shape: Shape) -> Expression:
    """x, broadcast to a shape of its rank."""
    axes = tuple(range(len(x.shape)))
    return (
        x if x.shape == shape else call("broadcast_in_dim", (x,), shape, broadcast_dimensions=axes)
    )


def _row_sum(x: Expression, params: Params) -> Expression:
    """Σ of each row, its axes kept with size 1."""
    axes = tuple(axis % len(x.shape) for axis in params["rows"].axes)
    kept = tuple(i for i in range(len(x.shape)) if i not in axes)
    summed = call("reduce_sum", (x,), [x.shape[i] for i in kept], axes=axes)
    shape = [1 if i in axes else size for i, size in enumerate(x.shape)]
    return call("broadcast_in_dim", (summed,), shape, broadcast_dimensions=kept)


def _exp(x: Expression) -> Expression:
    return call("exp", (x,), x.shape)


def _softplus(x: Expression) -> Expression:
    return call("softplus", (x,), x.shape)


def _logistic(x: Expression) -> Expression:
    return call("logistic", (x,), x.shape)


# --- values ---


def _filled(value: float) -> Single:
    """x, and a value where the mask does not hold."""
    return lambda args, params, shape: call("select_n", (args[0], number(value), args[1]), shape)


def _fill(args: Args, params: Params, shape: Shape) -> Expression:
    return _filled(params["value"])(args, params, shape)


_masked_logits = _filled(-math.inf)
_masked_product = _filled(0.0)


def _distribution_cross_entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """−Σ y ⊙ log softmax(x) of each row."""
    y, x = args
    return -_row_sum(y * call("log_softmax", (x,), x.shape, axes=params["rows"].axes), params)


def _one_hot(y: Expression, x: Expression, params: Params) -> Expression:
    return call("one_hot", (y,), x.shape, axis=params["rows"].axes[0] % len(x.shape))


def _index_cross_entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """The same of one-hot rows."""
    y, x = args
    return _distribution_cross_entropy((_one_hot(y, x, params), x), params, shape)


def _index_cross_entropy_and_sums(
    args: Args, params: Params, shapes: Sequence[Shape]
) -> list[Expression]:
    """The loss; c, Σ exp(x − c) without the label's, and exp(x − c) of the label, for c = 0."""
    y, x = args
    own = _row_sum(_one_hot(y, x, params) * _exp(x), params)
    zero = call("broadcast_in_dim", (number(0.0),), shapes[1], broadcast_dimensions=())
    rest = _row_sum(_exp(x), params) - own
    return [_index_cross_entropy(args, params, shapes[0]), zero, rest, own]


def _binary_cross_entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """log(1 + exp(x)) − x y; −w y log σ(x) − (1 − y) log σ(−x) with weights."""
    y, *weight, x = args
    if not weight:
        return _softplus(x) - x * y
    return weight[0] * y * _softplus(-x) + (1.0 - y) * _softplus(x)


def _weighted_sum(args: Args, params: Params) -> Expression:
    """Σ b ⊙ exp(a) of each row."""
    b, a = args
    return _row_sum(b * _exp(a), params)


def _weighted(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """The logarithm of its size, and its sign."""
    weighted = _weighted_sum(args, params)
    size = call("abs", (weighted,), shapes[0])
    return [call("log", (size,), shapes[0]), call("sign", (weighted,), shapes[1])]


def _shares(args: Args, params: Params, shape: Shape) -> Expression:
    """exp(a) / Σ b ⊙ exp(a)."""
    return _exp(args[1]) / _weighted_sum(args, params)


def _parts(args: Args, params: Params, shape: Shape) -> Expression:
    """b ⊙ exp(a) / Σ b ⊙ exp(a)."""
    return args[0] * _shares(args, params, shape)


def _soft_cap(args: Args, params: Params, shape: Shape) -> Expression:
    """c tanh(x/c)."""
    (x,), c = args, params["c"]
    return call("tanh", (x / c,), shape) * c


def _kl_divergence(args: Args, params: Params, shape: Shape) -> Expression:
    """Σ exp(p) ⊙ (p − q) of each row."""
    p, q = args
    return _row_sum(_exp(p) * (p - q), params)


def _entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """−Σ s ⊙ log s of each row, s = softmax(x)."""
    (x,), axes = args, params["rows"].axes
    s, log_s = (call(op, (x,), x.shape, axes=axes) for op in ("softmax", "log_softmax"))
    return -_row_sum(s * log_s, params)


def _products_of_others(args: Args, params: Params, shape: Shape) -> Expression:
    return call("reduce_prod_others", args, shape, axes=params["axes"])


def _linear_product(args: Args, params: Params, shape: Shape) -> Expression:
    W, x = args
    return call("dot_general", (x, W), shape, dimension_numbers=(((1,), (0,)), ((), ())))


def _cofactors(args: Args, params: Params, shape: Shape) -> Expression:
    """det(X) X⁻ᵀ."""
    *rest, i, j = range(len(shape))
    factors = (call("det", args, shape[:-2]), call("inv", args, shape))
    labels = (tuple(rest), (*rest, i, j))
    return call("contract", factors, shape, labels=labels, out=(*rest, j, i))


# --- Jacobian products ---


def _weight_of_softmax(kept: Args, shape: Shape, params: Params) -> Expression:
    rows, r = params["rows"], kept[0]
    return r if rows.keep_softmax else call("softmax", (r,), r.shape, axes=rows.axes)


def _weight_of_logistic(kept: Args, shape: Shape, params: Params) -> Expression:
    """σ, and its derivatives as polynomials in σ."""
    order, sigma = params["order"], call("logistic", kept, shape)
    if order > 2:
        return call("logistic_derivative", kept, shape, order=order)
    slope = sigma * (1.0 - sigma)
    return (sigma, slope, slope * (1.0 - sigma * 2.0))[order]


def _logistic_and_derivative(op: str, order: int, sign: float = 1.0) -> Written:
    """A function of each entry, and its derivative σ⁽ⁿ⁾(±x)."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        at = args if sign == 1 else (args[0] * sign,)
        slope = _weight_of_logistic(at, shapes[1], {"order": order})
        return [call(op, args, shapes[0]), slope]

    return written


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
    return _weight_of_softmax(kept, shape, params) - one_hot


def _weight_of_distribution_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """s Σy − y."""
    y = _spread(kept[1], shape)
    return _weight_of_softmax(kept, shape, params) * _row_sum(y, params) - y


def _weight_of_binary_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """σ(x) − y, or (1 − y) σ(x) − w y σ(−x)."""
    x, y, *weight = kept
    if not weight:
        return _logistic(x) - y
    return (1.0 - y) * _logistic(x) - weight[0] * y * _logistic(-x)


def _softmax_product(args: Args, params: Params, shape: Shape) -> Expression:
    """s ⊙ (t − ⟨s, t⟩)."""
    s = _weight_of_softmax(args, args[0].shape, params)
    return s * _log_softmax_product(args, params, shape)


def _log_softmax_product(args: Args, params: Params, shape: Shape) -> Expression:
    """t − ⟨s, t⟩."""
    r, t = args
    return t - _row_sum(_weight_of_softmax(args, r.shape, params) * t, params)


def _log_softmax_transposed(args: Args, params: Params, shape: Shape) -> Expression:
    """g − s Σg."""
    r, g = args
    return g - _weight_of_softmax(args, r.shape, params) * _row_sum(g, params)


def _weighted_by(weight: Weight) -> Written:
    """t ↦ w ⊙ t; g ↦ w g for each row."""

    def written(args: Args, params: Params, shape: Shape) -> Expression:
        *kept, t = args
        return weight(kept, shape, params) * t

    return _single(written)


def _summed_by(weight: Weight) -> Written:
    """t ↦ ⟨w, t⟩ for each row."""

    def written(args: Args, params: Params, shape: Shape) -> Expression:
        *kept, t = args
        return _row_sum(weight(kept, t.shape, params) * t, params)

    return _single(written)


WEIGHTS: dict[str, Weight] = {
    "logistic": _weight_of_logistic,
    "binary_cross_entropy": _weight_of_binary_cross_entropy,
    "logsumexp": _weight_of_softmax,
    "weighted_sum": _weight,
    "index_cross_entropy": _weight_of_index_cross_entropy,
    "distribution_cross_entropy": _weight_of_distribution_cross_entropy,
    **{function.name: _derivative_of(function.name) for function in DECLARED},
}
_ELEMENTWISE = ("logistic", "binary_cross_entropy", *(function.name for function in DECLARED))
_ROW_BY_ROW = ("logsumexp", "index_cross_entropy", "distribution_cross_entropy")
OWN: dict[str, Written] = {
    "jaxcalc_sigmoid": _elementwise("logistic"),
    "jaxcalc_fast_sigmoid": _elementwise("logistic"),
    "jaxcalc_logistic_derivative": _single(
        lambda args, params, shape: _weight_of_logistic(args, shape, params)
    ),
    "jaxcalc_softplus": _elementwise("softplus"),
    "jaxcalc_fast_softplus": _elementwise("softplus"),
    "jaxcalc_log_sigmoid": _elementwise("log_sigmoid"),
    "jaxcalc_sigmoid_and_derivative": _logistic_and_derivative("logistic", 1),
    "jaxcalc_softplus_and_derivative": _logistic_and_derivative("softplus", 0),
    "jaxcalc_log_sigmoid_and_derivative": _logistic_and_derivative("log_sigmoid", 0, -1.0),
    **{f"jaxcalc_{function.name}": _elementwise(function.name) for function in DECLARED},
    **{f"jaxcalc_{function.name}": _of_rows(function.name) for function in PIECEWISE_LINEAR},
    "jaxcalc_sparsemax_piece": _single(_indicator_of("sparsemax")),
    "jaxcalc_softmax": _of_rows("softmax"),
    "jaxcalc_masked_softmax": _of_masked_rows(softmax=0.0),
    "jaxcalc_log_softmax": _of_rows("log_softmax"),
    "jaxcalc_masked_log_softmax": _of_masked_rows(log_softmax=-math.inf),
    "jaxcalc_log_softmax_and_softmax": _of_rows("log_softmax", "softmax"),
    "jaxcalc_masked_log_softmax_and_softmax": _of_masked_rows(log_softmax=-math.inf, softmax=None),
    "jaxcalc_logsumexp": _of_rows("logsumexp_kept"),
    "jaxcalc_masked_logsumexp": _of_masked_rows(logsumexp_kept=None),
    "jaxcalc_logsumexp_and_softmax": _of_rows("logsumexp_kept", "softmax"),
    "jaxcalc_masked_logsumexp_and_softmax": _of_masked_rows(logsumexp_kept=None, softmax=None),
    "jaxcalc_weighted_logsumexp": _weighted,
    "jaxcalc_shares": _single(_shares),
    "jaxcalc_parts": _single(_parts),
    "jaxcalc_index_cross_entropy": _single(_index_cross_entropy),
    "jaxcalc_index_cross_entropy_and_sums": _index_cross_entropy_and_sums,
    "jaxcalc_distribution_cross_entropy": _single(_distribution_cross_entropy),
    "jaxcalc_binary_cross_entropy": _single(_binary_cross_entropy),
    "jaxcalc_soft_cap": _single(_soft_cap),
    "jaxcalc_kl_divergence": _single(_kl_divergence),
    "jaxcalc_entropy": _single(_entropy),
    "jaxcalc_products_of_others": _single(_products_of_others),
    "jaxcalc_linear_product": _single(_linear_product),
    "jaxcalc_cofactors": _single(_cofactors),
    "jaxcalc_refused": lambda args, params, shapes: [args[1]],
    "jaxcalc_fill": _single(_fill),
    "jaxcalc_masked_logits": _single(_masked_logits),
    "jaxcalc_softmax_product": _single(_softmax_product),
    "jaxcalc_log_softmax_product": _single(_log_softmax_product),
    "jaxcalc_log_softmax_transposed": _single(_log_softmax_transposed),
    "jaxcalc_masked_product": _single(_masked_product),
    **{f"jaxcalc_{name}_product": _weighted_by(WEIGHTS[name]) for name in _ELEMENTWISE},
    **{f"jaxcalc_{name}_product": _summed_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    **{f"jaxcalc_{name}_transposed": _weighted_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    "jaxcalc_weighted_sum": _summed_by(_weight),
    "jaxcalc_weighted_sum_transposed": _weighted_by(_weight),
}


# --- products that are read in other operations ---

# what each computes of its operands and the rows
PLAIN: Mapping[str, Callable[..., Any]] = {
    **{f"jaxcalc_{product.name}": composition for product, composition in COMPOSED.items()},
    **{f"jaxcalc_{function.apply.name}": function.plain for function in PIECEWISE_LINEAR},
}


def plain_program(equation: Any) -> Any:
    """An equation of one of them as the program of those operations."""
    types = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    plain, rows = PLAIN[equation.primitive.name], equation.params["rows"]
    return jax.make_jaxpr(lambda *operands: plain(*operands, rows))(*types)
