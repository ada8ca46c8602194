"""The one place that touches names which drift between jax versions.

The rest of the package imports these from here, so that a new jax release is met in this file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax import lax
from jax.interpreters import ad as ad
from jax.interpreters import batching as batching
from jax.interpreters import mlir as mlir
from jax.sharding import AxisType, PartitionSpec


def new_primitive(name: str) -> Any:
    """A primitive without rules; imported late, since that module imports Pallas."""
    from jax.extend.core import Primitive

    return Primitive(name)


def program_types() -> tuple[type, type]:
    """The classes of primitives and of equations."""
    from jax.extend.core import JaxprEqn, Primitive

    return Primitive, JaxprEqn


def known_primitives() -> dict[str, Any]:
    """The primitives that have rules, by name; JAX's own where another has that too."""
    from jax.extend.core import primitives

    rules = batching.fancy_primitive_batchers, ad.primitive_jvps, ad.primitive_transposes
    found: list[Any] = [*(p for table in rules for p in table), *vars(primitives).values()]
    Primitive: Any = program_types()[0]
    return {p.name: p for p in found if isinstance(p, Primitive)}


def rebuilt_equation(
    invars: list[Any], outvars: list[Any], primitive: Any, params: dict[str, Any], effects: Any
) -> Any:
    """An equation from its parts, without the place where it was written."""
    from jax.extend.core import new_jaxpr_eqn

    return new_jaxpr_eqn(invars, outvars, primitive, params, effects)


def setting(name: str) -> Any:
    """What a switch of JAX, such as `jax_disable_jit`, is set to here and now."""
    return getattr(jax.config, name)


def match_varying(operands: Sequence[Any]) -> list[Any]:
    """Mark every operand as varying over the manual mesh axes over which any of them varies.

    Inside `jax.shard_map` the built-in primitives do this by themselves; an own primitive must ask.
    """
    union = frozenset().union(*map(varying_axes, operands))
    return [vary(x, union) for x in operands]


def varying_axes(x: Any) -> frozenset[str]:
    """The manual mesh axes over which an array, or its type, differs between devices."""
    aval = x if hasattr(x, "manual_axis_type") else jax.typeof(x)
    return frozenset(aval.manual_axis_type.varying)


def vary(x: Any, axes: frozenset[str]) -> Any:
    """`x`, marked as varying over `axes` too."""
    missing = axes - varying_axes(x)
    return lax.pcast(x, tuple(sorted(missing)), to="varying") if missing else x


def mesh_axes() -> tuple[str, ...]:
    """The axes of the mesh that the `jax.shard_map` around the call maps over."""
    return tuple(jax.sharding.get_abstract_mesh().manual_axes)


def typed_varying(aval: Any, axes: frozenset[str]) -> Any:
    """The abstract value `aval`, varying over exactly these manual mesh axes."""
    manual = aval.manual_axis_type.update(varying=axes)
    return aval.update(manual_axis_type=manual)


def with_axes(aval: Any, axes: tuple[int, ...], other: Any) -> Any:
    """The abstract value `aval`, strongly typed; its `axes` are sized and split as in `other`.

    Without `other` they have size 1 and are not split.
    """
    shape, spec = list(aval.shape), list(aval.sharding.spec)
    for axis in axes:
        shape[axis] = other.shape[axis] if other is not None else 1
        spec[axis] = other.sharding.spec[axis] if other is not None else None
    sharding = aval.sharding.update(spec=PartitionSpec(*spec))
    return aval.update(shape=tuple(shape), weak_type=False, sharding=sharding)


def repeat(x: Any, size: int, beside: Any) -> Any:
    """`x` along a new first axis, split over devices as the first axis of `beside` is."""
    sharding = jax.typeof(beside).sharding
    if AxisType.Explicit not in sharding.mesh.axis_types:
        return lax.broadcast(x, (size,))
    spec = PartitionSpec(sharding.spec[0], *jax.typeof(x).sharding.spec)
    return lax.broadcast(x, (size,), out_sharding=sharding.update(spec=spec))


def shaped_like(x: Any, shape: tuple[int, ...]) -> Any:
    """The type of an array of that shape with the dtype of `x`, varying over the same axes."""
    manual = jax.typeof(x).manual_axis_type
    return jax.ShapeDtypeStruct(shape, x.dtype, manual_axis_type=manual)


def holds_whole_arrays(context: Any) -> bool:
    """Whether a program being lowered has its arrays on one device, or is each device's own."""
    axes = context.module_context.axis_context
    if hasattr(axes, "num_devices"):
        return axes.num_devices == 1
    return frozenset(axes.mesh.axis_names) == axes.manual_axes | frozenset(axes.mesh.manual_axes)


def is_exported(context: Any) -> bool:
    """Whether a program is being lowered to run elsewhere, by `jax.export`."""
    return bool(context.module_context.lowering_parameters.for_export)


def emit_assembly(text: str) -> None:
    """Put instructions for a GPU, which read and write memory, into the program being lowered."""
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import llvm

    nothing = ir.Type.parse("!llvm.void")
    llvm.inline_asm(nothing, [], text, "~{memory}", has_side_effects=True)


def compute_capabilities() -> list[float]:
    """Those of the GPUs that JAX computes on by default."""
    devices = [device for device in jax.devices() if device.platform == "gpu"]
    return [float(device.compute_capability) for device in devices]


def zero_tangent(x: Any) -> Any:
    """The symbolic zero in the tangent space of `x`."""
    return ad.Zero(jax.typeof(x).to_tangent_aval())


def is_concrete(x: Any) -> bool:
    """Whether `x` has numbers to look at, rather than standing for them in a transformation."""
    return not isinstance(x, jax.core.Tracer)


def is_mapped_with(x: Any, index: Any) -> bool:
    """Whether `x` varies along the axis that the argument `index` of a vmapped function has."""
    return not is_concrete(x) and x._trace is index._trace


def bind(primitive: Any, operands: Sequence[Any], params: Mapping[str, Any]) -> list[Any]:
    """The results of an equation's primitive, applied to operands."""
    bound = primitive.get_bind_params(params)
    functions, keywords = bound if isinstance(bound, tuple) else ((), bound)
    out = primitive.bind(*functions, *operands, **keywords)
    return list(out) if primitive.multiple_results else [out]


def is_literal(atom: Any) -> bool:
    """Whether an equation's operand is a value written in the program."""
    return hasattr(atom, "val")


def operation(equation: Any) -> str:
    """The name of an equation's primitive; newer versions have some that hold another."""
    held = equation.params.get("_prim")
    return equation.primitive.name if held is None else type(held).__name__


def scan_lengths(equation: Any) -> tuple[int, int]:
    """How many operands of a `scan` are constants, and how many are carried."""
    params = equation.params
    if "ft_in" in params:
        consts, carry, _ = map(len, params["ft_in"].unpack())
        return consts, carry
    return params["num_consts"], params["num_carry"]


def inlined(equation: Any) -> Any | None:
    """The program that an equation only calls, or None where it does more."""
    params = equation.params
    if equation.primitive.name not in _CALLS:
        return None
    return params["call_jaxpr"] if "call_jaxpr" in params else params["jaxpr"]


_JITS = ("jit", "pjit")
_CALLS = (*_JITS, "closed_call", "core_call", "remat", "remat2", "checkpoint", "custom_jvp_call")


def jitted(equation: Any) -> Any | None:
    """The program of a call under `jax.jit`, which has no rule of its own."""
    return inlined(equation) if equation.primitive.name in _JITS else None


def is_backward_rule(equation: Any) -> bool:
    """Whether an equation of a linear program stands for the rule of a `jax.custom_vjp`."""
    return equation.primitive.name == "custom_lin"


def sub_jaxprs(equation: Any) -> Iterator[Any]:
    """The programs among an equation's parameters."""
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if hasattr(part, "eqns"):
                yield part


def opened(program: Any) -> tuple[Any, list[Any]]:
    """A program, closed or not, and its constants."""
    return (program.jaxpr, program.consts) if hasattr(program, "jaxpr") else (program, [])


def run(
    jaxpr: Any,
    operands: Sequence[Any],
    literal: Callable[[Any], Any],
    step: Callable[[Any, list[Any]], Sequence[Any]],
) -> list[Any]:
    """The results of an open program on its constants and arguments, whatever stands for a value.

    `literal` makes a value of an atom that is a number, `step` the results of an equation from its
    operands.
    """
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), operands, strict=True))

    def read(atom: Any) -> Any:
        return literal(atom) if is_literal(atom) else values[atom]

    for equation in jaxpr.eqns:
        results = step(equation, list(map(read, equation.invars)))
        values.update(zip(equation.outvars, results, strict=True))
    return list(map(read, jaxpr.outvars))


def substitutes(program: Any) -> bool:
    """Whether a program solves by substitution, as one with a decomposition of a matrix does."""
    jaxpr, _ = opened(program)
    return any(
        e.primitive is lax.linalg.triangular_solve_p or any(map(substitutes, sub_jaxprs(e)))
        for e in jaxpr.eqns
    )


def eval_jaxpr(jaxpr: Any, constants: Sequence[Any], *arguments: Any) -> list[Any]:
    """The results of an open program."""
    return jax.core.eval_jaxpr(jaxpr, constants, *arguments)


def cpu_multiplies_16_bits() -> bool:
    """Whether XLA:CPU can run every product of 16-bit matrices that is added up in float32.

    That of jax 0.10 has none for one with a transposed factor inside some loops: "Unsupported
    element type for DotThunk::Execute: BF16 x BF16 = F32". That of 0.11 was not tried.
    """
    return jax.__version_info__ >= (0, 12)
