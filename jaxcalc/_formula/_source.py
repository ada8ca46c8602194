"""The source of a function that computes the dense derivative."""

from collections.abc import Callable, Sequence

from jaxcalc._formula._code import CodeWriter
from jaxcalc._formula._expression import Expression, Shape, walk
from jaxcalc._formula._functions import index_arguments
from jaxcalc._formula._naming import Named
from jaxcalc._formula._rules import BOOLEAN


def source(named: Named, shape: Shape, parameters: Sequence[str], dtype: str = "") -> str:
    """The source of `derivative`, which returns an array of `shape`, and of `dtype` if given."""
    live = _live(named, index_arguments)
    writer = CodeWriter(_dtype(named, live, dtype))
    written = (
        (symbol["text"], writer.write(node) if symbol in live else writer.index(node))
        for symbol, node in reversed(named.definitions)
    )
    lines = [f"    {symbol} = {text}" for symbol, text in written]
    result = writer.dense(named.node, shape)
    body = "\n".join([*lines, f"    return {result}"])
    imports = "import jax\nimport jax.numpy as jnp\n" if "jax." in body else _NUMPY_ONLY
    return f"{imports}\n\ndef derivative({', '.join(parameters)}):\n{body}\n"


_NUMPY_ONLY = "import jax.numpy as jnp\n"


def _dtype(named: Named, live: set[Expression], dtype: str) -> str:
    """`, dtype=` with that of an array which takes part in arithmetic, else the one given."""
    defined = {symbol for symbol, _ in named.definitions}
    counted = _live(named, lambda node: [*index_arguments(node), *_compared(node)])
    roots = [named.node, *(node for _, node in named.definitions)]
    names = [n for n in walk(*roots) if n.op == "name" and n in live - defined]
    chosen = [n["text"] for n in names if n in counted]
    if not chosen and dtype:
        return f", dtype=jnp.{dtype}"
    found = chosen or [n["text"] for n in names]
    real = ".real" if any(_function(n) in _PARTS for n in walk(*roots)) else ""
    return f", dtype={found[0]}{real}.dtype" if found else ""


_PARTS = {"real", "imag", "irfft"}  # of arrays that may be complex


def _live(named: Named, left_out: Callable[[Expression], Sequence[Expression]]) -> set[Expression]:
    """The nodes that are more than what is left out of others: an index, say."""
    meaning = dict(named.definitions)
    live: set[Expression] = set()
    stack = [named.node]
    while stack:
        node = stack.pop()
        if node not in live:
            live.add(node)
            apart = left_out(node)
            stack += [arg for arg in node.args if arg not in apart]
            stack += [meaning[node]] if node in meaning else []
    return live


def _compared(node: Expression) -> Sequence[Expression]:
    """The arguments that need not be floating."""
    function = _function(node)
    if function in BOOLEAN or function in ("indicator", "convert_element_type"):
        return node.args
    return node.args[:1] if function == "select_n" else ()


def _function(node: Expression) -> str:
    return str(node["function"]) if node.op == "apply" else ""
