"""The arguments of a function that is differentiated: which, and that they can be."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._arrays import check_static, is_index

Argnums = int | Sequence[int]
Value_co = TypeVar("Value_co", covariant=True)
Of_co = TypeVar("Of_co", covariant=True)


class OfFirst(Protocol[Value_co, Of_co]):
    """The derivative by the first argument of a function that returns `Value_co`.

    It is one, `Of_co`, where argument and value are arrays, else a tree of them.
    """

    @overload
    def __call__(
        self: "OfFirst[Array, Of_co]", x: ArrayLike, /, *args: Any, **kwargs: Any
    ) -> Of_co: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


def check_function(f: object) -> None:
    """Refuse what cannot be called."""
    if not callable(f):
        raise TypeError(f"`f` must be a function, but got {type(f).__name__}.")


def split(args: tuple[Any, ...], argnums: Argnums) -> tuple[Any, Callable[[Any], list[Any]]]:
    """The differentiated part x of `args`, checked, and how to put another x in its place."""
    several = isinstance(argnums, Sequence)
    chosen_positions = positions(argnums, len(args))
    remedy = "leave it out of `argnums`"
    chosen = tuple(real_arrays(f"argument {i}", remedy, args[i]) for i in chosen_positions)

    def restored(x: Any) -> list[Any]:
        replaced = dict(zip(chosen_positions, x if several else (x,), strict=True))
        return [replaced.get(i, arg) for i, arg in enumerate(args)]

    return chosen if several else chosen[0], restored


def positions(argnums: Argnums, count: int) -> list[int]:
    """`argnums` counted from the front."""
    argnums = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    for n in argnums:
        check_static("argnums", n, "Python integers")
    if not all(map(is_index, argnums)):
        raise TypeError(f"`argnums` must be an int or a tuple of ints, but got {argnums}.")
    numbers = [operator.index(n) for n in argnums]
    if not numbers or any(not -count <= n < count for n in numbers):
        raise ValueError(
            f"`argnums` must name some of the {count} positional arguments, "
            f"but got {argnums}; pass the differentiated arguments by position."
        )
    wrapped = [n % count for n in numbers]
    if len(set(wrapped)) < len(wrapped):
        raise ValueError(f"`argnums` must not name an argument twice, but got {argnums}.")
    return wrapped


def real_arrays(name: str, alternative: str, tree: Any) -> Any:
    """`tree` with arrays for leaves, all of them real and floating."""
    if not jax.tree.leaves(tree):
        raise TypeError(f"{name} must hold an array to differentiate, but got {tree!r}.")

    def real_leaf(path: Any, leaf: Any) -> Array:
        array = jnp.asarray(leaf)
        if jnp.issubdtype(array.dtype, jnp.floating):
            return array
        kind = "complex" if jnp.issubdtype(array.dtype, jnp.complexfloating) else "other"
        raise TypeError(
            f"{name}{jax.tree_util.keystr(path)} must be real and floating to be differentiated, "
            f"but has dtype {array.dtype}; {_REMEDIES[kind]} or {alternative}."
        )

    return jax.tree_util.tree_map_with_path(real_leaf, tree)


_REMEDIES = {
    "complex": "take its real and imaginary parts apart",
    "other": "cast it to a floating dtype",
}
