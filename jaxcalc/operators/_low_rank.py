"""Operators of low rank, and those with a diagonal beside it: Woodbury's identity and its kin.

diag(d) + s U Vᵀ with a sign s and r columns is solved through its r×r capacitance matrix
C = I + s Vᵀ diag(d)⁻¹ U, where J = diag(d) (I + s diag(d)⁻¹ U Vᵀ) has the determinant Π d · det C.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import narrowed, wide
from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._capacitance import capacitance, combined, dots
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._pytrees import static
from jaxcalc.operators._simple import diagonal_tensor
from jaxcalc.operators._splits import contracted, gram, picked, raised

MAX_RANK = 8  # beyond it, sums and products of such operators stay lazy


class LowRank(LinearOperator):
    """J = s U Vᵀ with a sign s; `U` has shape `codomain + (r,)`, `V` shape `domain + (r,)`.

    >>> J = LowRank(jnp.ones((2, 1)), jnp.array([[1.0], [2.0], [3.0]]))
    >>> print(J.structure, J @ jnp.ones(3))
    rank 1 [6. 6.]
    """

    U: Array
    V: Array
    sign: int = static(default=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_columns(self.U, self.V, self.sign)

    @property
    def codomain(self) -> Shape:
        """The axes of `U` before its last."""
        return self.U.shape[:-1]

    @property
    def domain(self) -> Shape:
        """The axes of `V` before its last."""
        return self.V.shape[:-1]

    @property
    def dtype(self) -> np.dtype:
        """That of `U`."""
        return self.U.dtype

    @property
    def rank(self) -> int:
        """The number of columns, which bounds the rank."""
        return self.U.shape[-1]

    def mv(self, v: Array) -> Array:
        """s U (Vᵀ v)."""
        return outer_product(self.U, self.V, v, self.sign)

    @property
    def T(self) -> LinearOperator:
        """s V Uᵀ."""
        return LowRank(self.V, self.U, self.sign)

    def tensor(self) -> Array:
        """s U Vᵀ, in the shape of the spaces."""
        return outer_tensor(self.U, self.V, self.sign)

    def pinv(self) -> LinearOperator:
        """s V₁ (R_U R_Vᵀ)⁺ U₁ᵀ, from the thin QR decompositions U = U₁ R_U and V = V₁ R_V."""
        (U, RU), (V, RV) = (jnp.linalg.qr(columns(wide(X))) for X in (self.U, self.V))
        left = narrowed(V @ jnp.linalg.pinv(RU @ RV.T), self.dtype)
        right = narrowed(U, self.dtype)
        spaces = (*self.domain, left.shape[-1]), (*self.codomain, right.shape[-1])
        return LowRank(left.reshape(spaces[0]), right.reshape(spaces[1]), self.sign)

    def frobenius_norm(self) -> Array:
        """√ Σ (UᵀU) ⊙ (VᵀV)."""
        return jnp.sqrt(jnp.maximum(jnp.sum(gram(self.U) * gram(self.V)), 0))

    def __neg__(self) -> LinearOperator:
        return LowRank(self.U, self.V, -self.sign)

    def _scaled(self, scale: Array) -> LinearOperator:
        return LowRank(self.U * scale, self.V, self.sign)

    def _diagonal(self) -> Array:
        return signed(self.sign, row_products(self.U, self.V))

    def _slogdet(self) -> tuple[Array, Array]:
        if self.rank >= math.prod(self.domain):
            return super()._slogdet()
        return jnp.zeros((), self.dtype), jnp.asarray(-jnp.inf, self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None:
            entries = jnp.broadcast_to(shift, self.domain)
            return DiagonalPlusLowRank(entries, self.U, self.V, self.sign).solve(b)
        if self.rank >= math.prod(self.domain):
            return super()._solve(b, shift)
        return jnp.full(self.domain, jnp.nan, b.dtype)

    @property
    def structure(self) -> str:
        """rank r."""
        return f"rank {self.rank}"

    def _flops(self) -> int:
        return 2 * self.rank * (math.prod(self.codomain) + math.prod(self.domain))


class DiagonalPlusLowRank(LinearOperator):
    """J = diag(d) + s U Vᵀ with a sign s; `entries` d of shape S, `U` and `V` of shape `S + (r,)`.

    Softmax has the Jacobian diag(p) − p pᵀ:

    >>> p = jnp.array([0.25, 0.75])
    >>> J = DiagonalPlusLowRank(p, p[:, None], p[:, None], -1)
    >>> J
    DiagonalPlusLowRank(diagonal - rank 1, 2×2, float32)
    >>> print(J.solve(jnp.array([1.0, -1.0]), shift=0.625).round(4))
    [ 1. -1.]
    """

    entries: Array
    U: Array
    V: Array
    sign: int = static(default=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_columns(self.U, self.V, self.sign)
        shapes = self.entries.shape, self.U.shape[:-1], self.V.shape[:-1]
        if len(set(shapes)) != 1:
            raise ValueError(
                "`U` and `V` must have the shape of `entries` and one axis of columns behind it, "
                f"but got {self.entries.shape}, {self.U.shape} and {self.V.shape}."
            )

    @property
    def codomain(self) -> Shape:
        """The shape of `entries`."""
        return self.entries.shape

    @property
    def domain(self) -> Shape:
        """The shape of `entries`."""
        return self.entries.shape

    @property
    def dtype(self) -> np.dtype:
        """That of `entries`."""
        return self.entries.dtype

    @property
    def rank(self) -> int:
        """The number of columns, which bounds the rank beside the diagonal."""
        return self.U.shape[-1]

    def mv(self, v: Array) -> Array:
        """d ⊙ v + s U (Vᵀ v)."""
        return self.entries * v + outer_product(self.U, self.V, v, self.sign)

    @property
    def T(self) -> LinearOperator:
        """diag(d) + s V Uᵀ."""
        return DiagonalPlusLowRank(self.entries, self.V, self.U, self.sign)

    def tensor(self) -> Array:
        """diag(d) + s U Vᵀ, in the shape of the spaces."""
        n = self.entries.size
        outer = outer_tensor(self.U, self.V, self.sign).reshape(n, n)
        return diagonal_tensor(self._diagonal(), outer)

    def frobenius_norm(self) -> Array:
        """The norm of the diagonal and of what U Vᵀ has beside its own."""
        own = row_products(self.U, self.V)
        beside = jnp.sum(gram(self.U) * gram(self.V)) - jnp.sum(own**2)
        return jnp.sqrt(jnp.sum(self._diagonal() ** 2) + jnp.maximum(beside, 0))

    def __neg__(self) -> LinearOperator:
        return DiagonalPlusLowRank(-self.entries, self.U, self.V, -self.sign)

    def _scaled(self, scale: Array) -> LinearOperator:
        return DiagonalPlusLowRank(self.entries * scale, self.U * scale, self.V, self.sign)

    def _diagonal(self) -> Array:
        return self.entries + signed(self.sign, row_products(self.U, self.V))

    def _trace(self) -> Array:
        return jnp.sum(self.entries) + signed(self.sign, contracted(self.U, self.V, self.U.ndim))

    def _slogdet(self) -> tuple[Array, Array]:
        return _determinant_lemma(self)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        entries = self.entries if shift is None else self.entries + shift
        shifted = DiagonalPlusLowRank(entries, self.U, self.V, self.sign)
        return _woodbury(shifted, b)

    @property
    def structure(self) -> str:
        """diagonal + rank r, or diagonal - rank r."""
        return f"diagonal {'+' if self.sign > 0 else '-'} rank {self.rank}"

    def _flops(self) -> int:
        return (4 * self.rank + 2) * math.prod(self.domain)


@jax.jit
def _woodbury(op: DiagonalPlusLowRank, b: Array) -> Array:
    """The solution by Woodbury's identity; NaN where C is singular within rounding."""
    d, U, V = _rows(op)
    d, lifted, away, back, C, size = capacitance(d, U, V)
    right = wide(b).reshape(d.shape)
    y = right / d
    product = jnp.concatenate([dots(V, y[None])[:, 0], back * picked(y, lifted)])
    z, w = jnp.split(_matrices.solve(C, product, size), [op.rank])
    x = raised((right - combined(z, U)) / d, lifted, away * w / picked(d, lifted))
    return narrowed(x, b.dtype).reshape(b.shape)


@jax.jit
def _determinant_lemma(op: DiagonalPlusLowRank) -> tuple[Array, Array]:
    """Π d · det C, as sign and logarithm; (0, −inf) where C is singular within rounding."""
    part = capacitance(*_rows(op))
    sign, logarithm = _matrices.slogdet(part.C, part.size)
    signs, total = _matrices.slogdet_of_diagonal(part.d)
    logarithm = jnp.where(sign == 0, logarithm, logarithm + total)
    return narrowed(sign * signs, op.dtype), narrowed(logarithm, op.dtype)


def _rows(op: DiagonalPlusLowRank) -> tuple[Array, Array, Array]:
    """d of at least one axis, and the columns of s U and V as rows."""
    space = op.domain or (1,)
    U, V = (jnp.moveaxis(wide(X), -1, 0).reshape(-1, *space) for X in (op.U, op.V))
    return wide(op.entries).reshape(space), signed(op.sign, U), V


def columns(X: Array) -> Array:
    """`X` with all axes before the last made one."""
    return X.reshape(-1, X.shape[-1])


def signed(sign: int, x: Array) -> Array:
    """x or −x."""
    return x if sign > 0 else -x


def outer_product(U: Array, V: Array, v: Array, sign: int) -> Array:
    """s U (Vᵀ v)."""
    if U.shape[-1] == 1:
        # the sign goes to the number and the sum is a dot: XLA fuses nothing slow then on a CPU
        return U[..., 0] * signed(sign, contracted(V[..., 0], v, v.ndim, "highest"))
    return jnp.tensordot(U, signed(sign, contracted(v, V, v.ndim)), 1)


def row_products(U: Array, V: Array) -> Array:
    """The dot product of each row of U with that of V."""
    return U[..., 0] * V[..., 0] if U.shape[-1] == 1 else jnp.sum(U * V, axis=-1)


def outer_tensor(U: Array, V: Array, sign: int) -> Array:
    """s U Vᵀ; one column is an elementwise product, which fuses with what is around it."""
    left, right = columns(signed(sign, U)), columns(V)
    matrix = left * right.T if U.shape[-1] == 1 else left @ right.T
    return matrix.reshape(U.shape[:-1] + V.shape[:-1])


def check_columns(U: Array, V: Array, sign: int) -> None:
    """Refuse `U` and `V` without an equal number of columns, and a sign that is none."""
    if not (U.ndim and V.ndim and U.shape[-1] == V.shape[-1]):
        raise ValueError(
            "`U` and `V` must have a last axis of equally many columns, but got shapes "
            f"{U.shape} and {V.shape}."
        )
    if sign not in (1, -1):
        raise ValueError(f"`sign` must be 1 or -1, but got {sign!r}; scale `U` instead.")
