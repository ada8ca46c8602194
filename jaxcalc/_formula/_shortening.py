"""Formulas of a bounded length: what is long gets a name, and what is left out is counted.

    u v where u = diag(cos(w)), v = … (214 terms), w = sin(x)

A term is an operation or a name.
"""

from collections.abc import Callable, Mapping

from jaxcalc._formula._expression import Expression, walk
from jaxcalc._formula._naming import Definition, Named, named
from jaxcalc._formula._nodes import omitted

MOST = 3_000  # characters
_LONGEST = 40  # symbols of a definition
_ENDS = 4  # of a long sum, product or list: what is written of its beginning, and of its end
_OMISSION = 32  # characters of a definition that is left out
_NONE: dict[Expression, Expression] = {}

Meaning = Mapping[Expression, Expression]


def brief(
    node: Expression, write: Callable[[Expression], str], most: int, meaning: Meaning = _NONE
) -> Expression:
    """The node, or without the middle of its long lists, or how many terms it has."""
    if len(write(node)) <= most:
        return node
    short = _without_middle(node)
    return short if len(write(short)) <= most else _omitted(node, meaning)


def shortened(root: Expression, write: Callable[[Named], str], most: int) -> Named:
    """The node with names, written in at most `most` characters."""
    whole = named(root)
    return whole if len(write(whole)) <= most else _cut(named(root, _LONGEST), write, most)


def _cut(whole: Named, write: Callable[[Named], str], most: int) -> Named:
    """Definitions from the outermost on, while there is room; of the rest, how long they are."""
    meaning = dict(whole.definitions)

    def text(node: Expression) -> str:
        return write(Named(node, ()))

    node = brief(whole.node, text, most // 2, meaning)
    waiting, room = _names(node, meaning), most - len(text(node))
    definitions = []
    for symbol, value in whole.definitions:
        if symbol in waiting:
            short = brief(value, text, most // 4, meaning)
            open_ = (waiting | _names(short, meaning)) - {symbol}
            if len(text(short)) + _OMISSION * (len(open_) + 1) > room:
                short, open_ = _omitted(value, meaning), waiting - {symbol}
            waiting, room = open_, room - len(f"{text(symbol)} = {text(short)}, ")
            definitions.append(Definition(symbol, short))
    return Named(node, tuple(definitions))


def _names(node: Expression, meaning: Meaning) -> set[Expression]:
    return {part for part in walk(node) if part in meaning}


def _omitted(root: Expression, meaning: Meaning) -> Expression:
    """The node as the number of its terms, with those of the names in it."""
    seen, stack = set[Expression](), [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [meaning[node]] if node in meaning else node.args
    return omitted(len(seen - set(meaning)), root.shape)


def _without_middle(root: Expression) -> Expression:
    """The node, of its long sums, products and lists the beginning and the end."""
    made: dict[Expression, Expression] = {}
    for node in walk(root):
        args, params = [made[arg] for arg in node.args], node.params
        left = len(args) - 2 * _ENDS
        if left > 1 and node.op != "einsum":
            first, last = slice(_ENDS), slice(len(args) - _ENDS, None)
            args = [*args[first], omitted(left, args[_ENDS].shape), *args[last]]
            if powers := node.get("powers"):
                shorter = {"powers": (*powers[first], 1, *powers[last])}
                params = tuple((dict(params) | shorter).items())
        made[node] = Expression(node.op, tuple(args), params, node.shape)
    return made[root]
