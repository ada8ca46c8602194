"""Forms of J t = s ⊙ (t − ⟨s, t⟩) along the last axis, in the dtype of s and t."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from benchmarks.forms.form import Form


def _mean(s: Array, t: Array) -> Array:
    return jnp.sum(s * t, -1, keepdims=True)


def _plain(s: Array, t: Array) -> Array:
    return s * (t - _mean(s, t))


def _by_dot(s: Array, t: Array) -> Array:
    return s * (t - jnp.einsum("...k,...k->...", s, t)[..., None])


def _shifted(times: int) -> Callable[[Array, Array], Array]:
    def product(s: Array, t: Array) -> Array:
        for _ in range(times):
            t = t - _mean(s, t)
        return _plain(s, t)

    return product


def _majority(s: Array, t: Array) -> Array:
    has = jnp.max(s, -1, keepdims=True) > 0.5
    q = jnp.where(has, jnp.where(s > 0.5, 1, 0).astype(s.dtype), s)
    y = s * (t - _mean(q, t))
    return y - q * jnp.sum(y, -1, keepdims=True)


def _likeliest(s: Array, t: Array) -> Array:
    t = t - _mean(s, t)
    t = t - jnp.max(
        t, -1, keepdims=True, where=s == jnp.max(s, -1, keepdims=True), initial=-jnp.inf
    )
    return _shifted(1)(s, t)


def _likeliest_near(s: Array, t: Array) -> Array:
    distance = jnp.abs(t - _mean(s, t))
    near = jnp.where(distance <= 3 * _mean(s, distance), s, 0)
    chosen = near == jnp.max(near, -1, keepdims=True)
    return _shifted(1)(s, t - jnp.max(t, -1, keepdims=True, where=chosen, initial=-jnp.inf))


def _nearest_entry(t: Array, mean: Array) -> Array:
    distance = jnp.abs(t - mean)
    excess = distance - jnp.min(distance, -1, keepdims=True)
    return jnp.max(t - excess * float(jnp.finfo(t.dtype).max), -1, keepdims=True)


def _nearest(s: Array, t: Array) -> Array:
    return _plain(s, t - _nearest_entry(t, _mean(s, t)))


def _shifted_nearest(s: Array, t: Array) -> Array:
    return _nearest(s, t - _mean(s, t))


def _nearest_by_sign(s: Array, t: Array) -> Array:
    t = t - _mean(s, t)
    smallest = jnp.min(jnp.abs(t), -1, keepdims=True)
    return _plain(s, t - smallest * jnp.sign(_mean(s, t)))


FORMS = (
    Form("plain", _plain, 'all that is common to t is left in it ("fast"; `jax.nn`)'),
    Form("plain, by a dot product", _by_dot, "longer sums are less accurate"),
    Form("less the mean", _shifted(1), "fails where a class has nearly all of the probability"),
    Form("less the mean, twice", _shifted(2), "the same, later"),
    Form("majority", _majority, "fails on equal t without a majority"),
    Form("likeliest class", _likeliest, "fails where its t is far from the others'"),
    Form("likeliest class near the mean", _likeliest_near, "selects break XLA:CPU's fusion"),
    Form("nearest to the mean", _nearest, "fails where t is equal but for its rounding"),
    Form("nearest to the mean, by sign", _nearest_by_sign, "the same; one more pass on few rows"),
    Form("nearest to the mean, after it", _shifted_nearest, 'one fused pass ("high")'),
)
