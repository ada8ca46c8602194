"""Arrays of a known pattern in Python: rows of I, triangles of ones, parts of arrays."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from jaxcalc._formula._expression import Expression
from jaxcalc._formula._functions import ROWS
from jaxcalc._formula._nodes import parameter
from jaxcalc._formula._places import rows

_OPERAND = 2  # how strongly an operand of a comparison must bind


class Source(Protocol):
    """What writes nodes as Python; `dtype` is appended to the arguments of makers of constants."""

    @property
    def dtype(self) -> str: ...

    def atom(self, node: Expression) -> str:
        """The node, in parentheses unless it is an atom."""
        ...

    def index(self, node: Expression) -> str:
        """The node as integers."""
        ...

    def operands(self, node: Expression) -> Sequence[Any]:
        """The written arguments of a function; of an elementwise one, numbers as such."""
        ...

    def listed(self, args: Sequence[Expression]) -> str:
        """Arguments with commas between them."""
        ...


def without_closed_form(function: str) -> ValueError:
    """The error of a formula that no code can compute."""
    return ValueError(
        f"`{function}` takes part in this derivative and has no closed form, so that there is no "
        "`code`; `todense` computes the array."
    )


def _indicator(source: Source, node: Expression) -> str:
    return _as_number(source, source.atom(node.args[0]))


def _step(source: Source, node: Expression) -> str:
    a, b = (code.at(_OPERAND) for code in source.operands(node))
    return _as_number(source, f"jnp.where({a} == {b}, 0.5, jnp.where({a} > {b}, 1.0, 0.0))")


def _between(source: Source, node: Expression) -> str:
    low, x, high = (code.at(_OPERAND) for code in source.operands(node))
    ends, inside = f"({x} == {low}) | ({x} == {high})", f"({low} < {x}) & ({x} < {high})"
    return _as_number(source, f"jnp.where({ends}, 0.5, jnp.where({inside}, 1.0, 0.0))")


def _side(source: Source, node: Expression) -> str:
    return _as_number(source, f"jnp.where({source.atom(node.args[0])} >= 0, 1, -1)")


def _as_number(source: Source, array: str) -> str:
    return f"{array}.astype({source.dtype.removeprefix(', dtype=') or 'float'})"


def _one_hot(source: Source, node: Expression) -> str:
    index, size = source.index(node.args[0]), node.shape[-1]
    params = dict(node["params"])
    if "outside" in params:
        filling = "" if params["outside"] is None else f", fill_value={params['outside']}"
        return f"jnp.take(jnp.eye({size}{source.dtype}), {index}, axis=0{filling})"
    return f"jax.nn.one_hot({index}, {size}{source.dtype})"


def _rows_of_identity(source: Source, node: Expression) -> str:
    size = node.shape[1]
    found, identity = rows(parameter(node, "places"), size), f"jnp.eye({size}{source.dtype})"
    if found.slice:
        return f"{identity}[{found.slice}]"
    if found.shift:
        return f"jnp.roll({identity}, {found.shift}, axis=0)"
    table = ", ".join(map(str, found.places))
    return f"jax.nn.one_hot(jnp.array([{table}]), {size}{source.dtype})"


def _triangle(source: Source, node: Expression) -> str:
    rows_, columns = node.shape
    dtype = source.dtype or ", dtype=float"  # float32 by default, whatever the width of floats
    return f"jnp.tri({rows_}, {columns}, {parameter(node, 'k')}{dtype})"


def _toeplitz(source: Source, node: Expression) -> str:
    """values[j − i + shift], 0 outside."""
    (values,), (rows_, columns), shift = node.args, node.shape, parameter(node, "shift")
    places = f"jnp.arange({columns})[None, :] - jnp.arange({rows_})[:, None] + {shift}"
    inside = f"jnp.where(({places}) < 0, {values.shape[0]}, {places})"
    return f'{source.atom(values)}.at[{inside}].get(mode="fill", fill_value=0)'


def _circulant(source: Source, node: Expression) -> str:
    """column[(i − j) mod n]."""
    (column,), size = node.args, node.shape[0]
    places = f"(jnp.arange({size})[:, None] - jnp.arange({size})[None, :]) % {size}"
    return f"{source.atom(column)}[{places}]"


def _shifted_identity(source: Source, node: Expression) -> str:
    rows_, columns = node.shape
    return f"jnp.eye({rows_}, {columns}, {parameter(node, 'k')}{source.dtype})"


def _taken(source: Source, node: Expression) -> str:
    (array,), axis = node.args, parameter(node, "axis")
    found = rows(parameter(node, "places"), array.shape[axis])
    if found.shift:
        return f"jnp.roll({source.listed([array])}, {found.shift}, axis={axis})"
    read = found.slice or f"jnp.array({list(found.places)})"
    return f"{source.atom(array)}[{', '.join([':'] * axis + [read])}]"


def _picked(source: Source, node: Expression) -> str:
    array, index = node.args
    read = ", ".join([":"] * parameter(node, "axis") + [source.index(index)])
    if dict(node["params"]).get("outside") == "dropped":
        return f'{source.atom(array)}.at[{read}].get(mode="fill", fill_value=0)'
    return f"{source.atom(array)}[{read}]"


def _constant(source: Source, node: Expression) -> str:
    shape, dtype, entries = parameter(node, "entries")
    flat = f"jnp.array({list(entries)}, jnp.{dtype})"
    return flat if len(shape) == 1 else f"{flat}.reshape({shape})"


def _selection(source: Source, node: Expression) -> str:
    """The Jacobian of the linear function itself."""
    function, source_ = parameter(node, "function"), parameter(node, "source")
    if function not in ROWS:
        raise without_closed_form(function)
    params = dict(parameter(node, "params"))
    indices = map(source.index, node.args)
    args = [
        next(indices) if shape is None else f"jnp.zeros({shape}{source.dtype})"
        for shape in params.get("arrays", (source_, *(None for _ in node.args)))
    ]
    args[params.get("position", 0)] = "t"
    target = node.shape[: len(node.shape) - len(source_)]
    applied = ROWS[function](args, params, target)
    return f"jax.jacobian(lambda t: {applied})(jnp.zeros({source_}{source.dtype}))"


def _opaque(source: Source, node: Expression) -> str:
    raise without_closed_form(parameter(node, "text"))


def _stacked(source: Source, node: Expression) -> str:
    index = parameter(node, "index")
    return f"jax.vmap(lambda {index}: {source.listed(node.args)})(jnp.arange({node.shape[0]}))"


ARRAYS: dict[str, Callable[[Source, Expression], str]] = {
    "circulant": _circulant,
    "between": _between,
    "constant": _constant,
    "indicator": _indicator,
    "one_hot": _one_hot,
    "opaque": _opaque,
    "pick": _picked,
    "select": _rows_of_identity,
    "selection": _selection,
    "side": _side,
    "step": _step,
    "shifted_eye": _shifted_identity,
    "stacked": _stacked,
    "take": _taken,
    "toeplitz": _toeplitz,
    "tri": _triangle,
    "unknown": _opaque,
}
