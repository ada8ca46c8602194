"""From a sum of terms to an operator: the structure is read off the labels."""

import itertools
from collections.abc import Sequence
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._arrays import in_dtype
from jaxcalc._derive._bound import Mover, Rearranged, Rolled, Taken, reshaped
from jaxcalc._derive._coefficients import Coefficient, Label, arranged, product
from jaxcalc._derive._terms import Link, Shape, Term, without_masks

Operator = ops.LinearOperator


def operator_of(terms: Sequence[Term], codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """The operator of a sum of terms without tied axes in common, unless they are pointwise."""
    shapes = (codomain, domain, dtype)
    if len(terms) == 1:
        return _operator(without_masks(terms[0]), *shapes)
    return reduce(ops.add, (_shifted(term, *shapes) or _operator(term, *shapes) for term in terms))


def _operator(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    if term.is_pointwise:
        return _pointwise(term, codomain, domain, dtype)
    if not term.is_dense:
        return _outer_product(term, codomain, domain, dtype)
    return _matrices(term, codomain, domain, dtype)


# --- pointwise: diagonal, shifted, picked ---


def _pointwise(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """Each entry of the result from one entry of the source."""
    band = _shifted(term, codomain, domain, dtype) if term.factors else None
    if band is not None:
        return band
    selections = _selections(_reading(term, codomain, domain), dtype)
    return reduce(ops.compose, selections, _weighted(term, codomain, dtype))


def _shifted(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator | None:
    """A band: weights of entries that are shifted; None if the entries are not."""
    offsets = _offsets(term, codomain, domain) if term.is_pointwise else None
    if offsets is None or (not any(offsets) and codomain == domain):
        return None
    weights = jnp.broadcast_to(_along(term.factors, term.out, dtype, term.scale), codomain)
    return ops.Banded(weights[None], (offsets,), domain)


def _offsets(term: Term, codomain: Shape, domain: Shape) -> tuple[int, ...] | None:
    """How each axis is shifted, where result and source have the same axes in the same order."""
    links = [term.links[k] for k in term.out if k in term.links and term.links[k].places is None]
    axes = [link.axis for link in links]
    if not axes == list(range(len(codomain))) == list(range(len(domain))):
        return None
    return tuple(link.offset for link in links)


def _weighted(term: Term, shape: Shape, dtype: np.dtype) -> Operator:
    if term.factors:
        entries = _along(term.factors, term.out, dtype, term.scale)
        return ops.Diagonal(jnp.broadcast_to(entries, shape))
    if term.scale == 1:
        return ops.Identity(shape, dtype)
    return ops.Identity(shape, dtype, jnp.asarray(term.scale, dtype))


def _along(
    factors: Sequence[Coefficient], labels: Sequence[Label], dtype: np.dtype, scale: float = 1.0
) -> Array:
    """scale times the product of the factors, with an axis for each label."""
    sizes = [label.size for label in labels]
    if not factors:
        return jnp.full(sizes, scale, dtype)
    large = tuple(label for label in labels if label.size > 1)
    array = in_dtype(arranged(product(factors), large).array, dtype)
    array = array if len(large) == len(sizes) else jnp.reshape(array, sizes)
    return array if scale == 1 else array * jnp.asarray(scale, dtype)


def _reading(term: Term, codomain: Shape, domain: Shape) -> list[tuple[Mover, Shape]]:
    """Which entry of the source each of the result reads: what moves them, and from which shape.

    Axes of size 1 are left out on the way.
    """
    read = [(label, term.links[label]) for label in term.out if label in term.links]
    large = [(label, link) for label, link in read if max(link.size, label.size) > 1]
    order = [link.axis for _, link in large]
    permutation = (*order, *sorted({*range(len(domain))} - {*order}))
    if all(link.is_plain(label) for label, link in large):
        return [(Rearranged(permutation, codomain), domain)]
    shape, reader = tuple(link.size for _, link in large), _reader(large)
    return [
        (reshaped(len(reader.shape), codomain), reader.shape),
        (reader, shape),
        (Rearranged(permutation, shape), domain),
    ]


def _selections(moves: Sequence[tuple[Mover, Shape]], dtype: np.dtype) -> list[Operator]:
    """The moves as operators, the last applied first, without those that change nothing."""
    return [ops.Selection(f, f.shape, x, dtype) for f, x in moves if not f.keeps(x)]


def _reader(read: Sequence[tuple[Label, Link]]) -> Rolled | Taken:
    if all(link.places is None and label.size <= link.size for label, link in read):
        offsets = tuple(link.offset for _, link in read)
        return Rolled(offsets, tuple(label.size for label, _ in read))
    return Taken(tuple(_places(*pair) for pair in read))


def _places(label: Label, link: Link) -> Array:
    """The indices in the source; beyond its end, where nothing is read."""
    places = link.indices(label)
    return jnp.asarray(np.where(places < 0, link.size, places), jnp.int32)


# --- rank one ---


def _outer_product(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """± U Vᵀ, of one column each."""
    inner = [f for f in term.factors if not term.summed.isdisjoint(f.labels)]
    outer = [f for f in term.factors if term.summed.isdisjoint(f.labels)]
    out = [label for label in term.out if label.size > 1]
    U, V = _along(outer, out, dtype, abs(term.scale)), _along(inner, _source(term), dtype)
    return ops.LowRank(
        U.reshape((*codomain, 1)), V.reshape((*domain, 1)), -1 if term.scale < 0 else 1
    )


def _source(term: Term) -> list[Label]:
    """The label of each axis of the source that is longer than one."""
    labels = sorted(term.links, key=lambda label: term.links[label].axis)
    return [label for label in labels if label.size > 1]


# --- matrices ---


def _matrices(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """One matrix, or a Kronecker product of matrices that act on different axes."""
    source, out = _source(term), [label for label in term.out if label.size > 1]
    groups = sorted(
        _connected(term.factors), key=lambda group: list(map(out.index, _labels_in(group, out)))
    )
    if len(groups) > 1 and _follow(groups, source) and _follow(groups, out):
        ends = [(_labels_in(group, out), _labels_in(group, source)) for group in groups]
        first, *rest = (
            ops.Dense(_along(group, (*rows, *columns), dtype), len(rows))
            for group, (rows, columns) in zip(groups, ends, strict=True)
        )
        scaled = first if term.scale == 1 else first * term.scale
        return _reshaped(ops.Kronecker((scaled, *rest)), codomain, domain, dtype)
    array = _along(term.factors, (*out, *source), dtype, term.scale)
    return ops.Dense(array.reshape(codomain + domain), len(codomain))


def _connected(factors: Sequence[Coefficient]) -> list[list[Coefficient]]:
    """The factors in groups without labels in common."""
    groups: list[list[Coefficient]] = []
    for factor in factors:
        touching = [group for group in groups if _labels_in(group, factor.labels)]
        others = [group for group in groups if not _labels_in(group, factor.labels)]
        groups = [*others, [*itertools.chain(*touching), factor]]
    return groups


def _follow(groups: Sequence[Sequence[Coefficient]], labels: list[Label]) -> bool:
    """Whether the groups have the labels one after another, each some of them."""
    parts = [_labels_in(group, labels) for group in groups]
    return all(parts) and [*itertools.chain(*parts)] == labels


def _labels_in(group: Sequence[Coefficient], labels: Sequence[Label]) -> list[Label]:
    """Those of the labels that the group has."""
    return [label for label in labels if any(label in factor.labels for factor in group)]


def _reshaped(op: Operator, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """The operator between shapes that have axes of size 1 besides."""
    before = [(reshaped(len(domain), op.domain), domain)]
    after = [(reshaped(len(op.codomain), codomain), op.codomain)]
    return reduce(ops.compose, [*_selections(after, dtype), op, *_selections(before, dtype)])
