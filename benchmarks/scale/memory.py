"""How much memory a program takes beside its arguments and results."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.report import Progress, Row
from benchmarks.scale.programs import compiled
from benchmarks.speed.cell import NARROW, Cell, Shape
from benchmarks.speed.jax_side import Program, along, rivals

SHAPES: tuple[Shape, ...] = ((4096, 1000), (64, 50257))
DTYPES = ("float32", "bfloat16")


def temporaries(f: Program, cell: Cell) -> float:
    """Of that quantity of f, in arrays of the size of x in the dtype that is computed in."""
    stats = compiled(f, cell, _type).memory_analysis()
    computed_in = jnp.dtype("float32" if cell.dtype in NARROW else cell.dtype)
    return float(stats.temp_size_in_bytes / (math.prod(cell.shape) * computed_in.itemsize))


def _type(y: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(y.shape, y.dtype)


def memory_rows(functions: Sequence[str], quick: bool, progress: Progress) -> Iterator[Row]:
    """Of value and gradient, for everyone who is compared."""
    places = itertools.product(DTYPES, SHAPES)
    planned = [
        Cell(function, "value+vjp", dtype, shape)
        for dtype, shape in (itertools.islice(places, 1) if quick else places)
        for function in functions
    ]
    for done, cell in enumerate(planned):
        progress(done, len(planned), f"memory of {cell}")
        for name, library in rivals().items():
            arrays = temporaries(along(library, cell), cell)
            named = {**cell._asdict(), "shape": cell.place, "classes": cell.classes}
            yield {"part": "memory", **named, "contestant": name, "arrays": arrays}
