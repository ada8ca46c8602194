"""Names for what occurs more than once: `where s = softmax(A x)`.

A softmax is always named, s if that is free; so is an array that is read at an index, and now and
then a part of what is nested too deeply to be read. Whatever else is repeated is named if it is
long enough to be worth it.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from jaxcalc._formula._expression import Expression, name, walk
from jaxcalc._formula._functions import INFIX

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
    for node in (root, *root.args):
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


def replaced(root: Expression, names: Mapping[Expression, Expression]) -> Expression:
    """The node with others in place of some inside it."""
    made = dict(names)
    for node in walk(root):
        if node not in made:
            args = tuple(made[arg] for arg in node.args)
            made[node] = Expression(node.op, args, node.params, node.shape)
    return made[root]
