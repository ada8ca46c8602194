"""How long `derive` takes to trace, over what it cannot do without.

That is `jax.linearize` and `jax.make_jaxpr` of the same function, traced like it. Each call gets
a fresh function, as no cache of JAX knows; the library functions it calls are known already.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxcalc as jc
from benchmarks.peers.jacobians import Function
from benchmarks.report import Row
from benchmarks.structure.cases import normal, weights
from benchmarks.structure.contest import Aim, aim_row, ratio_fields, timing_fields
from benchmarks.timing import Contestant, Effort, measure

AT_MOST = 3.0
OWN, PARTS = "trace: derive", "trace: linearize + make_jaxpr"


class Traced(NamedTuple):
    """A function of one array."""

    name: str
    f: Function
    x: jax.Array


def layer_norm(x: jax.Array) -> jax.Array:
    """Each row less its mean, over its standard deviation."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def _perceptron(layers: Sequence[jax.Array], x: jax.Array) -> jax.Array:
    for W in layers:
        x = jnp.tanh(W @ x)
    return x


def _residual(layers: Sequence[jax.Array], x: jax.Array) -> jax.Array:
    for W in layers:
        x = x + jax.nn.silu(W @ layer_norm(x))
    return x


def traced(n: int, depth: int) -> list[Traced]:
    """From one primitive to nets of that depth, of vectors of n entries."""
    layers, x = [weights(n, seed) for seed in range(depth)], normal(n, seed=depth)
    return [
        Traced("sigmoid", jax.nn.sigmoid, x),
        Traced("softmax", jax.nn.softmax, x),
        Traced("softmax(A x)", lambda x: jax.nn.softmax(layers[0] @ x), x),
        Traced("layer norm", layer_norm, x),
        Traced("3-layer MLP", functools.partial(_perceptron, layers[:3]), x),
        Traced(f"{depth}-layer MLP", functools.partial(_perceptron, layers), x),
        Traced(f"{depth} residual layers", functools.partial(_residual, layers), x),
    ]


def measure_overhead(function: Traced, effort: Effort) -> list[Row]:
    """Both times, their ratio, and whether it is within the aim."""
    f, x = function.f, function.x
    times = measure({OWN: _tracing(f, x, _derive), PARTS: _tracing(f, x, _in_parts)}, effort)
    row = {
        "part": "overhead",
        "case": function.name,
        "equations": len(jax.make_jaxpr(f)(x).eqns),
        **{f"parts_{name}": value for name, value in timing_fields(times[PARTS]).items()},
        **timing_fields(times[OWN]),
        **ratio_fields(times, OWN, (PARTS,)),
    }
    return [row, aim_row(function.name, Aim(OWN, (PARTS,), AT_MOST), times)]


def _tracing(f: Function, x: jax.Array, what: Callable[[Function, Any], Any]) -> Contestant:
    def trace() -> None:
        jax.make_jaxpr(lambda x: what(lambda x: f(x), x))(x)

    return Contestant(trace, [()])


def _derive(f: Function, x: jax.Array) -> Any:
    return jc.derive(f)(x)


def _in_parts(f: Function, x: jax.Array) -> jax.Array:
    y, _ = jax.linearize(f, x)
    jax.make_jaxpr(f)(x)
    return y
