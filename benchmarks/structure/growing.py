"""Functions of vectors of any size, and what their derivatives do, in NumPy, in float64."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxcalc as jc
from benchmarks.oracles.wide import Array
from benchmarks.peers.jacobians import Function, Problem
from benchmarks.plain import VALUES
from benchmarks.structure.cases import normal
from jaxcalc.operators import Identity

SHIFT = 1.0
Results = dict[str, tuple[Array, ...]]

# What is asked of J at a vector v.
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "J @ v": lambda J, v: J @ v,
    "v @ J": lambda J, v: v @ J,
    "diagonal": lambda J, v: J.diagonal(),
    "trace": lambda J, v: J.trace(),
    "slogdet": lambda J, v: J.slogdet(),
    "slogdet of J + I": lambda J, v: (J + Identity(v.shape, v.dtype)).slogdet(),
    "solve (J + I)": lambda J, v: J.solve(v, shift=SHIFT),
}


def _of_sigmoid(x: Array, v: Array) -> Results:
    d = VALUES["sigmoid"](x) * VALUES["sigmoid"](-x)
    determinants = (1, np.log(d).sum()), (1, np.log1p(d).sum())
    return _by_operation(d * v, d, *determinants, v / (SHIFT + d))


def _of_softmax(x: Array, v: Array) -> Results:
    """J = diag(s) − s sᵀ is singular; J + I by Sherman–Morrison and the determinant lemma."""
    s = VALUES["softmax"](x)
    z, left = s / (SHIFT + s), v / (SHIFT + s)
    determinants = (0, -np.inf), (1, np.log1p(s).sum() + np.log1p(-s @ z))
    solution = left + z * (s @ left) / (1 - s @ z)
    return _by_operation(s * (v - s @ v), s * (1 - s), *determinants, solution)


def _by_operation(
    product: Array,
    diagonal: Array,
    slogdet: tuple[float, float],
    shifted: tuple[float, float],
    solution: Array,
) -> Results:
    """The results, of a symmetric J, in the order of `OPERATIONS`."""
    pairs = (tuple(map(np.float64, pair)) for pair in (slogdet, shifted))
    ordered = ((product,), (product,), (diagonal,), (diagonal.sum(),), *pairs, (solution,))
    return dict(zip(OPERATIONS, ordered, strict=True))


class Growing(NamedTuple):
    """A function, the diagonals that hold its Jacobian (None for all), and what J does at x, v."""

    f: Function
    offsets: tuple[int, ...] | None
    results: Callable[[Array, Array], Results]


FUNCTIONS = {
    "jax.nn.softmax": Growing(jax.nn.softmax, None, _of_softmax),
    "jc.softmax": Growing(jc.softmax, None, _of_softmax),
    "jax.nn.sigmoid": Growing(jax.nn.sigmoid, (0,), _of_sigmoid),
    "jc.sigmoid": Growing(jc.sigmoid, (0,), _of_sigmoid),
}


class Point(NamedTuple):
    """One of these functions at a random x of n entries, with a random v."""

    function: str
    n: int

    def __str__(self) -> str:
        return f"{self.function} {self.n}"

    @property
    def growing(self) -> Growing:
        """The function with what is known of it."""
        return FUNCTIONS[self.function]

    @property
    def x(self) -> jax.Array:
        """Where the derivative is taken."""
        return normal(self.n, seed=5)

    @property
    def v(self) -> jax.Array:
        """What it is applied to."""
        return normal(self.n, seed=6)

    @property
    def problem(self) -> Problem:
        """What a peer is asked."""
        return Problem(self.growing.f, (self.x,), self.growing.offsets)

    def results(self) -> Results:
        """What every operation should give."""
        return self.growing.results(*(np.asarray(a, np.float64) for a in (self.x, self.v)))
