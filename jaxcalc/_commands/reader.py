"""A safe reader: the text of a mathematical expression becomes a function of its arrays.

The text is parsed, never run: what is not in the `vocabulary` is refused, in one line that shows
the part and says what to write instead. What people write on paper and in JAX is read too, as far
as `notation` knows it.

>>> import jax.numpy as jnp
>>> f = read("2x' Aᵀ")
>>> f.names
('x', 'A')
>>> print(f(jnp.ones(3), jnp.ones((2, 3))))
[6. 6.]
"""

import ast
import difflib
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Never

import jax.numpy as jnp

from jaxcalc._commands import shape_rules
from jaxcalc._commands.expression import Part, WrittenFunction, cut, shown
from jaxcalc._commands.literals import LITERALS, bounded, dotted, integer, integers, small_integer
from jaxcalc._commands.notation import PAPER_INVERSE, Translation, notation
from jaxcalc._commands.rows import of_rows
from jaxcalc._commands.sizes import Sort, UnknownSizes
from jaxcalc._commands.vocabulary import (
    ALLOWED,
    BINARY,
    COMPARISONS,
    CONSTANTS,
    FUNCTIONS,
    MODULES,
    PAIRED,
    POSTFIXES,
    REMEDIES,
    RESERVED,
    UNARY,
    FunctionWord,
    Kind,
)

LONGEST = 2_000  # characters
DEEPEST = 50
LARGEST_POWER = 100


CLOSE = 0.75  # how much alike two words are where one may be meant for the other


def near(name: str, known: Iterable[str]) -> str:
    """A question after the known word that `name` resembles, or nothing.

    Words of up to two letters resemble all others, and a digit at the end is no slip.
    """
    if len(name) < 3 or name[-1].isdigit():
        return ""
    by_lower = {word.lower(): word for word in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=CLOSE)
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""


def read(text: str) -> WrittenFunction:
    """The expression that `text` is.

    Raises:
        ValueError: for anything but an expression of names, numbers, arithmetic, indices and calls
            of known functions, and for one that is too long, too deep or holds huge numbers.
    """
    text = " ".join(text.split())
    if not 0 < len(text) <= LONGEST:
        raise ValueError(
            f"the expression must have 1 to {LONGEST} characters, but has {len(text)}."
        )
    written = notation(text, FUNCTIONS)
    reader = _Reader(written)
    root = reader.read(_parsed(written), depth=1)
    return WrittenFunction(text, root, tuple(reader.names))


def _parsed(written: Translation) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser's advice on style would be a second line
            return ast.parse(written.python, mode="eval").body
    except SyntaxError as error:
        raise ValueError(_unread(written, error)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(_TOO_DEEP) from error


def _unread(written: Translation, error: SyntaxError) -> str:
    place = (error.offset or 0) - 1
    if 0 <= place < len(written.spans):
        where = f"at {shown(written.text[written.spans[place][0] :])}"
    else:
        where = "at its end"
    return f"the expression cannot be read {where}: {error.msg}."


_TOO_DEEP = f"the expression is nested deeper than {DEEPEST} levels; name a part of it."


class _Indicator(Part):
    """Ones where its only operand holds."""


class _Reader:
    """Reads a syntax tree, part by part, and remembers the names of the arrays."""

    def __init__(self, written: Translation):
        self.written = written
        self.bytes = written.python.encode()  # the parser counts in bytes
        self.names: dict[str, None] = {}

    def read(self, node: ast.expr, depth: int) -> Part:
        if depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
        rule = _RULES.get(type(node))
        return rule(self, node, depth + 1) if rule else self.refuse(node, node)

    def place(self, offset: int) -> int:
        return len(self.bytes[:offset].decode())

    def source(self, node: ast.expr) -> str:
        """What was written for it."""
        return self.written.source(*map(self.place, (node.col_offset, node.end_col_offset or 0)))

    def between(self, left: ast.expr, right: ast.expr) -> str:
        """What was written between two parts."""
        places = self.place(left.end_col_offset or 0), self.place(right.col_offset)
        return self.written.source(*places)

    def refuse(self, node: ast.expr, culprit: ast.AST) -> Never:
        remedy = REMEDIES.get(type(culprit), ALLOWED)
        raise ValueError(f"{shown(self.source(node))} is not allowed: {remedy}.")

    def name(self, node: ast.Name, depth: int) -> Part:
        if node.id in FUNCTIONS and node.id != "σ":  # which is also a standard deviation
            raise ValueError(
                f"`{node.id}` is a function; write {node.id}(...), or give the array another name."
            )
        if node.id.startswith("_"):
            raise ValueError(f"{shown(node.id)} must begin with a letter to name an array.")
        if node.id in RESERVED:
            raise ValueError(f"`{node.id}` is a module in the code; give the array another name.")
        self.names[node.id] = None
        return Part(node.id)

    def attribute(self, node: ast.Attribute, depth: int) -> Part:
        """A transpose or an inverse, or a constant of a module."""
        module, name = dotted(node)
        if module in MODULES and name in CONSTANTS:
            return Part(self.source(node), lambda: CONSTANTS[name])
        if node.attr not in POSTFIXES:
            self.refuse(node, node)
        if isinstance(node.value, ast.Constant) and node.attr != PAPER_INVERSE:
            raise ValueError(
                f"{shown(self.source(node))} is not allowed: a number has no transpose; "
                "a vector of ones is ones(3)."
            )
        operation, operands = POSTFIXES[node.attr], (self.read(node.value, depth),)
        return Part(self.source(node), operation.call, operands, operation.rule)

    def number(self, node: ast.Constant, depth: int) -> Part:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.refuse(node, node)
        value = bounded(node.value, self.source(node))
        return Part(self.source(node), lambda: value)

    def unary(self, node: ast.UnaryOp, depth: int) -> Part:
        operation = UNARY.get(type(node.op)) or self.refuse(node, node.op)
        return Part(self.source(node), operation.call, (self.read(node.operand, depth),))

    def binary(self, node: ast.BinOp, depth: int) -> Part:
        operation = BINARY.get(type(node.op)) or self.refuse(node, node.op)
        if isinstance(node.op, ast.Pow):
            return self.power(node, depth)
        operands = (self.read(node.left, depth), self.read(node.right, depth))
        rule, options = operation.rule, {"multiples": isinstance(node.op, ast.Mod)}
        product = isinstance(node.op, ast.Mod | ast.MatMult)
        if product and isinstance(node.right, ast.Attribute) and node.right.attr in ("T", "mT"):
            rule = shape_rules.product_with_transpose
        doubt = self.quotient_doubt(node)
        return Part(self.source(node), operation.call, operands, rule, options, doubt)

    def quotient_doubt(self, node: ast.BinOp) -> str:
        """That 1/2x is (1/2) x."""
        left, right = node.left, node.right
        if not isinstance(node.op, ast.Mod) or not isinstance(left, ast.BinOp):
            return ""
        gap = self.between(left, right)
        clear = gap.startswith(")") or (
            gap.startswith(" ") and isinstance(left.right, ast.Constant)
        )
        if clear or not isinstance(left.op, ast.Div):
            return ""
        a, b, c = map(self.source, (left.left, left.right, right))
        return f"is read as ({cut(a)}/{cut(b)}) {cut(c)}"

    def power(self, node: ast.BinOp, depth: int) -> Part:
        n, text = integer(node.right), self.source(node)
        if isinstance(node.left, ast.Name) and node.left.id == "e":
            return self.exponential(node, depth)
        if n is None:
            operands = (self.read(node.left, depth), self.read(node.right, depth))
            return Part(text, BINARY[ast.Pow].call, operands)
        if abs(n) > LARGEST_POWER:
            raise ValueError(
                f"{shown(text)} has the exponent {cut(str(n))}; "
                f"whole exponents reach from -{LARGEST_POWER} to {LARGEST_POWER}."
            )
        rule = shape_rules.elementwise if "**" in text else _power_on_paper
        base = self.read(node.left, depth)
        return Part(text, of_rows(lambda x: x**n), (base,), rule)

    def exponential(self, node: ast.BinOp, depth: int) -> Part:
        doubt = f"is read as exp({cut(self.source(node.right))})"
        return Part(
            self.source(node), of_rows(jnp.exp), (self.read(node.right, depth),), doubt=doubt
        )

    def comparison(self, node: ast.Compare, depth: int) -> Part:
        """Ones where it holds, zeros elsewhere."""
        compare = COMPARISONS.get(type(node.ops[0]))
        if compare is None or len(node.ops) > 1:
            self.refuse(node, node)
        operands = (self.read(node.left, depth), self.read(node.comparators[0], depth))
        holds = Part(self.source(node), of_rows(compare), operands)
        return _Indicator(self.source(node), of_rows(_ones_where), (holds,))

    def brackets(self, node: ast.List, depth: int) -> Part:
        """[x > 0], as formulas have it."""
        if len(node.elts) != 1 or not isinstance(node.elts[0], ast.Compare):
            self.refuse(node, node)
        return self.comparison(node.elts[0], depth)

    def index(self, node: ast.Subscript, depth: int) -> Part:
        entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = tuple(map(self.entry, entries))
        operands, options = (self.read(node.value, depth),), {"index": index}
        call, rule = of_rows(lambda x: x[index]), shape_rules.indexed
        return Part(self.source(node), call, operands, rule, options)

    def entry(self, node: ast.expr) -> int | slice:
        if not isinstance(node, ast.Slice):
            return self.integer(node, "an index")
        bounds = (node.lower, node.upper, node.step)
        start, stop, step = (b and self.integer(b, "a bound of a slice") for b in bounds)
        return slice(start, stop, step)

    def integer(self, node: ast.expr, role: str) -> int:
        n = small_integer(node)
        if n is None:
            raise ValueError(
                f"{role} must be an integer such as 1 or -1, but got {shown(self.source(node))}."
            )
        return n

    def call(self, node: ast.Call, depth: int) -> Part:
        module, name = dotted(node.func)
        if not name or (module and module not in MODULES):
            self.refuse(node, node.func)
        paired = name in PAIRED and not module and len(node.args) == 2
        doubt = self.doubtful_axis(name, node) if name in PAIRED else ""
        name = PAIRED[name] if paired else name
        function = self.function(name)
        first, rest = node.args[: function.arrays], node.args[function.arrays :]
        options = self.options(name, function, rest, node.keywords)
        if len(first) < function.arrays or len(options) < function.required:
            raise ValueError(f"{shown(self.source(node))} is too short; it is {usage(name)}.")
        operands = tuple(self.read(arg, depth) for arg in first)
        if name == "where":
            operands = (_condition(operands[0]), *operands[1:])
        call = of_rows(lambda *xs: function.call(*xs, **options))
        return Part(self.source(node), call, operands, function.rule, options, doubt)

    def doubtful_axis(self, name: str, node: ast.Call) -> str:
        """That `max(x, 0)` is no maximum over an axis, and `jnp.max(x, 0)` is one."""
        if len(node.args) != 2 or integers(node.args[1]) is None:
            return ""
        x, axis = map(self.source, node.args)
        entries, over = f"{PAIRED[name]}({x}, {axis})", f"{name}({x}, axis={axis})"
        here, there = (entries, over) if isinstance(node.func, ast.Name) else (over, entries)
        return f"is read as {here}, not {there}"

    def function(self, name: str) -> FunctionWord:
        if name not in FUNCTIONS:
            hint = near(name, FUNCTIONS) or "; --help lists them."
            raise ValueError(f"{shown(name)} is not a known function{hint}")
        return FUNCTIONS[name]

    def options(
        self, name: str, function: FunctionWord, args: list[ast.expr], keywords: list[ast.keyword]
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
        value = LITERALS[kind](node)
        if value is None:
            raise ValueError(f"{role} must be {kind}, but got {shown(self.source(node))}.")
        return value


def usage(name: str) -> str:
    """How a function is called: its arrays by the letters x and y, and its options."""
    function = FUNCTIONS[name]
    required = list(function.options)[: function.required]
    optional = [f"{option}=" for option in list(function.options)[function.required :]]
    return f"`{name}({', '.join([*'xy'[: function.arrays], *required, *optional])})`"


def _power_on_paper(sizes: UnknownSizes, sorts: tuple[Sort, ...], options: Any) -> Sort:
    if sorts[0].rank == 2:
        sizes.doubts.append("is read entry by entry; A A is the matrix product")
    return shape_rules.elementwise(sizes, sorts, options)


def _ones_where(holds: Any) -> Any:
    return jnp.where(holds, 1.0, 0.0)


def _condition(part: Part) -> Part:
    """A comparison as it is, of anything else where it is not 0."""
    if isinstance(part, _Indicator):
        return part.operands[0]
    return Part(part.text, of_rows(lambda x: x != 0), (part,))


_RULES: dict[type[ast.expr], Callable[[_Reader, Any, int], Part]] = {
    ast.Name: _Reader.name,
    ast.Constant: _Reader.number,
    ast.Attribute: _Reader.attribute,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.binary,
    ast.Compare: _Reader.comparison,
    ast.List: _Reader.brackets,
    ast.Subscript: _Reader.index,
    ast.Call: _Reader.call,
}
