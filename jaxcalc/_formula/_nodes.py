"""The notation of linear algebra: nodes that printers write down.

A node is an expression whose shape tells what it is: () a scalar, (n,) a column, (1, n) a row,
(m, n) a matrix; canonical values have no axes of size 1, so that a row is never mistaken. The
constructors below simplify as a person would: I A is A, (A B)ᵀ is Bᵀ Aᵀ.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, call

ONE = Fraction(1)
INDICES = "ijklmnpqrstuvwxyzabcdefghoABCDEFGHIJKLMNOPQRSTUVWXYZ"
Part = tuple[Expression, Fraction]
Labels = tuple[int, ...]


def transpose(node: Expression) -> Expression:
    """nodeᵀ, moved inwards where that needs no more symbols."""
    return _transposed(node, {})


def _transposed(node: Expression, made: dict[Expression, Expression]) -> Expression:
    """nodeᵀ; `made` are those there are, for what occurs more than once."""
    if node not in made:
        made[node] = _mirrored(node, partial(_transposed, made=made))
    return made[node]


def _mirrored(node: Expression, transpose: Callable[[Expression], Expression]) -> Expression:
    if node.op in ("diag", "eye") or not node.shape:
        return node
    if node.op == "apply" and ("symmetric", True) in node["params"]:
        return node
    if is_kron(node):
        return kron(list(map(transpose, node.args)), node.shape[::-1])
    if node.op == "transposed":
        return node.args[0]
    if node.op == "matmul":
        return matmul([transpose(arg) for arg in reversed(node.args)])
    if node.op == "times":
        coefficient, scalars, body = parts_of(node)
        return times(coefficient, scalars, body and transpose(body))
    if node.op in ("plus", "hadamard") and len(node.shape) == 2 and node.shape[0] != 1:
        args = tuple(map(transpose, node.args))
        return Expression(node.op, args, node.params, node.shape[::-1])
    return call("transposed", (node,), _flipped(node.shape))


def _flipped(shape: Shape) -> Shape:
    if len(shape) == 1:
        return (1, *shape)
    return shape[1:] if shape[0] == 1 else shape[::-1]


def matmul(nodes: Sequence[Expression]) -> Expression:
    """The matrix product of the nodes."""
    flat = [part for node in nodes for part in (node.args if node.op == "matmul" else (node,))]
    if len(flat) > 1:
        flat = [part for part in flat if part.op != "eye"] or flat[:1]
    if len(flat) == 1:
        return flat[0]
    shape = product_shape(flat[0].shape, flat[-1].shape)
    if not shape:
        mirrored = [transpose(part) for part in reversed(flat)]
        flat = min(flat, mirrored, key=_transposes)  # xᵀ A x, not xᵀ Aᵀ x
    return Expression("matmul", tuple(flat), (), shape)


def _transposes(parts: Sequence[Expression]) -> int:
    """How many transposes are written, those of long expressions counting more."""
    inner = [part.args[0] for part in parts if part.op == "transposed"]
    return sum(2 if node.op in ("hadamard", "plus", "times", "power") else 1 for node in inner)


def product_shape(first: Shape, last: Shape) -> Shape:
    """The shape of a product from those of its first and last factors."""
    rows = () if not first or (first[0] == 1 and len(first) == 2) else first[:1]
    columns = last[1:]
    return (1, *columns) if columns and not rows else (*rows, *columns)


def diag(node: Expression) -> Expression:
    """The diagonal matrix of a column."""
    return call("diag", (node,), node.shape * 2)


def eye(n: int) -> Expression:
    """The identity matrix."""
    return call("eye", (), (n, n))


def ones(n: int) -> Expression:
    """The column of ones."""
    return call("ones", (), (n,))


def diagonal(node: Expression) -> Expression:
    """The diagonal of a matrix, as a column."""
    return call("diagonal", (node,), node.shape[:1])


def trace(node: Expression) -> Expression:
    """tr node."""
    return call("trace", (node,), ())


def total(node: Expression) -> Expression:
    """The sum of all entries."""
    return call("total", (node,), ())


def norm(node: Expression) -> Expression:
    """‖node‖, the root of the sum of squares."""
    return call("norm", (node,), ())


def power(node: Expression, exponent: Fraction) -> Expression:
    """node to a power, elementwise."""
    return node if exponent == 1 else call("power", (node,), node.shape, exponent=exponent)


def hadamard(parts: Sequence[Part]) -> Expression:
    """The elementwise product of powers."""
    if len(parts) == 1 and parts[0][1] > 0:
        return power(*parts[0])
    nodes, powers = zip(*parts, strict=True)
    return call("hadamard", nodes, nodes[0].shape, powers=powers)


def times(
    coefficient: Fraction, scalars: Sequence[Part], body: Expression | None = None
) -> Expression:
    """coefficient · Π scalars · body."""
    coefficient, scalars = _flattened(coefficient, scalars)
    if coefficient == 1 and not scalars and body is not None:
        return body
    if coefficient == -1 and not scalars and body is not None and body.op == "plus":
        return plus([_opposite(part) for part in body.args])
    nodes, powers = zip(*scalars, strict=True) if scalars else ((), ())
    if coefficient == 1 and powers == (ONE,) and body is None:
        return nodes[0]
    args = (*nodes, *(() if body is None else (body,)))
    shape = () if body is None else body.shape
    return call("times", args, shape, coefficient=coefficient, powers=powers)


def _opposite(node: Expression) -> Expression:
    return negated(node) if is_negative(node) else times(-ONE, [], node)


def _flattened(coefficient: Fraction, scalars: Sequence[Part]) -> tuple[Fraction, list[Part]]:
    """The scalars, with products among them opened."""
    flat: list[Part] = []
    for node, exponent in scalars:
        if node.op == "times" and exponent == 1:
            inner, parts, body = parts_of(node)
            coefficient *= inner
            flat += parts if body is None else [*parts, (body, ONE)]
        else:
            flat.append((node, exponent))
    return coefficient, flat


def plus(nodes: Sequence[Expression]) -> Expression:
    """The sum of nodes of one shape; the first that is not subtracted leads."""
    if len(nodes) == 1:
        return nodes[0]
    lead = next((n for n in nodes if not is_negative(n)), nodes[0])
    order = [lead, *(n for n in nodes if n is not lead)]
    return call("plus", order, nodes[0].shape)


def summands(node: Expression) -> tuple[Expression, ...]:
    """The terms of a sum."""
    return node.args if node.op == "plus" else (node,)


def number_in(node: Expression) -> Expression | None:
    """The scalar that every entry of an array is, where that can be seen."""
    if node.op == "times":
        coefficient, scalars, body = parts_of(node)
        filled = body is not None and number_in(body) is not None
        return times(coefficient, scalars) if filled else None
    if node.op == "sum":
        return Expression("sum", (), (), ())
    return times(ONE, []) if node.op == "ones" or is_outer_of_ones(node) else None


def is_outer_of_ones(node: Expression) -> bool:
    """Whether a node is 1 1ᵀ."""
    return node.op == "matmul" and all(map(is_ones, node.args))


def is_ones(node: Expression) -> bool:
    """Whether a node is a column or a row of ones."""
    return (node.args[0] if node.op == "transposed" else node).op == "ones"


def parts_of(node: Expression) -> tuple[Fraction, list[Part], Expression | None]:
    """The coefficient of a product, its scalars, and the array that they multiply."""
    scalars = list(zip(node.args, node["powers"], strict=False))
    body = node.args[len(scalars) :]
    return node["coefficient"], scalars, body[0] if body else None


def is_negative(node: Expression) -> bool:
    """Whether a node is written with a minus in front."""
    return node.op == "times" and node["coefficient"] < 0


def negated(node: Expression) -> Expression:
    """−node, for a node written with a minus in front."""
    coefficient, scalars, body = parts_of(node)
    return times(-coefficient, scalars, body)


def omitted(count: int, shape: Shape) -> Expression:
    """What is left out of a formula that would be too long: so many terms."""
    return call("omitted", (), shape, count=count)


def apply(function: str, args: Sequence[Expression], shape: Shape, params: object) -> Expression:
    """A function's value."""
    return call("apply", args, shape, function=function, params=params)


def kron(nodes: Sequence[Expression], shape: Shape) -> Expression:
    """The Kronecker product of matrices, as a matrix or as a tensor of a shape."""
    return apply("kron", nodes, shape, ())


def is_kron(node: Expression) -> bool:
    """Whether a node is a Kronecker product."""
    return node.op == "apply" and bool(node["function"] == "kron")


def parameter(node: Expression, key: str) -> Any:
    """A parameter of the function that a node applies."""
    return dict(node["params"])[key]
