"""The matrix-free operator: any linear function, always exact, dense only on request."""

import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape
from jaxcalc.operators._functions import LinearFunction, as_pytree, image_shape, transpose_of
from jaxcalc.operators._pytrees import basis, static


class Linear(LinearOperator):
    """J v = `function(v)`, a linear function that is a pytree (`Linear.of` makes it one).

    Its transpose is `jax.linear_transpose` of it, or `transposed_function` where that is given;
    then `function` may be None. A function without a transpose, such as a `while` loop, goes
    through its columns, one product for each entry of the domain, wherever Jᵀ is needed.

    >>> J = Linear.of(jnp.cumsum, (3,))
    >>> print(J @ jnp.ones(3), J.T @ jnp.ones(3))
    [1. 2. 3.] [3. 2. 1.]
    """

    function: LinearFunction | None
    codomain: Shape = static()
    domain: Shape = static()
    dtype: np.dtype = static()
    transposed_function: LinearFunction | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function is None and self.transposed_function is None:
            raise ValueError(
                "`function` or `transposed_function` must be given, but both are None; use `Zero` "
                "for the zero map."
            )

    @classmethod
    def of(cls, function: LinearFunction, domain: Shape, dtype: Any = jnp.float32) -> Self:
        """The operator of a linear function of one array of shape `domain`."""
        codomain = image_shape(function, domain, dtype)
        return cls(as_pytree(function), codomain, tuple(domain), dtype)

    def mv(self, v: Array) -> Array:
        """function(v)."""
        forward = self._forward()
        if forward is not None:
            return forward(v)
        return jnp.tensordot(v, self.T.tensor(), axes=v.ndim)

    @property
    def T(self) -> "Linear":
        """The same functions, the other way round."""
        return Linear(
            self.transposed_function, self.domain, self.codomain, self.dtype, self.function
        )

    def tensor(self) -> Array:
        """The array of shape `codomain + domain`, by as few products as there are functions for."""
        forward, backward = self._forward(), self.T._forward()
        fewer_rows = math.prod(self.codomain) < math.prod(self.domain)
        if backward is not None and (forward is None or fewer_rows):
            rows = jax.vmap(backward)(basis(self.codomain, self.dtype))
            return rows.reshape(self.codomain + self.domain)
        columns = jax.vmap(self.mv, out_axes=-1)(basis(self.domain, self.dtype))
        return columns.reshape(self.codomain + self.domain)

    def _forward(self) -> LinearFunction | None:
        """The function or the transpose of the other one; None where that has none."""
        if self.function is None:
            return transpose_of(self.transposed_function, self.codomain, self.dtype)
        return self.function

    @property
    def structure(self) -> str:
        """matrix-free."""
        return "matrix-free"
