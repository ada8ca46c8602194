"""Numbers and vectors by what they are: ½, 1/n, a, cos(x)."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import numpy as np

from jaxcalc._check._oracles import Array

CLOSE = 1e-6


def number(value: float, sizes: Mapping[str, int]) -> str:
    """A factor in words: a fraction, a size or one part of it, else its digits."""
    for name, n in sizes.items():
        for text, known in ((name, n), (f"1/{name}", 1 / n)):
            for sign, prefix in ((1, ""), (-1, "−")):
                if n > 2 and _is(value, sign * known):
                    return f"{prefix}{text}, with {name} = {n}"
    fraction = Fraction(value).limit_denominator(12)
    if _is(value, float(fraction)):
        return str(fraction).replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


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


def vector(value: Array, named: Mapping[str, Array], sizes: Mapping[str, int]) -> str | None:
    """An array in words: a multiple of a function of one that has a name; None for others."""
    for text, candidate in _candidates(named, value.size):
        if not np.isfinite(candidate).all() or not np.any(candidate):
            continue
        scale = float(candidate @ value) / float(candidate @ candidate)
        if np.allclose(scale * candidate, value, CLOSE, CLOSE * float(np.max(np.abs(value)))):
            return text if _is(scale, 1) else f"{number(scale, sizes)} {text}"
    return None


def _candidates(named: Mapping[str, Array], size: int) -> Iterator[tuple[str, Array]]:
    for text, f in FUNCTIONS.items():
        for name, array in named.items():
            if (array.size == size and size > 1) or (array.shape == () and size == 1):
                with np.errstate(all="ignore"):
                    yield text.format(name), np.asarray(f(array.ravel().astype(np.float64)))
