"""Arrays of every size with NaN and infinities in them, and functions that must pass NaN on.

XLA compiles other programs from some sizes on, and a fused maximum of those loses NaN. A function
joins by a line, a size by a shape.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcalc as jc
from jaxcalc._functions.activations import ELEMENTWISE

INF, NAN = np.inf, np.nan
DTYPES = ["float32", "bfloat16", "float64", "float16"]
AXES: list[Any] = [-1, 0, 1, (0, 2), None]
FAST = {"accuracy": "fast"}

# Rows of the last axis, of the middle one, and so on, from 2 to 10⁶ entries.
SHAPES = [
    (1, 1, 2),
    (1, 3, 1),
    (1, 4, 4),
    (4, 4, 4),
    (1, 1, 1000),
    (3, 15, 91),  # 4,095
    (1, 64, 64),  # 4,096
    (1, 1, 4096),
    (512, 4, 2),
    (1, 4096, 3),
    (17, 1, 241),  # 4,097
    (1, 256, 256),
    (64, 64, 64),
    (16384, 2, 2),
    (1, 512, 1000),
    (100, 100, 100),
    (1, 1, 1_000_000),
    (1, 250_000, 4),
]


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A function of (x, axis, where): by rows or by entries, with a result for each or for a row.

    Attributes:
        name: what it is called.
        f: the function; its result has the rank of x.
        at_infinity: its value and its derivative where x is +∞, in the row or in the entry.
        by_entry: whether each entry of the result depends on one of x only.
        reduced: whether a row has one result.
        one_axis: whether it takes no more than one axis.
    """

    name: str
    f: Callable[[Array, Any, Any], Array]
    at_infinity: tuple[float, float] = (NAN, NAN)
    by_entry: bool = False
    reduced: bool = False
    one_axis: bool = False

    def __str__(self) -> str:
        return self.name


def first_class(x: Array, axis: int) -> Array:
    """The class index 0 for each row."""
    return jnp.zeros(np.delete(x.shape, axis), jnp.int32)


def distribution(x: Array) -> Array:
    return jnp.full(x.shape, 0.25, x.dtype)


def indexed(x: Array, axis: int, where: Any, **options: Any) -> Array:
    loss = jc.softmax_cross_entropy(x, first_class(x, axis), axis, where, **options)
    return jnp.expand_dims(loss, axis)


def distributed(x: Array, axis: Any, where: Any, **options: Any) -> Array:
    y = distribution(x) if where is None else jnp.where(where, distribution(x), 0)
    loss = jc.softmax_cross_entropy(x, y, axis, where, **options)
    return loss.reshape(jnp.sum(x, axis, keepdims=True).shape)


def log_sum(x: Array, axis: Any, where: Any, **options: Any) -> Array:
    return jc.logsumexp(x, axis, keepdims=True, where=where, **options)


def weighted(x: Array, axis: Any, where: Any, **options: Any) -> Array:
    return log_sum(x, axis, where, b=jnp.full(x.shape, 0.5, x.dtype), **options)


def by_entry(f: Callable) -> Callable:
    return lambda x, axis, where: f(x)


def binary(x: Array, **options: Any) -> Array:
    return jc.sigmoid_binary_cross_entropy(x, distribution(x), **options)


def focal(x: Array) -> Array:
    return jc.sigmoid_focal_loss(x, distribution(x))


def entropy(x: Array, axis: Any, where: Any) -> Array:
    return jc.entropy(x, axis, where).reshape(jnp.sum(x, axis, keepdims=True).shape)


def softmax(x: Array, axis: Any, where: Any, **options: Any) -> Array:
    return jc.softmax(x, axis, where, **options)


def log_softmax(x: Array, axis: Any, where: Any, **options: Any) -> Array:
    return jc.log_softmax(x, axis, where, **options)


ENTRY = {"by_entry": True}
ROW = {"reduced": True}
INDEXED = {"reduced": True, "one_axis": True}
SMOOTHED = {"label_smoothing": 0.125, "z_loss": 0.0625}
AT_INFINITY = {"softsign": (1, 0)}  # all others grow like x
POISONED = [
    Poisoned("softmax", softmax),
    Poisoned("log_softmax", log_softmax),
    Poisoned("logsumexp", log_sum, (INF, NAN), **ROW),
    Poisoned("logsumexp, weighted", weighted, (INF, NAN), **ROW),
    Poisoned("softmax_cross_entropy, indices", indexed, **INDEXED),
    Poisoned("softmax_cross_entropy, distributions", distributed, **ROW),
    Poisoned("softmax_cross_entropy, smoothed", partial(indexed, **SMOOTHED), **INDEXED),
    Poisoned("entropy", entropy, **ROW),
    Poisoned("softmax, fast", partial(softmax, **FAST)),
    Poisoned("log_softmax, fast", partial(log_softmax, **FAST)),
    Poisoned("logsumexp, fast", partial(log_sum, **FAST), (INF, NAN), **ROW),
    Poisoned("softmax_cross_entropy, indices, fast", partial(indexed, **FAST), **INDEXED),
    Poisoned("softmax_cross_entropy, distributions, fast", partial(distributed, **FAST), **ROW),
    Poisoned("sparsemax", lambda x, axis, where: jc.sparsemax(x, axis, where)),
    *(
        Poisoned(f.name, by_entry(f), AT_INFINITY.get(f.name, (INF, 1)), **ENTRY)
        for f in ELEMENTWISE
    ),
    Poisoned("sigmoid", by_entry(jc.sigmoid), (1, 0), **ENTRY),
    Poisoned("log_sigmoid", by_entry(jc.log_sigmoid), (0, 0), **ENTRY),
    Poisoned("softplus", by_entry(jc.softplus), (INF, 1), **ENTRY),
    Poisoned("sigmoid, fast", by_entry(partial(jc.sigmoid, **FAST)), (1, 0), **ENTRY),
    Poisoned("softplus, fast", by_entry(partial(jc.softplus, **FAST)), (INF, 1), **ENTRY),
    Poisoned("sigmoid_binary_cross_entropy", by_entry(binary), (INF, 0.75), **ENTRY),
    Poisoned("sigmoid_focal_loss", by_entry(focal), (INF, 0.75**3), **ENTRY),
]


@dataclass(frozen=True)
class Case:
    """A function, and the array it is applied to."""

    function: Poisoned
    shape: tuple[int, ...]
    axis: Any
    dtype: str
    masked: bool

    def __str__(self) -> str:
        mask = "-masked" if self.masked else ""
        return f"{self.function}-{self.shape}-{self.axis}-{self.dtype}{mask}"

    @property
    def axes(self) -> tuple[int, ...]:
        axis = range(3) if self.axis is None else self.axis
        return tuple(np.atleast_1d(np.array(axis)) % 3)


def cases() -> list[Case]:
    """Every function × shape × axis; dtypes and masks in turn."""
    found = []
    for (i, f), (j, shape), (k, axis) in itertools.product(
        *map(enumerate, (POISONED, SHAPES, AXES))
    ):
        if (f.by_entry and axis != -1) or (f.one_axis and not isinstance(axis, int)):
            continue
        dtype = DTYPES[(i + j + k) % len(DTYPES)]
        found.append(Case(f, shape, axis, dtype, not f.by_entry and (i + j // 2 + k) % 3 == 0))
    return found


# Where XLA begins to compile otherwise: 4,096 entries, 4,096 rows, rows across.
THRESHOLDS = [((1, 64, 64), -1), ((1, 4096, 3), -1), ((64, 64, 64), 0)]


def usual_cases() -> list[Case]:
    """Single precision at each threshold, and some of the others."""
    usual = [
        Case(f, shape, axis, "float32", masked=False)
        for f in POISONED
        for shape, axis in THRESHOLDS
        if not f.by_entry or axis == -1
    ]
    rest = [case for case in cases() if case not in usual]
    return usual + rest[:: len(rest) // 24]
