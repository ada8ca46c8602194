"""SciPy: values only, in float32 and float64."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.peer import Array, Peer, optional_module


def find() -> list[Peer]:
    """SciPy, where it is installed."""
    scipy = optional_module("scipy")
    if scipy is None:
        return []
    special = importlib.import_module("scipy.special")
    return [Peer("scipy", scipy.__version__, ("float32", "float64"), _evaluator(special))]


def _functions(special: Any) -> dict[str, Callable[[Array], Any]]:
    return {
        "sigmoid": special.expit,
        "log_sigmoid": special.log_expit,
        "softmax": lambda x: special.softmax(x, axis=-1),
        "log_softmax": lambda x: special.log_softmax(x, axis=-1),
        "logsumexp": lambda x: special.logsumexp(x, axis=-1),
    }


def _evaluator(special: Any) -> Callable[[str, str, Array, Array], Array | None]:
    functions = _functions(special)

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array | None:
        if quantity != "value" or function not in functions:
            return None
        return np.asarray(functions[function](x), x.dtype)

    return evaluate
