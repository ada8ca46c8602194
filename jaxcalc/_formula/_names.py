"""The names in a map tree: which there are, and others in their place.

What has no name has a number (see `_anonymous`), which may be moved out of the way of others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, name, walk
from jaxcalc._formula._maps import Einsum, Map
from jaxcalc._formula._naming import replaced


def names_in(*parts: Any) -> dict[str, Shape]:
    """The names in maps and expressions, with the shapes of what they stand for."""
    return {node["text"]: node.shape for node in _nodes(parts) if node.op == "name"}


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A map or an expression with other names."""

    def of(e: Expression) -> Expression:
        old = (node for node in walk(e) if node.op == "name" and node["text"] in names)
        return replaced(e, {node: name(names[node["text"]], node.shape) for node in old})

    return _changed(part, of)


def renumbered(part: Any, after: Any) -> Any:
    """A map whose anonymous parts are none of those in another one."""
    shift = max((which for node in _nodes(after) for which in _numbers(node.params)), default=0)

    def of(e: Expression) -> Expression:
        made: dict[Expression, Expression] = {}
        for node in walk(e):
            args = tuple(made[arg] for arg in node.args)
            made[node] = Expression(node.op, args, _shifted(node.params, shift), node.shape)
        return made[e]

    return _changed(part, of) if shift else part


def _changed(part: Any, of: Callable[[Expression], Expression]) -> Any:
    """A map with each expression in it changed."""
    match part:
        case Expression():
            return of(part)
        case Map() | Einsum():
            inside = {f.name: _changed(getattr(part, f.name), of) for f in fields(part)}
            return replace(part, **inside)
        case tuple():
            return tuple(_changed(item, of) for item in part)
    return part


def _nodes(part: Any) -> Iterator[Expression]:
    """The parts of every expression in a map."""
    found: list[Expression] = []

    def note(e: Expression) -> Expression:
        found.append(e)
        return e

    _changed(part, note)
    return walk(*found)


def _shifted(params: Any, shift: int) -> Any:
    """Parameters, those shifted that number something anonymous; they are in pairs."""
    match params:
        case ("number" | "unhashable" as key, int(which)):
            return key, which + shift
        case tuple() if type(params) is tuple:
            return tuple(_shifted(item, shift) for item in params)
    return params


def _numbers(params: Any) -> Iterator[int]:
    match params:
        case ("number" | "unhashable", int(which)):
            yield which
        case tuple():
            for item in params:
                yield from _numbers(item)
