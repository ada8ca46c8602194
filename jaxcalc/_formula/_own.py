"""The package's own primitives: what each of them computes, written in ordinary operations.

A Jacobian product is written by its weight w, which is what a linear program has for coefficient.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, call, number
from jaxcalc._functions.activations import ELEMENTWISE as DECLARED
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR

Args = Sequence[Expression]
Params = Mapping[str, Any]
# The arguments, the parameters and the shapes of the results, to the results.
Written = Callable[[Args, Params, Sequence[Shape]], list[Expression]]


def _elementwise(op: str) -> Written:
    return lambda args, params, shapes: [call(op, args, shapes[0])]


def _of_rows(*ops: str) -> Written:
    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        axes = params["rows"].axes
        return [call(op, args, shape, axes=axes) for op, shape in zip(ops, shapes, strict=True)]

    return written


def _indicator_of(op: str) -> Written:
    """Where a function of rows is positive."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        (shape,) = shapes
        value = call(op, args, shape, axes=params["rows"].axes)
        positive = call("gt", (value, _spread(number(0.0), shape)), shape)
        return [call("indicator", (positive,), shape)]

    return written


def _spread(x: Expression, shape: Shape) -> Expression:
    """x, broadcast to a shape of its rank or, if it is a number, of any."""
    axes = tuple(range(len(x.shape)))
    return (
        x if x.shape == shape else call("broadcast_in_dim", (x,), shape, broadcast_dimensions=axes)
    )


def _row_sum(x: Expression, axes: Sequence[int]) -> Expression:
    """Σ of each row, its axes kept with size 1."""
    positive = tuple(axis % len(x.shape) for axis in axes)
    kept = tuple(i for i in range(len(x.shape)) if i not in positive)
    summed = call("reduce_sum", (x,), [x.shape[i] for i in kept], axes=positive)
    shape = [1 if i in positive else size for i, size in enumerate(x.shape)]
    return call("broadcast_in_dim", (summed,), shape, broadcast_dimensions=kept)


def _filled(where: Expression, x: Expression, value: float, shape: Shape) -> list[Expression]:
    return [call("select_n", (_spread(where, shape), _spread(number(value), shape), x), shape)]


def _fill(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    where, x = args
    return _filled(where, x, params["value"], shapes[0])


def _masked_logits(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    where, x = args
    return _filled(where, x, -float("inf"), shapes[0])


def _masked_softmax(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    (shape,) = shapes
    (logits,) = _masked_logits(args, params, shapes)
    s = call("softmax", (logits,), shape, axes=params["rows"].axes)
    return _filled(args[0], s, 0.0, shape)


def _cross_entropy(y: Expression, x: Expression, axes: Sequence[int], shape: Shape) -> Expression:
    """−Σ y ⊙ log softmax(x) of each row."""
    logarithm = call("log_softmax", (x,), x.shape, axes=axes)
    weighted = call("mul", (_spread(y, x.shape), logarithm), x.shape)
    return call("neg", (_row_sum(weighted, axes),), shape)


def _distribution_cross_entropy(
    args: Args, params: Params, shapes: Sequence[Shape]
) -> list[Expression]:
    y, x = args
    return [_cross_entropy(y, x, params["rows"].axes, shapes[0])]


def _index_cross_entropy(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """The same of one-hot rows."""
    y, x = args
    axes = params["rows"].axes
    one_hot = call("one_hot", (y,), x.shape, axis=axes[0] % len(x.shape))
    return [_cross_entropy(one_hot, x, axes, shapes[0])]


def _index_cross_entropy_and_sums(
    args: Args, params: Params, shapes: Sequence[Shape]
) -> list[Expression]:
    """The loss; c, Σ exp(x − c) without the label's, and exp(x − c) of the label, for c = 0."""
    y, x = args
    axes = params["rows"].axes
    one_hot = call("one_hot", (y,), x.shape, axis=axes[0] % len(x.shape))
    e = call("exp", (x,), x.shape)
    own = _row_sum(call("mul", (one_hot, e), x.shape), axes)
    rest = call("sub", (_row_sum(e, axes), own), shapes[2])
    return [*_index_cross_entropy(args, params, shapes), _spread(number(0.0), shapes[1]), rest, own]


def _binary_cross_entropy(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """log(1 + exp(x)) − x y; −w y log σ(x) − (1 − y) log σ(−x) with weights."""
    (y, *weight, x), (shape,) = args, shapes
    y = _spread(y, x.shape)
    if not weight:
        parts = call("softplus", (x,), x.shape), call("mul", (x, y), x.shape)
        return [call("sub", parts, shape)]
    w = _spread(weight[0], x.shape)
    other = call("softplus", (call("neg", (x,), x.shape),), x.shape)
    of_one = call("mul", (call("mul", (w, y), x.shape), other), x.shape)
    rest = call("sub", (number(1.0), y), x.shape)
    of_zero = call("mul", (rest, call("softplus", (x,), x.shape)), x.shape)
    return [call("add", (of_one, of_zero), shape)]


def _weighted_sum(args: Args, params: Params) -> Expression:
    """Σ b ⊙ exp(a) of each row."""
    b, a = args
    exponentials = call("exp", (a,), a.shape)
    return _row_sum(call("mul", (b, exponentials), a.shape), params["rows"].axes)


def _weighted(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """The logarithm of its size, and its sign."""
    weighted = _weighted_sum(args, params)
    size = call("abs", (weighted,), shapes[0])
    return [call("log", (size,), shapes[0]), call("sign", (weighted,), shapes[1])]


def _shares(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """exp(a) / Σ b ⊙ exp(a)."""
    shape = shapes[0]
    weighted = _spread(_weighted_sum(args, params), shape)
    return [call("div", (call("exp", (args[1],), shape), weighted), shape)]


def _parts(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """b ⊙ exp(a) / Σ b ⊙ exp(a)."""
    (share,) = _shares(args, params, shapes)
    return [call("mul", (args[0], share), shapes[0])]


def _linear_product(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    W, x = args
    return [call("dot_general", (x, W), shapes[0], dimension_numbers=(((1,), (0,)), ((), ())))]


def _cofactors(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """det(X) X⁻ᵀ."""
    (X,) = args
    *rest, i, j = range(len(X.shape))
    factors = (call("det", args, X.shape[:-2]), call("inv", args, X.shape))
    labels = (tuple(rest), (*rest, i, j))
    return [call("contract", factors, X.shape, labels=labels, out=(*rest, j, i))]


# --- Jacobian products ---

# The residuals, the shape of the weight and the parameters of a Jacobian product, to the weight.
Weight = Callable[[Args, Shape, Params], Expression]


def _weight_of_softmax(kept: Args, shape: Shape, params: Params) -> Expression:
    rows, r = params["rows"], kept[0]
    if rows.keep_softmax:
        return r
    return call("softmax", (r,), r.shape, axes=rows.axes)


def _weight_of_logistic(kept: Args, shape: Shape, params: Params) -> Expression:
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


def _derivative_of(name: str) -> Weight:
    """f⁽ⁿ⁾, for a function f made from a declaration."""
    return lambda kept, shape, params: call(
        "derivative", kept, shape, of=name, order=params["order"]
    )


def _weight(kept: Args, shape: Shape, params: Params) -> Expression:
    return kept[0]


def _weight_of_index_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """s − e_y, the one-hot row of a class index y."""
    y = kept[1]
    one_hot = call("one_hot", (y,), shape, axis=params["rows"].axes[0])
    return call("sub", (_weight_of_softmax(kept, shape, params), one_hot), shape)


def _weight_of_distribution_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """s Σy − y."""
    y, axes = kept[1], params["rows"].axes
    every = tuple(range(len(shape)))
    if y.shape != shape:
        y = call("broadcast_in_dim", (y,), shape, shape=shape, broadcast_dimensions=every)
    mass = call("reduce_sum", (y,), _without(shape, axes), axes=tuple(a % len(shape) for a in axes))
    rest = tuple(a for a in every if a - len(shape) not in axes)
    mass = call("broadcast_in_dim", (mass,), shape, shape=shape, broadcast_dimensions=rest)
    scaled = call("mul", (_weight_of_softmax(kept, shape, params), mass), shape)
    return call("sub", (scaled, y), shape)


def _without(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(n for a, n in enumerate(shape) if a - len(shape) not in axes)


def _weight_of_binary_cross_entropy(kept: Args, shape: Shape, params: Params) -> Expression:
    """σ(x) − y, or (1 − y) σ(x) − w y σ(−x)."""
    x, y, *weight = kept
    if not weight:
        return call("sub", (call("logistic", (x,), shape), y), shape)
    one, (w,) = number(1.0), weight
    other = call("logistic", (call("neg", (x,), shape),), shape)
    of_zero = call("mul", (call("sub", (one, y), shape), call("logistic", (x,), shape)), shape)
    of_one = call("mul", (call("mul", (w, y), shape), other), shape)
    return call("sub", (of_zero, of_one), shape)


def _softmax_product(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """s ⊙ (t − ⟨s, t⟩)."""
    s = _weight_of_softmax(args, args[0].shape, params)
    (centred,) = _log_softmax_product(args, params, shapes)
    return [call("mul", (s, centred), shapes[0])]


def _log_softmax_product(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    """t − ⟨s, t⟩."""
    r, t = args
    s = _weight_of_softmax(args, r.shape, params)
    mean = _row_sum(call("mul", (s, t), t.shape), params["rows"].axes)
    return [call("sub", (t, _spread(mean, t.shape)), t.shape)]


def _log_softmax_transposed(
    args: Args, params: Params, shapes: Sequence[Shape]
) -> list[Expression]:
    """g − s Σg."""
    r, g = args
    s = _weight_of_softmax(args, r.shape, params)
    mass = _spread(_row_sum(g, params["rows"].axes), g.shape)
    return [call("sub", (g, call("mul", (s, mass), g.shape)), g.shape)]


def _weighted_by(weight: Weight) -> Written:
    """t ↦ w ⊙ t; g ↦ w g for each row."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        *kept, t = args
        w = weight(kept, shapes[0], params)
        return [call("mul", (_spread(w, shapes[0]), _spread(t, shapes[0])), shapes[0])]

    return written


def _summed_by(weight: Weight) -> Written:
    """t ↦ ⟨w, t⟩ for each row."""

    def written(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
        *kept, t = args
        products = call("mul", (weight(kept, t.shape, params), t), t.shape)
        return [_row_sum(products, params["rows"].axes)]

    return written


def _masked_product(args: Args, params: Params, shapes: Sequence[Shape]) -> list[Expression]:
    where, t = args
    return _filled(where, t, 0.0, shapes[0])


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
    "jaxcalc_softplus": _elementwise("softplus"),
    "jaxcalc_fast_softplus": _elementwise("softplus"),
    "jaxcalc_log_sigmoid": _elementwise("log_sigmoid"),
    **{f"jaxcalc_{function.name}": _elementwise(function.name) for function in DECLARED},
    **{f"jaxcalc_{function.name}": _of_rows(function.name) for function in PIECEWISE_LINEAR},
    "jaxcalc_sparsemax_piece": _indicator_of("sparsemax"),
    "jaxcalc_softmax": _of_rows("softmax"),
    "jaxcalc_masked_softmax": _masked_softmax,
    "jaxcalc_log_softmax": _of_rows("log_softmax"),
    "jaxcalc_log_softmax_and_softmax": _of_rows("log_softmax", "softmax"),
    "jaxcalc_logsumexp": _of_rows("logsumexp_kept"),
    "jaxcalc_logsumexp_and_softmax": _of_rows("logsumexp_kept", "softmax"),
    "jaxcalc_weighted_logsumexp": _weighted,
    "jaxcalc_shares": _shares,
    "jaxcalc_parts": _parts,
    "jaxcalc_index_cross_entropy": _index_cross_entropy,
    "jaxcalc_index_cross_entropy_and_sums": _index_cross_entropy_and_sums,
    "jaxcalc_distribution_cross_entropy": _distribution_cross_entropy,
    "jaxcalc_binary_cross_entropy": _binary_cross_entropy,
    "jaxcalc_linear_product": _linear_product,
    "jaxcalc_cofactors": _cofactors,
    "jaxcalc_refused": lambda args, params, shapes: [args[1]],
    "jaxcalc_fill": _fill,
    "jaxcalc_masked_logits": _masked_logits,
    "jaxcalc_softmax_product": _softmax_product,
    "jaxcalc_log_softmax_product": _log_softmax_product,
    "jaxcalc_log_softmax_transposed": _log_softmax_transposed,
    "jaxcalc_masked_product": _masked_product,
    **{f"jaxcalc_{name}_product": _weighted_by(WEIGHTS[name]) for name in _ELEMENTWISE},
    **{f"jaxcalc_{name}_product": _summed_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    **{f"jaxcalc_{name}_transposed": _weighted_by(WEIGHTS[name]) for name in _ROW_BY_ROW},
    "jaxcalc_weighted_sum": _summed_by(_weight),
    "jaxcalc_weighted_sum_transposed": _weighted_by(_weight),
}
