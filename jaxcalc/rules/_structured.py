"""Derivatives as the rules take them, arrays or operators, and what the rules do with either.

All are in numerator layout. An array has two axes, or three for a vector by a matrix; an operator
maps x to y. A rule that was given any operator gives one.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._layout.layout import Layout, LayoutLike, to_layout
from jaxcalc.operators import Dense, Diagonal, Identity, Kronecker, LinearOperator, LowRank

Jacobian = ArrayLike | LinearOperator
Derivative = Array | Any  # or an operator: Any lets callers, who know which, use it as such


def derivative_of(given: Jacobian) -> Derivative:
    """An operator as it is, anything else as an array."""
    return given if isinstance(given, LinearOperator) else jnp.asarray(given)


def value_of(name: str, given: Jacobian) -> Array:
    """The value `name` as an array."""
    if isinstance(given, LinearOperator):
        raise TypeError(
            f"`{name}` must be an array, the value itself, but got the operator {given!r}; "
            f"derivatives go to `d{name}`."
        )
    return jnp.asarray(given)


def alike(dy: Jacobian, dz: Jacobian) -> tuple[Derivative, Derivative]:
    """Two derivatives of one shape as arrays, or as operators between the same spaces."""
    dy, dz = derivative_of(dy), derivative_of(dz)
    if dy.shape == dz.shape and isinstance(dy, LinearOperator):
        return dy, as_operator(dz, dy.codomain, dy.domain)
    if dy.shape == dz.shape and isinstance(dz, LinearOperator):
        return as_operator(dy, dz.codomain, dz.domain), dz
    return dy, dz


def joined(factors: list[Any]) -> list[Any]:
    """The factors of a product, all operators if one of them is: arrays meet their neighbours."""
    if not any(isinstance(factor, LinearOperator) for factor in factors):
        return factors
    sides = [None, *factors, None]
    return [
        as_operator(
            D, _facing(left, "domain", D.shape[:1]), _facing(right, "codomain", D.shape[1:])
        )
        for left, D, right in zip(sides, factors, sides[2:], strict=False)
    ]


def _facing(neighbour: Any, side: str, own: tuple[int, ...]) -> tuple[int, ...]:
    return getattr(neighbour, side) if isinstance(neighbour, LinearOperator) else own


def composed_with_matrix(dz: Derivative, dy: Derivative) -> LinearOperator:
    """Dz Dy for a scalar z of a vector y of a matrix, one of them an operator."""
    s = dy.codomain if isinstance(dy, LinearOperator) else _facing(dz, "domain", ())
    domain = dy.domain if isinstance(dy, LinearOperator) else dy.shape[-2:]
    return as_operator(dz, (), s) @ as_operator(dy, s, domain)


def in_layout(D: Derivative, layout: LayoutLike) -> Derivative:
    """`D` in the layout wanted."""
    if isinstance(D, LinearOperator):
        return D if Layout(layout) is Layout.NUMERATOR else D.T
    return to_layout(D, Layout.NUMERATOR, layout)


def contracted(y: Array, D: Derivative) -> Derivative:
    """yᵀ D, a row."""
    if isinstance(D, LinearOperator):
        return LowRank(jnp.ones(1, D.dtype), (y @ D)[..., None])
    return y[None, :] @ D


def weighted(weight: Array, D: Derivative) -> Derivative:
    """diag(weight) D; `weight` times the row D where D is that of a scalar."""
    if not isinstance(D, LinearOperator):
        return _column(weight) * D
    if weight.ndim == 0:
        return D * weight
    if weight.shape == D.codomain:
        return Diagonal(weight) @ D
    return LowRank(weight[..., None], jnp.ones(1, D.dtype)) @ D


def divided(D: Derivative, weight: Array) -> Derivative:
    """diag(weight)⁻¹ D."""
    return weighted(1 / weight, D) if isinstance(D, LinearOperator) else D / _column(weight)


def multiplied(Y: Array, D: Derivative, Z: Array) -> Derivative:
    """Y D Z for matrices; as an operator (Y ⊗ Zᵀ) D."""
    if isinstance(D, LinearOperator):
        return Kronecker((Dense(Y, 1), Dense(Z.T, 1))) @ D
    return Y @ D @ Z


def times(D: Derivative, Z: Array) -> Derivative:
    """D Z for matrices; as an operator (I ⊗ Zᵀ) D."""
    if isinstance(D, LinearOperator):
        return Kronecker((Identity(D.codomain[:1], D.dtype), Dense(Z.T, 1))) @ D
    return D @ Z


def product(Y: Array, D: Derivative) -> Derivative:
    """Y D for matrices; as an operator (Y ⊗ I) D."""
    if isinstance(D, LinearOperator):
        return Kronecker((Dense(Y, 1), Identity(D.codomain[1:], D.dtype))) @ D
    return Y @ D


def as_operator(
    D: Derivative, codomain: tuple[int, ...], domain: tuple[int, ...]
) -> LinearOperator:
    """`D`; if it is an array, arranged as the layout's table has it, between these spaces."""
    if isinstance(D, LinearOperator):
        return D
    tensor = D.T if (len(codomain), len(domain)) == (0, 2) else D
    return Dense(tensor.reshape(codomain + domain), len(codomain))


def _column(y: Array) -> Array:
    """What weighs the rows of a derivative in numerator layout: a matrix by a scalar is its own."""
    return y if y.ndim == 2 else y.reshape(-1, 1)
