"""How each function is written in Python: one row a function.

A row is the name of a function that takes the written arguments; or a template, in which {0} is the
first argument, {0:atom} is in parentheses unless it is an atom, {all} are all of them, {shape} is
that of the value, {dtype} ends the arguments of a maker of constants, {float} is a dtype, and a
parameter stands by its name; or, where that is not enough, a function of the `Call`.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxcalc._formula._calls import SPECIAL, Call, Code, Row, without_closed_form
from jaxcalc._formula._expression import Expression
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR


def written(function: str, call: Call) -> str:
    """A function's value in Python."""
    if function not in ROWS:
        raise without_closed_form(function)
    row = ROWS[function]
    if callable(row):
        return row(call)
    return row.format(*call.args, **call.fields) if "{" in row else f"{row}({call.every})"


def function_named(op: str) -> Callable[..., Any] | None:
    """The function of JAX that an elementwise operation on real numbers is, if it is one."""
    if op not in _SMOOTH:
        return None
    _, _, path = _SMOOTH[op].replace("jnp", "jax.numpy").partition(".")
    found: Callable[..., Any] = operator.attrgetter(path)(jax)
    return found


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
    **SPECIAL,
    **{op: _along(name) for op, name in _AXES.items()},
    **{function.name: _of_x(function.code) for function in ELEMENTWISE},
    **{
        f"cum{name}": f"jax.lax.cum{name}({{0}}, axis={{axis}}, reverse={{reverse}})"
        for name in ("sum", "prod", "max", "min")
    },
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
    "conv_general_dilated": _CONVOLUTION,
    "convert_element_type": "jnp.asarray({0}, jnp.{new_dtype})",
    "det": "jnp.linalg.det",
    "eigh": "jax.lax.linalg.eigh({0}, lower={lower}, symmetrize_input=False)[{output}]",
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
    "or": "jnp.logical_or",
    "pad": "jax.lax.pad({0}, jnp.asarray({1}, jnp.result_type({0})), {padding_config})",
    "qr": "jax.lax.linalg.qr({0}, full_matrices={full_matrices})[{output}]",
    "selection": _selection,
    "shifted_eye": "jnp.eye({shape[0]}, {shape[1]}, {k}{dtype})",
    "side": "jnp.where({0:atom} >= 0, 1, -1).astype({float})",
    "stack": "jnp.stack([{all}], axis={axis})",
    "stacked": "jax.vmap(lambda {index}: {0})(jnp.arange({shape[0]}))",
    "step": _HALVES.format(ends="{0:sum} == {1:sum}", inside="{0:sum} > {1:sum}"),
    "tile": "jnp.tile({0}, {reps})",
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
