"""The source of a function that computes the dense derivative."""

from collections.abc import Sequence

from jaxcalc._formula._code import CodeWriter
from jaxcalc._formula._expression import Expression, Shape, walk
from jaxcalc._formula._functions import INFIX, index_arguments
from jaxcalc._formula._naming import Named


def source(named: Named, shape: Shape, parameters: Sequence[str]) -> str:
    """The source of `derivative`, which returns an array of `shape`."""
    live = _live(named)
    writer = CodeWriter(_dtype(named, live))
    written = (
        (symbol["text"], writer.write(node).text if symbol in live else writer.index(node))
        for symbol, node in reversed(named.definitions)
    )
    lines = [f"    {symbol} = {text}" for symbol, text in written]
    result = writer.dense(named.node, shape)
    body = "\n".join([*lines, f"    return {result}"])
    imports = "import jax\nimport jax.numpy as jnp\n" if "jax." in body else _NUMPY_ONLY
    return f"{imports}\n\ndef derivative({', '.join(parameters)}):\n{body}\n"


_NUMPY_ONLY = "import jax.numpy as jnp\n"


def _dtype(named: Named, live: set[Expression]) -> str:
    """`, dtype=` with that of an array which takes part in arithmetic."""
    roots = [named.node, *(node for _, node in named.definitions)]
    defined = {symbol for symbol, _ in named.definitions}
    compared = {a for n in live for a in _compared(n)}
    names = [n for n in walk(*roots) if n.op == "name" and n in live - defined]
    chosen = [n for n in names if n not in compared] or names
    return f", dtype={chosen[0]['text']}.dtype" if chosen else ""


def _live(named: Named) -> set[Expression]:
    """The nodes that are more than an index."""
    meaning = dict(named.definitions)
    live: set[Expression] = set()
    stack = [named.node]
    while stack:
        node = stack.pop()
        if node not in live:
            live.add(node)
            indices = index_arguments(node)
            stack += [arg for arg in node.args if arg not in indices]
            stack += [meaning[node]] if node in meaning else []
    return live


def _compared(node: Expression) -> Sequence[Expression]:
    """The arguments that need not be floating."""
    function = _function(node)
    if function in INFIX or function in ("indicator", "convert_element_type"):
        return node.args
    return node.args[:1] if function == "select_n" else ()


def _function(node: Expression) -> str:
    return str(node["function"]) if node.op == "apply" else ""
