"""The package's own primitives: what each of them computes, written in ordinary operations."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxcalc._formula._expression import Expression, Shape, call, number
from jaxcalc._formula._own_operations import (
    Args,
    Params,
    Single,
    Written,
    exp,
    row_sum,
    single,
    softplus,
)
from jaxcalc._formula._own_products import PRODUCTS, weight_of_logistic
from jaxcalc._functions.activations import ELEMENTWISE as DECLARED
from jaxcalc._functions.softmax_maps import COMPOSED
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR


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
    return -row_sum(y * call("log_softmax", (x,), x.shape, axes=params["rows"].axes), params)


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
    own = row_sum(_one_hot(y, x, params) * exp(x), params)
    zero = call("broadcast_in_dim", (number(0.0),), shapes[1], broadcast_dimensions=())
    rest = row_sum(exp(x), params) - own
    return [_index_cross_entropy(args, params, shapes[0]), zero, rest, own]


def _logsumexp_and_sums(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """The value; m and Σ exp(x − m), for m = 0."""
    (x,) = args
    value = call("logsumexp_kept", args, shapes[0], axes=params["rows"].axes)
    zero = call("broadcast_in_dim", (number(0.0),), shapes[1], broadcast_dimensions=())
    return [value, zero, row_sum(exp(x), params)]


def _masked_logsumexp_and_sums(
    args: Args, params: Params, shapes: Sequence[Shape]
) -> list[Expression]:
    return _logsumexp_and_sums((_masked_logits(args, params, args[1].shape),), params, shapes)


def _binary_cross_entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """log(1 + exp(x)) − x y; −w y log σ(x) − (1 − y) log σ(−x) with weights."""
    y, *weight, x = args
    if not weight:
        return softplus(x) - x * y
    return weight[0] * y * softplus(-x) + (1.0 - y) * softplus(x)


def _weighted_sum(args: Args, params: Params) -> Expression:
    """Σ b ⊙ exp(a) of each row."""
    b, a = args
    return row_sum(b * exp(a), params)


def _weighted(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """The logarithm of its size, and its sign."""
    weighted = _weighted_sum(args, params)
    size = call("abs", (weighted,), shapes[0])
    return [call("log", (size,), shapes[0]), call("sign", (weighted,), shapes[1])]


def _shares(args: Args, params: Params, shape: Shape) -> Expression:
    """exp(a) / Σ b ⊙ exp(a)."""
    return exp(args[1]) / _weighted_sum(args, params)


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
    return row_sum(exp(p) * (p - q), params)


def _entropy(args: Args, params: Params, shape: Shape) -> Expression:
    """−Σ s ⊙ log s of each row, s = softmax(x)."""
    (x,), axes = args, params["rows"].axes
    s, log_s = (call(op, (x,), x.shape, axes=axes) for op in ("softmax", "log_softmax"))
    return -row_sum(s * log_s, params)


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


def _logistic_and_derivative(op: str, order: int, sign: float = 1.0) -> Written:
    """A function of each entry, and its derivative σ⁽ⁿ⁾(±x)."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        at = args if sign == 1 else (args[0] * sign,)
        slope = weight_of_logistic(at, shapes[1], {"order": order})
        return [call(op, args, shapes[0]), slope]

    return written


OWN: dict[str, Written] = {
    "jaxcalc_sigmoid": _elementwise("logistic"),
    "jaxcalc_fast_sigmoid": _elementwise("logistic"),
    "jaxcalc_logistic_derivative": single(
        lambda args, params, shape: weight_of_logistic(args, shape, params)
    ),
    "jaxcalc_softplus": _elementwise("softplus"),
    "jaxcalc_log_sigmoid": _elementwise("log_sigmoid"),
    "jaxcalc_sigmoid_and_derivative": _logistic_and_derivative("logistic", 1),
    "jaxcalc_softplus_and_derivative": _logistic_and_derivative("softplus", 0),
    "jaxcalc_log_sigmoid_and_derivative": _logistic_and_derivative("log_sigmoid", 0, -1.0),
    **{f"jaxcalc_{function.name}": _elementwise(function.name) for function in DECLARED},
    **{f"jaxcalc_{function.name}": _of_rows(function.name) for function in PIECEWISE_LINEAR},
    "jaxcalc_sparsemax_piece": single(_indicator_of("sparsemax")),
    "jaxcalc_softmax": _of_rows("softmax"),
    "jaxcalc_masked_softmax": _of_masked_rows(softmax=0.0),
    "jaxcalc_log_softmax": _of_rows("log_softmax"),
    "jaxcalc_masked_log_softmax": _of_masked_rows(log_softmax=-math.inf),
    "jaxcalc_log_softmax_and_softmax": _of_rows("log_softmax", "softmax"),
    "jaxcalc_masked_log_softmax_and_softmax": _of_masked_rows(log_softmax=-math.inf, softmax=None),
    "jaxcalc_logsumexp": _of_rows("logsumexp_kept"),
    "jaxcalc_masked_logsumexp": _of_masked_rows(logsumexp_kept=None),
    "jaxcalc_logsumexp_and_sums": _logsumexp_and_sums,
    "jaxcalc_masked_logsumexp_and_sums": _masked_logsumexp_and_sums,
    "jaxcalc_logsumexp_and_softmax": _of_rows("logsumexp_kept", "softmax"),
    "jaxcalc_masked_logsumexp_and_softmax": _of_masked_rows(logsumexp_kept=None, softmax=None),
    "jaxcalc_weighted_logsumexp": _weighted,
    "jaxcalc_shares": single(_shares),
    "jaxcalc_parts": single(_parts),
    "jaxcalc_index_cross_entropy": single(_index_cross_entropy),
    "jaxcalc_index_cross_entropy_and_sums": _index_cross_entropy_and_sums,
    "jaxcalc_distribution_cross_entropy": single(_distribution_cross_entropy),
    "jaxcalc_binary_cross_entropy": single(_binary_cross_entropy),
    "jaxcalc_soft_cap": single(_soft_cap),
    "jaxcalc_kl_divergence": single(_kl_divergence),
    "jaxcalc_entropy": single(_entropy),
    "jaxcalc_products_of_others": single(_products_of_others),
    "jaxcalc_linear_product": single(_linear_product),
    "jaxcalc_cofactors": single(_cofactors),
    "jaxcalc_refused": lambda args, params, shapes: [args[1]],
    "jaxcalc_fill": single(_fill),
    "jaxcalc_masked_logits": single(_masked_logits),
    "jaxcalc_masked_product": single(_masked_product),
    **PRODUCTS,
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
