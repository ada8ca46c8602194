"""Public functions that compute numbers, of jax.nn and jax.numpy: a table beside `public_arrays`.

Names are `module.function` and, behind a comma, what is special. Sizes are distinct and values are
apart, so that neither a transpose nor a tie can hide.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

X = np.random.default_rng(1).permutation(np.linspace(-0.85, 0.92, 12)).reshape(3, 4)
Y = np.random.default_rng(2).permutation(np.linspace(0.3, 1.7, 12)).reshape(3, 4)
V, U = X[0], Y[1, :3]
SQUARE = np.array([[2.0, 0.5, -0.25], [0.125, -1.5, 0.75], [0.625, 0.375, 1.75]])
TALL = X.T
CUBE = np.random.default_rng(3).permutation(np.linspace(-0.9, 0.95, 24)).reshape(2, 3, 4)
KEYS = np.random.default_rng(4).standard_normal((1, 3, 2, 4), np.float32)  # batch, time, heads, …
ROWS = np.array([2, 0, 2, 1, 1], np.int32)
COLUMNS = np.array([3, 0, 1], np.int32)
MASK = X > -0.3
BINS = np.array([-1.0, -0.1, 1.0])


@dataclass(frozen=True, eq=False)
class Case:
    """A function of one array and a point."""

    name: str
    f: Callable[..., Any]
    x: np.ndarray

    def __str__(self) -> str:
        return self.name


def short(module: ModuleType) -> str:
    return module.__name__.replace("jax.numpy", "jnp").replace("jax.", "")


def each(
    module: ModuleType, names: str, x: np.ndarray = X, variant: str = "", **options: Any
) -> Iterator[Case]:
    """The functions of a module that take one array, where it has them."""
    for name in names.split():
        f = getattr(module, name, None)  # some came, some went with a version
        text = f"{short(module)}.{name}, {variant}" if variant else f"{short(module)}.{name}"
        if f is not None:
            yield Case(text, partial(f, **options) if options else f, x)


def like(x: Any, constant: np.ndarray) -> Any:
    return jnp.asarray(constant, x.dtype)


def binary(names: str, x: np.ndarray = Y, y: np.ndarray = Y[::-1] + 0.0625) -> Iterator[Case]:
    """Functions of two arrays of one shape, by each of them."""
    for name in names.split():
        op = getattr(jnp, name)
        yield Case(f"jnp.{name}, first", lambda x, op=op: op(x, like(x, y)), x)
        yield Case(f"jnp.{name}, second", lambda y, op=op: op(like(y, x), y), y)


def named(
    module: ModuleType, functions: dict[str, Callable[..., Any]], x: np.ndarray = X
) -> list[Case]:
    """Functions written out here, where the module has them."""
    return [
        Case(f"{short(module)}.{name}", f, x)
        for name, f in functions.items()
        if hasattr(module, name.split(",")[0])
    ]


# Each entry of the result depends on one entry of the argument.
ACTIVATIONS = [
    *each(
        jax.nn,
        "celu elu gelu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu log_sigmoid "
        "mish relu relu6 selu sigmoid silu soft_sign softplus sparse_plus sparse_sigmoid "
        "squareplus swish tanh",
    ),
    *named(jax.nn, {"gelu, exact": lambda x: jax.nn.gelu(x, approximate=False)}),
    *each(jax.nn, "log1mexp", Y),
]
ELEMENTWISE = [
    *each(
        jnp,
        "abs absolute fabs acos arccos asin arcsin asinh arcsinh atan arctan atanh arctanh cbrt "
        "ceil conj conjugate cos cosh deg2rad degrees exp exp2 expm1 floor fix i0 log1p negative "
        "positive rad2deg radians real rint round around sign sin sinc sinh square tan tanh trunc "
        "nan_to_num copy array asarray angle imag",
    ),
    *each(jnp, "log log10 log2 sqrt reciprocal", Y),
    *each(jnp, "acosh arccosh", 1 + Y),
    *binary(
        "add arctan2 atan2 copysign divide float_power floor_divide fmax fmin fmod heaviside hypot "
        "logaddexp logaddexp2 maximum minimum mod multiply pow power remainder subtract true_divide"
    ),
    *named(
        jnp,
        {
            "astype": lambda x: jnp.astype(x, x.dtype),
            "clip": lambda x: jnp.clip(x, -0.5, 0.25),
            "frexp": lambda x: jnp.frexp(x)[0],
            "divmod, first": lambda x: jnp.divmod(x, like(x, Y)),
            "ldexp": lambda x: jnp.ldexp(x, np.full((3, 4), 2, np.int32)),
            "modf": jnp.modf,
            "where": lambda x: jnp.where(x > 0, jnp.log(x), x),
            "select": lambda x: jnp.select([x > 0.5, x > 0], [x * x, jnp.sin(x)], jnp.cos(x)),
            "piecewise": lambda x: jnp.piecewise(x, [x > 0, x < -0.5], [jnp.sin, jnp.cos, 2.0]),
            "vectorize": jnp.vectorize(lambda x: x * jnp.sin(x)),
        },
    ),
]
NORMALISATIONS = [
    *each(jax.nn, "softmax log_softmax standardize logsumexp logmeanexp"),
    *named(
        jax.nn,
        {
            "softmax, first axis": lambda x: jax.nn.softmax(x, axis=0),
            "softmax, all axes": lambda x: jax.nn.softmax(x, axis=(0, 1)),
            "softmax, masked": lambda x: jax.nn.softmax(x, where=MASK),
            "log_softmax, first axis": lambda x: jax.nn.log_softmax(x, axis=0),
            "standardize, first axis": lambda x: jax.nn.standardize(x, axis=0),
            "logsumexp, rows": lambda x: jax.nn.logsumexp(x, axis=1),
            "logsumexp, weighted": lambda x: jax.nn.logsumexp(x, axis=1, b=like(x, Y)),
            "logmeanexp, rows": lambda x: jax.nn.logmeanexp(x, axis=1),
            "glu": jax.nn.glu,
            "glu, first axis": lambda x: jax.nn.glu(x.T, axis=0),
        },
    ),
    *named(
        jax.nn,
        {
            "dot_product_attention, queries": lambda q: jax.nn.dot_product_attention(
                q, like(q, KEYS), like(q, KEYS)
            ),
            "dot_product_attention, keys": lambda k: jax.nn.dot_product_attention(
                like(k, KEYS), k, like(k, KEYS)
            ),
            "dot_product_attention, values": lambda v: jax.nn.dot_product_attention(
                like(v, KEYS), like(v, KEYS), v
            ),
            "dot_product_attention, self": lambda x: jax.nn.dot_product_attention(
                x, x, x, is_causal=True
            ),
        },
        KEYS,
    ),
]
REDUCTIONS = [
    *each(
        jnp,
        "sum prod mean std var max min amax amin ptp median average nansum nanprod nanmean nanstd "
        "nanvar nanmax nanmin nanmedian cumsum cumprod nancumsum nancumprod trace",
    ),
    *each(
        jnp,
        "sum prod mean std var max min ptp median nanmean cumsum cumprod cumulative_sum "
        "cumulative_prod trapezoid nancumsum",
        variant="rows",
        axis=1,
    ),
    *named(
        jnp,
        {
            "sum, kept": lambda x: jnp.sum(x, axis=0, keepdims=True),
            "mean, where": lambda x: jnp.mean(x, axis=1, where=MASK),
            "average, weighted": lambda x: jnp.average(x, axis=0, weights=like(x, U)),
            "quantile": lambda x: jnp.quantile(x, 0.3, axis=1),
            "percentile": lambda x: jnp.percentile(x, 30.0),
            "nanquantile": lambda x: jnp.nanquantile(x, 0.3, axis=0),
            "nanpercentile": lambda x: jnp.nanpercentile(x, 30.0),
            "minmax": lambda x: jnp.minmax(x),
            "cov": jnp.cov,
            "corrcoef": jnp.corrcoef,
            "apply_over_axes": lambda x: jnp.apply_over_axes(jnp.sum, x, [0, 1]),
            "apply_along_axis": lambda x: jnp.apply_along_axis(jax.nn.softmax, 0, x),
            "histogram_bin_edges": lambda x: jnp.histogram_bin_edges(x, 5),
            "bincount": lambda x: jnp.bincount(ROWS[:4], weights=x[0], length=3),
            "histogram": lambda x: jnp.histogram(like(x, V), bins=like(x, BINS), weights=x[1])[0],
            "histogram2d": lambda x: jnp.histogram2d(
                like(x, V), like(x, V), bins=[like(x, BINS)] * 2, weights=x[1]
            )[0],
            "histogramdd": lambda x: jnp.histogramdd(
                like(x, TALL), bins=[like(x, BINS)] * 3, weights=x[1]
            )[0],
        },
    ),
]
PRODUCTS = named(
    jnp,
    {
        "dot": lambda x: jnp.dot(x, like(x, V)),
        "dot, second": lambda x: jnp.dot(like(x, SQUARE), x),
        "dot, self": lambda x: jnp.dot(x, x.T),
        "matmul": lambda x: x @ like(x, TALL),
        "matmul, second": lambda x: like(x, SQUARE) @ x,
        "matmul, both": lambda x: x.T @ like(x, SQUARE) @ x,
        "matvec": lambda x: jnp.matvec(x, like(x, V)),
        "vecmat": lambda x: jnp.vecmat(like(x, U), x),
        "vecdot": lambda x: jnp.vecdot(x, like(x, Y)),
        "vdot": lambda x: jnp.vdot(x, like(x, Y)),
        "inner": lambda x: jnp.inner(x, like(x, V)),
        "inner, both": lambda x: jnp.inner(x, x),
        "outer": lambda x: jnp.outer(x[0], x[1]),
        "kron": lambda x: jnp.kron(x, like(x, SQUARE)),
        "tensordot": lambda x: jnp.tensordot(x, like(x, CUBE), [[0, 1], [1, 2]]),
        "einsum": lambda x: jnp.einsum("ij,kij->jk", x, like(x, CUBE)),
        "einsum, diagonal": lambda x: jnp.einsum("ii->i", x[:, :3]),
        "cross": lambda x: jnp.cross(x.T, like(x, TALL[::-1])),
        "convolve": lambda x: jnp.convolve(x[0], like(x, U)),
        "correlate": lambda x: jnp.correlate(x[0], like(x, U), mode="same"),
        "polyval": lambda x: jnp.polyval(x[0], like(x, U)),
        "polyval, points": lambda x: jnp.polyval(like(x, V), x),
        "polyadd": lambda x: jnp.polyadd(x[0], x[1, :2]),
        "polysub": lambda x: jnp.polysub(x[0], x[1, :2]),
        "polymul": lambda x: jnp.polymul(x[0], x[1, :2]),
        "polydiv": lambda x: jnp.polydiv(x[0], x[1, :2])[0],
        "polyder": lambda x: jnp.polyder(x[0]),
        "polyint": lambda x: jnp.polyint(x[0]),
        "polyfit": lambda x: jnp.polyfit(like(x, V), x[1], 2),
        "poly": lambda x: jnp.poly(x[0]),
        "vander": lambda x: jnp.vander(x[0], 3),
        "interp": lambda x: jnp.interp(x, like(x, BINS), like(x, U)),
        "interp, values": lambda x: jnp.interp(like(x, V), like(x, BINS), x[:, 0]),
        "gradient": lambda x: jnp.gradient(x, axis=1),
        "linspace": lambda x: jnp.linspace(x[0], x[1], 5),
        "logspace": lambda x: jnp.logspace(x[0], x[1], 5),
        "geomspace": lambda x: jnp.geomspace(1.5 + x[0, 0], 2.5 + x[1, 1], 5),
        "unwrap": lambda x: jnp.unwrap(5 * x),
    },
)
