"""What an expression may say: the operators and functions that the reader knows."""

import ast
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import jaxcalc as jc

Kind = Literal["an integer", "an integer or a tuple of integers", "True or False"]
Options = Mapping[str, Kind]


class Function(NamedTuple):
    """A function: arrays first, then options that are written as literals, by position or name."""

    call: Callable[..., Any]
    arrays: int
    options: Options = MappingProxyType({})
    required: int = 0  # how many of the options must be given


def _logdet(X: ArrayLike) -> Array:
    """The logarithm of |det X|."""
    return jnp.linalg.slogdet(X).logabsdet


AXIS: Options = {"axis": "an integer or a tuple of integers"}
AXIS_AND_KEEPDIMS: Options = {**AXIS, "keepdims": "True or False"}
ONE_AXIS: Options = {"axis": "an integer"}
SHIFT_AND_AXIS: Options = {"shift": "an integer", "axis": "an integer"}
SHAPE: Options = {"shape": "an integer or a tuple of integers"}
SIZE: Options = {"N": "an integer"}

_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "sigmoid": jc.sigmoid,
    "logistic": jc.logistic,
    "log_sigmoid": jc.log_sigmoid,
    "softplus": jc.softplus,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "erf": jax.scipy.special.erf,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "abs": jnp.abs,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "arcsin": jnp.arcsin,
    "arccos": jnp.arccos,
    "arctan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
}

FUNCTIONS: dict[str, Function] = {
    **{name: Function(call, 1) for name, call in _ELEMENTWISE.items()},
    "maximum": Function(jnp.maximum, 2),
    "minimum": Function(jnp.minimum, 2),
    "softmax": Function(jc.softmax, 1, AXIS),
    "log_softmax": Function(jc.log_softmax, 1, AXIS),
    "logsumexp": Function(jc.logsumexp, 1, AXIS_AND_KEEPDIMS),
    "softmax_cross_entropy": Function(jc.softmax_cross_entropy, 2, ONE_AXIS),
    "sigmoid_binary_cross_entropy": Function(jc.sigmoid_binary_cross_entropy, 2),
    "sum": Function(jnp.sum, 1, AXIS_AND_KEEPDIMS),
    "mean": Function(jnp.mean, 1, AXIS_AND_KEEPDIMS),
    "prod": Function(jnp.prod, 1, AXIS_AND_KEEPDIMS),
    "max": Function(jnp.max, 1, AXIS_AND_KEEPDIMS),
    "min": Function(jnp.min, 1, AXIS_AND_KEEPDIMS),
    "cumsum": Function(jnp.cumsum, 1, ONE_AXIS),
    "norm": Function(jnp.linalg.norm, 1, AXIS_AND_KEEPDIMS),
    "dot": Function(jnp.dot, 2),
    "inner": Function(jnp.inner, 2),
    "outer": Function(jnp.outer, 2),
    "T": Function(jnp.transpose, 1),
    "transpose": Function(jnp.transpose, 1),
    "trace": Function(jnp.trace, 1),
    "diag": Function(jnp.diag, 1),
    "det": Function(jnp.linalg.det, 1),
    "logdet": Function(_logdet, 1),
    "inv": Function(jnp.linalg.inv, 1),
    "solve": Function(jnp.linalg.solve, 2),
    "roll": Function(jnp.roll, 1, SHIFT_AND_AXIS, required=1),
    "reshape": Function(jnp.reshape, 1, SHAPE, required=1),
    "eye": Function(jnp.eye, 0, SIZE, required=1),
}

MODULES = ("jax", "jnp")  # what the printed source text imports

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
}

UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}

ALLOWED = (
    "an expression is made of names, numbers, + - * / ** @, "
    "indices such as x[0] or X[:, 1:], and known functions"
)

# What people write on paper or in other languages, and what to write here.
REMEDIES: dict[type[ast.AST], str] = {
    ast.Attribute: "nothing has attributes here; a transpose is T(X), a function softmax(x)",
    ast.BitXor: "write ** for a power",
    ast.Lambda: "write the expression itself",
    ast.NamedExpr: "names stand for arrays, which --shape gives",
    ast.Compare: "there are no comparisons; maximum, minimum, abs and relu are known",
    ast.IfExp: "there are no conditions; maximum, minimum, abs and relu are known",
    ast.Tuple: "a tuple may only be an index or an option, such as axis=(0, 1)",
    ast.List: "lists are not arrays here; name an array and give its --shape",
}

CHARACTERS: dict[str, str] = {
    "−": "-",
    "·": "*",
    "×": "*",
    "⊙": "*",
    "÷": "/",
    "²": "**2",
    "³": "**3",
    "ᵀ": "T(...)",
    "⁻": "inv(...) or **-1",
    "σ": "sigmoid",
    "Σ": "sum",
    "√": "sqrt",
}
