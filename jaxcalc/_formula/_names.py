"""The names in a map tree: which there are, and others in their place."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from jaxcalc._formula._expression import Expression, Shape, name, walk
from jaxcalc._formula._maps import Map, Term
from jaxcalc._formula._naming import replaced


def names_in(*parts: Any) -> dict[str, Shape]:
    """The names in maps and expressions, with the shapes of what they stand for."""
    found = (node for part in parts for e in _expressions(part) for node in walk(e))
    return {node["text"]: node.shape for node in found if node.op == "name"}


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A map or an expression with other names."""
    match part:
        case Expression():
            old = (node for node in walk(part) if node.op == "name" and node["text"] in names)
            return replaced(part, {node: name(names[node["text"]], node.shape) for node in old})
        case Map() | Term():
            inside = {f.name: renamed(getattr(part, f.name), names) for f in fields(part)}
            return replace(part, **inside)
        case tuple():
            return tuple(renamed(item, names) for item in part)
    return part


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
