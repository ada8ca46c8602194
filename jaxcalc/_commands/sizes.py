"""Sizes of axes that are not known yet, and what the uses of an array say about them.

A size is a number, or an unknown plus a number: x[1:] has one entry fewer than x. `Sizes.equal`
makes two sizes one; `Sizes.number` gives the unknown ones small numbers, no two the same, so that
a mistake shows.

>>> sizes = UnknownSizes()
>>> n, m = sizes.unknown(), sizes.unknown()
>>> sizes.equal(plus(n, -1), m)
>>> sizes.number()
>>> sizes.shape((n, m))
(3, 2)
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

SMALLEST = 3  # of the numbers that unknown sizes get


class Unknown(NamedTuple):
    """One unknown size, plus a number."""

    key: int
    more: int = 0


Size = int | Unknown
Shape = tuple[int, ...]


class Sort(NamedTuple):
    """The sizes of a value, and whether it is the transpose of a vector."""

    sizes: tuple[Size, ...] = ()
    row: bool = False

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.sizes)


class MisfitError(ValueError):
    """A reason why shapes do not fit, in words that follow a colon."""


def plus(size: Size, more: int) -> Size:
    """The sum of a size and a number."""
    return size + more if isinstance(size, int) else Unknown(size.key, size.more + more)


class _Computed(NamedTuple):
    """A size that is known once others are."""

    size: Size
    compute: Callable[..., int]
    others: tuple[Size, ...]


@dataclass
class UnknownSizes:
    """What is known of the unknown sizes; `doubts` are the readings that may surprise."""

    known: dict[int, Size] = field(default_factory=dict)
    least: list[tuple[Size, int]] = field(default_factory=list)
    computed: list[_Computed] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    odd: int = 0  # uses that are allowed but seldom meant
    _keys: "itertools.count[int]" = field(default_factory=itertools.count)

    def unknown(self) -> Unknown:
        """A new size of which nothing is known."""
        return Unknown(next(self._keys))

    def find(self, size: Size) -> Size:
        """The size in terms of what is known now."""
        while isinstance(size, Unknown) and size.key in self.known:
            size = plus(self.known[size.key], size.more)
        return size

    def equal(self, one: Size, other: Size) -> None:
        """Make two sizes one.

        Raises:
            MisfitError: when they cannot be.
        """
        one, other = self.find(one), self.find(other)
        reason = f"{self.text(one)} is not {self.text(other)}"
        if isinstance(one, int) or (isinstance(other, Unknown) and one.key < other.key):
            one, other = other, one  # what came first stays
        if isinstance(one, Unknown) and not (isinstance(other, Unknown) and one.key == other.key):
            self.known[one.key] = plus(other, -one.more)
            if isinstance(other, Unknown) or other > one.more:
                return
        elif one == other:
            return
        raise MisfitError(reason)

    def at_least(self, size: Size, number: int, reason: str) -> None:
        """Remember that a size is no smaller than a number; `reason` says so where it is."""
        size = self.find(size)
        if not isinstance(size, int):
            self.least.append((size, number))
        elif size < number:
            raise MisfitError(reason)

    def compute(self, function: Callable[..., int], *others: Size) -> Size:
        """The size that a function gives, now or once the others are known."""
        others = tuple(map(self.find, others))
        if all(isinstance(other, int) for other in others):
            return function(*others)
        size = self.unknown()
        self.computed.append(_Computed(size, function, others))
        return size

    def is_computed(self, size: Size) -> bool:
        """Whether it follows from others."""
        return self._key(size) in {self._key(computed.size) for computed in self.computed}

    def number(self) -> None:
        """Give a number to each unknown size, first to those that others are computed from.

        Raises:
            MisfitError: when a computed size is another than it must be.
        """
        waiting = {self._key(computed.size) for computed in self.computed}
        self._number([key for key in range(next(self._keys)) if key not in waiting])
        for size, compute, others in self.computed:
            numbers = self.shape(others)
            if len(numbers) < len(others):
                raise MisfitError("a size depends on itself")
            self.equal(size, compute(*numbers))
        for size, number in self.least:
            self.at_least(size, number, f"{self.text(size)} is less than {number}")

    def _key(self, size: Size) -> int | None:
        size = self.find(size)
        return None if isinstance(size, int) else size.key

    def _number(self, keys: list[int]) -> None:
        taken = {size for size in self.known.values() if isinstance(size, int)}
        for key in keys:
            if key not in self.known:
                number = next(n for n in itertools.count(self._least(key)) if n not in taken)
                self.known[key] = number
                taken.add(number)

    def _least(self, key: int) -> int:
        """The smallest number for an unknown size, which must leave its relatives positive."""
        bounds = [(self.find(size), number) for size, number in self.least]
        own = [n - s.more for s, n in bounds if isinstance(s, Unknown) and s.key == key]
        return max([SMALLEST, *own])

    def shape(self, sizes: tuple[Size, ...]) -> Shape:
        """The sizes as numbers, once all are known."""
        return tuple(size for size in map(self.find, sizes) if isinstance(size, int))

    def text(self, size: Size) -> str:
        """A size as it is said, `?` for what is not known."""
        size = self.find(size)
        return str(size) if isinstance(size, int) else "?"

    def total(self, sizes: tuple[Size, ...]) -> Size:
        """How many entries there are."""
        return sizes[0] if len(sizes) == 1 else self.compute(lambda *ns: math.prod(ns), *sizes)
