"""The edge rules of the docstrings as a table, in NumPy's extended precision.

Rows of three entries, of which a mask lets some take part. Of a function's value and its two
derivatives an `Expected` says what they are; where the documents say 0, exactly; and where a row
holds NaN or +∞, which entries need not be NaN but may be 0.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcalc as jc
from benchmarks.oracles import series
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.elementwise import Elementwise

INF, NAN = np.inf, np.nan
CLASSES = 3
Long = np.longdouble
IDENTITY = np.eye(CLASSES, dtype=Long)
MASKS = np.array(list(itertools.product([True, False], repeat=CLASSES)))


def special(dtype: str) -> list[float]:
    info = jnp.finfo(dtype)
    tiny, largest = float(info.tiny), float(info.max)
    return [0.0, -0.0, tiny / 4, tiny, 1.0, -1.0, 1e4, -1e4, largest, -largest, INF, -INF, NAN]


def rows(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Each special value in each place, with each mask."""
    x = np.array(list(itertools.product(special(dtype), repeat=CLASSES)))
    return np.repeat(x, len(MASKS), 0), np.tile(MASKS, (len(x), 1))


@dataclass(frozen=True, eq=False)
class Expected:
    """One derivative of every row.

    Attributes:
        true: the numbers.
        zero: where they are exactly 0.
        free: where NaN or 0 will do: the row is NaN, and what is asked is by none of its causes.
    """

    true: np.ndarray
    zero: np.ndarray
    free: np.ndarray


def every(mask: np.ndarray, order: int) -> np.ndarray:
    """Whether all of `order` indices are in the mask."""
    result = np.ones(len(mask), bool)
    for i in range(order):
        result = result[..., None] & mask.reshape(len(mask), *(1,) * i, CLASSES)
    return result


def lift(row: np.ndarray, order: int) -> np.ndarray:
    return row.reshape(-1, *(1,) * order)


class Rows:
    """Rows, who takes part in them, and their softmax and its derivatives where they have one."""

    def __init__(self, x: np.ndarray, part: np.ndarray):
        self.x, self.part = x, part
        self.out = part & (x == -INF)
        self.nan = np.any(part & np.isnan(x), 1)
        self.poisoned = np.any(part & ~(x < INF), 1)
        self.empty = ~np.any(part, 1)
        self.dead = ~self.empty & np.all(self.out | ~part, 1)
        finite = np.where(part & np.isfinite(x), x, -INF).astype(Long)
        top = np.max(finite, 1, keepdims=True)
        top = np.where(np.isfinite(top), top, 0)
        self.e = np.exp(finite - top)
        total = np.sum(self.e, 1, keepdims=True)
        self.s = self.e / np.where(total == 0, 1, total)
        self.top = top[:, 0]
        # log softmax; where it is beyond what is computed in, −∞
        largest = max(np.max(np.abs(x[np.isfinite(x)])), np.finfo(np.float32).max)
        log_s = np.where(part, (x - top) - np.log(np.where(total == 0, 1, total)), -INF)
        self.log_s = np.where(log_s < -largest, -INF, log_s)

    def covariance(self, s: np.ndarray) -> np.ndarray:
        return s[:, :, None] * (IDENTITY - s[:, None, :])

    def expected(
        self, true: np.ndarray, order: int, bad: np.ndarray, zero: np.ndarray, nothing: np.ndarray
    ) -> Expected:
        """`true`, NaN in bad rows, 0 in those of nothing.

        The last `order` axes are the derivative's, those before (at most one) the value's.
        """
        rank = true.ndim - 1
        bad, nothing = lift(bad & ~nothing, rank), lift(nothing, rank)
        # by what does not take part or is −∞ beside what is NaN
        taking = self.part & ~(self.out & self.poisoned[:, None])
        free = bad & ~every(taking, rank) if order else np.zeros(true.shape, bool)
        true = np.where(nothing & (order > 0), 0, np.where(bad, NAN, true))
        zero = (zero & ~bad) | (nothing & (order > 0)) if order else zero
        return Expected(true, np.broadcast_to(zero, true.shape), np.broadcast_to(free, true.shape))


def softmax(x: np.ndarray, part: np.ndarray) -> list[Expected]:
    r = Rows(x, part)
    bad = r.poisoned | r.dead
    s, J = r.s, r.covariance(r.s)
    C = IDENTITY - s[:, None, :]
    H = np.einsum("nik,nij->nijk", C, J) - np.einsum("ni,njk->nijk", s, J)
    chosen = part & ~r.out
    value = np.where(part & lift(bad, 1), NAN, s)
    return [
        Expected(value, ~part, np.zeros_like(part)),
        r.expected(J, 1, bad, ~every(chosen, 2), r.empty),
        r.expected(H, 2, bad, ~every(chosen, 3), r.empty),
    ]


def log_softmax(x: np.ndarray, part: np.ndarray) -> list[Expected]:
    r = Rows(x, part)
    bad = r.poisoned | r.dead
    value = np.where(lift(bad, 1), NAN, r.log_s)
    value = np.where(part, value, -INF)
    J = np.where(every(part, 2), IDENTITY - r.s[:, None, :], 0)
    H = np.where(every(part, 3), -r.covariance(r.s)[:, None, :, :], 0)
    never = np.zeros_like(part)
    return [
        Expected(value, never, never),
        r.expected(J, 1, bad, ~every(part, 2), r.empty),
        r.expected(H, 2, bad, ~every(part, 3), r.empty),
    ]


def logsumexp(x: np.ndarray, part: np.ndarray, b: Any = (1.0, 1.0, 1.0)) -> list[Expected]:
    """log |bᵀexp(x)|, of which entries of weight 0 are left out."""
    part = part & (np.array(b) != 0)
    r = Rows(x, part)
    bad, nothing = r.poisoned, r.empty | r.dead
    weighted = np.sum(r.e * b, 1)
    weighted = np.where(nothing, 1, weighted)
    infinite = part & (x == INF)
    signs = [np.any(infinite & sign, 1) for sign in (np.array(b) > 0, np.array(b) < 0)]
    at_infinity = np.where(r.nan | (signs[0] & signs[1]), NAN, INF)
    value = np.where(nothing, -INF, r.top + np.log(np.abs(weighted)))
    value = np.where(bad, at_infinity, value)
    w = np.where(lift(nothing, 1), 0, r.e * b / lift(weighted, 1))
    chosen = part & ~r.out
    never = np.zeros(len(x), bool)
    return [
        Expected(value, never, never),
        r.expected(w, 1, bad, ~chosen, nothing),
        r.expected(r.covariance(w), 2, bad, ~every(chosen, 2), nothing),
    ]


def cross_entropy(x: np.ndarray, part: np.ndarray, y: Any) -> list[Expected]:
    """With distributions y; a class index is the distribution that has nothing else."""
    r = Rows(x, part)
    y = np.broadcast_to(np.array(y, Long), x.shape)
    mass = np.sum(y, 1, keepdims=True)
    bad = r.poisoned | r.dead
    loss = np.sum(np.where(y == 0, 0, -y * r.log_s), 1)
    loss = np.where(r.empty, INF, np.where(bad, NAN, loss))
    gradient = np.where(part, r.s * mass - y, 0)
    hessian = r.covariance(r.s) * mass[..., None]
    never = np.zeros(len(x), bool)
    return [
        Expected(loss, never, never),
        r.expected(gradient, 1, bad, ~part, r.empty),
        r.expected(hessian, 2, bad, ~every(part, 2), r.empty),
    ]


def smoothed(x: np.ndarray, part: np.ndarray, y: int, smoothing: float) -> list[Expected]:
    """A class index, part of whose weight all classes have that are left."""
    K = np.maximum(np.sum(part, 1, keepdims=True), 1)
    shares = np.where(part, smoothing / K, 0)
    return cross_entropy(x, part, (1 - smoothing) * np.eye(CLASSES)[y] + shares)


def entropy(x: np.ndarray, part: np.ndarray) -> list[Expected]:
    r = Rows(x, part)
    bad = r.poisoned | r.dead
    log_s = np.where(r.s > 0, r.log_s, 0)
    H = -np.sum(r.s * log_s, 1, keepdims=True)
    gradient = -r.s * (log_s + H)
    change = IDENTITY - r.s[:, None, :] + gradient[:, None, :]
    hessian = -r.covariance(r.s) * (log_s + H)[..., None] - r.s[..., None] * change
    value = np.where(r.empty, 0, np.where(bad, NAN, H[:, 0]))
    chosen, never = part & ~r.out, np.zeros(len(x), bool)
    return [
        Expected(value, never, never),
        r.expected(gradient, 1, bad, ~chosen, r.empty),
        r.expected(hessian, 2, bad, ~every(chosen, 2), r.empty),
    ]


def sparsemax(x: np.ndarray, part: np.ndarray) -> list[Expected]:
    """The threshold is the largest (Σ x − 1)/k over the entries that are no smaller than one."""
    r = Rows(x, part)
    bad = r.poisoned | r.dead
    d = np.where(part & np.isfinite(x), x, -INF) - lift(r.top, 1)  # 0 at the largest
    chosen = d[:, None, :] >= np.maximum(d, -2)[:, :, None]
    sums = np.sum(np.where(chosen, d[:, None, :], 0), -1)
    threshold = np.max((sums - 1) / np.maximum(np.sum(chosen, -1), 1), -1, keepdims=True)
    value = np.maximum(d - threshold, 0)
    s = np.where(value > 0, Long(1), 0)
    J = s[:, :, None] * IDENTITY - s[:, :, None] * s[:, None, :] / np.sum(s, 1)[:, None, None]
    H = np.zeros((*J.shape, CLASSES))
    return [
        Expected(np.where(part & lift(bad, 1), NAN, value), ~part, np.zeros_like(part)),
        r.expected(J, 1, bad, ~every(part & ~r.out, 2), r.empty),
        Expected(H, H == 0, H != 0),
    ]


@dataclass(frozen=True, eq=False)
class RowFunction:
    """A function of a row and its mask, and the table of what it is."""

    name: str
    own: Callable[[Array, Array], Array]
    table: Callable[[np.ndarray, np.ndarray], list[Expected]]

    def __str__(self) -> str:
        return self.name


FAST = {"accuracy": "fast"}
WEIGHTS = [(1.0, 1.0, 1.0), (0.5, -0.25, 2.0), (0.0, 1.0, -2.0), (0.0, 0.0, 0.0)]
DISTRIBUTIONS = [(0.5, 0.25, 0.25), (0.0, 0.75, 0.5)]


def log_sum(x: Array, where: Array, b: Any = None, **options: Any) -> Array:
    if b is None:
        return jc.logsumexp(x, where=where, **options)
    return jc.logsumexp(x, b=jnp.array(b, x.dtype), where=where, return_sign=True, **options)[0]


def loss(x: Array, where: Array, y: Any, **options: Any) -> Array:
    return jc.softmax_cross_entropy(x, y, where=where, **options)


def loss_of(x: Array, where: Array, y: Any, **options: Any) -> Array:
    return loss(x, where, jnp.array(y, x.dtype), **options)


ROW_FUNCTIONS = [
    RowFunction("softmax", lambda x, where: jc.softmax(x, where=where), softmax),
    RowFunction("softmax, fast", lambda x, where: jc.softmax(x, where=where, **FAST), softmax),
    RowFunction("sparsemax", lambda x, where: jc.sparsemax(x, where=where), sparsemax),
    RowFunction("log_softmax", lambda x, where: jc.log_softmax(x, where=where), log_softmax),
    RowFunction(
        "log_softmax, fast", lambda x, where: jc.log_softmax(x, where=where, **FAST), log_softmax
    ),
    RowFunction("logsumexp", log_sum, logsumexp),
    RowFunction("logsumexp, fast", partial(log_sum, **FAST), logsumexp),
    *(
        RowFunction(f"logsumexp, b = {b}", partial(log_sum, b=b), partial(logsumexp, b=b))
        for b in WEIGHTS
    ),
    *(
        RowFunction(
            f"softmax_cross_entropy, class {y}",
            partial(loss, y=y),
            partial(cross_entropy, y=np.eye(CLASSES)[y]),
        )
        for y in range(CLASSES)
    ),
    *(
        RowFunction(
            f"softmax_cross_entropy, y = {y}", partial(loss_of, y=y), partial(cross_entropy, y=y)
        )
        for y in DISTRIBUTIONS
    ),
    RowFunction(
        "softmax_cross_entropy, class 1, smoothed",
        partial(loss, y=1, label_smoothing=0.25),
        partial(smoothed, y=1, smoothing=0.25),
    ),
    RowFunction("entropy", lambda x, where: jc.entropy(x, where=where), entropy),
    RowFunction(
        "softmax_cross_entropy, class 1, fast",
        partial(loss, y=1, **FAST),
        partial(cross_entropy, y=np.eye(CLASSES)[1]),
    ),
]


def slope(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return e / (1 + e) ** 2


def logistic(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def curve(x: np.ndarray) -> np.ndarray:
    """σ″."""
    return -slope(x) * np.tanh(x / 2)


def times(weight: float, x: np.ndarray) -> np.ndarray:
    """A weight of 0 leaves nothing of an infinity."""
    return weight * x if weight else np.where(np.isnan(x), x, 0)


def binary(y: float) -> list[Callable]:
    return [
        lambda x: times(y, softplus(-x)) + times(1 - y, softplus(x)),
        lambda x: (1 - y) * logistic(x) - y * logistic(-x),
        slope,
    ]


def own_binary(y: float, **options: Any) -> Callable:
    return lambda x: jc.sigmoid_binary_cross_entropy(x, jnp.array(y, x.dtype), **options)


# Value and derivatives at −∞ and +∞, of functions that do not go from 0 to x.
LIMITS = {"softsign": ([-1, 0, 0], [1, 0, 0])}


def declared(f: Elementwise) -> list[Callable]:
    """The value and two derivatives by the definition."""
    below, above = LIMITS.get(f.name, ([0, 0, 0], [INF, 1, 0]))

    def of_order(n: int) -> Callable:
        def true(x: np.ndarray) -> np.ndarray:
            finite = np.where(np.isfinite(x), x, 0).astype(np.float64)
            values = series.derivative(f.definition, finite, n).astype(np.float64)
            limits = np.where(x > 0, Long(above[n]), np.where(x < 0, Long(below[n]), NAN))
            return np.where(np.isfinite(x), values, limits)

        return true

    return [of_order(n) for n in range(3)]


LOG_SIGMOID = [lambda x: -softplus(-x), lambda x: logistic(-x), lambda x: -slope(x)]
# Value and two derivatives of functions of an entry.
ENTRY_FUNCTIONS = {
    **{f.name: (f, declared(f)) for f in ELEMENTWISE},
    "sigmoid": (jc.sigmoid, [logistic, slope, curve]),
    "sigmoid, fast": (partial(jc.sigmoid, **FAST), [logistic, slope, curve]),
    "log_sigmoid": (jc.log_sigmoid, LOG_SIGMOID),
    "log_sigmoid, fast": (partial(jc.log_sigmoid, **FAST), LOG_SIGMOID),
    "softplus": (jc.softplus, [softplus, logistic, slope]),
    "softplus, fast": (partial(jc.softplus, **FAST), [softplus, logistic, slope]),
    **{
        f"sigmoid_binary_cross_entropy, y = {y}": (own_binary(y), binary(y))
        for y in (0.0, 0.25, 1.0)
    },
    "sigmoid_binary_cross_entropy, fast": (own_binary(0.25, **FAST), binary(0.25)),
}
