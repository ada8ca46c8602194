"""Softmax and its kin along the last axis, with their Jacobian products.

Every form adds numbers of one sign, or divides what is to cancel into two sums of one sign
(what lies above and what lies below), so that no digit is lost where one class dominates.
Each product comes with its condition sum N: a rounding of every term may move it by u·N.

Rows must be finite; sharing of rows is over all leading axes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.oracles.wide import Array, exp, log1p, widen


class Product(NamedTuple):
    """A Jacobian product and its condition sum, both of the product's shape."""

    value: Array
    condition: Array


class _Row(NamedTuple):
    """What every result is made of, for each row."""

    shifted: Array  # x − max x
    top: Array  # max x, with a last axis of size 1
    others: Array  # Σ of the weights e^(x − max x) but the k-th, for each k
    probability: Array
    complement: Array  # 1 − s, in full relative accuracy


def _row(x: npt.ArrayLike) -> _Row:
    x = widen(x, np.asarray(x).dtype)
    top = x.max(axis=-1, keepdims=True)
    weights = exp(x - top)
    others, total = _sum_of_others(weights), weights.sum(-1, keepdims=True)
    return _Row(x - top, top, others, weights / total, others / total)


def _exclusive_cumsum(x: Array) -> Array:
    return np.concatenate([0 * x[..., :1], np.cumsum(x, axis=-1)[..., :-1]], axis=-1)


def _exclusive_cumsum_from_right(x: Array) -> Array:
    return _exclusive_cumsum(x[..., ::-1])[..., ::-1]


def _sum_of_others(x: Array) -> Array:
    """Σ_{i≠k} x_i for each k, without subtracting anything."""
    return _exclusive_cumsum(x) + _exclusive_cumsum_from_right(x)


def softmax(x: npt.ArrayLike) -> Array:
    """S = exp(x) / Σ exp(x)."""
    return _row(x).probability


def logsumexp(x: npt.ArrayLike) -> Array:
    """Log Σ exp(x), without the last axis."""
    row = _row(x)
    return (row.top + _log_of_total(row))[..., 0]


def log_softmax(x: npt.ArrayLike) -> Array:
    """X − logsumexp(x): a sum of two numbers ≤ 0."""
    row = _row(x)
    return row.shifted - _log_of_total(row)


def _log_of_total(row: _Row) -> Array:
    """Log Σ e^(x − max): the largest weight is 1 exactly, so log1p of the others."""
    winner = np.argmax(row.shifted, axis=-1)[..., None]
    return log1p(np.take_along_axis(row.others, winner, axis=-1))


def softmax_jacobian(x: npt.ArrayLike) -> Array:
    """diag(s) − s sᵀ for each row: −s_i s_k off the diagonal, s_k (1 − s_k) on it."""
    row = _row(x)
    s = row.probability
    jacobian = -s[..., :, None] * s[..., None, :]
    k = np.arange(s.shape[-1])
    jacobian[..., k, k] = s * row.complement
    return jacobian


def softmax_product(x: npt.ArrayLike, t: npt.ArrayLike) -> Product:
    """(diag(s) − s sᵀ) t, forward and reverse alike: out_k = s_k Σ_i s_i (t_k − t_i)."""
    s = softmax(x)
    deviation = _weighted_deviation(s, widen(t, np.asarray(x).dtype))
    return Product(s * deviation.value, s * deviation.condition)


def log_softmax_jvp(x: npt.ArrayLike, t: npt.ArrayLike) -> Product:
    """T − 1 sᵀ t: out_k = Σ_i s_i (t_k − t_i)."""
    return _weighted_deviation(softmax(x), widen(t, np.asarray(x).dtype))


def log_softmax_vjp(x: npt.ArrayLike, g: npt.ArrayLike) -> Product:
    """G − s 1ᵀ g: out_k = (1 − s_k) g_k − s_k Σ_{i≠k} g_i."""
    row, g = _row(x), widen(g, np.asarray(x).dtype)
    s, rest = row.probability, row.complement
    value = rest * g - s * _sum_of_others(g)
    return Product(value, rest * abs(g) + s * _sum_of_others(abs(g)))


def logsumexp_jvp(x: npt.ArrayLike, t: npt.ArrayLike) -> Product:
    """sᵀ t, one number a row."""
    s, t = softmax(x), widen(t, np.asarray(x).dtype)
    return Product((s * t).sum(-1), (s * abs(t)).sum(-1))


def cross_entropy(x: npt.ArrayLike, label: npt.ArrayLike) -> Array:
    """−log_softmax(x) at an integer label, one number a row."""
    return -_pick(log_softmax(x), label)[..., 0]


def cross_entropy_jvp(x: npt.ArrayLike, label: npt.ArrayLike, t: npt.ArrayLike) -> Product:
    """(s − y)ᵀ t = Σ_i s_i (t_i − t_label), one number a row."""
    s, t = softmax(x), widen(t, np.asarray(x).dtype)
    terms = s * (t - _pick(t, label))
    return Product(terms.sum(-1), abs(terms).sum(-1))


def cross_entropy_gradient(x: npt.ArrayLike, label: npt.ArrayLike) -> Product:
    """S − y: s_k, and −(1 − s_label) at the label. It has no cancellation left: N = |out|."""
    row = _row(x)
    at_label = np.arange(row.probability.shape[-1]) == np.asarray(label)[..., None]
    gradient = np.where(at_label, -row.complement, row.probability)
    return Product(gradient, abs(gradient))


def _pick(x: Array, label: npt.ArrayLike) -> Array:
    return np.take_along_axis(x, np.asarray(label)[..., None], axis=-1)


def _weighted_deviation(s: Array, t: Array) -> Product:
    """Σ_i s_i (t_k − t_i) and Σ_i s_i |t_k − t_i|, by sorting t.

    In sorted order what lies below t_k is Σ_{j≤k} (t_j − t_{j−1}) Σ_{i<j} s_i, a sum of
    positive numbers, and likewise above: O(K log K) and without cancellation in either.
    """
    order = np.argsort(t, axis=-1, kind="stable")
    s, t = np.take_along_axis(s, order, axis=-1), np.take_along_axis(t, order, axis=-1)
    gap = np.concatenate([np.diff(t, axis=-1), 0 * t[..., :1]], axis=-1)  # to the next
    below = _exclusive_cumsum(gap * np.cumsum(s, axis=-1))
    steps = gap * _exclusive_cumsum_from_right(s)
    above = np.cumsum(steps[..., ::-1], axis=-1)[..., ::-1]
    back = np.argsort(order, axis=-1)
    return Product(*(np.take_along_axis(a, back, axis=-1) for a in (below - above, below + above)))


def sparsemax(x: npt.ArrayLike) -> Array:
    """max(x − τ, 0), Σ max(x − τ, 0) = 1, by bisection in extended precision."""
    x = np.asarray(x).astype(np.longdouble)
    high = x.max(axis=-1, keepdims=True)
    low = high - 1
    for _ in range(80):
        middle = (low + high) / 2
        enough = np.maximum(x - middle, 0).sum(axis=-1, keepdims=True) >= 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.maximum(x - low, 0)
