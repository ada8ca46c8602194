"""Calls in Python: what a row is written from, and those that take more than a template."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from jaxcalc._formula._expression import Shape
from jaxcalc._formula._places import rows
from jaxcalc._formula._strength import ATOM, COMPARISON, SUM

_LEAST = {"": COMPARISON, "sum": SUM, "atom": ATOM}


class Code(NamedTuple):
    """Source, and how strongly its last operation binds."""

    text: str
    strength: int = ATOM

    def at(self, least: int) -> str:
        """The source, in parentheses where it binds less than `least`."""
        return self.text if self.strength >= least else f"({self.text})"

    def __format__(self, least: str) -> str:
        return self.at(_LEAST[least])


class Call(NamedTuple):
    """What a row is written from: arguments and their shapes, parameters, shape and dtype."""

    args: Sequence[Code]
    sources: Sequence[Shape]
    params: Mapping[str, Any]
    shape: Shape
    dtype: str

    @property
    def every(self) -> str:
        """The arguments, with commas between them."""
        return _listed(self.args)

    @property
    def fields(self) -> dict[str, Any]:
        """What templates name."""
        number = self.dtype.removeprefix(", dtype=") or "float"
        own = {"all": self.every, "shape": self.shape, "float": number}
        return {"reverse": False, "dtype": self.dtype, **self.params, **own}


Row = str | Callable[[Call], str]


def without_closed_form(function: str) -> ValueError:
    """The error of a formula that no code can compute."""
    return ValueError(
        f"`{function}` takes part in this derivative and has no closed form, so that there is no "
        "`code`; `todense` computes the array."
    )


def _listed(args: Sequence[Code]) -> str:
    return ", ".join(arg.text for arg in args)


def _opaque(call: Call) -> str:
    raise without_closed_form(call.params["text"])


def _svd(call: Call) -> str:
    """s, U or Vᵀ, which `jnp` has in another order."""
    full, place = call.params["full_matrices"], (1, 0, 2)[call.params["output"]]
    return f"jnp.linalg.svd({call.every}, full_matrices={full})[{place}]"


def _adjugate(call: Call) -> str:
    """det(X) X⁻¹, of a singular X too."""
    if len(call.shape) == 2:
        return f"jax.grad(jnp.linalg.det)({call.every}).T"
    return f"jnp.matrix_transpose(jax.grad(lambda X: jnp.linalg.det(X).sum())({call.every}))"


def _pseudo_inverse(call: Call) -> str:
    rtol = call.params.get("rtol")
    return f"jnp.linalg.pinv({call.every}{'' if rtol is None else f', rtol={rtol}'})"


def _products_of_others(call: Call) -> str:
    axes = tuple(axis % len(call.shape) for axis in call.params["axes"])
    product = f"lambda t: jnp.sum(jnp.prod(t, axis={axes}))"
    return f"jax.grad({'jnp.prod' if len(axes) == len(call.shape) else product})({call.every})"


def _select(call: Call) -> str:
    which, *cases = call.args
    if len(cases) > 2:
        return f"jnp.choose({which}, [{_listed(cases)}], mode='clip')"
    return f"jnp.where({which}, {_listed(cases[::-1])})"


def _reshaped(call: Call) -> str:
    """A number in the dtype of what stands beside it."""
    (arg,) = call.args
    is_number = arg.text.lstrip("-").isdigit()
    made = f"jnp.full({call.shape}, {arg}{call.dtype})"
    return made if is_number else f"jnp.reshape({arg}, {call.shape})"


def _split(call: Call) -> str:
    ends = list(itertools.accumulate(map(int, call.params["sizes"])))[:-1]
    return f"jnp.split({call.args[0]}, {ends}, axis={call.params['axis']})[{call.params['output']}]"


def _dynamic_slice(call: Call) -> str:
    x, *starts = call.args
    return f"jax.lax.dynamic_slice({x}, jnp.array([{_listed(starts)}]), {call.shape})"


def _dynamic_update_slice(call: Call) -> str:
    x, update, *starts = call.args
    return f"jax.lax.dynamic_update_slice({x}, {update}, jnp.array([{_listed(starts)}]))"


def _gather(call: Call) -> str:
    numbers, mode = _numbers_and_mode(call.params)
    filling = call.params.get("fill_value")
    how = mode if filling is None else f"{mode}, fill_value={_literal(filling)}"
    return f"jax.lax.gather({call.every}, {numbers}, {call.params['slice_sizes']}, {how})"


def _literal(value: Any) -> str:
    """A number as source."""
    return f"float('{value}')" if isinstance(value, float) and not isfinite(value) else repr(value)


def _scatter(function: str) -> Row:
    """The operand in the dtype of the updates, since either may be written as zeros."""

    def row(call: Call) -> str:
        x, indices, updates = call.args
        numbers, mode = _numbers_and_mode(call.params)
        operand = f"jnp.asarray({x}, jnp.result_type({updates}))"
        return f"{function}({operand}, {indices}, {updates}, {numbers}, {mode})"

    return row


def _numbers_and_mode(params: Mapping[str, Any]) -> tuple[str, str]:
    mode = re.findall(r"[A-Z_]{4,}", str(params["mode"]))[-1]
    numbers = re.sub(r"np\.int64\((\d+)\)", r"\1", f"jax.lax.{params['dimension_numbers']}")
    return numbers, f"mode=jax.lax.GatherScatterMode.{mode}"


def _sort(call: Call) -> str:
    """The keys, and what is asked for of all that is sorted with them."""
    keys, output = call.params["num_keys"], call.params.get("output", 0)
    kept = [*call.args[:keys], *([call.args[output]] if output >= keys else [])]
    sorted_ = f"jax.lax.sort(({_listed(kept)},), dimension={call.params['dimension']}, "
    return f"{sorted_}num_keys={keys})[{min(output, keys)}]"


# --- arrays of a known pattern ---


def _one_hot(call: Call) -> str:
    size, filling = call.shape[-1], call.params.get("outside")
    if "outside" not in call.params:
        return f"jax.nn.one_hot({call.every}, {size}{call.dtype})"
    how = "" if filling is None else f", fill_value={_literal(filling)}"
    return f"jnp.take(jnp.eye({size}{call.dtype}), {call.every}, axis=0{how})"


def _rows_of_identity(call: Call) -> str:
    size = call.shape[1]
    found, identity = rows(call.params["places"], size), f"jnp.eye({size}{call.dtype})"
    if found.slice:
        return f"{identity}[{found.slice}]"
    if found.shift:
        return f"jnp.roll({identity}, {found.shift}, axis=0)"
    table = ", ".join(map(str, found.places))
    return f"jax.nn.one_hot(jnp.array([{table}]), {size}{call.dtype})"


def _triangle(call: Call) -> str:
    shape = ", ".join(map(str, call.shape))
    dtype = call.dtype or ", dtype=float"  # float32 by default, whatever the width of floats
    return f"jnp.tri({shape}, {call.params['k']}{dtype})"


def _toeplitz(call: Call) -> str:
    """values[j − i + shift], 0 outside."""
    rows_, columns = call.shape
    shift = call.params["shift"]
    places = f"jnp.arange({columns})[None, :] - jnp.arange({rows_})[:, None] + {shift}"
    inside = f"jnp.where(({places}) < 0, {call.sources[0][0]}, {places})"
    return f'{call.args[0]:atom}.at[{inside}].get(mode="fill", fill_value=0)'


def _taken(call: Call) -> str:
    axis, places = call.params["axis"], call.params["places"]
    found = rows(places, call.sources[0][axis])
    if found.shift:
        return f"jnp.roll({call.every}, {found.shift}, axis={axis})"
    read = found.slice or f"jnp.array({list(found.places)})"
    return f"{call.args[0]:atom}[{', '.join([':'] * axis + [read])}]"


def _picked(call: Call) -> str:
    array, index = call.args
    read = ", ".join([":"] * call.params["axis"] + [index.text])
    if call.params.get("outside") == "dropped":
        return f'{array:atom}.at[{read}].get(mode="fill", fill_value=0)'
    return f"{array:atom}[{read}]"


def _constant(call: Call) -> str:
    shape, dtype, entries = call.params["entries"]
    flat = f"jnp.array({list(entries)}, jnp.{dtype})"
    return flat if len(shape) == 1 else f"{flat}.reshape({shape})"


SPECIAL: dict[str, Row] = {
    **{
        f"scatter{kind}": _scatter(f"jax.lax.scatter{kind.replace('-', '_')}")
        for kind in ("", "-add", "-max", "-min", "-mul", "-sub")
    },
    "adjugate": _adjugate,
    "constant": _constant,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    "one_hot": _one_hot,
    "opaque": _opaque,
    "pick": _picked,
    "pinv": _pseudo_inverse,
    "reduce_prod_others": _products_of_others,
    "reshape": _reshaped,
    "select": _rows_of_identity,
    "select_n": _select,
    "sort": _sort,
    "split": _split,
    "squeeze": _reshaped,
    "svd": _svd,
    "take": _taken,
    "toeplitz": _toeplitz,
    "tri": _triangle,
    "unknown": _opaque,
}
