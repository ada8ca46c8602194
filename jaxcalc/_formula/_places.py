"""Rows of the identity matrix in the shortest form: `I[1:]`, `I[::−1]`, `roll(I, 1)`, `I[2, 0]`.

A table of places says for each row which entry is 1; −1 leaves the row zero.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_SHOWN = 8  # longer tables are cut


class Selected(NamedTuple):
    """A selection of rows: a slice, a roll by `shift`, or a table.

    Attributes:
        slice: start:stop:step in text, or an empty string.
        shift: how far rows are rolled, as `numpy.roll` counts, or 0.
        places: the table.
    """

    slice: str
    shift: int
    places: tuple[int, ...]


def rows(places: Sequence[int], size: int) -> Selected:
    """The shortest form of `places` among `size` rows."""
    table, count = tuple(places), len(places)
    if not count:
        return Selected(":0", 0, table)
    steps = {b - a for a, b in pairwise(table)} or {1}
    if min(table) >= 0 and len(steps) == 1 and (step := steps.pop()):
        return Selected(_slice_text(table[0], table[-1], step, size), 0, table)
    if count == size and all(p == (table[0] + i) % size for i, p in enumerate(table)):
        return Selected("", -table[0] if table[0] <= size // 2 else size - table[0], table)
    return Selected("", 0, table)


def _slice_text(first: int, last: int, step: int, size: int) -> str:
    stop = last + (1 if step > 0 else -1)
    start_text = "" if first == (0 if step > 0 else size - 1) else str(first)
    stop_text = "" if stop in (size, -1) else str(stop)
    return f"{start_text}:{stop_text}" + ("" if step == 1 else f":{step}")


def entries_text(entries: Sequence[object]) -> str:
    """The entries of a table, the middle of a long one left out."""
    texts = [str(entry).replace("-", "−") for entry in entries]
    if len(texts) > _SHOWN:
        texts = [*texts[: _SHOWN // 2], "…", texts[-1]]
    return ", ".join(texts)
