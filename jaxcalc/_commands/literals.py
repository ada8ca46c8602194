"""Numbers, truth values and names as they are written, bounded so that nothing can run away."""

import ast
import math
from collections.abc import Callable

from jaxcalc._commands.expression import shown
from jaxcalc._commands.vocabulary import Kind

LARGEST_INTEGER = 2**31 - 1
LARGEST_NUMBER = 1e30  # its reciprocal, too, is a normal float32


def bounded(value: float, text: str) -> float:
    """A number as a float: arithmetic of floats cannot run away as that of integers can."""
    if value > LARGEST_NUMBER:
        raise ValueError(f"{shown(text)} is too large; numbers reach to {LARGEST_NUMBER:g}.")
    return float(value)


def dotted(node: ast.expr) -> tuple[str, str]:
    """The module and the name of `jnp.linalg.norm`; both empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return "", ""
    *module, name = node.id, *names
    return ".".join(module), name


def integer(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        n = None if isinstance(node.operand, ast.UnaryOp) else integer(node.operand)
        return None if n is None else -n
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def small_integer(node: ast.expr) -> int | None:
    n = integer(node)
    return None if n is None or abs(n) > LARGEST_INTEGER else n


def integers(node: ast.expr) -> int | tuple[int, ...] | None:
    if not isinstance(node, ast.Tuple):
        return small_integer(node)
    found = [n for n in map(small_integer, node.elts) if n is not None]
    return tuple(found) if len(found) == len(node.elts) else None


def _boolean(node: ast.expr) -> bool | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is bool else None


def _number(node: ast.expr) -> float | None:
    if (n := small_integer(node)) is not None:
        return n
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, float) and value <= LARGEST_NUMBER else None


def _number_or_inf(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number_or_inf(node.operand)
        return None if value is None else -value
    return math.inf if dotted(node)[1] == "inf" else _number(node)


LITERALS: dict[Kind, Callable[[ast.expr], object]] = {
    "an integer": small_integer,
    "an integer or a tuple of integers": integers,
    "True or False": _boolean,
    "a number": _number,
    "a number or inf": _number_or_inf,
}
