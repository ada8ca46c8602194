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
    shared, of_a = _split(a, b)
    also, of_b = _split(b, a)
    has_square = len(shared) != len(also)
    if has_square or max(len(of_a), len(of_b)) > 1 or not _one_side(a, of_a + of_b):
        return None
    if not of_a + of_b:
        return replace(a, scale=a.scale + b.scale)
    return _added(a, b, shared, of_a, of_b)


Factors = tuple[Coefficient, ...]


def _split(term: Term, other: Term) -> tuple[Factors, Factors]:
    """The coefficients of a term that another has too, and the rest."""
    has = [any(same(factor, f) for f in other.factors) for factor in term.factors]
    pairs = list(zip(term.factors, has, strict=True))
    return tuple(f for f, both in pairs if both), tuple(f for f, both in pairs if not both)


def _one_side(term: Term, factors: Factors) -> bool:
    """Whether their sum would still be on one side of an outer product."""
    labels = replace(term, factors=factors).labels
    return labels.isdisjoint(term.free) or labels.isdisjoint(term.summed)


def _added(a: Term, b: Term, shared: Factors, of_a: Factors, of_b: Factors) -> Term:
    """The sum, where at most one coefficient of each is not shared."""
    scale = a.scale if a.scale == b.scale else 1.0
    dtype = (of_a + of_b)[0].array.dtype
    one = Coefficient(np.ones((), dtype), call("ones", (), ()), ())
    (f,), (g,) = of_a or (one,), of_b or (one,)
    parts = scaled(f, a.scale / scale), scaled(g, b.scale / scale)
    are_known = all(isinstance(part.array, np.ndarray) for part in parts)
    if not are_known or parts[0].labels != parts[1].labels:
        both = replace(a, factors=(*shared, total(*parts)), scale=scale)
        return both if are_known else normal(both)
    mask = mask_of(np.asarray(parts[0].array + parts[1].array), *parts[0].labels)
    if (mask.array == 1).all():
        return replace(a, factors=shared, scale=scale)
    return normal(replace(a, factors=(*shared, mask), scale=scale))


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
