"""A cell of the table: what is timed, of which function, on which array."""

import math
from collections.abc import Sequence
from typing import NamedTuple

Shape = tuple[int, ...]

FUNCTIONS = ("sigmoid", "log_sigmoid", "softmax", "log_softmax", "logsumexp")
QUANTITIES = ("value", "vjp", "value+vjp", "jvp", "hvp", "jacobian")
WIDE, NARROW = ("float32", "float64"), ("bfloat16", "float16")


class Cell(NamedTuple):
    """One line of the table."""

    function: str
    quantity: str
    dtype: str
    shape: Shape
    axis: int = -1  # the class axis

    @property
    def classes(self) -> int:
        """The length of a row."""
        return self.shape[self.axis]

    @property
    def entries(self) -> int:
        """How many numbers its largest array holds."""
        is_square = self.quantity == "jacobian" and self.function != "logsumexp"
        return math.prod(self.shape) * (self.classes if is_square else 1)

    @property
    def place(self) -> str:
        """The shape as it is spoken, with the class axis where it is not the last."""
        axis = "" if self.axis == -1 else f", axis {self.axis}"
        return f"{spoken(self.shape)}{axis}"

    def __str__(self) -> str:
        """The cell in words."""
        return f"{self.function} {self.quantity} {self.dtype} {self.place}"


def spoken(shape: Sequence[int]) -> str:
    """A shape as it is spoken: 64 × 50257."""
    return " × ".join(map(str, shape))
