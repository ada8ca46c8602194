"""The kernels as forms of primitives: where they are used, and what is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import compute_capabilities
from jaxcalc._fusion import seeded_form
from jaxcalc._kernels._layout import layout
from jaxcalc._kernels._maps import Map
from jaxcalc._products import Form
from jaxcalc._rows import Rows

HOPPER = 9.0  # the compute capability from which there are clusters


def kernel_form(of: Map) -> Form:
    """The form for CUDA: the kernel where the rows ask for it, else what XLA fuses best.

    Arrays that are split over devices are XLA's: it knows how to.
    """

    def form(apply: Callable[..., Array], whole: bool) -> Callable[..., Array]:
        by_xla = seeded_form(apply)

        def choice(*operands: Array, rows: Rows) -> Array:
            if rows.implementation == "pallas" and whole:
                _check_devices()
                return run(of, operands, rows)
            return by_xla(*operands, rows=rows)

        return choice

    return form


def refused_form(apply: Callable[..., Array], whole: bool) -> Callable[..., Array]:
    """The form for other platforms: an error where the rows ask for a kernel."""

    def form(*operands: Array, rows: Rows) -> Array:
        if rows.implementation == "pallas":
            _refuse("the program is for another platform")
        return apply(*operands, rows=rows)

    return form


def _check_devices() -> None:
    oldest = min(compute_capabilities(), default=HOPPER)
    if oldest < HOPPER:
        _refuse(f"got one of {oldest}")


def _refuse(what: str) -> None:
    raise NotImplementedError(
        "`implementation='pallas'` needs an NVIDIA GPU of compute capability 9.0 or newer, but "
        f"{what}; use `implementation='xla'`."
    )


def run(of: Map, operands: Sequence[Array], rows: Rows, interpret: Any = None) -> Array:
    """The map of every row, by the kernel.

    Args:
        of: the map.
        operands: arrays [..., classes] of one dtype that `check_rows` admits; all but the last
            broadcast against it.
        rows: how they are to be read.
        interpret: parameters to run it with on a CPU.
    """
    from jaxcalc._kernels._cluster import map_rows  # imports Pallas

    last = operands[-1]
    if not last.size:
        return last  # no rows, hence no grid
    at = layout(last.shape[-1], last.dtype.itemsize, len(operands))
    assert at is not None, "`check_rows` comes first"
    fill = None if rows.source == "softmax" else -np.inf
    flat = [_flat(x.astype(last.dtype), last.shape) for x in operands]
    narrow = last.dtype.itemsize < 4
    out = map_rows(lambda row: of(row, rows, narrow), flat, at, fill, interpret)
    return out.reshape(last.shape)


def _flat(x: Array, shape: tuple[int, ...]) -> Array:
    """x as rows [n, classes]; leading axes over which it is repeated are left out."""
    *leading, classes = shape
    own = next((a for a, n in enumerate(x.shape[:-1]) if n != 1), len(leading))
    return jnp.broadcast_to(x, (*x.shape[:own], *shape[own:])).reshape(-1, classes)
