"""Taking the axes that run through all of a plan out of it, as blocks.

A pair (a, c) ties axis a of the result to axis c of the source: entries of the result at index i
depend only on entries of the source at i. The plan at one index is the plan without the two axes.
"""

from collections.abc import Sequence
from dataclasses import replace

from jaxcalc._derive._coefficients import dropped
from jaxcalc._derive._pieces import Einsums
from jaxcalc._derive._plan import Blocked, Chained, Leaf, Plan, Summed
from jaxcalc._derive._terms import Link, Pair, Term

_LETTERS = "ijklmnpq"


def blocked(plan: Plan, depth: int = 0) -> Plan:
    """The plan with blocks taken out wherever there are any."""
    pairs = _tied(plan)
    if pairs and not _is_pointwise(plan):
        pair, index = min(pairs), _LETTERS[depth % len(_LETTERS)]
        inner = _at(plan, pair, index)
        return Blocked(blocked(inner, depth + 1), pair, plan.codomain[pair[0]], index)
    match plan:
        case Chained() | Summed():
            return replace(plan, parts=tuple(blocked(part, depth) for part in plan.parts))
        case Leaf(Einsums(terms)):
            return _sorted_out(plan, terms, depth)
    return plan


def _sorted_out(leaf: Leaf, terms: tuple[Term, ...], depth: int) -> Plan:
    """Terms that are tied in axes of their own, apart from the rest, which belong together.

    A term that is not pointwise and reads shifted axes is parted from the selection that reads.
    """
    readings = set(map(_reading, terms))
    if len(readings) == 1 and readings != {()} and not leaf.piece.is_pointwise:
        return blocked(_after_reading(leaf, terms), depth)
    alone = [term for term in terms if _stands_alone(term)]
    if not alone or len(terms) == 1:
        return leaf
    rest = tuple(term for term in terms if term not in alone)
    groups = [*((term,) for term in alone), *[rest] * bool(rest)]
    return Summed(tuple(blocked(replace(leaf, piece=Einsums(group)), depth) for group in groups))


def _stands_alone(term: Term) -> bool:
    return not term.is_pointwise and bool(term.pairs or _reading(term))


def _reading(term: Term) -> tuple[tuple[int, Link], ...]:
    """The axes of the source that are not read as they are: how long, and how."""
    linked = [(label.size, link) for label, link in term.links.items() if not link.is_plain(label)]
    return tuple(sorted(linked, key=lambda pair: pair[1].axis))


def _after_reading(leaf: Leaf, terms: tuple[Term, ...]) -> Plan:
    """The terms on the axes as they are read, after the selection that reads them."""
    by_axis = {link.axis: (label, link) for label, link in terms[0].links.items()}
    labels = tuple(by_axis[axis][0] for axis in range(len(leaf.domain)))
    between = tuple(label.size for label in labels)
    reader = Term((), dict(by_axis.values()), labels)
    plain = Einsums(tuple(map(_plainly, terms)))
    return Chained(
        (Leaf(plain, leaf.codomain, between), Leaf(Einsums((reader,)), between, leaf.domain))
    )


def _plainly(term: Term) -> Term:
    links = {label: Link(link.axis, label.size) for label, link in term.links.items()}
    return replace(term, links=links)


# --- which axes are tied ---


def _tied(plan: Plan) -> set[Pair]:
    match plan:
        case Leaf(piece, codomain, domain):
            return piece.pairs(codomain, domain)
        case Chained(parts):
            paths = (_path(parts, pair) for pair in _tied(parts[0]))
            return {(path[0][0], path[-1][1]) for path in paths if len(path) == len(parts)}
        case Summed(parts):
            return set.intersection(*map(_tied, parts))
    return set()


def _path(parts: Sequence[Plan], pair: Pair) -> list[Pair]:
    """The pairs that follow a pair of the first part through the others, as far as they go."""
    path = [pair]
    for part in parts[1:]:
        following = dict(_tied(part))
        if path[-1][1] not in following:
            break
        path.append((path[-1][1], following[path[-1][1]]))
    return path


def _is_pointwise(plan: Plan) -> bool:
    match plan:
        case Leaf(piece):
            return piece.is_pointwise
        case Chained(parts) | Summed(parts):
            return all(map(_is_pointwise, parts))
    return False


def _at(plan: Plan, pair: Pair, index: str) -> Plan:
    """The plan at one index along two axes that are tied."""
    match plan:
        case Leaf(piece, codomain, domain):
            inner = piece.at(pair, index, codomain)
            return Leaf(inner, dropped(codomain, pair[0]), dropped(domain, pair[1]))
        case Chained(parts):
            path = _path(parts, (pair[0], dict(_tied(parts[0]))[pair[0]]))
            each = zip(parts, path, strict=True)
            return replace(plan, parts=tuple(_at(part, step, index) for part, step in each))
        case Summed(parts):
            return replace(plan, parts=tuple(_at(part, pair, index) for part in parts))
    raise AssertionError(plan)
