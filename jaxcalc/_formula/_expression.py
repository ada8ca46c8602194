"""Expressions: what an array is, as a symbolic value.

An expression names an operation, its arguments, its static parameters and the shape of its value.
Equal expressions are one object, so that equality is identity, hashing costs nothing, and a
subexpression that occurs twice is seen to.

>>> A, x = name("A", (3, 4)), name("x", (4,))
>>> call("contract", (A, x), (3,), labels=((0, 1), (1,)), out=(0,)) is matvec(A, x)
True
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from jaxcalc._formula._anonymous import number_of

Params = tuple[tuple[str, Hashable], ...]
Shape = tuple[int, ...]


class Expression:
    """An operation applied to expressions; immutable, and one object for each value.

    Attributes:
        op: the operation: a primitive's or a known function's name, or one of `name`, `number`,
            `contract`, `add`, `neg`, `scale`, `at`, `broadcast`, `ones`, `unknown`.
        args: the operands.
        params: the static parameters, as sorted pairs.
        shape: the shape of the value.
    """

    __slots__ = ("__weakref__", "args", "op", "params", "shape")

    op: str
    args: tuple["Expression", ...]
    params: Params
    shape: Shape

    def __new__(
        cls, op: str, args: tuple["Expression", ...], params: Params, shape: Shape
    ) -> "Expression":
        key = (op, args, params, shape)
        found = _INTERNED.get(key)
        return _INTERNED.setdefault(key, _made(key)) if found is None else found

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(f"an Expression is immutable; `{attribute}` cannot be set.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Built from its parts again, and so one object with those that are equal.

        In a list, arguments first: parts of parts of parts would be too deep for `pickle`.
        """
        nodes = list(walk(self))
        places = {node: place for place, node in enumerate(nodes)}
        rows = [(n.op, tuple(places[a] for a in n.args), n.params, n.shape) for n in nodes]
        return _rebuilt, (rows,)

    def __deepcopy__(self, memo: object) -> "Expression":
        return self

    def __getitem__(self, parameter: str) -> Any:
        return dict(self.params)[parameter]

    def get(self, parameter: str, default: Any = None) -> Any:
        """A parameter, or a default where there is none."""
        return dict(self.params).get(parameter, default)

    def __neg__(self) -> "Expression":
        return call("neg", (self,), self.shape)

    def __add__(self, other: "Operand") -> "Expression":
        return _of_two("add", self, other)

    def __sub__(self, other: "Operand") -> "Expression":
        return _of_two("sub", self, other)

    def __rsub__(self, other: "Operand") -> "Expression":
        return _of_two("sub", other, self)

    def __mul__(self, other: "Operand") -> "Expression":
        return _of_two("mul", self, other)

    def __truediv__(self, other: "Operand") -> "Expression":
        return _of_two("div", self, other)

    def __repr__(self) -> str:
        inner = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.params)]
        return f"{self.op}({', '.join(inner)})"


Operand = Expression | float


def _of_two(op: str, left: Operand, right: Operand) -> Expression:
    """An operation entry by entry, axes of size 1 and numbers repeated."""
    a, b = (x if isinstance(x, Expression) else number(x) for x in (left, right))
    return call(op, (a, b), np.broadcast_shapes(a.shape, b.shape))


def _rebuilt(rows: Sequence[tuple[str, tuple[int, ...], Params, Shape]]) -> Expression:
    nodes: list[Expression] = []
    for op, places, params, shape in rows:
        nodes.append(Expression(op, tuple(nodes[place] for place in places), params, shape))
    return nodes[-1]


_INTERNED: WeakValueDictionary[tuple[Any, ...], Expression] = WeakValueDictionary()


def _made(key: tuple[Any, ...]) -> Expression:
    new = object.__new__(Expression)
    for attribute, value in zip(("op", "args", "params", "shape"), key, strict=True):
        object.__setattr__(new, attribute, value)
    return new


def name(text: str, shape: Sequence[int]) -> Expression:
    """An argument or a captured array."""
    return Expression("name", (), (("text", text),), tuple(shape))


def number(value: float | int | bool) -> Expression:
    """A scalar literal; 1, 1.0 and True are three."""
    return Expression("number", (), (("kind", type(value).__name__), ("value", value)), ())


def call(
    op: str, args: Sequence[Expression], shape: Sequence[int], /, **params: object
) -> Expression:
    """The operation `op` of `args`, with any parameters made hashable."""
    fixed = tuple(sorted((key, hashable(value)) for key, value in params.items()))
    return Expression(op, tuple(args), fixed, tuple(shape))


def matvec(A: Expression, x: Expression) -> Expression:
    """The product A x of a matrix and a vector."""
    return call("contract", (A, x), A.shape[:1], labels=((0, 1), (1,)), out=(0,))


def repeated(expression: Expression) -> tuple[Expression, tuple[int, ...]] | None:
    """What a broadcast repeats, and where its axes go; None for anything else."""
    if expression.op != "broadcast_in_dim":
        return None
    return expression.args[0], expression["broadcast_dimensions"]


def hashable(value: object) -> Hashable:
    """`value`, with lists, dictionaries and arrays inside it made tuples.

    What cannot be hashed even so is equal to itself alone.
    """
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), tuple(value.ravel().tolist())
    if isinstance(value, Mapping):
        return tuple((key, hashable(item)) for key, item in value.items())
    if isinstance(value, list) or type(value) is tuple:
        return tuple(map(hashable, value))
    try:
        hash(value)
    except TypeError:
        return "unhashable", number_of("unhashable", id(value), value)
    return value


def walk(*roots: Expression) -> Iterator[Expression]:
    """Every expression inside `roots` once, arguments before what they are arguments of."""
    seen: set[Expression] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, open_ = stack.pop()
        if open_:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))


def rebuilt(root: Expression, change: Callable[[Expression, Expression], Expression]) -> Expression:
    """The expression with its parts changed, arguments first.

    `change` takes a part as it was, and as it is with changed arguments.
    """
    made: dict[Expression, Expression] = {}
    for node in walk(root):
        args = tuple(made[arg] for arg in node.args)
        made[node] = change(node, Expression(node.op, args, node.params, node.shape))
    return made[root]


def replaced(root: Expression, names: Mapping[Expression, Expression]) -> Expression:
    """The expression with others in place of some inside it."""
    return rebuilt(root, lambda node, new: names.get(node, new))
