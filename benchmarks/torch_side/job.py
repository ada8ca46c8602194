"""What the parent asks of the worker."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Job(NamedTuple):
    """A cell to compute, and which rows of its results to send back."""

    function: str
    quantity: str
    axis: int
    arguments: tuple[Array, Array, Array]  # x, a tangent or labels, a cotangent
    sets: int  # copies of the arguments, used in turn
    step: int  # between the rows that are sent back
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
    """The checked rows of each contestant's outputs; for those that cannot, why."""

    outputs: dict[str, list[Array]]
    absent: dict[str, str]
