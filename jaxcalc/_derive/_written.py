"""From a plan to the map tree that formulas are made from: the same shape, without arrays."""

from jaxcalc._derive._along import Along
from jaxcalc._derive._coefficients import Label
from jaxcalc._derive._graph import Einsums, Index, Opaque, Product
from jaxcalc._derive._plan import Blocked, Chained, Leaf, Plan, Summed
from jaxcalc._derive._terms import Link, Term, without_masks
from jaxcalc._formula import maps, number_of


def written(plan: Plan) -> maps.Map:
    """The plan in expressions."""
    codomain, domain = plan.codomain, plan.domain
    match plan:
        case Chained(parts):
            return maps.Composition(codomain, domain, tuple(map(written, parts)))
        case Summed(parts):
            return maps.Addition(codomain, domain, tuple(map(written, parts)))
        case Blocked(part, (a, c), size, index):
            return maps.Block(codomain, domain, written(part), index, size, a, c)
        case Leaf():
            return _leaf(plan)


def _leaf(leaf: Leaf) -> maps.Map:
    codomain, domain = leaf.codomain, leaf.domain
    match leaf.piece:
        case Einsums(terms):
            alone = [without_masks(term) for term in terms] if len(terms) == 1 else terms
            return maps.Terms(codomain, domain, tuple(map(_term, alone)))
        case Product(kind, _, rows, s):
            return maps.of_rows(kind, s, rows.axes)
        case Along(kind, kept):
            return kind.written([f.expression for f in kept], *codomain, *domain)
        case Index(name="reshape"):
            params = (("new_sizes", codomain),)
            return maps.Indexing(codomain, domain, "reshape", "reshape", params)
        case Index(_, name, params, indices):
            return maps.Indexing(codomain, domain, name, name, params, indices)
        case Opaque(text=text, key=key):
            return maps.matrix_free(codomain, domain, text, number_of(f"D[{text}]", key))


def _term(term: Term) -> maps.Einsum:
    """The term with its labels counted from 0 in the order in which they appear."""
    appearing = (*term.out, *term.links, *(label for f in term.factors for label in f.labels))
    number = {label: i for i, label in enumerate(dict.fromkeys(appearing))}
    return maps.Einsum(
        factors=tuple((f.expression, tuple(number[k] for k in f.labels)) for f in term.factors),
        links=tuple((number[k], link.axis, _shift(k, link)) for k, link in term.links.items()),
        out=tuple(number[label] for label in term.out),
        scale=term.scale,
    )


def _shift(label: Label, link: Link) -> tuple[int, ...] | int | None:
    if link.places is not None:
        return link.places
    return None if link.is_plain(label) else link.offset
