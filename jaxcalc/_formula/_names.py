"""The names in a map tree: which there are, and others in their place.

What has no name has a number (see `_anonymous`), which may be moved out of the way of others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, name, walk
from jaxcalc._formula._maps import Map, Opaque, Term
from jaxcalc._formula._naming import replaced


def names_in(*parts: Any) -> dict[str, Shape]:
    """The names in maps and expressions, with the shapes of what they stand for."""
    found = (node for part in parts for e in _expressions(part) for node in walk(e))
    return {node["text"]: node.shape for node in found if node.op == "name"}


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A map or an expression with other names."""

    def of(e: Expression) -> Expression:
        old = (node for node in walk(e) if node.op == "name" and node["text"] in names)
        return replaced(e, {node: name(names[node["text"]], node.shape) for node in old})

    return _changed(part, of, 0)


def renumbered(part: Any, after: Any) -> Any:
    """A map whose anonymous parts are none of those in another one."""
    shift = max(_numbers(after), default=0)
    return _changed(part, lambda e: _shifted(e, shift), shift) if shift else part


def _changed(part: Any, of: Callable[[Expression], Expression], shift: int) -> Any:
    """A map with each expression in it changed, and the numbers of opaque maps moved."""
    match part:
        case Expression():
            return of(part)
        case Map() | Term():
            inside = {f.name: _changed(getattr(part, f.name), of, shift) for f in fields(part)}
            if isinstance(part, Opaque):
                inside["number"] = part.number + shift
            return replace(part, **inside)
        case tuple():
            return tuple(_changed(item, of, shift) for item in part)
    return part


def _shifted(e: Expression, shift: int) -> Expression:
    made: dict[Expression, Expression] = {}
    for node in walk(e):
        args = tuple(made[arg] for arg in node.args)
        params = tuple((key, _moved(key, value, shift)) for key, value in node.params)
        made[node] = Expression(node.op, args, params, node.shape)
    return made[e]


def _moved(key: str, value: Any, shift: int) -> Any:
    """A parameter that is a number of something anonymous, or holds one."""
    if key == "number":
        return value + shift
    if isinstance(value, tuple):
        if len(value) == 2 and value[0] == "unhashable":
            return ("unhashable", value[1] + shift)
        return tuple(_moved("", item, shift) for item in value)
    return value


def _numbers(part: Any) -> Iterator[int]:
    match part:
        case Expression():
            for node in walk(part):
                yield from _numbers(node.params)
        case Map() | Term():
            if isinstance(part, Opaque):
                yield part.number
            for field in fields(part):
                yield from _numbers(getattr(part, field.name))
        case ("number" | "unhashable", int(which)):
            yield which
        case tuple():
            for item in part:
                yield from _numbers(item)


def _expressions(part: Any) -> Iterator[Expression]:
    match part:
        case Expression():
            yield part
        case Map() | Term():
            for field in fields(part):
                yield from _expressions(getattr(part, field.name))
        case tuple():
            for item in part:
                yield from _expressions(item)
