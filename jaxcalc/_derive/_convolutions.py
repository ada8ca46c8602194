"""Convolutions along one axis, each feature on its own: Toeplitz matrices.

y[i] = Σ_k x[i − low + k] w[k] is the Toeplitz matrix of w times x, and that of x turned round times
w turned round. Strides select from the result; dilations are zeros between the entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._derive import _terms
from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Tangent
from jaxcalc._derive._indexing import padded, sliced, turned, turned_value
from jaxcalc._derive._opaque import opaque
from jaxcalc._derive._rules import permuted, reordered_value
from jaxcalc._derive._step import LinearStep, Operand, Results
from jaxcalc._derive._structured import Axes, along
from jaxcalc._formula import Expression, call, maps


@dataclass(frozen=True)
class Convolved:
    """J_ij = values[j − i + shift]."""

    rows: int
    shift: int

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """By the values alone."""
        (values,) = arrays
        return ops.Toeplitz(values.astype(dtype), self.rows, size, self.shift)

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """toeplitz(values)."""
        return maps.matrix(call("toeplitz", arrays, (rows, columns), shift=self.shift))


def convolved(step: LinearStep) -> Results:
    """A Toeplitz matrix along the axis; a map without structure where there are more."""
    x, w = step.operands
    params, numbers, dtype = step.params, step.params["dimension_numbers"], step.dtype
    if not _is_plain(step) or len(step.values) != 1:
        return opaque(step)
    (low, high), (stride,) = params["padding"][0], params["window_strides"]
    x = _spread(_ordered(x, numbers.lhs_spec), params["lhs_dilation"][0], dtype)
    w = _spread(_ordered(w, numbers.rhs_spec), params["rhs_dilation"][0], dtype)
    (batch, _, n), (features, _, k) = x.shape, w.shape
    rows = low + n + high - k + 1
    kept: tuple[Value, Axes]
    if isinstance(x, Tangent):
        t, kept, shift = x, (w, (1, 0, None)), low
    else:
        t = turned(permuted(w, (1, 0, 2)), 2, dtype)
        kept, shift = (turned_value(x, 2), (0, 1, None)), n - k + low
    every = (batch, features, t.shape[2])
    t = t.map(lambda term: _terms.broadcast(term, every, range(3)), every)
    y = sliced(along(t, 2, Convolved(rows, shift), [kept], rows), 2, 0, rows, stride, dtype)
    return permuted(y, np.argsort(numbers.out_spec).tolist())


def _is_plain(step: LinearStep) -> bool:
    """Whether it is along one axis, and each feature of the result is of one feature."""
    params, numbers = step.params, step.params["dimension_numbers"]
    x, w = (variable.aval.shape for variable in step.equation.invars)
    if len(x) != 3 or params["batch_group_count"] != 1:
        return False
    before, after = x[numbers.lhs_spec[1]], w[numbers.rhs_spec[0]]
    return before == params["feature_group_count"] and before in (1, after)


def _ordered(x: Operand, order: Sequence[int]) -> Any:
    """With its axes in that order: batch, feature, place; of a kernel, feature, 1, place."""
    if isinstance(x, Tangent):
        return permuted(x, order)
    return reordered_value(x, order)


def _spread(x: Operand, dilation: int, dtype: np.dtype) -> Any:
    """With zeros between its places."""
    if dilation == 1:
        return x
    if isinstance(x, Tangent):
        return padded(x, 2, 0, 0, dilation - 1, dtype)
    return _terms.padding(0, 0, dilation - 1)(x, 2)
