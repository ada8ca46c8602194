"""A compiled program read as a list of kernels, with the bytes that each must move."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

BITS = {"pred": 8, "token": 0}  # of the others the name tells, as in f8e4m3fn
INNER = {"while", "conditional", "call", "async-start"}  # what they run is in another computation
FREE = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "partition-id"}

_INSTRUCTION = re.compile(
    r"\s*(?:ROOT )?%(?P<name>[\w.\-]+) = (?P<type>\(.*?\)|\S+) (?P<op>[\w\-]+)"
    r"\((?P<operands>[^)]*)\)(?P<rest>.*)"
)
_ARRAY = re.compile(r"\b([a-z]+\d*)\w*\[([\d,]*)\]")


class Kernel(NamedTuple):
    """One launch: what it is called, and its operands and results in bytes."""

    name: str
    bytes: int


def kernels(text: str) -> list[Kernel]:
    """The kernels of an optimised HLO module, in the order in which they are launched.

    Each instruction of the entry computation is one, but for those that only name a buffer. It
    reads all of its operands once and writes its results.

    Raises:
        ValueError: for a loop, a branch or a call, whose kernels would go uncounted.
    """
    sizes: dict[str, int] = {}
    found = []
    for match in _instructions(text):
        sizes[match["name"]] = size = type_bytes(match["type"])
        if match["op"] in INNER:
            raise ValueError(f"{match['name']} is a {match['op']}: its kernels are not counted")
        if match["op"] not in FREE:
            read = set(re.findall(r"%([\w.\-]+)", match["operands"]))
            found.append(Kernel(_label(match), size + sum(sizes[name] for name in read)))
    return found


def _instructions(text: str) -> Iterator[re.Match[str]]:
    entry = text[text.index("\nENTRY ") :].splitlines()[2:]
    for line in entry:
        if line.startswith("}"):
            return
        match = _INSTRUCTION.match(line)
        if match is None:
            raise ValueError(f"not an instruction: {line.strip()}")
        yield match


def _label(match: re.Match[str]) -> str:
    target = re.search(r'custom_call_target="([\w.$]+)"', match["rest"])
    return target[1] if target else re.sub(r"[.\d]+$", "", match["name"])


def type_bytes(text: str) -> int:
    """The bytes of the arrays in an HLO type, `f32[8,128]{1,0}` or a tuple of such."""
    return sum(
        math.prod(int(n) for n in shape.split(",") if n) * _bits(dtype) // 8
        for dtype, shape in _ARRAY.findall(text)
    )


def _bits(dtype: str) -> int:
    return BITS[dtype] if dtype in BITS else int(re.sub(r"\D", "", dtype))
