"""Sums of terms with like ones added up: a + b is one term where they differ in one coefficient."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxcalc._derive._coefficients import Coefficient, mask_of, renamed, same, scaled, total
from jaxcalc._derive._terms import Term, normal
from jaxcalc._formula import call


def merged(terms: Sequence[Term]) -> list[Term]:
    """The sum of the terms with like ones added up."""
    result: list[Term] = []
    for term in terms:
        for i, other in enumerate(result):
            joined = _joined(other, term)
            if joined is not None:
                result[i] = joined
                break
        else:
            result.append(term)
    return [term for term in result if term.scale != 0]


def _signature(term: Term) -> tuple[object, ...]:
    """How the axes of y and x hang together, without regard to the names of labels."""
    return tuple(term.links.get(label, label.size) for label in term.out)


def _joined(a: Term, b: Term) -> Term | None:
    """a + b as one term, where they differ in one coefficient at most."""
    if _signature(a) != _signature(b):
        return None
    b = _in_labels_of(a, b)
    if len(a.factors) == len(b.factors) and all(_has(b, f) for f in a.factors):
        return replace(a, scale=a.scale + b.scale)
    if len(a.factors) <= 1 and len(b.factors) <= 1 and not (a.free and a.summed):
        return _added(a, b, (), a.factors, b.factors)
    shared = [f for f in a.factors if _has(b, f)]
    rest_a = tuple(f for f in a.factors if not _has(b, f))
    rest_b = tuple(g for g in b.factors if not _has(a, g))
    if len(rest_a) - len(rest_b) != len(a.factors) - len(b.factors):  # one of them has a square
        return None
    if len(rest_a) <= 1 and len(rest_b) <= 1 and _one_side(a, (*rest_a, *rest_b)):
        return _added(a, b, tuple(shared), rest_a, rest_b)
    return None


def _has(term: Term, factor: Coefficient) -> bool:
    return any(same(factor, other) for other in term.factors)


def _one_side(term: Term, factors: Sequence[Coefficient]) -> bool:
    """Whether their sum would still be on one side of an outer product."""
    labels = {label for f in factors for label in f.labels}
    return labels.isdisjoint(term.free) or labels.isdisjoint(term.summed)


def _added(
    a: Term,
    b: Term,
    shared: tuple[Coefficient, ...],
    rest_a: tuple[Coefficient, ...],
    rest_b: tuple[Coefficient, ...],
) -> Term:
    scale = a.scale if a.scale == b.scale else 1.0
    reference = (*rest_a, *rest_b)[0]
    parts = [
        scaled(rest[0] if rest else _one(reference), term.scale / scale)
        for term, rest in ((a, rest_a), (b, rest_b))
    ]
    if parts[0].labels != parts[1].labels and all(isinstance(p.array, np.ndarray) for p in parts):
        return replace(a, factors=(*shared, total(*parts)), scale=scale)
    both = _static_total(*parts) or total(*parts)
    if isinstance(both.array, np.ndarray) and (both.array == 1).all():
        return replace(a, factors=shared, scale=scale)
    return normal(replace(a, factors=(*shared, both), scale=scale))


def _static_total(a: Coefficient, b: Coefficient) -> Coefficient | None:
    """The sum of two masks, known while tracing."""
    if not (isinstance(a.array, np.ndarray) and isinstance(b.array, np.ndarray)):
        return None
    if a.labels != b.labels:
        return None
    return mask_of(a.array + b.array, *a.labels)


def _one(like: Coefficient) -> Coefficient:
    """The number 1, in the dtype of another coefficient."""
    return Coefficient(np.ones((), like.array.dtype), call("ones", (), ()), ())


def _in_labels_of(a: Term, b: Term) -> Term:
    """b in the labels of a, to which its signature is equal."""
    names = dict(zip(b.out, a.out, strict=True))
    axes = {link.axis: label for label, link in a.links.items()}
    names |= {label: axes[link.axis] for label, link in b.links.items()}
    return Term(
        tuple(renamed(f, names) for f in b.factors),
        {names[label]: link for label, link in b.links.items()},
        tuple(names[label] for label in b.out),
        b.scale,
    )
