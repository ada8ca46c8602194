"""How the rows of an array are split over blocks of threads.

    row      classes = tiles · lanes
    cluster  1, 2, 4 or 8 blocks, each with `chunks · height` of the tiles
    chunk    height · lanes classes, moved by one copy and computed with together
    slot     where a chunk is held in shared memory; a first chunk for which there is none stays in
             registers

The last block's share may end beyond the row.
"""

import math
from typing import Any, NamedTuple

from jax import Array

from jaxcalc._compat import compute_capabilities
from jaxcalc._functions.rows import Rows

LANES = (256, 128, 64)  # of a tile: a copy engine moves at most 256 entries along a dimension
CHUNK = 4096  # entries: 32 in each thread's registers
STEP = 512  # entries: every thread loads whole vectors
WARPGROUP = 128  # threads of a block
TOGETHER = 8  # classes of a column that are computed with together; a power of two
HIGHEST = 256  # classes of a box
CLUSTERS = (1, 2, 4, 8)
WANTED = 56 * 1024  # bytes of shared memory a block: four blocks fit on a processor
MOST = 224 * 1024  # bytes of shared memory that a block can have, but for barriers
DTYPES = ("float32", "bfloat16", "float16")


class Tiling(NamedTuple):
    """The split of one row."""

    lanes: int
    tiles: int
    height: int
    chunks: int
    cluster: int
    slots: int

    @property
    def share(self) -> int:
        """The tiles of one block."""
        return self.height * self.chunks

    @property
    def is_ragged(self) -> bool:
        """Whether the last block's share ends beyond the row."""
        return self.share * self.cluster > self.tiles


def layout(classes: int, itemsize: int, arrays: int) -> Tiling | None:
    """The split over the smallest cluster that leaves room for several blocks on a processor.

    Args:
        classes: the length of a row.
        itemsize: the bytes of an entry.
        arrays: how many rows a block holds beside each other.

    Returns:
        None where the row is no multiple of 64 or does not fit in a cluster.

    >>> layout(262_144, 2, 1)
    Tiling(lanes=256, tiles=1024, height=16, chunks=8, cluster=8, slots=8)
    >>> layout(50_257, 2, 1) is None
    True
    """
    lanes = next((lanes for lanes in LANES if classes % lanes == 0), None)
    if lanes is None or classes == 0:
        return None
    entry = itemsize * arrays
    splits = (_split(classes // lanes, lanes, cluster, entry) for cluster in CLUSTERS)
    fitting = [split for split in splits if split.slots >= split.chunks - 1]
    roomy = (split for split in fitting if split.share * lanes * entry <= WANTED)
    return next(roomy, fitting[-1] if fitting else None)


def _split(tiles: int, lanes: int, cluster: int, entry: int) -> Tiling:
    own = math.ceil(tiles / cluster)
    chunks = math.ceil(own * lanes / CHUNK)
    step = STEP // lanes
    height = step * math.ceil(own / chunks / step)
    slots = MOST // (height * lanes * entry)
    return Tiling(lanes, tiles, height, chunks, cluster, min(slots, chunks))


class ColumnLayout(NamedTuple):
    """The split of columns, along an axis before the last: a share is `boxes · height` classes."""

    classes: int
    lanes: int
    tiles: int
    height: int
    boxes: int
    cluster: int

    @property
    def share(self) -> int:
        """The classes of one block."""
        return self.height * self.boxes

    @property
    def is_ragged(self) -> bool:
        """Whether the last block's share ends beyond the column."""
        return self.share * self.cluster > self.classes


def column_layout(classes: int, trailing: int, itemsize: int, arrays: int) -> ColumnLayout | None:
    """The split over the smallest cluster that leaves room for several blocks on a processor.

    Args:
        classes: the length of a column.
        trailing: how many columns lie beside each other in memory.
        itemsize: the bytes of an entry.
        arrays: how many columns a block holds beside each other.

    Returns:
        None where columns do not begin at multiples of 16 bytes or do not fit in a cluster.

    >>> column_layout(1024, 256, 4, 1)
    ColumnLayout(classes=1024, lanes=128, tiles=2, height=128, boxes=1, cluster=8)
    """
    if trailing * itemsize % 16 or classes * trailing == 0:
        return None
    entry = itemsize * arrays
    wide, narrow = (
        [_column_split(classes, trailing, lanes, cluster) for cluster in CLUSTERS]
        for lanes in (4 * WARPGROUP // itemsize, WARPGROUP)
    )
    fitting = [split for split in wide + narrow[-1:] if split.share * split.lanes * entry <= MOST]
    roomy = (split for split in fitting if split.share * split.lanes * entry <= WANTED)
    return next(roomy, fitting[-1] if fitting else None)


def _column_split(classes: int, trailing: int, lanes: int, cluster: int) -> ColumnLayout:
    tiles = math.ceil(trailing / lanes)
    own = math.ceil(classes / cluster)
    boxes = math.ceil(own / HIGHEST)
    height = TOGETHER * math.ceil(own / boxes / TOGETHER)
    return ColumnLayout(classes, lanes, tiles, height, boxes, cluster)


def fits(x: Any, rows: Rows, arrays: int) -> bool:
    """Whether as many rows of an array of the type of x fit in a cluster beside each other."""
    (axis,) = rows.axes
    classes, itemsize = x.shape[axis], x.dtype.itemsize
    if axis == -1:
        return layout(classes, itemsize, arrays) is not None
    trailing = math.prod(x.shape[axis:][1:])
    return column_layout(classes, trailing, itemsize, arrays) is not None


def check_rows(name: str, x: Array, rows: Rows) -> None:
    """Raise where rows of x cannot be given to the kernels; derivatives included.

    Raises:
        NotImplementedError: for several axes, 64-bit dtypes, and numbers of classes that are no
            multiple of 64, do not fit in a cluster, or lie badly in memory.
    """
    if rows.implementation != "pallas":
        return
    fitting = len(rows.axes) == 1 and x.dtype in DTYPES and fits(x, rows, arrays=2)
    if not fitting and not compute_capabilities():
        _refuse("an NVIDIA GPU of compute capability 9.0 or newer, but this process sees none")
    if len(rows.axes) != 1:
        _refuse(f"rows along one axis of `{name}`, but got axes {rows.axes}")
    if x.dtype not in DTYPES:
        _refuse(f"`{name}` in {', '.join(DTYPES)}, but got {x.dtype}")
    if fits(x, rows, arrays=2):
        return
    (axis,) = rows.axes
    classes, itemsize = x.shape[axis], x.dtype.itemsize
    if axis == -1:
        most = largest(itemsize)
        _refuse(f"a multiple of 64 classes (pad with -inf), at most {most}, but got {classes}")
    trailing = math.prod(x.shape[axis:][1:])
    _refuse(
        f"at most {largest_column(itemsize)} classes along an axis before the last, each of a "
        f"multiple of {16 // itemsize} entries, but got {classes} of {trailing}"
    )


def _refuse(what: str) -> None:
    raise NotImplementedError(
        f"`implementation='pallas'` needs {what}; use `implementation='xla'` for it."
    )


def largest(itemsize: int) -> int:
    """The most classes along the last axis whose values and derivatives can be computed.

    >>> largest(4), largest(2)
    (262144, 491520)
    """
    return (MOST // (2 * itemsize) + CHUNK) * CLUSTERS[-1]


def largest_column(itemsize: int) -> int:
    """The most classes along another axis whose values and derivatives can be computed.

    >>> largest_column(4), largest_column(2)
    (1792, 3584)
    """
    return MOST // (2 * itemsize * WARPGROUP) * CLUSTERS[-1]
