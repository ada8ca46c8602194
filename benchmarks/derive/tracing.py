"""How long `derive` takes to trace, over what it cannot do without.

That is `jax.linearize` and `jax.make_jaxpr` of the same function, traced like it. Each call gets
a fresh function, as no cache of JAX knows; the library functions it calls are known already.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxcalc as jc
from benchmarks.derive.cases import Function, normal, weights
from benchmarks.report import Result, Row
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, measure

OWN, PARTS = "derive", "linearize + make_jaxpr"


def layer_norm(x: jax.Array) -> jax.Array:
    """Each row less its mean, over its standard deviation."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def measure_all(n: int, depth: int, effort: Effort) -> Result:
    """A row each for one primitive, several, and a net of that depth."""
    layers = [weights(n, seed) for seed in range(depth)]

    def perceptron(x: jax.Array) -> jax.Array:
        for W in layers:
            x = jnp.tanh(W @ x)
        return x

    functions = {
        "sigmoid": jax.nn.sigmoid,
        "layer norm": layer_norm,
        f"{depth}-layer MLP": perceptron,
    }
    x = normal(n, seed=depth)
    return Result([measure_tracing(name, f, x, effort) for name, f in functions.items()], [])


def measure_tracing(name: str, f: Function, x: jax.Array, effort: Effort) -> Row:
    """The time, and its ratio to that of the parts."""
    times = measure({OWN: _tracing(f, x, _derive), PARTS: _tracing(f, x, _in_parts)}, effort)
    equations = len(jax.make_jaxpr(f)(x).eqns)
    return {"part": "tracing", "case": name, "equations": equations, **timing(times, OWN, PARTS)}


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
