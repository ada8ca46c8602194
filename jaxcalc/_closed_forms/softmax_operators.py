"""The Jacobians of the softmax family as operators: each a diagonal and a column, with s = softmax.

    softmax                 J = diag(s) − s sᵀ
    log_softmax             C = I − 1 sᵀ
    log_softmax_transposed  Cᵀ = I − s 1ᵀ

scaled from both sides where they are part of a chain: diag(l) J diag(r). As sums of a diagonal and
a column their products and diagonals would cancel where a class has nearly all of the probability;
here they are those of the primitives, and s_k (1 − s_k) keeps its digits. All three are singular.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcalc._arrays import holding, narrowed, wide
from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.rows import Rows, probabilities
from jaxcalc._functions.softmax import softmax_rows
from jaxcalc._functions.softmax_maps import (
    log_softmax_product,
    log_softmax_transposed,
    softmax_product,
)
from jaxcalc.operators import (
    Chain,
    Diagonal,
    DiagonalPlusLowRank,
    LinearOperator,
    defcompose,
    static,
)
from jaxcalc.operators._facts import NEGATIVE, NOTHING, POSITIVE, SYMMETRIC, Facts
from jaxcalc.operators._facts import register as register_facts
from jaxcalc.operators._splits import contracted, picked, smallest
from jaxcalc.operators._vectors import in_parts


@dataclass(frozen=True)
class MapKind:
    """One of the three maps, diag(entries) − left rightᵀ with each of them s or ones.

    `columns(s, T)` is its product with a matrix, for which the primitive would look for an anchor
    in every column: here it is the likeliest class.
    """

    product: JacobianProduct
    columns: Callable[[Array, Array], Array]
    transposed: str
    entries: Callable[[Array], Array]
    left: Callable[[Array], Array]
    right: Callable[[Array], Array]


def _s(s: Array) -> Array:
    return s


def _centered(s: Array, t: Array) -> Array:
    """t − 1 sᵀ t, for s a column."""
    likeliest, _ = smallest(-s[..., 0], 1)
    t = t - _as_row(s, picked(t, likeliest))  # exact where t is constant
    t = t - _as_row(s, _mean(s, t))
    return t - _as_row(s, _mean(s, t))


def _mean(s: Array, t: Array) -> Array:
    return contracted(s[..., 0], t, s.ndim - 1, "highest")


def _as_row(s: Array, row: Array) -> Array:
    """`row`, with the axes of one row of s but of size 1 before it."""
    return row.reshape((1,) * (s.ndim - 1) + row.shape[-1:])


def _centered_transposed(s: Array, g: Array) -> Array:
    """g − s 1ᵀ g; for a class with most of the probability, minus the sum of the others."""
    h = g - s * _sum(g)
    return jnp.where(s > 0.5, -_sum(jnp.where(s > 0.5, 0, h)), h)


def _sum(g: Array) -> Array:
    return jnp.sum(g, axis=range(g.ndim - 1), keepdims=True)


def _softmax_columns(s: Array, t: Array) -> Array:
    return s * _centered(s, t)


_one = jnp.ones_like
KINDS = {
    "softmax": MapKind(softmax_product, _softmax_columns, "softmax", _s, _s, _s),
    "log_softmax": MapKind(
        log_softmax_product, _centered, "log_softmax_transposed", _one, _one, _s
    ),
    "log_softmax_transposed": MapKind(
        log_softmax_transposed, _centered_transposed, "log_softmax", _one, _s, _one
    ),
}


class Origin(NamedTuple):
    """What a `SoftmaxJacobian` was made from.

    Attributes:
        kept: what the softmax is read from.
        left: what scales the result, or None.
        right: what scales the source, or None.
    """

    kept: Array
    left: Array | None = None
    right: Array | None = None


jax.export.register_namedtuple_serialization(
    Origin, serialized_name=f"{Origin.__module__}.{Origin.__qualname__}"
)


class SoftmaxJacobian(DiagonalPlusLowRank):
    """diag(left) K diag(right), K of the softmax family; `softmax_operator` makes it.

    Its fields as a `DiagonalPlusLowRank` serve what has no better form here.

    Attributes:
        origin: the arrays that it was made from.
        kind: a name in `KINDS`.
        rows: how `origin.kept` is to be read; its axes are all there are.
        known: what is known of the scaled K, of the names in `_facts`.
    """

    origin: Origin | None = None
    kind: str = static(default="softmax")
    rows: Rows = static(default=Rows((-1,), "high"))
    known: Facts = static(default=NOTHING)

    def mv(self, v: Array) -> Array:
        """left ⊙ K (right ⊙ v)."""
        kept, left, right = self._origin
        return _times(left, KINDS[self.kind].product(kept, _times(right, v), rows=self.rows))

    def mm(self, columns: Array) -> Array:
        """left ⊙ K (right ⊙ v) for every column v."""
        (kept, left, right), kind = self._origin, KINDS[self.kind]
        s = _softmax(kept, self.rows)[..., None]
        product = _column(left) * kind.columns(s, _column(right) * wide(columns))
        return narrowed(product, columns.dtype)

    @property
    def T(self) -> LinearOperator:
        """diag(right) Kᵀ diag(left)."""
        kept, left, right = self._origin
        origin, kind = Origin(kept, right, left), KINDS[self.kind].transposed
        return softmax_operator(kind, origin, self.rows, self.dtype, self.known)

    def tensor(self) -> Array:
        """The diagonal and the rest are products without a difference."""
        n, (left, right) = self.entries.size, self._columns()
        outer = -left.reshape(n, 1) * right.reshape(1, n)
        diagonal = wide(self._accurate_diagonal()).reshape(1, n)
        J = jnp.where(jnp.eye(n, dtype=bool), diagonal, outer)
        return narrowed(J, self.dtype).reshape(self.codomain + self.domain)

    def _quadratic(self, v: Array) -> Array:
        if self.kind != "softmax" or self._is_scaled:
            return super()._quadratic(v)
        # Σ s (C v)², a sum without cancellation
        product = partial(log_softmax_product, self._origin.kept, rows=self.rows)
        centered = wide(in_parts(self, product, v))
        return narrowed(jnp.sum(_times(self._s(), centered**2)), holding(self.dtype, v))

    def pinv(self) -> LinearOperator:
        """P diag(1/s) P for the softmax itself, P = I − 1 1ᵀ/n: over the classes with s > 0."""
        if self.kind != "softmax" or self._is_scaled:
            return super().pinv()
        s = self._s().astype(self.dtype)
        support = (s > 0).astype(self.dtype)
        column = (support / jnp.sqrt(jnp.sum(support)))[..., None]
        P = DiagonalPlusLowRank(support, column, column, -1)
        return P @ (Diagonal(jnp.where(s > 0, 1 / s, 0)) @ P)

    def frobenius_norm(self) -> Array:
        """√ of the squared diagonal and Σ s_i² (Σ s² − s_i²), for the softmax itself."""
        if self.kind != "softmax" or self._is_scaled:
            return super().frobenius_norm()
        s, diagonal = self._s(), wide(self._accurate_diagonal())
        others = _others(s**2, s > 0.5, jnp.sum(s**2))
        return narrowed(jnp.sqrt(jnp.sum(diagonal**2) + jnp.sum(s**2 * others)), self.dtype)

    def __neg__(self) -> LinearOperator:
        opposite = {POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}.get(self.known, self.known)
        return self._multiple(jnp.asarray(-1, self.dtype), opposite)

    def _scaled(self, scale: Array) -> LinearOperator:
        return self._multiple(scale, self.known & SYMMETRIC)

    def _multiple(self, scale: Array, known: Facts) -> LinearOperator:
        return self.scaled_by(jnp.broadcast_to(scale, self.codomain), None, known)

    def scaled_by(
        self, left: Array | None, right: Array | None, known: Facts = NOTHING
    ) -> LinearOperator:
        """diag(left) J diag(right), of which that is `known`; a chain for complex ones."""
        dtype = holding(self.dtype, *(s for s in (left, right) if s is not None))
        if jnp.issubdtype(dtype, jnp.complexfloating):
            ends = [() if scale is None else (Diagonal(scale),) for scale in (left, right)]
            return Chain((*ends[0], self, *ends[1]))
        kept, l0, r0 = self._origin
        left = l0 if left is None else _times(l0, left)
        right = r0 if right is None else _times(r0, right)
        origin = Origin(kept, left, right)
        return softmax_operator(self.kind, origin, self.rows, dtype, known)

    def _diagonal(self) -> Array:
        return self._accurate_diagonal()

    def _trace(self) -> Array:
        return jnp.sum(self._accurate_diagonal())

    def _slogdet(self) -> tuple[Array, Array]:
        nothing = 0 * jnp.sum(self.entries)  # NaN if an entry is
        return nothing, nothing - jnp.inf

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is None:
            return jnp.full_like(b, jnp.nan)
        if self.kind != "softmax" or self._is_scaled:
            return super()._solve(b, shift)
        # 1 − Σ s²/(s + λ), the determinant's second factor, is λ Σ s/(s + λ), as Σ s = 1
        s, b_wide, shift = self._s(), wide(b), wide(shift)
        w = 1 / (s + shift)
        x = w * b_wide + w * s * (jnp.sum(s * w * b_wide) / (shift * jnp.sum(s * w)))
        return narrowed(x, b.dtype)

    @property
    def _origin(self) -> Origin:
        assert self.origin is not None
        return self.origin

    @property
    def _is_scaled(self) -> bool:
        return self._origin.left is not None or self._origin.right is not None

    def _s(self) -> Array:
        return normalized(self._origin.kept, self.rows)

    def _columns(self) -> tuple[Array, Array]:
        (_, left, right), s, kind = self._origin, self._s(), KINDS[self.kind]
        return _times(left, kind.left(s)), _times(right, kind.right(s))

    def _accurate_diagonal(self) -> Array:
        (kept, left, right), s = self._origin, self._s()
        entries = KINDS[self.kind].entries(s) * complement(kept, s, self.rows)
        return narrowed(_times(left, _times(right, entries)), self.dtype)


def softmax_operator(
    kind: str, origin: Origin, rows: Rows, dtype: np.dtype[Any], known: Facts = NOTHING
) -> SoftmaxJacobian:
    """diag(left) K diag(right), from what was kept of one row; `rows` covers all its axes."""
    (kept, left, right), named = origin, KINDS[kind]
    if kind == "softmax" and left is right:  # D K D
        known = POSITIVE
    s = _softmax(kept, rows)
    entries = _times(left, _times(right, named.entries(s)))
    U, V = _times(left, named.left(s)), _times(right, named.right(s))
    columns = [X[..., None].astype(dtype) for X in ((U,) if known == POSITIVE else (U, V))]
    return SoftmaxJacobian(
        entries.astype(dtype), columns[0], columns[-1], -1, origin, kind, rows, known
    )


@register_facts
def _(op: SoftmaxJacobian) -> Facts:
    return op.known


def _softmax(kept: Array, rows: Rows) -> Array:
    """The softmax, at least in float32, from what was kept of it."""
    if rows.keep_softmax:
        return probabilities(kept, rows)
    return softmax_rows(None, wide(kept), rows)


def normalized(kept: Array, rows: Rows) -> Array:
    """The softmax, its sum brought to 1 once more: the Jacobian has it squared."""
    s = _softmax(kept, rows)
    major = jnp.round(s)
    missing = 1 - jnp.sum(major) + jnp.sum(major - s)
    return s * (1 + lax.stop_gradient(missing))  # the sum is 1 for every x: no derivative


def complement(kept: Array, s: Array, rows: Rows) -> Array:
    """1 − s; for a class with most of the probability, the sum of the others.

    From logits that is the largest of the others over its share among them: terms too small for the
    dtype still add to a sum that is not.
    """
    major = s > 0.5
    if rows.keep_softmax:
        return _others(s, major, jnp.ones((), s.dtype))
    largest = jnp.max(s, where=~major, initial=0)
    others = jnp.where(major & (largest > 0), -jnp.inf, wide(kept))
    share = jnp.max(_softmax(others, rows), initial=0)
    return jnp.where(major, largest / share, 1 - s)


def _others(x: Array, major: Array, whole: Array) -> Array:
    """What the other entries add up to, which without rounding is `whole` − x."""
    return jnp.where(major, jnp.sum(jnp.where(major, 0, x)), whole - x)


def _column(scale: Array | None) -> Array | int:
    return 1 if scale is None else wide(scale)[..., None]


def _times(scale: Array | None, x: Array) -> Array:
    if scale is None:
        return x
    dtype = holding(scale, x)
    return scale.astype(dtype) * x.astype(dtype)


@defcompose(Diagonal, SoftmaxJacobian)
def _(a: Diagonal, b: SoftmaxJacobian) -> LinearOperator:
    return b.scaled_by(a.entries, None)


@defcompose(SoftmaxJacobian, Diagonal)
def _(a: SoftmaxJacobian, b: Diagonal) -> LinearOperator:
    return a.scaled_by(None, b.entries)
