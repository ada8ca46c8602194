"""Compiling for a described GPU on a machine without one."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.compiled.assembler import SAY_IT, Assembled, assembled, overheard


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
        devices: Any = topology.devices
        self.device = str(devices[0].device_kind)
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
