"""Native maps as forms of primitives: what they take, and how it is handed over."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import is_narrow
from jaxcalc._functions.labels import is_valid
from jaxcalc._functions.primitives import Form, Lowered, plain_form
from jaxcalc._functions.rows import Rows, is_plain
from jaxcalc._native import TARGET, kernels

_FLOATS = ("float32", "float64", "bfloat16", "float16")
_MOST_CLASSES = 2**31 - 1  # a label has 32 bits


class KernelCall(NamedTuple):
    """A call, as it stands in `call.h`."""

    map: str
    outer: int = 1
    classes: int = 1
    inner: int = 1
    plain: bool = False
    high: bool = False
    twice: bool = False
    softmax: bool = False
    extended: bool = False

    def __call__(self, operands: Sequence[Array], results: Sequence[Any]) -> list[Array]:
        """The results, of these types."""
        flags = " ".join(name for name, value in self._asdict().items() if value is True)
        sizes = np.array([self.outer, self.classes, self.inner], np.int64)
        made = jax.ffi.ffi_call(TARGET, results)(*operands, map=self.map, sizes=sizes, flags=flags)
        return list(made)


def native_form(name: str, takes: str, gives: str, otherwise: Form = plain_form) -> Form:
    """The form of a map of rows on a CPU.

    Args:
        name: the map's.
        takes: a letter for each operand: x logits, or a softmax; c other numbers of the classes,
            m a mask, r a number a row, y a label.
        gives: a letter for each result, c or r; of results that the primitive has not, none are
            kept.
        otherwise: what computes it where the kernels do not.
    """

    def form(apply: Callable[..., Any], lowered: Lowered) -> Callable[..., Any]:
        by_xla = otherwise(apply, lowered)

        def choice(*operands: Array, rows: Rows, **params: Hashable) -> Any:
            refused = _missing(operands, lowered) or _unfit(takes, operands, rows)
            if not refused:
                return _of_rows(name, takes, gives, operands, rows, lowered.types)
            if rows.implementation == "native":
                raise NotImplementedError(
                    f"`implementation='native'` cannot be had: {refused}; "
                    "leave it None, which takes what there is."
                )
            return by_xla(*operands, rows=rows, **params)

        return choice

    return form


def native_entries(name: str) -> Form:
    """The form of a function of each entry on a CPU, or of several in one pass.

    Products are left to XLA, which makes one loop of them and of what is done beside them.
    """

    def form(apply: Callable[..., Any], lowered: Lowered) -> Callable[..., Any]:
        def choice(x: Array) -> Any:
            if _missing([x], lowered):
                return apply(x)
            call = KernelCall(name, classes=x.size)
            types, made = jax.tree.flatten(lowered.types)
            results = [jax.ShapeDtypeStruct((x.size,), aval.dtype) for aval in types]
            got = call([_stored(x, _computing([x])).reshape(-1)], results)
            return jax.tree.unflatten(made, [y.reshape(x.shape) for y in got])

        return choice

    return form


# --- where they are not used ---


def _missing(operands: Sequence[Array], lowered: Lowered) -> str:
    """Why there can be no native kernel in this program, or nothing."""
    if lowered.exported:
        return "the program is to be exported"
    if not lowered.whole:
        return "the arrays are split over devices"
    if any(jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.name not in _FLOATS for x in operands):
        return "they have other dtypes than 16-bit, 32-bit and 64-bit floats"
    if any(x.size == 0 for x in operands):
        return "there are no entries"
    return kernels().reason


def _unfit(takes: str, operands: Sequence[Array], rows: Rows) -> str:
    """Why the kernels cannot take these rows, or nothing."""
    first, last = rows.axes[0] if rows.axes else 0, rows.axes[-1] if rows.axes else 0
    if rows.implementation not in (None, "native"):
        return f"`implementation={rows.implementation!r}` is asked for"
    if rows.axis_name:
        return "`axis_name` splits the rows"
    if rows.source == "shares":
        return "the weights have both signs"
    if not rows.axes or last - first + 1 != len(rows.axes):
        return "the class axes are not neighbours"
    if "y" in takes and len(rows.axes) > 1:
        return "a label has one axis"
    shape = np.broadcast_shapes(*(x.shape for x in operands))
    return (
        ""
        if math.prod(shape[a] for a in rows.axes) <= _MOST_CLASSES
        else "there are too many classes"
    )


# --- how arrays are handed over ---


def _of_rows(
    name: str, takes: str, gives: str, operands: Sequence[Array], rows: Rows, types: Any
) -> Any:
    shape = np.broadcast_shapes(*(a.shape for a in operands))
    dtype = _computing(operands)
    axes = range(len(shape))[rows.axes[0] :][: len(rows.axes)]
    outer, inner = math.prod(shape[: axes.start]), math.prod(shape[axes.stop :])
    x = operands[takes.index("x")]
    call = KernelCall(
        name,
        outer,
        math.prod(shape) // (outer * inner),
        inner,
        plain=is_plain(x, rows),
        high=rows.accuracy == "high",
        twice=not all(
            is_narrow(t) for letter, t in zip(takes, operands, strict=True) if letter == "c"
        ),
        softmax=rows.keep_softmax,
        extended=rows.source == "extended logits",
    )
    handed = []
    for letter, a in zip(takes, operands, strict=True):
        if letter == "y":
            a = jnp.where(is_valid(a, x, rows), a, -1).astype(jnp.int32)
        a = a.astype(dtype) if letter == "r" else a if letter in "my" else _stored(a, dtype)
        handed.append(_unrepeated(a, shape, axes, 1 if letter in "ry" else call.classes))
    made = types if isinstance(types, list | tuple) else [types]
    results = [
        jax.ShapeDtypeStruct(aval.shape, dtype if letter == "r" else aval.dtype)
        for letter, aval in zip(gives, [*made, *made[-1:] * (len(gives) - len(made))], strict=True)
    ]
    got = call(handed, results)[: len(made)]
    return got if isinstance(types, list | tuple) else got[0]


def _unrepeated(x: Array, shape: tuple[int, ...], axes: range, classes: int) -> Array:
    """x, whole but for first axes over which it is repeated: the kernel counts entries, not axes.

    A reshape to [outer, classes, inner] would be a copy where XLA lays out axes of size 1 its way.
    """
    here = [1 if a in axes and classes == 1 else size for a, size in enumerate(shape)]
    own = next((a for a in range(axes.start) if x.shape[a] != 1), axes.start)
    return jnp.broadcast_to(x, (*x.shape[:own], *here[own:]))


def _computing(operands: Sequence[Array]) -> np.dtype:
    """The dtype that the kernel computes in."""
    return np.dtype("float64" if any(x.dtype == "float64" for x in operands) else "float32")


def _stored(x: Array, dtype: np.dtype) -> Array:
    """x in a dtype that the kernel reads: float64 alone, or all the others."""
    return (
        x
        if x.dtype.name in _FLOATS and (dtype == "float32" or x.dtype == dtype)
        else x.astype(dtype)
    )
