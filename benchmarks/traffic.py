"""The least memory traffic a computation needs, and what the machine can move.

Counted in arrays of the size of the input, N, and in arrays with one number a row, R: each
operand is read once and each result written once. A backward pass reads what was kept. Masks,
weights and labels are operands.
"""

import math
from typing import NamedTuple

# (N, R) of each kind of function and quantity
ELEMENTWISE = {
    "value": (2, 0),
    "jvp": (4, 0),
    "vjp": (3, 0),
    "value+vjp": (4, 0),
    "hvp": (4, 0),
}
REDUCTION = {
    "value": (1, 1),
    "jvp": (2, 2),
    "vjp": (2, 2),
    "value+vjp": (2, 2),
    "hvp": (3, 1),
    "jacobian": (2, 0),
}


REDUCTIONS = ("logsumexp", "cross-entropy")  # and their uses


class Sizes(NamedTuple):
    """The shape, the width and the class axes of a cell's input; bytes of what stands beside."""

    shape: tuple[int, ...]
    itemsize: int
    axis: int | tuple[int, ...] = -1
    beside: int = 0

    @property
    def array(self) -> int:
        """Bytes of the input."""
        return math.prod(self.shape) * self.itemsize

    @property
    def classes(self) -> int:
        """The length of a row."""
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        return math.prod(self.shape[axis] for axis in axes)

    @property
    def row_results(self) -> int:
        """Bytes of one number for each row."""
        return self.array // self.classes


def is_reduction(function: str) -> bool:
    """Whether it gives one number a row."""
    return function.startswith(REDUCTIONS)


def ideal_bytes(function: str, quantity: str, sizes: Sizes) -> int:
    """Bytes that must be moved."""
    if quantity == "jacobian" and function != "logsumexp":
        return sizes.array + sizes.array * sizes.classes
    arrays, row_results = (REDUCTION if is_reduction(function) else ELEMENTWISE)[quantity]
    return arrays * sizes.array + row_results * sizes.row_results + sizes.beside
