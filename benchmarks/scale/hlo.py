"""The text of an optimised HLO module as computations, lists of instructions."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_HEADING = re.compile(r"(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) \(.*\{$")
_BEGINNING = re.compile(r"\s+(?P<root>ROOT )?%?[\w.\-]+ = ")
_INSTRUCTION = re.compile(
    r"\s+(?:ROOT )?%?(?P<name>[\w.\-]+) = (?P<type>\(.*?\)|\S+) (?P<op>[\w\-]+)(?P<rest>\(.*)"
)
_NAME = re.compile(r"%([\w.\-]+)")
_ARRAY = re.compile(r"\b[a-z]+\d+\w*\[([\d,]*)\]|\bpred\[([\d,]*)\]")


class Instruction(NamedTuple):
    """One line: %name = type op(operands), attributes."""

    name: str
    type: str
    op: str
    inside: str  # of the parentheses
    attributes: str

    @property
    def operands(self) -> list[str]:
        """The names of what it reads."""
        return _NAME.findall(self.inside)

    @property
    def number(self) -> int:
        """Of a parameter."""
        return int(self.inside)

    @property
    def trips(self) -> int | None:
        """How often a loop runs, where XLA knows it."""
        found = re.search(r'"known_trip_count":\{"n":"(\d+)"', self.attributes)
        return int(found[1]) if found else None

    def names(self, *attributes: str) -> list[str]:
        """Those in whichever of these attributes it has: `body=%a`, or `calls={%a, %b}`."""
        found = (re.search(rf"\b{name}=(\{{.*?\}}|\S+)", self.attributes) for name in attributes)
        return [name for match in found if match for name in _NAME.findall(match[1])]

    @property
    def part(self) -> int:
        """Which part is taken out of a tuple."""
        (found,) = re.findall(r"\bindex=(\d+)", self.attributes)
        return int(found)


Computation = Sequence[Instruction]  # the last gives its result


class Module(NamedTuple):
    """The computations by name, and the one that is run."""

    computations: Mapping[str, Computation]
    entry: Computation

    def called(self, instruction: Instruction) -> list[Computation]:
        """What a fusion or a call stands for."""
        return self._named(instruction, "calls", "to_apply")

    def loop(self, loop: Instruction) -> list[Computation]:
        """Its body and its condition."""
        return self._named(loop, "body", "condition")

    def branches(self, conditional: Instruction) -> list[Computation]:
        """Of which one is run."""
        names = ("branch_computations", "true_computation", "false_computation")
        return self._named(conditional, *names)

    def _named(self, instruction: Instruction, *attributes: str) -> list[Computation]:
        return [self.computations[name] for name in instruction.names(*attributes)]


def parse(text: str) -> Module:
    """The computations of a module as XLA prints it.

    Raises:
        ValueError: for a line that defines something and cannot be read, or no entry.
    """
    computations: dict[str, list[Instruction]] = {}
    entry, current, root = None, list[Instruction](), None
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            current, root = [], None
            computations[heading["name"]] = current
            entry = current if heading["entry"] else entry
        elif beginning := _BEGINNING.match(line):  # others belong to a header or to a constant
            current.append(_instruction(line))
            root = current[-1] if beginning["root"] else root
        elif line.startswith("}") and root is not None:
            current.remove(root)
            current.append(root)
    if entry is None:
        raise ValueError("the text of the module has no ENTRY")
    return Module(computations, entry)


def _instruction(line: str) -> Instruction:
    match = _INSTRUCTION.match(line)
    if match is None:
        raise ValueError(f"not an instruction: {line.strip()}")
    end = _closing(match["rest"])
    inside, attributes = match["rest"][1:end], match["rest"][end + 1 :]
    return Instruction(match["name"], match["type"], match["op"], inside, attributes)


def _closing(text: str) -> int:
    """Where the parenthesis ends with which the text begins."""
    depth = 0
    for i, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return i
    raise ValueError(f"not an instruction, its parentheses stay open: {text}")


def entries(text: str) -> int:
    """How many numbers the arrays of a type hold, `f32[8,128]{1,0}` or a tuple of such."""
    shapes = ("".join(found) for found in _ARRAY.findall(text))  # a token is none
    return sum(math.prod(int(size) for size in shape.split(",") if size) for shape in shapes)
