"""Terms: linear maps as products of coefficients whose axes have labels, that is, as einsums.

A term maps x to

    y[out] = scale · Σ Π coefficients[labels] · x[links],

summed over the labels that are not in `out`. Each axis of x is read through one link: at a label,
or at a label plus an offset (modulo the size), or at tabulated places. So a label that is linked is

    paired      if it is in `out` too: the map is diagonal in that axis, or a shift;
    summed      if it is not: the axis is reduced;

and a label of `out` without a link is free: the term is constant in it but for its coefficients.
With s the only coefficient, Diag(s) is s[i] x[i] → y[i], and s sᵀ is s[i] s[j] x[j] → y[i].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcalc._derive._coefficients import (
    Coefficient,
    Label,
    Labels,
    Move,
    Value,
    along,
    chosen,
    dropped,
    fresh,
    mask_of,
    product,
)
from jaxcalc._formula import call, maps, number

Shape = tuple[int, ...]
Pair = tuple[int, int]  # an axis of the result and the axis of the source it is tied to
Places = tuple[int, ...]  # the index in x for each index of the label; -1 for none


class Link(NamedTuple):
    """How an axis of x is read: at the label plus `offset`, or at `places`."""

    axis: int
    size: int
    offset: int = 0
    places: Places | None = None

    def is_plain(self, label: Label) -> bool:
        """Whether the label is just that axis."""
        return self.places is None and self.offset == 0 and label.size == self.size

    def shift(self, label: Label) -> Places | int | None:
        """The places or the offset; None where there is neither."""
        return None if self.is_plain(label) else self.places or self.offset

    def indices(self, label: Label) -> np.ndarray:
        """The index in x for each index of the label."""
        if self.places is not None:
            return np.asarray(self.places)
        return (np.arange(label.size) + self.offset) % self.size


@dataclass(frozen=True, eq=False)
class Term:
    """One einsum; see above. `factors` are kept few by `normal`."""

    factors: tuple[Coefficient, ...]
    links: dict[Label, Link]
    out: Labels
    scale: float = 1.0

    @property
    def summed(self) -> set[Label]:
        """The linked labels that the result lacks."""
        return {label for label in self.links if label not in self.out}

    @property
    def free(self) -> set[Label]:
        """The labels of the result without a link."""
        return {label for label in self.out if label not in self.links}

    @property
    def labels(self) -> set[Label]:
        """The labels of the coefficients."""
        return {label for f in self.factors for label in f.labels}

    def parted(self, label: Label) -> tuple[list[Coefficient], list[Coefficient]]:
        """The coefficients that have the label, and the others."""
        touching = [f for f in self.factors if label in f.labels]
        return touching, [f for f in self.factors if label not in f.labels]

    @property
    def is_pointwise(self) -> bool:
        """Whether each entry of the result reads at most one entry of the source."""
        return all(label.size == 1 for label in self.summed | self.free)

    @property
    def pairs(self) -> set[Pair]:
        """The axes of the result that are tied to axes of the source."""
        linked = ((a, label, self.links.get(label)) for a, label in enumerate(self.out))
        return {
            (a, link.axis)
            for a, label, link in linked
            if link is not None and label.size > 1 and link.is_plain(label)
        }

    @property
    def is_dense(self) -> bool:
        """Whether one coefficient joins summed axes to free ones, as a matrix does."""
        summed, free = self.summed, self.free
        return any(
            not summed.isdisjoint(f.labels) and not free.isdisjoint(f.labels) for f in self.factors
        )


def identity(shape: Sequence[int]) -> Term:
    """x itself."""
    labels = tuple(fresh(size) for size in shape)
    links = {label: Link(axis, label.size) for axis, label in enumerate(labels)}
    return Term((), links, labels)


def term_at(term: Term, pair: Pair, index: str) -> Term:
    """The term at one index along two axes that are tied."""
    a, c = pair
    label = term.out[a]
    links = {
        other: link._replace(axis=link.axis - (link.axis > c))
        for other, link in term.links.items()
        if other != label
    }
    factors = tuple(f.at(label, index) for f in term.factors)
    return replace(term, factors=factors, links=links, out=dropped(term.out, a))


def written(term: Term) -> maps.Einsum:
    """The term in expressions, its labels counted from 0 in the order in which they appear."""
    appearing = (*term.out, *term.links, *(label for f in term.factors for label in f.labels))
    number = {label: i for i, label in enumerate(dict.fromkeys(appearing))}
    return maps.Einsum(
        factors=tuple((f.expression, tuple(number[k] for k in f.labels)) for f in term.factors),
        links=tuple((number[k], link.axis, link.shift(k)) for k, link in term.links.items()),
        out=tuple(number[label] for label in term.out),
        scale=term.scale,
    )


def is_identity(term: Term) -> bool:
    """Whether the term is x itself."""
    own = {label: Link(axis, label.size) for axis, label in enumerate(term.out)}
    return not term.factors and term.scale == 1 and term.links == own


# --- what the linear program does to a term ---


def scaled(term: Term, scale: float) -> Term:
    """scale · y."""
    return replace(term, scale=term.scale * scale)


def times(term: Term, coefficient: Coefficient) -> Term:
    """coefficient ⊙ y; the scale takes numbers, but neither infinities nor NaN."""
    if not coefficient.labels and isinstance(coefficient.array, np.ndarray):
        together = scaled(term, float(coefficient.array))
        if math.isfinite(together.scale):
            return together
    return normal(replace(term, factors=(*term.factors, coefficient)))


def where(term: Term, mask: Coefficient, dtype: np.dtype) -> Term:
    """y where the mask holds, else 0; an infinite coefficient leaves nothing there."""
    term = normal(term)
    outer = [f for f in term.factors[:1] if term.summed.isdisjoint(f.labels)]
    if outer:
        return replace(term, factors=(chosen(mask, *outer), *term.factors[1:]))
    expression = call("indicator", (mask.expression,), mask.expression.shape)
    as_number = mask._replace(array=jnp.asarray(mask.array, dtype), expression=expression)
    return replace(term, factors=(as_number, *term.factors))


def summed(term: Term, axes: Sequence[int]) -> Term:
    """y summed over some of its axes."""
    gone = [term.out[axis] for axis in axes]
    out = tuple(label for axis, label in enumerate(term.out) if axis not in axes)
    term = replace(term, out=out)
    for label in gone:
        term = _gathered(term, label) if label in term.links else _contracted(term, label)
    return normal(term)


def _contracted(term: Term, label: Label) -> Term:
    """Summed over a label that x is not read through."""
    touching, others = term.parted(label)
    if not touching:
        return scaled(term, label.size)
    return replace(term, factors=(*others, product(touching, (label,))))


def _gathered(term: Term, label: Label) -> Term:
    """Where a summed label is shifted against its axis of x: the coefficients move instead."""
    link = term.links[label]
    if link.is_plain(label):
        return term
    touching, others = term.parted(label)
    weight = product(touching or [_ones(label, term)])
    axis_label = fresh(link.size)
    moved = along(weight, label, axis_label, _back(link, label))
    links = {axis_label if old == label else old: kept for old, kept in term.links.items()}
    links[axis_label] = Link(link.axis, link.size)
    return replace(term, factors=(*others, moved), links=links)


def _back(link: Link, label: Label) -> Move:
    """From the label to the axis of x: each entry to its place, where they add up."""
    start, stop = link.offset, link.offset + label.size
    if link.places is None and stop <= link.size:
        return padding(start, link.size - stop, 0)
    indices = link.indices(label)
    used = np.flatnonzero(indices >= 0)

    def move(value: Value, axis: int) -> Value:
        array = jnp.moveaxis(jnp.asarray(value.array), axis, -1)[..., used]
        zeros = jnp.zeros((*array.shape[:-1], link.size), array.dtype)
        moved = jnp.moveaxis(zeros.at[..., indices[used]].add(array), -1, axis)
        how = {"offset": link.offset} if link.places is None else {"places": link.places}
        written = call("scatter_axis", (value.expression,), moved.shape, axis=axis, **how)
        return Value(moved, written)

    return move


def padding(low: int, high: int, interior: int) -> Move:
    """Zeros before, after and between the entries along an axis."""

    def move(value: Value, axis: int) -> Value:
        array = jnp.asarray(value.array)
        config = [(0, 0, 0)] * array.ndim
        config[axis] = (low, high, interior)
        padded = lax.pad(array, np.zeros((), array.dtype), config)
        operands = (value.expression, number(0.0))
        return Value(padded, call("pad", operands, padded.shape, padding_config=tuple(config)))

    return move


def _ones(label: Label, term: Term) -> Coefficient:
    dtype = term.factors[0].array.dtype if term.factors else jnp.result_type(float)
    return Coefficient(np.ones(label.size, dtype), call("ones", (), (label.size,)), (label,))


def broadcast(term: Term, shape: Sequence[int], axes: Sequence[int]) -> Term:
    """y broadcast to `shape`, its axes becoming `axes`."""
    stretched = [i for i, axis in enumerate(axes) if term.out[i].size != shape[axis]]
    labels = {axis: term.out[i] for i, axis in enumerate(axes) if i not in stretched}
    term = summed(term, stretched) if stretched else term
    return replace(term, out=tuple(labels.get(a) or fresh(size) for a, size in enumerate(shape)))


def extended(term: Term, labels: Sequence[Label]) -> Term:
    """y repeated along new last axes."""
    return replace(term, out=(*term.out, *labels))


def permuted(term: Term, permutation: Sequence[int]) -> Term:
    """y with its axes in another order."""
    return replace(term, out=tuple(term.out[axis] for axis in permutation))


def moved(term: Term, axis: int, places: np.ndarray, move: Move, dtype: np.dtype) -> Term:
    """y indexed along one axis: entry k of the result is y's at `places[k]`, or 0 where that is −1.

    `move` does the same to a value.
    """
    old, new = term.out[axis], fresh(len(places))
    touching, others = term.parted(old)
    is_read = places >= 0
    if touching:
        others.append(along(product(touching), old, new, move))
    elif not is_read.all() and new.size != 1:
        others.append(mask_of(is_read.astype(dtype), new))
    links = dict(term.links)
    if old in links:
        links[new] = _link_through(links.pop(old), old, places)
    out = tuple(new if a == axis else label for a, label in enumerate(term.out))
    return Term(tuple(others), links, out, term.scale if is_read.any() else 0.0)


def without_masks(term: Term) -> Term:
    """Where nothing but masks known while tracing weighs a term, what they leave is a selection."""
    if not all(_is_mask(f, term) for f in term.factors):
        return term
    links = dict(term.links)
    for mask in term.factors:
        (label,) = mask.labels
        indices = np.where(mask.array == 1, links[label].indices(label), -1)
        links[label] = links[label]._replace(places=tuple(indices.tolist()))
    return replace(term, factors=(), links=links)


def _is_mask(factor: Coefficient, term: Term) -> bool:
    """Whether it only says which entries of an axis are read."""
    if not isinstance(factor.array, np.ndarray) or len(factor.labels) != 1:
        return False
    is_read = {*factor.labels} <= term.links.keys() & {*term.out}
    return is_read and bool(np.isin(factor.array, (0, 1)).all())


def _link_through(link: Link, label: Label, places: np.ndarray) -> Link:
    """The link of an indexed axis: a shift if it is one, whatever stands where nothing is read."""
    indices = np.where(places < 0, -1, link.indices(label)[places])
    used = np.flatnonzero(indices >= 0)
    offsets = (indices[used] - used) % link.size
    if len(used) and (offsets == offsets[0]).all():
        return Link(link.axis, link.size, int(offsets[0]))
    return Link(link.axis, link.size, places=tuple(indices.tolist()))


# --- normal form ---


def normal(term: Term) -> Term:
    """At most one coefficient that is summed with x, one that is not, and matrices between them."""
    for label in sorted(term.labels - {*term.links, *term.out}):
        term = _contracted(term, label)
    sides: tuple[list[Coefficient], ...] = ([], [], [])
    for factor in term.factors:
        sides[_side(term, factor)].append(factor)
    outer, between, inner = sides
    if inner and term.labels.isdisjoint(term.free):
        inner, outer = [*outer, *inner], []
    first, last = ([product(side)] if side else [] for side in (outer, inner))
    return replace(term, factors=(*first, *between, *last))


def _side(term: Term, factor: Coefficient) -> int:
    """2 for a coefficient that is summed with x, 1 for one that is free too, else 0."""
    if term.summed.isdisjoint(factor.labels):
        return 0
    return 2 if term.free.isdisjoint(factor.labels) else 1
