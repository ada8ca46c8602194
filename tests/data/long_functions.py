"""Functions whose derivatives are long: products, nests, networks, iterations written out."""

import jax
import jax.numpy as jnp
import numpy as np

_RANDOM = np.random.default_rng(8)


def _array(*shape):
    return jnp.asarray(0.3 * _RANDOM.standard_normal(shape), jnp.float32)


LAYERS = [_array(6, 6) for _ in range(20)]
HEADS = [[_array(6, 6) for _ in range(3)] for _ in range(2)]
W1, W2, b1 = _array(8, 4), _array(8, 8), _array(8)


def sines(n):
    def f(x):
        y = jnp.sin(x)
        for k in range(2, n + 1):
            y = y * jnp.sin(k * x)
        return y

    return f


def sines_of_entries(x):
    y = jnp.ones((), x.dtype)
    for one in x:
        y = y * jnp.sin(one)
    return y


def residual(x):
    for W in LAYERS:
        x = x + jnp.tanh(W.astype(x.dtype) @ x)
    return x


def attention(X):
    for heads in HEADS:
        q, k, v = (A.astype(X.dtype) for A in heads)
        X = jax.nn.softmax((X @ q) @ (X @ k).T / 6**0.5) @ (X @ v)
    return X


def transformer(X):
    for heads in HEADS:
        q, k, v = (A.astype(X.dtype) for A in heads)
        mean, var = X.mean(-1, keepdims=True), X.var(-1, keepdims=True)
        Z = (X - mean) / jnp.sqrt(var + 1e-5)
        X = X + jax.nn.softmax((Z @ q) @ (Z @ k).T / 6**0.5) @ (Z @ v)
        X = X + jax.nn.gelu(X @ q) @ k
    return X


def newton(a):
    x = a
    for _ in range(20):
        x = x - (x * x * x - a) / (3 * x * x)
    return x


def heron(a):
    x = jnp.ones((), a.dtype)
    for _ in range(20):
        x = 0.5 * (x + a / x)
    return x


def perceptron(x):
    h = jnp.tanh(W1.astype(x.dtype) @ x + b1.astype(x.dtype))
    return jnp.sum(jnp.tanh(W2.astype(x.dtype) @ h) ** 2)


def recurrent(x):
    h = jnp.zeros(8, x.dtype)
    for part in x.reshape(10, 4):
        h = jnp.tanh(W2.astype(x.dtype) @ h + W1.astype(x.dtype) @ part)
    return h


def nest(x):
    for _ in range(40):
        x = jnp.sin(x) * jnp.exp(-x) + x
    return x


LONG = {  # a function, and its argument
    "10 sines": (sines(10), _array(3)),
    "30 sines": (sines(30), _array(3)),
    "a sine of each entry": (sines_of_entries, _array(10)),
    "product of 30 sines": (lambda x: jnp.prod(jnp.sin(x)), _array(30)),
    "product of 30": (jnp.prod, _array(30)),
    "cumulative product": (jnp.cumprod, _array(20)),
    "residual net": (residual, _array(6)),
    "two attention layers": (attention, _array(5, 6)),
    "two transformer layers": (transformer, _array(5, 6)),
    "Newton": (newton, jnp.float32(2.0)),
    "Heron": (heron, jnp.float32(2.0)),
    "Hessian of a perceptron": (jax.grad(perceptron), _array(4)),
    "recurrent": (recurrent, _array(40)),
    "nest": (nest, _array(3)),
    "third derivative": (
        jax.grad(jax.grad(lambda t: jnp.exp(jnp.sin(t) * t) / (1 + t * t))), jnp.float32(0.3)),
    "matrix power": (lambda X: jnp.linalg.matrix_power(X, 13), _array(4, 4)),
    "sum of 300": (lambda x: sum((jnp.sin(k * x) for k in range(1, 301)), jnp.cos(x)), _array(3)),
}  # fmt: skip


def composition(seed, depth):
    """A random nest of elementwise functions, products and matrices, of vectors of 4."""
    random = np.random.default_rng(seed)
    made = [random.standard_normal((4, 4)) / 2 for _ in range(depth)]
    kinds = random.choice(6, depth)

    def f(x):
        y = x
        for kind, matrix in zip(kinds, made, strict=True):
            A = jnp.asarray(matrix, x.dtype)
            y = [
                lambda y: jnp.sin(y) * jnp.exp(-y * y),
                lambda y, A=A: A @ y,
                lambda y: y / (1 + y @ y),
                lambda y: jax.nn.softmax(y) + x,
                lambda y: jnp.tanh(y) * y + x * x,
                lambda y, A=A: y + jnp.tanh(A @ y) * jnp.cos(y),
            ][kind](y)
        return y

    return f
