"""The shapes of the arrays in an expression, guessed from how they are used.

Each array is a scalar, a vector or a matrix: whatever lets the expression be computed. Where
several do, the usual names decide: capital letters are matrices, `SCALARS` scalars, all others
vectors, and the fewest exceptions win. Then sizes that must be equal are, and the others differ.

>>> from jaxcalc._commands.reader import read
>>> guessed(read("softmax(A x + b)"), {}).shapes
{'A': (3, 4), 'x': (4,), 'b': (3,)}
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jaxcalc._commands.expression import Part, WrittenFunction, shown
from jaxcalc._commands.sizes import Shape, Sort, UnknownSizes

_SCALARS = """
c d h k n r s t alpha beta gamma delta eps epsilon eta kappa lam lambda_ nu rho sigma tau
α β γ δ ε η κ λ ν ρ σ τ
"""
SCALARS = frozenset(_SCALARS.split())
MOST_TRIALS = 3**7
MOST_PAIRS = 100


class Guess(NamedTuple):
    """All shapes, given or guessed, and what may surprise in the reading."""

    shapes: dict[str, Shape]
    doubts: tuple[str, ...]


class _Trial(NamedTuple):
    """What some shapes make of an expression; it is the better, the smaller its cost."""

    cost: int
    sizes: UnknownSizes
    sorts: dict[str, Sort]


def guessed(expression: WrittenFunction, given: Mapping[str, Shape]) -> Guess:
    """The shapes of all arrays, of which some may be given.

    Raises:
        ValueError: when no shapes fit, with the uses that contradict each other.
    """
    best: _Trial | None = None
    for trial in _trials(expression.root, expression.names, given):
        if best is None or trial.cost < best.cost:
            best = trial
        if not best.cost:
            break
    if best is None:
        raise ValueError(_contradiction(expression, given))
    _, sizes, sorts = best
    shapes = {name: sizes.shape(sort.sizes) for name, sort in sorts.items()}
    return Guess(shapes, tuple(dict.fromkeys(sizes.doubts)))


def _trials(root: Part, names: tuple[str, ...], given: Mapping[str, Shape]) -> Iterator[_Trial]:
    """All ranks that let a part be computed."""
    for ranks in _ranks(names, given):
        sizes = UnknownSizes()
        sorts = _sorts(sizes, ranks, given)
        try:
            root.sort(sizes, sorts)
            sizes.number()
        except ValueError:
            continue
        yield _Trial(_cost(ranks, given) + sizes.odd, sizes, sorts)


def _ranks(names: tuple[str, ...], given: Mapping[str, Shape]) -> Iterator[dict[str, int]]:
    """Ranks for every name, the usual ones first."""
    choices = [
        (len(given[name]),) if name in given else sorted(range(3), key=lambda r: _strange(name, r))
        for name in names
    ]
    for ranks in itertools.islice(itertools.product(*choices), MOST_TRIALS):
        yield dict(zip(names, ranks, strict=True))


def _strange(name: str, rank: int) -> int:
    """How far a rank is from the usual one of a name."""
    usual = 0 if name in SCALARS else 2 if name[0].isupper() else 1
    return 3 * abs(rank - usual) - (rank < usual)


def _cost(ranks: Mapping[str, int], given: Mapping[str, Shape]) -> int:
    return sum(_strange(name, rank) for name, rank in ranks.items() if name not in given)


def _sorts(
    sizes: UnknownSizes, ranks: Mapping[str, int], given: Mapping[str, Shape]
) -> dict[str, Sort]:
    return {
        name: Sort(given[name] if name in given else tuple(sizes.unknown() for _ in range(rank)))
        for name, rank in ranks.items()
    }


def _contradiction(expression: WrittenFunction, given: Mapping[str, Shape]) -> str:
    """What is wrong with the smallest part that has no value: alone, or two uses in it together."""
    part = next((part for part in _uses(expression.root) if not _fit(given, part)), None)
    if part is None:
        return f"no shapes were found that fit {shown(expression.text)}; give them by --shape."
    inside = [use for use in _uses(part) if use.names][:-1]
    for one, other in itertools.islice(itertools.combinations(inside, 2), MOST_PAIRS):
        if set(one.names) & set(other.names) and not _fit(given, one, other):
            both = f"{shown(one.text)} and {shown(other.text)}"
            return f"no shapes of {_listed(one, other)} fit both {both}."
    return _alone(part, given)


def _uses(part: Part) -> Iterator[Part]:
    """All parts but names and numbers, the innermost first."""
    for operand in part.operands:
        yield from _uses(operand)
    if part.operands:
        yield part


def _fit(given: Mapping[str, Shape], *parts: Part) -> bool:
    """Whether there are shapes by which all the parts can be computed."""
    both = Part("", max, parts, rule=lambda *_: Sort())
    return any(True for _ in _trials(both, both.names, given))


def _alone(part: Part, given: Mapping[str, Shape]) -> str:
    """What is wrong with the part where its names have their usual ranks."""
    sizes = UnknownSizes()
    sorts = _sorts(sizes, next(_ranks(part.names, given)), given)
    try:
        part.sort(sizes, sorts)
    except ValueError as error:
        return str(error)
    return f"no shapes were found that fit {shown(part.text)}; give them by --shape."


def _listed(one: Part, other: Part) -> str:
    names = [f"`{name}`" for name in dict.fromkeys((*one.names, *other.names))]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
