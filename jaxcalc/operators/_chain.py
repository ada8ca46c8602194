"""Sums and products that no rule makes simpler; their dense forms in the cheapest order."""

import functools
import itertools
import math
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._chain_order import product_tensor
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._inverse import Inverse
from jaxcalc.operators._linear import Linear
from jaxcalc.operators._registry import scaled
from jaxcalc.operators._simple import Diagonal, Identity
from jaxcalc.operators._sparse import Coordinates, joined


class Sum(LinearOperator):
    """J = Σ of `terms`, all between the same spaces.

    >>> from jaxcalc.operators import Dense
    >>> print((Identity((2,), jnp.float32) + Dense(jnp.ones((2, 2)), 1)).structure)
    sum
    """

    terms: tuple[LinearOperator, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        spaces = [(term.codomain, term.domain) for term in self.terms]
        if len(set(spaces)) > 1:
            raise ValueError(
                f"`terms` must be between the same spaces, but got (codomain, domain) {spaces}."
            )

    @property
    def codomain(self) -> Shape:
        """That of every term."""
        return self.terms[0].codomain

    @property
    def domain(self) -> Shape:
        """That of every term."""
        return self.terms[0].domain

    @property
    def dtype(self) -> np.dtype:
        """That of the first term."""
        return self.terms[0].dtype

    def mv(self, v: Array) -> Array:
        """Σ Jₖ v."""
        return self._total(lambda term: term @ v)

    @property
    def T(self) -> LinearOperator:
        """Σ Jₖᵀ."""
        return Sum(tuple(term.T for term in self.terms))

    def tensor(self) -> Array:
        """The sum of the terms' arrays."""
        return self._total(lambda term: term.tensor())

    def _coordinates(self) -> Coordinates:
        return joined([term._coordinates() for term in self.terms])

    def _total(self, query: Callable[[LinearOperator], Array]) -> Array:
        return functools.reduce(operator.add, map(query, self.terms))

    def _scaled(self, scale: Array) -> LinearOperator:
        return Sum(tuple(term * scale for term in self.terms))

    def _diagonal(self) -> Array:
        return self._total(lambda term: term.diagonal())

    def _trace(self) -> Array:
        return self._total(lambda term: term.trace())

    @property
    def structure(self) -> str:
        """sum."""
        return "sum"

    def _flops(self) -> int:
        additions = (len(self.terms) - 1) * math.prod(self.codomain)
        return additions + sum(term.cost().flops for term in self.terms)


class Chain(LinearOperator):
    """J = the product of `factors`, the outermost first: Chain((A, B)) @ v = A @ (B @ v).

    >>> from jaxcalc.operators import Dense
    >>> J = Dense(jnp.ones((2, 3)), 1) @ Dense(jnp.ones((3, 4)), 1)
    >>> J, float(J.todense()[0, 0])
    (Chain(chain, 2×4, float32), 3.0)
    """

    factors: tuple[LinearOperator, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(a.domain != b.codomain for a, b in itertools.pairwise(self.factors)):
            spaces = [(factor.codomain, factor.domain) for factor in self.factors]
            raise ValueError(
                "`factors` must each start where the next one ends, but got (codomain, domain) "
                f"{spaces}."
            )

    @property
    def codomain(self) -> Shape:
        """That of the first factor."""
        return self.factors[0].codomain

    @property
    def domain(self) -> Shape:
        """That of the last factor."""
        return self.factors[-1].domain

    @property
    def dtype(self) -> np.dtype:
        """That of the first factor."""
        return self.factors[0].dtype

    def mv(self, v: Array) -> Array:
        """The factors applied one after the other, the last one first."""
        return functools.reduce(lambda v, factor: factor @ v, self.factors[::-1], v)

    def mm(self, columns: Array) -> Array:
        """The factors applied to the columns one after the other."""
        return functools.reduce(lambda m, factor: factor @ m, self.factors[::-1], columns)

    @property
    def T(self) -> LinearOperator:
        """The transposes in the opposite order."""
        return Chain(tuple(factor.T for factor in self.factors[::-1]))

    def tensor(self) -> Array:
        """The array of the product, multiplied out in the cheapest order."""
        return product_tensor(self.factors, [is_opaque(factor) for factor in self.factors])

    def _coordinates(self) -> Coordinates:
        first, last = self.factors[0], self.factors[-1]
        if isinstance(first, Diagonal | Identity):
            values, rows, columns = chained(self.factors[1:])._coordinates()
            return Coordinates(first.entries.reshape(-1)[rows] * values, rows, columns)
        if isinstance(last, Diagonal | Identity):
            values, rows, columns = chained(self.factors[:-1])._coordinates()
            return Coordinates(values * last.entries.reshape(-1)[columns], rows, columns)
        return super()._coordinates()

    def _scaled(self, scale: Array) -> LinearOperator:
        ready = [i for i, f in enumerate(self.factors) if not isinstance(f * scale, Chain)]
        if not ready:
            return Chain((Identity(self.codomain, self.dtype, scale), *self.factors))
        i = min(ready, key=lambda i: self.factors[i].cost().bytes)
        return Chain((*self.factors[:i], self.factors[i] * scale, *self.factors[i + 1 :]))

    def _diagonal(self) -> Array:
        first, last = self.factors[0], self.factors[-1]
        if isinstance(first, Diagonal | Identity):
            return first.entries * chained(self.factors[1:]).diagonal()
        if isinstance(last, Diagonal | Identity):
            return chained(self.factors[:-1]).diagonal() * last.entries
        return self._diagonal_of_halves()

    def _diagonal_of_halves(self) -> Array:
        """Σₖ A_ik B_ki for J = A B, parted at the smallest of the spaces between the factors."""
        inner = [math.prod(factor.domain) for factor in self.factors[:-1]]
        cut = 1 + inner.index(min(inner))
        A, B = chained(self.factors[:cut]), chained(self.factors[cut:])
        return jnp.sum(A.matrix() * B.matrix().T, axis=1).reshape(self.domain)

    def _slogdet(self) -> tuple[Array, Array]:
        if not self._all_square:
            return super()._slogdet()
        signs, logarithms = zip(*(factor.slogdet() for factor in self.factors), strict=True)
        return functools.reduce(operator.mul, signs), functools.reduce(operator.add, logarithms)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None or not self._all_square:
            return super()._solve(b, shift)
        return functools.reduce(lambda b, factor: factor.solve(b), self.factors, b)

    @property
    def _all_square(self) -> bool:
        sizes = {math.prod(space) for f in self.factors for space in (f.codomain, f.domain)}
        return len(sizes) == 1

    @property
    def structure(self) -> str:
        """chain."""
        return "chain"

    def _flops(self) -> int:
        return sum(factor.cost().flops for factor in self.factors)


def chained(factors: tuple[LinearOperator, ...]) -> LinearOperator:
    """The product of one factor or more, as it is."""
    return factors[0] if len(factors) == 1 else Chain(factors)


def is_opaque(op: LinearOperator) -> bool:
    """Whether `op` is, or holds, a map known by its product alone."""
    opaque = (Linear, Inverse)
    leaves = jax.tree.leaves(op, is_leaf=lambda x: isinstance(x, opaque))
    return any(isinstance(leaf, opaque) for leaf in leaves)


@scaled.register(LinearOperator)
def _(op: LinearOperator, scale: Array) -> LinearOperator:
    return Chain((Identity(op.codomain, op.dtype, scale), op))
