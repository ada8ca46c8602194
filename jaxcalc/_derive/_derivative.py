"""The derivative of one array by another: an operator that also knows its formula."""

import functools

import numpy as np
from jax import Array

from jaxcalc import _formula
from jaxcalc._formula import Expression, maps
from jaxcalc.operators import (
    BlockDiagonal,
    Chain,
    Identity,
    LinearOperator,
    Sum,
    add,
    compose,
    defadd,
    defcompose,
    static,
)


class Derivative(LinearOperator):
    """∂y/∂x at a point, as `derive` gives it: a linear operator with a closed form.

    It does what every operator does (`J @ v`, `v @ J`, `J.T`, `J.todense()`, `J.solve(b)`, …), by
    way of `J.operator`, whose class shows the structure. In denominator layout it maps y to x, and
    `J.T` is the same derivative in the other layout. float16 and bfloat16 are computed in float32
    and rounded once.

    Attributes:
        operator: the structured operator.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> J = jc.derive(jc.softmax)(jnp.zeros(3))
    >>> print(J.formula)
    diag(s) − s sᵀ where s = softmax(x)
    >>> print(J.structure, J.operator.entries)
    diagonal - rank 1 [0.33333334 0.33333334 0.33333334]
    """

    operator: LinearOperator
    dtype: np.dtype = static()
    map: maps.Map = static()
    value: Expression = static()
    argument: Expression = static()
    is_transposed: bool = static(default=False)

    @property
    def codomain(self) -> tuple[int, ...]:
        """The shape of y; that of x in denominator layout."""
        return self.operator.codomain

    @property
    def domain(self) -> tuple[int, ...]:
        """The shape of x; that of y in denominator layout."""
        return self.operator.domain

    # --- the closed form ---

    @property
    def formula(self) -> str:
        """The closed form as text, with a `where` for what occurs in it more than once."""
        return self._closed_form.text

    @property
    def latex(self) -> str:
        """The closed form in LaTeX."""
        return self._closed_form.latex

    @property
    def code(self) -> str:
        """The source of a function `derivative` that computes the dense array.

        Its parameters are the names in the formula, arguments and captured arrays alike, in the
        order in which they appear.

        Raises:
            ValueError: when a part has no closed form; it says which.
        """
        return self._closed_form.code

    def explain(self) -> str:
        """The derivation step by step, each with the rule of the notes that it uses."""
        return _formula.explain(self.value, self.argument, self.map, self.is_transposed)

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"

    @functools.cached_property
    def _closed_form(self) -> "_formula.ClosedForm":
        return _formula.closed_form(self.map, self.is_transposed)

    def __repr__(self) -> str:
        return f"{super().__repr__()}: {self.formula}"

    # --- the operator ---

    def mv(self, v: Array) -> Array:
        """The derivative applied to one array."""
        return self._rounded(self.operator.mv(v.astype(self.operator.dtype)))

    def mm(self, columns: Array) -> Array:
        """The derivative applied to columns."""
        return self._rounded(self.operator.mm(columns.astype(self.operator.dtype)))

    @property
    def T(self) -> "Derivative":
        """The same derivative in the other layout."""
        return Derivative(
            self.operator.T,
            self.dtype,
            self.map,
            self.value,
            self.argument,
            not self.is_transposed,
        )

    def tensor(self) -> Array:
        """The array of shape `codomain + domain`."""
        return self._rounded(self.operator.tensor())

    def _quadratic(self, v: Array) -> Array:
        return self._rounded(self.operator.quadratic(v.astype(self.operator.dtype)))

    def pinv(self) -> LinearOperator:
        """The Moore-Penrose inverse, in the dtype of the computation."""
        return self.operator.pinv()

    def frobenius_norm(self) -> Array:
        """The root of the sum of all squared entries."""
        return self._rounded(self.operator.frobenius_norm())

    def blocks(self) -> Array:
        """The dense blocks of a block diagonal derivative, one after another.

        Raises:
            ValueError: when the derivative is not block diagonal.
        """
        if not isinstance(self.operator, BlockDiagonal):
            raise ValueError(
                f"`blocks` needs a block diagonal derivative, but this one is {self.structure}; "
                "`todense` gives it whole."
            )
        return self._rounded(self.operator.blocks())

    @property
    def structure(self) -> str:
        """That of the operator."""
        return self.operator.structure

    def _rounded(self, x: Array) -> Array:
        return x.astype(self.dtype)

    def _diagonal(self) -> Array:
        return self._rounded(self.operator.diagonal())

    def _trace(self) -> Array:
        return self._rounded(self.operator.trace())

    def _slogdet(self) -> tuple[Array, Array]:
        sign, logarithm = self.operator.slogdet()
        return self._rounded(sign), self._rounded(logarithm)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        wide = self.operator.dtype
        shift = None if shift is None else shift.astype(wide)
        return self._rounded(self.operator._solve(b.astype(wide), shift))

    def _scaled(self, scale: Array) -> LinearOperator:
        if self.operator.dtype == self.dtype:
            return self.operator * scale
        return Chain((Identity(self.codomain, self.dtype, scale), self))

    def _flops(self) -> int:
        return self.operator.cost().flops


def _plain(op: LinearOperator) -> LinearOperator:
    """The operator inside, where it has the dtype of the whole."""
    inner = op.operator if isinstance(op, Derivative) else op
    return inner if inner.dtype == op.dtype else op


@defcompose(Derivative, LinearOperator)
@defcompose(LinearOperator, Derivative)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    plain = _plain(a), _plain(b)
    return Chain((a, b)) if plain == (a, b) else compose(*plain)


@defadd(Derivative, LinearOperator)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    plain = _plain(a), _plain(b)
    return Sum((a, b)) if plain == (a, b) else add(*plain)
