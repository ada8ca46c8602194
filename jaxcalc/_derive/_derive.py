"""`derive`: from a function to its structured derivative."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import wide
from jaxcalc._closed_forms.derivative import Derivative
from jaxcalc._derive._blocks import blocked
from jaxcalc._derive._bound import Pushed
from jaxcalc._derive._build import build, written
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Node, Tangent, UnstructuredError, tangent_of
from jaxcalc._derive._interpret import interpret
from jaxcalc._derive._linearise import Linearised, linearised
from jaxcalc._derive._names import argument_names, captured_names, leaf_names, made_unique
from jaxcalc._derive._pieces import Opaque
from jaxcalc._derive._plan import Leaf, Plan, plan
from jaxcalc._derive._step import Operand
from jaxcalc._formula import maps, name, names_in, numbered
from jaxcalc._layout.arguments import (
    Argnums,
    OfFirst,
    check_function,
    positions,
    real_arrays,
    split,
)
from jaxcalc._layout.layout import Layout, LayoutLike
from jaxcalc.operators import LinearOperator, Zero

Of = TypeVar("Of")


@overload
def derive(
    f: Callable[..., Of], argnums: Literal[0] = 0, *, layout: LayoutLike = "numerator"
) -> OfFirst[Of, Derivative]: ...
@overload
def derive(
    f: Callable[..., Any], argnums: Argnums, *, layout: LayoutLike = "numerator"
) -> Callable[..., Any]: ...
def derive(
    f: Callable[..., Any], argnums: Argnums = 0, *, layout: LayoutLike = "numerator"
) -> Callable[..., Any]:
    """A function that gives the derivative of `f` as an operator of known structure.

    `derive(f)(x)` stands where `jax.jacfwd(f)(x)` does and is exact for every function that JAX can
    differentiate, but it is the linear map, not its K² numbers: diag(s) − s sᵀ for softmax, a
    diagonal for whatever acts elementwise, blocks for whatever is batched, chains and sums of these
    otherwise; what has no structure is kept as a function. Products, diagonals, traces,
    determinants and solutions cost what the structure costs, and the closed form can be printed.

    Args:
        f: a function of arrays, or of trees of them; keyword arguments are passed through.
        argnums: the position of the differentiated argument, or a tuple of positions.
        layout: `"numerator"`: the derivative maps x to y, its rows follow y. `"denominator"`: the
            transpose.

    Returns:
        A function of the arguments of `f` that returns a `Derivative`; for trees (and a tuple of
        `argnums`) the output's tree of the arguments' trees of them, as `jacobian` does. It can be
        jitted, vmapped (see `batch`) and differentiated.

    Raises:
        TypeError: when `f` is not callable, or a differentiated argument or an output is not real
            and floating.
        ValueError: for an unknown layout, or `argnums` beyond the positional arguments.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> A, x = jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), jnp.zeros(3)
    >>> J = jc.derive(lambda x: jc.softmax(A @ x))(x)
    >>> print(J.formula)
    (diag(s) − s sᵀ) A where s = softmax(A x)
    >>> print(J @ jnp.ones(3), J.T.formula)
    [0. 0.] Aᵀ (diag(s) − s sᵀ) where s = softmax(A x)
    >>> print(J.todense())
    [[ 0.25 -0.75  0.5 ]
     [-0.25  0.75 -0.5 ]]
    """
    layout = Layout(layout)
    check_function(f)

    @functools.wraps(f, updated=())
    def derivative(*args: Any, **kwargs: Any) -> Any:
        x, restored = split(args, argnums)
        leaves, tree = jax.tree.flatten(x)
        names, others = _leaf_names(f, args, argnums)
        outputs: list[Any] = []

        def flat(*leaves: Array) -> list[Array]:
            y = f(*restored(jax.tree.unflatten(tree, leaves)), **kwargs)
            y = real_arrays("the output of `f`", "leave it out of what is derived", y)
            flat_y, y_tree = jax.tree.flatten(y)
            outputs.append(y_tree)
            return flat_y

        values = [Value(a, name(text, a.shape)) for a, text in zip(leaves, names, strict=True)]
        with numbered():
            program = linearised(flat, values, lambda a: captured_names(f, a, names, others))
            rows = [
                jax.tree.unflatten(tree, [J if layout is Layout.NUMERATOR else J.T for J in row])
                for row in _blocks(program, values)
            ]
        return jax.tree.unflatten(outputs[-1], rows)

    return derivative


def _blocks(program: Linearised, x: Sequence[Value]) -> list[list[Derivative]]:
    """A row for each output: its derivative by each argument."""
    dtype = _wide_dtype([value.array for value in (*x, *program.values)])
    named = program.captured | {v.expression["text"]: jnp.asarray(v.array) for v in x}
    nodes = [Node(value.shape, value.dtype) for value in x]
    targets = _targets(program, nodes, dtype)
    return [
        [
            _derivative(_planned(program, x, node, target, i, j), y, value, named, dtype)
            for j, (value, node) in enumerate(zip(x, nodes, strict=True))
        ]
        for i, (y, target) in enumerate(zip(program.values, targets, strict=True))
    ]


def _targets(
    program: Linearised, nodes: Sequence[Node], dtype: np.dtype
) -> Sequence[Tangent | None]:
    """The outputs of the linear program, each a node; None where there is no telling."""
    operands: list[Operand] = [*program.residuals, *map(tangent_of, nodes)]
    try:
        results = interpret(program.program, operands, dtype)
    except UnstructuredError:
        return [None] * len(program.values)
    constant = Tangent((), dtype)
    return [result.cut() if isinstance(result, Tangent) else constant for result in results]


def _planned(
    program: Linearised, x: Sequence[Value], node: Node, target: Tangent | None, i: int, j: int
) -> Plan | None:
    """How output i changes with argument j; None if it does not."""
    try:
        if target is not None:
            return None if target.node is None else plan(node, target.node)
    except UnstructuredError:
        pass
    return _whole(program, x, i, j)


def _derivative(
    found: Plan | None, y: Value, x: Value, named: dict[str, Array], dtype: np.dtype
) -> Derivative:
    if found is None:
        operator: LinearOperator = Zero(y.shape, x.shape, dtype)
        formula: maps.Map = maps.zero(y.shape, x.shape)
    else:
        found = blocked(found)
        operator, formula = build(found, dtype), written(found)
    arrays = {text: named[text] for text in names_in(formula) if text in named}
    return Derivative(operator, arrays, y.dtype, formula, y.expression, x.expression)


def _whole(program: Linearised, x: Sequence[Value], i: int, j: int) -> Plan:
    """The linear program as it is, from argument j to output i."""
    residuals = tuple(jnp.asarray(value.array) for value in program.residuals)
    types = tuple(jax.ShapeDtypeStruct(value.shape, value.dtype) for value in x)
    push = Pushed(program.program, residuals, types, i, j)
    return Leaf(Opaque(push, None, "f", ("f", i, j)), program.values[i].shape, types[j].shape)


def _wide_dtype(arrays: Sequence[Array | np.ndarray]) -> np.dtype:
    """The dtype to compute in: the widest of the arrays', at least float32."""
    return np.dtype(
        functools.reduce(jnp.promote_types, [wide(jnp.asarray(a)).dtype for a in arrays])
    )


def _leaf_names(
    f: Callable[..., Any], args: Sequence[Any], argnums: Argnums
) -> tuple[list[str], list[tuple[str, Any]]]:
    """The names of the differentiated leaves, and the other arguments' leaves with theirs."""
    chosen = positions(argnums, len(args))
    texts = [leaf_names(*pair) for pair in zip(argument_names(f, len(args)), args, strict=True)]
    unique = iter(made_unique(list(itertools.chain(*texts))))
    names = [list(itertools.islice(unique, len(text))) for text in texts]
    leaves = [
        (i, *pair)
        for i, a in enumerate(args)
        for pair in zip(names[i], jax.tree.leaves(a), strict=True)
    ]
    others = [(text, leaf) for i, text, leaf in leaves if i not in chosen]
    return [text for i in chosen for text in names[i]], others
