"""`jacobian` and `hessian`: derivatives by autodiff, in the shapes a layout gives them."""

import functools
import itertools
from collections.abc import Callable, Collection
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._arrays import static_bool
from jaxcalc._layout.arguments import Argnums, OfFirst, check_function, real_arrays, split
from jaxcalc._layout.layout import Layout, LayoutLike, Vec, arrange, stack_groups
from jaxcalc._layout.modes import MODES, Mode

_Pair = tuple[Any, Any]  # (y, aux)
_Place = Callable[[Array, tuple[int, ...]], Array]


@overload
def jacobian(
    f: Callable[..., Array],
    argnums: Literal[0] = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: Literal[False] = False,
    vec: Vec | None = None,
) -> OfFirst[Array, Array]: ...
@overload
def jacobian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: bool = False,
    vec: Vec | None = None,
) -> Callable[..., Any]: ...
def jacobian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: bool = False,
    vec: Vec | None = None,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of `f`, as `jax.jacfwd` does, in the given layout.

    For y = f(x) the result is ∂y/∂x: a two-axis matrix when x and y are scalars or vectors, or one
    is a scalar and the other a matrix; otherwise the tensor y.shape + x.shape (numerator) or
    x.shape + y.shape (denominator). `jaxcalc._layout.layout` has the table and a 2×3 example.

    Arguments and outputs may be pytrees. The outer tree is then the output's and the inner one the
    argument's (a tuple of trees for a tuple `argnums`), in both layouts; the layout acts on each
    block. Batches are `jax.vmap` of the result. A block has the dtype of its output in every mode.

    Args:
        f: a function of arrays; keyword arguments are passed through.
        argnums: the position of the differentiated argument, or a tuple of positions.
        layout: `"numerator"` (rows follow y) or `"denominator"` (rows follow x).
        mode: `"forward"` pushes one tangent an entry of x, `"reverse"` pulls one cotangent an entry
            of y back; `"auto"` takes the one with fewer, or the other one where that does not
            apply: a `while_loop` has no reverse, a `custom_vjp` no forward. `f` runs once.
        has_aux: whether `f` returns a pair (y, aux); the result is then (Jacobian, aux).
        vec: `"C"` (row-stacking) or `"F"` (column-stacking) for the one-matrix form of each block,
            (y.size, x.size) in numerator layout and its transpose in denominator layout.

    Raises:
        TypeError: when a differentiated argument or an output is not real and floating.
        ValueError: for an unknown option, or `argnums` beyond the positional arguments. An explicit
            mode that does not apply raises JAX's own error.

    >>> import jax.numpy as jnp
    >>> A = jnp.arange(6.0).reshape(2, 3)
    >>> print(jacobian(lambda x: A @ x, layout="denominator")(jnp.ones(3)))
    [[0. 3.]
     [1. 4.]
     [2. 5.]]
    >>> jacobian(jnp.trace, layout="numerator")(A).shape
    (3, 2)
    """
    checked = Layout(layout)
    _check_option("vec", vec, (None, "C", "F"))

    def place(tensor: Array, x_ndims: tuple[int, ...]) -> Array:
        return arrange(tensor, tensor.ndim - sum(x_ndims), checked, vec)

    return _derivative(f, argnums, mode, has_aux, order=1, place=place)


@overload
def hessian(
    f: Callable[..., Array],
    argnums: Literal[0] = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: Literal[False] = False,
    vec: Vec | None = None,
) -> OfFirst[Array, Array]: ...
@overload
def hessian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: bool = False,
    vec: Vec | None = None,
) -> Callable[..., Any]: ...
def hessian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    layout: LayoutLike = "numerator",
    mode: Mode = "auto",
    has_aux: bool = False,
    vec: Vec | None = None,
) -> Callable[..., Any]:
    """A function that computes the second derivatives of `f`, as `jax.hessian` does.

    For scalar f the block of the arguments (or leaves) u and v is ∂²f/∂u∂v, of shape
    u.shape + v.shape in both layouts: x.shape + x.shape for one argument, a number when x is a
    scalar. For y = f(x) of any other rank it is y.shape + u.shape + v.shape in numerator layout and
    u.shape + v.shape + y.shape in denominator layout: only the axes of y move.

    Trees nest as in `jax.hessian`: the output's, then the first argument's, then the second's (a
    tuple of trees each for a tuple `argnums`). A block has the dtype of its output.

    Args:
        f: a function of arrays; keyword arguments are passed through.
        argnums: the position of the differentiated argument, or a tuple of positions.
        layout: `"numerator"` or `"denominator"`.
        mode: how to differentiate, both times; `"auto"` chooses for each, which for scalar f is
            forward over reverse.
        has_aux: whether `f` returns a pair (y, aux); the result is then (Hessian, aux).
        vec: `"C"` or `"F"` makes one axis of each of y (unless a scalar), u and v, by stacking rows
            or columns: for scalar f the matrix (u.size, v.size).

    Raises:
        TypeError: when a differentiated argument or an output is not real and floating.
        ValueError: for an unknown option, or `argnums` beyond the positional arguments. An explicit
            mode that does not apply raises JAX's own error.

    >>> import jax.numpy as jnp
    >>> print(hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 2.0])))
    [[4. 2.]
     [2. 0.]]
    """
    checked = Layout(layout)
    _check_option("vec", vec, (None, "C", "F"))

    def place(tensor: Array, x_ndims: tuple[int, ...]) -> Array:
        y_ndim = tensor.ndim - sum(x_ndims)
        if vec is not None:
            ndims = (y_ndim, *x_ndims) if y_ndim else x_ndims
            tensor, y_ndim = stack_groups(tensor, ndims, vec), min(y_ndim, 1)
        if checked is Layout.NUMERATOR:
            return tensor
        return jnp.moveaxis(tensor, range(y_ndim), range(-y_ndim, 0))

    return _derivative(f, argnums, mode, has_aux, order=2, place=place)


def _derivative(
    f: Callable[..., Any],
    argnums: Argnums,
    mode: Mode,
    has_aux: bool,
    *,
    order: int,
    place: _Place,
) -> Callable[..., Any]:
    check_function(f)
    _check_option("mode", mode, MODES)
    has_aux = static_bool("has_aux", has_aux)
    tensors = f if has_aux else _with_no_aux(f)
    for _ in range(order):
        tensors = _tensors(tensors, argnums, mode)

    @functools.wraps(f, updated=())
    def derivative(*args: Any, **kwargs: Any) -> Any:
        x, _ = split(args, argnums)
        jac, aux = tensors(*args, **kwargs)
        leaves, tree = jax.tree.flatten(jac)
        # The innermost trees are the arguments', so their ranks repeat along the leaves.
        ranks = itertools.cycle(
            itertools.product([leaf.ndim for leaf in jax.tree.leaves(x)], repeat=order)
        )
        placed = jax.tree.unflatten(tree, map(place, leaves, ranks))
        return (placed, aux) if has_aux else placed

    return derivative


def _tensors(f: Callable[..., _Pair], argnums: Argnums, mode: Mode) -> Callable[..., _Pair]:
    """The derivative of `f` as y's tree of x's trees of tensors y.shape + x.shape; and f's aux."""

    def tensors(*args: Any, **kwargs: Any) -> _Pair:
        x, restored = split(args, argnums)

        def f_of_x(x: Any) -> _Pair:
            y, aux = _checked_pair(f(*restored(x), **kwargs))
            return real_arrays("the output of `f`", "return it as auxiliary output", y), aux

        y, blocks, aux = MODES[mode](f_of_x, x)
        y_tree, x_tree = jax.tree.structure(y), jax.tree.structure(x)
        rows = [jax.tree.unflatten(x_tree, row) for row in blocks]
        return jax.tree.unflatten(y_tree, rows), aux

    return tensors


def _checked_pair(result: Any) -> _Pair:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "with `has_aux=True`, `f` must return a pair (y, aux), "
            f"but got {type(result).__name__}."
        )
    return result


def _check_option(name: str, value: Any, allowed: Collection[Any]) -> None:
    if not isinstance(value, str | None) or value not in tuple(allowed):
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, allowed))}, but got {value!r}."
        )


def _with_no_aux(f: Callable[..., Any]) -> Callable[..., _Pair]:
    return lambda *args, **kwargs: (f(*args, **kwargs), None)
