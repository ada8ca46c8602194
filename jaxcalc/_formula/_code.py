"""Nodes as Python expressions of `jax.numpy`.

Rows and columns are both one-dimensional arrays; which of them a node is decides how products are
written. Nothing relies on promotion of dtypes or ranks.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._calls import Call, Code
from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._functions import COMPARING, INFIX, index_arguments, written
from jaxcalc._formula._nodes import is_ones
from jaxcalc._formula._rules import BOOLEAN, ELEMENTWISE
from jaxcalc._formula._strength import ATOM, COMPARISON, POSTFIX, PRODUCT, SUM
from jaxcalc._formula._walking import Spelling, Walker, Written

INTEGERS = ", dtype=jnp.int32"
_PLACES_OF_VALUES = {"argmax", "argmin", "sort"}  # integers, made of what need not be


def _power(base: str, exponent: Fraction) -> str:
    return f"{base} ** {exponent if exponent.denominator == 1 else float(exponent)}"


def _decimal(number: Fraction) -> str:
    """A number as a float has it."""
    try:
        return repr(float(number))
    except OverflowError:
        return "float('inf')"


def _is_endless(scalar: nodes.Part) -> bool:
    """Whether a scalar is an infinity or NaN: times it the zeros of I would not stay zero."""
    node, _ = scalar
    return bool(node.op == "number" and isinstance(node["value"], float))


PYTHON = Spelling(
    minus="-",
    space=" * ",
    dot=" * ",
    calls={
        "diag": "jnp.diag",
        "diagonal": "jnp.diagonal",
        "trace": "jnp.trace",
        "total": "jnp.sum",
        "norm": "jnp.linalg.norm",
    },
    call=lambda function, args: f"{function}({args})",
    group=lambda inner: f"({inner})",
    root=lambda base, is_atom: f"jnp.sqrt({base})",
    power=_power,
)


@dataclass
class CodeWriter(Walker):
    """Writes nodes as Python, each once.

    Attributes:
        dtype: what is appended to the arguments of a maker of constants.
    """

    dtype: str
    style: Spelling = PYTHON
    memo: dict[Expression, Written] = field(default_factory=dict)

    @cached_property
    def _integers(self) -> "CodeWriter":
        """What writes indices."""
        return CodeWriter(INTEGERS)

    def written(self, node: Expression) -> Written:
        """The node, and how strongly its last operation binds."""
        if node not in self.memo:
            self.memo[node] = super().written(node)
        return self.memo[node]

    def dense(self, node: Expression, shape: Shape) -> str:
        """The node as an array of `shape`."""
        if node.op == "sum":
            return f"jnp.zeros({shape}{self.dtype})"
        if node.op == "times" and not node.args:
            return f"jnp.full({shape}, {self.write(node)}{self.dtype})"
        if _is_vector(node) and len(shape) == 2:
            return self.write(node, ATOM) + ("[None, :]" if shape[0] == 1 else "[:, None]")
        is_whole = node.shape == shape and len(shape) > 1
        return self.write(node) if is_whole else f"jnp.reshape({self.write(node)}, {shape})"

    def index(self, node: Expression) -> str:
        """The node as integers."""
        return self._integers.write(node)

    # --- leaves ---

    def _name(self, node: Expression) -> Written:
        return node["text"], ATOM

    def _number(self, node: Expression) -> Written:
        value = node["value"]
        return (f"float('{value}')" if isinstance(value, float) else repr(value)), ATOM

    def _sum(self, node: Expression) -> Written:
        return (f"jnp.zeros({node.shape}{self.dtype})" if node.shape else "0"), ATOM

    def _eye(self, node: Expression) -> Written:
        return f"jnp.eye({node.shape[0]}{self.dtype})", ATOM

    def _ones(self, node: Expression) -> Written:
        return f"jnp.ones({node.shape[0]}{self.dtype})", ATOM

    def _transposed(self, node: Expression) -> Written:
        (arg,) = node.args
        return self.written(arg) if _is_vector(arg) else (f"{self.write(arg, ATOM)}.T", ATOM)

    # --- products ---

    def _times(self, node: Expression) -> Written:
        """A vector of one number is in the dtype of that: it may be an index."""
        coefficient, scalars, body = nodes.parts_of(node)
        is_endless = abs(coefficient) > sys.float_info.max or any(map(_is_endless, scalars))
        if body is not None and body.op == "eye" and is_endless:
            number = self.write(nodes.times(coefficient, scalars))
            return f"jnp.diag(jnp.full({body.shape[0]}, {number}{self.dtype}))", ATOM
        if not scalars or body is None or not is_ones(body):
            return super()._times(node)
        size, number = body.shape[-1], self.operand(node, True)[0]
        return f"jnp.full({size}, {number})", ATOM

    def quotient(self, number: Fraction) -> tuple[list[Written], list[Written]]:
        """A simple fraction as its parts, any other number as a decimal."""
        top, bottom = number.as_integer_ratio()
        if bottom > 64 or top > 10**9:
            return [(_decimal(number), ATOM)], []
        above, below = ([(str(n), ATOM)] if n != 1 else [] for n in (top, bottom))
        return above, below

    def fraction(
        self, above: Sequence[Written], below: Sequence[Written], sign: str, last: int
    ) -> Written:
        """One factor after another."""
        first, *rest = above or [("1", ATOM)]
        if not rest and not below:
            return first
        text = sign.join(self.grouped(part, POSTFIX) for part in (first, *rest))
        return " / ".join([text, *(self.grouped(part, POSTFIX) for part in below)]), PRODUCT

    def _matmul(self, node: Expression) -> Written:
        """Split between a column and a row, an outer product; vectors are multiplied first."""
        for i in range(1, len(node.args)):
            if _is_column(node.args[i - 1]) and _is_row(node.args[i]):
                return self._outer(node.args[:i], node.args[i:])
        return self._chain(node.args)

    def _outer(self, left: Sequence[Expression], right: Sequence[Expression]) -> Written:
        u, v = self._chain(left), self._chain(right)
        shape = (left[0].shape[0], right[-1].shape[-1])
        if all(map(is_ones, (*left, *right))):
            return f"jnp.ones({shape}{self.dtype})", ATOM
        if all(map(is_ones, left)):
            return f"jnp.broadcast_to({self.grouped(v, ATOM)}[None, :], {shape})", ATOM
        if all(map(is_ones, right)):
            return f"jnp.broadcast_to({self.grouped(u, ATOM)}[:, None], {shape})", ATOM
        return f"jnp.outer({u[0]}, {v[0]})", ATOM

    def _chain(self, args: Sequence[Expression]) -> Written:
        first, *rest = args
        if _is_row(first):
            return self._row_times(first, rest)
        if _is_column(args[-1]):
            return self._applied(args)
        made = self.written(first)
        if first.op == "diag" and rest and rest[0].op != "diag":
            scale, matrix = self.write(first.args[0], ATOM), self.write(rest.pop(0), POSTFIX)
            made = f"{scale}[:, None] * {matrix}", PRODUCT
        for right in rest:
            text = self.grouped(made, PRODUCT)
            if right.op == "diag":
                made = f"{text} * {self.write(right.args[0], ATOM)}[None, :]", PRODUCT
            else:
                made = f"{text} @ {self.write(right, POSTFIX)}", PRODUCT
        return made

    def _row_times(self, row: Expression, rest: list[Expression]) -> Written:
        """A row times what follows, from the left."""
        made = self.written(row)
        if rest and is_ones(row) and rest[0].op != "diag":
            axis = "" if _is_column(rest[0]) else ", axis=0"
            made = f"jnp.sum({self.write(rest.pop(0))}{axis})", ATOM
        for right in rest:
            text = self.grouped(made, PRODUCT)
            if right.op == "diag":
                made = f"{text} * {self.write(right.args[0], POSTFIX)}", PRODUCT
            elif is_ones(right):
                made = f"jnp.sum({made[0]})", ATOM
            else:
                made = f"{text} @ {self.write(right, POSTFIX)}", PRODUCT
        return made

    def _applied(self, args: Sequence[Expression]) -> Written:
        """Matrices times a column, from the right."""
        *matrices, column = args
        made = self.written(column)
        for i, left in reversed(list(enumerate(matrices))):
            v = self.grouped(made, POSTFIX)
            if left.op == "diag":
                made = f"{self.write(left.args[0], POSTFIX)} * {v}", PRODUCT
            elif all(map(is_ones, args[i + 1 :])):
                made = f"jnp.sum({self.write(left)}, axis=1)", ATOM
            else:
                made = f"{self.write(left, POSTFIX)} @ {v}", PRODUCT
        return made

    # --- functions ---

    def _apply(self, node: Expression) -> Written:
        function, params = node["function"], dict(node["params"])
        if function == "softmax" and self._is_masked(node.args[0]):
            mask, _, x = node.args[0].args
            args = [Code(f"{self.write(x)}, where={self.write(mask)}")]
        else:
            args = self._arguments(node)
        if function in INFIX:
            return f" {INFIX[function]} ".join(arg.at(SUM) for arg in args), COMPARISON
        if self.dtype == INTEGERS and function == "iota":
            params["dtype"] = "int32"
        sources = [arg.shape for arg in node.args]
        return written(function, Call(args, sources, params, node.shape, self.dtype)), ATOM

    def _is_masked(self, node: Expression) -> bool:
        """Whether a node is −∞ where a mask does not hold; in rows of no other softmax is 0."""
        if node.op != "apply" or node["function"] != "select_n" or len(node.args) != 3:
            return False
        number = nodes.number_in(node.args[1])
        return number is not None and self.write(number) == "float('-inf')"

    def _arguments(self, node: Expression) -> list[Code]:
        """The arguments of a function; of an elementwise one, numbers as such."""
        function = node["function"]
        may_be_number = function in ELEMENTWISE and self.numbers_may_stand(node)
        args = [
            Code(*self._writer_of(node, i).operand(arg, may_be_number))
            for i, arg in enumerate(node.args)
        ]
        of_numbers = function in ELEMENTWISE - BOOLEAN - COMPARING and not index_arguments(node)
        if not of_numbers or self.dtype == INTEGERS:
            return args
        return [Code(f"{arg.text}.0") if arg.text.isdecimal() else arg for arg in args]

    def _writer_of(self, node: Expression, i: int) -> "CodeWriter":
        """What writes an argument: an index as integers; but what it is the place of, as values."""
        if node.args[i] in index_arguments(node):
            return self._integers
        if self.dtype == INTEGERS and node["function"] in _PLACES_OF_VALUES:
            is_place = i == dict(node["params"]).get("output")  # sorted beside the values
            return self if is_place else CodeWriter("")
        return self

    def _at(self, node: Expression) -> Written:
        read = ", ".join([":"] * node["axis"] + [node["index"]])
        return f"{self.write(node.args[0], ATOM)}[{read}]", ATOM

    def _einsum(self, node: Expression) -> Written:
        """A label that no array has is one of ones."""
        out, labels = tuple(range(len(node.shape))), node["labels"]
        lonely = [i for i in out if not any(i in x for x in labels)]
        powers = zip(node.args, node["powers"], strict=True)
        args = [self.script([*labels, *((i,) for i in lonely)], out, "->")]
        args += [self.raised(*part)[0] for part in powers]
        args += [f"jnp.ones({node.shape[i]}{self.dtype})" for i in lonely]
        return f"jnp.einsum({', '.join(args)})", ATOM


def _is_row(node: Expression) -> bool:
    return len(node.shape) == 2 and node.shape[0] == 1


def _is_column(node: Expression) -> bool:
    return len(node.shape) == 1


def _is_vector(node: Expression) -> bool:
    return _is_row(node) or _is_column(node)
