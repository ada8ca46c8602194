"""Functions known by name: a program traced from one of them is written as one operation.

A name counts only with the file it stands in, so that a user's own `softmax` is read inside.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jaxcalc._compat import defined_at, opened
from jaxcalc._formula._expression import Expression, Shape, call

Results = list[Expression] | None
# The program, its arguments and the shapes of its results, to its results.
Known = Callable[[Any, Sequence[Expression], Sequence[Shape]], Results]


def known(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    """The results of a known function; None where it is not, or computes something else besides."""
    name, _, place = defined_at(program).partition(" at ")
    path = place.rpartition(":")[0].replace("\\", "/")
    for (function, file), rule in FUNCTIONS.items():
        if function == name and path.endswith(file):
            return rule(program, args, shapes)
    return None


def _elementwise(op: str, arity: int = 1) -> Known:
    def rule(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
        plain = len(args) == arity and len(shapes) == 1
        return [call(op, args, shapes[0])] if plain else None

    return rule


def _row_wise(op: str) -> Known:
    """A function of rows; batching brings the other axes to the front."""

    def rule(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
        moves = {tuple(e.params["permutation"]) for e in _equations(program, "transpose")}
        if len(args) != 1 or len(shapes) != 1 or len(moves) > 1:
            return None
        (order,) = moves or {tuple(range(len(args[0].shape)))}
        axes = _row_axes(program, order)
        back = [order.index(axis) for axis in range(len(order))]
        negative = tuple(sorted(axis - len(order) for axis in axes))
        shape = tuple(shapes[0][axis] for axis in back)
        made = call(op, args, shape, axes=negative)
        return [call("transpose", (made,), shapes[0], permutation=order)]

    return rule


def _equations(program: Any, primitive: str) -> list[Any]:
    equations = opened(program)[0].eqns
    return [e for e in equations if e.primitive.name == primitive]


def _row_axes(program: Any, order: Sequence[int]) -> list[int]:
    """The axes of a row; a primitive of its own counts them from the end, in the new order."""
    for equation in opened(program)[0].eqns:
        if "rows" in equation.params:
            return [order[axis] for axis in equation.params["rows"].axes]
    return [int(axis) for axis in _equations(program, "reduce_max")[0].params["axes"]]


def _sign_and_log(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    if len(args) != 1 or len(shapes) != 2:
        return None
    determinant = call("det", args, shapes[0])
    size = call("abs", (determinant,), shapes[1])
    return [call("sign", (determinant,), shapes[0]), call("log", (size,), shapes[1])]


def _cofactors(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    """det(X) X⁻ᵀ."""
    (X,) = args
    if len(X.shape) != 2:
        return None
    factors = (call("det", (X,), ()), call("inv", (X,), X.shape))
    return [call("contract", factors, X.shape, labels=((), (0, 1)), out=(1, 0))]


def _mass(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    """Σ of each row of y; 1 where a class index stands for a row."""
    (shape,), y = shapes, args[-1]
    if y.shape == shape:
        return [call("ones", (), shape)]
    axes = tuple(i for i, size in enumerate(shape) if size != y.shape[i])
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    total = call("reduce_sum", (y,), [shape[i] for i in kept], axes=axes)
    return [call("broadcast_in_dim", (total,), shape, broadcast_dimensions=kept)]


def _cross_entropy(program: Any, args: Sequence[Expression], shapes: Sequence[Shape]) -> Results:
    """−Σ y ⊙ log softmax(x) of each row, y one-hot where it is a class index."""
    if len(args) != 2:
        return None
    x, y = args
    axes = tuple(i for i, size in enumerate(x.shape) if shapes[0][i] != size)
    if y.shape != x.shape:
        y = call("one_hot", (y,), x.shape, axis=axes[0])
    negative = tuple(axis - len(x.shape) for axis in axes)
    logarithm = call("log_softmax", (x,), x.shape, axes=negative)
    kept = [i for i in range(len(x.shape)) if i not in axes]
    weighted = call("mul", (y, logarithm), x.shape)
    total = call("reduce_sum", (weighted,), [x.shape[i] for i in kept], axes=axes)
    spread = call("broadcast_in_dim", (total,), shapes[0], broadcast_dimensions=kept)
    return [call("neg", (spread,), shapes[0])]


def _binary_cross_entropy(
    program: Any, args: Sequence[Expression], shapes: Sequence[Shape]
) -> Results:
    """log(1 + exp(x)) − x y."""
    x, y = args
    parts = call("softplus", (x,), x.shape), call("mul", (x, y), x.shape)
    return [call("sub", parts, shapes[0])]


_OURS, _NN, _LINALG = "jaxcalc/", "jax/_src/nn/functions.py", "jax/_src/numpy/linalg.py"
FUNCTIONS: dict[tuple[str, str], Known] = {
    ("_softmax", _OURS + "_functions/softmax.py"): _row_wise("softmax"),
    ("log_softmax_rows", _OURS + "_functions/softmax.py"): _row_wise("log_softmax"),
    ("_logsumexp", _OURS + "_functions/logsumexp.py"): _row_wise("logsumexp_kept"),
    ("_softmax_cross_entropy", _OURS + "_functions/softmax_cross_entropy.py"): _cross_entropy,
    ("_binary_cross_entropy", _OURS + "_functions/binary_cross_entropy.py"): _binary_cross_entropy,
    ("_mass", _OURS + "_functions/softmax_cross_entropy.py"): _mass,
    ("_sigmoid", _OURS + "_functions/logistic.py"): _elementwise("logistic"),
    ("_softplus", _OURS + "_functions/logistic.py"): _elementwise("softplus"),
    ("_log_sigmoid", _OURS + "_functions/logistic.py"): _elementwise("log_sigmoid"),
    ("cofactors", _OURS + "_derive/_closed.py"): _cofactors,
    ("relu", _NN): _elementwise("relu"),
    ("logaddexp", "jax/_src/lax/other.py"): _elementwise("logaddexp", 2),
    ("inv", _LINALG): _elementwise("inv"),
    ("_inv", _LINALG): _elementwise("inv"),
    ("det", _LINALG): _elementwise("det"),
    ("_det", _LINALG): _elementwise("det"),
    ("slogdet", _LINALG): _sign_and_log,
    ("_slogdet_lu", _LINALG): _sign_and_log,
}
