"""Numbers for what has no name of its own: constants of inner programs, maps without a closed form.

Two of them print alike, so that only the number says which is which. It counts those that appear
while one derivative is made, in their order: another call with the same function gives the same
numbers, as its pytree must.
"""

import itertools
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_Known = dict[tuple[str, Hashable], tuple[int, object]]
_KNOWN: ContextVar[_Known | None] = ContextVar("known", default=None)
_elsewhere = itertools.count(1)


@contextmanager
def numbered() -> Iterator[None]:
    """Inside, equal things have one number."""
    before = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(before)


def number_of(text: str, key: Hashable, owner: object = None) -> int:
    """The number, from 1, of the thing with that key among those that print as `text`.

    `owner` is kept alive, where the key is its `id`.
    """
    known = _KNOWN.get()
    if known is None:
        return next(_elsewhere)
    if (text, key) not in known:
        known[text, key] = (1 + sum(other == text for other, _ in known), owner)
    return known[text, key][0]
