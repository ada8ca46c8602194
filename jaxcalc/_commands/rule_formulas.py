"""§1 and §2 of the notes: the shapes of derivatives, and the rules that combine them.

The sizes differ, so that no transpose can hide.
"""

import jax.numpy as jnp
from jax import Array

from jaxcalc import rules
from jaxcalc._commands.formula import Formula, Function, Shapes, at

P, Q, S, T = 3, 4, 5, 6


def _shape(name: str, numerator: str, denominator: str, shapes: Shapes, f: Function) -> Formula:
    return Formula(
        name, numerator, denominator, shapes, f, lambda layout, *args: at(f, layout, *args)[1]
    )


def _sine(x: Array, A: Array) -> Array:
    return jnp.sin(A @ x)


def _exponential(x: Array, B: Array) -> Array:
    return jnp.exp(B @ x)


def _inner_sine(x: Array, a: Array) -> Array:
    return jnp.sin(jnp.vdot(a, x))


def _inner_exponential(x: Array, a: Array) -> Array:
    return jnp.vdot(a, jnp.exp(x))


def _scaled_sine(x: Array, a: Array) -> Array:
    return jnp.sin(a * x)


def _matrix_sine(X: Array, A: Array, b: Array) -> Array:
    return jnp.sin(A @ X @ b)


SHAPES = (
    _shape("scalar by scalar", "∂y/∂x, 1×1", "∂y/∂x, 1×1", ((),), jnp.sin),
    _shape("scalar by vector", "∂y/∂x, 1×p", "∂y/∂x, p×1", ((P,), (P,)), _inner_sine),
    _shape("vector by scalar", "∂y/∂x, q×1", "∂y/∂x, 1×q", ((), (Q,)), _scaled_sine),
    _shape("vector by vector", "∂y/∂x, q×p", "∂y/∂x, p×q", ((P,), (Q, P)), _sine),
    _shape(
        "scalar by matrix",
        "∂y/∂X, q×p",
        "∂y/∂X, p×q",
        ((P, Q), (S, P), (Q,), (S,)),
        lambda X, A, b, c: _inner_exponential(_matrix_sine(X, A, b), c),
    ),
    _shape("matrix by scalar", "∂Y/∂x, p×q", "∂Y/∂x, q×p", ((), (P, Q)), _scaled_sine),
    _shape(
        "vector by matrix",
        "∂y/∂X, s×p×q",
        "∂y/∂X, p×q×s",
        ((P, Q), (S, P), (Q,)),
        _matrix_sine,
    ),
)

RULES = (
    Formula(
        "R1 sum",
        "∂y/∂x + ∂z/∂x",
        "∂y/∂x + ∂z/∂x",
        ((P,), (Q, P), (Q, P)),
        lambda x, A, B: _sine(x, A) + _exponential(x, B),
        lambda layout, x, A, B: rules.sum_rule(
            at(_sine, layout, x, A)[1], at(_exponential, layout, x, B)[1], layout=layout
        ),
    ),
    Formula(
        "R2 inner product",
        "zᵀ ∂y/∂x + yᵀ ∂z/∂x",
        "∂y/∂x z + ∂z/∂x y",
        ((P,), (Q, P), (Q, P)),
        lambda x, A, B: jnp.vdot(_sine(x, A), _exponential(x, B)),
        lambda layout, x, A, B: rules.inner_product_rule(
            *at(_sine, layout, x, A), *at(_exponential, layout, x, B), layout=layout
        ),
    ),
    Formula(
        "R3 bilinear",
        "zᵀ Aᵀ ∂y/∂x + yᵀ A ∂z/∂x",
        "∂y/∂x A z + ∂z/∂x Aᵀ y",
        ((P,), (S, P), (T, P), (S, T)),
        lambda x, B, C, A: jnp.vdot(_sine(x, B), A @ _exponential(x, C)),
        lambda layout, x, B, C, A: rules.bilinear_rule(
            *at(_sine, layout, x, B), A, *at(_exponential, layout, x, C), layout=layout
        ),
    ),
    Formula(
        "R4 scalar times vector",
        "y ∂z/∂x + z ∂y/∂x",
        "y ∂z/∂x + ∂y/∂x zᵀ",
        ((P,), (P,), (Q, P)),
        lambda x, a, B: _inner_sine(x, a) * _exponential(x, B),
        lambda layout, x, a, B: rules.scalar_product_rule(
            *at(_inner_sine, layout, x, a), *at(_exponential, layout, x, B), layout=layout
        ),
    ),
    Formula(
        "C1 chain, scalar in",
        "∂y/∂u ∂u/∂x",
        "∂u/∂x ∂y/∂u",
        ((), (S,), (T, S)),
        lambda x, a, B: _exponential(_scaled_sine(x, a), B),
        lambda layout, x, a, B: rules.chain_rule(
            at(_scaled_sine, layout, x, a)[1],
            at(_exponential, layout, _scaled_sine(x, a), B)[1],
            layout=layout,
        ),
    ),
    Formula(
        "C2 chain",
        "∂z/∂y ∂y/∂x",
        "∂y/∂x ∂z/∂y",
        ((P,), (S, P), (T, S)),
        lambda x, A, B: _exponential(_sine(x, A), B),
        lambda layout, x, A, B: rules.chain_rule(
            at(_sine, layout, x, A)[1], at(_exponential, layout, _sine(x, A), B)[1], layout=layout
        ),
    ),
    Formula(
        "C3 chain, matrix in",
        "∂z/∂y ∂y/∂x_ij at j, i",
        "∂y/∂x_ij ∂z/∂y at i, j",
        ((P, Q), (S, P), (Q,), (S,)),
        lambda X, A, b, c: _inner_exponential(_matrix_sine(X, A, b), c),
        lambda layout, X, A, b, c: rules.matrix_chain_rule(
            at(_matrix_sine, layout, X, A, b)[1],
            at(_inner_exponential, layout, _matrix_sine(X, A, b), c)[1],
            layout=layout,
        ),
    ),
)
