"""A claim beside the truth, in every shape that layouts give them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import jax
import numpy as np

from jaxcalc._check._oracles import Array
from jaxcalc._layout.layout import Layout, Vec, arrange


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Summand:
    """A term of a formula, and what it is with one square matrix in it transposed."""

    text: str = field(metadata={"static": True})
    array: Array
    turned: tuple["Summand", ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What there is to judge a claim by.

    Attributes:
        tensor: the true derivative, of shape y.shape + x.shape.
        y_shape: the shape of y.
        x: the point.
        layout: the layout in which the claim is to be.
        allowed: how far each entry of a right claim may be off, like `tensor`.
        named: arrays by their names, of which a missing factor may be one.
        factors: the maps of a chain whose product the derivative is, as matrices.
        summands: the terms of the derivative's formula.
    """

    tensor: Array
    y_shape: tuple[int, ...]
    x: Array
    layout: Layout
    allowed: Array
    named: Mapping[str, Array] = field(default_factory=dict)
    factors: tuple[Array, ...] = ()
    summands: tuple[Summand, ...] = ()

    @cached_property
    def truth(self) -> Array:
        """The derivative in its layout."""
        return self.in_layout(self.layout)

    def in_layout(self, layout: Layout, vec: Vec | None = None) -> Array:
        """The derivative in a layout; with `vec` as a matrix of stacked entries."""
        return self.tensor.ravel()[self._places(layout, vec)]

    @cached_property
    def tolerance(self) -> Array:
        """`allowed`, in the layout."""
        return self.allowed.ravel()[self._places(self.layout)]

    def _places(self, layout: Layout, vec: Vec | None = None) -> Array:
        """Where in the tensor the entries are that stand in a layout."""
        return _places(self.tensor.shape, len(self.y_shape), layout, vec)

    @property
    def matrix(self) -> Array:
        """The derivative as the matrix of its tensor: rows are entries of y, columns of x."""
        return self.tensor.reshape(math.prod(self.y_shape), self.x.size)

    @property
    def is_square(self) -> bool:
        """Whether y has the shape of x."""
        return self.y_shape == self.x.shape

    def as_matrix(self, claim: Array) -> Array:
        """A claim of the right shape as such a matrix."""
        return self._unarranged(claim, self.layout).reshape(self.matrix.shape)

    def from_layout(self, claim: Array, layout: Layout) -> Array:
        """What is given in another layout in the one in which it is to be."""
        return self._unarranged(claim, layout)[self._places(self.layout)]

    def _unarranged(self, claim: Array, layout: Layout) -> Array:
        """The entries in the order of the tensor's."""
        places = self._places(layout)
        assert claim.shape == places.shape
        flat = np.empty(self.tensor.size)
        flat[places.ravel()] = claim.ravel()
        return flat

    def between(self, kinks: Mapping[tuple[int, ...], tuple[Array, Array]]) -> "Evidence":
        """The evidence with all allowed that lies between both slopes of a kink."""
        middle, allowed = self.tensor.copy(), self.allowed.copy()
        for index, (left, right) in kinks.items():
            entries: tuple[Any, ...] = (..., *index)
            middle[entries] = (left + right) / 2
            allowed[entries] += np.abs(left - right) * (0.5 + 1e-4)
        return replace(self, tensor=middle, allowed=allowed)

    def arranged(self, matrix: Array) -> Array:
        """A matrix of entries of y by entries of x, in the layout."""
        return matrix.ravel()[self._places(self.layout)]

    def off(self, claim: Array) -> float:
        """The largest error of a claim, beside the largest entry; infinite for another shape."""
        return distance(claim, self.truth)

    def is_right(self, claim: Array) -> bool:
        """Whether no entry of a claim is further off than allowed."""
        if claim.shape != self.truth.shape:
            return False
        error = np.where(np.isnan(claim) & np.isnan(self.truth), 0, np.abs(claim - self.truth))
        same = (claim == self.truth) | (error <= self.tolerance)
        return bool(np.all(same | (np.isnan(claim) & np.isnan(self.truth))))

    @property
    def near(self) -> float:
        """How small `off` is of what fits."""
        scale = float(np.max(np.abs(self.tensor), initial=0.0)) or 1.0
        return float(np.median(self.allowed)) / scale if self.allowed.size else 0.0


@lru_cache(8)
def _places(shape: tuple[int, ...], y_ndim: int, layout: Layout, vec: Vec | None) -> Array:
    arranged = jax.jit(arrange, static_argnums=(1, 2, 3))
    return np.asarray(arranged(np.arange(math.prod(shape)).reshape(shape), y_ndim, layout, vec))


def distance(a: Array, b: Array) -> float:
    """The largest difference beside the largest entry of b; infinite for another shape.

    So it is where a or b alone is NaN or infinite; where both are, in the same way, there is none.
    """
    if a.shape != b.shape or not a.size:
        return math.inf
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
    worst = float(np.max(apart))
    scale = float(np.max(np.abs(b), initial=0, where=np.isfinite(b))) or 1.0
    return worst / scale if math.isfinite(worst) else math.inf
