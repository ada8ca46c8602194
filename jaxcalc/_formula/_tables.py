"""Arrays that programs make of nothing: of numbers and 0, 1, 2, …, as the indices of a diagonal."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxcalc._formula._expression import Expression, Shape, walk

_MOST = 2**14  # entries
TableRow = Callable[[Sequence[Any], Mapping[str, Any], Shape], Any]


def table(value: Expression) -> np.ndarray | None:
    """The entries of a small value that depends on no array and is made by these operations."""
    nodes, made = list(walk(value)), dict[Expression, np.ndarray]()
    if any(node.op not in _ROWS or math.prod(node.shape) > _MOST for node in nodes):
        return None
    for node in nodes:
        entries = _ROWS[node.op]([made[arg] for arg in node.args], dict(node.params), node.shape)
        made[node] = np.broadcast_to(entries, node.shape)
    return made[value]


def _of(f: Callable[..., Any]) -> TableRow:
    """Entry by entry."""
    return lambda args, params, shape: f(*args)


def _constant(args: Sequence[Any], params: Mapping[str, Any], shape: Shape) -> Any:
    _, dtype, entries = params["entries"]
    return np.asarray(entries, dtype).reshape(shape)


def _along(args: Sequence[Any], params: Mapping[str, Any], shape: Shape) -> Any:
    """0, 1, 2, … along one axis."""
    return np.indices(shape)[params.get("dimension", 0)]


def _repeated(args: Sequence[Any], params: Mapping[str, Any], shape: Shape) -> Any:
    axes = params["broadcast_dimensions"]
    sizes = dict(zip(axes, args[0].shape, strict=True))
    return args[0].reshape([sizes.get(axis, 1) for axis in range(len(shape))])


_ROWS: Mapping[str, TableRow] = {
    "number": lambda args, params, shape: params["value"],
    "constant": _constant,
    "iota": _along,
    "broadcast_in_dim": _repeated,
    "reshape": lambda args, params, shape: args[0].reshape(shape),
    "concatenate": lambda args, params, shape: np.concatenate(args, params["dimension"]),
    "select_n": lambda args, params, shape: np.choose(args[0].astype(int), args[1:]),
    "add": _of(np.add),
    "sub": _of(np.subtract),
    "mul": _of(np.multiply),
    "lt": _of(np.less),
    "ge": _of(np.greater_equal),
}
