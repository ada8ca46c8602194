"""What devices say to each other in a compiled program, counted in its text."""

import math
import re
from typing import NamedTuple

_LINE = re.compile(
    r"\s+(?:ROOT )?%?(?P<name>[\w.\-]+) = (?P<type>\(.*?\)|\S+) (?P<op>[\w\-]+)\((?P<rest>.*)"
)
_SIZES = re.compile(r"\w\[([\d,]*)\]")
_SAYS = re.compile(r"(all-|ragged-all|collective-|reduce-scatter|send|recv)[\w\-]*(?<!-done)$")


class Said(NamedTuple):
    """What is communicated each time the program runs."""

    rounds: int  # the longest chain of collectives each of which needs the one before
    numbers: int  # that each device hands over


def communication(text: str) -> Said:
    """What is said in an optimised HLO module, as `compiled.as_text()` gives it.

    Raises:
        ValueError: for a collective in a loop or a branch: how often it runs is not counted.
    """
    before, _, entry = text.partition("\nENTRY ")
    if any(_SAYS.match(line["op"]) for line in _LINE.finditer(before)):
        raise ValueError("a collective stands in a loop or a branch, and is not counted")
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    numbers = 0
    for line in _LINE.finditer(entry):
        operands = re.findall(r"%([\w.\-]+)", line["rest"].split("), ")[0])
        sizes[line["name"]] = _size(line["type"])
        depths[line["name"]] = max((depths[name] for name in operands), default=0)
        if _SAYS.match(line["op"]):
            depths[line["name"]] += 1
            numbers += sum(sizes[name] for name in operands)
    return Said(max(depths.values(), default=0), numbers)


def _size(text: str) -> int:
    """How many numbers the arrays of a type hold, `f32[8,128]{1,0}` or a tuple of such."""
    return sum(math.prod(int(n) for n in found.split(",") if n) for found in _SIZES.findall(text))
