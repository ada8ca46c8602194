"""What the compiled programs of jaxcalc are held to: kernels and traffic, at most.

Traffic is in units of N, the bytes of the input. The least there is: 2 for a value, 3 for a
backward pass from what was kept, 5 for both one after the other, 4 for a Hessian-vector product.
"""

from typing import NamedTuple

from benchmarks.compiled.cells import KERNELS, Cell
from jaxcalc._functions.fusion import LONGEST


class Limit(NamedTuple):
    """The most kernels and the most traffic."""

    kernels: int
    traffic: float


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
        return limits.get(cell.quantity)
    if cell.contestant == "jax.nn" or cell.axis != -1 or cell.length > LONGEST:
        return None
    if _is_stored(cell):
        return STORED.get(cell.quantity, BY_XLA.get(cell.quantity))
    return BY_XLA.get(cell.quantity)


def _is_stored(cell: Cell) -> bool:
    padded = cell.length > 4096 and cell.length & (cell.length - 1) != 0
    accurate = (cell.contestant, cell.function, cell.dtype) == ("jaxcalc", "softmax", "float32")
    return padded and accurate


def misses(cell: Cell, kernels: int, traffic: float) -> bool:
    """Whether more was compiled than is expected."""
    most = limit(cell)
    slack = SLACK + 2 / cell.length
    return most is not None and (kernels > most.kernels or traffic > most.traffic + slack)
