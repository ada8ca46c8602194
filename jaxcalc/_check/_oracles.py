"""What a derivative is compared with: autodiff both ways, and central differences."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._check._rounding import coarsest, eps_of, largest_on_the_way

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]
DIRECTIONS = 3
MOST_KINKS = 256  # entries of x that are looked at one by one


class Remark(NamedTuple):
    """Something to say of f: a kink, a mode that it lacks; or that its own rules contradict it."""

    text: str
    is_fault: bool = False


class Truth(NamedTuple):
    """The derivative of one array by another at a point.

    Attributes:
        x: the point.
        y_shape: the shape of the value.
        tensor: the derivative, of shape y.shape + x.shape, in double precision if possible.
        spread: how far its entries move where x moves by a unit in its last place, and how far
            both modes of autodiff are apart by rounding.
        steepness: the size of the value beside that of x: what rounding leaves of it is no slope.
        remarks: what there is to say of f.
    """

    x: Array
    y_shape: tuple[int, ...]
    tensor: Array
    spread: Array
    steepness: float
    remarks: tuple[Remark, ...]


def widened(tree: Any) -> Any:
    """The floating arrays in a tree in double precision."""
    return jax.tree.map(_wide, tree)


def _wide(leaf: Any) -> Any:
    floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    return jnp.asarray(leaf, jnp.float64) if floating else leaf


# of a function that looks at its numbers: `if x > 0`, `x[x > 0]`, `np.sin(x)`
LOOKS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def compiled(f: Function) -> Function:
    """f as one program for all points; step by step, where it looks at its numbers."""
    program = jax.jit(f)

    def run(*args: Any) -> Any:
        try:
            return program(*args)
        except LOOKS:
            return f(*args)

    return run


class Oracle:
    """A function of several arguments and its derivative by the one at `position`.

    Attributes:
        value: the function.
        eps: with which it computes: of doubles, where no array that it captured is coarser.
        y: its value at the point of these arguments.
    """

    def __init__(self, f: Function, position: int, args: Sequence[Any]) -> None:
        self.position = position
        self.value = compiled(f)
        self.eps, self._is_wide = _computed_with(f, args)
        self._modes = {
            "forward": compiled(jax.jacfwd(f, position)),
            "reverse": compiled(jax.jacrev(f, position)),
        }
        self.y = self.value(*self.point(args))

    @property
    def step(self) -> float:
        """That of a central difference."""
        return float(eps_of(self.y.dtype) ** (1 / 3))

    def point(self, args: Sequence[Any]) -> list[Any]:
        """The arguments in double precision, if the function takes them."""
        return widened(list(args)) if self._is_wide else list(args)

    def at(self, args: Sequence[Any]) -> Function:
        """The function of x alone."""
        return lambda x: self.value(*self._with(args, x))

    def derivative(self, args: Sequence[Any], x: Array, mode: str) -> Array:
        """Its derivative at x in one of both modes."""
        return np.asarray(self._modes[mode](*self._with(args, x)), np.float64)

    def _with(self, args: Sequence[Any], x: Array) -> list[Any]:
        dtype = jnp.result_type(args[self.position])
        return [*args[: self.position], jnp.asarray(x, dtype), *args[self.position + 1 :]]


def _computed_with(f: Function, args: Sequence[Any]) -> tuple[float, bool]:
    """The eps with which f computes of doubles, and whether it takes them.

    It does not where an array that it captured is the start of a loop.
    """
    try:
        return coarsest(jax.make_jaxpr(f)(*widened(list(args)))), True
    except LOOKS:
        return eps_of_point(args), True
    except (TypeError, ValueError):
        return eps_of_point(args), False


def eps_of_point(args: Sequence[Any]) -> float:
    """That of the coarsest array: of what has no program, arrays inside may have that dtype."""
    return max(eps_of(jnp.result_type(leaf)) for leaf in jax.tree.leaves(args))


def truth(oracle: Oracle, args: Sequence[Any], eps: float, random: np.random.Generator) -> Truth:
    """The derivative at a point, for an x that is known to within `eps` of itself."""
    x = np.asarray(args[oracle.position], np.float64)
    steepness = _scale(np.asarray(oracle.at(args)(x), np.float64)) / (_scale(x) or 1.0)
    found, remarks = _by_autodiff(oracle, args, x)
    mode, tensor = next(iter(found.items()))
    nudged = x * (1 + eps * random.choice([-1.0, 1.0], x.shape))
    spread = np.abs(oracle.derivative(args, nudged, mode) - tensor)
    other = [*found.values()][-1]
    least = max(1e-9, oracle.eps) * _scale(tensor) + 16 * oracle.eps * steepness
    relative = max(1e-6, 64 * oracle.eps)
    if not np.allclose(tensor, other, relative, least, equal_nan=True):
        least += 16 * oracle.eps * largest_on_the_way(jax.jacfwd(oracle.at(args)), jnp.asarray(x))
        if np.allclose(tensor, other, relative, least, equal_nan=True):
            with np.errstate(invalid="ignore"):  # ∞ − ∞
                spread += np.abs(other - tensor)
        else:
            words = "forward and reverse mode of f differ: one of its rules is wrong"
            remarks.append(Remark(words, is_fault=True))
    remarks += _by_differences(oracle, args, x, tensor, random)
    y_shape = tensor.shape[: tensor.ndim - x.ndim]
    return Truth(x, y_shape, tensor, spread, steepness, tuple(remarks))


def _by_autodiff(
    oracle: Oracle, args: Sequence[Any], x: Array
) -> tuple[dict[str, Array], list[Remark]]:
    """The derivative by each mode that gives it."""
    found: dict[str, Array] = {}
    remarks = []
    for mode in ("forward", "reverse"):
        try:
            found[mode] = oracle.derivative(args, x, mode)
        except (TypeError, ValueError, NotImplementedError) as error:
            remarks.append(Remark(f"f has no {mode} mode: {str(error).splitlines()[0]}"))
    if not found:
        raise ValueError(
            f"`f` cannot be differentiated: {'; '.join(remark.text for remark in remarks)}."
        )
    return found, remarks


def _by_differences(
    oracle: Oracle, args: Sequence[Any], x: Array, tensor: Array, random: np.random.Generator
) -> list[Remark]:
    """Where central differences in a few directions are not what autodiff says.

    They are not, where neither small steps nor those for what is coarse inside of f agree.
    """
    if not x.size or not np.isfinite(tensor).all():
        return []
    f = oracle.at(args)
    for step in dict.fromkeys([oracle.step, float(oracle.eps ** (1 / 3))]):
        if all(_agrees(f, x, tensor, step, random) for _ in range(DIRECTIONS)):
            return []
    return [_contradiction(f, x, oracle.step)]


def _agrees(f: Function, x: Array, tensor: Array, size: float, random: np.random.Generator) -> bool:
    """Whether a central difference is what autodiff says, or cannot be told."""
    step = size * np.maximum(1, np.abs(x)) * random.choice([-1.0, 1.0], x.shape)
    ahead, behind = (np.asarray(f(x + s * step), np.float64) for s in (1, -1))
    if not (np.isfinite(ahead).all() and np.isfinite(behind).all()):
        return True
    said = np.tensordot(tensor, step, x.ndim)
    rounding = size**2 * 1e3 * (np.max(np.abs(ahead), initial=0) + 1)
    return np.allclose((ahead - behind) / 2, said, 1e-4, rounding + 1e-5 * _scale(said))


def _contradiction(f: Function, x: Array, step: float) -> Remark:
    """Why differences may say something else than autodiff."""
    kinks = one_sided(f, x, step)
    if kinks:
        return kinked(kinks)
    if _stops_gradients(f, x):
        return Remark("f stops gradients, so that differences of f say something else")
    words = "autodiff of f is not what differences of f say: a rule of f may be wrong"
    return Remark(words, is_fault=True)


def _stops_gradients(f: Function, x: Array) -> bool:
    try:
        return "stop_gradient" in str(jax.make_jaxpr(f)(x))
    except LOOKS:
        return False


def kinked(kinks: Iterable[tuple[int, ...]]) -> Remark:
    """That f has kinks at these entries of x."""
    return Remark(f"f has a kink at {places('x', list(kinks))}")


def one_sided(f: Function, x: Array, size: float) -> dict[tuple[int, ...], tuple[Array, Array]]:
    """For the entries of x at which f has a kink, its derivatives from the left and the right."""
    if x.size > MOST_KINKS:
        return {}
    middle = np.asarray(f(jnp.asarray(x)), np.float64)
    kinks = {}
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h = size * max(1.0, abs(float(x[index])))
        right = np.asarray(f(jnp.asarray(x + step)), np.float64) - middle
        left = middle - np.asarray(f(jnp.asarray(x - step)), np.float64)
        if np.any(np.abs(right - left) > 1e-2 * (np.abs(right) + np.abs(left)) + 1e-3 * h):
            kinks[index] = left / h, right / h
    return kinks


def places(name: str, indices: Sequence[tuple[int, ...]]) -> str:
    shown = [f"{name}[{', '.join(map(str, i))}]" if i else name for i in indices[:4]]
    return ", ".join(shown) + (", …" if len(indices) > 4 else "")


def _scale(a: Array) -> float:
    return float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0))
