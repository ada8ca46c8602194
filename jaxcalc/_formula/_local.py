"""The derivative of one operation by what it is applied to.

A canonical expression is built step by step; each step has a rule of the notes, and by each of its
parts a derivative, a map. Those of elementwise functions are JAX's own, read as expressions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._canonical import leaf
from jaxcalc._formula._declared import DECLARED
from jaxcalc._formula._expression import Expression, call, number, walk
from jaxcalc._formula._functions import function_named
from jaxcalc._formula._maps import Einsum, Map, Terms, diagonal, every, links, of_rows
from jaxcalc._formula._product import Factor, Monomial, is_contraction, pack, unpack
from jaxcalc._formula._program import read
from jaxcalc._formula._sums import terms


@dataclass(frozen=True)
class Step:
    """One operation of a derivation.

    Attributes:
        rule: its name, and its number in the notes where it has one.
        whole: what the operation gives.
        parts: what it is applied to and depends on the argument, each with the map ∂whole/∂part,
            or None where that has no closed form.
    """

    rule: str
    whole: Expression
    parts: tuple[tuple[Expression, Map | None], ...]


@dataclass
class Derivation:
    """Takes a canonical expression apart."""

    algebra: Algebra
    argument: Expression

    def steps(self, value: Expression) -> list[Expression]:
        """What is computed from the argument to the value, each after what it is computed from."""
        self.moving = {self.argument}
        for node in walk(value):
            if any(arg in self.moving for arg in node.args):
                self.moving.add(node)
        found: dict[Expression, None] = {}
        stack = [value]
        while stack:
            node = stack[-1]
            inner = [part for part in self._parts(node) if part not in found]
            if inner:
                stack += reversed(inner)
            else:
                found.setdefault(stack.pop())
        return [node for node in found if self._parts(node) and not _only_moves(node)]

    def _parts(self, value: Expression) -> list[Expression]:
        """What a value is computed from and depends on the argument."""
        if value not in self.moving or value is self.argument:
            return []
        if value.op == "sum":
            moving = [term for term in value.args if term in self.moving]
            return [self.algebra.scaled(t, 1 / unpack(t).coefficient) for t in moving]
        return [arg for arg in dict.fromkeys(value.args) if arg in self.moving]

    def step(self, value: Expression) -> Step:
        """The step that computes a value."""
        parts = self._parts(value)
        if value.op == "sum":
            numbers = [unpack(t).coefficient for t in terms(value) if t in self.moving]
            maps = [diagonal(value.shape, scale=number) for number in numbers]
            rule = "sum (R1)" if len(parts) > 1 else "constant added (R1)"
            return Step(rule, value, tuple(zip(parts, maps, strict=True)))
        if value.op == "product":
            product = unpack(value)
            by_part = tuple((part, _by(product, part)) for part in parts)
            return Step(self._rule(product), value, by_part)
        rule, derivative = _KNOWN.get(value.op, (_name_of(value), _elementwise))
        return Step(rule, value, tuple((part, derivative(value, part)) for part in parts))

    def _rule(self, product: Monomial) -> str:
        moving = [f for f in product.factors if f.value in self.moving]
        arrays = [f for f in product.factors if f.labels]
        moving_arrays = [f for f in arrays if f in moving]
        is_square = moving == moving_arrays and sum(f.power for f in moving) == 2
        if is_square and is_contraction(pack(product)):
            return "inner product (R2)" if arrays == moving_arrays else "bilinear form (R3)"
        if [f.power for f in moving] == [1]:
            return "linear map"
        if 0 < len(moving_arrays) < len(moving):
            return "scalar times vector (R4)"
        return "product" if product.summed else "elementwise"


def _only_moves(value: Expression) -> bool:
    """Whether a value is one array, its axes moved, repeated or left out where of size 1."""
    if value.op == "squeeze":
        return True
    product = unpack(value)
    single = value.op == "product" and [f.power for f in product.factors] == [1]
    return single and product.coefficient == 1 and not product.summed


def _by(product: Monomial, part: Expression) -> Map:
    """∂product/∂part: at each factor that is the part in turn, the rest."""
    out, found = every(product.shape), []
    for position, factor in enumerate(product.factors):
        if factor.value is part:
            rest = [f for i, f in enumerate(product.factors) if i != position]
            rest.append(factor._replace(power=factor.power - 1))
            read = tuple((_raised(f), f.labels) for f in rest if f.power)
            scale = product.coefficient * factor.power
            found.append(Einsum(read, links(factor.labels), out, scale))
    return Terms(product.shape, part.shape, tuple(found))


def _raised(factor: Factor) -> Expression:
    value = leaf(factor.value)
    return call("integer_pow", (value,), value.shape, y=factor.power)


Derivative = Callable[[Expression, Expression], Map | None]


def _softmax(value: Expression, part: Expression) -> Map:
    """diag(s) − s sᵀ along the rows."""
    return of_rows("softmax", leaf(value), value["axes"])


def _sparsemax(value: Expression, part: Expression) -> Map:
    """diag(s) − s sᵀ/Σs along the rows, s = [f > 0]."""
    labels, rank = every(value.shape), len(value.shape)
    axes = tuple(axis % rank for axis in value["axes"])
    kept = tuple(i for i in labels if i not in axes)
    positive = call("gt", (leaf(value), number(0.0)), value.shape)
    s = call("indicator", (positive,), value.shape)
    size = call("reduce_sum", (s,), [value.shape[i] for i in kept], axes=axes)
    read = tuple(i + rank if i in axes else i for i in labels)  # the row is summed over
    factors = (s, labels), (s, read), (call("integer_pow", (size,), size.shape, y=-1), kept)
    terms_ = Einsum(factors[:1], links(labels), labels), Einsum(factors, links(read), labels, -1.0)
    return Terms(value.shape, part.shape, terms_)


def _logsumexp(value: Expression, part: Expression) -> Map:
    """softmax(u) along the rows."""
    labels = every(part.shape)
    s = call("softmax", (leaf(part),), part.shape, axes=value["axes"])
    kept = tuple(i for i in labels if i - len(labels) not in value["axes"])
    return Terms(value.shape, part.shape, (Einsum(((s, labels),), links(labels), kept),))


def _product_of_entries(value: Expression, part: Expression) -> Map:
    """The products of the others."""
    labels, axes = every(part.shape), value["axes"]
    others = call("reduce_prod_others", (leaf(part),), part.shape, axes=axes)
    kept = tuple(i for i in labels if i not in axes)
    return Terms(value.shape, part.shape, (Einsum(((others, labels),), links(labels), kept),))


def _inverse(value: Expression, part: Expression) -> Map:
    """−X⁻¹ ⊗ X⁻ᵀ, for each matrix."""
    *batch, i, j = every(part.shape)
    k, m = i + 2, j + 2
    factors = (leaf(value), (*batch, i, k)), (leaf(value), (*batch, m, j))
    term = Einsum(factors, links((*batch, k, m)), (*batch, i, j), -1.0)
    return Terms(value.shape, part.shape, (term,))


def _determinant(value: Expression, part: Expression) -> Map:
    """det X X⁻¹, its axes in the order of X, for each matrix."""
    *batch, i, j = every(part.shape)
    inverse = call("inv", (leaf(part),), part.shape)
    factors = (leaf(value), tuple(batch)), (inverse, (*batch, j, i))
    term = Einsum(factors, links((*batch, i, j)), tuple(batch))
    return Terms(value.shape, part.shape, (term,))


def _selection(value: Expression, part: Expression) -> Map:
    """δ along the axes that stay, rows of I along the one that is read."""
    labels, axis, is_at = every(part.shape), value["axis"], value.op == "at"
    places = (int(value["index"]),) if is_at else value["places"]
    read = tuple((i, i, places if i == axis else None) for i in labels)
    out = tuple(i for i in labels if i != axis or not is_at)
    return Terms(value.shape, part.shape, (Einsum((), read, out),))


def _elementwise(value: Expression, part: Expression) -> Map | None:
    """diag(f′(u)) for a function f that JAX has a rule for."""
    f = function_named(value.op)
    if f is None or part.shape != value.shape:
        return None

    def slope(*args: jax.Array) -> jax.Array:
        def of_part(u: jax.Array) -> jax.Array:
            return f(*(u if v is part else a for v, a in zip(value.args, args, strict=True)))

        u = args[value.args.index(part)]
        return jax.jvp(of_part, (u,), (jnp.ones_like(u),))[1]

    types = [jax.ShapeDtypeStruct(arg.shape, jnp.result_type(float)) for arg in value.args]
    program = jax.make_jaxpr(slope)(*types)
    (made,) = read(program, (), list(map(leaf, value.args)))
    return diagonal(value.shape, made)


def _declared(value: Expression, part: Expression) -> Map:
    """diag(f′(u)) for a function f made from a declaration."""
    return diagonal(
        value.shape, call("derivative", (leaf(part),), part.shape, of=value.op, order=1)
    )


def _size(value: Expression, part: Expression) -> Map:
    """diag(sign(u)), 0 where u is."""
    return diagonal(value.shape, call("sign", (leaf(part),), part.shape))


def _name_of(value: Expression) -> str:
    """The rule of a function without one of its own."""
    return value.op if function_named(value.op) is None else "elementwise"


_KNOWN: Mapping[str, tuple[str, Derivative]] = {
    "softmax": ("softmax (notes §4)", _softmax),
    "logsumexp": ("log-sum-exp (notes §4)", _logsumexp),
    "sparsemax": ("sparsemax", _sparsemax),
    "logistic": ("logistic (notes §3)", _elementwise),
    "softplus": ("softplus (notes §3)", _elementwise),
    "reduce_prod": ("product of the entries", _product_of_entries),
    "inv": ("inverse", _inverse),
    "det": ("determinant", _determinant),
    "abs": ("elementwise", _size),
    **{name: (name, _declared) for name in DECLARED},
    "at": ("selection", _selection),
    "take": ("selection", _selection),
}
