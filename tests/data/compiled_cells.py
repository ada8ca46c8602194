"""What is compiled for a GPU, and what it is held to: kernels and traffic, at most.

Traffic is in units of N, the bytes of the input. The least there is: 2 for a value, 3 for a
backward pass from what was kept, 5 for both one after the other, 4 for a Hessian-vector product.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax

import jaxcalc as jc
from jaxcalc._functions.fusion import LONGEST
from jaxcalc._functions.kernels import fits
from jaxcalc._functions.rows import Rows

Shape = tuple[int, ...]
KERNELS = "pallas"
Program = tuple[Callable[..., Any], tuple[Any, ...]]  # a function, and the types it is called with

PLACES: tuple[tuple[Shape, int], ...] = (
    ((1_048_576, 10), -1),
    ((32_768, 1_000), -1),
    ((16_384, 5_000), -1),
    ((4_096, 16_384), -1),
    ((2_048, 50_257), -1),
    ((1_024, 131_072), -1),
    ((1_024, 151_936), -1),
    ((512, 262_144), -1),
    ((64, 1_024, 256), 1),
    ((1_792, 16_384), 0),
)
BRIEF: tuple[tuple[Shape, int], ...] = (((16_384, 5_000), -1), ((1_024, 131_072), -1))
DTYPES = ("float32", "bfloat16", "float16")
CONTESTANTS: dict[str, dict[str, Callable[..., jax.Array]]] = {
    "jaxcalc": {"softmax": jc.softmax, "log_softmax": jc.log_softmax},
    "fast": {
        "softmax": partial(jc.softmax, accuracy="fast"),
        "log_softmax": partial(jc.log_softmax, accuracy="fast"),
    },
    KERNELS: {
        "softmax": partial(jc.softmax, implementation="pallas"),
        "log_softmax": partial(jc.log_softmax, implementation="pallas"),
    },
}


class Cell(NamedTuple):
    """One program."""

    function: str
    quantity: str
    dtype: str
    shape: Shape
    axis: int
    contestant: str

    @property
    def length(self) -> int:
        """The number of classes."""
        return self.shape[self.axis]

    @property
    def array_bytes(self) -> int:
        """N, the bytes of the input."""
        return math.prod(self.shape) * jax.numpy.dtype(self.dtype).itemsize

    def fits(self, arrays: int) -> bool:
        """Whether a kernel can hold as many of its rows side by side."""
        x = jax.ShapeDtypeStruct(self.shape, self.dtype)
        return fits(x, Rows((self.axis - (self.axis >= 0) * len(self.shape),), "high"), arrays)

    def program(self) -> Program:
        """What is compiled for it."""
        f = partial(CONTESTANTS[self.contestant][self.function], axis=self.axis)
        x = jax.ShapeDtypeStruct(self.shape, self.dtype)
        return QUANTITIES[self.quantity](f, x)


def _value(f: Callable[..., Any], x: Any) -> Program:
    return f, (x,)


def _backward(f: Callable[..., Any], x: Any) -> Program:
    """The pullback alone, from what the forward pass keeps."""
    pullback = jax.eval_shape(lambda x: jax.vjp(f, x)[1], x)
    return lambda pullback, g: pullback(g)[0], (pullback, x)


def _value_and_vjp(f: Callable[..., Any], x: Any) -> Program:
    def both(x: Any, g: Any) -> Any:
        y, pullback = jax.vjp(f, x)
        return y, pullback(g)[0]

    return both, (x, x)


def _hvp(f: Callable[..., Any], x: Any) -> Program:
    """The derivative of the pullback along a tangent."""

    def derivative(x: Any, g: Any, t: Any) -> Any:
        return jax.jvp(lambda x: jax.vjp(f, x)[1](g)[0], (x,), (t,))[1]

    return derivative, (x, x, x)


QUANTITIES: dict[str, Callable[[Callable[..., Any], Any], Program]] = {
    "value": _value,
    "backward": _backward,
    "value+vjp": _value_and_vjp,
    "hvp": _hvp,
}


def cells() -> Iterator[Cell]:
    """All programs that are held to a limit."""
    every = itertools.chain(
        itertools.product(("softmax",), QUANTITIES, DTYPES, PLACES),
        itertools.product(("log_softmax",), ("value", "backward"), DTYPES, BRIEF),
    )
    for (function, quantity, dtype, place), contestant in itertools.product(every, CONTESTANTS):
        cell = Cell(function, quantity, dtype, *place, contestant)
        if contestant != KERNELS or cell.fits(arrays=2):
            yield from [cell] if limit(cell) else []


# --- limits ---


class Limit(NamedTuple):
    """The most kernels and the most traffic."""

    kernels: float
    traffic: float


ANY = Limit(math.inf, math.inf)  # which may not spill all the same
SLACK = 0.02  # of N, for the numbers of which there is one a row, and for rounding
EACH_ONCE: dict[str, Limit] = {
    "value": Limit(1, 2),
    "backward": Limit(1, 3),
    "value+vjp": Limit(2, 5),
}
TWO_DIRECTIONS = EACH_ONCE | {"hvp": Limit(3, 9)}  # kernels, which hold them beside what is kept
BY_XLA = EACH_ONCE | {"hvp": Limit(2, 6)}  # rows that fit in a block
# where a row fills its power of two badly, XLA stores what the accurate float32 value carries along
STORED = {"value": Limit(4, 6), "value+vjp": Limit(5, 9), "hvp": Limit(5, 10)}


def limit(cell: Cell) -> Limit | None:
    """What that cell is held to, or None where nothing is promised."""
    if cell.contestant == KERNELS:
        limits = TWO_DIRECTIONS if cell.fits(arrays=3) else EACH_ONCE
        return limits.get(cell.quantity, ANY)
    if cell.axis != -1 or cell.length > LONGEST:
        return None
    if _is_stored(cell):
        return STORED.get(cell.quantity, BY_XLA.get(cell.quantity))
    return BY_XLA.get(cell.quantity)


def _is_stored(cell: Cell) -> bool:
    padded = cell.length > 4096 and cell.length & (cell.length - 1) != 0
    accurate = (cell.contestant, cell.function, cell.dtype) == ("jaxcalc", "softmax", "float32")
    return padded and accurate


def most_traffic(cell: Cell, most: Limit) -> float:
    """Of that cell, with the numbers of which there is one a row."""
    return most.traffic + SLACK + 2 / cell.length
