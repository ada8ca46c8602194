"""What is claimed, as a dense array."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._check._oracles import Array, eps_of_point
from jaxcalc._check._rounding import DOUBLE, coarsest, eps_of
from jaxcalc.operators import LinearOperator

Claim = Callable[..., tuple[jax.Array, float | None]]
SHORT = 64  # equations


def claimed(df: Any) -> Claim:
    """The claim as a function of the point: a dense array, by one program if that is short.

    Loops over entries would compile for long. Where the program fails, for whatever reason, the
    function itself says why, or does not. With the array comes the eps it is computed with.
    """
    if not callable(df) and not isinstance(df, LinearOperator):
        return lambda *args: (jnp.asarray(df), DOUBLE)
    of = df if callable(df) else lambda *args: df
    program = jax.jit(lambda *args: _dense(of(*args)))

    def run(*args: Any) -> tuple[jax.Array, float | None]:
        with suppress(Exception):
            traced = program.trace(*args).jaxpr
            is_short = len(traced.eqns) <= SHORT
            return program(*args) if is_short else _dense(of(*args)), coarsest(traced)
        return _dense(of(*args)), None

    return run


def _dense(found: Any) -> jax.Array:
    return found.todense() if isinstance(found, LinearOperator) else jnp.asarray(found)


def of_doubles(claim: Claim, args: Sequence[Any], wide: Sequence[Any]) -> tuple[Array, float]:
    """The claim, of doubles if it takes them, and the eps it is computed with."""
    try:
        dense, eps = claim(*wide)
    except (TypeError, ValueError):  # it may want the dtypes that it was written for
        dense, eps = claim(*args)
    if not jnp.issubdtype(dense.dtype, jnp.number) or jnp.iscomplexobj(dense):
        raise TypeError(f"`df` must give a real array or an operator, but got {dense.dtype}.")
    inside = eps_of_point(args) if eps is None else eps
    return np.asarray(dense, np.float64), max(inside, eps_of(dense.dtype))
