"""A safe reader: the text of a mathematical expression becomes a function of its arrays.

The text is parsed, never run: what is not in the `vocabulary` is refused, in one line that shows
the part and says what to write instead.

>>> import jax.numpy as jnp
>>> f = read("2 * x @ T(A)")
>>> f.names
('x', 'A')
>>> print(f(jnp.ones(3), jnp.ones((2, 3))))
[6. 6.]
"""

import ast
import difflib
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Never

import numpy as np
from jax import Array

from jaxcalc._commands.expression import Expression, Part, cut, shown
from jaxcalc._commands.vocabulary import (
    ALLOWED,
    BINARY,
    CHARACTERS,
    FUNCTIONS,
    MODULES,
    REMEDIES,
    UNARY,
    Function,
    Kind,
)

LONGEST = 2_000  # characters
DEEPEST = 50
LARGEST_INTEGER = 2**31 - 1
LARGEST_NUMBER = 1e30  # its reciprocal, too, is a normal float32
LARGEST_POWER = 100


def near(name: str, known: Iterable[str]) -> str:
    """A question after the known word that `name` resembles, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def read(text: str) -> Expression:
    """The expression that `text` is.

    Raises:
        ValueError: for anything but an expression of names, numbers, arithmetic, indices and calls
            of known functions, and for one that is too long, too deep or holds huge numbers.
    """
    text = " ".join(text.split())
    _check_text(text)
    reader = _Reader(text)
    root = reader.read(_parsed(text), depth=1)
    return Expression(text, root, tuple(reader.names))


def _check_text(text: str) -> None:
    if not 0 < len(text) <= LONGEST:
        raise ValueError(
            f"the expression must have 1 to {LONGEST} characters, but has {len(text)}."
        )
    strange = [c for c in text if not (c.isascii() and c.isprintable())]
    if strange:
        _refuse_character(strange[0])


def _refuse_character(c: str) -> Never:
    if c in CHARACTERS:
        raise ValueError(f"`{c}` cannot be read; write {CHARACTERS[c]} instead.")
    name = unicodedata.name(c, "a control character")
    raise ValueError(f"U+{ord(c):04X} ({name}) cannot be read; write ASCII characters.")


def _parsed(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser's advice on style would be a second line
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        where = f"at {shown(text[error.offset - 1 :])}" if error.offset else "at its end"
        raise ValueError(f"the expression cannot be read {where}: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(_TOO_DEEP) from error


_TOO_DEEP = f"the expression is nested deeper than {DEEPEST} levels; name a part of it."


class _Reader:
    """Reads a syntax tree, part by part, and remembers the names of the arrays."""

    def __init__(self, text: str):
        self.text = text
        self.names: dict[str, None] = {}

    def read(self, node: ast.expr, depth: int) -> Part:
        if depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
        rule = _RULES.get(type(node))
        return rule(self, node, depth + 1) if rule else self.refuse(node, node)

    def source(self, node: ast.expr) -> str:
        return self.text[node.col_offset : node.end_col_offset]

    def refuse(self, node: ast.expr, culprit: ast.AST) -> Never:
        remedy = REMEDIES.get(type(culprit), ALLOWED)
        raise ValueError(f"{shown(self.source(node))} is not allowed: {remedy}.")

    def name(self, node: ast.Name, depth: int) -> Part:
        if node.id in FUNCTIONS:
            raise ValueError(
                f"`{node.id}` is a function; write {node.id}(...), or give the array another name."
            )
        if node.id.startswith("_"):
            raise ValueError(f"{shown(node.id)} must begin with a letter to name an array.")
        if node.id in MODULES:
            raise ValueError(f"`{node.id}` is a module in the code; give the array another name.")
        self.names[node.id] = None
        return Part(node.id)

    def number(self, node: ast.Constant, depth: int) -> Part:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.refuse(node, node)
        value = _bounded(node.value, self.source(node))
        return Part(self.source(node), lambda: value)

    def unary(self, node: ast.UnaryOp, depth: int) -> Part:
        apply = UNARY.get(type(node.op)) or self.refuse(node, node.op)
        return Part(self.source(node), apply, (self.read(node.operand, depth),))

    def binary(self, node: ast.BinOp, depth: int) -> Part:
        apply = BINARY.get(type(node.op)) or self.refuse(node, node.op)
        if isinstance(node.op, ast.Pow) and (n := _integer(node.right)) is not None:
            return self.power(node, n, depth)
        operands = (self.read(node.left, depth), self.read(node.right, depth))
        return Part(self.source(node), apply, operands)

    def power(self, node: ast.BinOp, n: int, depth: int) -> Part:
        if abs(n) > LARGEST_POWER:
            raise ValueError(
                f"{shown(self.source(node))} has the exponent {cut(str(n))}; "
                f"whole exponents reach from -{LARGEST_POWER} to {LARGEST_POWER}."
            )
        return Part(self.source(node), lambda base: base**n, (self.read(node.left, depth),))

    def index(self, node: ast.Subscript, depth: int) -> Part:
        entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = tuple(map(self.entry, entries))
        operands = (self.read(node.value, depth),)
        return Part(self.source(node), lambda x: _indexed(x, index), operands)

    def entry(self, node: ast.expr) -> int | slice:
        if not isinstance(node, ast.Slice):
            return self.integer(node, "an index")
        bounds = (node.lower, node.upper, node.step)
        start, stop, step = (b and self.integer(b, "a bound of a slice") for b in bounds)
        return slice(start, stop, step)

    def integer(self, node: ast.expr, role: str) -> int:
        n = _small_integer(node)
        if n is None:
            raise ValueError(
                f"{role} must be an integer such as 1 or -1, but got {shown(self.source(node))}."
            )
        return n

    def call(self, node: ast.Call, depth: int) -> Part:
        if not isinstance(node.func, ast.Name):
            self.refuse(node, node.func)
        name, function = node.func.id, self.function(node.func.id)
        first, rest = node.args[: function.arrays], node.args[function.arrays :]
        options = self.options(name, function, rest, node.keywords)
        if len(first) < function.arrays or len(options) < function.required:
            raise ValueError(f"{shown(self.source(node))} is too short; it is {usage(name)}.")
        operands = tuple(self.read(arg, depth) for arg in first)
        return Part(self.source(node), lambda *xs: function.call(*xs, **options), operands)

    def function(self, name: str) -> Function:
        if name not in FUNCTIONS:
            hint = near(name, FUNCTIONS) or "; --help lists them."
            raise ValueError(f"{shown(name)} is not a known function{hint}")
        return FUNCTIONS[name]

    def options(
        self, name: str, function: Function, args: list[ast.expr], keywords: list[ast.keyword]
    ) -> dict[str, object]:
        """The options of a call of the function `name`, by their names."""
        given = list(zip(function.options, args, strict=False))
        given += [(keyword.arg or "**", keyword.value) for keyword in keywords]
        names = [option for option, _ in given]
        unknown = set(names) - set(function.options)
        if unknown or len(set(names)) < len(names) or len(args) > len(function.options):
            raise ValueError(f"`{name}` takes other arguments; it is {usage(name)}.")
        return {
            option: self.literal(f"`{option}` of `{name}`", function.options[option], node)
            for option, node in given
        }

    def literal(self, role: str, kind: Kind, node: ast.expr) -> object:
        value = _LITERALS[kind](node)
        if value is None:
            raise ValueError(f"{role} must be {kind}, but got {shown(self.source(node))}.")
        return value


def usage(name: str) -> str:
    """How a function is called: its arrays by the letters x and y, and its options."""
    function = FUNCTIONS[name]
    required = list(function.options)[: function.required]
    optional = [f"{option}=" for option in list(function.options)[function.required :]]
    return f"`{name}({', '.join([*'xy'[: function.arrays], *required, *optional])})`"


def _integer(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        n = None if isinstance(node.operand, ast.UnaryOp) else _integer(node.operand)
        return None if n is None else -n
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _small_integer(node: ast.expr) -> int | None:
    n = _integer(node)
    return None if n is None or abs(n) > LARGEST_INTEGER else n


def _integers(node: ast.expr) -> int | tuple[int, ...] | None:
    if not isinstance(node, ast.Tuple):
        return _small_integer(node)
    found = [n for n in map(_small_integer, node.elts) if n is not None]
    return tuple(found) if len(found) == len(node.elts) else None


def _boolean(node: ast.expr) -> bool | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is bool else None


_LITERALS: dict[Kind, Callable[[ast.expr], object]] = {
    "an integer": _small_integer,
    "an integer or a tuple of integers": _integers,
    "True or False": _boolean,
}

_RULES: dict[type[ast.expr], Callable[[_Reader, Any, int], Part]] = {
    ast.Name: _Reader.name,
    ast.Constant: _Reader.number,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.binary,
    ast.Subscript: _Reader.index,
    ast.Call: _Reader.call,
}


def _bounded(value: float, text: str) -> float:
    """A number as a float: arithmetic of floats cannot run away as that of integers can."""
    if value > LARGEST_NUMBER:
        raise ValueError(f"{shown(text)} is too large; numbers reach to {LARGEST_NUMBER:g}.")
    return float(value)


def _indexed(x: Any, index: tuple[int | slice, ...]) -> Array:
    np.broadcast_to(np.int8(), np.shape(x))[index]  # raises where `jax.numpy` clamps in silence
    return x[index]
