"""Functions whose derivative has a closed form that their algorithm hides.

    d X⁻¹ = −X⁻¹ dX X⁻¹        d det X = ⟨cof X, dX⟩        d log |det X| = ⟨X⁻ᵀ, dX⟩
    d √(x² + y²) = (x dx + y dy)/√(x² + y²)

Calls of them in a function's program are replaced by themselves with these rules. Entries
cof X = det(X) X⁻ᵀ are those of JAX's own gradient, which is right for singular X too.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxcalc._compat import bind, jitted, opened, run
from jaxcalc._derive._entry_products import entry_product, has_product
from jaxcalc._formula import public
from jaxcalc._functions.primitives import ValuePrimitive


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


def _cofactors(X: Array) -> Array:
    return jax.grad(lambda X: jnp.sum(jnp.linalg.det(X)))(X)


cofactors = ValuePrimitive("cofactors", _cofactors)  # det(X) X⁻ᵀ


@cofactors.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (X,), (dX,) = primals, tangents
    return cofactors(X), jax.jvp(_cofactors, (X,), (dX,))[1]


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


CLOSED: dict[Callable[..., Any], Callable[..., Any]] = {
    jnp.linalg.inv: inverse,
    jnp.linalg.det: determinant,
    jnp.linalg.slogdet: sign_and_log_determinant,
    jnp.hypot: hypot,
}


def may_call_closed(jaxpr: Any) -> bool:
    """Whether something is named like one of them, at whatever depth of calls under `jax.jit`."""
    return has_product(jaxpr) or any(
        equation.params["name"] in _NAMES or may_call_closed(opened(jitted(equation))[0])
        for equation in jaxpr.eqns
        if jitted(equation) is not None
    )


_NAMES = {function.__name__ for function in CLOSED}


def evaluated(program: Any, *arguments: Any) -> list[Any]:
    """The results of a program, with the closed forms in place of the algorithms."""
    jaxpr, constants = opened(program)
    return run(jaxpr, [*constants, *arguments], lambda atom: atom.val, _results)


def _results(equation: Any, operands: list[Any]) -> list[Any]:
    known, program = public(equation, CLOSED), jitted(equation)
    if known is not None and _are_real(operands):
        return jax.tree.leaves(CLOSED[known](*jnp.broadcast_arrays(*operands)))
    if equation.primitive.name == "reduce_prod" and _are_real(operands):
        axes = tuple(int(axis) - jnp.ndim(operands[0]) for axis in equation.params["axes"])
        return [entry_product(*operands, axes)]
    if program is not None and may_call_closed(opened(program)[0]):
        return evaluated(program, *operands)
    return bind(equation.primitive, operands, equation.params)


def _are_real(operands: list[Any]) -> bool:
    """Whether they are real, and of one dtype."""
    dtypes = set(map(jnp.result_type, operands))
    return len(dtypes) == 1 and jnp.issubdtype(dtypes.pop(), jnp.floating)
