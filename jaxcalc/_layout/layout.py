"""Layout: which axes of a derivative follow y and which follow x.

Write ∂y/∂x with y above (the numerator) and x below (the denominator). In *numerator layout* rows
follow y and columns follow x, as `jax.jacfwd` has it for vectors; in *denominator layout* rows
follow x and columns follow y. Each is the transpose of the other. A worked example, with y in R²
and x in R³, is y = (x₁ x₂, x₂ x₃) at x = (1, 2, 3):

                      x₁  x₂  x₃                            y₁  y₂
    numerator:   y₁ [  2   1   0 ]      denominator:   x₁ [  2   0 ]
                 y₂ [  0   3   2 ]                     x₂ [  1   3 ]
                                                       x₃ [  0   2 ]

>>> import jax.numpy as jnp
>>> import jaxcalc as jc
>>> def f(x):
...     return x[:2] * x[1:]
>>> x = jnp.array([1.0, 2.0, 3.0])
>>> print(jc.jacobian(f, layout="numerator")(x))
[[2. 1. 0.]
 [0. 3. 2.]]
>>> print(jc.jacobian(f, layout="denominator")(x))
[[2. 0.]
 [1. 3.]
 [0. 2.]]

The shapes, for x in R^p or X in R^(p×q), and y in R^q or Y in R^(m×n):

    derivative           numerator layout    denominator layout
    scalar by scalar     1×1                 1×1
    scalar by vector     1×p                 p×1
    vector by scalar     q×1                 1×q
    vector by vector     q×p                 p×q
    scalar by matrix     q×p, like Xᵀ        p×q, like X
    matrix by scalar     m×n, like Y         n×m, like Yᵀ
    anything else        y.shape + x.shape   x.shape + y.shape
"""

import enum
import math
from typing import Any, Literal, Never

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import static_index


def _refuse(value: object) -> Never:
    """The error of what is no layout."""
    raise ValueError(f"`layout` must be 'numerator' or 'denominator', but got {value!r}.")


class _OfWords(enum.EnumType):
    """An enumeration whose words are compared with no array."""

    def __call__(cls, value: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(value, str | enum.Enum):
            _refuse(value)
        return super().__call__(value, *args, **options)


class Layout(enum.Enum, metaclass=_OfWords):
    """The two layouts of a derivative; wherever one is taken, so is its value as a string.

    >>> Layout("denominator")
    <Layout.DENOMINATOR: 'denominator'>
    """

    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"

    @classmethod
    def _missing_(cls, value: object) -> Never:
        _refuse(value)

    @property
    def other(self) -> "Layout":
        """The layout in which every matrix of this one is transposed."""
        return Layout.DENOMINATOR if self is Layout.NUMERATOR else Layout.NUMERATOR


LayoutLike = Layout | Literal["numerator", "denominator"]
Vec = Literal["C", "F"]

# (rank of y, rank of x): which axes of the tensor y.shape + x.shape are the rows and the columns in
# numerator layout; None is a new axis of length one. Every other pair of ranks stays a tensor.
_MATRIX_AXES: dict[tuple[int, int], tuple[int | None, int | None]] = {
    (0, 0): (None, None),
    (0, 1): (None, 0),
    (1, 0): (0, None),
    (1, 1): (0, 1),
    (0, 2): (1, 0),
    (2, 0): (0, 1),
}


def to_layout(
    J: ArrayLike, source: LayoutLike, target: LayoutLike, *, y_ndim: int | None = None
) -> Array:
    """The derivative `J`, given in layout `source`, in layout `target`.

    With two axes this is a transpose. With more, the axes of y move from the front (numerator) to
    the back (denominator) or the other way, so their number must be known.

    Args:
        J: a derivative in the shape of the table above, with at least two axes.
        source: the layout `J` is in.
        target: the layout wanted; when it is `source`, the entries and axes stay as they are.
        y_ndim: the rank of y, required when `J` has more than two axes.

    Raises:
        ValueError: for an unknown layout, a `J` of fewer than two axes, a missing `y_ndim`, or one
            that is negative or greater than the rank of `J`.

    >>> to_layout(jnp.ones((2, 3)), "numerator", "denominator").shape
    (3, 2)
    >>> to_layout(jnp.ones((2, 3, 4)), "numerator", "denominator", y_ndim=1).shape
    (3, 4, 2)
    """
    J, source, target = jnp.asarray(J), _layout("source", source), _layout("target", target)
    y_ndim = checked_y_ndim(J, y_ndim)
    if source is target:
        return J
    if J.ndim == 2:
        return J.T
    split = y_ndim if source is Layout.NUMERATOR else J.ndim - y_ndim
    return jnp.transpose(J, (*range(split, J.ndim), *range(split)))


def _layout(name: str, layout: object) -> Layout:
    """The argument `name` as a layout, or an error that names it."""
    try:
        return Layout(layout)
    except ValueError as error:
        raise ValueError(str(error).replace("`layout`", f"`{name}`", 1)) from None


def checked_y_ndim(J: Array | np.ndarray, y_ndim: int | None) -> int:
    """The rank of y, which is known where `J` has two axes; an error where it does not fit."""
    if J.ndim < 2:
        raise ValueError(
            f"`J` must have at least two axes, but got shape {J.shape}; "
            "a derivative of scalars or vectors is a matrix, 1×1 for scalar by scalar."
        )
    if y_ndim is None and J.ndim > 2:
        raise ValueError(
            f"`y_ndim` is required for a `J` of more than two axes, but got shape {J.shape} "
            "without it; pass the rank of y."
        )
    y_ndim = static_index("y_ndim", y_ndim)
    y_ndim = 1 if y_ndim is None else y_ndim
    if not 0 <= y_ndim <= J.ndim:
        raise ValueError(
            f"`y_ndim` must lie between 0 and the {J.ndim} axes of `J`, but got {y_ndim}."
        )
    return y_ndim


def arrange(tensor: Array, y_ndim: int, layout: Layout, vec: Vec | None = None) -> Array:
    """The derivative `tensor`, of shape y.shape + x.shape, in the shape `layout` gives it.

    With `vec` it is the matrix of vec y by vec x, (y.size, x.size) in numerator layout.
    """
    x_ndim = tensor.ndim - y_ndim
    if vec is not None:
        numerator, y_ndim = stack_groups(tensor, (y_ndim, x_ndim), vec), 1
    elif (y_ndim, x_ndim) in _MATRIX_AXES:
        numerator = _place(tensor, _MATRIX_AXES[y_ndim, x_ndim])
    else:
        numerator = tensor
    return to_layout(numerator, Layout.NUMERATOR, layout, y_ndim=y_ndim)


def _place(tensor: Array, axes: tuple[int | None, ...]) -> Array:
    kept = [axis for axis in axes if axis is not None]
    new = [position for position, axis in enumerate(axes) if axis is None]
    return jnp.expand_dims(jnp.transpose(tensor, kept), new)


def stack_groups(tensor: Array, ndims: tuple[int, ...], vec: Vec) -> Array:
    """`tensor` with each group of `ndims` consecutive axes made one axis.

    `vec="C"` stacks rows, so the last axis of a group runs fastest; `"F"` stacks columns, so the
    first one does.
    """
    ends = [sum(ndims[: i + 1]) for i in range(len(ndims))]
    groups = [list(range(end - ndim, end)) for end, ndim in zip(ends, ndims, strict=True)]
    sizes = [math.prod(tensor.shape[axis] for axis in group) for group in groups]
    ordered = [axis for group in groups for axis in (group if vec == "C" else group[::-1])]
    return jnp.transpose(tensor, ordered).reshape(sizes)
