"""Values and Jacobian products as primitives of their own.

A `Value` is a function of arrays that is lowered for each platform by rules of its own; its
derivatives are those of a `jax.custom_jvp` around it.

A `JacobianProduct` is a map (r₁, …, rₙ, t) ↦ L(r₁, …, rₙ) t, linear in its last operand t, a
tangent or cotangent; the residuals rᵢ are all that is kept for it. Being one primitive

- it is transposed, batched, differentiated and lowered for each platform by rules of its own,
- a linearised program saves just the residuals and shows the map by its name.

All operands have equal rank. Residuals may have size 1 where t does not (they broadcast), and axes
are counted from the end, so that batching only prepends an axis: an unbatched residual is read
once, never repeated.
"""

import operator
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property, partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jaxcalc._compat import (
    ad,
    batching,
    holds_whole_arrays,
    match_varying,
    mlir,
    new_primitive,
    with_axes,
    zero_tangent,
)

# what is computed instead of `apply`; whether its arrays are whole, not parts on many devices
Form = Callable[[Callable[..., Array], bool], Callable[..., Array]]


def _last_aval(*avals: Any, **params: Hashable) -> Any:
    return with_axes(avals[-1], (), None)


class Value:
    """The primitive `jaxcalc_<name>`, which computes by what its platform has the best form of.

    Args:
        name: the primitive's name in a jaxpr.
        apply: the mathematics, in `jax.numpy`; it computes at least in float32, and its result is
            rounded once to the dtype of the last operand.
        aval: the type of the result, from the operands' types; that of the last by default.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[..., Array],
        aval: Callable[..., Any] = _last_aval,
    ):
        self.name = name
        self._apply = apply
        self._aval = aval
        self._forms: dict[str | None, Form] = {None: lambda apply, whole: apply}

    @cached_property
    def primitive(self) -> Any:
        """The primitive with its rules, made when it is first applied."""
        primitive = new_primitive(f"jaxcalc_{self.name}")
        primitive.def_impl(self._eager)
        primitive.def_abstract_eval(self._aval)
        for platform, form in self._forms.items():
            mlir.register_lowering(primitive, self._lowering(form), platform=platform)
        batching.primitive_batchers[primitive] = self._batch
        return primitive

    def __call__(self, *operands: Array, **params: Hashable) -> Array:
        out: Array = self.primitive.bind(*match_varying(operands), **params)
        return out

    def defform(self, platform: str | None, form: Form) -> None:
        """Set how it is computed on a platform such as "cuda", or where there is no other form."""
        self._forms[platform] = form

    def _lowering(self, form: Form) -> Callable[..., Any]:
        def rule(context: Any, *operands: Any, **params: Hashable) -> Any:
            apply = form(self._apply, holds_whole_arrays(context))

            def lowered(*operands: Array, **params: Hashable) -> Array:
                return apply(*operands, **params).astype(operands[-1].dtype)

            return mlir.lower_fun(lowered, multiple_results=False)(context, *operands, **params)

        return rule

    def _eager(self, *operands: Array, **params: Hashable) -> Array:
        return self._jitted(tuple(params.items()), *operands)

    @partial(jax.jit, static_argnums=(0, 1))
    def _jitted(self, params: tuple[tuple[str, Hashable], ...], *operands: Array) -> Array:
        return self(*operands, **dict(params))

    def _batch(self, operands: Any, dims: Any, **params: Hashable) -> tuple[Array, int]:
        size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
        *residuals, t = (
            jnp.expand_dims(x, 0) if d is None else jnp.moveaxis(x, d, 0)
            for x, d in zip(operands, dims, strict=True)
        )
        t = jnp.broadcast_to(t, (size, *t.shape[1:]))
        return self(*residuals, t, **params), 0


class JacobianProduct(Value):
    """The primitive `jaxcalc_<name>` that applies a linear map to its last operand.

    Its transpose and its derivatives by the residuals are set after it is made.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[..., Array],
        aval: Callable[..., Any] = _last_aval,
    ):
        super().__init__(name, apply, aval)
        self._transpose: Callable[..., Array] = self
        self._derivatives: dict[int, Callable[..., Array]] = {}

    @cached_property
    def primitive(self) -> Any:
        """The primitive with its rules, made when it is first applied."""
        primitive = super().primitive
        ad.primitive_jvps[primitive] = self._jvp
        ad.primitive_transposes[primitive] = self._transposed
        return primitive

    def deftranspose(self, rule: Callable[..., Array]) -> None:
        """Set the transpose, `rule(*residuals, ct, **params)`; a product is its own by default."""
        self._transpose = rule

    def defderivative(self, position: int, rule: Callable[..., Array]) -> None:
        """Set the derivative by a residual: `rule(dr, *operands, **params)`, linear in dr."""
        self._derivatives[position] = rule

    def _jvp(self, primals: Any, tangents: Any, **params: Hashable) -> tuple[Array, Any]:
        *residuals, _ = primals
        *residual_tangents, dt = tangents
        out = self(*primals, **params)
        changes = [
            self._derivatives[i](dr, *primals, **params)
            for i, dr in enumerate(residual_tangents)
            if type(dr) is not ad.Zero
        ]
        if type(dt) is not ad.Zero:
            changes.append(self(*residuals, dt, **params))
        return out, add(changes) if changes else zero_tangent(out)

    def _transposed(self, ct: Any, *operands: Any, **params: Hashable) -> list[Any]:
        *residuals, t = operands
        zero = type(ct) is ad.Zero
        t_bar = ad.Zero(t.aval) if zero else self._transpose(*residuals, ct, **params)
        return [None] * len(residuals) + [t_bar]


def add(changes: Sequence[Array]) -> Array:
    """The sum of one or more changes."""
    return reduce(operator.add, changes)


def changing(tangent: object) -> bool:
    """Whether a tangent handed to a rule with `symbolic_zeros=True` is more than a zero."""
    return type(tangent) is not SymbolicZero
