"""The linear maps of the softmax family, each a primitive.

With s = softmax(x), in numerator layout:

    softmax_product          J = diag(s) − s sᵀ     its own transpose
    log_softmax_product      C = I − 1 sᵀ           t ↦ t − ⟨s, t⟩
    log_softmax_transposed   Cᵀ = I − s 1ᵀ          g ↦ g − s Σg
    logsumexp_product        sᵀ                     t ↦ ⟨s, t⟩
    logsumexp_transposed     s                      g ↦ s g
    exponentials_product     sᵀ, s = exp(x − m)/Σ   t ↦ ⟨s, t⟩, where x − m is exact: of 16 bits
    exponentials_transposed  s                      g ↦ s g
    weighted_sum             wᵀ, any weights w      t ↦ ⟨w, t⟩
    weighted_sum_transposed  w                      g ↦ w g

J = diag(s) C, and C annihilates constants. What t has in common is taken off before the products
are formed, as the difference from an entry of t: exact, so that nothing is left of it, be it the t
of one class with nearly all of the probability or of a group. The entry nearest to the mean serves:
with μ = ⟨s, t⟩ some |t_k − μ| is at most ⟨s, |t − μ|⟩, which is at most twice the least mean
deviation from any number, so that rounding stays within a few u Σ_i s_i |t_k − t_i| for every k.
The mean itself is taken off first, twice since it is rounded too: of what is left after the first,
the mean is known to less than the spacing of t. In Cᵀg the entry of a class with most of the
probability, whose terms cancel, is minus the sum of the others.

These forms are arithmetic, minima and maxima only: XLA:CPU computes such chains in one pass, which
a comparison, a selection or a sign would break.

How they change with x, where ds = J dx:

    dJ t = Cᵀ(ds ⊙ C t)     dC t = −⟨dx, J t⟩ 1     dCᵀ g = −ds Σg
    dsᵀ t = ⟨dx, J t⟩       ds g
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._arrays import is_narrow, narrowed, wide, working
from jaxcalc._functions.fusion import seeded_form
from jaxcalc._functions.kernels import fits, kernel_form, maps, refused_form
from jaxcalc._functions.native.forms import native_form
from jaxcalc._functions.row_primitives import RowProduct, spread
from jaxcalc._functions.rows import Rows, probabilities, rounded, total


def center(s: Array, t: Array, rows: Rows) -> Array:
    """C t = t − ⟨s, t⟩."""
    narrow, (s, t) = is_narrow(t), together(s, t, rows)
    if rows.accuracy == "high":
        if rows.axis_name:
            return _center_split(s, t, rows)
        if not narrow:  # what is left has a mean known to less than the spacing of t
            # by s: a product of numbers a row, as 0 · mean is, would part XLA:CPU's loop in two
            t = rounded(t, s) - total(s * t, rows)
        t -= total(s * t, rows)
        t -= _nearest(t, t, rows)
    return t - total(s * t, rows)


def together(s: Array, t: Array, rows: Rows) -> tuple[Array, Array]:
    """A softmax and a tangent in one dtype to form products in."""
    t = working(t, rows.accuracy)
    dtype = max(s.dtype, t.dtype, key=lambda dtype: dtype.itemsize)
    return s.astype(dtype), t.astype(dtype)


def _times(s: Array, t: Array) -> Array:
    """s ⊙ t, in the dtype of t: what multiplies it may be of fewer bits."""
    return s.astype(t.dtype) * t


def _nearest(t: Array, from_mean: Array, rows: Rows) -> Array:
    """The entry of t that is nearest to the mean; of two, the larger."""
    distance = jnp.abs(from_mean)
    excess = distance - jnp.min(distance, rows.axes, keepdims=True, initial=jnp.inf)
    return jnp.max(t - excess * _huge(t), rows.axes, keepdims=True, initial=-jnp.inf)


def _center_split(s: Array, t: Array, rows: Rows) -> Array:
    """C t of rows that are split over devices, which exchange three numbers a row, once.

    Each sends its share S = Σs, the entry c of its part nearest to the part's mean, and
    q = Σ s (t − c), so that Σ s (t − a) = Σ S (c − a) + q over the devices for any a. The c nearest
    to the mean serves as a: some part's mean deviation is no more than that of the row.
    """
    own = rows._replace(axis_name=())
    S = total(s, own)
    share = jnp.where(S > 0, S, 1)
    mean = total(s * t, own) / share
    t = rounded(t, mean)
    u = t - mean
    c = _nearest(t, u - total(s * u, own) / share, own)
    q = total(s * (t - c), own)
    sent = jnp.stack(jnp.broadcast_arrays(S, c, q))
    S, c, q = lax.all_gather(sent, rows.axis_name, axis=1)

    def nearest(a: Array) -> Array:
        off = jnp.sum(S * (c - a) + q, 0, keepdims=True) / jnp.sum(S, 0, keepdims=True)
        which = jnp.argmin(jnp.where(S > 0, jnp.abs(c - a - off), jnp.inf), 0, keepdims=True)
        return jnp.take_along_axis(c, which, 0)

    # from the first, which may be far off and is rounded so, to one that is near
    a = nearest(nearest(c[:1]))
    return t - a[0] - jnp.sum(S * (c - a) + q, 0)


def center_transposed(s: Array, g: Array, rows: Rows) -> Array:
    """Cᵀ g = g − s Σg."""
    s, g = together(s, g, rows)
    h = g - s * total(g, rows)
    if rows.accuracy == "fast":
        return h
    major = jnp.round(s)  # 1 where a class has more than half of the probability, else 0
    if rows.source == "shares":  # of weights of both signs several may have, or more than all
        major = jnp.where(total(jnp.abs(major), rows) == 1, jnp.maximum(major, 0), 0)
    h *= 1 - major
    return h - major * total(h, rows)


def _huge(x: Array) -> float:
    return float(jnp.finfo(x.dtype).max)


def _softmax(r: Array, t: Array, *, rows: Rows) -> Array:
    s = probabilities(r, rows)
    return _times(s, center(s, t, rows))


def _log_softmax(r: Array, t: Array, *, rows: Rows) -> Array:
    return center(probabilities(r, rows), t, rows)


def _log_softmax_transposed(r: Array, g: Array, *, rows: Rows) -> Array:
    return center_transposed(probabilities(r, rows), g, rows)


def _logsumexp(r: Array, t: Array, *, rows: Rows) -> Array:
    s, t = together(probabilities(r, rows), t, rows)
    return total(s * t, rows)


def _logsumexp_transposed(r: Array, g: Array, *, rows: Rows) -> Array:
    s, g = together(probabilities(r, rows), g, rows)
    return s * g


def _curvature(r: Array, t: Array, dr: Array, *, rows: Rows) -> Array:
    s = probabilities(r, rows)
    ds = working(dr, rows.accuracy) if rows.keep_softmax else _times(s, center(s, dr, rows))
    return center_transposed(s, _times(ds, center(s, t, rows)), rows)


def _curvature_transposed(r: Array, t: Array, w: Array, *, rows: Rows) -> Array:
    s = probabilities(r, rows)
    both = center(s, t, rows) * center(s, w, rows)
    return both if rows.keep_softmax else _times(s, center(s, both, rows))


def _exponentials(x: Array, m: Array, sums: Array, t: Array, *, rows: Rows, dtype: Any) -> Array:
    return total(jnp.exp(wide(x) - m) * wide(t), rows) / sums


def _exponentials_transposed(
    x: Array, m: Array, sums: Array, g: Array, *, rows: Rows, dtype: Any
) -> Array:
    return jnp.exp(wide(x) - m) * (wide(g) / sums)


softmax_product = RowProduct("softmax_product", _softmax)
log_softmax_product = RowProduct("log_softmax_product", _log_softmax)
log_softmax_transposed = RowProduct("log_softmax_transposed", _log_softmax_transposed)
logsumexp_product = RowProduct("logsumexp_product", _logsumexp, gives="row")
logsumexp_transposed = RowProduct("logsumexp_transposed", _logsumexp_transposed, takes="row")

exponentials_product = RowProduct("exponentials_product", _exponentials, gives="row")
exponentials_transposed = RowProduct(
    "exponentials_transposed", _exponentials_transposed, takes="row"
)

softmax_curvature = RowProduct("softmax_curvature", _curvature)
softmax_curvature_transposed = RowProduct("softmax_curvature_transposed", _curvature_transposed)

log_softmax_product.deftranspose(log_softmax_transposed)
log_softmax_transposed.deftranspose(log_softmax_product)
logsumexp_product.deftranspose(logsumexp_transposed)
logsumexp_transposed.deftranspose(logsumexp_product)
exponentials_product.deftranspose(exponentials_transposed)
exponentials_transposed.deftranspose(exponentials_product)
softmax_curvature.deftranspose(softmax_curvature_transposed)
softmax_curvature_transposed.deftranspose(softmax_curvature)

for _product, _map in (
    (softmax_product, maps.softmax_product),
    (log_softmax_product, maps.log_softmax_product),
    (log_softmax_transposed, maps.log_softmax_transposed),
    (softmax_curvature, maps.softmax_curvature),
    (softmax_curvature_transposed, maps.softmax_curvature_transposed),
):
    _takes = "xcc" if "curvature" in _product.name else "xc"
    _product.defform("cuda", kernel_form(_map))
    _product.defform("cpu", native_form(_product.name, _takes, "c", refused_form))
    _product.defform(None, refused_form)
for _product in (logsumexp_product, logsumexp_transposed):
    _product.defform("cuda", lambda apply, lowered: seeded_form(apply))
# What is left to XLA it computes as fast, in one loop with what is done beside it.
logsumexp_product.defform("cpu", native_form(logsumexp_product.name, "xc", "r"))


def softmax_change(r: Array, dr: Array, rows: Rows) -> Array:
    """ds: the change of the softmax when what was kept of it changes by dr."""
    return dr if rows.keep_softmax else softmax_product(r, dr, rows=rows)


def mean_change(dr: Array, r: Array, t: Array, rows: Rows) -> Array:
    """⟨ds, t⟩ = ⟨ds, C t⟩ = ⟨dx, J t⟩."""
    product = log_softmax_product if rows.keep_softmax else softmax_product
    # XLA:CPU of jax 0.12 sums a product of two broadcasts wrongly, where it may fuse them
    return total(lax.optimization_barrier(dr * product(r, t, rows=rows)), rows)


def curvature(r: Array, t: Array, dr: Array, rows: Rows) -> Array:
    """dJ t = Cᵀ(ds ⊙ C t), in parts where rows are split or no kernel of three arrays fits."""
    kernel_fits = rows.implementation != "pallas" or fits(t, rows, arrays=3)
    if rows.axis_name or not kernel_fits:
        return narrowed(_composed(r, wide(t), wide(dr), rows), t.dtype)
    return softmax_curvature(r, t, jnp.broadcast_to(dr, t.shape), rows=rows)


def _composed(r: Array, t: Array, dr: Array, rows: Rows) -> Array:
    change = softmax_change(r, dr, rows) * log_softmax_product(r, t, rows=rows)
    return log_softmax_transposed(r, change, rows=rows)


def _composed_transposed(r: Array, t: Array, w: Array, rows: Rows) -> Array:
    both = log_softmax_product(r, t, rows=rows) * log_softmax_product(r, w, rows=rows)
    return softmax_change(r, both, rows)


# the products that others make up: what each is of its operands and the rows
COMPOSED = {
    softmax_curvature: _composed,
    softmax_curvature_transposed: _composed_transposed,
}
softmax_product.defderivative(0, lambda dr, r, t, *, rows: curvature(r, t, dr, rows), whole=True)
for _product, _composition in COMPOSED.items():
    _product.defderivative(
        0,
        lambda dr, r, t, u, *, rows, f=_composition: jax.jvp(
            lambda r: f(r, t, u, rows), (r,), (dr,)
        )[1],
    )
    _product.defderivative(1, lambda dt, r, t, u, *, rows, f=_composition: f(r, dt, u, rows))
log_softmax_product.defderivative(
    0, lambda dr, r, t, *, rows: spread(-mean_change(dr, r, t, rows), t, rows)
)
log_softmax_transposed.defderivative(
    0, lambda dr, r, g, *, rows: -softmax_change(r, dr, rows) * total(g, rows)
)
logsumexp_product.defderivative(0, lambda dr, r, t, *, rows: mean_change(dr, r, t, rows))
logsumexp_transposed.defderivative(0, lambda dr, r, g, *, rows: softmax_change(r, dr, rows) * g)
exponentials_product.defderivative(
    0, lambda dx, x, m, sums, t, *, rows, dtype: mean_change(dx, x, t, rows).astype(dtype)
)
exponentials_transposed.defderivative(
    0, lambda dx, x, m, sums, g, *, rows, dtype: softmax_change(x, dx, rows) * g
)


def _weighed(w: Array, t: Array) -> Array:
    """w ⊙ t: what does not change adds nothing, though its weight be infinite; NaN goes on."""
    return jnp.where((t == 0) & jnp.isinf(w), 0, wide(w) * wide(t))


weighted_sum = RowProduct(
    "weighted_sum", lambda w, t, *, rows: total(_weighed(w, t), rows), gives="row"
)
weighted_sum_transposed = RowProduct(
    "weighted_sum_transposed", lambda w, g, *, rows: _weighed(w, g), takes="row"
)
weighted_sum.deftranspose(weighted_sum_transposed)
weighted_sum_transposed.deftranspose(weighted_sum)
weighted_sum.defderivative(0, lambda dw, w, t, *, rows: total(dw * t, rows))
weighted_sum_transposed.defderivative(0, lambda dw, w, g, *, rows: dw * g)
