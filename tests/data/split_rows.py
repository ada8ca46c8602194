"""Functions of rows that are split over devices, and the same on one device in float64.

Two meshes of eight devices serve all: classes over four of them, and rows over the other two; or
classes over both axes, a tuple of names. One row has a class with nearly all of the probability,
which lies on another device than the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from functions import eighths, quick_jit
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.typing import DTypeLike

import jaxcalc as jc
from jaxcalc._arrays import Accuracy

ROWS, CLASSES = 6, 24
Name = str | tuple[str, ...]
CLASS_AXIS, BOTH = "model", ("data", "model")


@dataclass(frozen=True, eq=False)
class Rowwise:
    """A function of x and of what stands beside it, and where its rows lie."""

    name: str
    f: Callable[..., jax.Array]  # takes `axis`, `axis_name`, `accuracy` too
    x: np.ndarray
    beside: tuple[np.ndarray, ...] = ()
    gives_classes: bool = False
    axis: int = -1
    condition: float = 1.0  # how much larger relative changes of the result are than of its terms

    def __str__(self) -> str:
        return self.name


@cache
def mesh_of(axis_type: AxisType) -> Mesh:
    devices = jax.devices("cpu")[:8]
    return jax.make_mesh((2, 4), BOTH, axis_types=(axis_type,) * 2, devices=devices)


def saturated(rows: int, classes: int, seed: int = 0) -> np.ndarray:
    x = eighths(rows, classes, seed=seed)
    x[0, classes // 3] += 20
    return x


X = saturated(ROWS, CLASSES)
LABELS = np.array([8, 0, 23, 5, 6, 17], np.int32)  # the first is the saturated class
MASK = np.random.default_rng(2).random(X.shape) > 0.3
MASK[np.arange(ROWS), LABELS] = True
DISTRIBUTIONS = np.exp2(eighths(ROWS, CLASSES, seed=3).round()) / 32
DISTRIBUTIONS[:, ::5] = 0
WEIGHTS = eighths(ROWS, CLASSES, seed=4)
POSITIVE = np.abs(WEIGHTS)


def finite(f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Of x and a mask; what is masked is −inf: 0 here, where numbers are compared."""
    return lambda x, where, **options: jnp.where(where, f(x, where=where, **options), 0)


def cancellation(a: np.ndarray, b: np.ndarray) -> float:
    """Σ |b| exp(a) over |Σ b exp(a)|, of the worst row."""
    terms = b * np.exp(a)
    return float(np.max(np.abs(terms).sum(-1) / np.abs(terms.sum(-1))))


def _weighted(a, b, **options):
    return jc.logsumexp(a, b=b, return_sign=True, **options)[0]


def _of_weights(b, a, **options):
    return jc.logsumexp(a, b=b, **options)


def _masked_loss(x, y, where, **options):
    return jc.softmax_cross_entropy(x, y, where=where, **options)


def _of_labels(y, x, **options):
    return jc.softmax_cross_entropy(x, y, **options)


def _divergence(q, p, accuracy="high", **options):
    return jc.kl_divergence(q, p, **options)


def _of_target(p, q, accuracy="high", **options):
    return jc.kl_divergence(q, p, **options)


OPTIONS = {"label_smoothing": 0.125, "z_loss": 0.25, "soft_cap": 8.0, "ignore_index": 5}
FUNCTIONS = [
    Rowwise("softmax", jc.softmax, X, gives_classes=True),
    Rowwise("softmax, masked", finite(jc.softmax), X, (MASK,), True),
    Rowwise("softmax, first axis", jc.softmax, X.T, gives_classes=True, axis=0),
    Rowwise("log_softmax", jc.log_softmax, X, gives_classes=True),
    Rowwise("log_softmax, masked", finite(jc.log_softmax), X, (MASK,), True),
    Rowwise("logsumexp", jc.logsumexp, X),
    Rowwise("logsumexp, first axis", jc.logsumexp, X.T, axis=0),
    Rowwise("logsumexp, masked", lambda x, m, **o: jc.logsumexp(x, where=m, **o), X, (MASK,)),
    Rowwise("logsumexp, weighted", _weighted, X, (WEIGHTS,), condition=cancellation(X, WEIGHTS)),
    Rowwise("logsumexp of the weights", _of_weights, POSITIVE, (X,)),
    Rowwise("cross-entropy, indices", jc.softmax_cross_entropy, X, (LABELS,)),
    Rowwise("cross-entropy, distributions", jc.softmax_cross_entropy, X, (DISTRIBUTIONS,)),
    Rowwise("cross-entropy, first axis", jc.softmax_cross_entropy, X.T, (LABELS,), axis=0),
    Rowwise("cross-entropy, masked", _masked_loss, X, (LABELS, MASK)),
    Rowwise("cross-entropy, options", partial(jc.softmax_cross_entropy, **OPTIONS), X, (LABELS,)),
    Rowwise("entropy", jc.entropy, X, condition=8.0),  # along t a row's terms cancel to 1/40
    Rowwise("divergence", _divergence, X, (np.log(POSITIVE + 0.5),)),
    Rowwise("divergence of the target", _of_target, np.log(POSITIVE + 0.5), (X,)),
    Rowwise("cross-entropy of the labels", _of_labels, DISTRIBUTIONS, (X,)),
]


def named(name: str) -> Rowwise:
    (found,) = (function for function in FUNCTIONS if function.name == name)
    return found


# --- where arrays lie ---


def directions(function: Rowwise) -> tuple[np.ndarray, np.ndarray]:
    """A tangent in the shape of x, and a cotangent in that of the result."""
    t, w = (eighths(*function.x.shape, seed=seed) for seed in (5, 6))
    return t, w if function.gives_classes else np.take(w, 0, function.axis)


class Split:
    """A function of rows inside `jax.shard_map`, and arrays where it wants them.

    Classes lie over the mesh axes `name`, rows over the other axis where one is left.
    """

    def __init__(
        self,
        function: Rowwise,
        name: Name = CLASS_AXIS,
        axis_type: AxisType = AxisType.Auto,
        accuracy: Accuracy = "high",
        dtype: DTypeLike = np.float32,
    ):
        self.function, self.name, self.dtype = function, name, dtype
        self.mesh = mesh_of(axis_type)
        self.f = partial(function.f, axis=function.axis, axis_name=name, accuracy=accuracy)

    def spec(self, ndim: int) -> PartitionSpec:
        rows = "data" if self.name == CLASS_AXIS else None
        if ndim < self.function.x.ndim:
            return PartitionSpec(rows)
        first = self.function.axis == 0
        return PartitionSpec(self.name, rows) if first else PartitionSpec(rows, self.name)

    @property
    def in_specs(self) -> list[PartitionSpec]:
        return [self.spec(a.ndim) for a in (self.function.x, *self.function.beside)]

    @property
    def out_spec(self) -> PartitionSpec:
        return self.spec(directions(self.function)[1].ndim)

    def put(self, a: np.ndarray) -> jax.Array:
        typed = a.astype(self.dtype) if a.dtype == np.float64 else a
        return jax.device_put(typed, NamedSharding(self.mesh, self.spec(a.ndim)))

    @property
    def arrays(self) -> list[jax.Array]:
        """x, t, w and what stands beside them."""
        function = self.function
        return list(map(self.put, (function.x, *directions(function), *function.beside)))

    def around(self, wrap: Callable[[Callable], Callable] = lambda f: f) -> Callable:
        """`jax.shard_map` around it, and `wrap` around it in there."""
        specs = {"in_specs": tuple(self.in_specs), "out_specs": self.out_spec}
        return jax.shard_map(wrap(self.f), mesh=self.mesh, **specs)


# --- products ---


def products(
    f: Callable, x: jax.Array, t: jax.Array, w: jax.Array, *, every: bool = True
) -> dict[str, jax.Array]:
    """f, and its derivatives along t and by w, in every order of the modes, to the third.

    Without `every` the reverse mode twice stands for second derivatives.
    """

    def pushed(x):
        return jax.jvp(f, (x,), (t,))[1]

    def pulled(x):
        return jax.vjp(f, x)[1](w)[0]

    def pulled_and_pushed(x):
        return jax.jvp(pulled, (x,), (t,))

    value, jvp = jax.jvp(f, (x,), (t,))
    found = {
        "value": value,
        "JVP": jvp,
        "VJP": pulled(x),
        "HVP, reverse over reverse": jax.grad(lambda x: jnp.sum(pulled(x) * t))(x),
    }
    if not every:
        return found
    (_, forward_over_reverse), (_, third) = jax.jvp(pulled_and_pushed, (x,), (t,))
    return found | {
        "HVP, forward over reverse": forward_over_reverse,
        "HVP, reverse over forward": jax.vjp(pushed, x)[1](w)[0],
        "forward over forward": jax.jvp(pushed, (x,), (t,))[1],
        "third": third,
    }


@cache
def truth(function: Rowwise, every: bool = True) -> dict[str, np.ndarray]:
    """The products on one device in float64, which other tests compare with plain formulas."""
    with jax.enable_x64(True):
        return on_one_device(function, np.float64, every)


def on_one_device(function: Rowwise, dtype, every: bool = True) -> dict[str, np.ndarray]:
    arrays = (function.x, *directions(function), *function.beside)
    x, t, w, *beside = (a.astype(dtype) if a.dtype == np.float64 else a for a in arrays)
    f = partial(function.f, axis=function.axis)
    return jax.tree.map(np.asarray, quick_jit(partial(of_all, f, every=every))(x, t, w, *beside))


def of_all(f, x, t, w, *beside, every: bool = True) -> dict[str, jax.Array]:
    """The products of f as a function of x alone."""
    return products(lambda x: f(x, *beside), x, t, w, every=every)


def assert_digits(got: jax.Array, true: np.ndarray, axis: int, units: float, name: str) -> None:
    """Equal up to a few units of the largest entry of each row; what is a row's, of itself.

    So a row that a saturated class makes 10⁻⁹ of another keeps its digits, as far down as the dtype
    has numbers. Only logarithms are numbers beside 1.
    """
    assert got.shape == true.shape, name
    size = np.max(np.abs(true), axis, keepdims=True) if true.ndim > 1 else np.abs(true)
    if name.endswith("value"):
        size = np.maximum(size, 1)
    info = jnp.finfo(got.dtype)
    most = units * (float(info.eps) * size + float(info.smallest_subnormal))
    wrong = np.abs(np.asarray(got, np.float64) - true)
    assert np.all(wrong <= most), f"{name}: {np.max(wrong / most) * units:.1f} of {units} units"
