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


def written(term: Term) -> maps.Term:
    """The term in expressions, its labels counted from 0 in the order in which they appear."""
    appearing = (*term.out, *term.links, *(label for f in term.factors for label in f.labels))
    number = {label: i for i, label in enumerate(dict.fromkeys(appearing))}
    return maps.Term(
        factors=tuple((f.expression, tuple(number[k] for k in f.labels)) for f in term.factors),
        links=tuple((number[k], link.axis, link.shift(k)) for k, link in term.links.items()),
        out=tuple(number[label] for label in term.out),
        scale=term.scale,
    )


def is_identity(term: Term) -> bool:
    """Whether the term is x itself."""
    plain = all(term.links[label].is_plain(label) for label in term.out if label in term.links)
    axes = [term.links[label].axis for label in term.out if label in term.links]
    return (
        not term.factors
        and term.scale == 1
        and plain
        and axes == list(range(len(term.links))) == list(range(len(term.out)))
    )


# --- what the linear program does to a term ---


def scaled(term: Term, scale: float) -> Term:
    """scale · y."""
    return replace(term, scale=term.scale * scale)


def times(term: Term, coefficient: Coefficient) -> Term:
    """coefficient ⊙ y."""
    if not coefficient.labels and isinstance(coefficient.array, np.ndarray):
        return scaled(term, float(coefficient.array))
    return normal(replace(term, factors=(*term.factors, coefficient)))


def where(term: Term, mask: Coefficient, dtype: np.dtype) -> Term:
    """y where the mask holds, else 0; an infinite coefficient leaves nothing there."""
    term = normal(term)
    index = _outer_factor(term)
    if index is None:
        return replace(term, factors=(_as_number(mask, dtype), *term.factors))
    factors = list(term.factors)
    factors[index] = chosen(mask, factors[index])
    return replace(term, factors=tuple(factors))


def _outer_factor(term: Term) -> int | None:
    """The position of a coefficient without summed labels."""
    outer = (i for i, f in enumerate(term.factors) if term.summed.isdisjoint(f.labels))
    return next(outer, None)


def _as_number(mask: Coefficient, dtype: np.dtype) -> Coefficient:
    expression = call("indicator", (mask.expression,), mask.expression.shape)
    return mask._replace(array=jnp.asarray(mask.array, dtype), expression=expression)


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
    touching = [f for f in term.factors if label in f.labels]
    if not touching:
        return scaled(term, label.size)
    others = [f for f in term.factors if label not in f.labels]
    return replace(term, factors=(*others, product(touching, (label,))))


def _gathered(term: Term, label: Label) -> Term:
    """Where a summed label is shifted against its axis of x: the coefficients move instead."""
    link = term.links[label]
    if link.is_plain(label):
        return term
    touching = [f for f in term.factors if label in f.labels]
    others = [f for f in term.factors if label not in f.labels]
    weight = product(touching) if touching else _ones(label, _dtype_of(term))
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


def _dtype_of(term: Term) -> np.dtype:
    return term.factors[0].array.dtype if term.factors else np.dtype(jnp.result_type(float))


def _ones(label: Label, dtype: np.dtype) -> Coefficient:
    return Coefficient(np.ones(label.size, dtype), call("ones", (), (label.size,)), (label,))


def broadcast(term: Term, shape: Sequence[int], axes: Sequence[int]) -> Term:
    """y broadcast to `shape`, its axes becoming `axes`."""
    stretched = [i for i, axis in enumerate(axes) if term.out[i].size != shape[axis]]
    kept = [axis for i, axis in enumerate(axes) if i not in stretched]
    term = summed(term, stretched) if stretched else term
    labels = dict(zip(kept, term.out, strict=True))
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
    touching = [c for c in term.factors if old in c.labels]
    others = [c for c in term.factors if old not in c.labels]
    if touching:
        others.append(along(product(touching), old, new, move))
    elif (places < 0).any() and new.size != 1:
        others.append(mask_of(np.where(places < 0, 0, 1).astype(dtype), new))
    links = dict(term.links)
    if old in links:
        links[new] = _link_through(links.pop(old), old, places)
    out = tuple(new if a == axis else label for a, label in enumerate(term.out))
    scale = term.scale if (places >= 0).any() else 0.0
    return Term(tuple(others), links, out, scale)


def without_masks(term: Term) -> Term:
    """Where nothing but masks known while tracing weighs a term, what they leave is a selection."""
    masks = [f for f in term.factors if isinstance(f.array, np.ndarray) and len(f.labels) == 1]
    linked = all(f.labels[0] in term.links and f.labels[0] in term.out for f in masks)
    if not masks or len(masks) < len(term.factors) or not linked:
        return term
    links = dict(term.links)
    for mask in masks:
        if not np.isin(mask.array, (0, 1)).all():
            return term
        (label,) = mask.labels
        indices = np.where(mask.array == 1, links[label].indices(label), -1)
        links[label] = links[label]._replace(places=tuple(indices.tolist()))
    return replace(term, factors=(), links=links)


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
    visible = {*term.links, *term.out}
    for label in {label for f in term.factors for label in f.labels} - visible:
        term = _contracted(term, label)
    summed, free = term.summed, term.free
    inner: list[Coefficient] = []
    outer: list[Coefficient] = []
    between: list[Coefficient] = []
    for factor in term.factors:
        reads = not summed.isdisjoint(factor.labels)
        writes = not free.isdisjoint(factor.labels)
        (between if reads and writes else inner if reads else outer).append(factor)
    if inner and not between and all(free.isdisjoint(f.labels) for f in outer):
        inner, outer = [*outer, *inner], []
    factors = [*([product(outer)] if outer else []), *between, *([product(inner)] if inner else [])]
    return replace(term, factors=tuple(factors))
