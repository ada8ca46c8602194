"""How each function is written in Python: one row a function.

A row is the name of a function that takes the written arguments; or a template, in which {0} is the
first argument, {0:atom} is in parentheses unless it is an atom, {all} are all of them, {shape} is
that of the value, {dtype} ends the arguments of a maker of constants, {float} is a dtype, and a
parameter stands by its name; or, where that is not enough, a function of the `Call`.
"""

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import jax

from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._formula._places import rows
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR

COMPARISON, SUM, PRODUCT, POWER, ATOM = range(5)  # how strongly an operation binds
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


def written(function: str, call: Call) -> str:
    """A function's value in Python."""
    if function not in ROWS:
        raise without_closed_form(function)
    row = ROWS[function]
    if callable(row):
        return row(call)
    return row.format(*call.args, **call.fields) if "{" in row else f"{row}({call.every})"


def without_closed_form(function: str) -> ValueError:
    """The error of a formula that no code can compute."""
    return ValueError(
        f"`{function}` takes part in this derivative and has no closed form, so that there is no "
        "`code`; `todense` computes the array."
    )


def function_named(op: str) -> Callable[..., Any] | None:
    """The function of JAX that an elementwise operation on real numbers is, if it is one."""
    if op not in _SMOOTH:
        return None
    path = _SMOOTH[op].replace("jnp", "jax.numpy").split(".")[1:]
    found: Callable[..., Any] = functools.reduce(getattr, path, jax)  # type: ignore[assignment]
    return found


def _listed(args: Sequence[Code]) -> str:
    return ", ".join(arg.text for arg in args)


def _opaque(call: Call) -> str:
    raise without_closed_form(call.params["text"])


def _of_x(code: str) -> Row:
    """A function of x, as its declaration calls it."""
    return lambda call: re.sub(r"\bx\b", lambda _: call.args[0].text, code)


def _along(function: str) -> Row:
    """A function with `axes` that it works along."""

    def row(call: Call) -> str:
        axes = call.params["axes"]
        if axes == (-1,) and function in _LAST_BY_DEFAULT:
            return f"{function}({call.every})"
        return f"{function}({call.every}, axis={axes[0] if len(axes) == 1 else axes})"

    return row


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


def _selection(call: Call) -> str:
    """The Jacobian of the linear function itself."""
    source, params = call.params["source"], dict(call.params["params"])
    indices = iter(call.args)
    args = [
        next(indices) if shape is None else Code(f"jnp.zeros({shape}{call.dtype})")
        for shape in params.get("arrays", (source, *(None for _ in call.args)))
    ]
    args[params.get("position", 0)] = Code("t")
    target = call.shape[: len(call.shape) - len(source)]
    applied = written(call.params["function"], Call(args, (), params, target, call.dtype))
    return f"jax.jacobian(lambda t: {applied})(jnp.zeros({source}{call.dtype}))"


# fmt: off
_SAME_NAME = (
    "abs", "ceil", "conj", "cos", "cosh", "exp", "exp2", "expm1", "floor", "imag", "log", "log1p",
    "logaddexp", "real", "round", "sign", "sin", "sinh", "tan", "tanh",
)
# fmt: on
_OTHER_NAMES = {
    "acos": "jnp.arccos",
    "acosh": "jnp.arccosh",
    "asin": "jnp.arcsin",
    "asinh": "jnp.arcsinh",
    "atan": "jnp.arctan",
    "atan2": "jnp.arctan2",
    "atanh": "jnp.arctanh",
    "bessel_i0e": "jax.lax.bessel_i0e",
    "bessel_i1e": "jax.lax.bessel_i1e",
    "cbrt": "jnp.cbrt",
    "digamma": "jax.lax.digamma",
    "erf": "jax.lax.erf",
    "erf_inv": "jax.lax.erf_inv",
    "erfc": "jax.lax.erfc",
    "gamma": "jax.scipy.special.gamma",
    "gammasgn": "jax.scipy.special.gammasgn",
    "hypot": "jnp.hypot",
    "igamma": "jax.scipy.special.gammainc",
    "igammac": "jax.scipy.special.gammaincc",
    "lgamma": "jax.lax.lgamma",
    "log_ndtr": "jax.scipy.special.log_ndtr",
    "log_sigmoid": "jax.nn.log_sigmoid",
    "logistic": "jax.nn.sigmoid",
    "max": "jnp.maximum",
    "min": "jnp.minimum",
    "polygamma": "jax.scipy.special.polygamma",
    "pow": "jnp.power",
    "relu": "jax.nn.relu",
    "rem": "jnp.fmod",
    "softplus": "jax.nn.softplus",
}
_OF_COMPLEX = {"conj", "imag", "real"}
_NAMES = {op: f"jnp.{op}" for op in _SAME_NAME} | _OTHER_NAMES
_SMOOTH = {op: name for op, name in _NAMES.items() if op not in _OF_COMPLEX}
_AXES = {
    "log_softmax": "jax.nn.log_softmax",
    "logsumexp": "jax.nn.logsumexp",
    "reduce_and": "jnp.all",
    "reduce_max": "jnp.max",
    "reduce_min": "jnp.min",
    "reduce_or": "jnp.any",
    "reduce_prod": "jnp.prod",
    "softmax": "jax.nn.softmax",
    **{function.name: function.code for function in PIECEWISE_LINEAR},
}
_LAST_BY_DEFAULT = {
    "jax.nn.softmax",
    "jax.nn.log_softmax",
    *(function.code for function in PIECEWISE_LINEAR),
}
_HALVES = "jnp.where({ends}, 0.5, jnp.where({inside}, 1.0, 0.0)).astype({{float}})"
_CONVOLUTION = (
    "jax.lax.conv_general_dilated({all}, {window_strides}, {padding}, {lhs_dilation}, "
    "{rhs_dilation}, jax.lax.{dimension_numbers}, {feature_group_count}, {batch_group_count})"
)

ROWS: dict[str, Row] = {
    **_NAMES,
    **{op: _along(name) for op, name in _AXES.items()},
    **{function.name: _of_x(function.code) for function in ELEMENTWISE},
    **{
        f"cum{name}": f"jax.lax.cum{name}({{0}}, axis={{axis}}, reverse={{reverse}})"
        for name in ("sum", "prod", "max", "min")
    },
    **{
        f"scatter{kind}": _scatter(f"jax.lax.scatter{kind.replace('-', '_')}")
        for kind in ("", "-add", "-max", "-min", "-mul", "-sub")
    },
    "adjugate": _adjugate,
    "and": "jnp.logical_and",
    "argmax": "jnp.argmax({0}, axis={axes[0]})",
    "argmin": "jnp.argmin({0}, axis={axes[0]})",
    "between": _HALVES.format(
        ends="({1:sum} == {0:sum}) | ({1:sum} == {2:sum})",
        inside="({0:sum} < {1:sum}) & ({1:sum} < {2:sum})",
    ),
    "cholesky": "jnp.linalg.cholesky",
    # column[(i − j) mod n]
    "circulant": "{0:atom}[(jnp.arange({shape[0]})[:, None] - jnp.arange({shape[0]})[None, :])"
    " % {shape[0]}]",
    "clamp": "jnp.clip({1}, {0}, {2})",
    "complex": "jax.lax.complex",
    "concatenate": "jnp.concatenate([{all}], axis={dimension})",
    "constant": _constant,
    "conv_general_dilated": _CONVOLUTION,
    "convert_element_type": "jnp.asarray({0}, jnp.{new_dtype})",
    "det": "jnp.linalg.det",
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "eigh": "jax.lax.linalg.eigh({0}, lower={lower}, symmetrize_input=False)[{output}]",
    "gather": _gather,
    "ifft": "jnp.fft.ifft",
    "indicator": "{0:atom}.astype({float})",
    # the quotient rounded towards 0, as `lax.div` has it
    "integer_div": "jnp.floor_divide(jnp.subtract({0}, jnp.fmod({0}, {1})), {1})",
    "inv": "jnp.linalg.inv",
    "iota": "jnp.arange({shape[0]}, dtype=jnp.{dtype})",
    "irfft": lambda call: f"jnp.fft.irfft({call.every}, {call.shape[-1]})",
    "is_finite": "jnp.isfinite",
    "kron": "jnp.kron",
    "logsumexp_kept": "jax.nn.logsumexp({0}, axis={axes}, keepdims=True)",
    "mills": "jnp.exp(jax.scipy.stats.norm.logpdf({0}) - jax.scipy.special.log_ndtr({0}))",
    "not": "jnp.logical_not",
    "one_hot": _one_hot,
    "opaque": _opaque,
    "or": "jnp.logical_or",
    "pad": "jax.lax.pad({0}, jnp.asarray({1}, jnp.result_type({0})), {padding_config})",
    "pick": _picked,
    "pinv": _pseudo_inverse,
    "qr": "jax.lax.linalg.qr({0}, full_matrices={full_matrices})[{output}]",
    "reduce_prod_others": _products_of_others,
    "reshape": "jnp.reshape({0}, {shape})",
    "select": _rows_of_identity,
    "select_n": _select,
    "selection": _selection,
    "shifted_eye": "jnp.eye({shape[0]}, {shape[1]}, {k}{dtype})",
    "side": "jnp.where({0:atom} >= 0, 1, -1).astype({float})",
    "sort": _sort,
    "split": _split,
    "squeeze": "jnp.reshape({0}, {shape})",
    "stack": "jnp.stack([{all}], axis={axis})",
    "stacked": "jax.vmap(lambda {index}: {0})(jnp.arange({shape[0]}))",
    "step": _HALVES.format(ends="{0:sum} == {1:sum}", inside="{0:sum} > {1:sum}"),
    "svd": _svd,
    "take": _taken,
    "tile": "jnp.tile({0}, {reps})",
    "toeplitz": _toeplitz,
    "tri": _triangle,
    "unknown": _opaque,
    "xor": "jnp.logical_xor",
}
COMPARING = {"between", "indicator", "side", "step"}  # whose arguments may be integers
INFIX = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_INDICES = {
    "dynamic_slice": slice(1, None),
    "dynamic_update_slice": slice(2, None),
    "gather": slice(1, None),
    "one_hot": slice(None),
    "pick": slice(1, None),
    "polygamma": slice(0, 1),
    "selection": slice(None),
    **{f"scatter{kind}": slice(1, 2) for kind in ("", "-add", "-max", "-min", "-mul", "-sub")},
}


def index_arguments(node: Expression) -> Sequence[Expression]:
    """The arguments of a node that are indices."""
    function = node["function"] if node.op == "apply" else ""
    return node.args[_INDICES.get(function, slice(0, 0))]
