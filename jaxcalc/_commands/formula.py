"""A formula of the notes: a plain function beside the derivative that the notes give it."""

from collections.abc import Callable
from dataclasses import dataclass

from jax import Array

import jaxcalc as jc
from jaxcalc import Layout

Function = Callable[..., Array]
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Formula:
    """One row: `derivative(layout, *args)` is to be ∂plain(*args)/∂args[0] in that layout."""

    name: str
    numerator: str  # the derivative in words, in numerator layout
    denominator: str
    shapes: Shapes  # of the arguments
    plain: Function  # in `jax.numpy` alone
    derivative: Function

    def statement(self, layout: Layout) -> str:
        """The derivative in words."""
        return self.numerator if layout is Layout.NUMERATOR else self.denominator


def at(f: Function, layout: Layout, *args: Array) -> tuple[Array, Array]:
    """The value and the derivative of a part of a formula."""
    return f(*args), jc.jacobian(f, layout=layout)(*args)
