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
from jaxcalc._commands import rows
from jaxcalc._commands import shape_rules as rules
from jaxcalc._commands.notation import PAPER_INVERSE, PAPER_TRANSPOSE
from jaxcalc._commands.shape_rules import Rule
from jaxcalc._functions.activations import ELEMENTWISE

Kind = Literal[
    "an integer",
    "an integer or a tuple of integers",
    "True or False",
    "a number",
    "a number or inf",
]
Options = Mapping[str, Kind]


class FunctionWord(NamedTuple):
    """A function: arrays first, then options that are written as literals, by position or name."""

    call: Callable[..., Any]
    arrays: int
    options: Options = MappingProxyType({})
    required: int = 0  # how many of the options must be given
    rule: Rule = rules.elementwise  # what becomes of the shapes


class Operation(NamedTuple):
    """What an operator or a postfix does, to arrays that may be marked as rows, and to shapes."""

    call: Callable[..., Any]
    rule: Rule = rules.elementwise


def _logdet(X: ArrayLike) -> Array:
    """The logarithm of |det X|."""
    return jnp.linalg.slogdet(X).logabsdet


def _layer_norm(x: Array, axis: Any = -1, epsilon: float = 1e-5) -> Array:
    """Less its mean, by its standard deviation, along an axis."""
    centred = x - jnp.mean(x, axis, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis, keepdims=True) + epsilon)


def _rms_norm(x: Array, axis: Any = -1, epsilon: float = 1e-5) -> Array:
    """By its root mean square, along an axis."""
    return x / jnp.sqrt(jnp.mean(x**2, axis, keepdims=True) + epsilon)


AXIS: Options = {"axis": "an integer or a tuple of integers"}
AXIS_AND_KEEPDIMS: Options = {**AXIS, "keepdims": "True or False"}
VARIANCE: Options = {**AXIS, "ddof": "a number", "keepdims": "True or False"}
ORDER: Options = {"ord": "a number or inf", **AXIS_AND_KEEPDIMS}
AXIS_AND_EPSILON: Options = {**AXIS, "epsilon": "a number"}
ONE_AXIS: Options = {"axis": "an integer"}
SHIFT_AND_AXIS: Options = {"shift": "an integer", **AXIS}
SHAPE: Options = {"shape": "an integer or a tuple of integers"}
SIZE: Options = {"N": "an integer"}

_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "sigmoid": jc.sigmoid,
    "logistic": jc.logistic,
    "σ": jc.sigmoid,
    "log_sigmoid": jc.log_sigmoid,
    "softplus": jc.softplus,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "elu": jax.nn.elu,
    "leaky_relu": jax.nn.leaky_relu,
    **{function.name: function for function in ELEMENTWISE},
    "swish": jc.silu,
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "ln": jnp.log,
    "log1p": jnp.log1p,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "abs": jnp.abs,
    "sign": jnp.sign,
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

FUNCTIONS: dict[str, FunctionWord] = {
    **{name: FunctionWord(call, 1) for name, call in _ELEMENTWISE.items()},
    "gelu": FunctionWord(jc.gelu, 1, {"approximate": "True or False"}),
    "maximum": FunctionWord(jnp.maximum, 2),
    "minimum": FunctionWord(jnp.minimum, 2),
    "where": FunctionWord(jnp.where, 3),
    "softmax": FunctionWord(jc.softmax, 1, AXIS, rule=rules.along),
    "log_softmax": FunctionWord(jc.log_softmax, 1, AXIS, rule=rules.along),
    "sparsemax": FunctionWord(jc.sparsemax, 1, AXIS, rule=rules.along),
    "layer_norm": FunctionWord(_layer_norm, 1, AXIS_AND_EPSILON, rule=rules.along),
    "rms_norm": FunctionWord(_rms_norm, 1, AXIS_AND_EPSILON, rule=rules.along),
    "logsumexp": FunctionWord(jc.logsumexp, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "softmax_cross_entropy": FunctionWord(jc.softmax_cross_entropy, 2, ONE_AXIS, rule=rules.loss),
    "sigmoid_binary_cross_entropy": FunctionWord(
        jc.sigmoid_binary_cross_entropy, 2, rule=rules.same_shapes
    ),
    "sum": FunctionWord(jnp.sum, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "mean": FunctionWord(jnp.mean, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "var": FunctionWord(jnp.var, 1, VARIANCE, rule=rules.reduced),
    "std": FunctionWord(jnp.std, 1, VARIANCE, rule=rules.reduced),
    "prod": FunctionWord(jnp.prod, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "max": FunctionWord(jnp.max, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "min": FunctionWord(jnp.min, 1, AXIS_AND_KEEPDIMS, rule=rules.reduced),
    "cumsum": FunctionWord(jnp.cumsum, 1, ONE_AXIS, rule=rules.cumulated),
    "norm": FunctionWord(jnp.linalg.norm, 1, ORDER, rule=rules.normed),
    "dot": FunctionWord(jnp.dot, 2, rule=rules.dot),
    "matmul": FunctionWord(jnp.matmul, 2, rule=rules.matmul),
    "inner": FunctionWord(jnp.inner, 2, rule=rules.inner),
    "outer": FunctionWord(jnp.outer, 2, rule=rules.outer),
    "kron": FunctionWord(jnp.kron, 2, rule=rules.kron),
    "T": FunctionWord(jnp.transpose, 1, rule=rules.transposed),
    "transpose": FunctionWord(jnp.transpose, 1, rule=rules.transposed),
    "trace": FunctionWord(jnp.trace, 1, rule=rules.square_to_scalar),
    "tr": FunctionWord(jnp.trace, 1, rule=rules.square_to_scalar),
    "diag": FunctionWord(jnp.diag, 1, rule=rules.diagonal),
    "det": FunctionWord(jnp.linalg.det, 1, rule=rules.square_to_scalar),
    "logdet": FunctionWord(_logdet, 1, rule=rules.square_to_scalar),
    "inv": FunctionWord(jnp.linalg.inv, 1, rule=rules.square),
    "pinv": FunctionWord(jnp.linalg.pinv, 1, rule=rules.pseudo_inverted),
    "solve": FunctionWord(jnp.linalg.solve, 2, rule=rules.solved),
    "roll": FunctionWord(jnp.roll, 1, SHIFT_AND_AXIS, required=1, rule=rules.along),
    "reshape": FunctionWord(jnp.reshape, 1, SHAPE, required=1, rule=rules.reshaped),
    "eye": FunctionWord(jnp.eye, 0, SIZE, required=1, rule=rules.identity),
    "ones": FunctionWord(jnp.ones, 0, SHAPE, required=1, rule=rules.filled),
    "zeros": FunctionWord(jnp.zeros, 0, SHAPE, required=1, rule=rules.filled),
}

# Where they are asked for with two arrays: of max(x, 0) people mean the larger of each pair.
PAIRED = {"max": "maximum", "min": "minimum"}

# What a function or a constant may be said to be part of.
MODULES = frozenset(
    f"{root}{part}"
    for root, parts in {
        "np": ("", ".linalg"),
        "numpy": ("", ".linalg"),
        "jnp": ("", ".linalg"),
        "jax": (".numpy", ".numpy.linalg", ".nn", ".lax", ".scipy.special"),
        "nn": ("",),
        "lax": ("",),
        "scipy": (".special",),
        "jc": ("",),
        "jaxcalc": ("",),
    }.items()
    for part in parts
)
RESERVED = ("jax", "jnp")  # what the printed source text imports
CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}

POSTFIXES: dict[str, Operation] = {
    "T": Operation(rows.of_rows(jnp.transpose), rules.transposed),
    "mT": Operation(rows.of_rows(jnp.transpose), rules.transposed),
    PAPER_TRANSPOSE: Operation(rows.paper_transpose, rules.paper_transposed),
    PAPER_INVERSE: Operation(rows.of_rows(rows.inverse), rules.inverted),
}

BINARY: dict[type[ast.operator], Operation] = {
    ast.Add: Operation(rows.of_rows(operator.add)),
    ast.Sub: Operation(rows.of_rows(operator.sub)),
    ast.Mult: Operation(rows.starred, rules.starred),
    ast.Div: Operation(rows.of_rows(operator.truediv)),
    ast.Pow: Operation(rows.of_rows(operator.pow)),
    ast.MatMult: Operation(rows.matmul, rules.matmul),
    ast.Mod: Operation(rows.product, rules.paper_product),  # a product without a sign
}

UNARY: dict[type[ast.unaryop], Operation] = {
    ast.UAdd: Operation(rows.of_rows(operator.pos)),
    ast.USub: Operation(rows.of_rows(operator.neg)),
}

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

ALLOWED = (
    "an expression is made of names, numbers, + - * / ** @, transposes, "
    "indices such as x[0] or X[:, 1:], and known functions"
)

# What people write in other languages, and what to write here.
REMEDIES: dict[type[ast.AST], str] = {
    ast.Attribute: "of attributes only A.T is known; a function is called as in softmax(x)",
    ast.Lambda: "write the expression itself",
    ast.NamedExpr: "names stand for arrays, which --shape gives",
    ast.IfExp: "write where(x > 0, x, y)",
    ast.Compare: "one comparison at a time, by < <= > >= == or !=",
    ast.Tuple: "a tuple may only be an index or an option, such as axis=(0, 1)",
    ast.List: "lists are not arrays here; name an array and give its --shape",
}
