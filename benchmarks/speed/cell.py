"""A cell of the table: what is timed, of which function, on which array."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.libraries import Axis, Function, Library

Shape = tuple[int, ...]

QUANTITIES = ("value", "vjp", "value+vjp", "jvp", "hvp", "jacobian")
WIDE, NARROW = ("float32", "float64"), ("bfloat16", "float16")


class Cell(NamedTuple):
    """One line of the table."""

    function: str
    quantity: str
    dtype: str
    shape: Shape
    axis: Axis = -1  # the class axis, or several

    @property
    def axes(self) -> tuple[int, ...]:
        """The class axes."""
        return (self.axis,) if isinstance(self.axis, int) else self.axis

    @property
    def place(self) -> str:
        """The shape as it is spoken, with the class axes where they are not the last."""
        word = "axis" if len(self.axes) == 1 else "axes"
        axes = "" if self.axis == -1 else f", {word} {', '.join(map(str, self.axes))}"
        return f"{spoken(self.shape)}{axes}"

    def of(self, library: Library) -> Function:
        """That library's function along the class axes."""
        return partial(library.functions[self.function], axis=self.axis)

    def __str__(self) -> str:
        """The cell in words."""
        return f"{self.function} {self.quantity} {self.dtype} {self.place}"


def spoken(shape: Sequence[int]) -> str:
    """A shape as it is spoken: 64 × 50257."""
    return " × ".join(map(str, shape))
