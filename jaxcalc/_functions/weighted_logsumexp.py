"""log |bᵀexp(a)|, with weights b of either sign: values and closed-form derivatives."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._arrays import narrowed, wide
from jaxcalc._functions.masks import refused
from jaxcalc._functions.primitives import add, changing
from jaxcalc._functions.row_primitives import RowValue
from jaxcalc._functions.rows import Rows, largest, normalizer, total
from jaxcalc._functions.softmax_maps import log_softmax_product, weighted_sum


def _weighted_exponentials(a: Array, b: Array, rows: Rows) -> tuple[Array, Array, Array]:
    """exp(a − m), bᵀexp(a − m) and m, the largest a of nonzero weight."""
    m = largest(jnp.where(b != 0, a, -jnp.inf), rows)
    m = jnp.where(m == -jnp.inf, 0, jnp.minimum(m, float(jnp.finfo(m.dtype).max)))
    e = jnp.exp(a - m)
    return e, total(jnp.where(b == 0, 0, b * e), rows), m


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def weighted_logsumexp(b: Array, a: Array, rows: Rows) -> list[Array]:
    """log |bᵀexp(a)| and its sign; an entry of weight 0 is left out, whatever a is there."""
    return _weighted_values(b, a, rows=rows)


def _log_and_sign(b: Array, a: Array, *, rows: Rows) -> list[Array]:
    _, weighted, m = _weighted_exponentials(wide(a), wide(b), rows)
    return [m + jnp.log(jnp.abs(weighted)), jnp.sign(weighted)]


_weighted_values = RowValue("weighted_logsumexp", _log_and_sign, "row", "row")


@_weighted_values.defjvp
@partial(
    weighted_logsumexp.defjvp, symbolic_zeros=True
)  # ∂/∂b = v = exp(a) / bᵀexp(a),  ∂/∂a = w = b ⊙ v
def _(rows: Rows, primals: Any, tangents: Any) -> Any:
    (b, a), (db, da) = primals, tangents
    out, sign = weighted_logsumexp(b, a, rows)

    def kept(of: Callable[..., Array]) -> Array:
        weights = of(wide(b), wide(a), rows)
        in_float32 = a.dtype == "float16" and rows.accuracy == "high"  # small ones have few digits
        return weights if in_float32 else narrowed(weights, a.dtype)

    changes = []
    if changing(da):
        changes.append(weighted_sum(kept(_parts), da, rows=rows))
    if changing(db):
        changes.append(weighted_sum(kept(_shares), db, rows=rows))
    return [out, sign], [add(changes), jnp.zeros_like(sign)]


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _shares(b: Array, a: Array, rows: Rows) -> Array:
    return _share_values(b, a, rows=rows)


def _shares_formula(b: Array, a: Array, *, rows: Rows) -> Array:  # v = exp(a) / bᵀexp(a)
    _, weighted, m = _weighted_exponentials(a, b, rows)
    half = jnp.exp((a - m) / 2)  # of an entry without weight exp(a − m) may be beyond the dtype
    return jnp.where(a == -jnp.inf, 0, half * (half / _divisor(weighted, rows)))


def _divisor(weighted: Array, rows: Rows) -> Array:
    return normalizer(jnp.abs(weighted), rows) * jnp.sign(weighted)


_share_values = RowValue("shares", _shares_formula, "classes")


@_share_values.defjvp
@partial(_shares.defjvp, symbolic_zeros=True)  # dv = v ⊙ (da − ⟨w, da⟩ − ⟨v, db⟩), where Σw = 1
def _(rows: Rows, primals: Any, tangents: Any) -> Any:
    (b, a), (db, da) = primals, tangents
    v = _shares(b, a, rows)
    changes = []
    if changing(da):
        w = _parts(b, a, rows)
        changes.append(v * log_softmax_product(w, da, rows=_of_shares(rows)))
    if changing(db):
        changes.append(-v * weighted_sum(v, db, rows=rows))
    return v, add(changes)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _parts(b: Array, a: Array, rows: Rows) -> Array:
    return _part_values(b, a, rows=rows)


def _parts_formula(b: Array, a: Array, *, rows: Rows) -> Array:  # w = b ⊙ v, 0 where b is
    e, weighted, _ = _weighted_exponentials(a, b, rows)
    part = b * e / _divisor(weighted, rows)
    return jnp.where((b == 0) | (a == -jnp.inf), 0, part)


_part_values = RowValue("parts", _parts_formula, "classes")


@_part_values.defjvp
@partial(_parts.defjvp, symbolic_zeros=True)  # dw = w ⊙ (da − ⟨w, da⟩) + v ⊙ db − w ⟨v, db⟩
def _(rows: Rows, primals: Any, tangents: Any) -> Any:
    (b, a), (db, da) = primals, tangents
    w = _parts(b, a, rows)
    changes = []
    if changing(da):
        changes.append(w * log_softmax_product(w, da, rows=_of_shares(rows)))
    if changing(db):
        v = _shares(b, a, rows)
        changes.append(v * db - w * weighted_sum(v, db, rows=rows))
    return w, add(changes)


def _of_shares(rows: Rows) -> Rows:
    return rows._replace(source="shares")


@jax.custom_jvp
def nan_of_negative(sign: Array, out: Array) -> Array:
    """The logarithm of a sum, and of a negative one NaN; no other NaN is formed."""
    return jnp.where(sign < 0, jnp.sqrt(sign), out)


@nan_of_negative.defjvp  # NaN with it, but where nothing is asked for
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (sign, out), (_, change) = primals, tangents
    return nan_of_negative(sign, out), refused(~(sign < 0), change)
