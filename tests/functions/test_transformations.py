"""Transformations of JAX and their compositions, against the derivatives of plain formulas."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import (
    CORE,
    FUNCTIONS,
    MASK,
    POINTS,
    TANGENTS,
    WEIGHTS,
    assert_close,
    like,
    quick_jit,
    truth,
)
from jax import Array, export, lax
from jax.experimental.jet import jet
from slow import some

import jaxcalc as jc

OTHER_DTYPES = ["float16", "bfloat16", "float64"]
# In float64 it is the plain formulas that lose digits.
UNITS = {"float16": 1, "bfloat16": 1, "float32": 16, "float64": 64}


class Point(NamedTuple):
    """Where a transformation is applied: x, a tangent t, and a cotangent g of the output."""

    x: Any
    t: Any
    g: Any


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.resize(np.array([1.0, -0.5, 0.75, 2.0, -1.25]), shape)


def along(D: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The derivative in direction t of its last argument."""
    return np.tensordot(D, t, t.ndim)


def pulled(g: np.ndarray, D: np.ndarray) -> np.ndarray:
    return np.tensordot(g, D, g.ndim)


def loss(f: Callable, g: Array) -> Callable:
    """The scalar ⟨g, f(x)⟩, whose derivatives are those of f pulled back by g."""
    return lambda x: jnp.sum(g * f(x))


def linear_part(f, x):
    return jax.linearize(f, x)[1]


def second_vjp(f, p):
    _, pull = jax.vjp(lambda x: jax.vjp(f, x)[1](p.g)[0], p.x)
    return pull(p.t)[0]


def hvp_forward_over_reverse(f, p):
    return jax.jvp(jax.grad(loss(f, p.g)), (p.x,), (p.t,))[1]


def hvp_reverse_over_forward(f, p):
    return jax.grad(lambda x: jax.jvp(loss(f, p.g), (x,), (p.t,))[1])(p.x)


def third_along(f, p):
    def second(x):
        return jax.jvp(lambda x: jax.jvp(f, (x,), (p.t,))[1], (x,), (p.t,))[1]

    return jax.jvp(second, (p.x,), (p.t,))[1]


def in_cond(f, p):
    def g(x):
        return lax.cond(jnp.sum(x) > -1e3, f, lambda x: -f(x), x)

    return jax.grad(loss(g, p.g))(p.x)


def in_while(f, p):
    """Three times t along the way, by a `while_loop` whose number of steps is not static."""

    def doubled_tangents(t):
        def step(state):
            i, total = state
            return i + 1, total + jax.jvp(f, (p.x,), (t,))[1]

        zeros = jnp.zeros_like(f(p.x))
        return lax.while_loop(lambda state: state[0] < jnp.sum(p.x * 0) + 3, step, (0, zeros))[1]

    return jax.jvp(doubled_tangents, (p.t,), (p.t,))[1]


def in_scan(f, p):
    """⟨g, Σ i f(x)⟩ over i = 1, 2, with a `checkpoint` in the body."""

    def total(x):
        body = jax.checkpoint(lambda carry, i: (carry + i * f(x), None))
        return lax.scan(body, jnp.zeros_like(f(x)), jnp.asarray([1, 2], x.dtype))[0]

    return jax.grad(loss(total, p.g))(p.x)


def in_map(f, p):
    return jax.jacrev(lambda x: lax.map(lambda i: i * f(x), jnp.asarray([1, 2], x.dtype)))(p.x)


# By order, name: the transformation of f at a point, and what it is by f's value and derivatives.
FIRST = {
    "value": (lambda f, p: f(p.x), lambda D, p: D[0]),
    "jvp": (lambda f, p: jax.jvp(f, (p.x,), (p.t,)), lambda D, p: (D[0], along(D[1], p.t))),
    "vjp": (lambda f, p: jax.vjp(f, p.x)[1](p.g)[0], lambda D, p: pulled(p.g, D[1])),
    "jacfwd": (lambda f, p: jax.jacfwd(f)(p.x), lambda D, p: D[1]),
    "jacrev": (lambda f, p: jax.jacrev(f)(p.x), lambda D, p: D[1]),
    "linearize": (lambda f, p: linear_part(f, p.x)(p.t), lambda D, p: along(D[1], p.t)),
    "linear_transpose": (
        lambda f, p: jax.linear_transpose(linear_part(f, p.x), p.x)(p.g)[0],
        lambda D, p: pulled(p.g, D[1]),
    ),
}
SECOND = {
    "forward over forward": (lambda f, p: jax.jacfwd(jax.jacfwd(f))(p.x), lambda D, p: D[2]),
    "forward over reverse": (lambda f, p: jax.jacfwd(jax.jacrev(f))(p.x), lambda D, p: D[2]),
    "reverse over forward": (lambda f, p: jax.jacrev(jax.jacfwd(f))(p.x), lambda D, p: D[2]),
    "reverse over reverse": (lambda f, p: jax.jacrev(jax.jacrev(f))(p.x), lambda D, p: D[2]),
    "vjp of vjp": (second_vjp, lambda D, p: along(pulled(p.g, D[2]), p.t)),
    "jvp of grad": (hvp_forward_over_reverse, lambda D, p: along(pulled(p.g, D[2]), p.t)),
    "grad of jvp": (hvp_reverse_over_forward, lambda D, p: along(pulled(p.g, D[2]), p.t)),
    "hessian of checkpoint": (
        lambda f, p: jax.hessian(loss(jax.checkpoint(f), p.g))(p.x),
        lambda D, p: pulled(p.g, D[2]),
    ),
}
THIRD = {
    "forward": (lambda f, p: jax.jacfwd(jax.jacfwd(jax.jacfwd(f)))(p.x), lambda D, p: D[3]),
    "reverse": (lambda f, p: jax.jacrev(jax.jacrev(jax.jacrev(f)))(p.x), lambda D, p: D[3]),
    "mixed": (lambda f, p: jax.jacfwd(jax.jacrev(jax.jacfwd(f)))(p.x), lambda D, p: D[3]),
    "along t": (third_along, lambda D, p: along(along(along(D[3], p.t), p.t), p.t)),
}
CONTROL_FLOW = {
    "cond": (in_cond, lambda D, p: pulled(p.g, D[1])),
    "while": (in_while, lambda D, p: 3 * along(D[1], p.t)),
    "scan": (in_scan, lambda D, p: 3 * pulled(p.g, D[1])),
    "map": (in_map, lambda D, p: np.stack([D[1], 2 * D[1]])),
}
TABLES = {"first": FIRST, "second": SECOND, "third": THIRD, "control flow": CONTROL_FLOW}

# What differs by dtype: each order once.
PRODUCTS = {
    "jvp": FIRST["jvp"],
    "vjp": FIRST["vjp"],
    "vjp of vjp": SECOND["vjp of vjp"],
    "third along t": THIRD["along t"],
}

# The same over a batch of points: `p.x` and `p.t` have a leading axis, `p.g` has none.
BATCHED = {
    "vmap": (lambda f, p: jax.vmap(f)(p.x), lambda D, p: D[0]),
    "vmap, other axes": (
        lambda f, p: jax.vmap(jax.vmap(f, 1), -1)(
            jnp.stack([p.x, p.x + 0], 1).transpose(2, 1, 3, 0)
        ),
        lambda D, p: np.stack([D[0], D[0]], 1),
    ),
    "vmap of the tangent": (
        lambda f, p: jax.vmap(lambda t: jax.jvp(f, (p.x[0],), (t,))[1])(p.t),
        lambda D, p: np.stack([along(D[1][0], t) for t in p.t]),
    ),
    "vmap of the point": (
        lambda f, p: jax.vmap(lambda x: jax.jvp(f, (x,), (p.t[0],))[1])(p.x),
        lambda D, p: along(D[1], p.t[0]),
    ),
    "vmap of the cotangent": (
        lambda f, p: jax.vmap(jax.vjp(f, p.x[0])[1])(jnp.stack([p.g, -p.g]))[0],
        lambda D, p: np.stack([pulled(p.g, D[1][0]), -pulled(p.g, D[1][0])]),
    ),
    "vmap of vmap": (
        lambda f, p: jax.vmap(
            lambda x: jax.vmap(lambda t: jax.jvp(f, (x,), (t,))[1], out_axes=-1)(p.t[:3])
        )(p.x),
        lambda D, p: np.stack([along(D[1], t) for t in p.t[:3]], -1),
    ),
    "vmap of grad": (
        lambda f, p: jax.vmap(jax.grad(loss(f, p.g)))(p.x),
        lambda D, p: np.stack([pulled(p.g, J) for J in D[1]]),
    ),
    "grad of vmap": (
        lambda f, p: jax.grad(lambda x: jnp.sum(jax.vmap(loss(f, p.g))(x)))(p.x),
        lambda D, p: np.stack([pulled(p.g, J) for J in D[1]]),
    ),
    "vmap of jacfwd": (lambda f, p: jax.vmap(jax.jacfwd(f))(p.x), lambda D, p: D[1]),
    "vmap of jacrev": (lambda f, p: jax.vmap(jax.jacrev(f))(p.x), lambda D, p: D[1]),
    "vmap of hessian": (lambda f, p: jax.vmap(jax.hessian(f))(p.x), lambda D, p: D[2]),
    "vmap of checkpoint": (
        lambda f, p: jax.vmap(jax.grad(loss(jax.checkpoint(jax.jit(f)), p.g)))(p.x),
        lambda D, p: np.stack([pulled(p.g, J) for J in D[1]]),
    ),
    "scan of vmap": (
        lambda f, p: lax.scan(lambda _, x: (None, jax.vmap(f)(x)), None, jnp.stack([p.x, p.x]))[1],
        lambda D, p: np.stack([D[0], D[0]]),
    ),
}


def as_arrays(p: Point, dtype: str) -> Point:
    return Point(*(jnp.asarray(v, dtype) for v in p))


def check(table, function, D, p: Point, dtype="float32") -> None:
    """Every row of a table, in one program."""
    applied = {name: apply for name, (apply, _) in table.items()}
    every = quick_jit(lambda p: {name: f(function.own, p) for name, f in applied.items()})
    got = every(as_arrays(p, dtype))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(got)} == {dtype}
    for name, (_, expected) in table.items():
        assert_close(got[name], expected(D, p), UNITS[dtype], name)


def one_point(function) -> tuple[list[np.ndarray], Point]:
    D = [d[0] for d in truth(function)]
    return D, Point(POINTS[0], TANGENTS[0], cotangent(D[0].shape))


@pytest.mark.parametrize(
    ("function", "order"),
    some(
        list(itertools.product(CORE, TABLES)),
        [(f, order) for f in CORE for order in TABLES if order != "third" or f is CORE[1]],
    ),
    ids=str,
)
def test_transformations(order, function):
    check(TABLES[order], function, *one_point(function))


@pytest.mark.parametrize("function", CORE, ids=str)
def test_batched_transformations(function):
    D = truth(function)
    check(BATCHED, function, D, Point(POINTS, TANGENTS, cotangent(D[0].shape[1:])))


OTHERS = [(f, "float32") for f in FUNCTIONS if f not in CORE]
NOT_IN_FLOAT32 = list(itertools.product(CORE, OTHER_DTYPES))


@pytest.mark.parametrize(
    ("function", "dtype"),
    some(OTHERS + NOT_IN_FLOAT32, OTHERS[::2] + NOT_IN_FLOAT32[::7]),
    ids=str,
)
def test_every_order(function, dtype):
    with jax.enable_x64(dtype == "float64"):
        check(PRODUCTS, function, *one_point(function), dtype)


@pytest.mark.parametrize("function", CORE, ids=str)
def test_without_jit(function):
    D, p = one_point(function)
    x, t, g = as_arrays(p, "float32")
    value, pull = jax.vjp(function.own, x)
    got = value, pull(g)[0], linear_part(function.own, x)(t), jax.vmap(function.own)(x[None])
    assert_close(got, (D[0], pulled(p.g, D[1]), along(D[1], p.t), D[0][None]))


@pytest.mark.parametrize("function", CORE, ids=str)
def test_shapes_without_values(function):
    D, p = one_point(function)
    shape = jax.eval_shape(jax.jacfwd(function.own), as_arrays(p, "bfloat16").x)
    assert (shape.shape, shape.dtype, shape.weak_type) == (D[1].shape, jnp.bfloat16, False)


def test_the_argument_may_be_donated():
    D, p = one_point(CORE[0])
    x, _, g = as_arrays(p, "float32")
    gradient = jax.jit(jax.grad(loss(CORE[0].own, g)), donate_argnums=0)(x)
    assert_close(gradient, pulled(p.g, D[1]))
    assert x.is_deleted()


@pytest.mark.parametrize("function", CORE, ids=str)
def test_export_with_a_symbolic_batch(function):
    D = truth(function)
    (batch,) = export.symbolic_shape("batch")
    of_batch = jax.jit(jax.grad(lambda x: jnp.sum(jax.vmap(function.own)(x))))
    exported = export.export(of_batch)(jax.ShapeDtypeStruct((batch, *POINTS.shape[1:]), "float32"))
    sums = D[1].sum(tuple(range(1, D[1].ndim - 2)))
    assert_close(exported.call(jnp.asarray(POINTS, jnp.float32)), sums)


BROADCASTING = {
    "softmax": lambda x: jc.softmax(x, where=MASK),
    "logsumexp": lambda x: jc.logsumexp(x, -1, like(x, WEIGHTS[1]), return_sign=True)[0],
    "softmax_cross_entropy": lambda x: jc.softmax_cross_entropy(x, jc.softmax(x), where=MASK),
    "sigmoid_binary_cross_entropy": lambda x: jc.sigmoid_binary_cross_entropy(
        x, 1, where=MASK, pos_weight=2.0
    ),
}


@pytest.mark.parametrize("name", BROADCASTING)
def test_what_broadcasts_does_so_against_symbolic_shapes(name):
    f, x = BROADCASTING[name], jnp.asarray(POINTS[:, 0], jnp.float32)
    (batch,) = export.symbolic_shape("batch")
    exported = export.export(jax.jit(f))(jax.ShapeDtypeStruct((batch, 4), "float32"))
    assert_close(exported.call(x), np.asarray(f(x)))


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "logsumexp"])
def test_taylor_mode_refuses_instead_of_going_wrong(name):
    """`jax.experimental.jet` has no rule for a `custom_jvp`."""
    with pytest.raises((jax.errors.UnexpectedTracerError, AttributeError, NotImplementedError)):
        jet(getattr(jc, name), (jnp.zeros(3),), ((jnp.ones(3), jnp.zeros(3)),))
