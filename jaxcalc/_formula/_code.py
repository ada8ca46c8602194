"""Nodes as Python expressions of `jax.numpy`.

Rows and columns are both one-dimensional arrays; which of them a value is decides how products are
written. Nothing relies on promotion of dtypes or ranks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from jaxcalc._formula import _nodes as nodes
from jaxcalc._formula._code_arrays import ARRAYS, without_closed_form
from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._functions import INFIX, ROWS, index_arguments
from jaxcalc._formula._nodes import INDICES, Part
from jaxcalc._formula._rules import BOOLEAN, ELEMENTWISE

COMPARISON, SUM, PRODUCT, POWER, ATOM = range(5)
SCALAR, COLUMN, ROW, MATRIX = "scalar", "column", "row", "matrix"


class Code(NamedTuple):
    """Source, how strongly its last operation binds, and which way the value stands."""

    text: str
    strength: int
    kind: str

    def at(self, least: int) -> str:
        """The source, in parentheses where it binds less than `least`."""
        return self.text if self.strength >= least else f"({self.text})"


def kind_of(shape: Shape) -> str:
    """Which way a node of this shape stands; what is no vector is a matrix."""
    if len(shape) == 1:
        return COLUMN
    if not shape:
        return SCALAR
    return ROW if len(shape) == 2 and shape[0] == 1 else MATRIX


INTEGERS = ", dtype=jnp.int32"


@dataclass
class CodeWriter:
    """Writes nodes as Python, each once.

    Attributes:
        dtype: what is appended to the arguments of a maker of constants.
    """

    dtype: str
    memo: dict[Expression, Code] = field(default_factory=dict)

    @cached_property
    def _integers(self) -> "CodeWriter":
        """What writes indices."""
        return CodeWriter(INTEGERS)

    def dense(self, node: Expression, shape: Shape) -> str:
        """The node as an array of `shape`."""
        if node.op == "sum":
            return f"jnp.zeros({shape}{self.dtype})"
        if node.op == "times" and not node.args:
            return f"jnp.full({shape}, {_number(node['coefficient'])}{self.dtype})"
        code = self.write(node)
        if code.kind in (ROW, COLUMN) and len(shape) == 2:
            return f"{code.at(ATOM)}[None, :]" if shape[0] == 1 else f"{code.at(ATOM)}[:, None]"
        if node.shape == shape and code.kind == MATRIX:
            return code.text
        return f"jnp.reshape({code.text}, {shape})"

    def write(self, node: Expression) -> Code:
        """The node as Python."""
        if node not in self.memo:
            method: Callable[[Expression], Code] = getattr(self, f"_{node.op}")
            self.memo[node] = method(node)
        return self.memo[node]

    def atom(self, node: Expression) -> str:
        """The node, in parentheses unless it is an atom."""
        return self.write(node).at(ATOM)

    def listed(self, args: Sequence[Expression]) -> str:
        return ", ".join(self.write(arg).text for arg in args)

    def index(self, node: Expression) -> str:
        """The node as integers."""
        return self._integers.write(node).text

    def _name(self, node: Expression) -> Code:
        return Code(node["text"], ATOM, kind_of(node.shape))

    def _number(self, node: Expression) -> Code:
        value = node["value"]
        text = f"float('{value}')" if isinstance(value, float) else repr(value)
        return Code(text, ATOM, SCALAR)

    def _eye(self, node: Expression) -> Code:
        return Code(f"jnp.eye({node.shape[0]}{self.dtype})", ATOM, MATRIX)

    def _ones(self, node: Expression) -> Code:
        return Code(f"jnp.ones({node.shape[0]}{self.dtype})", ATOM, COLUMN)

    def _transposed(self, node: Expression) -> Code:
        inner = self.write(node.args[0])
        if inner.kind == MATRIX:
            return Code(f"{inner.at(ATOM)}.T", ATOM, MATRIX)
        return inner._replace(kind=ROW if inner.kind == COLUMN else COLUMN)

    def _diag(self, node: Expression) -> Code:
        return Code(f"jnp.diag({self.listed(node.args)})", ATOM, MATRIX)

    def _diagonal(self, node: Expression) -> Code:
        return Code(f"jnp.diagonal({self.listed(node.args)})", ATOM, COLUMN)

    def _trace(self, node: Expression) -> Code:
        return Code(f"jnp.trace({self.listed(node.args)})", ATOM, SCALAR)

    def _total(self, node: Expression) -> Code:
        return Code(f"jnp.sum({self.listed(node.args)})", ATOM, SCALAR)

    def _norm(self, node: Expression) -> Code:
        return Code(f"jnp.linalg.norm({self.listed(node.args)})", ATOM, SCALAR)

    # --- sums and products ---

    def _plus(self, node: Expression) -> Code:
        varying = [arg for arg in node.args if not _is_constant(arg)]
        first, *rest = node.args
        text = self._summand(first, bool(varying)).at(SUM)
        for arg in rest:
            if nodes.is_negative(arg):
                text += f" - {self._summand(nodes.negated(arg), bool(varying)).at(PRODUCT)}"
            else:
                text += f" + {self._summand(arg, bool(varying)).at(SUM)}"
        kind = self.write(varying[0]).kind if varying else kind_of(node.shape)
        return Code(text, SUM, kind)

    def _summand(self, node: Expression, may_be_number: bool) -> Code:
        """A term; an array of one number as that number, where another term has the shape."""
        if may_be_number and _is_constant(node):
            return self._scalar_of(node)
        return self.write(node)

    def _scalar_of(self, node: Expression) -> Code:
        """The number that every entry of a node is."""
        if node.op != "times":
            return Code("0" if node.op == "sum" else "1", ATOM, SCALAR)
        scalars = list(zip(node.args, node["powers"], strict=False))
        return self.write(nodes.times(node["coefficient"], scalars))

    def _times(self, node: Expression) -> Code:
        scalars = list(zip(node.args, node["powers"], strict=False))
        if scalars and _is_ones(node.args[len(scalars) :]) and node.shape:
            return self._filled(node)
        body = [self.write(arg) for arg in node.args[len(scalars) :]]
        coefficient = node["coefficient"]
        whole = _is_quotient(coefficient)
        top, bottom = abs(coefficient.numerator), coefficient.denominator
        number = Fraction(top) if whole else abs(coefficient)
        above = [] if number == 1 else [_number(number)]
        above += [self._raised(b, p).at(POWER) for b, p in scalars if p > 0]
        above += [code.at(POWER if above else PRODUCT) for code in body]
        below = [str(bottom)] if whole and bottom != 1 else []
        below += [self._raised(b, -p).at(POWER) for b, p in scalars if p < 0]
        text = " / ".join([" * ".join(above) or "1", *below])
        sign = "-" if coefficient < 0 else ""
        strength = PRODUCT if len(above) + len(below) > 1 or sign else ATOM
        return Code(sign + text, strength, body[0].kind if body else SCALAR)

    def _filled(self, node: Expression) -> Code:
        """A vector of one number, in the dtype of that: it may be an index."""
        text = f"jnp.full({node.args[-1].shape[-1]}, {self._scalar_of(node).text})"
        return Code(text, ATOM, kind_of(node.shape))

    def _power(self, node: Expression) -> Code:
        return self._raised(node.args[0], node["exponent"])

    def _raised(self, base: Expression, exponent: Fraction) -> Code:
        code = self.write(base)
        if exponent == 1:
            return code
        if abs(exponent) == Fraction(1, 2):
            root = Code(f"jnp.sqrt({code.text})", ATOM, code.kind)
            return (
                root if exponent > 0 else root._replace(text=f"1 / {root.text}", strength=PRODUCT)
            )
        if exponent == -1:
            return Code(f"1 / {code.at(POWER)}", PRODUCT, code.kind)
        number = str(exponent) if exponent.denominator == 1 else str(float(exponent))
        return Code(f"{code.at(ATOM)} ** {number}", POWER, code.kind)

    def _hadamard(self, node: Expression) -> Code:
        parts: list[Part] = list(zip(node.args, node["powers"], strict=True))
        above = [self._raised(*part) for part in parts if part[1] > 0]
        below = [self._raised(arg, -power) for arg, power in parts if power < 0]
        top = " * ".join(code.at(POWER) for code in above) or "1"
        text = " / ".join([top, *(code.at(POWER) for code in below)])
        return Code(text, PRODUCT, (above or below)[0].kind)

    def _matmul(self, node: Expression) -> Code:
        """Split between a column and a row, an outer product; vectors are multiplied first."""
        kinds = [self._kind(arg) for arg in node.args]
        for i in range(1, len(kinds)):
            if kinds[i - 1] == COLUMN and kinds[i] == ROW:
                return self._outer(node.args[:i], node.args[i:])
        return self._chain(node.args)

    def _kind(self, node: Expression) -> str:
        return self.write(node).kind

    def _outer(self, left: Sequence[Expression], right: Sequence[Expression]) -> Code:
        u, v = self._chain(left), self._chain(right)
        shape = (left[0].shape[0], right[-1].shape[-1])
        is_ones = _is_ones(left), _is_ones(right)
        if all(is_ones):
            text = f"jnp.ones({shape}{self.dtype})"
        elif is_ones[0]:
            text = f"jnp.broadcast_to({v.at(ATOM)}[None, :], {shape})"
        elif is_ones[1]:
            text = f"jnp.broadcast_to({u.at(ATOM)}[:, None], {shape})"
        else:
            text = f"jnp.outer({u.text}, {v.text})"
        return Code(text, ATOM, MATRIX)

    def _chain(self, args: Sequence[Expression]) -> Code:
        if self._kind(args[-1]) == COLUMN and self._kind(args[0]) != ROW:
            made = self.write(args[-1])
            for i in range(len(args) - 2, -1, -1):
                made = self._pair(args[i], made, _is_ones(args[i + 1 :]))
            return made
        if args[0].op == "diag" and len(args) > 1 and args[1].op != "diag":
            scale = self.write(args[0].args[0]).at(ATOM)
            made = Code(f"{scale}[:, None] * {self.write(args[1]).at(POWER)}", PRODUCT, MATRIX)
            rest = range(2, len(args))
        else:
            made, rest = self.write(args[0]), range(1, len(args))
        for i in rest:
            made = self._pair_right(made, args[i], _is_ones(args[:i]))
        return made

    def _pair(self, left: Expression, v: Code, is_ones: bool) -> Code:
        """A matrix times a column."""
        if left.op == "diag":
            return Code(f"{self.write(left.args[0]).at(POWER)} * {v.at(POWER)}", PRODUCT, COLUMN)
        code = self.write(left)
        if is_ones:
            return Code(f"jnp.sum({code.text}, axis=1)", ATOM, COLUMN)
        return Code(f"{code.at(POWER)} @ {v.at(POWER)}", PRODUCT, COLUMN)

    def _pair_right(self, left: Code, right: Expression, is_ones: bool) -> Code:
        """A row or a matrix times what follows."""
        if right.op == "diag":
            v = self.write(right.args[0])
            text = v.at(POWER) if left.kind == ROW else f"{v.at(ATOM)}[None, :]"
            return Code(f"{left.at(PRODUCT)} * {text}", PRODUCT, left.kind)
        code = self.write(right)
        if left.kind == ROW:
            kind = SCALAR if code.kind == COLUMN else ROW
            if is_ones:
                axis = "" if kind == SCALAR else ", axis=0"
                return Code(f"jnp.sum({code.text}{axis})", ATOM, kind)
            if kind == SCALAR and _is_ones([right]):
                return Code(f"jnp.sum({left.text})", ATOM, kind)
            return Code(f"{left.at(PRODUCT)} @ {code.at(POWER)}", PRODUCT, kind)
        kind = COLUMN if code.kind == COLUMN else MATRIX
        return Code(f"{left.at(PRODUCT)} @ {code.at(POWER)}", PRODUCT, kind)

    # --- functions ---

    def _sum(self, node: Expression) -> Code:
        text = f"jnp.zeros({node.shape}{self.dtype})" if node.shape else "0"
        return Code(text, ATOM, kind_of(node.shape))

    def _apply(self, node: Expression) -> Code:
        function, kind = node["function"], kind_of(node.shape)
        if function in ARRAYS:
            return Code(ARRAYS[function](self, node), ATOM, kind)
        if function == "softmax" and self._is_masked(node.args[0]):
            mask, _, x = node.args[0].args
            text = f"{self.write(x).text}, where={self.write(mask).text}"
            return Code(ROWS[function]([text], dict(node["params"]), node.shape), ATOM, kind)
        args = self.operands(node)
        if function in INFIX:
            text = f" {INFIX[function]} ".join(arg.at(SUM) for arg in args)
            return Code(text, COMPARISON, kind)
        if function not in ROWS:
            raise without_closed_form(function)
        texts = [arg.text for arg in args]
        of_numbers = function in ELEMENTWISE - BOOLEAN and not index_arguments(node)
        if of_numbers and self.dtype != INTEGERS:
            texts = [f"{text}.0" if text.isdecimal() else text for text in texts]
        params = dict(node["params"])
        if self.dtype == INTEGERS and function == "iota":
            params["dtype"] = "int32"
        return Code(ROWS[function](texts, params, node.shape), ATOM, kind)

    def _is_masked(self, node: Expression) -> bool:
        """Whether a node is −∞ where a mask does not hold; in rows of no other softmax is 0."""
        if node.op != "apply" or node["function"] != "select_n" or len(node.args) != 3:
            return False
        outside = node.args[1]
        return _is_constant(outside) and self._scalar_of(outside).text == "float('-inf')"

    def operands(self, node: Expression) -> list[Code]:
        """The arguments of a function; of an elementwise one, numbers as such."""
        may_be_number = node["function"] in ELEMENTWISE and not all(map(_is_constant, node.args))
        return [
            self._writer_of(node, i)._summand(arg, may_be_number) for i, arg in enumerate(node.args)
        ]

    def _writer_of(self, node: Expression, i: int) -> "CodeWriter":
        """What writes an argument: an index as integers; but what it is the place of, as values."""
        if node.args[i] in index_arguments(node):
            return self._integers
        if self.dtype == INTEGERS and node["function"] in _PLACES_OF_VALUES:
            is_place = i == dict(node["params"]).get("output")  # sorted beside the values
            return self if is_place else CodeWriter("")
        return self

    def _at(self, node: Expression) -> Code:
        base = self.write(node.args[0]).at(ATOM)
        read = ", ".join([":"] * node["axis"] + [node["index"]])
        return Code(f"{base}[{read}]", ATOM, kind_of(node.shape))

    def _einsum(self, node: Expression) -> Code:
        out = tuple(range(len(node.shape)))
        lonely = [i for i in out if not any(i in labels for labels in node["labels"])]
        labels = [*node["labels"], *((i,) for i in lonely)]
        letter = {
            i: INDICES[k] for k, i in enumerate(sorted({i for x in [*labels, out] for i in x}))
        }
        args = [
            self._raised(arg, power).text
            for arg, power in zip(node.args, node["powers"], strict=True)
        ]
        args += [f"jnp.ones({node.shape[i]}{self.dtype})" for i in lonely]
        read = ",".join("".join(letter[i] for i in x) for x in labels)
        script = f'"{read}->{"".join(letter[i] for i in out)}"'
        return Code(f"jnp.einsum({', '.join([script, *args])})", ATOM, kind_of(node.shape))


_PLACES_OF_VALUES = {"argmax", "argmin", "sort"}  # integers, made of what need not be


def _is_constant(node: Expression) -> bool:
    """Whether a node is an array of one number."""
    if node.op == "times":
        return len(node.args) > len(node["powers"]) and _is_constant(node.args[-1])
    if node.op == "matmul":
        return _is_ones(node.args)
    return node.op == "ones" or (node.op == "sum" and not node.args)


def _is_ones(args: Sequence[Expression]) -> bool:
    plain = [arg.args[0] if arg.op == "transposed" else arg for arg in args]
    return all(arg.op == "ones" for arg in plain)


def _is_quotient(value: Fraction) -> bool:
    """Whether a number is written as a quotient, rather than as a decimal."""
    return value.denominator <= 64 and abs(value.numerator) <= 10**9


def _number(value: Fraction) -> str:
    if not _is_quotient(value):
        return repr(float(value))
    return (
        str(value.numerator)
        if value.denominator == 1
        else f"{value.numerator} / {value.denominator}"
    )
