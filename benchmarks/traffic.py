"""The least memory traffic a computation needs, and what the machine can move.

Counted in arrays of the size of the input, N, and in arrays with one number a row, R: each
operand is read once and each result written once. A backward pass reads what was kept.
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


class Sizes(NamedTuple):
    """The shape, the width and the class axis of a cell's input."""

    shape: tuple[int, ...]
    itemsize: int
    axis: int = -1

    @property
    def array(self) -> int:
        """Bytes of the input."""
        return math.prod(self.shape) * self.itemsize

    @property
    def row_results(self) -> int:
        """Bytes of one number for each row."""
        return self.array // self.shape[self.axis]


def ideal_bytes(function: str, quantity: str, sizes: Sizes) -> int:
    """Bytes that must be moved."""
    if quantity == "jacobian" and function != "logsumexp":
        return sizes.array + sizes.array * sizes.shape[sizes.axis]
    arrays, row_results = (REDUCTION if function == "logsumexp" else ELEMENTWISE)[quantity]
    return arrays * sizes.array + row_results * sizes.row_results
