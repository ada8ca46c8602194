"""Values and Jacobian products as primitives of their own.

A `ValuePrimitive` is a function of arrays that is lowered for each platform by rules of its own. It
is the whole body of a hand-written `jax.custom_jvp` and carries the same rule: where JAX drops the
custom one (jax 0.10 inlines it in the body of a `scan` once that was linearised) the closed form is
still there.

A `JacobianProduct` is a map (r₁, …, rₙ, t) ↦ L(r₁, …, rₙ) t, linear in its last operand t, a
tangent or cotangent; the residuals rᵢ are all that is kept for it. Being one primitive

- it is transposed, batched, differentiated and lowered for each platform by rules of its own,
- a linearised program saves just the residuals and shows the map by its name.

All operands have equal rank. Residuals may have size 1 where t does not (they broadcast), and axes
are counted from the end, so that batching only prepends an axis: an unbatched residual is read
once, never repeated.
"""

import operator
import threading
from collections.abc import Callable, Hashable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jaxcalc._arrays import narrowed, wide
from jaxcalc._compat import (
    ad,
    batching,
    holds_whole_arrays,
    is_exported,
    match_varying,
    mlir,
    new_primitive,
    repeat,
    setting,
    with_axes,
    zero_tangent,
)


class Lowered(NamedTuple):
    """The program that a primitive is lowered in.

    Attributes:
        whole: whether its arrays are whole, not parts on many devices.
        exported: whether it is to run elsewhere.
        types: the type of the result, or a list of them.
    """

    whole: bool
    exported: bool
    types: Any


# what is computed instead of `apply`
Form = Callable[[Callable[..., Any], Lowered], Callable[..., Any]]
Rule = Callable[..., Any]

_making = threading.RLock()  # a primitive is seen by other threads with all of its rules or not yet


def plain_form(apply: Callable[..., Any], lowered: Lowered) -> Callable[..., Any]:
    """What JAX and XLA make of the mathematics."""
    return apply


def _last(*avals: Any, **params: Hashable) -> Any:
    return avals[-1]


def _last_strong(*avals: Any, **params: Hashable) -> Any:
    return with_axes(avals[-1], (), None)


class ValuePrimitive:
    """The primitive `jaxcalc_<name>`, which computes by what its platform has the best form of.

    Args:
        name: the primitive's name in a jaxpr.
        apply: the mathematics, in `jax.numpy`; it computes at least in float32, and its result is
            rounded once to the dtype of its type.
        aval: the type of the result, from the operands' types; that of the last by default.
        multiple: whether there is a list of results, and of their types.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[..., Any],
        aval: Callable[..., Any] = _last,
        multiple: bool = False,
    ):
        self.name = name
        self._multiple = multiple
        self._apply = apply
        self._aval = aval
        self._forms: dict[str | None, Form] = {None: plain_form}
        self._rule: Rule | None = None
        self._primitive: Any = None

    @property
    def primitive(self) -> Any:
        """The primitive with its rules, made when it is first applied."""
        if self._primitive is None:
            with _making:
                self._primitive = self._primitive or self._made()
        return self._primitive

    def _made(self) -> Any:
        primitive = new_primitive(f"jaxcalc_{self.name}")
        primitive.multiple_results = self._multiple
        primitive.def_impl(self._eager)
        primitive.def_abstract_eval(self._aval)
        for platform, form in self._forms.items():
            mlir.register_lowering(primitive, self._lowering(form), platform=platform)
        batching.primitive_batchers[primitive] = self._batch
        ad.primitive_jvps[primitive] = self._jvp
        return primitive

    def __call__(self, *operands: Array, **params: Hashable) -> Any:
        return self.primitive.bind(*self._matched(operands, **params), **params)

    def defform(self, platform: str | None, form: Form) -> None:
        """Set how it is computed on a platform such as "cuda", or where there is no other form."""
        self._forms[platform] = form

    def defjvp(self, rule: Rule) -> Rule:
        """Set the derivative, `rule(*params, primals, tangents)`, as for a `jax.custom_jvp`.

        A tangent that is zero is handed over as a `SymbolicZero`, unless all are.
        """
        self._rule = rule
        return rule

    def _jvp(self, primals: Any, tangents: Any, **params: Hashable) -> tuple[Any, Any]:
        if all(type(t) is ad.Zero for t in tangents):
            out = self(*primals, **params)
            return out, jax.tree.map(zero_tangent, out)
        assert self._rule is not None, self.name
        given = tuple(SymbolicZero(t.aval) if type(t) is ad.Zero else t for t in tangents)
        return self._rule(*params.values(), primals, given)

    def _matched(self, operands: Sequence[Array], **params: Hashable) -> list[Array]:
        """The operands, varying over the same manual mesh axes."""
        return match_varying(operands)

    def _lowering(self, form: Form) -> Callable[..., Any]:
        def rule(context: Any, *operands: Any, **params: Hashable) -> Any:
            types = context.avals_out if self._multiple else context.avals_out[0]
            lowered = Lowered(holds_whole_arrays(context), is_exported(context), types)
            apply = form(self._apply, lowered)

            def rounded(*operands: Array, **params: Hashable) -> Any:
                out = apply(*operands, **params)
                return jax.tree.map(lambda y, aval: y.astype(aval.dtype), out, types)

            lower = mlir.lower_fun(rounded, multiple_results=self._multiple)
            return lower(context, *operands, **params)

        return rule

    def _eager(self, *operands: Array, **params: Hashable) -> Any:
        if not setting("jax_disable_jit"):
            return self._jitted(tuple(params.items()), *operands)
        with jax.disable_jit(False):  # without a jit of its own it would be this call again
            return self._jitted(tuple(params.items()), *operands)

    @partial(jax.jit, static_argnums=(0, 1))
    def _jitted(self, params: tuple[tuple[str, Hashable], ...], *operands: Array) -> Any:
        return self(*operands, **dict(params))

    def _batch(self, operands: Any, dims: Any, **params: Hashable) -> tuple[Any, Any]:
        pairs = list(zip(operands, dims, strict=True))
        mapped = next(jnp.moveaxis(x, d, 0) for x, d in pairs if d is not None)
        *residuals, t = (
            jnp.expand_dims(x, 0) if d is None else jnp.moveaxis(x, d, 0) for x, d in pairs
        )
        if dims[-1] is None:
            t = repeat(operands[-1], mapped.shape[0], mapped)
        out = self(*residuals, t, **params)
        return out, jax.tree.map(lambda _: 0, out)


class JacobianProduct(ValuePrimitive):
    """The primitive `jaxcalc_<name>` that applies a linear map to its last operand.

    Its transpose and its derivatives by the residuals are set after it is made.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[..., Array],
        aval: Callable[..., Any] = _last_strong,
    ):
        super().__init__(name, apply, aval)
        self._transpose: Callable[..., Array] = self
        self._derivatives: dict[int, Callable[..., Array]] = {}

    def _made(self) -> Any:
        primitive = super()._made()
        ad.primitive_transposes[primitive] = self._transposed
        return primitive

    def deftranspose(self, rule: Callable[..., Array]) -> None:
        """Set the transpose, `rule(*residuals, ct, **params)`; a product is its own by default."""
        self._transpose = rule

    def defderivative(
        self, position: int, rule: Callable[..., Array], *, whole: bool = False
    ) -> None:
        """Set the derivative by a residual: `rule(dr, *operands, **params)`, linear in dr.

        Unless the rule is a whole, one primitive, it sees dr and all operands but the first in
        float32 where they have 16 bits: what it forms on the way may leave their range, though the
        result does not, and would be rounded more than once.
        """
        self._derivatives[position] = rule if whole else _in_float32(rule)

    def _jvp(self, primals: Any, tangents: Any, **params: Hashable) -> tuple[Array, Any]:
        *residuals, _ = primals
        *residual_tangents, dt = tangents
        out = self(*primals, **params)
        changes = [
            narrowed(self._derivatives[i](dr, *primals, **params), out.dtype)
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


def _in_float32(rule: Callable[..., Array]) -> Callable[..., Array]:
    def widened(dr: Array, first: Array, *rest: Array, **params: Hashable) -> Array:
        return rule(wide(dr), first, *map(wide, rest), **params)

    return widened


def add(changes: Sequence[Array]) -> Array:
    """The sum of one or more changes."""
    return reduce(operator.add, changes)


def changing(tangent: object) -> bool:
    """Whether a tangent handed to a rule with `symbolic_zeros=True` is more than a zero."""
    return type(tangent) is not SymbolicZero
