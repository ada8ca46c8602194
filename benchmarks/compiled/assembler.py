"""What the assembler says of the project's own kernels: registers and spills."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

SAY_IT = {"MOSAIC_GPU_DUMP_PTXAS": "1"}  # the environment in which it is said


class Assembled(NamedTuple):
    """One kernel."""

    registers: int  # a thread
    spilled: int  # bytes stored and loaded for want of registers


def assembled(words: str) -> list[Assembled]:
    """The kernels that the assembler speaks of."""
    registers = re.findall(r"Used (\d+) registers", words)
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", words)
    return [
        Assembled(int(count), int(stores) + int(loads))
        for count, (stores, loads) in zip(registers, spills, strict=True)
    ]


@contextmanager
def overheard() -> Iterator[list[str]]:
    """What native code writes to stdout and stderr meanwhile; in the list when it is over."""
    heard: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    with tempfile.TemporaryFile() as file:
        try:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            yield heard
        finally:
            for stream, own in zip((1, 2), kept, strict=True):
                os.dup2(own, stream)
                os.close(own)
            file.seek(0)
            heard.append(file.read().decode(errors="replace"))
