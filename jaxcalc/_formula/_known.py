"""Functions known by name: a program traced from one of them is written as one operation.

A name counts only with the file it stands in, so that a user's own `softmax` is read inside. The
functions of this package are primitives: `_own` knows them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jaxcalc._compat import defined_at
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
    """Σ of each row of y."""
    (shape,), y = shapes, args[-1]
    axes = tuple(i for i, size in enumerate(shape) if size != y.shape[i])
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    total = call("reduce_sum", (y,), [shape[i] for i in kept], axes=axes)
    return [call("broadcast_in_dim", (total,), shape, broadcast_dimensions=kept)]


_OURS, _NN, _LINALG = "jaxcalc/", "jax/_src/nn/functions.py", "jax/_src/numpy/linalg.py"
_SPECIAL, _UFUNCS = "jax/_src/scipy/special.py", "jax/_src/numpy/ufuncs.py"
FUNCTIONS: dict[tuple[str, str], Known] = {
    ("_mass", _OURS + "_functions/distribution_cross_entropy.py"): _mass,
    ("cofactors", _OURS + "_derive/_closed.py"): _cofactors,
    ("hypot", _UFUNCS): _elementwise("hypot", 2),
    ("log_ndtr", _SPECIAL): _elementwise("log_ndtr"),
    ("gammasgn", _SPECIAL): _elementwise("gammasgn"),
    ("relu", _NN): _elementwise("relu"),
    ("logaddexp", "jax/_src/lax/other.py"): _elementwise("logaddexp", 2),
    ("inv", _LINALG): _elementwise("inv"),
    ("_inv", _LINALG): _elementwise("inv"),
    ("det", _LINALG): _elementwise("det"),
    ("_det", _LINALG): _elementwise("det"),
    ("slogdet", _LINALG): _sign_and_log,
    ("_slogdet_lu", _LINALG): _sign_and_log,
}
