"""The linear operator: what every structured linear map can do, from its product alone.

A class above this one gives `mv` and `structure`, its fields, and better ways for what its
structure makes cheap; the rest is answered here through the dense form.
"""

import copy
import dataclasses
import functools
import importlib
import math
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._layout.layout import Layout, arrange
from jaxcalc.operators import _matrices, _registry
from jaxcalc.operators._batches import refuse_batches
from jaxcalc.operators._checks import (
    CHECKS,
    Scalar,
    Shape,
    batched_over,
    check_sum,
    checked_factor,
    checked_operator,
    checked_operators,
    operands,
    refuse_if_singular,
    same_spaces,
    square,
    wanted_shift,
)
from jaxcalc.operators._cost import Cost
from jaxcalc.operators._pytrees import (
    abstract,
    added_axes,
    basis,
    example,
    reduced,
    register,
    static,
)
from jaxcalc.operators._sparse import Coordinates, bcoo, of_dense, scipy_operator
from jaxcalc.operators._splits import norm
from jaxcalc.operators._vectors import in_parts, vector


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(static,))
class LinearOperator:
    """A linear map J from arrays of shape `domain` to arrays of shape `codomain`.

    `J @ v`, `v @ J`, `quadratic` and `solve` have the dtype that JAX promotes those of J and v to,
    and v is rounded to no narrower one before; real operators take complex v too. What holds no
    numbers is a `TypeError`.

    Every subclass becomes a frozen dataclass and a pytree: fields made by `static()` are its
    structure, all others its children.
    """

    __array_ufunc__ = None  # so that `array @ J` and `array * J` of NumPy reach the operator

    tensor_is_split: ClassVar = False  # whether `tensor` needs no arrays that are whole

    if TYPE_CHECKING:  # each a field or a property of the subclass

        @property
        def codomain(self) -> Shape: ...
        @property
        def domain(self) -> Shape: ...
        @property
        def dtype(self) -> np.dtype: ...

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        register(cls)
        refuse_batches(cls)

    def __post_init__(self) -> None:
        subclass: Any = self  # a dataclass
        for field in dataclasses.fields(subclass):
            if field.type in CHECKS:
                checked = CHECKS[field.type](field.name, getattr(self, field.name))
                object.__setattr__(self, field.name, checked)

    @functools.cached_property
    def added_axes(self) -> Shape:
        """The lengths of the axes that `jax.vmap` has put before those of one operator.

        Every query refuses an operator that has any: see `batch`.
        """
        return added_axes(self)

    # Products

    def mv(self, v: Array) -> Array:
        """J v for one `v` of shape `domain`."""
        raise NotImplementedError

    def mm(self, columns: Array) -> Array:
        """J applied to columns, stacked on one axis behind `domain`."""
        return jax.vmap(self.mv, -1, -1)(columns)

    @property
    def T(self) -> "LinearOperator":
        """The transpose, from `codomain` to `domain`: the same derivative in the other layout."""
        return _registry.transposed(self)

    @overload
    def __matmul__(self, v: "LinearOperator") -> "LinearOperator": ...
    @overload
    def __matmul__(self, v: ArrayLike) -> Array: ...
    def __matmul__(self, v: Any) -> Any:
        if isinstance(v, LinearOperator):
            return compose(self, v)
        v = vector("v", v, self.dtype)
        extra = v.ndim - len(self.domain)
        if extra < 0 or v.shape[: len(self.domain)] != self.domain:
            raise ValueError(
                f"`J @ v` needs `v` of shape {self.domain}, or columns stacked on trailing axes "
                f"behind it, but got {v.shape}; `v @ J` takes shape {self.codomain}."
            )
        product = batched_over(self.mm, extra - 1, axis=-1) if extra else self.mv
        return in_parts(self, product, v)

    def __rmatmul__(self, v: ArrayLike) -> Array:
        v = vector("v", v, self.dtype)
        extra = v.ndim - len(self.codomain)
        if extra < 0 or v.shape[extra:] != self.codomain:
            raise ValueError(
                f"`v @ J` needs `v` of shape {self.codomain}, or rows stacked on leading axes "
                f"before it, but got {v.shape}; `J @ v` takes shape {self.domain}."
            )
        return in_parts(self, batched_over(self.T.mv, extra, axis=0), v)

    def quadratic(self, v: Array) -> Array:
        """vᵀ J v, for `v` of shape `domain`; `domain` and `codomain` must be equal.

        Raises:
            TypeError: when `v` is no array of numbers.
            ValueError: when they are not, or when `v` has another shape.
        """
        same_spaces("quadratic", self.codomain, self.domain)
        v = vector("v", v, self.dtype)
        if v.shape != self.domain:
            raise ValueError(f"`v` must have shape {self.domain}, but got {v.shape}.")
        return self._quadratic(v)

    def _quadratic(self, v: Array) -> Array:
        return jnp.sum(v * (self @ v))

    # Sums and multiples

    def __add__(self, other: Any) -> "LinearOperator":
        return add(self, other) if isinstance(other, LinearOperator) else _refuse_sum(other)

    def __radd__(self, other: Any) -> "LinearOperator":
        return _refuse_sum(other)

    def __sub__(self, other: Any) -> "LinearOperator":
        return add(self, -other) if isinstance(other, LinearOperator) else _refuse_sum(other)

    def __rsub__(self, other: Any) -> "LinearOperator":
        return _refuse_sum(other)

    def __neg__(self) -> "LinearOperator":
        return self._scaled(jnp.asarray(-1, self.dtype))

    def __mul__(self, scale: Scalar) -> "LinearOperator":
        return self._scaled(checked_factor(scale, self.dtype))

    __rmul__ = __mul__

    def __truediv__(self, scale: Scalar) -> "LinearOperator":
        return self._scaled(1 / checked_factor(scale, self.dtype))

    def _scaled(self, scale: Array) -> "LinearOperator":
        return _registry.scaled(self, scale)

    # Dense forms

    def tensor(self) -> Array:
        """The array of shape `codomain + domain`."""
        if math.prod(self.codomain) < math.prod(self.domain):
            rows = jax.vmap(self.T.mv)(basis(self.codomain, self.dtype))
            return rows.reshape(self.codomain + self.domain)
        columns = jax.vmap(self.mv, out_axes=-1)(basis(self.domain, self.dtype))
        return columns.reshape(self.codomain + self.domain)

    def todense(self) -> Array:
        """The array in the shape of the layout's table: two axes where the ranks are at most 1."""
        return arrange(self.tensor(), len(self.codomain), Layout.NUMERATOR)

    def matrix(self) -> Array:
        """The matrix of shape (codomain size, domain size), both in row-major order."""
        return self.tensor().reshape(math.prod(self.codomain), math.prod(self.domain))

    @property
    def shape(self) -> Shape:
        """The shape of `todense()`."""
        tensor = jax.ShapeDtypeStruct(self.codomain + self.domain, self.dtype)
        return jax.eval_shape(
            lambda t: arrange(t, len(self.codomain), Layout.NUMERATOR), tensor
        ).shape

    # Queries

    def diagonal(self) -> Array:
        """The entries J_ii, an array of shape `domain`.

        Raises:
            ValueError: when `domain` and `codomain` differ.
        """
        same_spaces("diagonal", self.codomain, self.domain)
        return self._diagonal()

    def _diagonal(self) -> Array:
        return jnp.diagonal(self.matrix()).reshape(self.domain)

    def trace(self) -> Array:
        """Σ_i J_ii.

        Raises:
            ValueError: when `domain` and `codomain` differ.
        """
        same_spaces("trace", self.codomain, self.domain)
        return self._trace()

    def _trace(self) -> Array:
        return jnp.sum(self._diagonal())

    def slogdet(self) -> tuple[Array, Array]:
        """The sign and the logarithm of |det J|; (0, −inf) where J is singular within rounding.

        Raises:
            ValueError: when `domain` and `codomain` differ in size.
        """
        square("slogdet", self.codomain, self.domain)
        return self._slogdet()

    def _slogdet(self) -> tuple[Array, Array]:
        return _matrices.slogdet(self.matrix())

    def solve(self, b: ArrayLike, shift: Scalar | None = None) -> Array:
        """The x of (J + shift I) x = b.

        Args:
            b: of shape `codomain`, or columns stacked on trailing axes behind it.
            shift: a number or 0-d array, real where J is; anything but the number 0 needs equal
                `domain` and `codomain`.

        Returns:
            x, of shape `domain` and the same trailing axes. Where J + shift I is singular within
            rounding, x is NaN: under `jax.jit` and other transformations that is all there is.

        Raises:
            numpy.linalg.LinAlgError: (a `ValueError`) for a singular J + shift I, when the arrays
                are concrete.
            TypeError: when `b` is no array of numbers, or for a `shift` that is none or complex.
            ValueError: for shapes that do not fit.
        """
        shift = wanted_shift(shift, self.dtype)
        b = vector("b", b, self.dtype if shift is None else shift.dtype)
        extra = b.ndim - len(self.codomain)
        if extra < 0 or b.shape[: len(self.codomain)] != self.codomain:
            raise ValueError(
                f"`b` must have shape {self.codomain}, or columns stacked on trailing axes behind "
                f"it, but got {b.shape}."
            )
        if shift is None:
            square("solve", self.codomain, self.domain)
        else:
            same_spaces("solve(b, shift)", self.codomain, self.domain)
        solution = batched_over(lambda b: self._solve(b, shift), extra, axis=-1)
        x = in_parts(self, solution, b)
        refuse_if_singular(self, x, b, shift)
        return x

    def _solve(self, b: Array, shift: Array | None) -> Array:
        matrix = self.matrix()
        shifted = matrix if shift is None else matrix + shift * jnp.eye(len(matrix), dtype=b.dtype)
        return _matrices.solve(shifted, b.reshape(-1)).reshape(self.domain)

    def pinv(self) -> "LinearOperator":
        """The Moore-Penrose inverse J⁺, from `codomain` to `domain`."""
        return _registry.pseudo_inverse(self)

    def frobenius_norm(self) -> Array:
        """The root of the sum of all squared entries."""
        return norm(self.tensor())

    # Words

    @property
    def structure(self) -> str:
        """A word or two for the structure, such as `diagonal - rank 1`."""
        raise NotImplementedError

    def cost(self) -> Cost:
        """Bytes stored and flops of one product, beside those of the dense form."""
        entries = math.prod(self.codomain) * math.prod(self.domain)
        leaves = map(abstract, jax.tree.leaves(self))
        stored = sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)
        return Cost(stored, self._flops(), entries * self.dtype.itemsize, 2 * entries)

    def _flops(self) -> int:
        return 2 * math.prod(self.codomain) * math.prod(self.domain)

    # At home elsewhere

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.todense(), dtype)

    def to_bcoo(self) -> Any:
        """`matrix()` as a `jax.experimental.sparse.BCOO`, whose entries at one place add up.

        Zeros, identities, diagonals, bands, selections, blocks, Kronecker products and sums of
        these, and those scaled by diagonals, are written down entry by entry; all others by way of
        the dense form.

        >>> from jaxcalc.operators import Diagonal
        >>> Diagonal(jnp.ones(1000)).to_bcoo()
        BCOO(float32[1000, 1000], nse=1000)
        """
        return bcoo(self)

    def _coordinates(self) -> Coordinates:
        return of_dense(self.matrix())

    def to_scipy(self) -> Any:
        """`matrix()` as a `scipy.sparse.linalg.LinearOperator`: its products and its adjoint's.

        >>> from scipy.sparse.linalg import cg
        >>> from jaxcalc.operators import Diagonal
        >>> x, info = cg(Diagonal(jnp.array([1.0, 2.0])).to_scipy(), np.ones(2, np.float32))
        >>> print(x)
        [1.  0.5]
        """
        return scipy_operator(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return jax.tree.map(lambda x: copy.deepcopy(x, memo), self)

    def __pdoc__(self, **options: Any) -> Any:
        """What `wadler_lindig` prints, inside the modules of equinox too."""
        return importlib.import_module("wadler_lindig").TextDoc(repr(self))

    def __repr__(self) -> str:
        name = type(self).__name__
        if self.added_axes:
            many = "×".join(map(str, self.added_axes))
            return f"batch of {many}: {LinearOperator.__repr__(_one_of(self))}"
        if not all(hasattr(self, known) for known in ("codomain", "domain", "dtype", "structure")):
            return f"{name}({', '.join(map(repr, jax.tree.leaves(self)))})"  # leaves of JAX's own
        spaces = f"{_written(self.codomain)}×{_written(self.domain)}"
        return f"{name}({self.structure}, {spaces}, {self.dtype.name})"


def _one_of(op: LinearOperator) -> LinearOperator:
    """One operator of a batch, with abstract arrays."""
    for _ in op.added_axes:
        op = example(op, (True,) * len(jax.tree.leaves(op)))
    return op


refuse_batches(LinearOperator)
CHECKS[LinearOperator] = checked_operator
CHECKS[tuple[LinearOperator, ...]] = checked_operators


def compose(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """The product a b, simplified where a rule is known, else a lazy `Chain`.

    Raises:
        ValueError: when the domain of `a` is not the codomain of `b`.
    """
    operands("a @ b", a, b)
    if a.domain != b.codomain:
        raise ValueError(
            f"`a @ b` needs `a` to start where `b` ends, but `a` has domain {a.domain} and `b` has "
            f"codomain {b.codomain}; reorder them, or transpose one with `.T`."
        )
    return _registry.composition(a, b)


def add(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """The sum a + b, simplified where a rule is known, else a lazy `Sum`.

    Raises:
        ValueError: when their domains or their codomains differ.
    """
    operands("a + b", a, b)
    check_sum((a.codomain, a.domain), (b.codomain, b.domain))
    return _registry.addition(a, b)


def _refuse_sum(other: object) -> LinearOperator:
    raise TypeError(
        f"an operator adds to another operator, but got {type(other).__name__}; wrap an array as "
        "`Dense(array, codomain_ndim)`, or add to `J.todense()`."
    )


def _written(shape: Shape) -> str:
    return str(math.prod(shape)) if len(shape) < 2 else f"({', '.join(map(str, shape))})"
