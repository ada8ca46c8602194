"""Forms of s = exp(x) / Σ exp(x) along the last axis, in the dtype of x.

What differs is how the rounding of x − max x, up to half a unit of 100 where s is tiny, is kept out
of the exponential.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from benchmarks.forms.form import Form

Difference = Callable[[Array, Array], tuple[Array, Array]]


def _max(x: Array) -> Array:
    return jnp.max(x, -1, keepdims=True)


def _over_sum(e: Array) -> Array:
    return e / jnp.sum(e, -1, keepdims=True)


def _plain(x: Array) -> Array:
    return _over_sum(jnp.exp(x - _max(x)))


def _by_log(x: Array) -> Array:
    d = x - _max(x)
    return jnp.exp(d - jnp.log(jnp.sum(jnp.exp(d), -1, keepdims=True)))


def _unfused_quotient(x: Array) -> Array:
    e = jnp.exp(x - _max(x))
    return e / jnp.maximum(jnp.sum(e, -1, keepdims=True), e)  # the sum, in the shape of e


def _carried(difference: Difference) -> Callable[[Array], Array]:
    def softmax(x: Array) -> Array:
        d, err = difference(x, _max(x))
        return _over_sum(jnp.exp(d) * (1 + err))

    return softmax


def _two_sum(x: Array, m: Array) -> tuple[Array, Array]:
    d = x - m
    back = d - x
    return d, (x - (d - back)) - (m + back)


def _clamped(x: Array, m: Array) -> tuple[Array, Array]:
    return _two_sum(jnp.maximum(x, -float(jnp.finfo(x.dtype).max)), m)


def _scaled(x: Array, m: Array) -> tuple[Array, Array]:
    d, err = _two_sum(jnp.maximum(x / 4, -0.75 * float(jnp.finfo(x.dtype).max)), m / 4)
    return 4 * d, 4 * err


def _from_a_grid(x: Array) -> Array:
    quarter, c = jnp.maximum(x / 4, -0.75 * float(jnp.finfo(x.dtype).max)), jnp.floor(_max(x) / 4)
    d = quarter - c
    return _over_sum(jnp.exp(4 * d) * (1 + 4 * (quarter - (d + c))))


def _selected(x: Array, m: Array) -> tuple[Array, Array]:
    d, err = _two_sum(x, m)
    return d, jnp.where(jnp.isfinite(x), err, 0)


def _split(x: Array) -> Array:
    digits = jnp.finfo(x.dtype).nmant
    rounder = 1.5 * 2.0 ** (digits - digits // 2)  # adding it rounds to half of the digits
    near = jnp.clip(x, -rounder / 3, rounder / 3)
    fine = near - ((near + rounder) - rounder)
    coarse = x - fine  # its differences are exact
    return _over_sum(jnp.exp(coarse - _max(coarse)) * (1 + fine))


FORMS = (
    Form("plain", _plain, 'the rounding of x − max x is left in ("fast"; `jax.nn`)'),
    Form("plain, by the logarithm", _by_log, "one more exponential, more rounding"),
    Form("plain, the sum at full size", _unfused_quotient, "one pass also for few rows; no gain"),
    Form("TwoSum", _carried(_two_sum), "NaN for −inf"),
    Form("TwoSum, x clamped", _carried(_clamped), "overflows for the largest x"),
    Form("TwoSum, x clamped, in quarters", _carried(_scaled), "every finite x"),
    Form("FastTwoSum from a grid", _from_a_grid, 'the same, three operations fewer ("high")'),
    Form("TwoSum, selected", _carried(_selected), "selects break XLA:CPU's fusion"),
    Form("split at a grid", _split, "XLA folds x + c − c to x, and does not fuse a clamp on CPUs"),
)
