"""Functions whose derivative has a closed form that their algorithm hides.

    d X⁻¹ = −X⁻¹ dX X⁻¹        d det X = ⟨cof X, dX⟩        d log |det X| = ⟨X⁻ᵀ, dX⟩
    d √(x² + y²) = (x dx + y dy)/√(x² + y²)

In a function's program they are calls known by name and by the file they stand in; here they are
replaced by themselves with these rules. Entries cof X = det(X) X⁻ᵀ are those of JAX's own
gradient, which is right for singular X too.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind, defined_at, inlined, is_literal, opened
from jaxcalc._derive._entry_products import entry_product, has_product

_LINALG, _UFUNCS = "jax/_src/numpy/linalg.py", "jax/_src/numpy/ufuncs.py"


@jax.custom_jvp
def inverse(X: Array) -> Array:
    """X⁻¹."""
    return jnp.linalg.inv(X)


@inverse.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (X,), (dX,) = primals, tangents
    Y = inverse(X)
    return Y, -_matmul(_matmul(Y, dX), Y)


@jax.custom_jvp
def determinant(X: Array) -> Array:
    """det X."""
    return jnp.linalg.det(X)


@determinant.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (X,), (dX,) = primals, tangents
    return determinant(X), jnp.sum(cofactors(X) * dX, axis=(-2, -1))


@jax.jit
def cofactors(X: Array) -> Array:
    """det(X) X⁻ᵀ."""
    return jax.grad(lambda X: jnp.sum(jnp.linalg.det(X)))(X)


@jax.custom_jvp
def sign_and_log_determinant(X: Array) -> tuple[Array, Array]:
    """The sign of det X, and log |det X|."""
    sign, logarithm = jnp.linalg.slogdet(X)
    return sign, logarithm


@sign_and_log_determinant.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> Any:
    (X,), (dX,) = primals, tangents
    sign, logarithm = sign_and_log_determinant(X)
    change = jnp.sum(jnp.matrix_transpose(inverse(X)) * dX, axis=(-2, -1))
    return (sign, logarithm), (jnp.zeros_like(sign), change)


@jax.custom_jvp
def hypot(x: Array, y: Array) -> Array:
    """√(x² + y²)."""
    return jnp.hypot(x, y)


@hypot.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    h = hypot(x, y)
    size = jnp.where(h == 0, jnp.ones_like(h), h)
    return h, x / size * dx + y / size * dy


def _matmul(A: Array, B: Array) -> Array:
    return jnp.matmul(A, B, precision="highest")


CLOSED: dict[str, tuple[str, Callable[..., Any]]] = {  # by name, with the file it stands in
    "inv": (_LINALG, inverse),
    "det": (_LINALG, determinant),
    "slogdet": (_LINALG, sign_and_log_determinant),
    "hypot": (_UFUNCS, hypot),
}


def calls_closed(jaxpr: Any) -> bool:
    """Whether a program calls one of them, or seems to, at whatever depth of calls."""
    inner = (opened(inlined(e))[0] for e in jaxpr.eqns if inlined(e) is not None)
    named = any(e.params.get("name") in CLOSED for e in jaxpr.eqns)
    return named or has_product(jaxpr) or any(map(calls_closed, inner))


def evaluated(program: Any, *arguments: Any) -> list[Any]:
    """The results of a program, with the closed forms in place of the algorithms."""
    jaxpr, constants = opened(program)
    variables = (*jaxpr.constvars, *jaxpr.invars)
    values = dict(zip(variables, (*constants, *arguments), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if is_literal(atom) else values[atom]

    for equation in jaxpr.eqns:
        results = _results(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _results(equation: Any, operands: list[Any]) -> list[Any]:
    known = _closed(equation)
    if known is not None:
        return jax.tree.leaves(known(*operands))
    program, axes = inlined(equation), equation.params.get("axes", ())
    if equation.primitive.name == "reduce_prod" and jnp.isrealobj(operands[0]):
        return [entry_product(*operands, tuple(int(axis) - jnp.ndim(operands[0]) for axis in axes))]
    if equation.primitive.name in ("jit", "pjit") and calls_closed(opened(program)[0]):
        return evaluated(program, *operands)
    return bind(equation.primitive, operands, equation.params)


def _closed(equation: Any) -> Callable[..., Any] | None:
    """The closed form of a call, if it is one of them on real arrays."""
    program, name = inlined(equation), equation.params.get("name")
    types = {variable.aval.dtype for variable in equation.invars}
    shapes = {variable.aval.shape for variable in equation.invars}
    plain = len(types) == len(shapes) == 1 and jnp.issubdtype(min(types), jnp.floating)
    if program is None or name not in CLOSED or not plain:
        return None
    file, function = CLOSED[name]
    return function if file in defined_at(program).replace("\\", "/") else None
