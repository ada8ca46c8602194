"""What is shown of a derivative: its matrix, what the axes of that follow, its formula."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._compat import is_concrete
from jaxcalc._formula import ClosedForm
from jaxcalc._layout.layout import Layout, checked_y_ndim
from jaxcalc.operators import LinearOperator
from jaxcalc.operators._checks import refuse_batch

MOST_ENTRIES = 2**24
_LONG_NAME = 16  # characters

# A matrix by a scalar, or the reverse, is shown like the matrix: by the ranks of outputs and inputs
# which axes of that matrix the rows and the columns follow.
_OF_A_MATRIX = {(0, 2): (1, 0), (2, 0): (0, 1)}

Shape = tuple[int, ...]


class Axis(NamedTuple):
    """What the rows or the columns follow: the entries of an array, in row-major order."""

    name: str
    shape: Shape

    @property
    def label(self) -> str:
        """The name; of a matrix or more with its shape."""
        sizes = "×".join(map(str, self.shape))
        return self.name if len(self.shape) < 2 else f"{self.name} ({sizes})"


class Known(NamedTuple):
    """What an operator knows of itself beside its entries."""

    layout: Layout | None = None
    x: str = "x"
    formula: ClosedForm | None = None

    @property
    def short_x(self) -> str:
        """The name of x, cut where it is long."""
        return self.x if len(self.x) <= _LONG_NAME else f"{self.x[: _LONG_NAME - 1]}…"


class Seen(NamedTuple):
    """A derivative as it is shown; without a layout it is a map of inputs to outputs."""

    matrix: np.ndarray
    rows: Axis
    columns: Axis
    known: Known


@functools.singledispatch
def known_of(op: LinearOperator) -> Known:
    """What the class of an operator tells."""
    return Known()


register = known_of.register


def seen(J: Any, layout: Layout | None, y_ndim: int | None) -> Seen:
    """`J` as it is shown, in `layout` if it does not know its own.

    Raises:
        TypeError: for what is no real array or operator, or is traced.
        ValueError: for a batch, no or too many entries, a layout that is not that of `J`, or a
            `y_ndim` that does not fit.
    """
    if isinstance(J, LinearOperator):
        return _of_operator(J, layout)
    return _of_array(J, layout, y_ndim)


def _of_operator(J: LinearOperator, layout: Layout | None) -> Seen:
    refuse_batch(J, "`plot.jacobian(J)`")
    known = _in_layout(known_of(J), layout)
    _check(J.codomain + J.domain, J.dtype, jax.tree.leaves(J))
    outputs, inputs = _names(known)
    if axes := _OF_A_MATRIX.get((len(J.codomain), len(J.domain))):
        name = outputs if J.codomain else inputs
        matrix = np.asarray(J.todense()).astype(np.float64)
        rows, columns = (
            Axis(f"{name}, axis {i}", (n,)) for i, n in zip(axes, matrix.shape, strict=True)
        )
        return Seen(matrix, rows, columns, known)
    matrix = np.asarray(J.matrix()).astype(np.float64)
    return Seen(matrix, Axis(outputs, J.codomain), Axis(inputs, J.domain), known)


def _in_layout(known: Known, layout: Layout | None) -> Known:
    if known.layout is None or layout is None:
        return known._replace(layout=known.layout or layout)
    if known.layout is not layout:
        raise ValueError(
            f"`layout` must be that of `J`, {known.layout.value!r}, but got {layout.value!r}; "
            "pass `J.T` to see the other."
        )
    return known


def _of_array(J: Any, layout: Layout | None, y_ndim: int | None) -> Seen:
    array = J if isinstance(J, jax.Array) else np.asarray(J)
    if not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype == bool):
        raise TypeError(
            "`J` must be a Derivative, an operator or an array of numbers, but got "
            f"{type(J).__name__}; of a tree show one leaf."
        )
    _check(array.shape, array.dtype, [array])
    front = checked_y_ndim(array, y_ndim)
    if array.ndim == 2:
        front = 1
    elif layout is Layout.DENOMINATOR:
        front = array.ndim - front
    rows, columns = array.shape[:front], array.shape[front:]
    matrix = np.asarray(array).astype(np.float64).reshape(math.prod(rows), math.prod(columns))
    outputs, inputs = _names(Known(layout))
    return Seen(matrix, Axis(outputs, rows), Axis(inputs, columns), Known(layout))


def _names(known: Known) -> tuple[str, str]:
    """What rows and columns follow."""
    if known.layout is None:
        return "outputs", "inputs"
    names = "outputs y", f"inputs {known.short_x}"
    return names if known.layout is Layout.NUMERATOR else names[::-1]


def _check(shape: Shape, dtype: Any, leaves: list[Any]) -> None:
    if not all(map(is_concrete, leaves)):
        raise TypeError(
            "`J` must be concrete to be drawn, but it is traced; return it from the transformed "
            "function and draw what comes out."
        )
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"`J` must be real, but got dtype {np.dtype(dtype).name}; show its dense form in "
            "parts, by `np.real`, `np.imag` or `np.abs`."
        )
    if not 0 < math.prod(shape) <= MOST_ENTRIES:
        raise ValueError(
            f"`J` must have at least one entry and at most {MOST_ENTRIES}, but got "
            f"{math.prod(shape)}; show a part of it, such as `(J @ columns)` for a few columns."
        )
