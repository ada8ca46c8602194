"""Taking the axes that run through all of a plan out of it, as blocks.

A pair (a, c) ties axis a of the result to axis c of the source: entries of the result at index i
depend only on entries of the source at i. The plan at one index is the plan without the two axes.
"""

from collections.abc import Sequence
from dataclasses import replace

from jaxcalc._derive._along import Along
from jaxcalc._derive._coefficients import Coefficient, Label
from jaxcalc._derive._graph import Einsums, Index, Piece, Product, Shape
from jaxcalc._derive._plan import Blocked, Chained, Leaf, Pair, Plan, Summed
from jaxcalc._derive._terms import Link, Term
from jaxcalc._formula import call

_LETTERS = "ijklmnpq"


def blocked(plan: Plan, depth: int = 0) -> Plan:
    """The plan with blocks taken out wherever there are any."""
    pairs = _tied(plan)
    if pairs and not _is_pointwise(plan):
        pair = min(pairs)
        inner = _without(plan, pair, _LETTERS[depth % len(_LETTERS)])
        return Blocked(blocked(inner, depth + 1), pair, plan.codomain[pair[0]], _LETTERS[depth % 8])
    match plan:
        case Chained(parts):
            return Chained(tuple(blocked(part, depth) for part in parts))
        case Summed(parts):
            return Summed(tuple(blocked(part, depth) for part in parts))
        case Leaf(Einsums(terms)):
            return _sorted_out(plan, terms, depth)
    return plan


def _sorted_out(leaf: Leaf, terms: tuple[Term, ...], depth: int) -> Plan:
    """Terms that are tied in axes of their own, apart from the rest, which belong together.

    A term that is not pointwise and reads shifted axes is parted from the selection that reads.
    """
    if len({_reading(term) for term in terms}) == 1 and _reads_apart(terms):
        return blocked(_after_reading(leaf, terms), depth)
    own = [term for term in terms if _term_pairs(term) and not is_pointwise(term)]
    own += [term for term in terms if term not in own and _reads_apart((term,))]
    rest = tuple(term for term in terms if term not in own)
    groups = [(term,) for term in own] + ([rest] if rest else [])
    if len(groups) == 1:
        return leaf
    leaves = [Leaf(Einsums(tuple(group)), leaf.codomain, leaf.domain) for group in groups]
    return Summed(tuple(blocked(part, depth) for part in leaves))


def _reading(term: Term) -> tuple[tuple[int, Link], ...]:
    """The axes of the source that are not read as they are: how long, and how."""
    linked = [(label.size, link) for label, link in term.links.items() if not link.is_plain(label)]
    return tuple(sorted(linked, key=lambda pair: pair[1].axis))


def _reads_apart(terms: Sequence[Term]) -> bool:
    return bool(_reading(terms[0])) and not all(map(is_pointwise, terms))


def _after_reading(leaf: Leaf, terms: tuple[Term, ...]) -> Plan:
    """The terms on the axes as they are read, after the selection that reads them."""
    between = list(leaf.domain)
    for size, link in _reading(terms[0]):
        between[link.axis] = size
    read = Leaf(Einsums((_reader(terms[0], leaf.domain),)), tuple(between), leaf.domain)
    plain = tuple(map(_plainly, terms))
    return Chained((Leaf(Einsums(plain), leaf.codomain, tuple(between)), read))


def _plainly(term: Term) -> Term:
    links = {label: Link(link.axis, label.size) for label, link in term.links.items()}
    return replace(term, links=links)


def _reader(term: Term, domain: Shape) -> Term:
    by_axis = {link.axis: (label, link) for label, link in term.links.items()}
    labels = tuple(by_axis[axis][0] for axis in range(len(domain)))
    return Term((), dict(by_axis.values()), labels)


# --- which axes are tied ---


def _tied(plan: Plan) -> set[Pair]:
    match plan:
        case Leaf(Einsums(terms)):
            return set.intersection(*map(_term_pairs, terms))
        case Leaf(Product(rows=rows), codomain):
            inside = {axis % len(codomain) for axis in rows.axes}
            return {(a, a) for a, n in enumerate(codomain) if a not in inside and n > 1}
        case Leaf(Along() as piece):
            return piece.pairs
        case Leaf(Index(name="reshape"), codomain, domain):
            return _leading(codomain, domain)
        case Chained(parts):
            return _through(parts)
        case Summed(parts):
            return set.intersection(*map(_tied, parts))
    return set()


def _term_pairs(term: Term) -> set[Pair]:
    return {
        (a, term.links[label].axis)
        for a, label in enumerate(term.out)
        if label.size > 1 and label in term.links and term.links[label].is_plain(label)
    }


def _leading(codomain: Shape, domain: Shape) -> set[Pair]:
    """The first axes of a reshape, as long as they stay."""
    pairs = set()
    for axis, (m, n) in enumerate(zip(codomain, domain, strict=False)):
        if m != n:
            break
        if n > 1:
            pairs.add((axis, axis))
    return pairs


def _through(parts: Sequence[Plan]) -> set[Pair]:
    """The axes tied by every part in turn."""
    pairs = _tied(parts[0])
    for part in parts[1:]:
        following = dict(_tied(part))
        pairs = {(a, following[b]) for a, b in pairs if b in following}
    return pairs


def is_pointwise(term: Term) -> bool:
    """Whether each entry of the result reads at most one entry of the source."""
    loose = (label for label in (*term.summed, *term.free) if label.size > 1)
    return next(loose, None) is None


def _is_pointwise(plan: Plan) -> bool:
    match plan:
        case Leaf(Einsums(terms)):
            return all(map(is_pointwise, terms))
        case Chained(parts) | Summed(parts):
            return all(map(_is_pointwise, parts))
    return isinstance(plan, Leaf) and isinstance(plan.piece, Index)


# --- one block ---


def _without(plan: Plan, pair: Pair, index: str) -> Plan:
    """The plan at one index along the two axes."""
    match plan:
        case Chained(parts):
            return Chained(tuple(_each_without(parts, pair, index)))
        case Summed(parts):
            return Summed(tuple(_without(part, pair, index) for part in parts))
        case Leaf(piece, codomain, domain):
            a, c = pair
            inner = _piece_without(piece, pair, index, codomain)
            return Leaf(inner, _drop(codomain, a), _drop(domain, c))
    raise AssertionError(plan)


def _each_without(parts: Sequence[Plan], pair: Pair, index: str) -> list[Plan]:
    result, (a, _) = [], pair
    for part in parts:
        b = dict(_tied(part))[a]
        result.append(_without(part, (a, b), index))
        a = b
    return result


def _drop(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _piece_without(piece: object, pair: Pair, index: str, codomain: Shape) -> Piece:
    match piece:
        case Einsums(terms):
            return Einsums(tuple(_term_without(term, pair, index) for term in terms))
        case Product(kind, kept, rows, s):
            a = pair[0]
            axes = [axis % len(codomain) for axis in rows.axes]
            rank = len(codomain) - 1
            moved = tuple(axis - (axis > a) - rank for axis in axes)
            expression = call("at", (s,), _drop(s.shape, a), axis=a, index=index)
            mapped = kept._replace(mapped=(*kept.mapped, a))
            return Product(kind, mapped, rows._replace(axes=moved), expression)
        case Along(kind, kept, axis, labels):
            a = pair[0]
            inner = tuple(_factor_without(f, labels[a], index) for f in kept)
            return Along(kind, inner, axis - (axis > a), _drop_label(labels, labels[a]))
        case Index(name="reshape"):
            return piece
    raise AssertionError(piece)


def _term_without(term: Term, pair: Pair, index: str) -> Term:
    a, c = pair
    label = term.out[a]
    links = {
        other: link._replace(axis=link.axis - (link.axis > c))
        for other, link in term.links.items()
        if other != label
    }
    factors = tuple(_factor_without(f, label, index) for f in term.factors)
    return Term(factors, links, _drop_label(term.out, label), term.scale)


def _drop_label(labels: tuple[Label, ...], label: Label) -> tuple[Label, ...]:
    return tuple(other for other in labels if other != label)


def _factor_without(factor: Coefficient, label: Label, index: str) -> Coefficient:
    if label not in factor.labels:
        return factor._replace(mapped=(*factor.mapped, None))
    axis = factor.labels.index(label)
    e = factor.expression
    return Coefficient(
        factor.array,
        call("at", (e,), _drop(e.shape, axis), axis=axis, index=index),
        _drop_label(factor.labels, label),
        (*factor.mapped, axis),
    )
