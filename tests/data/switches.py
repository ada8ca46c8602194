"""What a user may switch on or wrap around a function, and the functions that must not mind.

A `Switch` is a setting of JAX, a transformation of the function, or one of the program that holds
its derivatives; none of them changes a number. A new function joins by a line in `functions` or in
`MORE`, a new switch by a line below.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from functions import (
    CORE,
    DISTRIBUTIONS,
    FUNCTIONS,
    LABELS,
    LOGITS,
    MASK,
    POINTS,
    TANGENTS,
    WEIGHTS,
    Function,
    like,
    one_hot,
    plain_binary_cross_entropy,
    plain_cross_entropy,
    plain_logsumexp,
    quick_jit,
)
from jax import Array, export, lax
from jax.sharding import AxisType, PartitionSpec
from losses import ALL, ALONE, plain_binary, plain_entropy, plain_focal, plain_loss, typed

import jaxcalc as jc

FAST = {"accuracy": "fast"}
KERNEL = np.array([[0.5, -1, 0, 2], [1, 0, -0.5, 0], [0, 0.25, 1, -1], [2, 0, 0, 0.5]])
MORE = [
    Function("sigmoid, fast", partial(jc.sigmoid, **FAST), lambda x: 1 / (1 + jnp.exp(-x))),
    Function(
        "log_sigmoid, fast", partial(jc.log_sigmoid, **FAST), lambda x: -jnp.log1p(jnp.exp(-x))
    ),
    Function("softplus, fast", partial(jc.softplus, **FAST), lambda x: jnp.log1p(jnp.exp(x))),
    Function("logsumexp, fast", partial(jc.logsumexp, axis=-1, **FAST), plain_logsumexp),
    Function(
        "logsumexp, weighted, masked, fast",
        lambda x: jc.logsumexp(x, 0, like(x, np.abs(WEIGHTS)), where=MASK, **FAST)[MASK],
        lambda x: plain_logsumexp(x, 0, np.abs(WEIGHTS))[MASK],
    ),
    Function(
        "softmax_cross_entropy, indices, fast",
        lambda x: jc.softmax_cross_entropy(x, LABELS, **FAST),
        lambda x: plain_cross_entropy(x, one_hot(LABELS)),
    ),
    Function(
        "softmax_cross_entropy, distributions, masked",
        lambda x: jc.softmax_cross_entropy(x, like(x, DISTRIBUTIONS * MASK), where=MASK),
        lambda x: plain_cross_entropy(x, DISTRIBUTIONS * MASK, where=MASK[None]),
    ),
    Function(
        "sigmoid_binary_cross_entropy, fast",
        lambda x: jc.sigmoid_binary_cross_entropy(x, like(x, DISTRIBUTIONS), **FAST),
        lambda x: plain_binary_cross_entropy(x, DISTRIBUTIONS),
    ),
    Function(
        "softmax_cross_entropy, every option",
        lambda x: jc.softmax_cross_entropy(x, LABELS, **typed(ALL)),
        lambda x: plain_loss(x, one_hot(LABELS), **ALL),
    ),
    Function(
        "softmax_cross_entropy, weights of classes",
        lambda x: jc.softmax_cross_entropy(x, LABELS, ignore_index=-1, **typed(ALONE["weights"])),
        lambda x: plain_loss(x, one_hot(LABELS), **ALONE["weights"]),
    ),
    Function(
        "sigmoid_binary_cross_entropy, every option",
        lambda x: jc.sigmoid_binary_cross_entropy(
            x, like(x, DISTRIBUTIONS), label_smoothing=0.25, pos_weight=3.0
        ),
        lambda x: plain_binary(x, DISTRIBUTIONS, label_smoothing=0.25, pos_weight=3.0),
    ),
    Function(
        "sigmoid_focal_loss",
        lambda x: jc.sigmoid_focal_loss(x, like(x, DISTRIBUTIONS), alpha=0.25),
        lambda x: plain_focal(x, DISTRIBUTIONS, alpha=0.25),
    ),
    Function("entropy", jc.entropy, plain_entropy),
    Function(
        "kl_divergence",
        lambda q: jc.kl_divergence(q, like(q, LOGITS)),
        lambda q: jnp.sum(jnp.exp(LOGITS) * (LOGITS - q), -1),
    ),
    Function(
        "linear_softmax_cross_entropy",
        lambda x: jc.linear_softmax_cross_entropy(
            x, like(x, KERNEL), LABELS, chunk_size=1, dtype=x.dtype
        ),
        lambda x: plain_loss(x @ KERNEL, one_hot(LABELS)),
    ),
    Function(
        "jacobian of logsumexp",
        lambda x: jc.jacobian(jc.logsumexp)(x[0]),
        lambda x: jax.jacfwd(plain_logsumexp)(x[0])[None],
    ),
    Function(
        "hessian of logsumexp",
        lambda x: jc.hessian(jc.logsumexp)(x[0]),
        lambda x: jax.hessian(plain_logsumexp)(x[0]),
    ),
]
SWITCHED = FUNCTIONS + MORE

# The label's class has nearly all of the probability.
SATURATED = np.array([[0.5, 0.0, 20.0, -1.0], [19.0, 0.25, -0.5, 1.0]])
T = TANGENTS[0]
PLACES = {"moderate": POINTS[0], "saturated": SATURATED}


def is_fast(function: Function) -> bool:
    """Whether its derivatives may lose digits under saturation."""
    return "fast" in function.name


def loss(f: Callable, g: np.ndarray) -> Callable:
    return lambda x: jnp.sum(like(x, g) * f(x))


def pulled(g: np.ndarray, D: np.ndarray) -> np.ndarray:
    return np.tensordot(g, D, g.ndim)


# By name: a derivative of f, pulled back by g or not, and what it is by f's value and derivatives.
Derivative = tuple[Callable, Callable]
DERIVATIVES: dict[str, Derivative] = {
    "value": (lambda f, g: f, lambda D, g: D[0]),
    "grad": (lambda f, g: jax.grad(loss(f, g)), lambda D, g: pulled(g, D[1])),
    "jacfwd": (lambda f, g: jax.jacfwd(f), lambda D, g: D[1]),
    "hessian": (lambda f, g: jax.hessian(loss(f, g)), lambda D, g: pulled(g, D[2])),
}
FORWARD: dict[str, Derivative] = {
    "value": DERIVATIVES["value"],
    "jacfwd": DERIVATIVES["jacfwd"],
    "forward over forward": (
        lambda f, g: jax.jacfwd(jax.jacfwd(loss(f, g))),
        lambda D, g: pulled(g, D[2]),
    ),
}
SECOND: dict[str, Derivative] = {
    "reverse over reverse": (
        lambda f, g: jax.jacrev(jax.grad(loss(f, g))),
        lambda D, g: pulled(g, D[2]),
    ),
    "reverse over forward": (
        lambda f, g: jax.grad(lambda x: jnp.sum(like(x, T) * jax.jacfwd(loss(f, g))(x))),
        lambda D, g: pulled(T, pulled(g, D[2])),
    ),
    "jvp of grad": (
        lambda f, g: lambda x: jax.jvp(jax.grad(loss(f, g)), (x,), (like(x, T),))[1],
        lambda D, g: np.tensordot(pulled(g, D[2]), T, 2),
    ),
}


@dataclass(frozen=True, eq=False)
class Switch:
    """Something around a function or a program that leaves the numbers as they are.

    Attributes:
        name: what it is called.
        of_function: the function, transformed; its derivatives are taken from outside.
        of_program: the program of all derivatives, transformed.
        setting: the setting of JAX it is traced and called in.
        derivatives: the derivatives that it has.
        dtype: that of the function's argument.
    """

    name: str
    of_function: Callable[[Callable], Callable] = lambda f: f
    of_program: Callable[[Callable], Callable] = quick_jit
    setting: Callable[[], Any] = nullcontext
    derivatives: Any = None
    dtype: str = "float32"

    def __str__(self) -> str:
        return self.name


def eager(program: Callable) -> Callable:
    return program


@contextmanager
def settings(*each: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for setting in each:
            stack.enter_context(setting)
        yield


def in_vmap(f: Callable) -> Callable:
    return lambda x: jax.vmap(f)(jnp.stack([x, -x]))[0]


def in_scan(f: Callable) -> Callable:
    """As the second of two rows and of two sums: the carry has a derivative too."""

    def body(carry: Array, x: Array) -> tuple[Array, Array]:
        y = f(x)
        return carry + y, y

    def scanned(x: Array) -> Array:
        last, each = lax.scan(body, jnp.zeros_like(f(x)), jnp.stack([x, x]))
        return 2 * each[1] - last + each[0]

    return scanned


def in_map(f: Callable) -> Callable:
    return lambda x: lax.map(f, jnp.stack([-x, x]))[1]


def in_while(f: Callable) -> Callable:
    """Twice, by a number of steps that is not static; each step starts from x again."""

    def looped(x: Array) -> Array:
        def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
            return state[0] + 1, f(x)

        return lax.while_loop(lambda s: s[0] < 2 + jnp.sum(0 * x), step, (0, jnp.zeros_like(f(x))))[
            1
        ]

    return looped


def in_fori(f: Callable) -> Callable:
    return lambda x: lax.fori_loop(0, 2, lambda i, y: f(x), jnp.zeros_like(f(x)))


def in_cond(f: Callable) -> Callable:
    return lambda x: lax.cond(jnp.sum(x) > -1e3, f, lambda x: jnp.zeros_like(f(x)), x)


def in_shards(f: Callable) -> Callable:
    """A batch of two on two devices."""
    mesh = jax.make_mesh((2,), ("devices",), (AxisType.Auto,), devices=jax.devices("cpu")[:2])
    split = PartitionSpec("devices")
    sharded = jax.shard_map(jax.vmap(f), mesh=mesh, in_specs=split, out_specs=split)
    return lambda x: sharded(jnp.stack([x, -x]))[0]


def program_in_scan(program: Callable) -> Callable:
    """Derivatives inside the body."""
    return quick_jit(lambda x: first(lax.scan(lambda c, x: (c, program(x)), None, x[None])[1]))


def program_in_vmap(program: Callable) -> Callable:
    return quick_jit(lambda x: first(jax.vmap(program)(jnp.stack([x, -x]))))


def program_in_pmap(program: Callable) -> Callable:
    mapped = jax.pmap(program, devices=jax.devices("cpu")[:2])
    return lambda x: first(jax.tree.map(np.asarray, mapped(jnp.stack([x, -x]))))


def exported(program: Callable) -> Callable:
    """There and back, as bytes where the package that writes them is installed."""

    def call(x: Array) -> Any:
        kept = export.export(jax.jit(program))(jax.ShapeDtypeStruct(x.shape, x.dtype))
        if find_spec("flatbuffers"):
            kept = export.deserialize(kept.serialize())
        return quick_jit(kept.call)(x)

    return call


def first(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[0], tree)


def strict() -> Any:
    return settings(jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"))


def lenient() -> Any:
    """As JAX has it by default."""
    return settings(jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"))


SWITCHES = [
    Switch("jit, strict promotion", setting=strict),
    Switch("jit, default promotion", setting=lenient),
    Switch("x64", setting=partial(jax.enable_x64, True), dtype="float64"),
    Switch("float16", setting=strict, dtype="float16"),
    Switch("bfloat16", setting=strict, dtype="bfloat16"),
    Switch("checking_leaks", setting=jax.checking_leaks),
    Switch("vmap", in_vmap),
    Switch("scan", in_scan, derivatives=DERIVATIVES | SECOND),
    Switch("map", in_map, derivatives=DERIVATIVES | SECOND),
    Switch("while", in_while, derivatives=FORWARD),
    Switch("fori", in_fori, derivatives=FORWARD | DERIVATIVES),
    Switch("cond", in_cond),
    Switch("checkpoint", jax.checkpoint, derivatives=DERIVATIVES | SECOND),
    Switch("shard_map", in_shards),
    Switch("pmap", of_program=program_in_pmap),
    Switch("export", of_program=exported),
]
UNCOMPILED = [
    Switch("disable_jit", of_program=eager, setting=jax.disable_jit),
    Switch("debug_nans", of_program=eager, setting=partial(jax.debug_nans, True)),
    Switch(
        "debug_nans, disable_jit",
        of_program=eager,
        setting=lambda: settings(jax.debug_nans(True), jax.disable_jit()),
    ),
    Switch("debug_infs", of_program=eager, setting=partial(jax.debug_infs, True)),
]
PAIRS = [
    Switch("derivatives inside scan", of_program=program_in_scan, derivatives=DERIVATIVES | SECOND),
    Switch("derivatives of scan inside scan", in_scan, program_in_scan),
    Switch("derivatives of map inside vmap", in_map, program_in_vmap),
    Switch("scan inside vmap", lambda f: in_vmap(in_scan(f))),
    Switch("vmap inside scan", lambda f: in_scan(in_vmap(f)), derivatives=DERIVATIVES | SECOND),
    Switch("checkpoint inside scan", lambda f: in_scan(jax.checkpoint(f))),
    Switch("scan inside checkpoint", lambda f: jax.checkpoint(in_scan(f))),
    Switch("cond inside scan", lambda f: in_scan(in_cond(f))),
    Switch("scan inside scan", lambda f: in_scan(in_scan(f))),
    Switch("map inside cond", lambda f: in_cond(in_map(f))),
    Switch("jit inside scan", lambda f: in_scan(jax.jit(f))),
    Switch("scan inside shard_map", lambda f: in_shards(in_scan(f))),
]
# A −∞ is part of what is computed, be it left out later.
WITH_AN_INFINITY = {"log_softmax, masked", "logsumexp, weighted, masked, fast"}


def dealt(position: int) -> list[Function]:
    """Functions for the switch at a position: those of CORE in turn, and the others in turn."""
    others = [f for f in SWITCHED if f not in CORE]
    return [functions[position % len(functions)] for functions in (CORE, others)]


@cache
def truths(function: Function) -> dict[str, list[np.ndarray]]:
    """By the place: the plain value and two derivatives, in float64."""
    with jax.enable_x64(True):
        f = function.plain
        every = jax.vmap(lambda x: [f(x), jax.jacfwd(f)(x), jax.jacfwd(jax.jacfwd(f))(x)])
        results = quick_jit(every)(jnp.stack([jnp.asarray(x) for x in PLACES.values()]))
        return {place: [np.asarray(d[i]) for d in results] for i, place in enumerate(PLACES)}
