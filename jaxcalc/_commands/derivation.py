"""How `derive` poses a problem, draws a point, and compares the derivative there with autodiff."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

import jaxcalc as jc
from jaxcalc import Layout
from jaxcalc._commands.comparison import TOLERANCE, arranged, largest_error
from jaxcalc._commands.expression import LARGEST_SIZE, Expression
from jaxcalc._commands.reader import near

Shape = tuple[int, ...]
Range = tuple[float, float]
RANGES: tuple[Range, ...] = ((-1.0, 1.0), (0.1, 0.9))  # the second suits logarithms and roots


@dataclass(frozen=True)
class Problem:
    """The expression to differentiate, by the argument at `position`, and the arrays' shapes."""

    expression: Expression
    position: int
    shapes: tuple[Shape, ...]
    layout: Layout

    @property
    def wrt(self) -> str:
        """The name of the differentiated argument."""
        return self.expression.names[self.position]


@dataclass(frozen=True)
class Point:
    """Random arrays, and the derivative that `jax.jacfwd` in float64 has there."""

    drawn: Range
    arrays: tuple[NDArray[Any], ...]
    reference: NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """The largest errors, in eps of the largest entry of the reference."""

    derivative: float
    code: float | None  # of the printed source text, where there is one
    jacfwd: float  # of `jax.jacfwd` in the same dtype

    @property
    def passed(self) -> bool:
        """Whether the errors are as small as rounding explains (NaN is not)."""
        allowed = TOLERANCE * max(1.0, self.jacfwd)
        return all(e <= allowed for e in (self.derivative, self.code or 0.0))


def posed(
    expression: Expression, wrt: str, shapes: Sequence[tuple[str, Shape]], layout: Layout
) -> Problem:
    """The problem, once names and shapes fit together.

    Raises:
        ValueError: for a name without a shape or the reverse, a `wrt` that the expression lacks,
            shapes that do not fit or are too large, each in words about the expression.
    """
    by_name = dict(shapes)
    _check_names(expression.names, [name for name, _ in shapes])
    if wrt not in expression.names:
        names = ", ".join(expression.names) or "none"
        raise ValueError(f"`--wrt {wrt}` must be a name in the expression; it has {names}.")
    position = expression.names.index(wrt)
    bounded = replace(expression, largest=LARGEST_SIZE // math.prod(by_name[wrt]))
    ordered = tuple(by_name[name] for name in expression.names)
    jax.eval_shape(bounded, *(jax.ShapeDtypeStruct(shape, np.float32) for shape in ordered))
    return Problem(bounded, position, ordered, layout)


def _check_names(names: Sequence[str], given: Sequence[str]) -> None:
    for name in names:
        if name not in given:
            spare = [other for other in given if other not in names]
            hint = near(name, spare) or "."
            raise ValueError(f"`{name}` has no shape; add `--shape {name}=SIZES`{hint}")
    for name in given:
        if name not in names:
            hint = near(name, names) or "."
            raise ValueError(f"`--shape {name}` is not in the expression{hint}")
        if given.count(name) > 1:
            raise ValueError(f"`--shape {name}` is given more than once.")


def random_point(problem: Problem, dtype: np.dtype[Any], seed: int) -> Point:
    """The first random point, over `RANGES`, where the value and the derivative are finite.

    Raises:
        ValueError: where none of them is.
    """
    for low, high in RANGES:
        rng = np.random.default_rng(seed)
        arrays = tuple(rng.uniform(low, high, s).astype(dtype) for s in problem.shapes)
        value, tensor = _reference(problem, arrays)
        if np.isfinite(value).all() and np.isfinite(tensor).all():
            reference = arranged(tensor, value.ndim, problem.layout)
            return Point((low, high), arrays, reference)
    raise ValueError(
        f"the derivative of `{problem.expression.text}` is not finite at random points; "
        "does it overflow, or divide by zero?"
    )


def _reference(problem: Problem, arrays: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The value and `jax.jacfwd` of it, in double precision."""
    with jax.enable_x64(True):
        double = [np.asarray(x, np.float64) for x in arrays]
        both = jax.jit(lambda *xs: (problem.expression(*xs), _jacfwd(problem)(*xs)))(*double)
    return np.asarray(both[0]), np.asarray(both[1])


def _jacfwd(problem: Problem) -> Callable[..., Array]:
    return jax.jacfwd(problem.expression, argnums=problem.position)


def derived(problem: Problem, point: Point) -> Any:
    """The structured derivative at the point."""
    f = jc.derive(problem.expression, problem.position, layout=problem.layout)
    return f(*map(jax.numpy.asarray, point.arrays))


def errors(problem: Problem, point: Point, J: Any, code: str | None) -> Errors:
    """The derivative, its source text and `jax.jacfwd` beside the reference."""
    value_ndim = jax.eval_shape(problem.expression, *point.arrays).ndim
    tensor = jax.jit(_jacfwd(problem))(*point.arrays)
    jacfwd = arranged(np.asarray(tensor), value_ndim, problem.layout)
    named = dict(zip(problem.expression.names, point.arrays, strict=True))
    return Errors(
        derivative=_error(J.todense(), point),
        code=None if code is None else _error(evaluated(code, named), point),
        jacfwd=_error(jacfwd, point),
    )


def evaluated(code: str, arrays: Mapping[str, Any]) -> Array:
    """What the function `derivative`, of which `code` is the source text, returns."""
    names: dict[str, Any] = {}
    exec(code, names)
    parameters = inspect.signature(names["derivative"]).parameters
    value: Array = names["derivative"](*(jax.numpy.asarray(arrays[name]) for name in parameters))
    return value


def _error(got: Any, point: Point) -> float:
    dtype = np.result_type(*point.arrays)
    if np.any(point.reference):
        return largest_error(got, dtype, point.reference)
    same = got.shape == point.reference.shape and got.dtype == dtype and not np.any(got)
    return 0.0 if same else math.inf
