"""How `derive` poses a problem, draws a point, and compares the derivative there with autodiff.

What rounding may do to a derivative differs from point to point: near s = 0 a change of s by one
unit of rounding changes exp(−x²/2s²) by many. So `jax.jacfwd` is taken at points one unit away, in
the same precision: how far that is from the reference is the `noise` of the point, which a right
formula may be off by. A point with little noise is sought.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

import jaxcalc as jc
from jaxcalc import Layout
from jaxcalc._commands.comparison import TOLERANCE, arranged
from jaxcalc._commands.expression import LARGEST_SIZE, WrittenFunction
from jaxcalc._commands.guess import guessed
from jaxcalc._commands.reader import near
from jaxcalc._commands.sizes import Shape

Range = tuple[float, float]
RANGES: tuple[Range, ...] = ((-1.0, 1.0), (0.1, 0.9))  # the second suits logarithms and roots
DRAWS = 6  # in each range, until there is a point
CALM = 64  # eps of the largest entry: the noise of a point that is taken at once
DECISIVE = 2**12  # eps: with more noise a wrong derivative might pass
NEIGHBOURS = 8


@dataclass(frozen=True)
class Task:
    """The expression to differentiate, by the argument at `position`, and the arrays' shapes."""

    expression: WrittenFunction
    position: int
    shapes: tuple[Shape, ...]
    layout: Layout
    guessed: tuple[str, ...] = ()  # the names whose shapes were not given
    doubts: tuple[str, ...] = ()  # what may surprise in the reading

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
    scale: float  # its largest entry; where all are rounding, what they would be without
    noise: float  # what rounding does to it, in eps of the scale

    @property
    def decides(self) -> bool:
        """Whether a wrong derivative would show."""
        return self.noise <= DECISIVE


@dataclass(frozen=True)
class ErrorsInEps:
    """The largest errors, in eps of the point's scale."""

    derivative: float
    code: float | None  # of the printed source text, where there is one
    jacfwd: float  # of `jax.jacfwd` in the same dtype
    noise: float  # of the point

    @property
    def passed(self) -> bool:
        """Whether the errors are as small as rounding explains (NaN is not)."""
        allowed = TOLERANCE * max(1.0, self.jacfwd, self.noise)
        return all(e <= allowed for e in (self.derivative, self.code or 0.0))


def posed(
    expression: WrittenFunction, wrt: str, shapes: Sequence[tuple[str, Shape]], layout: Layout
) -> Task:
    """The problem, once names and shapes fit together.

    Raises:
        ValueError: for a name without a shape or the reverse, a `wrt` that the expression lacks,
            shapes that do not fit or are too large, each in words about the expression.
    """
    given = dict(shapes)
    _check_names(expression.names, [name for name, _ in shapes])
    if wrt not in expression.names:
        raise ValueError(_no_such_name(wrt, expression.names))
    position = expression.names.index(wrt)
    guess = guessed(expression, given)
    bounded = replace(expression, largest=LARGEST_SIZE // math.prod(guess.shapes[wrt]))
    ordered = tuple(guess.shapes[name] for name in expression.names)
    jax.eval_shape(bounded, *(jax.ShapeDtypeStruct(shape, np.float32) for shape in ordered))
    rest = tuple(name for name in expression.names if name not in given)
    return Task(bounded, position, ordered, layout, rest, guess.doubts)


def _no_such_name(wrt: str, names: Sequence[str]) -> str:
    joined = next((name for name in names if wrt in name and len(name) <= 3), None)
    hint = f"; for a product of {wrt} and another array write them apart" if joined else ""
    has = ", ".join(names) or "none"
    return f"`--wrt {wrt}` must be a name in the expression; it has {has}{hint}."


def _check_names(names: Sequence[str], given: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            hint = near(name, [other for other in names if other not in given]) or "."
            raise ValueError(f"`--shape {name}` is not in the expression{hint}")
        if given.count(name) > 1:
            raise ValueError(f"`--shape {name}` is given more than once.")


def random_point(problem: Task, dtype: np.dtype[Any], seed: int) -> Point:
    """The first random point with little noise, over `RANGES`, or of the others the best.

    Raises:
        ValueError: where the value and the derivative are finite at none.
    """
    found: list[Point] = []
    for low_and_high in RANGES:
        rng = np.random.default_rng(seed)
        for _ in range(DRAWS):
            point = _drawn(problem, low_and_high, dtype, rng)
            if point is None:
                break  # the other range may suit
            found.append(point)
            if point.noise <= CALM:
                return point
    if not found:
        raise ValueError(
            f"the derivative of `{problem.expression.text}` is not finite at random points; "
            "does it overflow, or divide by zero?"
        )
    return min(found, key=lambda point: point.noise)


def _drawn(
    problem: Task, between: Range, dtype: np.dtype[Any], rng: np.random.Generator
) -> Point | None:
    """A random point, if the value and the derivative are finite there."""
    arrays = tuple(np.asarray(rng.uniform(*between, s)).astype(dtype) for s in problem.shapes)
    with jax.enable_x64(True):
        values, tensors = _around(problem, [x.astype(np.float64) for x in arrays])
    if not (np.isfinite(values).all() and np.isfinite(tensors).all()):
        return None
    tensor, eps = tensors[0], float(np.finfo(dtype).eps)
    noise = _largest(_around(problem, arrays)[1] - tensor)
    vanishes = _largest(tensor) <= TOLERANCE * _largest(tensors - tensor)
    scale = noise / eps if vanishes else _largest(tensor)
    reference = arranged(tensor, values.ndim - 1, problem.layout)
    return Point(between, arrays, reference, scale, noise / eps / scale if scale else 0.0)


def _around(problem: Task, arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The value and `jax.jacfwd` at a point and its neighbours, in the arrays' precision."""
    rng = np.random.default_rng(0)
    beside = [arrays, *([_moved(x, rng) for x in arrays] for _ in range(NEIGHBOURS))]
    values, tensors = _both(problem)(*map(np.stack, zip(*beside, strict=True)))
    return np.asarray(values, np.float64), np.asarray(tensors, np.float64)


@lru_cache(maxsize=2)
def _both(problem: Task) -> Callable[..., tuple[Array, Array]]:
    """The value and its `jax.jacfwd`, of many points at once."""
    return jax.jit(jax.vmap(lambda *xs: (problem.expression(*xs), _jacfwd(problem)(*xs))))


def _moved(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Each number, the one before or the one after."""
    steps = rng.integers(-1, 2, x.shape)
    return np.where(steps == 0, x, np.nextafter(x, x + steps.astype(x.dtype)))


def _largest(x: NDArray[Any]) -> float:
    return float(np.max(np.abs(x)))


def _jacfwd(problem: Task) -> Callable[..., Array]:
    return jax.jacfwd(problem.expression, argnums=problem.position)


def derived(problem: Task, point: Point) -> Any:
    """The structured derivative at the point."""
    f = jc.derive(problem.expression, problem.position, layout=problem.layout)
    return f(*map(jax.numpy.asarray, point.arrays))


def errors(problem: Task, point: Point, J: Any, code: str | None) -> ErrorsInEps:
    """The derivative, its source text and `jax.jacfwd` beside the reference."""
    value_ndim = jax.eval_shape(problem.expression, *point.arrays).ndim
    tensor = jax.jit(_jacfwd(problem))(*point.arrays)
    jacfwd = arranged(np.asarray(tensor), value_ndim, problem.layout)
    named = dict(zip(problem.expression.names, point.arrays, strict=True))
    return ErrorsInEps(
        derivative=_error(J.todense(), point),
        code=None if code is None else _error(evaluated(code, named), point),
        jacfwd=_error(jacfwd, point),
        noise=point.noise,
    )


def evaluated(code: str, arrays: Mapping[str, Any]) -> Array:
    """What the function `derivative`, of which `code` is the source text, returns."""
    names: dict[str, Any] = {}
    exec(code, names)
    parameters = inspect.signature(names["derivative"]).parameters
    value: Array = names["derivative"](*(jax.numpy.asarray(arrays[name]) for name in parameters))
    return value


def _error(got: Any, point: Point) -> float:
    """In eps of the scale; infinite for another shape or dtype, but integers are exact."""
    dtype = np.result_type(*point.arrays)
    exact = np.issubdtype(got.dtype, np.integer)
    if got.shape != point.reference.shape or not (exact or got.dtype == dtype):
        return math.inf
    difference = _largest(np.asarray(got, np.float64) - point.reference)
    unit = float(np.finfo(dtype).eps) * point.scale
    return difference / unit if unit else math.inf if difference else 0.0
