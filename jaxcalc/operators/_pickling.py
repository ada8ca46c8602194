"""Operators in `pickle` and `jax.export`: what stands beside their arrays, as bytes.

An operator without a closed form may hold a program of JAX. JAX pickles neither primitives nor the
traces of where an equation was written; here a primitive is its name, looked up where it is read.
"""

import contextlib
import copyreg
import functools
import pickle
from collections.abc import Callable
from typing import Any

import jax

from jaxcalc._compat import known_primitives, program_types, rebuilt_equation


@functools.cache
def enable() -> None:
    """Let `pickle` take programs from now on."""
    Primitive, Equation = program_types()
    copyreg.pickle(Primitive, _reduced_primitive)
    copyreg.pickle(Equation, _reduced_equation)


def _reduced_primitive(primitive: Any) -> tuple[Any, ...]:
    name = primitive.name
    if known_primitives().get(name) is not primitive:
        raise pickle.PicklingError(
            f"the primitive `{name}` inside an operator cannot be pickled: JAX knows no "
            "rule by which it could be found again; pickle `J.todense()` instead."
        )
    return _primitive, (name,)


def _primitive(name: str) -> Any:
    found = known_primitives().get(name)
    if found is None:
        raise pickle.UnpicklingError(
            f"the primitive `{name}` inside an operator is not known here; import the package that "
            "defines it first."
        )
    return found


def _reduced_equation(equation: Any) -> tuple[Any, ...]:
    parts = equation.invars, equation.outvars, equation.primitive, equation.params
    return rebuilt_equation, (*parts, equation.effects)


def as_bytes(structure: Any) -> bytes:
    """What stands beside the arrays of a pytree, for `jax.export`."""
    enable()
    return pickle.dumps(structure)


def exportable(
    cls: Any,
    write: Callable[[Any], bytes] = as_bytes,
    read: Callable[[bytes], Any] = pickle.loads,
) -> None:
    """Let `jax.export` write and read the pytree `cls`."""
    # a class that is defined again, as in a notebook, is known by its name already
    with contextlib.suppress(ValueError):
        jax.export.register_pytree_node_serialization(
            cls,
            serialized_name=f"{cls.__module__}.{cls.__qualname__}",
            serialize_auxdata=write,
            deserialize_auxdata=read,
        )
