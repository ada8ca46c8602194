"""What the parent asks of the worker, and what is checked of a result."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CHECKED = 2**22  # entries of a result: all of the losses' logits


class Job(NamedTuple):
    """A cell to compute."""

    function: str
    quantity: str
    axis: int
    arguments: tuple[Array, Array, Array]  # x, a tangent or labels, a cotangent
    device: str  # "cpu" or "cuda"
    compiled: bool  # whether torch.compile is tried

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the arguments and of the results."""
        return self.arguments[0].dtype


class Sample(NamedTuple):
    """A contestant to time, and how many calls in a row."""

    name: str
    repeats: int


class Answer(NamedTuple):
    """What is checked of each contestant's outputs; for those that cannot, why."""

    outputs: dict[str, list[Array]]
    absent: dict[str, str]


def checked_entries(y: Any) -> Any:
    """An array or tensor, or evenly spaced entries where it has more than are checked.

    Their distance is odd: rows often are of an even number of classes, of which an even distance
    would leave some out everywhere.
    """
    step = math.prod(y.shape) // CHECKED
    return y if step <= 1 else y.reshape(-1)[:: step | 1]
