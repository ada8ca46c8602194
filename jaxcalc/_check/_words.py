"""Numbers and vectors by what they are: ½, 1/n, a, cos(x)."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from jaxcalc._check._oracles import Array

CLOSE = 1e-6


_CONSTANTS = {"log(2)": math.log(2), "log(10)": math.log(10), "π": math.pi, "√2": math.sqrt(2)}
CONSTANTS = _CONSTANTS | {f"1/{text}": 1 / value for text, value in _CONSTANTS.items()}


@dataclass(frozen=True)
class Names:
    """What a number may be: one of these sizes, or of one of these arrays."""

    sizes: Mapping[str, int]
    arrays: Mapping[str, Array]

    def number(self, value: float) -> str:
        """A factor in words: a size or one part of it, a constant, a fraction, else its digits.

        Last, it may be a sum or a norm of an array.
        """
        fraction = Fraction(value).limit_denominator(12)
        exact = {str(abs(fraction)): abs(float(fraction))}
        known = (self._of_sizes(), CONSTANTS.items(), exact.items(), self._of_arrays())
        for text, number in itertools.chain.from_iterable(known):
            for sign, prefix in ((1, ""), (-1, "−")):
                if _is(value, sign * number):
                    return prefix + text
        return f"{value:.6g}".replace("-", "−")

    def _of_sizes(self) -> Iterator[tuple[str, float]]:
        for name, n in self.sizes.items():
            if n > 2:
                yield f"{name}, with {name} = {n}", n
                yield f"1/{name}, with {name} = {n}", 1 / n

    def _of_arrays(self) -> Iterator[tuple[str, float]]:
        for name, array in self.arrays.items():
            for text, f in NUMBERS.items() if array.ndim else [("{}", float)]:
                number = float(f(array))
                if number and math.isfinite(number):
                    yield text.format(name), number
                    yield f"1/{text.format(name)}", 1 / number


NUMBERS: dict[str, Callable[[Array], Any]] = {
    "sum({})": np.sum,
    "‖{}‖": np.linalg.norm,
    "‖{}‖²": lambda x: np.sum(x**2),
}


def _is(value: float, known: float) -> bool:
    return abs(value - known) <= CLOSE * abs(known)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "{}": lambda x: x,
    "{}²": lambda x: x**2,
    "1/{}": lambda x: 1 / x,
    "1/{}²": lambda x: x**-2.0,
    "1/√{}": lambda x: x**-0.5,
    "√{}": np.sqrt,
    "exp({})": np.exp,
    "exp(−{})": lambda x: np.exp(-x),
    "log({})": np.log,
    "cos({})": np.cos,
    "sin({})": np.sin,
    "tanh({})": np.tanh,
    "(1 − tanh({})²)": lambda x: 1 - np.tanh(x) ** 2,
    "σ({})": lambda x: 1 / (1 + np.exp(-x)),
    "σ({0}) (1 − σ({0}))": lambda x: 1 / (2 + np.exp(x) + np.exp(-x)),
    "[{} > 0]": lambda x: (x > 0) * 1.0,
    "sign({})": np.sign,
}


def vector(value: Array, names: Names) -> str | None:
    """An array in words: a multiple of a function of one that has a name; None for others."""
    for text, candidate in _candidates(names.arrays, value.size):
        if not np.isfinite(candidate).all() or not np.any(candidate):
            continue
        scale = float(candidate @ value) / float(candidate @ candidate)
        if np.allclose(scale * candidate, value, CLOSE, CLOSE * float(np.max(np.abs(value)))):
            return text if _is(scale, 1) else f"{names.number(scale)} {text}"
    return None


def _candidates(named: Mapping[str, Array], size: int) -> Iterator[tuple[str, Array]]:
    for text, f in FUNCTIONS.items():
        for name, array in named.items():
            if (array.size == size and size > 1) or (array.shape == () and size == 1):
                with np.errstate(all="ignore"):
                    yield text.format(name), np.asarray(f(array.ravel().astype(np.float64)))
