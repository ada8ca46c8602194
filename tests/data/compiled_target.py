"""Compiling for a described GPU on a machine without one; what the assembler says of it."""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec

SAY_IT = {"MOSAIC_GPU_DUMP_PTXAS": "1"}  # the environment in which it is said


class Assembled(NamedTuple):
    """What the assembler says of one of the project's own kernels."""

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


class Target:
    """A GPU that programs are compiled for.

    Args:
        path: the description of the card, in the text form of XLA's `GpuTargetConfigProto`.
    """

    def __init__(self, path: Path) -> None:
        os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # there is no driver
        os.environ.update(SAY_IT)
        jax.config.update("jax_platforms", "cpu")
        with overheard():  # the plugin complains of no driver
            jax.devices()
        topology = topologies.get_topology_desc(
            platform="cuda", target_config=path.read_text(encoding="utf-8"), topology="1x1x1"
        )
        mesh = topologies.make_mesh(topology, (1,), ("x",))
        self._sharding = NamedSharding(mesh, PartitionSpec())

    def compile(self, f: Callable[..., Any], *arguments: Any) -> tuple[str, list[Assembled]]:
        """The optimised HLO of `f` at arguments given by shape and dtype, and its own kernels."""
        lowered = jax.jit(f).lower(*self._placed(arguments))
        with overheard() as heard:
            text = str(lowered.compile().as_text())
        return text, assembled(heard[0])

    def _placed(self, arguments: Sequence[Any]) -> Any:
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._sharding), arguments
        )
