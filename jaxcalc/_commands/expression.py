"""A mathematical expression as a function of its arrays, whose errors name the part at fault."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jax import Array

from jaxcalc._commands import rows
from jaxcalc._commands.shape_rules import Rule, elementwise
from jaxcalc._commands.sizes import MisfitError, Shape, Sort, UnknownSizes

LARGEST_SIZE = 2**24  # entries of a value
SHOWN = 60  # characters of a part

Value = float | Array


@dataclass(frozen=True, eq=False)
class Part:
    """A subexpression: an array if nothing is applied, else a function of its operands."""

    text: str
    apply: Callable[..., Any] | None = None
    operands: tuple["Part", ...] = ()
    rule: Rule = elementwise  # what becomes of the operands' shapes
    options: Mapping[str, Any] = field(default_factory=dict)  # of the rule
    doubt: str = ""  # what may surprise in the reading

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of its arrays, in their order of appearance."""
        if self.apply is None:
            return (self.text,)
        return tuple(dict.fromkeys(name for part in self.operands for name in part.names))

    def sort(self, sizes: UnknownSizes, arrays: Mapping[str, Sort]) -> Sort:
        """The shape of its value, as far as the sizes are known.

        Raises:
            ValueError: where the shapes do not fit, naming the part.
        """
        if self.apply is None:
            return arrays[self.text]
        return self.ruled(sizes, [operand.sort(sizes, arrays) for operand in self.operands])

    def ruled(self, sizes: UnknownSizes, sorts: Sequence[Sort]) -> Sort:
        """The same, for operands whose shapes are known so far."""
        count = len(sizes.doubts)
        try:
            found = self.rule(sizes, tuple(sorts), self.options)
        except MisfitError as misfit:
            raise ValueError(_misfit(self.text, sizes, sorts, misfit)) from misfit
        own = sizes.doubts[count:]
        sizes.doubts[count:] = [
            f"{shown(self.text)} {doubt}" for doubt in (self.doubt, *own) if doubt
        ]
        return found


def _misfit(text: str, sizes: UnknownSizes, sorts: Sequence[Sort], reason: object) -> str:
    shapes = " and ".join("×".join(map(sizes.text, sort.sizes)) or "scalar" for sort in sorts)
    return f"{shown(text)} cannot be computed from shapes {shapes}: {reason}."


@dataclass(frozen=True, eq=False)
class WrittenFunction:
    """A function whose parameters are the names in the expression, in their order of appearance.

    A call raises `ValueError` when shapes do not fit, when a value has more than `largest` entries,
    and when arithmetic of plain numbers has no finite real result.
    """

    text: str
    root: Part
    names: tuple[str, ...]
    largest: int = LARGEST_SIZE

    def __call__(self, *arrays: Array) -> Value:
        value: Value = rows.unmarked(
            self._value(self.root, dict(zip(self.names, arrays, strict=True)))
        )
        return value

    @cached_property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.names])

    def _value(self, part: Part, arrays: Mapping[str, Array]) -> Any:
        if part.apply is None:
            return arrays[part.text]
        operands = [self._value(operand, arrays) for operand in part.operands]
        sorts = [Sort(rows.shape(x), isinstance(x, rows.Covector)) for x in operands]
        part.ruled(UnknownSizes(), sorts)
        try:
            value = part.apply(*operands)
        except ArithmeticError as error:
            raise ValueError(_not_finite(part.text)) from error
        except (TypeError, ValueError) as error:  # in JAX's words, which name its own parts
            raise ValueError(
                _misfit(part.text, UnknownSizes(), sorts, "JAX refuses them")
            ) from error
        _check_value(part.text, rows.unmarked(value), self.largest)
        return value


def _check_value(text: str, value: Value, largest: int) -> None:
    size = math.prod(rows.shape(value))
    if size > largest:
        raise ValueError(
            f"{shown(text)} has {size} entries, where at most {largest} are allowed; "
            "give smaller shapes."
        )
    plain = isinstance(value, int | float | complex)
    if plain and (isinstance(value, complex) or not math.isfinite(value)):
        raise ValueError(_not_finite(text))


def _not_finite(text: str) -> str:
    return f"{shown(text)} is not a finite real number."


def shape_text(shape: Shape) -> str:
    """A shape as it is said: 3×4, 4, or scalar."""
    return "×".join(map(str, shape)) or "scalar"


def shown(text: str) -> str:
    """The text in backticks, cut if it is long."""
    return f"`{cut(text)}`"


def cut(text: str, length: int = SHOWN) -> str:
    """The text, or its beginning if it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
