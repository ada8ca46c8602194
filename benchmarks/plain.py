"""The plain forms in float64, against which a result is checked before it is timed.

They lose digits where classes dominate; on the random data of the timings that does not show.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import oracles
from benchmarks.oracles.wide import Array
from benchmarks.peers import DECLARED
from jaxcalc._functions.elementwise import Elementwise


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _logsumexp(x: Array) -> Array:
    top = x.max(-1, keepdims=True)
    return np.asarray(top + np.log(np.exp(x - top).sum(-1, keepdims=True)))


def _softmax(x: Array) -> Array:
    return np.asarray(np.exp(x - _logsumexp(x)))


def _dot(s: Array, t: Array) -> Array:
    return np.asarray(np.einsum("...k,...k->...", s, t))[..., None]


def _identity(x: Array) -> Array:
    return np.eye(x.shape[-1])


def _derivative(function: Elementwise, order: int, x: Array, *factors: Array) -> Array:
    """f⁽ⁿ⁾(x), times the factors."""
    wide = oracles.derivative(function.definition, x.astype(np.longdouble), order)
    return np.asarray(math.prod(factors, start=wide.astype(np.float64)))


VALUES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": _sigmoid,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    **{name: partial(_derivative, function, 0) for name, function in DECLARED.items()},
    "softmax": _softmax,
    "log_softmax": lambda x: x - _logsumexp(x),
    "logsumexp": lambda x: _logsumexp(x)[..., 0],
}


# J t, from x and t
JVPS: dict[str, Callable[[Array, Array], Array]] = {
    "sigmoid": lambda x, t: _sigmoid(x) * _sigmoid(-x) * t,
    "log_sigmoid": lambda x, t: _sigmoid(-x) * t,
    **{name: partial(_derivative, function, 1) for name, function in DECLARED.items()},
    "softmax": lambda x, t: _softmax(x) * (t - _dot(_softmax(x), t)),
    "log_softmax": lambda x, t: t - _dot(_softmax(x), t),
    "logsumexp": lambda x, t: _dot(_softmax(x), t)[..., 0],
}

# Jᵀ g; the others are symmetric
VJPS = JVPS | {
    "log_softmax": lambda x, g: g - _softmax(x) * g.sum(-1, keepdims=True),
    "logsumexp": lambda x, g: _softmax(x) * g[..., None],
}

JACOBIANS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda x: (_sigmoid(x) * _sigmoid(-x))[..., None] * _identity(x),
    "softmax": lambda x: _softmax(x)[..., None] * (_identity(x) - _softmax(x)[..., None, :]),
    "log_softmax": lambda x: _identity(x) - _softmax(x)[..., None, :],
    "log_sigmoid": lambda x: _sigmoid(-x)[..., None] * _identity(x),
    "logsumexp": _softmax,
}

# the derivative along t of x ↦ Jᵀ g
HVPS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "sigmoid": lambda x, t, g: JVPS["sigmoid"](x, t) * (1 - 2 * _sigmoid(x)) * g,
    "log_sigmoid": lambda x, t, g: -JVPS["sigmoid"](x, t) * g,
    **{name: partial(_derivative, function, 2) for name, function in DECLARED.items()},
    "softmax": lambda x, t, g: _softmax_hvp(_softmax(x), JVPS["softmax"](x, t), g),
    "log_softmax": lambda x, t, g: -JVPS["softmax"](x, t) * g.sum(-1, keepdims=True),
    "logsumexp": lambda x, t, g: JVPS["softmax"](x, t) * g[..., None],
}


def _softmax_hvp(s: Array, ds: Array, g: Array) -> Array:
    return np.asarray(ds * (g - _dot(s, g)) - s * _dot(ds, g))


_OUTPUTS: dict[str, Callable[[str, Array, Array, Array], tuple[Array, ...]]] = {
    "value": lambda f, x, t, g: (VALUES[f](x),),
    "jvp": lambda f, x, t, g: (VALUES[f](x), JVPS[f](x, t)),
    "vjp": lambda f, x, t, g: (VJPS[f](x, g),),
    "value+vjp": lambda f, x, t, g: (VALUES[f](x), VJPS[f](x, g)),
    "hvp": lambda f, x, t, g: (HVPS[f](x, t, g),),
    "jacobian": lambda f, x, t, g: (JACOBIANS[f](x),),
}


def reference(function: str, quantity: str, x: Array, t: Array, g: Array) -> tuple[Array, ...]:
    """All outputs of a cell in float64, at x with the tangent t and the cotangent g."""
    return _OUTPUTS[quantity](function, *(array.astype(np.float64) for array in (x, t, g)))
