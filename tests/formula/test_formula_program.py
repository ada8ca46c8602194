"""Programs read as expressions: in canonical form, printed as Python, they compute what f does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import code_of, execute, expressions
from slow import some

import jaxcalc as jc

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 3))
S = RANDOM.normal(size=(4, 4)) + 4 * np.eye(4)
x, y = RANDOM.normal(size=4), RANDOM.normal(size=4)
POSITIVE = np.abs(x) + 0.5
T3 = RANDOM.normal(size=(2, 3, 4))
P = jnp.array([2, 0, 3])
C2 = ((1,), (0,))

# fmt: off
FUNCTIONS = {
    "sin": (jnp.sin, x), "cos": (jnp.cos, X), "tan": (jnp.tan, x), "exp": (jnp.exp, T3),
    "log": (jnp.log, POSITIVE), "log1p": (jnp.log1p, POSITIVE), "expm1": (jnp.expm1, x),
    "exp2": (jnp.exp2, x), "sqrt": (jnp.sqrt, POSITIVE), "cbrt": (jnp.cbrt, x),
    "rsqrt": (jax.lax.rsqrt, POSITIVE), "abs": (jnp.abs, x), "sign": (jnp.sign, x),
    "floor": (jnp.floor, x), "tanh": (jnp.tanh, x), "sinh": (jnp.sinh, x),
    "arctan": (jnp.arctan, x),
    "arcsinh": (jnp.arcsinh, x), "erf": (jax.scipy.special.erf, x),
    "lgamma": (jax.scipy.special.gammaln, POSITIVE), "x**3": (lambda x: x**3, x),
    "x**-2": (lambda x: x**-2, POSITIVE), "x**y": (lambda x, y: x**y, POSITIVE, y),
    "x**0.5": (lambda x: x**0.5, POSITIVE), "x**1.7": (lambda x: x**1.7, POSITIVE),
    "x + y": (jnp.add, x, y), "x - 2 y": (lambda x, y: x - 2 * y, X, Y),
    "x y": (jnp.multiply, x, y),
    "x / y": (jnp.divide, x, POSITIVE), "−x": (jnp.negative, x), "1 − x": (lambda x: 1 - x, x),
    "arctan2": (jnp.arctan2, x, y), "maximum": (jnp.maximum, x, y),
    "clip": (lambda x: jnp.clip(x, -0.5, 0.5), x),
    "where": (lambda x, y: jnp.where(x > 0, x, y), x, y), "relu": (jax.nn.relu, X),
    "where 0": (lambda x: jnp.where(x > 0, jnp.sin(x), 0.0), x),
    "silu": (jax.nn.silu, x), "gelu": (jax.nn.gelu, x),
    "exact gelu": (lambda x: jax.nn.gelu(x, approximate=False), x),
    "elu": (jax.nn.elu, x), "softplus": (jax.nn.softplus, x),
    "log_sigmoid": (jax.nn.log_sigmoid, x),
    "sigmoid": (jax.nn.sigmoid, X), "soft_sign": (jax.nn.soft_sign, x),
    "softmax": (jax.nn.softmax, X), "softmax, axis 0": (lambda x: jax.nn.softmax(x, axis=0), X),
    "log_softmax": (jax.nn.log_softmax, X), "logsumexp": (jax.nn.logsumexp, x),
    "logsumexp of rows": (lambda x: jax.nn.logsumexp(x, axis=1), X),
    "plain softmax": (lambda x: jnp.exp(x) / jnp.exp(x).sum(), x),
    "jc.softmax": (jc.softmax, X), "jc.softmax, all": (lambda x: jc.softmax(x, axis=None), X),
    "jc.log_softmax": (jc.log_softmax, X), "jc.logsumexp": (lambda x: jc.logsumexp(x, axis=0), X),
    "jc.sigmoid": (jc.sigmoid, X), "jc.log_sigmoid": (jc.log_sigmoid, x),
    "jc.softplus": (jc.softplus, x),
    "masked softmax": (lambda x: jc.softmax(x, where=jnp.array([True, False, True, True])), x),
    "cross-entropy": (lambda x: jc.softmax_cross_entropy(x, 1), x),
    "vmapped softmax": (jax.vmap(jc.softmax, in_axes=1, out_axes=1), X),
    "sum": (jnp.sum, X), "row sums": (lambda x: x.sum(1), X), "mean": (lambda x: x.mean(0), X),
    "kept mean": (lambda x: x - x.mean(1, keepdims=True), X), "variance": (jnp.var, x),
    "std": (lambda x: x.std(0), X), "norm": (jnp.linalg.norm, x), "Frobenius": (jnp.linalg.norm, X),
    "max": (jnp.max, X), "min of rows": (lambda x: x.min(1), X), "prod": (jnp.prod, x),
    "argmax": (lambda x: x * jnp.argmax(x).astype(x.dtype), x), "cumsum": (jnp.cumsum, x),
    "cumprod": (lambda x: jnp.cumprod(x, axis=1), X), "sort": (jnp.sort, x),
    "Xᵀ Y": (lambda x, y: x.T @ y, X, Y), "X Yᵀ": (lambda x, y: x @ y.T, X, Y),
    "matvec": (lambda a, x: a @ x, S, x), "vecmat": (lambda a, x: x @ a, X, x),
    "inner": (jnp.dot, x, y),
    "quadratic": (lambda a, x: x @ a @ x, S, x), "outer": (jnp.outer, x, y),
    "kron": (jnp.kron, X, X[:2]),
    "einsum": (lambda t, x: jnp.einsum("ijk,k->ji", t, x), T3, x),
    "batched": (lambda t: jnp.einsum("ijk,ilk->ijl", t, t), T3),
    "trace": (jnp.trace, S), "diagonal": (jnp.diagonal, S), "diag": (jnp.diag, x),
    "tril": (jnp.tril, S),
    "inv": (jnp.linalg.inv, S), "det": (jnp.linalg.det, S),
    "slogdet": (lambda a: jnp.linalg.slogdet(a)[1], S),
    "solve": (jnp.linalg.solve, S, x), "solve matrix": (jnp.linalg.solve, S, X),
    "solve shifted": (lambda a, x: jnp.linalg.solve(a + 2 * jnp.eye(4), x), S, x),
    "matrix power": (lambda a: jnp.linalg.matrix_power(a, 3), S),
    "x[1:]": (lambda x: x[1:], x), "x[::-1]": (lambda x: x[::-1], x),
    "X[:, ::2]": (lambda x: x[:, ::2], X),
    "X[0, 1]": (lambda x: x[0, 1], X), "X[1]": (lambda x: x[1], X), "x[p]": (lambda x: x[P], x),
    "X[p]": (lambda x: x[P], X), "X[:, p]": (lambda x: x[:, P[:2] - 1], X),
    "roll": (lambda x: jnp.roll(x, 1), x),
    "diff": (jnp.diff, x), "concatenate": (lambda x, y: jnp.concatenate([x, y]), x, y),
    "stack": (lambda x, y: jnp.stack([x, y]), x, y), "pad": (lambda x: jnp.pad(x, 1), x),
    "reshape": (lambda x: x.reshape(2, 6), X), "ravel": (jnp.ravel, X),
    "transpose": (jnp.transpose, T3),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None], (4, 2)), x),
    "tile": (lambda x: jnp.tile(x, 2), x),
    "dynamic slice": (lambda x: jax.lax.dynamic_slice(x, (1,), (2,)), x),
    "cross": (jnp.cross, X[0], X[1]),
    "checkpoint": (jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))), x),
    "nested jit": (jax.jit(jax.jit(jnp.tanh)), x),
    "one-hot": (lambda x: x * jax.nn.one_hot(2, 4, dtype=x.dtype), x),
    "constant": (lambda x: 0 * x + 3, x),
    "layer norm": (lambda x: (x - x.mean()) / jnp.sqrt(x.var() + 1e-5), x),
    "expanded": (lambda x: x[None, :, None], x),
}
# fmt: on


@pytest.mark.parametrize("function", some(FUNCTIONS, [*FUNCTIONS][::3]))
def test_what_is_read_computes_what_the_function_does(function, x64):
    f, *arrays = FUNCTIONS[function]
    named = {n: jnp.asarray(a) for n, a in zip("ab", arrays, strict=False)}
    (expression,) = expressions(f, **named)
    expected = np.asarray(f(*named.values()))
    assert expression.shape == expected.shape
    np.testing.assert_allclose(execute(code_of(expression), named), expected, rtol=1e-9, atol=1e-12)
