"""What devices say to each other in a compiled program, counted in its text.

A round is a collective that waits for an earlier one: rounds are the longest chain of collectives
each of which needs the result of the one before. Those that do not depend on each other are one
round, and so are arrays that one collective takes together. The chain is followed through
fusions, calls, branches, and loops as often as they run.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.compiled.program import type_bytes
from benchmarks.scale.hlo import Computation, Instruction, Module, entries, parse

COLLECTIVES = (
    "all-reduce",
    "all-gather",
    "all-to-all",
    "ragged-all-to-all",
    "collective-broadcast",
    "collective-permute",
    "reduce-scatter",
)
UNCOUNTED = ("send", "recv")

Depth = int | tuple["Depth", ...]  # how many rounds came before, of each part of a tuple


class Rounds(NamedTuple):
    """What is communicated; numbers are those that a device hands over, for each row."""

    rounds: int
    numbers: float
    bytes: float  # of these numbers
    largest: float  # numbers a row that one collective takes or gives, at most
    collectives: int  # however they depend on each other


def communication(text: str, rows: int) -> Rounds:
    """What is communicated by an optimised HLO module whose device holds that many rows.

    Args:
        text: the module, as `jax.jit(f).lower(x).compile().as_text()` gives it.
        rows: what the numbers are divided by.

    Raises:
        ValueError: for a collective in a loop that runs no one knows how often, for messages from
            device to device (`send`, `recv`), and for text that cannot be read.
    """
    module = parse(text)
    parameters = [0] * len(module.entry)  # at least as many
    rounds = _latest(_depth(module, module.entry, parameters))
    said = _said(module, module.entry)
    numbers, size, largest = (amount / rows for amount in said[:3])
    return Rounds(rounds, numbers, size, largest, said.collectives)


def _is_collective(instruction: Instruction) -> bool:
    if instruction.op in UNCOUNTED:
        raise ValueError(f"%{instruction.name} is a {instruction.op}, which is not counted")
    return instruction.op.removesuffix("-start") in COLLECTIVES


# --- the longest chain ---


def _depth(module: Module, computation: Computation, parameters: Sequence[Depth]) -> Depth:
    """The depth of a computation's result."""
    known: dict[str, Depth] = {}
    for instruction in computation:
        operands = [known[name] for name in instruction.operands]
        known[instruction.name] = _result(module, instruction, operands, parameters)
    return known[computation[-1].name]


def _result(
    module: Module, instruction: Instruction, operands: list[Depth], parameters: Sequence[Depth]
) -> Depth:
    match instruction.op:
        case "parameter":
            return parameters[instruction.number]
        case "tuple":
            return tuple(operands)
        case "copy" | "opt-barrier":
            return operands[0]
        case "get-tuple-element":
            return _part(operands[0], instruction.part)
        case "while":
            return _after_loop(module, instruction, operands[0])
        case "conditional":
            return _after_branches(module, instruction, *operands)
        case "call" | "fusion" | "async-start":
            (called,) = module.called(instruction)
            return _depth(module, called, operands)
    return _latest(tuple(operands)) + _is_collective(instruction)


def _latest(depth: Depth) -> int:
    return depth if isinstance(depth, int) else max(map(_latest, depth), default=0)


def _part(depth: Depth, index: int) -> Depth:
    return depth if isinstance(depth, int) else depth[index]


def _later(first: Depth, second: Depth) -> Depth:
    """Part by part, the later of both."""
    if isinstance(first, int):
        return max(first, second) if isinstance(second, int) else _later(second, first)
    parts = itertools.repeat(second) if isinstance(second, int) else second
    return tuple(map(_later, first, parts))


def _after_loop(module: Module, loop: Instruction, state: Depth) -> Depth:
    """Turn after turn, each of which waits for the condition, until nothing comes later."""
    body, condition = module.loop(loop)
    for _ in _turns(module, loop):
        waiting = _later(state, _latest(_depth(module, condition, [state])))
        after = _later(state, _depth(module, body, [waiting]))
        if after == state:
            break
        state = after
    return state


def _turns(module: Module, loop: Instruction) -> Iterable[int]:
    """As often as it runs; without end where that is not known and nothing is said."""
    if loop.trips is not None:
        return range(loop.trips)
    if any(_said(module, computation).collectives for computation in module.loop(loop)):
        raise ValueError(f"%{loop.name} communicates, and how often it runs is not known")
    return itertools.count()


def _after_branches(
    module: Module, conditional: Instruction, chooser: Depth, *arguments: Depth
) -> Depth:
    """Of all branches the latest; each waits for what chooses it."""
    branches = module.branches(conditional)
    after = [
        _depth(module, branch, [_later(argument, _latest(chooser))])
        for branch, argument in zip(branches, arguments, strict=True)
    ]
    return functools.reduce(_later, after)


# --- how much is said ---


class _Said(NamedTuple):
    numbers: int = 0
    bytes: int = 0
    largest: int = 0
    collectives: int = 0

    def times(self, turns: int) -> "_Said":
        numbers, size, largest, collectives = self
        return _Said(numbers * turns, size * turns, largest, collectives * turns)


def _total(parts: Iterable[_Said]) -> _Said:
    numbers, sizes, largest, collectives = zip(_Said(), *parts, strict=True)
    return _Said(sum(numbers), sum(sizes), max(largest), sum(collectives))


def _said(module: Module, computation: Computation) -> _Said:
    types = {instruction.name: instruction.type for instruction in computation}
    return _total(_said_by(module, instruction, types) for instruction in computation)


def _said_by(module: Module, instruction: Instruction, types: Mapping[str, str]) -> _Said:
    if _is_collective(instruction):
        handed = [types[name] for name in instruction.operands]
        numbers = sum(map(entries, handed))
        largest = max(numbers, entries(instruction.type))
        return _Said(numbers, sum(map(type_bytes, handed)), largest, 1)
    match instruction.op:
        case "while":
            once = _total(_said(module, computation) for computation in module.loop(instruction))
            return once.times(1 if instruction.trips is None else instruction.trips)
        case "conditional":
            return max(_said(module, branch) for branch in module.branches(instruction))
        case "call" | "fusion" | "async-start":
            return _total(_said(module, called) for called in module.called(instruction))
    return _Said()
