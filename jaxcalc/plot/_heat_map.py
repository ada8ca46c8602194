"""The heat map of a derivative."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as Ruler
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from jaxcalc.plot._picture import axes_or_new, figure_of
from jaxcalc.plot._seen import Axis, Seen
from jaxcalc.plot._titles import set_title

MOST_CELLS = 512  # in a row or a column
COLOURS = "RdBu_r"  # diverging, and told apart by the colour-blind
NOT_FINITE = {"facecolor": "0.85", "edgecolor": "0.45", "hatch": "////"}
_LARGEST = 1e300  # beyond that matplotlib overflows
_MOST_LINES = 64  # between blocks; with more of them there is little else to see
_MOST_TICKS = 9
_WIDTH, _MARGINS = 5.6, (1.9, 1.1)  # inches: of the figure, and what is not the map
_HEIGHTS = (1.3, 4.2)  # of the map
_SQUARE = (0.2, 5.0)  # rows per column where cells are squares


def draw(seen: Seen, ax: Axes | None) -> Figure:
    """Draw on `ax`, or on a figure as high as the matrix wants."""
    rows, columns = seen.matrix.shape
    axes = axes_or_new(ax, _size(rows / columns))
    figure = figure_of(axes)
    cells, steps = reduced(seen.matrix)
    finite = np.isfinite(cells)
    cells = np.clip(cells, -_LARGEST, _LARGEST)
    bound = float(np.max(abs(cells), initial=0, where=finite)) or 1.0
    image = axes.imshow(
        np.ma.masked_array(cells, ~finite),
        cmap=COLOURS,
        vmin=-bound,
        vmax=bound,
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        interpolation="none",
        aspect="equal" if _SQUARE[0] <= rows / columns <= _SQUARE[1] else "auto",
    )
    axes.patch.set(**NOT_FINITE)  # seen where cells are masked
    _label(axes.yaxis, seen.rows, axes.axhline)
    _label(axes.xaxis, seen.columns, axes.axvline)
    figure.colorbar(image, ax=axes, label="\n".join(_notes(seen, steps)))
    if seen.known.formula is not None:
        set_title(axes, seen.known.formula)
    return figure


def _size(rows_per_column: float) -> tuple[float, float]:
    height = np.clip(rows_per_column * (_WIDTH - _MARGINS[0]), *_HEIGHTS)
    return _WIDTH, float(height) + _MARGINS[1]


def reduced(matrix: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Of each block of entries the one of the largest magnitude; how large the blocks are.

    NaN, and an infinity, is the largest of its block.
    """
    rows, columns = (-(-n // MOST_CELLS) for n in matrix.shape)

    def over_blocks(extreme: np.ufunc) -> np.ndarray:
        first = extreme.reduceat(matrix, np.arange(0, matrix.shape[0], rows), axis=0)
        return extreme.reduceat(first, np.arange(0, matrix.shape[1], columns), axis=1)

    high, low = over_blocks(np.maximum), over_blocks(np.minimum)
    return np.where(high >= -low, high, low), (rows, columns)


def _notes(seen: Seen, steps: tuple[int, int]) -> Iterator[str]:
    """What the colours mean."""
    layout = seen.known.layout
    if layout is None:
        yield "entries"
    else:
        yield from (f"∂y/∂{seen.known.short_x}", f"{layout.value} layout")
    if max(steps) > 1:
        yield f"of each {steps[0]}×{steps[1]} the largest"
    if count := seen.matrix.size - int(np.count_nonzero(np.isfinite(seen.matrix))):
        yield f"hatched: {count} not finite"


def _label(ruler: Ruler, axis: Axis, line: Callable[..., object]) -> None:
    """The axis's name, indices at its ticks, lines between its blocks."""
    ruler.set_label_text(axis.label, parse_math=False)
    blocks = [int(np.prod(axis.shape[depth:])) for depth in range(1, len(axis.shape))]
    size = int(np.prod(axis.shape))
    for depth, block in enumerate(blocks):
        if 1 < block < size <= block * _MOST_LINES:
            for start in range(block, size, block):
                line(start - 0.5, color="0.5", lw=1.2 / (1 + depth))
    _set_ticks(ruler, axis.shape, size, blocks)


def _set_ticks(ruler: Ruler, shape: tuple[int, ...], size: int, blocks: list[int]) -> None:
    """Of a vector at whole numbers, of what has more axes where blocks begin."""
    if not blocks:
        ruler.set_major_locator(MaxNLocator(_MOST_TICKS - 1, integer=True, min_n_ticks=1))
        return
    block = next((b for b in reversed(blocks) if size <= b * _MOST_TICKS), blocks[0])
    stride = block * -(-size // (block * _MOST_TICKS))
    ruler.set_major_locator(FixedLocator(list(range(0, size, stride))))
    ruler.set_major_formatter(FuncFormatter(lambda at, _: _indices(at, shape, size)))


def _indices(at: float, shape: tuple[int, ...], size: int) -> str:
    """Of the entry at that place, which a window may ask for anywhere."""
    entry = min(max(round(at), 0), size - 1)
    return ",".join(map(str, np.unravel_index(entry, shape)))
