"""What a formula calls the arrays of a function: its arguments, and what it closes over."""

import contextlib
import functools
import inspect
import itertools
import string
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any

import jax
import numpy as np

_FALLBACK = ("x", "y", "z", "u", "v", "w")
_SIGNS = {"I", "J", "δ", "jax", "jnp"}  # what formulas and their code have besides


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the first positional parameters."""
    names: list[str] = []
    for parameter in _parameters(f):
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}{i}" for i in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    spare = [name for name in _FALLBACK if name not in names]
    return (names + spare + [f"x{i}" for i in range(count)])[:count]


def _parameters(f: Callable[..., Any]) -> Sequence[inspect.Parameter]:
    try:
        return list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a built-in without a signature
        return []


def leaf_names(name: str, tree: Any) -> list[str]:
    """A name for each leaf of an argument: `params["w"]` is `params_w`."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    texts = [[jax.tree_util.keystr((key,), simple=True) for key in path] for path, _ in paths]
    return ["_".join([name, *map(_identifier, parts)]) for parts in texts]


def _identifier(text: str) -> str:
    return "".join(c if f"_{c}".isidentifier() else "_" for c in text)


def made_unique(names: Sequence[str]) -> list[str]:
    """The names, with numbers at those that are taken: two leaves are never one array."""
    used = {*_SIGNS}
    unique = []
    for name in names:
        numbered = (f"{name}_{i}" for i in itertools.count(2))
        unique.append(next(n for n in itertools.chain([name], numbered) if n not in used))
        used.add(unique[-1])
    return unique


def captured_names(
    f: Callable[..., Any],
    arrays: Sequence[Any],
    taken: Sequence[str],
    others: Sequence[tuple[str, Any]],
) -> list[str]:
    """For each array the name that `f` has it by, else one of A, B, ….

    `taken` are the names of the differentiated arguments, `others` the remaining arguments.
    """
    known = {id(value): name for name, value in (*_captured(f), *others)}
    used = _SIGNS.union(taken)
    letters = itertools.chain(string.ascii_uppercase, (f"A{i}" for i in itertools.count(1)))
    unused = itertools.filterfalse({*used, *known.values()}.__contains__, letters)
    names: list[str] = []
    for array in arrays:
        name = known.get(id(array)) or _by_value(f, array)
        names.append(next(unused) if name is None or name in used.union(names) else name)
    return names


def _by_value(f: Callable[..., Any], array: Any) -> str | None:
    """The name of a NumPy array, which JAX copies; a mask as numbers is no longer that mask."""
    if isinstance(array, jax.core.Tracer):
        return None
    return next((name for name, value in _captured(f) if _is_copied(value, array)), None)


def _is_copied(value: Any, array: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.size > 2**20 or value.shape != np.shape(array):
        return False
    alike = (value.dtype == bool) == (array.dtype == bool)
    return alike and np.array_equal(value.astype(np.asarray(array).dtype), array)


def _captured(f: Callable[..., Any], depth: int = 3) -> Iterator[tuple[str, Any]]:
    """The variables that `f`, and functions that it closes over, read from outside."""
    if isinstance(f, functools.partial):
        f = f.func
    f = inspect.unwrap(f) if callable(f) else f
    if not inspect.isfunction(f) or str(f.__module__).partition(".")[0] == "jax":
        return
    for name, value in _outside(f):
        yield from _contents(name, value, depth)
        if depth and inspect.isfunction(value):
            yield from _captured(value, depth - 1)


def _outside(f: FunctionType) -> Iterator[tuple[str, Any]]:
    """What the names in `f` stand for that are not its own."""
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # a cell that is still empty
            yield name, cell.cell_contents
    for name in _names_in(f.__code__):
        if name in f.__globals__:
            yield name, f.__globals__[name]


def _names_in(code: CodeType) -> Iterator[str]:
    """The names that a function, or one written inside it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _contents(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """A variable, and what is in it if it is a container."""
    yield name, value
    if depth and isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _contents(f"{name}_{_identifier(str(key))}", item, depth - 1)
