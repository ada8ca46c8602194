"""`check_custom`: a function's own derivative rule beside autodiff of its plain body."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._arrays import static_number
from jaxcalc._check._faults import Finding
from jaxcalc._check._oracles import Array, widened
from jaxcalc._check._report import Report

RTOL = 1e-8


def check_custom(f: Callable[..., Any], *args: Any, rtol: float = RTOL) -> Report:
    """Whether the rule of a `jax.custom_jvp` or `jax.custom_vjp` function is its derivative.

    In double precision, by every argument that is a real floating array: against autodiff of the
    plain body; linearity; the dot-product test ⟨w, J v⟩ = ⟨Jᵀ w, v⟩; second derivatives; under
    `jax.vmap` and `jax.jit`. What a rule does not offer (a forward mode) is noted.

    Args:
        f: the decorated function.
        args: the point.
        rtol: the error allowed beside the largest entry.

    Returns:
        A `Report`, true where all agree.

    Raises:
        TypeError: when `f` has no rule of its own, no argument can be differentiated, or `rtol` is
            no number.
        ValueError: for a negative `rtol`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> @jax.custom_jvp
    ... def square(x):
    ...     return x * x
    >>> @square.defjvp
    ... def _(primals, tangents):
    ...     return primals[0] ** 2, primals[0] * tangents[0]
    >>> print(jc.check_custom(square, jnp.array([1.0, 3.0])))
    wrong: the rule of square is not its derivative
      J v: it differs from autodiff of the body by 5.0e-01 of the largest entry
      Jᵀ w: it differs from autodiff of the body by 5.0e-01 of the largest entry
      second order: it differs from autodiff of the body by 5.0e-01 of the largest entry
    """
    if not isinstance(f, jax.custom_jvp | jax.custom_vjp):
        raise TypeError(
            "`f` must be a `jax.custom_jvp` or `jax.custom_vjp` function, but got "
            f"{type(f).__name__}; `check` compares a derivative with any function."
        )
    rtol = static_number("rtol", rtol, least=0)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return _report(f, widened(list(args)), rtol)


def _report(f: Any, args: Sequence[Any], rtol: float) -> Report:
    g, plain, x = _of_leaves(f, args), _of_leaves(f.fun, args), _floating(args)
    if not x:
        raise TypeError("`args` must hold a real floating array to differentiate by.")
    findings, notes = [], []
    for name, against, pairs in _laws(g, plain, x):
        try:
            off = max(_off(got, wanted) for got, wanted in pairs())
        except TypeError as error:
            notes.append(f"{name}: {str(error).splitlines()[0]}")
            continue
        if not off <= rtol:
            words = f"it differs from {against} by {off:.1e} of the largest entry"
            findings.append(Finding(name, words, None))
    label = getattr(f, "__name__", "f")
    verdict = f"wrong: the rule of {label} is not its derivative"
    if not findings:
        verdict = f"right: the rule of {label} is its derivative"
    return Report(not findings, verdict, diagnoses=tuple(findings), notes=tuple(notes))


def _floating(args: Sequence[Any]) -> list[Any]:
    return [a for a in jax.tree.leaves(args) if _is_floating(a)]


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def _of_leaves(f: Callable[..., Any], args: Sequence[Any]) -> Callable[..., list[Any]]:
    """f of its floating arrays alone, and the floating arrays that it gives."""
    leaves, tree = jax.tree.flatten(args)

    def of(*x: Any) -> list[Any]:
        rest = iter(x)
        filled = [next(rest) if _is_floating(leaf) else leaf for leaf in leaves]
        return [a for a in jax.tree.leaves(f(*jax.tree.unflatten(tree, filled))) if _is_floating(a)]

    return of


Pairs = Callable[[], Iterator[tuple[Any, Any]]]


def _laws(
    g: Callable[..., Any], plain: Callable[..., Any], x: Sequence[Any]
) -> list[tuple[str, str, Pairs]]:
    """For each law its name, what is compared with, and what is to be equal."""
    random = np.random.default_rng(0)
    y = plain(*x)
    u, v = (_drawn(random, x) for _ in range(2))
    w = _drawn(random, y)

    def pushed(f: Callable[..., Any], t: Sequence[Any]) -> Any:
        return jax.jvp(f, tuple(x), tuple(t))[1]

    def pulled(f: Callable[..., Any], *x: Any) -> Any:
        return list(jax.vjp(f, *x)[1](list(w)))

    def second(f: Callable[..., Any]) -> Any:
        def slope(*x: Any) -> Any:
            return sum(jnp.vdot(a, b) for a, b in zip(pulled(f, *x), v, strict=True))

        return list(jax.grad(slope, tuple(range(len(x))))(*x))

    def linear() -> Iterator[tuple[Any, Any]]:
        both = pushed(g, [2 * a + 3 * b for a, b in zip(u, v, strict=True)])
        yield both, [2 * a + 3 * b for a, b in zip(pushed(g, u), pushed(g, v), strict=True)]

    def products() -> Iterator[tuple[Any, Any]]:
        left = sum(jnp.vdot(a, b) for a, b in zip(w, pushed(g, v), strict=True))
        yield [left], [sum(jnp.vdot(a, b) for a, b in zip(pulled(g, *x), v, strict=True))]

    def batched() -> Iterator[tuple[Any, Any]]:
        two = [jnp.stack([a, a]) for a in x]
        got = jax.vmap(lambda *x: pulled(g, *x))(*two)
        yield [a[1] for a in got], pulled(g, *x)

    body = "autodiff of the body"
    return [
        ("value", "the body", lambda: iter([(g(*x), y)])),
        ("J v", body, lambda: iter([(pushed(g, v), pushed(plain, v))])),
        ("Jᵀ w", body, lambda: iter([(pulled(g, *x), pulled(plain, *x))])),
        ("linearity", "2 J u + 3 J v", linear),
        ("dot product", "⟨Jᵀ w, v⟩", products),
        ("second order", body, lambda: iter([(second(g), second(plain))])),
        ("vmap", "the rule alone", batched),
        (
            "jit",
            "the rule alone",
            lambda: iter([(jax.jit(pulled, static_argnums=0)(g, *x), pulled(g, *x))]),
        ),
    ]


def _drawn(random: np.random.Generator, like: Sequence[Any]) -> list[Any]:
    return [jnp.asarray(random.standard_normal(np.shape(a)), a.dtype) for a in like]


def _off(got: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest error beside the largest entry; infinite where one is NaN alone."""
    worst = 0.0
    scale = (
        max((float(np.max(np.abs(w), initial=0)) for w in map(_array, wanted)), default=0) or 1.0
    )
    for a, b in zip(map(_array, got), map(_array, wanted), strict=True):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        error = np.where(same, 0, np.abs(a - b))
        worst = max(worst, float(np.max(np.nan_to_num(error, nan=np.inf), initial=0)))
    return worst / scale


def _array(a: Any) -> Array:
    return np.asarray(a, np.float64)
