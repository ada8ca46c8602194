"""The source of a function that computes the dense derivative."""

from collections.abc import Sequence

from jaxcalc._formula._code import CodeWriter
from jaxcalc._formula._expression import Expression, Shape, walk
from jaxcalc._formula._functions import INFIX
from jaxcalc._formula._naming import Named


def source(named: Named, shape: Shape, parameters: Sequence[str]) -> str:
    """The source of `derivative`, which returns an array of `shape`."""
    writer = CodeWriter(_dtype(named))
    lines = [
        f"    {symbol['text']} = {writer.write(node).text}"
        for symbol, node in reversed(named.definitions)
    ]
    result = writer.dense(named.node, shape)
    body = "\n".join([*lines, f"    return {result}"])
    imports = "import jax\nimport jax.numpy as jnp\n" if "jax." in body else _NUMPY_ONLY
    return f"{imports}\n\ndef derivative({', '.join(parameters)}):\n{body}\n"


_NUMPY_ONLY = "import jax.numpy as jnp\n"


def _dtype(named: Named) -> str:
    """`, dtype=` with that of an array which takes part in arithmetic."""
    roots = [named.node, *(node for _, node in named.definitions)]
    defined = {symbol for symbol, _ in named.definitions}
    compared = {a for n in walk(*roots) for a in _compared(n)}
    names = [n for n in walk(*roots) if n.op == "name" and n not in defined]
    chosen = [n for n in names if n not in compared] or names
    return f", dtype={chosen[0]['text']}.dtype" if chosen else ""


def _compared(node: Expression) -> Sequence[Expression]:
    """The arguments that need not be floating."""
    function = node["function"] if node.op == "apply" else ""
    if function in INFIX or function in ("one_hot", "indicator", "convert_element_type"):
        return node.args
    if function == "select_n":
        return node.args[:1]
    return node.args[1:] if function in ("gather", "selection", "dynamic_slice") else ()
