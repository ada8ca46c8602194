"""A mathematical expression as a function of its arrays, whose errors name the part at fault."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jax import Array

LARGEST_SIZE = 2**24  # entries of a value
SHOWN = 60  # characters of a part, and half of what JAX may say about it

Value = float | Array


@dataclass(frozen=True)
class Part:
    """A subexpression: an array if nothing is applied, else a function of its operands."""

    text: str
    apply: Callable[..., Any] | None = None
    operands: tuple["Part", ...] = ()


@dataclass(frozen=True, eq=False)
class Expression:
    """A function whose parameters are the names in the expression, in their order of appearance.

    A call raises `ValueError` when shapes do not fit, when a value has more than `largest` entries,
    and when arithmetic of plain numbers has no finite real result.
    """

    text: str
    root: Part
    names: tuple[str, ...]
    largest: int = LARGEST_SIZE

    def __call__(self, *arrays: Array) -> Value:
        return self._value(self.root, dict(zip(self.names, arrays, strict=True)))

    @cached_property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.names])

    def _value(self, part: Part, arrays: Mapping[str, Array]) -> Value:
        if part.apply is None:
            return arrays[part.text]
        operands = [self._value(operand, arrays) for operand in part.operands]
        try:
            value = part.apply(*operands)
        except ArithmeticError as error:
            raise ValueError(_not_finite(part.text)) from error
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(_misfit(part.text, operands, error)) from error
        _check_value(part.text, value, self.largest)
        return value


def _misfit(text: str, operands: list[Value], error: Exception) -> str:
    shapes = " and ".join(shape_text(np.shape(operand)) for operand in operands)
    reason = " ".join(str(error).split()).rstrip(".")
    return f"{shown(text)} cannot be computed from shapes {shapes}: {cut(reason, 2 * SHOWN)}."


def _check_value(text: str, value: Value, largest: int) -> None:
    size = math.prod(np.shape(value))
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


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as it is said: 3×4, 4, or scalar."""
    return "×".join(map(str, shape)) or "scalar"


def shown(text: str) -> str:
    """The text in backticks, cut if it is long."""
    return f"`{cut(text)}`"


def cut(text: str, length: int = SHOWN) -> str:
    """The text, or its beginning if it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
