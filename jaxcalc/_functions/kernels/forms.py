"""The kernels as forms of primitives: where they are used, and what is refused."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import compute_capabilities
from jaxcalc._functions.fusion import seeded_form
from jaxcalc._functions.kernels.layout import column_layout, layout
from jaxcalc._functions.kernels.maps import Map
from jaxcalc._functions.primitives import Form, Lowered
from jaxcalc._functions.rows import Rows

HOPPER = 9.0  # the compute capability from which there are clusters


def kernel_form(of: Map) -> Form:
    """The form for CUDA: the kernel where the rows ask for it, else what XLA fuses best.

    Arrays that are split over devices are XLA's: it knows how to.
    """

    def form(apply: Callable[..., Array], lowered: Lowered) -> Callable[..., Array]:
        by_xla = seeded_form(apply)

        def choice(*operands: Array, rows: Rows) -> Array:
            if rows.implementation == "pallas" and lowered.whole:
                _check_devices()
                return run(of, operands, rows)
            if rows.implementation == "native":
                _refuse_native()
            return by_xla(*operands, rows=rows)

        return choice

    return form


def refused_form(apply: Callable[..., Array], lowered: Lowered) -> Callable[..., Array]:
    """The form for other platforms: an error where the rows ask for a kernel."""

    def form(*operands: Array, rows: Rows) -> Array:
        if rows.implementation == "pallas":
            _refuse("the program is for another platform")
        if rows.implementation == "native":
            _refuse_native()
        return apply(*operands, rows=rows)

    return form


def _check_devices() -> None:
    oldest = min(compute_capabilities(), default=HOPPER)
    if oldest < HOPPER:
        _refuse(f"got one of {oldest}")


def _refuse_native() -> NoReturn:
    raise NotImplementedError(
        "`implementation='native'` needs a CPU, but the program is for another platform; "
        "leave it None, which takes what is best there."
    )


def _refuse(what: str) -> None:
    raise NotImplementedError(
        "`implementation='pallas'` needs an NVIDIA GPU of compute capability 9.0 or newer, but "
        f"{what}; use `implementation='xla'`."
    )


def run(of: Map, operands: Sequence[Array], rows: Rows, interpret: Any = None) -> Array:
    """The map of every row, by the kernel.

    Args:
        of: the map.
        operands: arrays of one dtype that `check_rows` admits; all but the last broadcast against
            it.
        rows: how they are to be read, along one axis.
        interpret: parameters to run it with on a CPU.
    """
    last = operands[-1]
    if not last.size:
        return last  # no rows, hence no grid
    fill = None if rows.source == "softmax" else -np.inf
    narrow = last.dtype.itemsize < 4
    folded = [_folded(x.astype(last.dtype), last.shape, rows.axes[0]) for x in operands]
    kernel = _of_rows if rows.axes == (-1,) else _of_columns
    return kernel(lambda row: of(row, rows, narrow), folded, fill, interpret).reshape(last.shape)


def _of_rows(body: Any, operands: Sequence[Array], fill: float | None, interpret: Any) -> Array:
    from jaxcalc._functions.kernels.rows import map_rows  # imports Pallas

    flat = [jnp.squeeze(x, -1) for x in operands]
    at = layout(flat[-1].shape[1], flat[-1].dtype.itemsize, len(operands))
    assert at is not None, "`check_rows` comes first"
    return map_rows(body, flat, at, fill, interpret)


def _of_columns(body: Any, operands: Sequence[Array], fill: float | None, interpret: Any) -> Array:
    from jaxcalc._functions.kernels.columns import map_columns  # imports Pallas

    (_, classes, trailing), itemsize = operands[-1].shape, operands[-1].dtype.itemsize
    at = column_layout(classes, trailing, itemsize, len(operands))
    assert at is not None, "`check_rows` comes first"
    return map_columns(body, operands, at, fill, interpret)


def _folded(x: Array, shape: tuple[int, ...], axis: int) -> Array:
    """x as [leading, classes, trailing]; first axes over which it is repeated are left out."""
    leading, classes, trailing = shape[:axis], shape[axis], shape[axis:][1:]
    own = next((a for a, _ in enumerate(leading) if x.shape[a] != 1), len(leading))
    whole = jnp.broadcast_to(x, (*x.shape[:own], *shape[own:]))
    return whole.reshape(-1, classes, math.prod(trailing))
