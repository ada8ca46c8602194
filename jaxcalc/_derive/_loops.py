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
from jaxcalc._derive._by_ones import by_ones
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Node, Tangent, UnstructuredError, added, tangent_of
from jaxcalc._derive._indexing import entry, stacked
from jaxcalc._derive._opaque import only_pulls, opaque
from jaxcalc._derive._pieces import Einsums
from jaxcalc._derive._rules import chosen, same
from jaxcalc._derive._step import LinearStep, Operand, Results, Rule
from jaxcalc._derive._terms import Term
from jaxcalc._formula import call

UNROLLED = 4  # steps of a loop: more would make chains that nobody reads


def branched(step: LinearStep) -> Results:
    """Every branch, where it is taken."""
    which, *rest = step.operands
    if not isinstance(which, Value):
        raise UnstructuredError
    results = [step.run(branch, rest) for branch in step.params["branches"]]
    each = zip(zip(*results, strict=True), step.avals, strict=True)
    return [_taken(which, cases, aval, step.dtype) for cases, aval in each]


def scanned(step: LinearStep) -> Results:
    """All steps at once, a diagonal, or step after step."""
    params, (first, carried) = step.params, scan_lengths(step.equation)
    split = first + carried
    if params["length"] == 0:
        raise UnstructuredError
    if not carried:
        return same(step.on(*step.run(_at_once(step.equation), step.operands)))
    if not any(isinstance(x, Tangent) for x in step.operands[split:]):
        steps = [_anonymous(_at(x, 0, step.dtype)) for x in step.operands[split:]]
        inside = [*step.operands[:split], *steps]
        if _is_elementwise(step, params["jaxpr"], inside, range(first, split)):
            return by_ones(step)
    if params["length"] > UNROLLED:
        raise UnstructuredError
    return same(step.on(*_unrolled(step)))


def repeated(step: LinearStep) -> Results:
    """A `while` loop with an elementwise body: a diagonal."""
    params = step.params
    inside = step.operands[params["cond_nconsts"] :]
    carries = range(params["body_nconsts"], len(inside))
    if not _is_elementwise(step, params["body_jaxpr"], inside, carries):
        raise UnstructuredError
    return by_ones(step)


def or_opaque(rule: Rule) -> Rule:
    """The rule; a map without structure where it gives up, or where only the transpose is known."""

    def tried(step: LinearStep) -> Results:
        if only_pulls(step.equation):
            return opaque(step)
        try:
            return rule(step)
        except UnstructuredError:
            return opaque(step)

    return tried


def _taken(which: Value, cases: Sequence[Operand], aval: Any, dtype: np.dtype) -> Tangent:
    """The sum of the branches' results, each where it is taken."""
    if any(isinstance(t, Tangent) for t in cases):
        return chosen(which, cases, dtype)
    return Tangent(aval.shape, aval.dtype)


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
    step: LinearStep, program: Any, operands: Sequence[Operand], carries: range
) -> bool:
    """Whether each result of a step has in each entry only that entry of what it depends on.

    The operands in `carries` are the first results of the step before; one that is zero at first
    may depend on the tangent later.
    """
    linear = {i for i, x in enumerate(operands) if isinstance(x, Tangent)}
    while True:
        given = [
            tangent_of(Node(x.shape, x.dtype))
            if i in linear
            else _anonymous(x)
            if i in carries
            else x
            for i, x in enumerate(operands)
        ]
        results = step.run(program, given)
        later = {i for i, r in zip(carries, results, strict=False) if isinstance(r, Tangent)}
        if later <= linear:
            sources = _nodes(given)
            return all(_keeps_place(node, sources) for node in _nodes(results))
        linear |= later


def _anonymous(x: Operand) -> Operand:
    """An array that differs from step to step: nothing may be read off its expression."""
    assert isinstance(x, Value)
    array = jnp.asarray(x.array)
    return Value(array, call("unknown", (), array.shape, text="a step"))


def _nodes(values: Sequence[Operand]) -> set[Node]:
    """The nodes that values are, or are from now on."""
    return {node for x in values if isinstance(x, Tangent) for node in x.cut().parts}


def _keeps_place(node: Node, sources: set[Node]) -> bool:
    return node in sources or all(
        isinstance(edge.piece, Einsums)
        and all(map(_is_diagonal, edge.piece.terms))
        and _keeps_place(edge.source, sources)
        for edge in node.edges
    )


def _is_diagonal(term: Term) -> bool:
    own = {(a, a) for a, label in enumerate(term.out) if label.size > 1}
    return term.is_pointwise and len(term.links) == len(term.out) and term.pairs == own


# --- few steps ---


def _unrolled(step: LinearStep) -> list[Operand]:
    """The results of a scan, step after step."""
    params, size, dtype = step.params, step.params["length"], step.dtype
    first, carried = scan_lengths(step.equation)
    consts, xs = step.operands[:first], step.operands[first + carried :]
    carry = [*step.operands[first : first + carried]]
    ys: list[list[Operand]] = [[] for _ in range(size)]
    for k in reversed(range(size)) if params["reverse"] else range(size):
        results = step.run(params["jaxpr"], [*consts, *carry, *(_at(x, k, dtype) for x in xs)])
        carry, ys[k] = results[: len(carry)], results[len(carry) :]
    zeros = [Tangent(aval.shape, dtype) for aval in step.avals[carried:]]
    rows = [stacked(row, 0, dtype) for row in zip(*ys, strict=True)]
    return [*carry, *(reduce(added, row, zero) for row, zero in zip(rows, zeros, strict=True))]


def _at(x: Operand, k: int, dtype: np.dtype) -> Operand:
    """Entry k along the first axis."""
    if isinstance(x, Tangent):
        return entry(x, 0, k, dtype)
    return x.then(jnp.asarray(x.array)[k], "at", axis=0, index=str(k))
