"""Expressions in canonical form: every operation rewritten by its row of a table.

What is a product, a sum or a rearrangement of axes becomes one; what is elementwise or has no row
becomes an atom of canonical arguments.
"""

from fractions import Fraction
from math import isfinite
from typing import cast

import numpy as np

from jaxcalc._formula import _gathering as gathering
from jaxcalc._formula import _indexing as indexing
from jaxcalc._formula import _masks as masks
from jaxcalc._formula import _patterns as patterns
from jaxcalc._formula import _solving as solving
from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._declared import derivative
from jaxcalc._formula._expression import Expression, call, walk
from jaxcalc._formula._kronecker import kronecker
from jaxcalc._formula._product import Factor, relabel, unpack, whole
from jaxcalc._formula._rules import Args, Rule, atom, fitted, other
from jaxcalc._formula._sums import constant, terms, weight, zero

Memo = dict[Expression, Expression]
_LONGEST = 32  # in atoms and terms


def canonical(algebra: Algebra, value: Expression, memo: Memo) -> Expression:
    """`value` in the canonical form of `algebra`."""
    for node in walk(value):
        if node not in memo:
            args = [memo[arg] for arg in node.args]
            memo[node] = _bounded(algebra, RULES.get(node.op, other)(algebra, node, args))
    return memo[value]


def _bounded(algebra: Algebra, value: Expression) -> Expression:
    """The value; one that is long is a part from now on: an atom, which gets a name."""
    if weight(value) <= _LONGEST:
        return value
    return algebra.apply("part", (value,), value.shape)


def leaf(value: Expression) -> Expression:
    """A canonical expression as an operand of others: the rules take it as it is."""
    return call("canonical", (), value.shape, value=value)


def _leaf(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return cast(Expression, node["value"])


def _number(algebra: Algebra, node: Expression, args: Args) -> Expression:
    value = node["value"]
    real = isinstance(value, int | float)
    return constant(Fraction(value)) if real and isfinite(value) else node


def _powers(*powers: int | Fraction) -> Rule:
    def rule(algebra: Algebra, node: Expression, args: Args) -> Expression:
        factors = [
            whole(fitted(algebra, arg, node.shape), power)
            for arg, power in zip(args, powers, strict=True)
        ]
        return algebra.multiply(factors, node.shape)

    return rule


def _signs(*signs: int) -> Rule:
    def rule(algebra: Algebra, node: Expression, args: Args) -> Expression:
        wide = [fitted(algebra, arg, node.shape) for arg in args]
        parts = [
            algebra.scaled(term, Fraction(sign))
            for sign, arg in zip(signs or (1,) * len(args), wide, strict=True)
            for term in terms(arg)
        ]
        return algebra.add(parts, node.shape)

    return rule


def _integer_power(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return _powers(node["y"])(algebra, node, args)


def _power(algebra: Algebra, node: Expression, args: Args) -> Expression:
    base, exponent = args
    product = unpack(exponent)
    fixed = exponent.op == "product" and not product.factors
    if fixed and product.coefficient.denominator <= 2:
        return _powers(product.coefficient)(algebra, node, [base])
    return other(algebra, node, args)


def _one_minus_square(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """1 − x²."""
    square = algebra.multiply([whole(args[0], 2)], node.shape, Fraction(-1))
    return algebra.add([constant(1, node.shape), square], node.shape)


def _scale(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return algebra.multiply([whole(args[0])], node.shape, Fraction(node["factor"]))


def _contract(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Labels as given; they are renamed so that the result's come first."""
    out = node["out"]
    every = {i for labels in node["labels"] for i in labels} | set(out)
    names = {label: i for i, label in enumerate(out)}
    names |= {old: len(out) + i for i, old in enumerate(sorted(every - set(out)))}
    factors = [Factor(a, labels) for a, labels in zip(args, node["labels"], strict=True)]
    return algebra.multiply(relabel(factors, names), node.shape)


def _dot_general(algebra: Algebra, node: Expression, args: Args) -> Expression:
    (left_sum, right_sum), (left_batch, right_batch) = node["dimension_numbers"]
    left, right = ([-1] * len(arg.shape) for arg in args)
    for i, (a, b) in enumerate(zip(left_batch, right_batch, strict=True)):
        left[a] = right[b] = i
    for i, (a, b) in enumerate(zip(left_sum, right_sum, strict=True)):
        left[a] = right[b] = len(node.shape) + i
    free = iter(range(len(left_batch), len(node.shape)))
    for labels in (left, right):
        labels[:] = [next(free) if label < 0 else label for label in labels]
    factors = [Factor(args[0], tuple(left)), Factor(args[1], tuple(right))]
    return algebra.multiply(factors, node.shape)


def _reduce_sum(algebra: Algebra, node: Expression, args: Args) -> Expression:
    (x,) = args
    kept = [i for i in range(len(x.shape)) if i not in node["axes"]]
    order = [*kept, *node["axes"]]
    labels = tuple(order.index(i) for i in range(len(order)))
    return algebra.multiply([Factor(x, labels)], node.shape)


def _broadcast_in_dim(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return algebra.spread(args[0], node["broadcast_dimensions"], node.shape)


def _broadcast(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return algebra.spread(args[0], node["axes"], node.shape)


def _reshape(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Axes of size 1 come and go, A[i, k] B[j, l] becomes A ⊗ B; any other is an atom."""
    (x,) = args
    if node.op == "reshape" and node.get("dimensions"):
        x = algebra.permuted(x, node["dimensions"])
        node = call("reshape", (x,), node.shape)
    small, _ = algebra.squeezed(x)
    axes = [i for i, size in enumerate(node.shape) if size != 1]
    if small.shape == tuple(node.shape[i] for i in axes):
        return algebra.spread(small, axes, node.shape)
    return kronecker(algebra, small, node.shape) or atom(algebra, node, [x])


def _transpose(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return algebra.permuted(args[0], node["permutation"])


def _same(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return fitted(algebra, args[0], node.shape)


def _ones(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return constant(1, node.shape)


def _zeros(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return zero(node.shape)


def _iota(algebra: Algebra, node: Expression, args: Args) -> Expression:
    axis = node["dimension"]
    if node.shape[axis] == 1:
        return zero(node.shape)
    dtype = str(node.get("dtype", "int32"))
    line = call("iota", (), (node.shape[axis],), dtype=dtype)
    return algebra.multiply([Factor(line, (axis,))], node.shape)


def _exp(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return patterns.exp(algebra, args[0])


def _log1p(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return patterns.log1p(algebra, fitted(algebra, args[0], node.shape))


def _log(algebra: Algebra, node: Expression, args: Args) -> Expression:
    return patterns.log(algebra, args[0])


def _softmax(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """Axes of size 1 play no part; along them alone it is 1."""
    small, kept = algebra.squeezed(args[0])
    along = {axis % len(node.shape) for axis in node["axes"]}
    axes = [i for i, axis in enumerate(kept) if axis in along]
    if not axes:
        return constant(1, node.shape)
    return algebra.multiply([Factor(patterns.softmax(algebra, small, axes), kept)], node.shape)


def _logistic_derivative(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """σ⁽ⁿ⁾ = σ (1 − σ) qₙ(σ), with q₁ = 1 and qₙ₊₁ = (1 − 2σ) qₙ + σ (1 − σ) qₙ′."""
    sigma = algebra.apply("logistic", args, node.shape)
    q = np.polynomial.Polynomial([1])
    for _ in range(node["order"] - 1):
        q = np.polynomial.Polynomial([1, -2]) * q + np.polynomial.Polynomial([0, 1, -1]) * q.deriv()
    factors = [whole(sigma)]
    for coefficients in ([1, -1], q.coef):
        powers = [
            algebra.multiply([whole(sigma, n)], node.shape, Fraction(int(c)))
            for n, c in enumerate(coefficients)
        ]
        factors.append(whole(algebra.add(powers, node.shape)))
    return algebra.multiply(factors, node.shape)


def _derivative(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """f⁽ⁿ⁾, for a function f made from a declaration."""
    placeholder, written = derivative(node["of"], node["order"], node.shape)
    return canonical(algebra, written, {placeholder: args[0]})


def _log_softmax(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """x − logsumexp(x)."""
    (x,) = args
    axes = [axis % len(x.shape) for axis in node["axes"]]
    exponentials = patterns.exp(algebra, x)
    labels = _labels_without(axes, len(x.shape))
    kept = tuple(x.shape[i] for i in range(len(x.shape)) if i not in axes)
    size = patterns.log(algebra, algebra.multiply([Factor(exponentials, labels)], kept))
    spread = algebra.spread(size, [i for i in range(len(x.shape)) if i not in axes], x.shape)
    minus = [algebra.scaled(term, Fraction(-1)) for term in terms(spread)]
    return algebra.add([*terms(x), *minus], x.shape)


def _labels_without(axes: list[int], rank: int) -> tuple[int, ...]:
    """Labels that sum over `axes`."""
    order = [i for i in range(rank) if i not in axes] + axes
    return tuple(order.index(i) for i in range(rank))


def _logsumexp_kept(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """log Σ exp(x), the axes kept with size 1."""
    (x,) = args
    axes = [axis % len(x.shape) for axis in node["axes"]]
    kept = [i for i in range(len(x.shape)) if i not in axes]
    total = algebra.multiply(
        [Factor(patterns.exp(algebra, x), _labels_without(axes, len(x.shape)))],
        tuple(x.shape[i] for i in kept),
    )
    return algebra.spread(patterns.log(algebra, total), kept, node.shape)


def _logaddexp(algebra: Algebra, node: Expression, args: Args) -> Expression:
    """log(exp x + exp 0) is softplus(x)."""
    x, y = args
    if y is zero(y.shape):
        return algebra.apply("softplus", (x,), node.shape)
    return other(algebra, node, args)


RULES: dict[str, Rule] = {
    "canonical": _leaf,
    "number": _number,
    "mul": _powers(1, 1),
    "div": _powers(1, -1),
    "square": _powers(2),
    "sqrt": _powers(Fraction(1, 2)),
    "rsqrt": _powers(Fraction(-1, 2)),
    "integer_pow": _integer_power,
    "pow": _power,
    "add": _signs(),
    "add_any": _signs(),
    "sub": _signs(1, -1),
    "neg": _signs(-1),
    "one_minus_square": _one_minus_square,
    "scale": _scale,
    "contract": _contract,
    "dot_general": _dot_general,
    "reduce_sum": _reduce_sum,
    "broadcast": _broadcast,
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "stop_gradient": _same,
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "reduce_precision": _same,
    "ones": _ones,
    "zeros": _zeros,
    "iota": _iota,
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), masks.compare),
    "and": masks.both,
    "or": masks.both,
    "not": masks.negation,
    "indicator": masks.indicator,
    "convert_element_type": masks.convert,
    "select_n": masks.select,
    "max": masks.extremum(-float("inf")),
    "min": masks.extremum(float("inf")),
    "exp": _exp,
    "log": _log,
    "log1p": _log1p,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp_kept": _logsumexp_kept,
    "logaddexp": _logaddexp,
    "logistic_derivative": _logistic_derivative,
    "derivative": _derivative,
    "solve": solving.solve,
    "inv": solving.inv,
    "triangular_solve": solving.triangular_solve,
    "toeplitz": atom,
    "circulant": atom,
    "linear_solve": solving.linear_solve,
    "at": indexing.at,
    "slice": indexing.slice_,
    "split": indexing.split,
    "unstack": indexing.unstack,
    "pad": indexing.pad,
    "rev": indexing.rev,
    "scatter_axis": indexing.scatter_axis,
    "runs": indexing.runs,
    "one_hot": indexing.one_hot,
    "gather": gathering.gather,
    "scatter": gathering.scatter,
    "scatter-add": gathering.scatter,
    "concatenate": indexing.concatenate,
    "abs": masks.size,
    "is_finite": masks.finite,
}
