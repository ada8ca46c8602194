"""The reader of expressions: what it reads it computes, what it refuses it names."""

import builtins
import inspect
import math
import os
import re
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import oracles
from jaxcalc._commands.expression import Part, WrittenFunction
from jaxcalc._commands.reader import read
from jaxcalc._commands.sizes import Sort, UnknownSizes
from jaxcalc._commands.vocabulary import ALLOWED, FUNCTIONS
from jaxcalc._functions.activations import ELEMENTWISE

# Positive numbers, so that logarithms and roots exist; the sizes differ.
SHAPES = {"c": (), "x": (4,), "y": (4,), "b": (3,), "A": (3, 4), "X": (4, 4), "Y": (4, 4)}


def arrays():
    rng = np.random.default_rng(5)
    return {name: rng.uniform(0.1, 0.9, shape) for name, shape in SHAPES.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


erf = np.vectorize(math.erf)

GOOD = {
    "x": lambda x: x,
    "3": lambda: 3,
    "+x - -y": lambda x, y: x + y,
    "2*x + y/4 - 0.5": lambda x, y: 2 * x + y / 4 - 0.5,
    "1/2 * x": lambda x: x / 2,
    "x**2 + 2**x": lambda x: x**2 + 2**x,
    "x**-1": lambda x: 1 / x,
    "x**0.5": lambda x: np.sqrt(x),
    "-x**2": lambda x: -(x**2),
    "x**y": lambda x, y: x**y,
    "2**3**2 * x": lambda x: 512 * x,
    "x @ X @ y": lambda x, X, y: x @ X @ y,
    "(A @ x + b) * c": lambda A, x, b, c: (A @ x + b) * c,
    "x[0] * x[-1]": lambda x: x[0] * x[-1],
    "x[1:] - x[:-1]": lambda x: x[1:] - x[:-1],
    "x[::-2]": lambda x: x[::-2],
    "A[1]": lambda A: A[1],
    "A[-1, 1:3]": lambda A: A[-1, 1:3],
    "A[:, 0]": lambda A: A[:, 0],
    "softmax(A @ x + b)": lambda A, x, b: softmax(A @ x + b),
    "softmax(A, axis=0)": lambda A: softmax(A, 0),
    "softmax(A, 0)": lambda A: softmax(A, 0),
    "softmax(A, (0, 1))": lambda A: softmax(A, (0, 1)),
    "log_softmax(A, axis=-2)": lambda A: np.log(softmax(A, 0)),
    "logsumexp(A, axis=1, keepdims=True)": lambda A: np.log(np.sum(np.exp(A), 1, keepdims=True)),
    "softmax_cross_entropy(x, softmax(y))": lambda x, y: -np.sum(softmax(y) * np.log(softmax(x))),
    "sigmoid_binary_cross_entropy(x, y)": lambda x, y: np.log1p(np.exp(x)) - x * y,
    "sigmoid(x) - logistic(y)": lambda x, y: sigmoid(x) - sigmoid(y),
    "log_sigmoid(x)": lambda x: np.log(sigmoid(x)),
    "softplus(x)": lambda x: np.log1p(np.exp(x)),
    "relu(x - y)": lambda x, y: np.maximum(x - y, 0),
    **{
        f"{f.name}(x)": lambda x, f=f: oracles.derivative(f.definition, x, 0).astype(float)
        for f in ELEMENTWISE
    },
    "sparsemax(x)": lambda x: oracles.sparsemax(x).astype(float),
    "gelu(x)": lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    "erf(x)": erf,
    "exp(x) + expm1(x)": lambda x: 2 * np.exp(x) - 1,
    "log(x) + log1p(x)": lambda x: np.log(x) + np.log1p(x),
    "sqrt(x) - square(y)": lambda x, y: np.sqrt(x) - y * y,
    "abs(x - y)": lambda x, y: np.abs(x - y),
    "sin(x) + cos(x) + tan(x)": lambda x: np.sin(x) + np.cos(x) + np.tan(x),
    "arcsin(x) + arccos(x) + arctan(x)": lambda x: np.pi / 2 + np.arctan(x),
    "sinh(x) + cosh(x) + tanh(x)": lambda x: np.exp(x) + np.tanh(x),
    "maximum(x, y) - minimum(x, 0.5)": lambda x, y: np.maximum(x, y) - np.minimum(x, 0.5),
    "sum(A, axis=0)": lambda A: np.sum(A, 0),
    "sum(A, (0, 1))": np.sum,
    "sum(A, axis=())": lambda A: A,
    "mean(A, axis=1, keepdims=True)": lambda A: np.mean(A, 1, keepdims=True),
    "prod(x)": np.prod,
    "max(A, axis=1) + min(A, axis=1)": lambda A: np.max(A, 1) + np.min(A, 1),
    "jnp.max(A, 1) + np.min(A, 1)": lambda A: np.max(A, 1) + np.min(A, 1),
    "max(x, 0.5) + min(0.5, x)": lambda x: x + 0.5,
    "var(A, 0) + std(A, axis=0)": lambda A: np.var(A, 0) + np.std(A, 0),
    "var(x, ddof=1)": lambda x: np.var(x, ddof=1),
    "sign(x - y) * abs(x - y)": lambda x, y: x - y,
    "where(x > y, x, 0)": lambda x, y: np.where(x > y, x, 0),
    "where(x, 1, y)": lambda x, y: np.ones(4),
    "kron(A, X)": np.kron,
    "tr(X)": np.trace,
    "matmul(A, x)": lambda A, x: A @ x,
    "pinv(A)": np.linalg.pinv,
    "norm(x, 1) + norm(x, inf) + norm(x, -np.inf)": lambda x: x.sum() + x.max() + x.min(),
    "norm(A, 1)": lambda A: np.linalg.norm(A, 1),
    "norm(A, ord=1, axis=0)": lambda A: np.sum(A, 0),
    "layer_norm(A)": lambda A: (
        (A - A.mean(1, keepdims=True)) / np.sqrt(A.var(1, keepdims=True) + 1e-5)
    ),
    "rms_norm(x, epsilon=0)": lambda x: x / np.sqrt(np.mean(x**2)),
    "gelu(x, approximate=False)": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "erfc(x) + erf(x)": lambda x: np.ones(4),
    "ln(x)": np.log,
    "relu6(8 * x) + elu(x - 1)": lambda x: np.minimum(8 * x, 6) + np.expm1(x - 1),
    "leaky_relu(-x)": lambda x: -0.01 * x,
    "swish(x) - silu(x)": lambda x: 0 * x,
    "ones((3, 4)) * A + zeros((3, 1))": lambda A: A,
    "cumsum(A, axis=1)": lambda A: np.cumsum(A, 1),
    "norm(x) + norm(A)": lambda x, A: np.linalg.norm(x) + np.linalg.norm(A),
    "norm(A, axis=0)": lambda A: np.linalg.norm(A, axis=0),
    "dot(x, y) * inner(A, X)": lambda x, y, A, X: np.dot(x, y) * (A @ X.T),
    "outer(b, x)": np.outer,
    "T(A) @ b": lambda A, b: A.T @ b,
    "transpose(A)": np.transpose,
    "trace(X)": np.trace,
    "diag(x) + diag(diag(X))": lambda x, X: np.diag(x) + np.diag(np.diag(X)),
    "det(X)": np.linalg.det,
    "logdet(X)": lambda X: np.log(np.abs(np.linalg.det(X))),
    "inv(X + eye(4))": lambda X: np.linalg.inv(X + np.eye(4)),
    "solve(X + 2 * eye(4), x)": lambda X, x: np.linalg.solve(X + 2 * np.eye(4), x),
    "roll(x, -1) + roll(x, shift=2)": lambda x: np.roll(x, -1) + np.roll(x, 2),
    "roll(A, 1, axis=1)": lambda A: np.roll(A, 1, 1),
    "reshape(A, (2, -1))": lambda A: A.reshape(2, 6),
    "reshape(A, 12)": lambda A: A.reshape(12),
    "exp(2) * x": lambda x: np.exp(2) * x,
    "  x \t+\n y ": lambda x, y: x + y,
    "2x": lambda x: 2 * x,
    "2|x|": lambda x: 2 * x,
    "A x": lambda A, x: A @ x,
    "2(x + y)": lambda x, y: 2 * (x + y),
    "(x + y)(c + 1)": lambda x, y, c: (x + y) * (c + 1),
    "c (x - y)": lambda c, x, y: c * (x - y),
    "x + c x(2)": lambda x, c: x + c * x * 2,
    "1/2 x": lambda x: x / 2,
    "x' X y": lambda x, X, y: x @ X @ y,
    "x.T @ X @ y": lambda x, X, y: x @ X @ y,
    "xᵀ X": lambda x, X: x @ X,
    "x yᵀ": np.outer,
    "x @ y'": np.outer,
    "x' y": np.dot,
    "x' * X * y": lambda x, X, y: x @ X @ y,
    "(x + y)' 2": lambda x, y: 2 * (x + y),
    "y exp(x')": lambda y, x: np.outer(y, np.exp(x)),
    "x'' y": np.dot,
    "x^T X^T y": lambda x, X, y: x @ X.T @ y,
    "A.T b": lambda A, b: A.T @ b,
    "A.mT @ b": lambda A, b: A.T @ b,
    "(A x)ᵀ b": lambda A, x, b: (A @ x) @ b,
    "X⁻¹ x": lambda X, x: np.linalg.solve(X, x),
    "X^-1 x + X^(-1) x - X^{-1} x": lambda X, x: np.linalg.solve(X, x),
    "x⁻¹ + c⁻¹ + 2⁻¹": lambda x, c: 1 / x + 1 / c + 0.5,
    "x² + x^3 + x⁻²": lambda x: x**2 + x**3 + x**-2,
    "x^y": lambda x, y: x**y,
    "e^(-x²)": lambda x: np.exp(-(x**2)),
    "|x − y|": lambda x, y: np.abs(x - y),
    "‖A x − b‖² / 2": lambda A, x, b: np.sum((A @ x - b) ** 2) / 2,
    "||x||": np.linalg.norm,
    "c |x|": lambda c, x: c * np.abs(x),
    "√x + √(y + 1) + √2": lambda x, y: np.sqrt(x) + np.sqrt(y + 1) + np.sqrt(2),
    "[x > y] ⊙ x": lambda x, y: (x > y) * x,
    "2 [x ≥ y] - c [x = y]": lambda x, y, c: 2.0 * (x >= y),
    "x [x ≤ y]'": lambda x, y: np.outer(x, x <= y),
    "(x < y) * x + (x != y)": lambda x, y: (x < y) * x + (x != y),
    "σ(x)": sigmoid,
    "π x + jnp.pi": lambda x: np.pi * (x + 1),
    "x × y ÷ c · 2": lambda x, y, c: x * y / c * 2,
    "jnp.exp(x) + np.linalg.norm(x)": lambda x: np.exp(x) + np.linalg.norm(x),
    "jax.nn.sigmoid(x) - jax.numpy.tanh(x)": lambda x: sigmoid(x) - np.tanh(x),
}


@pytest.mark.parametrize("text", GOOD, ids=GOOD)
def test_an_expression_computes_what_numpy_does(text, x64):
    expression, values = read(text), arrays()
    chosen = [values[name] for name in expression.names]
    expected = np.asarray(GOOD[text](*chosen))
    got = np.asarray(expression(*map(jnp.asarray, chosen)))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", GOOD, ids=GOOD)
def test_the_rules_know_its_shape(text):
    expression, values = read(text), arrays()
    sorts = {name: Sort(values[name].shape) for name in expression.names}
    expected = np.shape(GOOD[text](*(values[name] for name in expression.names)))
    assert expression.root.sort(UnknownSizes(), sorts).sizes == expected


def test_every_known_function_is_among_them():
    called = {name for name in FUNCTIONS for text in GOOD if re.search(rf"\b{name}\(", text)}
    assert called == set(FUNCTIONS)


def test_the_parameters_are_the_names_in_their_order():
    expression = read("softmax(A @ x + b) * x[0]")
    assert expression.names == ("A", "x", "b")
    assert list(inspect.signature(expression).parameters) == ["A", "x", "b"]


def test_an_expression_is_differentiated_and_jitted():
    expression = read("x @ W @ x")
    x, W = jnp.arange(1.0, 4.0), jnp.arange(9.0).reshape(3, 3)
    gradient = jax.jit(jax.grad(expression))(x, W)
    np.testing.assert_allclose(gradient, (W + W.T) @ x, rtol=1e-6)


def test_whole_exponents_stay_whole():
    powers = [
        equation
        for equation in jax.make_jaxpr(read("x**3"))(jnp.ones(2)).eqns
        if equation.primitive.name == "integer_pow"
    ]
    assert [equation.params["y"] for equation in powers] == [3]


ESCAPES = {
    "__import__('os').system('true')": "`'` cannot be read here: it stands after an array",
    "__import__(os).system(true)": "`__import__(os).system(true)` is not allowed",
    "__import__(os)": "`__import__` is not a known function",
    "eval('x')": "`'` cannot be read here",
    "eval(x)": "`eval` is not a known function",
    "exec(x)": "`exec` is not a known function",
    "open(f)": "`open` is not a known function",
    "getattr(x, T)": "`getattr` is not a known function",
    'getattr(x, "T")': "`getattr` is not a known function",
    "os.system(x)": "`os.system(x)` is not allowed",
    "jnp.save(x)": "`save` is not a known function",
    "jnp.linalg.os.exp(x)": "`jnp.linalg.os.exp(x)` is not allowed",
    "x.exp(y)": "`x.exp(y)` is not allowed",
    "jax.nn": "`jax.nn` is not allowed",
    "exp(x).T.real": "`exp(x).T.real` is not allowed",
    "__builtins__": "`__builtins__` must begin with a letter",
    "__builtins__['eval']": "`'` cannot be read here",
    'x["eval"]': 'an index must be an integer such as 1 or -1, but got `"eval"`',
    "x.__class__": "`x.__class__` is not allowed: of attributes only A.T is known",
    "x.__class__.__mro__[1]": "`x.__class__.__mro__` is not allowed",
    "exp.__globals__": "`exp.__globals__` is not allowed",
    "(lambda: 0)()": "`lambda: 0` is not allowed",
    "(lambda x: x)": "`lambda x: x` is not allowed: write the expression itself",
    "x(2)": "`x` is not a known function",
    "[x for x in y]": "`[x for x in y]` is not allowed",
    "{x: y for x in y}": "`{x: y for x in y}` is not allowed",
    "(x for x in y)": "`(x for x in y)` is not allowed",
    "f'{x}'": "`'` cannot be read here",
    'f"{x}"': f'`f"{{x}}"` is not allowed: {ALLOWED}',
    '"x"': f'`"x"` is not allowed: {ALLOWED}',
    "'{0.__class__}'": "`'` cannot be read here",
    "(y := x)": "`y := x` is not allowed: names stand for arrays",
    "await x": "`await x` is not allowed",
    "(yield x)": "`yield x` is not allowed",
    "import os": "cannot be read at `import os`: invalid syntax",
    "x = 3": "cannot be read at `= 3`",
    "x; y": "cannot be read at `; y`: invalid syntax",
    "x\nimport os": "cannot be read at `import os`: invalid syntax",
    "print(x)": "`print` is not a known function",
    "sum(*x)": "`*x` is not allowed",
    "sum(**x)": "`sum` takes other arguments",
    "x[*y]": "an index must be an integer such as 1 or -1, but got `*y`",
    "9**9**9**99": "`9**9**99` is not a finite real number",
    "9**9**9": "`9**9**9` is not a finite real number",
    "10**400": "`10**400` has the exponent 400; whole exponents reach from -100 to 100",
    "1e999": "`1e999` is too large; numbers reach to 1e+30",
    "1" * 1999: "is too large",
    "(" * 300 + "x" + ")" * 300: "too many nested parentheses",
    "-" * 1900 + "x": "nested deeper than 50 levels; name a part of it",
    "exp(" * 60 + "x" + ")" * 60: "nested deeper than 50 levels",
    "x" + "+x" * 900: "nested deeper than 50 levels",
    "x" + "**x" * 600: "nested deeper than 50 levels",
    "x" + "[0]" * 600: "nested deeper than 50 levels",
    "x" * 2001: "must have 1 to 2000 characters, but has 2001",
    "\N{CYRILLIC CAPITAL LETTER A} @ x": "U+0410 (CYRILLIC CAPITAL LETTER A) cannot be read",
    "\N{FULLWIDTH LATIN SMALL LETTER X}": "U+FF58 (FULLWIDTH LATIN SMALL LETTER X)",
    "x\N{ZERO WIDTH SPACE}": "U+200B (ZERO WIDTH SPACE) cannot be read; write ASCII or Greek",
    "x\0": "U+0000 (a control character) cannot be read",
    "x\x1b[2J": "U+001B (a control character) cannot be read",
}

MISTAKES = {
    "": "must have 1 to 2000 characters, but has 0",
    "  ": "must have 1 to 2000 characters, but has 0",
    "x +": "cannot be read at its end: invalid syntax",
    "(x": "cannot be read at `(x`: '(' was never closed",
    "2 3 x": "`3` cannot be read here: a sign is missing before it",
    "A.T @ x": "`A.T @ x` cannot be computed from shapes 4×3 and 4: the inner sizes differ",
    "A' x": "`A' x` cannot be computed from shapes 4×3 and 4: the inner sizes differ",
    "x' y'": "`x' y'` cannot be computed from shapes 4 and 4: a transposed vector stands after",
    "' x": "`'` cannot be read here: it stands after an array, as in x' or x²",
    "|x": "`|` cannot be read here: a second one must close it",
    "√-x": "`√` cannot be read here: it stands before a name, a number or a parenthesis",
    "x 1ᵀ": "`1ᵀ` is not allowed: a number has no transpose; a vector of ones is ones(3)",
    "A ⊗ X": "`⊗` cannot be read; write kron(A, B)",
    "f(x) + x": "`f` is not a known function; --help lists them",
    "[x, y]": "`[x, y]` is not allowed: lists are not arrays here",
    "x // 2": f"`x // 2` is not allowed: {ALLOWED}",
    "x % 2": "`%` cannot be read; write A x or A @ x for a product",
    "~x": f"`~x` is not allowed: {ALLOWED}",
    "not x": f"`not x` is not allowed: {ALLOWED}",
    "x and y": f"`x and y` is not allowed: {ALLOWED}",
    "0 < x < 1": "`0 < x < 1` is not allowed: one comparison at a time",
    "x in y": "`x in y` is not allowed: one comparison at a time, by < <= > >= == or !=",
    "x if y else 0": "`x if y else 0` is not allowed: write where(x > 0, x, y)",
    "[1, 2] @ x": "`[1, 2]` is not allowed: lists are not arrays here",
    "(x, y)": "`(x, y)` is not allowed: a tuple may only be an index or an option",
    "{x}": f"`{{x}}` is not allowed: {ALLOWED}",
    "True + x": f"`True` is not allowed: {ALLOWED}",
    "None": f"`None` is not allowed: {ALLOWED}",
    "...": f"`...` is not allowed: {ALLOWED}",
    "sofmax(x)": "`sofmax` is not a known function; did you mean `softmax`?",
    "Sigmoid(x)": "`Sigmoid` is not a known function; did you mean `sigmoid`?",
    "norm1(x)": "`norm1` is not a known function; --help lists them",
    "dt(x)": "`dt` is not a known function; --help lists them",
    "frobnicate(x)": "`frobnicate` is not a known function; --help lists them",
    "softmax + x": "`softmax` is a function; write softmax(...), or give the array another name",
    "jnp * x": "`jnp` is a module in the code; give the array another name",
    "_x": "`_x` must begin with a letter to name an array",
    "A\N{MODIFIER LETTER SMALL T}": "U+1D57 (MODIFIER LETTER SMALL T) cannot be read",
    "x[i]": "an index must be an integer such as 1 or -1, but got `i`",
    "x[0.5]": "an index must be an integer such as 1 or -1, but got `0.5`",
    "x[None]": "an index must be an integer such as 1 or -1, but got `None`",
    "x[...]": "an index must be an integer such as 1 or -1, but got `...`",
    "x[True]": "an index must be an integer such as 1 or -1, but got `True`",
    "x[9999999999]": "an index must be an integer such as 1 or -1, but got `9999999999`",
    "x[1:y]": "a bound of a slice must be an integer such as 1 or -1, but got `y`",
    "exp()": "`exp()` is too short; it is `exp(x)`",
    "exp(x, y)": "`exp` takes other arguments; it is `exp(x)`",
    "dot(x)": "`dot(x)` is too short; it is `dot(x, y)`",
    "roll(x)": "`roll(x)` is too short; it is `roll(x, shift, axis=)`",
    "eye()": "`eye()` is too short; it is `eye(N)`",
    "sum(x, axes=0)": "`sum` takes other arguments; it is `sum(x, axis=, keepdims=)`",
    "sum(x, 0, axis=0)": "`sum` takes other arguments; it is `sum(x, axis=, keepdims=)`",
    "sum(x, y)": "`axis` of `sum` must be an integer or a tuple of integers, but got `y`",
    "sum(x, axis=None)": "`axis` of `sum` must be an integer or a tuple of integers",
    "sum(x, axis=(0, 1.5))": "or a tuple of integers, but got `(0, 1.5)`",
    "sum(x, keepdims=1)": "`keepdims` of `sum` must be True or False, but got `1`",
    "roll(x, 0.5)": "`shift` of `roll` must be an integer, but got `0.5`",
    "roll(x, 9999999999)": "`shift` of `roll` must be an integer, but got `9999999999`",
    "1/0 * x": "`1/0` is not a finite real number",
    "(-8)**0.5 * x": "`(-8)**0.5` is not a finite real number",
    "1e30 * 1e30**20": "`1e30**20` is not a finite real number",
    "1e30**10 * 1e30": "`1e30**10 * 1e30` is not a finite real number",
    "A @ b": "`A @ b` cannot be computed from shapes 3×4 and 3: ",
    "x + b": "`x + b` cannot be computed from shapes 4 and 3: ",
    "exp(A @ b) + c": "`A @ b` cannot be computed from shapes 3×4 and 3: ",
    "c @ x": "`c @ x` cannot be computed from shapes scalar and 4: ",
    "2 @ 3": "`2 @ 3` cannot be computed from shapes scalar and scalar: ",
    "x[4]": "`x[4]` cannot be computed from shapes 4: index 4 is out of bounds",
    "A[0, 1, 2]": "`A[0, 1, 2]` cannot be computed from shapes 3×4: 3 indices are too many",
    "2[0]": "`2[0]` cannot be computed from shapes scalar: 1 indices are too many",
    "x[::0]": "`x[::0]` cannot be computed from shapes 4: the step of a slice is not zero",
    "softmax(c)": "`softmax(c)` cannot be computed from shapes scalar: it needs an axis",
    "det(A)": "`det(A)` cannot be computed from shapes 3×4: ",
    "trace(x)": "`trace(x)` cannot be computed from shapes 4: ",
    "sum(x, axis=1)": "`sum(x, axis=1)` cannot be computed from shapes 4: ",
    "reshape(x, 5)": "`reshape(x, 5)` cannot be computed from shapes 4: ",
    "eye(5000)": "`eye(5000)` has 25000000 entries, where at most 16777216 are allowed",
}


def compute(text):
    """Read the expression and compute its shape, as the command does."""
    expression = read(text)
    values = arrays()
    return jax.eval_shape(expression, *(values.get(name, 0.0) for name in expression.names))


@pytest.mark.parametrize(
    ("text", "words"), (ESCAPES | MISTAKES).items(), ids=range(len(ESCAPES | MISTAKES))
)
def test_a_refusal_is_one_line_that_names_the_part(text, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        compute(text)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 300


@pytest.fixture
def forbidden(monkeypatch):
    """Everything that an escape would run, made to fail loudly."""

    def reached(*_, **__):
        raise AssertionError("an expression was executed")

    for module, names in {
        os: ("system", "popen"),
        subprocess: ("Popen",),
        builtins: ("eval", "exec", "open"),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, reached)


def test_reading_executes_nothing(forbidden):
    for text in (*GOOD, *ESCAPES):
        try:
            expression = read(text)
        except ValueError:
            continue
        assert isinstance(expression, WrittenFunction)


def test_only_known_operations_are_applied():
    def names(part):
        return {part.text} if part.apply is None else set().union(*map(names, part.operands))

    for text in GOOD:
        expression = read(text)
        assert isinstance(expression.root, Part)
        assert names(expression.root) == set(expression.names)


def test_values_are_bounded_by_their_size():
    expression = read("outer(x, x)")
    with pytest.raises(ValueError, match=r"`outer\(x, x\)` has 26214400 entries"):
        jax.eval_shape(expression, jax.ShapeDtypeStruct((5120,), jnp.float32))


def test_long_parts_are_cut():
    text = " + ".join(["x"] * 40)
    with pytest.raises(ValueError, match="…` is not allowed"):
        read(f"({text}).real")
