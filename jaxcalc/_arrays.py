"""What enters: dtypes, axes, masks and options, checked once at the boundary.

Every error names the argument, what it must be, what came, and the remedy.
"""

import functools
import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, TypeGuard, TypeVar, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

Accuracy = Literal["high", "fast"]
Implementation = Literal["xla", "native", "pallas"]
Axis = int | Sequence[int] | None
StaticAxis = int | tuple[int, ...] | None
AxisName = str | tuple[str, ...] | None  # of a mesh

_ARRAYS_AND_SCALARS = (jax.Array, np.ndarray, np.generic, bool, int, float, complex)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def jit_checked(f: Callable[_P, _R]) -> Callable[_P, _R]:
    """`jax.jit` with static keywords, and a check of what JAX would refuse in its own words.

    The checks run while tracing, and again where JAX refuses: a call that is fine costs nothing.
    For each choice of the keywords there is a program without any, which is dispatched faster.
    """
    names = tuple(inspect.signature(f).parameters)
    programs: dict[tuple[tuple[str, object], ...], Callable[..., _R]] = {}

    def check(arrays: tuple[object, ...], options: dict[str, Any]) -> None:
        for name, x in zip(names, arrays, strict=False):
            if x is not None:
                _check_kind(name, x)
        _check_accuracy(options.get("accuracy", "high"))

    def made(options: dict[str, Any]) -> Callable[..., _R]:
        def checked(*arrays: Any) -> _R:
            check(arrays, options)
            return cast(Callable[..., _R], f)(*arrays, **options)

        return jax.jit(functools.wraps(f)(checked))

    @functools.wraps(f)
    def call(*arrays: _P.args, **options: _P.kwargs) -> _R:
        try:
            key = tuple(options.items())
            program = programs.get(key)
            if program is None:
                program = programs[key] = made(options)
            return program(*arrays)
        except (TypeError, ValueError) as error:
            refused = error
        check(arrays, options)
        raise refused

    return call


def _check_kind(name: str, x: object) -> None:
    if not isinstance(x, _ARRAYS_AND_SCALARS) and not hasattr(x, "__jax_array__"):
        raise TypeError(
            f"`{name}` must be an array or a scalar, but got {type(x).__name__}; "
            "wrap it in `jnp.asarray` first."
        )
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "OSUMm":
        raise TypeError(f"`{name}` must hold numbers, but got dtype {x.dtype}; convert it first.")


def check_static(name: str, option: object, example: str) -> None:
    """Refuse an option that is traced, in words without a tracer in them."""
    if isinstance(option, jax.core.Tracer):
        raise TypeError(f"`{name}` must be static, but it is traced; pass {example}.")


def static_number(
    name: str,
    value: object,
    *,
    least: float,
    most: float = math.inf,
) -> float:
    """A finite number that is known while tracing: least ≤ value ≤ most."""
    check_static(name, value, "a Python number")
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"`{name}` must be a Python number, but got {type(value).__name__}.")
    try:
        number = float(value)
    except OverflowError:  # of an integer
        number = math.inf if value > 0 else -math.inf
    if not (least <= number <= most and math.isfinite(number)):
        finite = most < math.inf
        wanted = f"lie in [{least}, {most}]" if finite else f"be finite and at least {least}"
        raise ValueError(f"`{name}` must {wanted}, but got {number}.")
    return number


def static_bool(name: str, value: object) -> bool:
    """True or False, known while tracing."""
    check_static(name, value, "True or False")
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"`{name}` must be True or False, but got {value!r}.")
    return bool(value)


def static_index(name: str, value: object) -> int | None:
    """An integer that is known while tracing, or None."""
    check_static(name, value, "a Python integer")
    if value is None or is_index(value):
        return None if value is None else operator.index(value)
    raise TypeError(f"`{name}` must be an integer or None, but got {value!r}.")


def float_dtype(dtype: Any) -> np.dtype | None:
    """A real floating dtype that JAX has under the current `jax_enable_x64`, or None."""
    if dtype is None:
        return None
    try:
        known = None if isinstance(dtype, Array | np.generic) else jnp.dtype(dtype)
    except TypeError:
        known = None
    if known is None or not jnp.issubdtype(known, jnp.floating):
        raise TypeError(f"`dtype` must be a real floating dtype or None, but got {dtype!r}.")
    if jax.dtypes.canonicalize_dtype(known) != known:
        raise ValueError(
            f"`dtype` must have at most 32 bits where `jax_enable_x64` is off, but got {known}; "
            "set it by `jax.config.update('jax_enable_x64', True)` or pass float32."
        )
    return known


def _check_accuracy(accuracy: object) -> None:
    check_static("accuracy", accuracy, "'high' or 'fast'")
    if not isinstance(accuracy, str) or accuracy not in get_args(Accuracy):
        raise ValueError(f"`accuracy` must be 'high' or 'fast', but got {accuracy!r}.")


def chosen_implementation(implementation: object) -> Implementation | None:
    """`implementation`, if it is one; None leaves the choice to the platform."""
    if implementation is None:
        return None
    check_static("implementation", implementation, "'xla', 'native', 'pallas' or None")
    for one in get_args(Implementation):
        if isinstance(implementation, str) and implementation == one:
            return one
    raise ValueError(
        f"`implementation` must be 'xla', 'native', 'pallas' or None, but got {implementation!r}."
    )


def array(name: str, x: ArrayLike) -> Array:
    """`x` as an array of real numbers or booleans."""
    converted = numbers(name, x)
    if is_complex(converted):
        raise TypeError(
            f"`{name}` must be real, but got dtype {converted.dtype}; pass a real array."
        )
    return converted


def numbers(name: str, x: ArrayLike) -> Array:
    """`x` as an array of numbers or booleans."""
    _check_kind(name, x)
    converted = jnp.asarray(x)
    if not jnp.issubdtype(converted.dtype, jnp.number) and converted.dtype != bool:
        raise TypeError(f"`{name}` must hold numbers, but got dtype {converted.dtype}.")
    return converted


def floating(name: str, x: ArrayLike) -> Array:
    """`x` as a floating array; integers and booleans promote as integers do in `jax.numpy`."""
    return _promoted(array(name, x))


def inexact(name: str, x: ArrayLike) -> Array:
    """The same, where complex numbers are as welcome."""
    return _promoted(numbers(name, x))


def _promoted(x: Array) -> Array:
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    integers = x.astype(jnp.int32) if x.dtype == bool else x
    return integers / 1


def is_complex(x: Array) -> bool:
    """Whether `x` has a complex dtype."""
    return jnp.issubdtype(x.dtype, jnp.complexfloating)


def mask(where: ArrayLike | None) -> Array | None:
    """`where` as a boolean array, or None."""
    if where is None:
        return None
    chosen = array("where", where)
    if chosen.dtype != bool:
        raise TypeError(
            f"`where` must be a boolean array, but got dtype {chosen.dtype}; "
            "compare it (`where != 0`) first."
        )
    return chosen


def broadcast_shape(name: str, other: Array, x: Array, x_name: str = "x") -> tuple[int, ...]:
    """The common shape of `x` and the argument `name`, or an error that shows both."""
    try:
        return jnp.broadcast_shapes(x.shape, other.shape)
    except ValueError:
        raise ValueError(
            f"`{name}` must broadcast against `{x_name}`, but got shapes "
            f"{other.shape} and {x.shape}."
        ) from None


def mesh_names(axis_name: object) -> tuple[str, ...]:
    """`axis_name`, a name or several, as a tuple; none for None."""
    names = axis_name if isinstance(axis_name, tuple | list) else (axis_name,)
    if axis_name is None:
        return ()
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "`axis_name` must be the name of a mesh axis, a tuple of names or None, "
            f"but got {axis_name!r}."
        )
    return tuple(names)


def hashable_axis(axis: Axis) -> StaticAxis:
    """`axis` in a form that can be static under `jit`."""
    if type(axis) is int or axis is None or is_index(axis):
        return axis
    for a in axis if isinstance(axis, tuple | list) else (axis,):
        check_static("axis", a, "Python integers")
    if not isinstance(axis, tuple | list) or not all(map(is_index, axis)):
        raise TypeError(f"`axis` must be an int, a tuple of ints or None, but got {axis!r}.")
    return tuple(axis)


def negative_axes(axis: StaticAxis, ndim: int, name: str = "x") -> tuple[int, ...]:
    """`axis` of the argument `name` as a sorted tuple counted from the end.

    So it stays right under leading batch axes.
    """
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = [operator.index(a) for a in (axis if isinstance(axis, tuple) else (axis,))]
    if not ndim and axes:
        raise ValueError(
            f"`{name}` must have an axis, since `axis` is {axis}, but got a scalar; pass an array "
            "of rank 1 or more, or axis=None."
        )
    if any(not -ndim <= a < ndim for a in axes):
        raise ValueError(
            f"`axis` must lie in [{-ndim}, {ndim}) for an array of rank {ndim}, but got {axis}: "
            "out of bounds."
        )
    negative = tuple(sorted(a - ndim if a >= 0 else a for a in axes))
    if len(set(negative)) != len(negative):
        raise ValueError(f"`axis` must not repeat an axis, but got the duplicate value {axis}.")
    return negative


def is_index(a: object) -> TypeGuard[int]:
    """Whether it is an integer, but no boolean and no array."""
    return hasattr(a, "__index__") and not isinstance(a, bool | np.ndarray | Array)


def wide(x: Array) -> Array:
    """`x` in the dtype to compute in: floats narrower than 32 bits become float32."""
    return x.astype(jnp.float32) if is_narrow(x) else x


def in_dtype(x: Array | np.ndarray, dtype: np.dtype) -> Array:
    """x as an array of JAX's, of just that dtype; x itself, which costs nothing, where it is."""
    if isinstance(x, Array) and x.dtype == dtype and not x.weak_type:
        return x
    return jnp.asarray(x, dtype)


def is_narrow(x: Array) -> bool:
    """Whether `x` has fewer than 32 bits, as float16 and bfloat16 have."""
    return jnp.issubdtype(x.dtype, jnp.floating) and jnp.finfo(x.dtype).bits < 32


def working(x: Array, accuracy: Accuracy) -> Array:
    """`x` in the dtype to form products in: "fast" leaves float16, which CPUs widen slowly."""
    return x if accuracy == "fast" and x.dtype == jnp.float16 else wide(x)


def narrowed(x: Array, dtype: np.dtype) -> Array:
    """`x` rounded to `dtype`; untouched, weak type included, where it has it already."""
    return x if x.dtype == dtype else x.astype(dtype)


def holding(*given: Any) -> np.dtype:
    """The dtype that JAX promotes arrays and dtypes to, where it is told to promote none too."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*given)


def weighed(weight: Array, x: Array) -> Array:
    """weight · x, where no weight leaves nothing of an infinity."""
    return jnp.where(weight == 0, 0, weight * x)
