"""What is compiled: shapes, dtypes, functions and quantities, for jaxcalc and for jax.nn."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax

import jaxcalc as jc
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
    "jax.nn": {"softmax": jax.nn.softmax, "log_softmax": jax.nn.log_softmax},
}
JACOBIAN_SHAPE: Shape = (64, 1_024)


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
        """N: the bytes of the input, or of the matrices for Jacobians."""
        entries = math.prod(self.shape) * (self.length if self.quantity == "jacobian" else 1)
        return entries * jax.numpy.dtype(self.dtype).itemsize

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


def _jacobian(f: Callable[..., Any], x: Any) -> Program:
    """A dense matrix for each row, all of which are functions of that row alone."""
    return jax.vmap(jax.jacrev(f)), (x,)


QUANTITIES: dict[str, Callable[[Callable[..., Any], Any], Program]] = {
    "value": _value,
    "backward": _backward,
    "value+vjp": _value_and_vjp,
    "hvp": _hvp,
    "jacobian": _jacobian,
}


def cells(quick: bool) -> Iterator[Cell]:
    """All programs that can be compiled, those that are compared side by side."""
    for dtype in DTYPES:
        for (shape, axis), quantity in itertools.product(BRIEF if quick else PLACES, ROWWISE):
            yield from _beside("softmax", quantity, dtype, shape, axis)
        for (shape, axis), quantity in itertools.product(BRIEF, ("value", "backward")):
            yield from _beside("log_softmax", quantity, dtype, shape, axis)
        yield from _beside("softmax", "jacobian", dtype, JACOBIAN_SHAPE, -1)


ROWWISE = tuple(quantity for quantity in QUANTITIES if quantity != "jacobian")


def _beside(function: str, quantity: str, dtype: str, shape: Shape, axis: int) -> Iterator[Cell]:
    for contestant in CONTESTANTS:
        cell = Cell(function, quantity, dtype, shape, axis, contestant)
        if contestant != KERNELS or _taken(cell):
            yield cell


def _taken(cell: Cell) -> bool:
    """Whether the kernels take rows of that cell."""
    return cell.fits(arrays=2)
