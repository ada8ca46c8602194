"""What the package's own primitives are written with: operations of rows, and of each entry."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, call

Args = Sequence[Expression]
Params = Mapping[str, Any]
# The arguments, the parameters and the shapes of the results, to the results.
Written = Callable[[Args, Params, Sequence[Shape]], list[Expression]]
# The same of one result.
Single = Callable[[Args, Params, Shape], Expression]


def single(of: Single) -> Written:
    return lambda args, params, shapes: [of(args, params, shapes[0])]


def spread(x: Expression, shape: Shape) -> Expression:
    """x, broadcast to a shape of its rank."""
    axes = tuple(range(len(x.shape)))
    return (
        x if x.shape == shape else call("broadcast_in_dim", (x,), shape, broadcast_dimensions=axes)
    )


def row_sum(x: Expression, params: Params) -> Expression:
    """Σ of each row, its axes kept with size 1."""
    axes = tuple(axis % len(x.shape) for axis in params["rows"].axes)
    kept = tuple(i for i in range(len(x.shape)) if i not in axes)
    summed = call("reduce_sum", (x,), [x.shape[i] for i in kept], axes=axes)
    shape = [1 if i in axes else size for i, size in enumerate(x.shape)]
    return call("broadcast_in_dim", (summed,), shape, broadcast_dimensions=kept)


def exp(x: Expression) -> Expression:
    return call("exp", (x,), x.shape)


def softplus(x: Expression) -> Expression:
    return call("softplus", (x,), x.shape)


def logistic(x: Expression) -> Expression:
    return call("logistic", (x,), x.shape)
