"""The functions of complex numbers: the plain formulas, which are holomorphic.

Their derivatives are those of JAX. A shift of the logits that keeps exponentials finite needs only
their real parts.
"""

import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._functions.rows import Rows


def sigmoid(z: Array) -> Array:
    """1/(1 + e⁻ᶻ)."""
    return lax.logistic(z)


def softplus(z: Array) -> Array:
    """log(1 + eᶻ)."""
    return jnp.logaddexp(z, jnp.zeros((), z.dtype))


def softmax(z: Array, where: Array | None, rows: Rows) -> Array:
    """exp(z) / Σ exp(z)."""
    e, _ = _shifted(z, where, rows)
    sums = jnp.sum(e, rows.axes, keepdims=True)
    return e / sums if where is None else e / jnp.where(sums == 0, 1, sums)


def log_softmax(z: Array, where: Array | None, rows: Rows) -> Array:
    """z − log Σ exp(z)."""
    out = z - logsumexp(z, None, where, rows)
    return out if where is None else jnp.where(where, out, -jnp.inf)


def logsumexp(z: Array, b: Array | None, where: Array | None, rows: Rows) -> Array:
    """log Σ b exp(z)."""
    e, m = _shifted(z, where, rows)
    weighted = e if b is None else jnp.where(b == 0, 0, b * e)
    return jnp.log(jnp.sum(weighted, rows.axes, keepdims=True)) + m


def _shifted(z: Array, where: Array | None, rows: Rows) -> tuple[Array, Array]:
    """exp(z − m) where the mask is True, else 0, and m, the largest real part."""
    chosen = z if where is None else jnp.where(where, z, 0)
    real = chosen.real if where is None else jnp.where(where, z.real, -jnp.inf)
    m = lax.stop_gradient(jnp.max(real, rows.axes, keepdims=True, initial=-jnp.inf))
    m = jnp.where(jnp.isfinite(m), m, 0)
    e = jnp.exp(chosen - m.astype(z.dtype))
    return e if where is None else jnp.where(where, e, 0), m.astype(z.dtype)
