"""The operators of one array or none: zero, the identity and its multiples, diagonal and dense."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._arrays import holding
from jaxcalc.operators import _matrices
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape, checked_factor, integer
from jaxcalc.operators._pytrees import static
from jaxcalc.operators._sparse import Coordinates, on_diagonal
from jaxcalc.operators._splits import norm


class Zero(LinearOperator):
    """J = 0.

    >>> print(Zero((2,), (3,), jnp.float32) @ jnp.ones(3))
    [0. 0.]
    """

    codomain: Shape = static()
    domain: Shape = static()
    dtype: np.dtype = static()

    def mv(self, v: Array) -> Array:
        """0, whatever `v` is."""
        return jnp.zeros(self.codomain, holding(v, self.dtype))

    @property
    def T(self) -> "Zero":
        """The zero from `codomain` to `domain`."""
        return Zero(self.domain, self.codomain, self.dtype)

    def tensor(self) -> Array:
        """Zeros of shape `codomain + domain`."""
        return jnp.zeros(self.codomain + self.domain, self.dtype)

    def pinv(self) -> "Zero":
        """0⁺ = 0ᵀ."""
        return self.T

    def frobenius_norm(self) -> Array:
        """0."""
        return jnp.zeros((), self.dtype)

    def _scaled(self, scale: Array) -> "Zero":
        return self

    def _diagonal(self) -> Array:
        return jnp.zeros(self.domain, self.dtype)

    def _slogdet(self) -> tuple[Array, Array]:
        if not math.prod(self.domain):  # the empty determinant is 1
            return jnp.ones((), self.dtype), jnp.zeros((), self.dtype)
        return jnp.zeros((), self.dtype), jnp.asarray(-jnp.inf, self.dtype)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        scale = jnp.zeros((), b.dtype) if shift is None else shift
        return divided(b, scale).reshape(self.domain)

    def _coordinates(self) -> Coordinates:
        return on_diagonal(jnp.zeros(0, self.dtype))

    @property
    def structure(self) -> str:
        """zero."""
        return "zero"

    def _flops(self) -> int:
        return 0


class Identity(LinearOperator):
    """J = I, or c I with a 0-d array c as `scale`.

    >>> print((3 * Identity((2,), jnp.float32)).todense())
    [[3. 0.]
     [0. 3.]]
    """

    space: Shape = static()
    dtype: np.dtype = static()
    scale: Array | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            object.__setattr__(self, "scale", checked_factor(self.scale, self.dtype))
        super().__post_init__()

    @property
    def codomain(self) -> Shape:
        """The shape of what it maps to itself."""
        return self.space

    @property
    def domain(self) -> Shape:
        """The shape of what it maps to itself."""
        return self.space

    def mv(self, v: Array) -> Array:
        """c v."""
        return v if self.scale is None else self.scale * v

    @property
    def T(self) -> "Identity":
        """Itself."""
        return self

    def tensor(self) -> Array:
        """c in the entries whose two indices agree."""
        return diagonal_tensor(self.entries)

    def pinv(self) -> "Identity":
        """I / c; 0 for c = 0."""
        inverse = None if self.scale is None else reciprocal(self.scale)
        return Identity(self.space, self.dtype, inverse)

    def frobenius_norm(self) -> Array:
        """|c| √n."""
        return jnp.abs(self.factor) * jnp.asarray(math.sqrt(math.prod(self.space)), self.dtype)

    @property
    def factor(self) -> Array:
        """c as a 0-d array, 1 for the identity itself."""
        return jnp.ones((), self.dtype) if self.scale is None else self.scale

    @property
    def entries(self) -> Array:
        """The diagonal."""
        return jnp.broadcast_to(self.factor, self.space)

    def _scaled(self, scale: Array) -> "Identity":
        factor = scale if self.scale is None else scale * self.scale
        return Identity(self.space, self.dtype, factor)

    def _diagonal(self) -> Array:
        return self.entries

    def _trace(self) -> Array:
        return self.factor * math.prod(self.space)

    def _slogdet(self) -> tuple[Array, Array]:
        return _matrices.slogdet_of_diagonal(self.entries)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        return divided(b, self.factor if shift is None else self.factor + shift)

    def _coordinates(self) -> Coordinates:
        return on_diagonal(self.entries)

    @property
    def structure(self) -> str:
        """identity or scaled identity."""
        return "identity" if self.scale is None else "scaled identity"

    def _flops(self) -> int:
        return 0 if self.scale is None else math.prod(self.space)


class Diagonal(LinearOperator):
    """J = diag(d): J v = d ⊙ v, for `entries` d of any shape.

    >>> J = Diagonal(jnp.array([1.0, 2.0]))
    >>> print(J @ jnp.array([3.0, 4.0]), J.solve(jnp.array([3.0, 4.0])))
    [3. 8.] [3. 2.]
    """

    entries: Array

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

    def mv(self, v: Array) -> Array:
        """d ⊙ v."""
        return self.entries * v

    @property
    def T(self) -> LinearOperator:
        """Itself."""
        return self

    def tensor(self) -> Array:
        """d in the entries whose two indices agree."""
        return diagonal_tensor(self.entries)

    def pinv(self) -> LinearOperator:
        """diag(1 / d), with 0 for the entries that are 0."""
        return Diagonal(reciprocal(self.entries))

    def frobenius_norm(self) -> Array:
        """‖d‖."""
        return norm(self.entries)

    def _scaled(self, scale: Array) -> LinearOperator:
        return Diagonal(self.entries * scale)

    def _diagonal(self) -> Array:
        return self.entries

    def _slogdet(self) -> tuple[Array, Array]:
        return _matrices.slogdet_of_diagonal(self.entries)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        return divided(b, self.entries if shift is None else self.entries + shift)

    def _coordinates(self) -> Coordinates:
        return on_diagonal(self.entries)

    @property
    def structure(self) -> str:
        """diagonal."""
        return "diagonal"

    def _flops(self) -> int:
        return math.prod(self.domain)


class Dense(LinearOperator):
    """J given in full: `array` has shape `codomain + domain`, its first axes the codomain's.

    >>> print(Dense(jnp.array([[1.0, 2.0]]), codomain_ndim=1) @ jnp.ones(2))
    [3.]
    """

    tensor_is_split = True

    array: Array
    codomain_ndim: int = static()

    def __post_init__(self) -> None:
        super().__post_init__()
        of = f"the axes of `array`, of shape {self.array.shape}"
        ndim = integer("codomain_ndim", self.codomain_ndim, 0, self.array.ndim, of)
        object.__setattr__(self, "codomain_ndim", ndim)

    @property
    def codomain(self) -> Shape:
        """The first axes of `array`."""
        return self.array.shape[: self.codomain_ndim]

    @property
    def domain(self) -> Shape:
        """The axes of `array` behind those."""
        return self.array.shape[self.codomain_ndim :]

    @property
    def dtype(self) -> np.dtype:
        """That of `array`."""
        return self.array.dtype

    def mv(self, v: Array) -> Array:
        """J v, contracted over all axes of `v`."""
        return jnp.tensordot(self.array, v, axes=v.ndim)

    @property
    def T(self) -> "Dense":
        """The axes of the domain first."""
        ndim, split = self.array.ndim, self.codomain_ndim
        axes = (*range(split, ndim), *range(split))
        return Dense(jnp.transpose(self.array, axes), ndim - split)

    def tensor(self) -> Array:
        """`array` itself."""
        return self.array

    def frobenius_norm(self) -> Array:
        """‖array‖."""
        return norm(self.array)

    def _scaled(self, scale: Array) -> "Dense":
        return Dense(self.array * scale, self.codomain_ndim)

    @property
    def structure(self) -> str:
        """dense."""
        return "dense"


def diagonal_tensor(entries: Array, elsewhere: Array | float = 0.0) -> Array:
    """`entries` on the diagonal of shape `entries.shape` twice, in one pass over the result.

    `elsewhere` broadcasts against the matrix of two axes.
    """
    rows = jnp.arange(entries.size)
    on_diagonal = rows[:, None] == rows[None, :]
    matrix = jnp.where(on_diagonal, entries.reshape(-1, 1), jnp.asarray(elsewhere, entries.dtype))
    return matrix.reshape(entries.shape * 2)


def divided(b: Array, divisor: Array) -> Array:
    """b / divisor, NaN where the divisor is 0."""
    regular = divisor != 0
    return jnp.where(regular, b / jnp.where(regular, divisor, 1), jnp.nan)


def reciprocal(x: Array) -> Array:
    """1 / x, 0 where x is 0."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))
