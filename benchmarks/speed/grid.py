"""Which cells a run measures.

The product of everything is thousands of cells. The shapes are spread over it, so that every
function with every quantity occurs in every family of dtypes and every shape occurs; then come
backward passes of long rows. It looks the same on every machine: nothing is drawn.

A second group, `further`, is chosen by hand: masks, weights, other axes, losses, and the functions
made from a declaration. It is reported by itself, so that the first remains comparable with earlier
runs.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import jax

from benchmarks.libraries import DECLARED, FUNCTIONS, INDICES, Axis
from benchmarks.speed.cell import NARROW, QUANTITIES, WIDE, Cell, Shape
from benchmarks.speed.data import BESIDE

Place = tuple[Shape, Axis]  # a shape and its class axes


class Machine(NamedTuple):
    """What is spread over a kind of machine.

    Each family of dtypes is gone through once for every function and quantity; a dtype that is
    named twice is taken twice as often.
    """

    families: tuple[tuple[str, ...], ...]
    places: tuple[Place, ...]
    narrow_places: tuple[Place, ...]  # too large but for 16-bit dtypes
    jacobian_places: tuple[Place, ...]
    named: tuple[Cell, ...]


def _last(*shapes: Shape) -> tuple[Place, ...]:
    return tuple((shape, -1) for shape in shapes)


def _long_rows(*shapes: Shape) -> tuple[Cell, ...]:
    """bfloat16 backward passes of long rows."""
    functions, quantities = ("softmax", "log_softmax", "logsumexp"), ("vjp", "value+vjp")
    named = product(functions, quantities, shapes)
    return tuple(Cell(f, q, "bfloat16", shape) for f, q, shape in named)


CPU = Machine(
    families=(("float32", "float32", "float32", "float64"), NARROW),
    places=(
        *_last((1_000_000, 10), (4096, 1024), (64, 50257), (16, 128256), (16, 151936)),
        *_last((8, 262144), (1, 131072), (8, 131072), (64, 131072)),
        ((1024, 4096), 0),
        ((32, 1000, 128), 1),
    ),
    narrow_places=_last((32768, 1000)),
    jacobian_places=_last((131072, 10), (16, 1024), (1, 4096)),
    named=_long_rows((64, 50257)),
)
GPU = Machine(
    families=(("float32",), ("bfloat16",), ("float16",)),
    places=(
        *_last((8_000_000, 10), (65536, 1000), (65536, 1024), (16384, 4096), (4096, 16384)),
        *_last((1024, 50257), (512, 128256), (512, 151936), (256, 262144)),
        *_last((1, 131072), (8, 131072), (64, 131072)),
        ((4096, 16384), 0),
        ((64, 1000, 1024), 1),
    ),
    narrow_places=_last((131072, 1000)),
    jacobian_places=_last((1_000_000, 10), (256, 1024), (16, 4096)),
    named=_long_rows((1024, 50257), (512, 131072)),
)
QUICK = (
    *(Cell("softmax", quantity, "float32", (512, 256)) for quantity in QUANTITIES[:-1]),
    Cell("log_softmax", "vjp", "bfloat16", (512, 256)),
    Cell("logsumexp", "value+vjp", "float16", (256, 512), 0),
    Cell("log_sigmoid", "hvp", "float32", (512, 256)),
    Cell("sigmoid", "value", "float64", (512, 256)),
    Cell("softmax", "jacobian", "float32", (256, 16)),
)


# --- the second group ---

SHORT: Place = ((4096, 1000), -1)
LONG: Place = ((64, 50257), -1)
FIRST: Place = ((1024, 4096), 0)
SEVERAL: Place = ((32, 1000, 128), (1, 2))
BOTH, MASKED = "value+vjp", "logsumexp(where)"

_WIDE, _NARROW = "float32", "bfloat16"
FURTHER = tuple(
    Cell(function, quantity, dtype, *place)
    for place, dtype, quantity, functions in (
        (SHORT, _WIDE, BOTH, (*BESIDE, *DECLARED, "logsumexp")),
        (SHORT, _NARROW, BOTH, (*(name for name in BESIDE if name != MASKED), *DECLARED)),
        (SHORT, _WIDE, "value", (MASKED, INDICES, "cross-entropy(distributions)")),
        (SHORT, _WIDE, "hvp", ("softmax(where)", "logsumexp(b)", INDICES)),
        (SHORT, _NARROW, "vjp", ("logsumexp",)),
        (LONG, _WIDE, "value", ("softmax(where)",)),
        (LONG, _WIDE, BOTH, (INDICES,)),
        (LONG, _NARROW, BOTH, (MASKED,)),
        (FIRST, _WIDE, BOTH, ("softmax", "logsumexp")),
        (FIRST, _NARROW, BOTH, ("log_softmax",)),
        (SEVERAL, _WIDE, BOTH, ("softmax", "log_softmax")),
        (SEVERAL, _NARROW, "value", ("softmax",)),
    )
    for function in functions
)


def grid(quick: bool) -> tuple[Cell, ...]:
    """The cells of a run on the device that JAX uses."""
    return QUICK if quick else spread(CPU if jax.default_backend() == "cpu" else GPU)


def further(quick: bool) -> tuple[Cell, ...]:
    """The second group."""
    functions = (*BESIDE, *DECLARED)
    few = tuple(Cell(name, "value+vjp", "float32", (512, 256)) for name in functions)
    return few if quick else FURTHER


def spread(machine: Machine) -> tuple[Cell, ...]:
    """Every function and quantity in every family of dtypes, the shapes spread over them.

    Cells that share their arrays come together.
    """
    chosen = (
        cell for f, family in enumerate(machine.families) for cell in _spread(machine, f, family)
    )
    cells = {*chosen, *machine.named}
    return tuple(sorted(cells, key=lambda cell: (cell.dtype, cell.shape, cell.axes, cell)))


def _spread(machine: Machine, start: int, family: Sequence[str]) -> Iterator[Cell]:
    """Dtypes and places in turn, shifted by one after each round of the quantities."""
    for i, function in enumerate(FUNCTIONS):
        for j, quantity in enumerate(QUANTITIES):
            dtype = family[(i + j) % len(family)]
            if quantity == "jacobian":
                turn, places = i, machine.jacobian_places
            else:
                turn = (len(QUANTITIES) - 1) * i + j
                places = machine.places + (() if dtype in WIDE else machine.narrow_places)
            yield Cell(function, quantity, dtype, *places[(turn + start) % len(places)])
