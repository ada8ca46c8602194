"""Loops and branches, by what their bodies do.

A branch is the sum of all, each where it is taken. A scan without a carry, as `map` has it, is its
body for all steps at once. A loop with an elementwise body is diagonal, and its entries are what it
makes of ones. A scan of at most `UNROLLED` steps is its body, step after step. Everything else is a
map without structure.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._compat import eval_jaxpr, opened, scan_lengths
from jaxcalc._derive import _terms
from jaxcalc._derive._by_ones import by_ones
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Einsums, Linear, Node, UnstructuredError, added, linear_of
from jaxcalc._derive._indexing import padded, sliced
from jaxcalc._derive._opaque import only_pulls, opaque
from jaxcalc._derive._rules import Interpret, Operand, Rule, case
from jaxcalc._formula import call

UNROLLED = 4  # steps of a loop: more would make chains that nobody reads


def loops(interpret: Interpret) -> dict[str, Rule]:
    """The rules, with what runs a linear program."""

    def cond(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        which, *rest = operands
        if not isinstance(which, Value):
            raise UnstructuredError
        results = [interpret(branch, rest, dtype) for branch in equation.params["branches"]]
        each = zip(*results, strict=True)
        return [
            _taken(which, cases, v.aval, dtype)
            for cases, v in zip(each, equation.outvars, strict=True)
        ]

    def scan(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        params, (first, carried) = equation.params, scan_lengths(equation)
        split = first + carried
        if params["length"] == 0:
            raise UnstructuredError
        if not carried:
            return _linear(interpret(_at_once(equation), operands, dtype), equation)
        if not any(isinstance(x, Linear) for x in operands[split:]):
            steps = [_anonymous(_at(x, 0, dtype)) for x in operands[split:]]
            inside, carries = [*operands[:split], *steps], range(first, split)
            if _is_elementwise(params["jaxpr"], inside, carries, interpret, dtype):
                return by_ones(equation, operands, dtype)
        if params["length"] > UNROLLED:
            raise UnstructuredError
        return _linear(_unrolled(equation, operands, interpret, dtype), equation)

    def while_(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        params = equation.params
        inside = operands[params["cond_nconsts"] :]
        carries = range(params["body_nconsts"], len(inside))
        if not _is_elementwise(params["body_jaxpr"], inside, carries, interpret, dtype):
            raise UnstructuredError
        return by_ones(equation, operands, dtype)

    return {"cond": _or_opaque(cond), "scan": _or_opaque(scan), "while": _or_opaque(while_)}


def _or_opaque(rule: Rule) -> Rule:
    """The rule; a map without structure where it gives up, or where only the transpose is known."""

    def tried(equation: Any, operands: Sequence[Operand], dtype: np.dtype) -> list[Linear]:
        if only_pulls(equation):
            return opaque(equation, operands, dtype)
        try:
            return rule(equation, operands, dtype)
        except UnstructuredError:
            return opaque(equation, operands, dtype)

    return tried


def _linear(results: Sequence[Operand], equation: Any) -> list[Linear]:
    """What does not depend on the tangent is zero."""
    pairs = zip(results, (v.aval for v in equation.outvars), strict=True)
    return [r if isinstance(r, Linear) else Linear(a.shape, a.dtype) for r, a in pairs]


def _taken(which: Value, cases: Sequence[Operand], aval: Any, dtype: np.dtype) -> Linear:
    """The sum of the branches' results, each where it is taken."""
    parts = [case(which, k, t, dtype) for k, t in enumerate(cases) if isinstance(t, Linear)]
    return reduce(added, parts, Linear(aval.shape, aval.dtype))


# --- all steps at once ---


def _at_once(equation: Any) -> Any:
    """The program of a scan without a carry, mapped over its steps."""
    jaxpr, captured = opened(equation.params["jaxpr"])
    consts, _ = scan_lengths(equation)
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    axes = [None if i < consts else 0 for i in range(len(avals))]

    def body(*operands: Any) -> Any:
        return eval_jaxpr(jaxpr, captured, *operands)

    size = equation.params["length"]
    return jax.make_jaxpr(jax.vmap(body, axes, axis_size=size))(*avals)


# --- elementwise bodies ---


def _is_elementwise(
    program: Any,
    operands: Sequence[Operand],
    carries: range,
    interpret: Interpret,
    dtype: np.dtype,
) -> bool:
    """Whether each result of a step has in each entry only that entry of what it depends on.

    The operands in `carries` are the first results of the step before; one that is zero at first
    may depend on the tangent later.
    """
    linear = {i for i, x in enumerate(operands) if isinstance(x, Linear)}
    while True:
        given = [
            linear_of(_node(x)) if i in linear else _anonymous(x) if i in carries else x
            for i, x in enumerate(operands)
        ]
        results = interpret(program, given, dtype)
        later = {i for i, r in zip(carries, results, strict=False) if isinstance(r, Linear)}
        if later <= linear:
            sources = {node for x in given if isinstance(x, Linear) for node in x.parts}
            return all(_keeps_place(r, sources) for r in results if isinstance(r, Linear))
        linear |= later


def _node(x: Operand) -> Node:
    return Node(x.shape, x.dtype) if isinstance(x, Linear) else Node(x.array.shape, x.array.dtype)


def _anonymous(x: Operand) -> Operand:
    """An array that differs from step to step: nothing may be read off its expression."""
    assert isinstance(x, Value)
    array = jnp.asarray(x.array)
    return Value(array, call("unknown", (), array.shape, text="a step"))


def _keeps_place(x: Linear, sources: set[Node]) -> bool:
    return all(
        all(map(_is_diagonal, terms)) and _node_keeps_place(node, sources)
        for node, terms in x.parts.items()
    )


def _node_keeps_place(node: Node, sources: set[Node]) -> bool:
    return node in sources or all(
        isinstance(edge.piece, Einsums)
        and all(map(_is_diagonal, edge.piece.terms))
        and _node_keeps_place(edge.source, sources)
        for edge in node.edges
    )


def _is_diagonal(term: _terms.Term) -> bool:
    links = [term.links.get(label) for label in term.out]
    return len(links) == len(term.links) and all(
        link is not None and link.axis == axis and link.is_plain(label)
        for axis, (label, link) in enumerate(zip(term.out, links, strict=True))
    )


# --- few steps ---


def _unrolled(
    equation: Any, operands: Sequence[Operand], interpret: Interpret, dtype: np.dtype
) -> list[Operand]:
    """The results of a scan, step after step."""
    params, size = equation.params, equation.params["length"]
    first, carried = scan_lengths(equation)
    consts, xs = operands[:first], operands[first + carried :]
    carry = [*operands[first : first + carried]]
    ys: list[list[Operand]] = [[] for _ in range(size)]
    for k in reversed(range(size)) if params["reverse"] else range(size):
        step = [*consts, *carry, *(_at(x, k, dtype) for x in xs)]
        results = interpret(params["jaxpr"], step, dtype)
        carry, ys[k] = results[: len(carry)], results[len(carry) :]
    return [*carry, *(_stacked(steps, dtype) for steps in zip(*ys, strict=True))]


def _at(x: Operand, k: int, dtype: np.dtype) -> Operand:
    """Entry k along the first axis."""
    if isinstance(x, Linear):
        one = sliced(x, 0, k, k + 1, 1, dtype)
        return one.map(lambda term: _terms.summed(term, [0]), x.shape[1:])
    array = jnp.asarray(x.array)[k]
    return Value(array, call("at", (x.expression,), array.shape, axis=0, index=str(k)))


def _stacked(steps: Sequence[Operand], dtype: np.dtype) -> Linear:
    """The steps along a new first axis; what does not depend on the tangent is zero."""
    (shape,) = {x.shape if isinstance(x, Linear) else x.array.shape for x in steps}
    one, axes = (1, *shape), range(1, 1 + len(shape))
    total = Linear((len(steps), *shape), dtype)
    for k, x in enumerate(steps):
        if isinstance(x, Linear):
            row = x.map(lambda term: _terms.broadcast(term, one, axes), one)
            total = added(total, padded(row, 0, k, len(steps) - 1 - k, 0, dtype))
    return total
