"""The maps of rows, written with sums and maxima over a row.

Each takes a row, whose `sum` and `max` of a function of its entries are numbers, and gives the
function of the entries that is the result. Entries are those of the operands, in float32. The forms
are those of `rows` and `softmax_maps`, with s for the softmax, whichever way it was kept.
"""

from collections.abc import Callable
from typing import Protocol

import jax.numpy as jnp
from jax import Array

from jaxcalc._functions.rows import Rows

Entries = Callable[..., Array]


class RowInKernel(Protocol):
    """What a map may ask of a row."""

    def sum(self, f: Entries) -> Array:
        """Σ f over the entries."""

    def max(self, f: Entries) -> Array:
        """max f over the entries."""


Map = Callable[[RowInKernel, Rows, bool], Entries]  # of a row, its accuracy, whether it has 16 bits


def softmax(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """exp(x − m) / Σ exp(x − m)."""
    return _normalised(row, rows, narrow)


def log_softmax(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """x − m − log Σ exp(x − m)."""
    m = row.max(_first)
    log_total = jnp.log(row.sum(lambda x: jnp.exp(_shifted(x, m, rows, narrow)[0])))
    return lambda x: _shifted(x, m, rows, narrow)[0] - log_total


def softmax_product(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """s ⊙ (t − ⟨s, t⟩)."""
    s = _kept(row, rows, narrow)
    centered = _center(row, s, rows, narrow)
    return lambda r, t: s(r) * centered(r, t)


def log_softmax_product(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """t − ⟨s, t⟩."""
    return _center(row, _kept(row, rows, narrow), rows, narrow)


def log_softmax_transposed(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """g − s Σg; with one class of most of the probability, minus the sum of the others there."""
    return _center_transposed(row, _kept(row, rows, narrow), lambda _, g: g, rows)


def softmax_curvature(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """Cᵀ(ds ⊙ C t), where C t = t − ⟨s, t⟩ and s changes by ds."""
    s = _kept(row, rows, narrow)
    centered = _center(_View(row, _with_second), s, rows, narrow)
    change = _change(row, s, rows, narrow)
    return _center_transposed(row, s, lambda r, t, dr: change(r, dr) * centered(r, t), rows)


def softmax_curvature_transposed(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """C t ⊙ C w, and of that the change of what was kept."""
    s = _kept(row, rows, narrow)
    first = _center(_View(row, _with_second), s, rows, narrow)
    second = _center(_View(row, _with_third), s, rows, narrow)

    def both(r: Array, t: Array, w: Array) -> Array:
        return first(r, t) * second(r, w)

    if rows.source == "softmax":
        return both
    seen = _View(row, lambda r, t, w: (r, both(r, t, w)))
    centered = _center(seen, s, rows, narrow)
    return lambda r, t, w: s(r) * centered(r, both(r, t, w))


class _View:
    """A row of which functions see what is made of the entries."""

    def __init__(self, row: RowInKernel, made: Callable[..., tuple[Array, ...]]) -> None:
        self._row, self._made = row, made

    def sum(self, f: Entries) -> Array:
        return self._row.sum(lambda *entries: f(*self._made(*entries)))

    def max(self, f: Entries) -> Array:
        return self._row.max(lambda *entries: f(*self._made(*entries)))


def _with_second(r: Array, t: Array, _: Array) -> tuple[Array, ...]:
    return r, t


def _with_third(r: Array, _: Array, t: Array) -> tuple[Array, ...]:
    return r, t


def _change(row: RowInKernel, s: Entries, rows: Rows, narrow: bool) -> Entries:
    """ds, from the change of what was kept."""
    if rows.source == "softmax":
        return lambda _, dr: dr
    centered = _center(_View(row, _with_third), s, rows, narrow)
    return lambda r, dr: s(r) * centered(r, dr)


def _center_transposed(row: RowInKernel, s: Entries, g: Entries, rows: Rows) -> Entries:
    g_sum = row.sum(g)

    def h(r: Array, *rest: Array) -> Array:
        return g(r, *rest) - s(r) * g_sum

    if rows.accuracy == "fast":
        return h
    others = row.sum(lambda r, *rest: jnp.where(s(r) > 0.5, 0.0, h(r, *rest)))
    return lambda r, *rest: jnp.where(s(r) > 0.5, -others, h(r, *rest))


def _first(x: Array, *_: Array) -> Array:
    return x


def _kept(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    """The softmax as a function of what was kept of it."""
    return _first if rows.source == "softmax" else _normalised(row, rows, narrow)


def _normalised(row: RowInKernel, rows: Rows, narrow: bool) -> Entries:
    m = row.max(_first)

    def e(x: Array, *_: Array) -> Array:
        d, err = _shifted(x, m, rows, narrow)
        return jnp.exp(d) if err is None else jnp.exp(d) * (1 + err)

    share = 1 / row.sum(e)
    return lambda x, *_: e(x) * share


def _shifted(x: Array, m: Array, rows: Rows, narrow: bool) -> tuple[Array, Array | None]:
    """x − m, and the rounding of it where the result has bits for it."""
    return (x - m, None) if narrow or rows.accuracy == "fast" else _exact_difference(x, m)


def _exact_difference(x: Array, m: Array) -> tuple[Array, Array]:
    """d + err = x − m without error, in quarters, which do not overflow; d = −inf for x = −inf."""
    quarter, shift = jnp.maximum(0.25 * x, -0.75 * float(jnp.finfo(x.dtype).max)), 0.25 * m
    d = quarter - shift
    back = d - quarter
    return 4 * d, 4 * ((quarter - (d - back)) - (shift + back))


def _center(row: RowInKernel, s: Entries, rows: Rows, narrow: bool) -> Entries:
    """t − ⟨s, t⟩, from the entry of t that is nearest to the mean."""
    mean = row.sum(lambda r, t: s(r) * t)
    if rows.accuracy == "fast":
        return lambda _, t: t - mean
    first = 0.0 if narrow else mean
    left = mean if narrow else row.sum(lambda r, t: s(r) * (t - first))

    def distance(r: Array, t: Array) -> Array:
        # what has no probability is left out, and with it what is beyond the row
        return jnp.where(s(r) > 0, jnp.abs(t - first - left), jnp.inf)

    least = -row.max(lambda r, t: -distance(r, t))
    second = row.max(lambda r, t: jnp.where(distance(r, t) == least, t - first, -jnp.inf))
    third = row.sum(lambda r, t: s(r) * (t - first - second))
    return lambda _, t: t - first - second - third
