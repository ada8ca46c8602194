"""From a sum of terms to an operator: the structure is read off the labels."""

from collections.abc import Sequence
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._derive._blocks import is_pointwise
from jaxcalc._derive._bound import Rearranged, Rolled, Taken
from jaxcalc._derive._coefficients import Coefficient, Label, arranged, product
from jaxcalc._derive._graph import Shape
from jaxcalc._derive._terms import Link, Term, without_masks

Operator = ops.LinearOperator


def operator_of(terms: Sequence[Term], codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """The operator of a sum of terms without tied axes in common, unless they are pointwise."""
    if len(terms) == 1:
        return _operator(without_masks(terms[0]), codomain, domain, dtype)
    shifted = [_shifted(term, codomain, domain, dtype) for term in terms]
    each = [
        _operator(term, codomain, domain, dtype) if band is None else band
        for term, band in zip(terms, shifted, strict=True)
    ]
    return reduce(ops.add, each)


def _operator(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    if is_pointwise(term):
        return _pointwise(term, codomain, domain, dtype)
    if not any(_joins(term, factor) for factor in term.factors):
        return _outer_product(term, codomain, domain, dtype)
    return _matrices(term, codomain, domain, dtype)


# --- pointwise: diagonal, shifted, picked ---


def _pointwise(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """Each entry of the result from one entry of the source."""
    selection = _selection(term, codomain, domain, dtype)
    weights = _weighted(term, codomain, dtype)
    if selection is None:
        return weights
    if isinstance(weights, ops.Diagonal):
        band = _shifted(term, codomain, domain, dtype)
        return ops.compose(weights, selection) if band is None else band
    return ops.compose(weights, selection)


def _shifted(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator | None:
    """A band: weights of entries that are shifted; None if the entries are not."""
    offsets = _offsets(term, codomain, domain) if is_pointwise(term) else None
    if offsets is None or (not any(offsets) and codomain == domain):
        return None
    weights = jnp.broadcast_to(_entries(term, dtype), codomain)
    return ops.Banded(weights[None], (offsets,), domain)


def _weighted(term: Term, shape: Shape, dtype: np.dtype) -> Operator:
    if term.factors:
        return ops.Diagonal(jnp.broadcast_to(_entries(term, dtype), shape))
    if term.scale == 1:
        return ops.Identity(shape, dtype)
    return ops.Identity(shape, dtype, jnp.asarray(term.scale, dtype))


def _entries(term: Term, dtype: np.dtype) -> Array:
    """scale · the coefficients, along the axes of the result."""
    if not term.factors:
        return jnp.asarray(term.scale, dtype)
    return _scaled(_along(term.factors, term.out), term.scale, dtype)


def _scaled(array: Array, scale: float, dtype: np.dtype) -> Array:
    array = jnp.asarray(array, dtype)
    return array if scale == 1 else array * jnp.asarray(scale, dtype)


def _along(factors: Sequence[Coefficient], labels: Sequence[Label]) -> Array:
    """The product of the factors with an axis for each label."""
    large = tuple(label for label in labels if label.size > 1)
    array = arranged(product(factors), large).array
    return jnp.reshape(jnp.asarray(array), [label.size for label in labels])


def _selection(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator | None:
    """Which entry of the source each entry of the result reads; None if it is its own."""
    read = [(label, term.links[label]) for label in term.out if label in term.links]
    large = [(label, link) for label, link in read if link.size > 1 or label.size > 1]
    order = [link.axis for _, link in large]
    long = [axis for axis, size in enumerate(domain) if size != 1]
    if codomain == domain and order == long and all(link.is_plain(k) for k, link in large):
        return None
    shape = tuple(link.size for _, link in large)
    steps: list[Operator] = []
    rest = [axis for axis in range(len(domain)) if axis not in order]
    permutation = (*order, *rest)
    if permutation != tuple(range(len(domain))) or shape != domain:
        steps.append(ops.Selection(Rearranged(permutation, shape), shape, domain, dtype))
    between = tuple(label.size for label, _ in large)
    if any(not link.is_plain(label) for label, link in large):
        steps.append(ops.Selection(_reader(large), between, shape, dtype))
    if between != codomain:
        flat = tuple(range(len(between)))
        steps.append(ops.Selection(Rearranged(flat, codomain), codomain, between, dtype))
    return reduce(lambda inner, outer: ops.compose(outer, inner), steps) if steps else None


def _reader(read: Sequence[tuple[Label, Link]]) -> Rolled | Taken:
    if all(link.places is None and label.size <= link.size for label, link in read):
        offsets = tuple(link.offset for _, link in read)
        return Rolled(offsets, tuple(label.size for label, _ in read))
    places = [link.indices(label) for label, link in read]
    sizes = [link.size for _, link in read]
    # beyond the end, where nothing is read
    inside = [np.where(p < 0, n, p) for p, n in zip(places, sizes, strict=True)]
    return Taken(tuple(jnp.asarray(p, jnp.int32) for p in inside))


def _offsets(term: Term, codomain: Shape, domain: Shape) -> tuple[int, ...] | None:
    """How each axis is shifted, where result and source have the same axes in the same order."""
    links = [term.links.get(label) for label in term.out]
    if len(codomain) != len(domain) or any(link is None for link in links):
        return None
    known = [link for link in links if link is not None]
    if [link.axis for link in known] != list(range(len(domain))):
        return None
    if any(link.places is not None for link in known):
        return None
    return tuple(link.offset for link in known)


# --- rank one ---


def _outer_product(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """± U Vᵀ, of one column each."""
    inner = [f for f in term.factors if not term.summed.isdisjoint(f.labels)]
    outer = [f for f in term.factors if term.summed.isdisjoint(f.labels)]
    out = [label for label in term.out if label.size > 1]
    U, V = _column(outer, out, dtype), _column(inner, _source(term), dtype)
    U = _scaled(U, abs(term.scale), dtype).reshape((*codomain, 1))
    return ops.LowRank(U, V.reshape((*domain, 1)), -1 if term.scale < 0 else 1)


def _source(term: Term) -> list[Label]:
    """The label of each axis of the source that is longer than one."""
    labels = sorted(term.links, key=lambda label: term.links[label].axis)
    return [label for label in labels if label.size > 1]


def _column(factors: Sequence[Coefficient], labels: Sequence[Label], dtype: np.dtype) -> Array:
    if not factors:
        return jnp.ones([label.size for label in labels], dtype)
    return _along(factors, labels).astype(dtype)


# --- matrices ---


def _joins(term: Term, factor: Coefficient) -> bool:
    return not term.summed.isdisjoint(factor.labels) and not term.free.isdisjoint(factor.labels)


def _matrices(term: Term, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """One matrix, or a Kronecker product of matrices that act on different axes."""
    source, out = _source(term), [label for label in term.out if label.size > 1]
    groups = _connected(term.factors)
    if len(groups) > 1 and _in_order(groups, source, out):
        matrices = [_matrix(group, source, out, dtype) for group in groups]
        first, *rest = matrices
        scaled = first if term.scale == 1 else first * term.scale
        return _reshaped(ops.Kronecker((scaled, *rest)), codomain, domain, dtype)
    array = _scaled(_along(term.factors, (*out, *source)), term.scale, dtype)
    return ops.Dense(array.reshape(codomain + domain), len(codomain))


def _connected(factors: Sequence[Coefficient]) -> list[list[Coefficient]]:
    """The factors in groups without labels in common."""
    groups: list[list[Coefficient]] = []
    for factor in factors:
        touching = [g for g in groups if any(set(f.labels) & set(factor.labels) for f in g)]
        groups = [g for g in groups if g not in touching]
        groups.append([*(f for g in touching for f in g), factor])
    return groups


def _labels_in(group: Sequence[Coefficient], labels: Sequence[Label]) -> list[Label]:
    return [label for label in labels if any(label in factor.labels for factor in group)]


def _in_order(
    groups: list[list[Coefficient]], source: Sequence[Label], out: Sequence[Label]
) -> bool:
    """Sorts the groups by their axes; whether these follow each other in source and result."""
    groups.sort(key=lambda group: [out.index(label) for label in _labels_in(group, out)])
    complete = all(_labels_in(g, source) and _labels_in(g, out) for g in groups)
    ins = [label for group in groups for label in _labels_in(group, source)]
    outs = [label for group in groups for label in _labels_in(group, out)]
    return complete and ins == list(source) and outs == list(out)


def _matrix(
    group: Sequence[Coefficient], source: Sequence[Label], out: Sequence[Label], dtype: np.dtype
) -> Operator:
    rows, columns = _labels_in(group, out), _labels_in(group, source)
    return ops.Dense(_along(group, (*rows, *columns)).astype(dtype), len(rows))


def _reshaped(op: Operator, codomain: Shape, domain: Shape, dtype: np.dtype) -> Operator:
    """The operator between shapes that have axes of size 1 besides."""
    if op.domain != domain:
        flat = Rearranged(tuple(range(len(domain))), op.domain)
        op = ops.compose(op, ops.Selection(flat, op.domain, domain, dtype))
    if op.codomain != codomain:
        flat = Rearranged(tuple(range(len(op.codomain))), codomain)
        op = ops.compose(ops.Selection(flat, codomain, op.codomain, dtype), op)
    return op
