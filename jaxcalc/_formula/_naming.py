"""Names for what occurs more than once, and for what is long: `where s = softmax(A x)`.

A softmax is always named, s if that is free; so is an array that is read at an index, and now and
then a part of what is nested too deeply to be read. Whatever else is repeated is named if it is
long enough to be worth it.

Formulas are of a bounded length: what is left out is counted in terms, an operation or a name each.

    u v where u = diag(cos(w)), v = … (214 terms), w = sin(x)
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from jaxcalc._formula._expression import Expression, name, rebuilt, walk
from jaxcalc._formula._functions import INFIX
from jaxcalc._formula._nodes import omitted

_LETTERS = "uvwpqrzyghmn"
_NEVER = {"name", "number", "transposed", "eye", "ones", "at", "diag", "entries"}
_DEEPEST = 40


class Definition(NamedTuple):
    """A name, and the node it stands for."""

    name: Expression
    node: Expression


class Named(NamedTuple):
    """A node in terms of names, with their definitions, each before those it is made from."""

    node: Expression
    definitions: tuple[Definition, ...]


def named(root: Expression, longest: float = inf) -> Named:
    """The node with names in place of its softmaxes, of what it repeats, and of what is longer."""
    nodes = list(walk(root))
    chosen = _chosen(nodes, root, longest)
    letter = _letters(nodes)
    symbols = {
        node: name(letter("s" if _is(node, "softmax") else ""), node.shape)
        for node in reversed(chosen)
    }
    made: dict[Expression, Expression] = {}
    definitions = []
    for node in nodes:
        args = tuple(made[arg] for arg in node.args)
        is_part = _is(node, "part")
        made[node] = args[0] if is_part else Expression(node.op, args, node.params, node.shape)
        if node in symbols:
            definitions.append(Definition(symbols[node], made[node]))
            made[node] = symbols[node]
    return Named(made[root], tuple(reversed(definitions)))


def _chosen(nodes: Sequence[Expression], root: Expression, longest: float) -> list[Expression]:
    """What to name, each after what is inside it; sizes and heights count a name as one."""
    edges, indexed = _uses(nodes)
    never = {root, *_by_labels(root)}
    never |= set(root.args if root.op == "transposed" else ())
    sizes: dict[Expression, int] = {}
    heights: dict[Expression, int] = {}
    chosen: dict[Expression, None] = {}
    for node in nodes:
        sizes[node] = _own_size(node) + sum(sizes[arg] for arg in node.args)
        heights[node] = 1 + max((heights[arg] for arg in node.args), default=0)
        repeated = edges.get(node, 0) > 1 and sizes[node] >= _least_size(node)
        always = _is(node, "softmax") or _is(node, "part") or node in indexed
        wanted = repeated or always or heights[node] >= _DEEPEST or sizes[node] > longest
        is_named = _is(node, "part") and node.args[0] in chosen
        if wanted and not is_named and node.op not in _NEVER and node not in never:
            chosen[node] = None
            sizes[node] = heights[node] = 1
    return list(chosen)


def _by_labels(root: Expression) -> set[Expression]:
    """The products by labels that a derivative is a sum of, which stay in it."""
    found = {root}
    for node in (root, *root.args, *(arg for term in root.args for arg in term.args)):
        if node.op in ("entries", "plus", "times"):
            found |= {arg for arg in node.args if arg.op in ("einsum", "times")}
    return found


def _uses(nodes: Sequence[Expression]) -> tuple[dict[Expression, int], set[Expression]]:
    """How often each node is used, a transpose counting as what it transposes; what is indexed."""
    edges: dict[Expression, int] = {}
    indexed = set()
    for node in nodes:
        for arg in node.args if node.op != "transposed" else ():
            inner = arg.args[0] if arg.op == "transposed" else arg
            edges[inner] = edges.get(inner, 0) + 1
        if node.op == "at" and node["index"].isalpha():
            indexed.add(node.args[0])
        if node.op == "einsum":
            indexed |= {arg for arg in node.args if len(arg.shape) > 2 and arg.op != "name"}
    return edges, indexed


def _is(node: Expression, function: str) -> bool:
    return node.op == "apply" and node["function"] == function


def _least_size(node: Expression) -> int:
    """How many symbols make a repeated node worth a name."""
    if node.op == "apply":
        return 6 if node["function"] in INFIX else 3
    return 4


def _own_size(node: Expression) -> int:
    """How many symbols a node adds to those of its arguments."""
    if node.op == "times":
        return int(abs(node["coefficient"]) != 1)
    return 0 if node.op in ("transposed", "matmul", "plus", "power", "hadamard") else 1


def _letters(nodes: Sequence[Expression]) -> Callable[[str], str]:
    """A maker of names that the nodes do not have; it takes the ones to try first."""
    taken = {node["text"] for node in nodes if node.op == "name"}

    def letter(wanted: str) -> str:
        options = [*wanted, *_LETTERS, *(f"u{i}" for i in range(1, len(nodes) + 1))]
        found = next(option for option in options if option not in taken)
        taken.add(found)
        return found

    return letter


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
    return rebuilt(root, lambda node, new: _ends_of(new))


def _ends_of(node: Expression) -> Expression:
    left = len(node.args) - 2 * _ENDS
    if left <= 1 or node.op == "einsum":
        return node
    first, last = slice(_ENDS), slice(len(node.args) - _ENDS, None)
    args = (*node.args[first], omitted(left, node.args[_ENDS].shape), *node.args[last])
    params = dict(node.params)
    if powers := node.get("powers"):
        params["powers"] = (*powers[first], 1, *powers[last])
    return Expression(node.op, args, tuple(params.items()), node.shape)
