"""What a peer is, and the words for what it evaluates."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy.typing as npt

from jaxcalc._functions import activations

Array = npt.NDArray[Any]

# those made from a declaration, by name
DECLARED = {function.name: function for function in activations.ELEMENTWISE}
ELEMENTWISE = ("sigmoid", "log_sigmoid", "softplus", *DECLARED)
ROWS = ("softmax", "log_softmax", "logsumexp")
LOSS = "cross-entropy"  # of the likeliest class of each row
ORDERS = ("value", "derivative 1", "derivative 2", "derivative 3")


class Peer(NamedTuple):
    """One library, or one way to use it.

    `evaluate(function, quantity, x, t)` gives the quantity at x, along the tangent or cotangent
    t where it is a product, in the dtype of x; None where the library has no such function.
    """

    name: str
    version: str
    dtypes: tuple[str, ...]
    evaluate: Callable[[str, str, Array, Array], Array | None]


def optional_module(name: str) -> Any | None:
    """The module, or None where it is not installed."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None
