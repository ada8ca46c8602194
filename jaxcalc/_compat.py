"""The one place that touches names which drift between jax versions.

The rest of the package imports these from here, so that a new jax release is met in this file.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax.interpreters import ad as ad
from jax.interpreters import batching as batching
from jax.interpreters import mlir as mlir
from jax.sharding import PartitionSpec


def new_primitive(name: str) -> Any:
    """A primitive without rules; imported late, since that module imports Pallas."""
    from jax.extend.core import Primitive

    return Primitive(name)


def match_varying(operands: Sequence[Any]) -> list[Any]:
    """Mark every operand as varying over the manual mesh axes over which any of them varies.

    Inside `jax.shard_map` the built-in primitives do this by themselves; an own primitive must ask.
    """
    axes = [_varying_axes(x) for x in operands]
    union = frozenset().union(*axes)
    return [
        lax.pcast(x, tuple(sorted(union - own)), to="varying") if union - own else x
        for x, own in zip(operands, axes, strict=True)
    ]


def _varying_axes(x: Any) -> frozenset[str]:
    return frozenset(jax.typeof(x).manual_axis_type.varying)


def with_axes(aval: Any, axes: tuple[int, ...], other: Any) -> Any:
    """The abstract value `aval`, strongly typed; its `axes` are sized and split as in `other`.

    Without `other` they have size 1 and are not split.
    """
    shape, spec = list(aval.shape), list(aval.sharding.spec)
    for axis in axes:
        shape[axis] = other.shape[axis] if other is not None else 1
        spec[axis] = other.sharding.spec[axis] if other is not None else None
    sharding = aval.sharding.update(spec=PartitionSpec(*spec))
    return aval.update(shape=tuple(shape), weak_type=False, sharding=sharding)


def zero_tangent(x: Any) -> Any:
    """The symbolic zero in the tangent space of `x`."""
    return ad.Zero(jax.typeof(x).to_tangent_aval())
