"""The derivative of one array by another: an operator that also knows its formula."""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import _formula
from jaxcalc._arrays import holding, narrowed
from jaxcalc._formula import Expression, maps
from jaxcalc._layout.layout import Layout
from jaxcalc.operators import (
    BlockDiagonal,
    Chain,
    LinearOperator,
    Sum,
    Zero,
    add,
    compose,
    defadd,
    defcompose,
    static,
)
from jaxcalc.operators._checks import Scalar, checked_factor
from jaxcalc.operators._cost import Cost
from jaxcalc.operators._facts import Facts, facts
from jaxcalc.operators._facts import register as register_facts
from jaxcalc.operators._sparse import Coordinates
from jaxcalc.plot import jacobian
from jaxcalc.plot._seen import Known
from jaxcalc.plot._seen import register as register_known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Derivative(LinearOperator):
    """∂y/∂x at a point, as `derive` gives it: a linear operator with a closed form.

    It does what every operator does (`J @ v`, `v @ J`, `J.T`, `J.todense()`, `J.solve(b)`, …), by
    way of `J.operator`, whose class shows the structure. In denominator layout it maps y to x, and
    `J.T` is the same derivative in the other layout. float16 and bfloat16 are computed in float32
    and rounded once, to the dtype that holds that of the derivative and that of v.

    Multiples, sums, products, transposes and pseudo-inverses of derivatives are derivatives.

    Attributes:
        operator: the structured operator.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> J = jc.derive(jc.softmax)(jnp.zeros(3))
    >>> print(J.formula)
    diag(s) − s sᵀ where s = softmax(x)
    >>> print(J.structure, J.operator.entries)
    diagonal - rank 1 [0.33333334 0.33333334 0.33333334]
    """

    tensor_is_split = True  # where that of the operator is

    operator: LinearOperator
    named: dict[str, Array]
    dtype: np.dtype = static()
    map: maps.Map = static()
    value: Expression | None = static(default=None)
    argument: Expression | None = static(default=None)
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
        order in which they appear: `derivative(**J.arrays)` is `J.todense()`.

        Raises:
            ValueError: when a part has no closed form; it says which.
        """
        return self._closed_form.code

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays that the formula names, by their names; those of `code` in its order."""
        return {text: self.named[text] for text in self._closed_form.names}

    @property
    def terms(self) -> tuple[str, ...]:
        """What it does to entries, a line a term, such as `s[i] s[j] ∂x[j] → y[i]`.

        What one map of a chain gives to the next is d1, d2, …
        """
        return _formula.terms_of(self._own_map)

    def explain(self) -> _formula.Explanation:
        """The derivation step by step, each with the rule of the notes that it uses.

        It is text; a notebook shows its formulas set by LaTeX.
        """
        return _formula.explain(self.value, self.argument, self.map, self.is_transposed)

    def show(self, ax: "Axes | None" = None) -> "Figure":
        """A heat map, as `jc.plot.jacobian(J)` draws it: blue below 0, red above, white at 0.

        Args:
            ax: the axes to draw on; a figure of its own without them.

        Returns:
            The figure: a notebook shows it, `savefig` writes it.

        Raises:
            ImportError: when matplotlib, the extra `plot`, is not installed.
            TypeError: when the derivative is traced.
            ValueError: for a batch, and for no entries or more than 2²⁴.
        """
        return jacobian(self, ax=ax)

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"

    @functools.cached_property
    def _closed_form(self) -> "_formula.ClosedForm":
        return _formula.closed_form(self.map, self.is_transposed, self.dtype.name)

    def __repr__(self) -> str:
        return f"{super().__repr__()}: {self.formula}"

    # --- the operator ---

    def mv(self, v: Array) -> Array:
        """The derivative applied to one array."""
        return self._rounded(self.operator @ v, v)

    def mm(self, columns: Array) -> Array:
        """The derivative applied to columns."""
        return self._rounded(self.operator @ columns, columns)

    @property
    def T(self) -> "Derivative":
        """The same derivative in the other layout."""
        return dataclasses.replace(
            self, operator=self.operator.T, is_transposed=not self.is_transposed
        )

    def tensor(self) -> Array:
        """The array of shape `codomain + domain`."""
        return self._rounded(self.operator.tensor())

    def _coordinates(self) -> Coordinates:
        values, rows, columns = self.operator._coordinates()
        return Coordinates(self._rounded(values), rows, columns)

    def _quadratic(self, v: Array) -> Array:
        return self._rounded(self.operator.quadratic(v), v)

    def pinv(self) -> "Derivative":
        """The Moore-Penrose inverse J⁺."""
        inverse = maps.PseudoInverse(self.domain, self.codomain, self._own_map)
        return Derivative(self.operator.pinv(), self.named, self.dtype, inverse)

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
        """That of the operator; `zero` too where the closed form says that all terms cancel."""
        return "zero" if self._closed_form.is_zero else self.operator.structure

    def _rounded(self, x: Array, *given: Array) -> Array:
        """x in the dtype of the derivative, or in one that holds what it was `given` too."""
        # most are alike: to ask JAX takes as long as a product
        alike = all(v.dtype == self.dtype for v in given)
        return narrowed(x, self.dtype if alike else holding(self.dtype, *given))

    def _diagonal(self) -> Array:
        return self._rounded(self.operator.diagonal())

    def _trace(self) -> Array:
        return self._rounded(self.operator.trace())

    def _slogdet(self) -> tuple[Array, Array]:
        sign, logarithm = self.operator.slogdet()
        return self._rounded(sign), self._rounded(logarithm)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        dtype = holding(self.operator.dtype, b)
        shift = None if shift is None else shift.astype(dtype)
        return self._rounded(self.operator._solve(b.astype(dtype), shift), b)

    # --- multiples, sums and products ---

    def __sub__(self, other: Any) -> LinearOperator:
        if not isinstance(other, Derivative):
            return super().__sub__(other)
        difference = add(self.operator, -other.operator)
        return _summed(self, other, difference, lambda a, b: maps.added(a, maps.scaled(b, -1.0)))

    def __neg__(self) -> "Derivative":
        return self._multiple(-1.0)

    def __mul__(self, scale: Scalar) -> "Derivative":
        return self._multiple(scale)

    __rmul__ = __mul__

    def __truediv__(self, scale: Scalar) -> "Derivative":
        if isinstance(scale, int | float):
            return self._multiple(1 / scale)
        return self._multiple(1 / checked_factor(scale, self.operator.dtype))

    def _multiple(self, scale: Scalar) -> "Derivative":
        """The derivative times a number, or times an array that gets the name c."""
        factor = checked_factor(scale, self.operator.dtype)
        wide = holding(factor, self.operator.dtype)
        operator = self.operator * factor.astype(wide)
        if isinstance(scale, int | float):
            multiple = maps.scaled(self.map, float(scale))
            return Derivative(
                operator, self.named, self.dtype, multiple, is_transposed=self.is_transposed
            )
        text = _fresh("c", self.named)
        multiple = maps.scaled(self.map, _formula.name(text, ()))
        named = {**self.named, text: factor}
        dtype = holding(self.dtype, factor)
        return Derivative(operator, named, dtype, multiple, is_transposed=self.is_transposed)

    @property
    def _own_map(self) -> maps.Map:
        """The map from `domain` to `codomain`."""
        return maps.transposed(self.map) if self.is_transposed else self.map

    def cost(self) -> Cost:
        """That of the operator, beside the dense form."""
        return self.operator.cost()


def _plain(op: LinearOperator) -> LinearOperator:
    """The operator inside, where it has the dtype of the whole."""
    inner = op.operator if isinstance(op, Derivative) else op
    return inner if inner.dtype == op.dtype else op


@register_facts
def _(op: Derivative) -> Facts:
    return facts(op.operator)


@register_known
def _(J: Derivative) -> Known:
    if J.argument is None:  # it was computed with: a sum does not know which of them is y
        return Known(formula=J._closed_form)
    layout = Layout.DENOMINATOR if J.is_transposed else Layout.NUMERATOR
    return Known(layout, J.argument["text"], J._closed_form)


@defcompose(Derivative, LinearOperator)
@defcompose(LinearOperator, Derivative)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    plain = _plain(a), _plain(b)
    return Chain((a, b)) if plain == (a, b) else compose(*plain)


@defadd(Derivative, LinearOperator)
def _(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    plain = _plain(a), _plain(b)
    return Sum((a, b)) if plain == (a, b) else add(*plain)


@defcompose(Derivative, Derivative)
def _(a: Derivative, b: Derivative) -> Derivative:
    return _joined(a, b, compose(a.operator, b.operator), maps.chained)


@defadd(Derivative, Derivative)
def _(a: Derivative, b: Derivative) -> Derivative:
    return _summed(a, b, add(a.operator, b.operator), maps.added)


def _summed(
    a: Derivative, b: Derivative, summed: LinearOperator, join: Callable[..., maps.Map]
) -> Derivative:
    """Both maps in one, which is zero where either the operators or the formulas cancel."""
    made = _joined(a, b, summed, join)
    if not isinstance(summed, Zero) and not _formula.is_zero(made.map):
        return made
    zero = Zero(made.codomain, made.domain, made.operator.dtype)
    return Derivative(zero, {}, made.dtype, maps.Terms(made.codomain, made.domain, ()))


def _joined(
    a: Derivative, b: Derivative, joined: LinearOperator, join: Callable[..., maps.Map]
) -> Derivative:
    """Both maps in one, what of b only prints like something of a set apart from it."""
    renamed = {
        text: _fresh(text, {**a.named, **b.named})
        for text, array in b.named.items()
        if a.named.get(text, array) is not array
    }
    named = a.named | {renamed.get(text, text): array for text, array in b.named.items()}
    other = _formula.renamed(b._own_map, renamed)
    if not _is_same(a, b):
        other = _formula.renumbered(other, a.map)
    map_ = join(a._own_map, other)
    return Derivative(joined, named, jnp.promote_types(a.dtype, b.dtype), map_)


def _is_same(a: Derivative, b: Derivative) -> bool:
    """Whether what has no name in both is known to be the same."""
    leaves = jax.tree.leaves(a), jax.tree.leaves(b)
    alike = len(leaves[0]) == len(leaves[1]) and all(map(operator.is_, *leaves))
    return a.map is b.map and alike


def _fresh(text: str, taken: Collection[str]) -> str:
    """A name that none of the others is."""
    options = itertools.chain([text], (f"{text}{i}" for i in itertools.count(2)))
    return next(option for option in options if option not in taken)
