"""Kronecker products: one operator for each group of axes, independent of the others."""

import functools
import itertools
import math
import operator
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._sparse import Coordinates, kron


class Kronecker(LinearOperator):
    """J = A ⊗ B ⊗ …: each of `factors` acts on its own consecutive axes.

    >>> from jaxcalc.operators import Dense, Identity
    >>> J = Kronecker((Dense(jnp.array([[1.0, 2.0]]), 1), Identity((2,), jnp.float32)))
    >>> print(J @ jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    [[ 7. 10.]]
    """

    factors: tuple[LinearOperator, ...]

    @property
    def codomain(self) -> Shape:
        """The codomains of the factors, one after the other."""
        return tuple(itertools.chain.from_iterable(f.codomain for f in self.factors))

    @property
    def domain(self) -> Shape:
        """The domains of the factors, one after the other."""
        return tuple(itertools.chain.from_iterable(f.domain for f in self.factors))

    @property
    def dtype(self) -> np.dtype:
        """That of the first factor."""
        return self.factors[0].dtype

    def mv(self, v: Array) -> Array:
        """Each factor applied to its axes, which lead; they go to the end as they are done."""
        for factor in self.factors:
            rest = v.shape[len(factor.domain) :]
            out = (factor @ v.reshape(*factor.domain, -1)).reshape(factor.codomain + rest)
            done = len(factor.codomain)
            v = jnp.moveaxis(out, range(done), range(-done, 0))
        return v

    @property
    def T(self) -> LinearOperator:
        """Aᵀ ⊗ Bᵀ ⊗ …."""
        return Kronecker(tuple(factor.T for factor in self.factors))

    def tensor(self) -> Array:
        """The outer product of the factors' arrays, all axes of the codomain first."""
        tensors = [factor.tensor() for factor in self.factors]
        outer = functools.reduce(lambda a, b: jnp.tensordot(a, b, axes=0), tensors)
        rows, columns = _axes_in_turn(self.factors)
        return jnp.transpose(outer, rows + columns)

    def _coordinates(self) -> Coordinates:
        first, *others = self.factors
        entries = first._coordinates()
        for factor in others:
            shape = math.prod(factor.codomain), math.prod(factor.domain)
            entries = kron(entries, factor._coordinates(), shape)
        return entries

    def pinv(self) -> LinearOperator:
        """A⁺ ⊗ B⁺ ⊗ …."""
        return Kronecker(tuple(factor.pinv() for factor in self.factors))

    def frobenius_norm(self) -> Array:
        """‖A‖ ‖B‖ …."""
        return _product(factor.frobenius_norm() for factor in self.factors)

    def _scaled(self, scale: Array) -> LinearOperator:
        first, *others = self.factors
        return Kronecker((first * scale, *others))

    def _diagonal(self) -> Array:
        if not all(factor.domain == factor.codomain for factor in self.factors):
            return super()._diagonal()
        diagonals = [factor.diagonal() for factor in self.factors]
        return functools.reduce(lambda a, b: jnp.tensordot(a, b, axes=0), diagonals)

    def _trace(self) -> Array:
        if not all(factor.domain == factor.codomain for factor in self.factors):
            return super()._trace()
        return _product(factor.trace() for factor in self.factors)

    def _slogdet(self) -> tuple[Array, Array]:
        if not self._squares:  # the rank of A ⊗ B is that of A times that of B
            return jnp.zeros((), self.dtype), jnp.asarray(-jnp.inf, self.dtype)
        size = math.prod(self.domain)
        powers = [size // math.prod(factor.domain) for factor in self.factors]
        signs, logarithms = zip(*(factor.slogdet() for factor in self.factors), strict=True)
        sign = _product(sign**power for sign, power in zip(signs, powers, strict=True))
        terms = (power * logarithm for power, logarithm in zip(powers, logarithms, strict=True))
        return sign, functools.reduce(operator.add, terms)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None:
            return super()._solve(b, shift)
        if not self._squares:
            return jnp.full(self.domain, jnp.nan, b.dtype)
        for factor in self.factors:
            rest = b.shape[len(factor.codomain) :]
            x = factor.solve(b.reshape(*factor.codomain, -1)).reshape(factor.domain + rest)
            done = len(factor.domain)
            b = jnp.moveaxis(x, range(done), range(-done, 0))
        return b

    @property
    def _squares(self) -> bool:
        return all(math.prod(f.domain) == math.prod(f.codomain) for f in self.factors)

    @property
    def structure(self) -> str:
        """kronecker."""
        return "kronecker"

    def _flops(self) -> int:
        total, rest = 0, math.prod(self.domain)
        for factor in self.factors:
            rest //= max(math.prod(factor.domain), 1)
            total += factor.cost().flops * rest
            rest *= math.prod(factor.codomain)
        return total


def _product(numbers: Iterable[Array]) -> Array:
    return functools.reduce(operator.mul, numbers)


def _axes_in_turn(factors: tuple[LinearOperator, ...]) -> tuple[list[int], list[int]]:
    """The axes of all codomains and of all domains where they alternate, factor by factor."""
    axes, rows, columns = itertools.count(), [], []
    for factor in factors:
        rows += list(itertools.islice(axes, len(factor.codomain)))
        columns += list(itertools.islice(axes, len(factor.domain)))
    return rows, columns
