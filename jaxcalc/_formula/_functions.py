"""How each function is called in Python: one row a function.

A row takes the written arguments, the parameters and the shape of the value.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxcalc._formula._expression import Expression, Shape
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR

Row = Callable[[Sequence[str], Mapping[str, Any], Shape], str]


def _named(function: str) -> Row:
    return lambda args, params, shape: f"{function}({', '.join(args)})"


def _declared(code: str) -> Row:
    """A function of x, as its declaration calls it."""
    return lambda args, params, shape: re.sub(r"\bx\b", lambda _: args[0], code)


def _along(function: str) -> Row:
    """A function with `axes` that it works along."""

    def row(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
        axes = params["axes"]
        if axes == (-1,) and function in _LAST_BY_DEFAULT:
            return f"{function}({args[0]})"
        return f"{function}({args[0]}, axis={axes[0] if len(axes) == 1 else axes})"

    return row


def _cumulative(function: str) -> Row:
    def row(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
        axis, reverse = params["axis"], params.get("reverse", False)
        return f"{function}({args[0]}, axis={axis}, reverse={reverse})"

    return row


def _adjugate(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    """det(X) X⁻¹, of a singular X too."""
    if len(shape) == 2:
        return f"jax.grad(jnp.linalg.det)({args[0]}).T"
    return f"jnp.matrix_transpose(jax.grad(lambda X: jnp.linalg.det(X).sum())({args[0]}))"


def _logsumexp_kept(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jax.nn.logsumexp({args[0]}, axis={params['axes']}, keepdims=True)"


def _select(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    if len(args) > 3:
        return f"jnp.choose({args[0]}, [{', '.join(args[1:])}], mode='clip')"
    which, no, yes = args
    return f"jnp.where({which}, {yes}, {no})"


def _integer_div(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    """The quotient rounded towards 0, as `lax.div` has it."""
    a, b = args
    return f"jnp.floor_divide(jnp.subtract({a}, jnp.fmod({a}, {b})), {b})"


def _clamp(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    low, x, high = args
    return f"jnp.clip({x}, {low}, {high})"


def _reshape(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.reshape({args[0]}, {shape})"


def _concatenate(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.concatenate([{', '.join(args)}], axis={params['dimension']})"


def _split(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    ends = list(itertools.accumulate(map(int, params["sizes"])))[:-1]
    return f"jnp.split({args[0]}, {ends}, axis={params['axis']})[{params['output']}]"


def _stack(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.stack([{', '.join(args)}], axis={params['axis']})"


def _tile(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.tile({args[0]}, {params['reps']})"


def _pad(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    filling = f"jnp.asarray({args[1]}, jnp.result_type({args[0]}))"
    return f"jax.lax.pad({args[0]}, {filling}, {params['padding_config']})"


def _dynamic_slice(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jax.lax.dynamic_slice({args[0]}, jnp.array([{', '.join(args[1:])}]), {shape})"


def _dynamic_update_slice(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    x, update, *starts = args
    return f"jax.lax.dynamic_update_slice({x}, {update}, jnp.array([{', '.join(starts)}]))"


def _gather(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    numbers, mode = _numbers_and_mode(params)
    filling = params.get("fill_value")
    how = mode if filling is None else f"{mode}, fill_value={filling}"
    return f"jax.lax.gather({args[0]}, {args[1]}, {numbers}, {params['slice_sizes']}, {how})"


def _scatter(function: str) -> Row:
    """The operand in the dtype of the updates, since either may be written as zeros."""

    def row(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
        x, indices, updates = args
        numbers, mode = _numbers_and_mode(params)
        operand = f"jnp.asarray({x}, jnp.result_type({updates}))"
        return f"{function}({operand}, {indices}, {updates}, {numbers}, {mode})"

    return row


def _numbers_and_mode(params: Mapping[str, Any]) -> tuple[str, str]:
    mode = re.findall(r"[A-Z_]{4,}", str(params["mode"]))[-1]
    numbers = re.sub(r"np\.int64\((\d+)\)", r"\1", f"jax.lax.{params['dimension_numbers']}")
    return numbers, f"mode=jax.lax.GatherScatterMode.{mode}"


def _convolution(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    sizes = [params[key] for key in ("window_strides", "padding", "lhs_dilation", "rhs_dilation")]
    how = ", ".join(map(str, [*sizes, f"jax.lax.{params['dimension_numbers']}"]))
    groups = f"{params['feature_group_count']}, {params['batch_group_count']}"
    return f"jax.lax.conv_general_dilated({args[0]}, {args[1]}, {how}, {groups})"


def _sort(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    """The keys, and what is asked for of all that is sorted with them."""
    keys, output = params["num_keys"], params.get("output", 0)
    kept = [*args[:keys], *([args[output]] if output >= keys else [])]
    sorted_ = f"jax.lax.sort(({', '.join(kept)},), dimension={params['dimension']}, "
    return f"{sorted_}num_keys={keys})[{min(output, keys)}]"


def _argument(function: str) -> Row:
    return lambda args, params, shape: f"{function}({args[0]}, axis={params['axes'][0]})"


def _convert(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.asarray({args[0]}, jnp.{params['new_dtype']})"


def _irfft(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.fft.irfft({args[0]}, {shape[-1]})"


def _iota(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    return f"jnp.arange({shape[0]}, dtype=jnp.{params['dtype']})"


# fmt: off
_SAME_NAME = (
    "abs", "ceil", "conj", "cos", "cosh", "exp", "exp2", "expm1", "floor", "imag", "log", "log1p",
    "logaddexp", "real", "round", "sign", "sin", "sinh", "tan", "tanh",
)
# fmt: on
_OTHER_NAMES = {
    "acos": "jnp.arccos",
    "acosh": "jnp.arccosh",
    "and": "jnp.logical_and",
    "asin": "jnp.arcsin",
    "asinh": "jnp.arcsinh",
    "atan": "jnp.arctan",
    "atan2": "jnp.arctan2",
    "atanh": "jnp.arctanh",
    "bessel_i0e": "jax.lax.bessel_i0e",
    "bessel_i1e": "jax.lax.bessel_i1e",
    "cbrt": "jnp.cbrt",
    "cholesky": "jnp.linalg.cholesky",
    "complex": "jax.lax.complex",
    "det": "jnp.linalg.det",
    "digamma": "jax.lax.digamma",
    "erf": "jax.lax.erf",
    "erf_inv": "jax.lax.erf_inv",
    "erfc": "jax.lax.erfc",
    "ifft": "jnp.fft.ifft",
    "gamma": "jax.scipy.special.gamma",
    "gammasgn": "jax.scipy.special.gammasgn",
    "hypot": "jnp.hypot",
    "igamma": "jax.scipy.special.gammainc",
    "igammac": "jax.scipy.special.gammaincc",
    "inv": "jnp.linalg.inv",
    "is_finite": "jnp.isfinite",
    "kron": "jnp.kron",
    "lgamma": "jax.lax.lgamma",
    "log_ndtr": "jax.scipy.special.log_ndtr",
    "log_sigmoid": "jax.nn.log_sigmoid",
    "logistic": "jax.nn.sigmoid",
    "max": "jnp.maximum",
    "min": "jnp.minimum",
    "not": "jnp.logical_not",
    "pinv": "jnp.linalg.pinv",
    "or": "jnp.logical_or",
    "polygamma": "jax.scipy.special.polygamma",
    "pow": "jnp.power",
    "relu": "jax.nn.relu",
    "rem": "jnp.fmod",
    "softplus": "jax.nn.softplus",
    "xor": "jnp.logical_xor",
}
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
_CUMULATIVE = {f"cum{name}": f"jax.lax.cum{name}" for name in ("sum", "prod", "max", "min")}


def _mills(args: Sequence[str], params: Mapping[str, Any], shape: Shape) -> str:
    x = args[0]
    return f"jnp.exp(jax.scipy.stats.norm.logpdf({x}) - jax.scipy.special.log_ndtr({x}))"


ROWS: dict[str, Row] = {
    **{name: _named(f"jnp.{name}") for name in _SAME_NAME},
    **{op: _named(name) for op, name in _OTHER_NAMES.items()},
    **{op: _along(name) for op, name in _AXES.items()},
    **{op: _cumulative(name) for op, name in _CUMULATIVE.items()},
    **{function.name: _declared(function.code) for function in ELEMENTWISE},
    "adjugate": _adjugate,
    "argmax": _argument("jnp.argmax"),
    "argmin": _argument("jnp.argmin"),
    "clamp": _clamp,
    "concatenate": _concatenate,
    "conv_general_dilated": _convolution,
    "convert_element_type": _convert,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    "integer_div": _integer_div,
    "iota": _iota,
    "irfft": _irfft,
    "logsumexp_kept": _logsumexp_kept,
    "mills": _mills,
    "pad": _pad,
    "reshape": _reshape,
    "scatter": _scatter("jax.lax.scatter"),
    "scatter-add": _scatter("jax.lax.scatter_add"),
    "scatter-max": _scatter("jax.lax.scatter_max"),
    "scatter-min": _scatter("jax.lax.scatter_min"),
    "scatter-mul": _scatter("jax.lax.scatter_mul"),
    "scatter-sub": _scatter("jax.lax.scatter_sub"),
    "select_n": _select,
    "sort": _sort,
    "split": _split,
    "squeeze": _reshape,
    "stack": _stack,
    "tile": _tile,
}
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
