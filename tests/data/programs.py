"""Random programs: functions of arrays made from a table of operations, for laws that hold of all.

A program is its own source. `program(7)` is the same in every run, and prints as, say,

    # seed 7, x: (4,), A: (3, 4), B: (3,)
    def f(x):
        v1 = A @ x
        v2 = jnp.tanh(v1) * B
        return v2

A row of the table writes one line: it takes the pen, which gives it captured arrays, and a value.
A line is kept if its shape is small. Whether the numbers are moderate and away from the kinks of
functions that have some, `is_tame` says. Everything is float64; x64 must be on.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxcalc as jc

LARGEST, MOST_ENTRIES, MOST_AXES, DEEPEST = 20.0, 40, 3, 6
KINK = 1e-3  # how far from a kink a value stays

MODULES: Mapping[str, Any] = {"jax": jax, "jnp": jnp, "lax": lax, "jc": jc}
# Some are signs of formulas (I, σ), or names that they give (s, u), or letters of their indices.
NAMES = [*"ABCDEGIJKLMNPQRSTWYZbdeghijmnqsuyz", "σ", "x_a", "w_1", "k0"]
# trees of leaves of one shape, of which several have one name when that is written plainly
CLASHING: list[Any] = [
    {"a_b": 0, "a": {"b": 0}, "z": 0},
    {"w 1": 0, "w-1": 0, "w_1": 0},
    {"x": 0, "x ": 0},
]


Condition = Callable[[Any], Any]  # of an array, whether it stays away from a kink


class Value(NamedTuple):
    """What a line makes: its name in the source, and its shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return self.name


class UnfitError(Exception):
    """The operation does not go with the value."""


def need(condition: bool) -> None:
    if not condition:
        raise UnfitError


class Pen:
    """Draws what the rows of the table ask for, and keeps what the program captures."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng([20261122, seed])
        self.captured: dict[str, Any] = {}
        self.values: list[Value] = []
        self.conditions: list[tuple[str, Condition]] = []  # on values, by name
        names = [*NAMES]
        self.rng.shuffle(names)
        self._names: Iterator[str] = iter(names)

    def choice(self, options: Any) -> Any:
        options = list(options)
        return options[int(self.rng.integers(len(options)))]

    def size(self) -> int:
        return int(self.rng.integers(2, 6))

    def capture(self, array: np.ndarray) -> str:
        """Its name; now and then it stays a NumPy array."""
        name = next(self._names)
        self.captured[name] = array if self.rng.random() < 0.2 else jnp.asarray(array)
        return name

    def array(self, *shape: int) -> str:
        """A captured array, sometimes one that is there already."""
        same = [n for n, a in self.captured.items() if a.shape == shape and a.dtype == float]
        if same and self.rng.random() < 0.3:
            return self.choice(same)
        return self.capture(self.rng.uniform(-1.2, 1.2, shape))

    def mask(self, *shape: int) -> str:
        mask = self.rng.random(shape) < 0.6
        mask.flat[0], mask.flat[-1] = True, False
        return self.capture(mask)

    def places(self, size: int, count: int, unique: bool = False) -> str:
        places = self.rng.permutation(size)[:count]
        return self.capture(places if unique else self.rng.integers(0, size, count))

    def invertible(self, n: int) -> str:
        return self.capture(3 * np.eye(n) + self.rng.uniform(-0.6, 0.6, (n, n)))

    def axis(self, v: Value) -> int:
        need(v.rank > 0)
        return int(self.rng.integers(v.rank))

    def long_axis(self, v: Value) -> int:
        axes = [axis for axis, size in enumerate(v.shape) if size > 1]
        need(bool(axes))
        return self.choice(axes)

    def axes(self, v: Value) -> int | tuple[int, ...] | None:
        return self.choice([None, self.axis(v), -1, (0, v.rank - 1) if v.rank > 1 else 0])

    def other(self, v: Value) -> Value:
        """A value of the same shape, the last one too."""
        return self.choice([o for o in self.values if o.shape == v.shape])


Row = Callable[[Pen, Value], str]


def plain(template: str) -> Row:
    """A row that needs no more than the value."""
    return lambda pen, v: template.format(v=v)


def ranked(row: Row, *ranks: int) -> Row:
    """A row for values of these ranks."""

    def checked(pen: Pen, v: Value) -> str:
        need(v.rank in ranks)
        return row(pen, v)

    return checked


def square(row: Row) -> Row:
    def checked(pen: Pen, v: Value) -> str:
        need(v.rank == 2 and v.shape[0] == v.shape[1] > 1)
        return row(pen, v)

    return checked


def smooth(row: Row, *kinks: float) -> Row:
    """A row with kinks where an entry of the value is one of these."""

    def away(x: Any) -> Any:
        return jnp.stack([jnp.min(jnp.abs(x - kink)) > KINK for kink in kinks]).all()

    return _conditional(row, away)


def untied(row: Row) -> Row:
    """A row with kinks where two entries of the value are equal."""
    return _conditional(row, lambda x: jnp.min(jnp.diff(jnp.sort(x.ravel())), initial=1) > KINK)


def _conditional(row: Row, away: Condition) -> Row:
    def checked(pen: Pen, v: Value) -> str:
        pen.conditions.append((v.name, away))
        return row(pen, v)

    return checked


ELEMENTWISE: dict[str, Row] = {
    "sin": plain("jnp.sin({v})"),
    "cos": plain("jnp.cos({v})"),
    "tanh": plain("jnp.tanh({v})"),
    "exp": plain("jnp.exp(0.3 * {v})"),
    "expm1": plain("jnp.expm1(-0.2 * {v})"),
    "log": plain("jnp.log(2.0 + {v} ** 2)"),
    "log1p": plain("jnp.log1p({v} ** 2)"),
    "sqrt": plain("jnp.sqrt(1.0 + {v} ** 2)"),
    "rsqrt": plain("lax.rsqrt(1.0 + {v} * {v})"),
    "reciprocal": plain("1.0 / (2.0 + {v} ** 2)"),
    "cube": plain("0.2 * {v} ** 3"),
    "power": plain("(1.5 + jnp.tanh({v})) ** 1.7"),
    "arctan": plain("jnp.arctan({v})"),
    "arcsin": plain("jnp.arcsin(0.5 * jnp.sin({v}))"),
    "sinh": plain("jnp.sinh(0.3 * {v})"),
    "cosh": plain("jnp.cosh(0.3 * {v})"),
    "erf": plain("jax.scipy.special.erf({v})"),
    "gammaln": plain("jax.scipy.special.gammaln(1.5 + {v} ** 2)"),
    "betainc": plain("jax.scipy.special.betainc(2.0, 1.5, jax.nn.sigmoid({v}))"),
    "xlogy": plain("jax.scipy.special.xlogy({v}, 1.5 + {v} ** 2)"),
    "jax sigmoid": plain("jax.nn.sigmoid({v})"),
    "jc sigmoid": plain("jc.sigmoid({v})"),
    "jax softplus": plain("jax.nn.softplus({v})"),
    "jc softplus": plain("jc.softplus({v})"),
    "jc log_sigmoid": plain("jc.log_sigmoid({v})"),
    "gelu": plain("jax.nn.gelu({v})"),
    "gelu exact": plain("jax.nn.gelu({v}, approximate=False)"),
    "silu": plain("jax.nn.silu({v})"),
    "mish": plain("jax.nn.mish({v})"),
    "relu": smooth(plain("jax.nn.relu({v})"), 0),
    "leaky_relu": smooth(plain("jax.nn.leaky_relu({v})"), 0),
    "elu": smooth(plain("jax.nn.elu({v})"), 0),
    "relu6": smooth(plain("jax.nn.relu6({v})"), 0, 6),
    "abs": smooth(plain("jnp.abs({v})"), 0),
    "clip": smooth(plain("jnp.clip({v}, -0.7, 0.7)"), -0.7, 0.7),
    "where positive": smooth(plain("jnp.where({v} > 0.1, {v}, 0.3 * {v})"), 0.1),
    "sign": smooth(plain("jnp.sign({v}) * {v} ** 2"), 0),
    "floor": smooth(plain("jnp.floor({v}) + {v}"), *range(-20, 21)),
    "stop_gradient": plain("lax.stop_gradient({v}) * {v}"),
    "constant": plain("0.5 + 0.0 * {v}"),
    "comparison": smooth(plain("{v} * ({v} > 0.1).astype(float)"), 0.1),
}
BINARY: dict[str, Row] = {
    "plus array": lambda pen, v: f"{v} + {pen.array(*v.shape)}",
    "array minus": lambda pen, v: f"{pen.array(*v.shape)} - {v}",
    "times array": lambda pen, v: f"{pen.array(*v.shape)} * {v}",
    "over array": lambda pen, v: f"{v} / (1.5 + {pen.array(*v.shape)} ** 2)",
    "array over": lambda pen, v: f"{pen.array(*v.shape)} / (1.5 + {v} ** 2)",
    "plus value": lambda pen, v: f"{v} + {pen.other(v)}",
    "minus value": lambda pen, v: f"{v} - 0.5 * {pen.other(v)}",
    "times value": lambda pen, v: f"{v} * {pen.other(v)}",
    "over value": lambda pen, v: f"{v} / (2.0 + {pen.other(v)} ** 2)",
    "logaddexp": lambda pen, v: f"jnp.logaddexp({v}, {pen.array(*v.shape)})",
    "hypot": lambda pen, v: f"jnp.hypot({v}, 2.0 + {pen.array(*v.shape)})",
    "arctan2": lambda pen, v: f"jnp.arctan2({v}, 3.0 + {pen.array(*v.shape)})",
    "maximum": lambda pen, v: f"jnp.maximum({v}, {pen.array(*v.shape)})",
    "minimum": lambda pen, v: f"jnp.minimum({v}, {pen.array(*v.shape)})",
    "where mask": lambda pen, v: f"jnp.where({pen.mask(*v.shape)}, {v}, {pen.array(*v.shape)})",
    "mask": lambda pen, v: f"jnp.where({pen.mask(*v.shape)}, {v}, 0.0)",
    "masks": lambda pen, v: (
        f"jnp.where({pen.mask(*v.shape)} & {pen.mask(*v.shape)}, {v}, 0.5 * {v})"
    ),
    "two masks": lambda pen, v: (
        f"jnp.where({pen.mask(*v.shape)}, {v}, 0.0) + jnp.where({pen.mask(*v.shape)}, {v}, 0.0)"
    ),
    "masks as numbers": lambda pen, v: (
        f"jnp.dot({pen.mask(3)}.astype(float), {pen.mask(3)}.astype(float)) * {v}"
    ),
    "mask as a number": lambda pen, v: f"{v} * jnp.asarray({pen.mask(*v.shape)}, float)",
    "scalar": lambda pen, v: f"jnp.sum({pen.other(v)}) * {v} / {v}.size",
    "standardised": lambda pen, v: f"{v} / jnp.sqrt(1.0 + jnp.mean({v} ** 2))",
}
PRODUCTS: dict[str, Row] = {
    "A v": ranked(lambda pen, v: f"{pen.array(pen.size(), v.shape[0])} @ {v}", 1, 2),
    "v A": ranked(lambda pen, v: f"{v} @ {pen.array(v.shape[-1], pen.size())}", 1, 2, 3),
    "square A v": ranked(lambda pen, v: f"{pen.array(v.shape[0], v.shape[0])} @ {v}", 1, 2),
    "dot": ranked(lambda pen, v: f"jnp.dot({v}, {pen.array(*v.shape)})", 1),
    "outer": ranked(lambda pen, v: f"jnp.outer({v}, {pen.array(pen.size())})", 1),
    "outer itself": ranked(lambda pen, v: f"jnp.outer({v}, {pen.other(v)})", 1),
    "quadratic": ranked(lambda pen, v: f"{v} @ {pen.array(v.shape[0], v.shape[0])} @ {v}", 1),
    "v vᵀ": ranked(lambda pen, v: f"{v} @ {pen.other(v)}.T", 2),
    "vᵀ v": ranked(lambda pen, v: f"{v}.T @ {pen.other(v)}", 2),
    "einsum ij,kj->ik": ranked(
        lambda pen, v: f'jnp.einsum("ij,kj->ik", {v}, {pen.array(pen.size(), v.shape[1])})', 2
    ),
    "einsum ij,ij->i": ranked(
        lambda pen, v: f'jnp.einsum("ij,ij->i", {v}, {pen.array(*v.shape)})', 2
    ),
    "einsum bij,bj->bi": ranked(
        lambda pen, v: (
            f'jnp.einsum("bij,bj->bi", {pen.array(v.shape[0], pen.size(), v.shape[1])}, {v})'
        ),
        2,
    ),
    "einsum bij,ik->bkj": ranked(
        lambda pen, v: f'jnp.einsum("bij,ik->bkj", {v}, {pen.array(v.shape[1], pen.size())})', 3
    ),
    "kron": ranked(lambda pen, v: f"jnp.kron({pen.array(2, 2)}, {v})", 2),
    "inv": square(lambda pen, v: f"jnp.linalg.inv(4.0 * jnp.eye({v.shape[0]}) + jnp.tanh({v}))"),
    "det": square(plain("jnp.linalg.det({v})")),
    "slogdet": square(
        lambda pen, v: f"jnp.linalg.slogdet(4.0 * jnp.eye({v.shape[0]}) + jnp.tanh({v}))[1]"
    ),
    "solve": ranked(lambda pen, v: f"jnp.linalg.solve({pen.invertible(v.shape[0])}, {v})", 1, 2),
    "solve by value": square(
        lambda pen, v: (
            f"jnp.linalg.solve(4.0 * jnp.eye({v.shape[0]}) + jnp.tanh({v}), "
            f"{pen.array(v.shape[0])})"
        )
    ),
    "triangular solve": ranked(
        lambda pen, v: (
            f"jax.scipy.linalg.solve_triangular({pen.invertible(v.shape[0])}, {v}, lower=True)"
        ),
        1,
        2,
    ),
    "trace": square(plain("jnp.trace({v})")),
    "convolve": ranked(
        lambda pen, v: (
            f'jnp.convolve({v}, {pen.array(2)}, mode="{pen.choice(["full", "same", "valid"])}")'
        ),
        1,
    ),
    "conv": ranked(
        lambda pen, v: (
            f"lax.conv({v}[None, None], {pen.array(2, 1, 2, 2)}, (1, 1), "
            f'"{pen.choice(["SAME", "VALID"])}")[0]'
        ),
        2,
    ),
    "fft": ranked(plain("jnp.real(jnp.fft.fft({v}))"), 1),
}
REDUCTIONS: dict[str, Row] = {
    "sum": lambda pen, v: f"jnp.sum({v}, axis={pen.axes(v)})",
    "sum kept": lambda pen, v: f"jnp.sum({v}, axis={pen.axis(v)}, keepdims=True)",
    "mean": lambda pen, v: f"jnp.mean({v}, axis={pen.axes(v)})",
    "centred": lambda pen, v: f"{v} - jnp.mean({v}, axis={pen.axis(v)}, keepdims=True)",
    "max": untied(lambda pen, v: f"jnp.max({v}, axis={pen.axes(v)})"),
    "min": untied(lambda pen, v: f"jnp.min({v}, axis={pen.axis(v)})"),
    "prod": lambda pen, v: f"jnp.prod({v}, axis={pen.axis(v)})",
    "norm": ranked(plain("jnp.linalg.norm({v})"), 1, 2),
    "norms": ranked(plain("jnp.sqrt(0.5 + jnp.sum({v} * {v}, axis=-1))"), 2, 3),
    "var": lambda pen, v: f"jnp.var({v}, axis={pen.axes(v)})",
    "std": lambda pen, v: f"jnp.std({v}, axis={pen.long_axis(v)})",
    "jax logsumexp": lambda pen, v: f"jax.nn.logsumexp({v}, axis={pen.axes(v)})",
    "jc logsumexp": lambda pen, v: f"jc.logsumexp({v}, axis={pen.axes(v)})",
    "jax softmax": lambda pen, v: f"jax.nn.softmax({v}, axis={pen.axis(v)})",
    "jc softmax": lambda pen, v: f"jc.softmax({v}, axis={pen.axes(v)})",
    "jc masked softmax": ranked(
        lambda pen, v: f"jc.softmax({v}, where={pen.mask(*v.shape)})", 1, 2
    ),
    "jax log_softmax": lambda pen, v: f"jax.nn.log_softmax({v}, axis={pen.axis(v)})",
    "jc log_softmax": lambda pen, v: f"jc.log_softmax({v}, axis={pen.axes(v)})",
    "own softmax": ranked(plain("jnp.exp({v}) / jnp.sum(jnp.exp({v}))"), 1, 2),
    "cross-entropy": ranked(
        lambda pen, v: f"jc.softmax_cross_entropy({v}, {pen.places(v.shape[1], v.shape[0])})", 2
    ),
    "cumsum": lambda pen, v: f"jnp.cumsum({v}, axis={pen.axis(v)})",
    "reverse cumsum": lambda pen, v: f"lax.cumsum({v}, axis={pen.axis(v)}, reverse=True)",
    "cumprod": lambda pen, v: f"jnp.cumprod({v}, axis={pen.axis(v)})",
    "reverse cumprod": lambda pen, v: f"lax.cumprod({v}, axis={pen.axis(v)}, reverse=True)",
    "cumlogsumexp": lambda pen, v: f"lax.cumlogsumexp({v}, axis={pen.axis(v)})",
    "cummax": untied(lambda pen, v: f"lax.cummax({v}, axis={pen.axis(v)})"),
    "diff": lambda pen, v: f"jnp.diff({v}, axis={pen.long_axis(v)})",
}
INDEXING: dict[str, Row] = {
    "slice": ranked(plain("{v}[1:]"), 1, 2, 3),
    "slice of the last axis": ranked(plain("{v}[..., :-1]"), 1, 2, 3),
    "strides": ranked(plain("{v}[::2]"), 1, 2, 3),
    "backwards": ranked(plain("{v}[..., ::-2]"), 1, 2, 3),
    "one row": ranked(plain("{v}[-1]"), 1, 2, 3),
    "one column": ranked(plain("{v}[:, 0]"), 2, 3),
    "rows": ranked(lambda pen, v: f"{v}[{pen.places(v.shape[0], pen.size())}]", 1, 2, 3),
    "entries": ranked(
        lambda pen, v: f"{v}[{pen.places(v.shape[0], 3)}, {pen.places(v.shape[1], 3)}]", 2
    ),
    "take": ranked(lambda pen, v: f"jnp.take({v}, {pen.places(v.shape[-1], 2)}, axis=-1)", 1, 2, 3),
    "chosen": ranked(lambda pen, v: f"{v}[{pen.mask(v.shape[0])}]", 1, 2),
    "set": ranked(
        lambda pen, v: f"{v}.at[{pen.places(v.shape[0], 2, unique=True)}].set(0.7)", 1, 2
    ),
    "add at": ranked(lambda pen, v: f"{v}.at[{pen.places(v.shape[0], 2)}].add({v}[:2] ** 2)", 1, 2),
    "set by value": ranked(
        lambda pen, v: f"jnp.asarray({pen.array(v.shape[0] + 1)}).at[1:].set({v})", 1
    ),
    "put at": ranked(lambda pen, v: f"jnp.zeros(4).at[{pen.places(4, v.shape[0])}].add({v})", 1),
    "multiply at": ranked(lambda pen, v: f"{v}.at[0].multiply(1.5)", 1, 2),
    "concatenate": lambda pen, v: f"jnp.concatenate([{v}, {pen.other(v)}], axis={pen.axis(v)})",
    "append": ranked(lambda pen, v: f"jnp.append({v}, {pen.array(2)})", 1),
    "stack": lambda pen, v: f"jnp.stack([{v}, {pen.array(*v.shape)}, {pen.other(v)}])",
    "halves": lambda pen, v: (
        f"(lambda r: r[0] * jnp.sin(r[1]))(jnp.split({v}, 2, axis={pen.axis(v)}))"
    ),
    "pad": ranked(plain("jnp.pad({v}, 1)"), 1, 2),
    "pad edge": ranked(plain('jnp.pad({v}, (1, 2), mode="edge")'), 1),
    "roll": lambda pen, v: f"jnp.roll({v}, 1, axis={pen.axis(v)})",
    "flip": lambda pen, v: f"jnp.flip({v}, axis={pen.axis(v)})",
    "repeat": lambda pen, v: f"jnp.repeat({v}, 2, axis={pen.axis(v)})",
    "tile": ranked(plain("jnp.tile({v}, 2)"), 1, 2),
    "triu": ranked(plain("jnp.triu({v})"), 2),
    "diag": ranked(plain("jnp.diag({v})"), 1, 2),
    "sort": untied(plain("jnp.sort({v})")),
    "dynamic_slice": ranked(
        lambda pen, v: f"lax.dynamic_slice_in_dim({v}, {pen.places(2, 1)}[0], 1, axis=0)", 1, 2
    ),
    "dynamic_update": ranked(
        lambda pen, v: (
            f"lax.dynamic_update_slice_in_dim({v}, {v}[:1] ** 2, {pen.places(2, 1)}[0], axis=0)"
        ),
        1,
        2,
    ),
    "ravel": ranked(plain("jnp.ravel({v})"), 2, 3),
    "reshape": ranked(plain("jnp.reshape({v}, (2, -1))"), 1, 2),
    "transpose": ranked(plain("{v}.T"), 2, 3),
    "moveaxis": ranked(plain("jnp.moveaxis({v}, 0, -1)"), 2, 3),
    "broadcast": lambda pen, v: f"jnp.broadcast_to({v}, {(2, *v.shape)})",
    "new axis": lambda pen, v: f"{v}[..., None]",
    "squeeze": lambda pen, v: f"jnp.squeeze({v})",
}
PROGRAMS: dict[str, Row] = {
    "scan": ranked(
        lambda pen, v: (
            f"lax.scan(lambda c, r: (jnp.tanh(c + r), c * r), {pen.array(*v.shape[1:])}, {v})"
            f"[{pen.choice([0, 1])}]"
        ),
        1,
        2,
    ),
    "scan of an array": ranked(
        lambda pen, v: f"lax.scan(lambda c, r: (c, c * r), {v}, {pen.array(2, *v.shape)})[1]", 1
    ),
    "map": ranked(
        lambda pen, v: f"lax.map(lambda r: jnp.sin(r) * {pen.array(*v.shape[1:])}, {v})", 1, 2
    ),
    "fori_loop": ranked(
        lambda pen, v: (
            f"lax.fori_loop(0, 2, lambda t, c: jnp.tanh({pen.array(v.shape[0], v.shape[0])} @ c), "
            f"{v})"
        ),
        1,
    ),
    "cond": lambda pen, v: f"lax.cond({pen.mask(2)}[0], jnp.sin, lambda r: 2.0 * r, {v})",
    "cond on array": lambda pen, v: (
        f"lax.cond({pen.array(2)}[0] > 0, lambda r: {pen.array(*v.shape)} * r, jnp.cos, {v})"
    ),
    "switch": lambda pen, v: (
        f"lax.switch({pen.places(2, 1)}[0], [jnp.sin, jnp.tanh, jnp.exp], {v})"
    ),
    "jit": lambda pen, v: f"jax.jit(lambda r: {pen.array(*v.shape)} * jnp.sin(r))({v})",
    "checkpoint": lambda pen, v: (
        f"jax.checkpoint(lambda r: jnp.tanh(r) * {pen.array(*v.shape)})({v})"
    ),
    "vmap": ranked(
        lambda pen, v: f"jax.vmap(lambda r: {pen.array(3, v.shape[-1])} @ jnp.sin(r))({v})", 2
    ),
    "vmapped jit of a large array": ranked(
        lambda pen, v: f"jax.vmap(jax.jit(lambda r: r * {pen.array(70)}))({v}).sum(0)[:3]", 1
    ),
    "jit of a large array": ranked(
        lambda pen, v: f"jax.jit(lambda r: (r @ {pen.array(v.shape[-1], 40)})[..., :3])({v})", 1, 2
    ),
    "grad": lambda pen, v: f"jax.grad(lambda r: jnp.sum(jnp.sin(r) * {pen.array(*v.shape)}))({v})",
    "jvp": lambda pen, v: f"jax.jvp(jnp.sin, ({v},), (jnp.tanh({v}),))[1]",
}


def twice(first: str, second: str) -> Row:
    """Two operations that differ in what they capture, if in anything, added or subtracted."""
    return lambda pen, v: f"{ROWS[first](pen, v)} {pen.choice('+-')} {ROWS[second](pen, v)}"


ROWS: dict[str, Row] = ELEMENTWISE | BINARY | PRODUCTS | REDUCTIONS | INDEXING | PROGRAMS
PAIRS = [
    *((name, name) for name in ("A v", "square A v", "solve", "triangular solve", "convolve")),
    *((name, name) for name in ("scan", "map", "fori_loop", "cond", "cond on array", "switch")),
    *((name, name) for name in ("vmapped jit of a large array", "jit of a large array", "rows")),
    *((name, name) for name in ("set", "put at", "chosen", "mask", "times array", "jit")),
    ("cumsum", "reverse cumsum"),
    ("cumprod", "reverse cumprod"),
    ("jc softmax", "jax softmax"),
    ("fft", "cumsum"),
]
OPERATIONS: dict[str, Row] = ROWS | {
    f"{first}, {second}": twice(first, second) for first, second in PAIRS
}


class Program(NamedTuple):
    """A function of one argument, an array or a dictionary of them, with its source."""

    seed: int
    operations: tuple[str, ...]  # in order
    source: str
    f: Callable[[Any], Any]
    argument: Any
    captured: dict[str, Any]
    steps: Callable[[Any], dict[str, Any]]  # the values of all lines, by name
    conditions: list[tuple[str, Condition]]

    def __str__(self) -> str:
        arrays = {**dict(_leaves(self.argument)), **self.captured}
        shapes = ", ".join(f"{name}: {a.dtype}{a.shape}" for name, a in arrays.items())
        return f"# seed {self.seed}, {shapes}\n{self.source}"

    def is_tame(self, argument: Any) -> Any:
        """Whether all values are of moderate size and away from kinks."""
        values = self.steps(argument)
        leaves = jax.tree.leaves(values)
        sizes = [jnp.max(jnp.abs(leaf)) for leaf in leaves]  # NaN is not moderate
        away = [condition(values[name]) for name, condition in self.conditions]
        return jnp.stack([*(size <= LARGEST for size in sizes), *away]).all()


def _leaves(argument: Any) -> list[tuple[str, Any]]:
    paths = jax.tree_util.tree_leaves_with_path(argument)
    return [(f"{'p' if path else 'x'}{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]


def program(seed: int) -> Program:
    """The program with this number."""
    pen = Pen(seed)
    lines, argument = _begun(pen)
    for line in lines:
        pen.values.append(_made(pen, line, argument))
    depth, operations = len(lines) + int(pen.rng.integers(1, DEEPEST + 1)), []
    lead = [*OPERATIONS][seed * 97 % len(OPERATIONS)]  # each in its turn
    while len(lines) < depth:
        for name in _candidates(pen, lead, operations):
            captured, conditions = dict(pen.captured), list(pen.conditions)
            try:
                line = OPERATIONS[name](pen, pen.values[-1])
                value = _made(pen, line, argument)
                break
            except (UnfitError, TypeError, ValueError, IndexError):  # of shapes that do not match
                pen.captured, pen.conditions = captured, conditions
        lines.append(line)
        operations.append(name)
        pen.values.append(value)
    return _finished(pen, seed, lines, operations, argument)


def _candidates(pen: Pen, lead: str, operations: list[str]) -> Iterator[str]:
    """At random, but for one that comes as soon as it fits."""
    names = [*OPERATIONS]
    if lead not in operations:
        yield lead
    while True:
        yield pen.choice(names)


def _begun(pen: Pen) -> tuple[list[str], Any]:
    """The argument, whose leaves are values; and the line that makes one value of a dictionary."""
    shape = pen.choice(
        [(), (4,), (3,), (5,), (3,), (4,), (2, 3), (3, 3), (4, 2), (3, 3), (2, 3, 2)]
    )

    def leaf() -> Any:
        return jnp.asarray(pen.rng.uniform(-1.5, 1.5, shape))

    if pen.rng.random() < 0.8:
        pen.values.append(Value("x", shape))
        return [], leaf()
    argument = jax.tree.map(lambda _: leaf(), pen.choice(CLASHING))
    names = [name for name, _ in _leaves(argument)]
    pen.values += [Value(name, shape) for name in names]
    return [" + ".join(f"{pen.array(*shape)} * {name}" for name in names)], argument


def _made(pen: Pen, line: str, argument: Any) -> Value:
    """The value of a line, if there may be such a one."""
    made = [value for value in pen.values if value.name.isidentifier() and value.name != "x"]

    def run(argument: Any, *values: Any) -> Any:
        scope = {value.name: array for value, array in zip(made, values, strict=True)}
        return eval(line, {**MODULES, **pen.captured, "x": argument, "p": argument, **scope})

    result = jax.eval_shape(run, argument, *(jax.ShapeDtypeStruct(v.shape, float) for v in made))
    need(0 < result.size <= MOST_ENTRIES and result.ndim <= MOST_AXES)
    return Value(f"v{len(pen.values)}", result.shape)


def _finished(
    pen: Pen, seed: int, lines: list[str], operations: list[str], argument: Any
) -> Program:
    names = [value.name for value in pen.values[-len(lines) :]]
    body = [f"    {name} = {line}" for name, line in zip(names, lines, strict=True)]
    parameter = "p" if isinstance(argument, dict) else "x"
    begun = [f"def f({parameter}):", *body]
    source = "\n".join([*begun, f"    return {names[-1]}"])
    scope, inside = {**MODULES, **pen.captured}, {**MODULES, **pen.captured}
    exec(source, scope)
    exec("\n".join([*begun, "    return locals()"]), inside)

    def steps(argument: Any) -> dict[str, Any]:
        values = inside["f"](argument)
        return {name: values[name] for name in (parameter, *names)}

    return Program(
        seed, tuple(operations), source, scope["f"], argument, pen.captured, steps, pen.conditions
    )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    for number in map(int, sys.argv[1:]):
        print(program(number), end="\n\n")
