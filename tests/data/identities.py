"""A table of matrix-calculus identities: functions beside their derivatives worked out by hand.

Each formula is written in the layout that is natural for its class: gradients of scalars in
denominator layout, the rest in numerator layout. `x` (or `X`) is the differentiated argument, the
rest are constants. Sizes are distinct, so that a transpose cannot hide.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

P, Q, M, N = 4, 3, 5, 2  # x in R^P; y in R^Q; matrices from these


@dataclass(frozen=True)
class Identity:
    """∂f/∂(first argument) = formula, in the layout `written`, at the points `make`."""

    kind: str
    name: str
    f: Callable[..., Array]
    make: tuple[Callable[[np.random.Generator], np.ndarray | float], ...]
    formula: Callable[..., Array]
    written: str

    def arguments(self) -> list[Array]:
        random = np.random.default_rng(len(self.name))
        return [jnp.asarray(make(random), jnp.float64) for make in self.make]


def normal(*shape):
    return lambda random: random.standard_normal(shape)


def positive(*shape):
    return lambda random: random.uniform(0.5, 2.0, shape)


def regular(n):
    """Far from singular, and not symmetric."""
    return lambda random: random.standard_normal((n, n)) + 3 * n**0.5 * np.eye(n)


def symmetric(n):
    def make(random):
        a = random.standard_normal((n, n))
        return a + a.T

    return make


def definite(n):
    """Symmetric positive definite."""

    def make(random):
        a = random.standard_normal((n, n))
        return a @ a.T + n * np.eye(n)

    return make


def _column(v):
    return v[:, None]


def _diag(v):
    return jnp.diag(v)


def _outer(u, v):
    return u[:, None] * v[None, :]


def _eye(n):
    return jnp.eye(n, dtype=jnp.float64)


def _softmax(x):
    e = jnp.exp(x)
    return e / e.sum()


def _unit(x):
    return x / jnp.sqrt(x @ x)


x, xpos, a, b = normal(P), positive(P), normal(P), normal(P)
A, S = normal(Q, P), regular(P)  # Q×P, P×P
inv, det, solve, trace = jnp.linalg.inv, jnp.linalg.det, jnp.linalg.solve, jnp.trace
_PERMUTATION = jnp.array([2, 0, 3, 1])
_SUMS = np.tril(np.ones((P, P)))

# fmt: off
VECTOR_BY_VECTOR = [  # numerator layout, [y, x]
    ("x", lambda x: x, (x,), lambda x: _eye(P)),
    ("constant", lambda x, b: b, (x, normal(Q)), lambda x, b: jnp.zeros((Q, P))),
    ("2x", lambda x: 2 * x, (x,), lambda x: 2 * _eye(P)),
    ("Ax", lambda x, A: A @ x, (x, A), lambda x, A: A),
    ("xᵀB", lambda x, B: x @ B, (x, normal(P, Q)), lambda x, B: B.T),
    ("Ax+b", lambda x, A, b: A @ x + b, (x, A, normal(Q)), lambda x, A, b: A),
    ("BAx", lambda x, A, B: B @ (A @ x), (x, A, normal(M, Q)), lambda x, A, B: B @ A),
    ("a⊙x", lambda x, a: a * x, (x, a), lambda x, a: _diag(a)),
    ("x⊙x", lambda x: x * x, (x,), lambda x: _diag(2 * x)),
    ("1/x", lambda x: 1 / x, (xpos,), lambda x: _diag(-(x**-2))),
    ("exp x", jnp.exp, (x,), lambda x: _diag(jnp.exp(x))),
    ("log x", jnp.log, (xpos,), lambda x: _diag(1 / x)),
    ("sin Ax", lambda x, A: jnp.sin(A @ x), (x, A), lambda x, A: _diag(jnp.cos(A @ x)) @ A),
    ("tanh", jnp.tanh, (x,), lambda x: _diag(1 - jnp.tanh(x) ** 2)),
    ("σ", lambda x: 1 / (1 + jnp.exp(-x)), (x,),
     lambda x: _diag(1 / (2 + jnp.exp(x) + jnp.exp(-x)))),
    ("softmax", _softmax, (x,), lambda x: _diag(_softmax(x)) - _outer(_softmax(x), _softmax(x))),
    ("log-softmax", lambda x: x - jnp.log(jnp.exp(x).sum()), (x,),
     lambda x: _eye(P) - _outer(jnp.ones(P), _softmax(x))),
    ("softmax Ax", lambda x, A: _softmax(A @ x), (x, A),
     lambda x, A: (_diag(_softmax(A @ x)) - _outer(_softmax(A @ x), _softmax(A @ x))) @ A),
    ("x/‖x‖", _unit, (x,),
     lambda x: (_eye(P) - _outer(_unit(x), _unit(x))) / jnp.sqrt(x @ x)),
    ("(aᵀx)x", lambda x, a: (a @ x) * x, (x, a), lambda x, a: (a @ x) * _eye(P) + _outer(x, a)),
    ("(xᵀx)Ax", lambda x, A: (x @ x) * (A @ x), (x, A),
     lambda x, A: (x @ x) * A + 2 * _outer(A @ x, x)),
    ("x/aᵀx", lambda x, a: x / (a @ x), (xpos, positive(P)),
     lambda x, a: _eye(P) / (a @ x) - _outer(x, a) / (a @ x) ** 2),
    ("x⊙Bx", lambda x, B: x * (B @ x), (x, S), lambda x, B: _diag(B @ x) + _diag(x) @ B),
    ("cumsum", jnp.cumsum, (x,), lambda x: jnp.asarray(_SUMS)),
    ("permuted", lambda x: x[_PERMUTATION], (x,), lambda x: _eye(P)[_PERMUTATION]),
    ("reversed", lambda x: x[::-1], (x,), lambda x: _eye(P)[::-1]),
    ("first two", lambda x: x[:2], (x,), lambda x: _eye(P)[:2]),
    ("x−mean x", lambda x: x - x.mean(), (x,), lambda x: _eye(P) - 1 / P),
    ("B⁻¹x", lambda x, B: solve(B, x), (x, S), lambda x, B: inv(B)),
    ("differences", jnp.diff, (x,), lambda x: _eye(P)[1:] - _eye(P)[:-1]),
    ("a×x", lambda x, a: jnp.cross(a, x), (normal(3), normal(3)),
     lambda x, a: jnp.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])),
]

SCALAR_BY_VECTOR = [  # denominator layout, a column like x
    ("aᵀx", lambda x, a: a @ x, (x, a), lambda x, a: _column(a)),
    ("xᵀx", lambda x: x @ x, (x,), lambda x: _column(2 * x)),
    ("sum x", jnp.sum, (x,), lambda x: jnp.ones((P, 1))),
    ("mean x", jnp.mean, (x,), lambda x: jnp.full((P, 1), 1 / P)),
    ("prod x", jnp.prod, (xpos,), lambda x: _column(jnp.prod(x) / x)),
    ("‖x‖", lambda x: jnp.sqrt(x @ x), (x,), lambda x: _column(_unit(x))),
    ("1/xᵀx", lambda x: 1 / (x @ x), (x,), lambda x: _column(-2 * x / (x @ x) ** 2)),
    ("xᵀBx", lambda x, B: x @ B @ x, (x, S), lambda x, B: _column((B + B.T) @ x)),
    ("xᵀSx, S=Sᵀ", lambda x, B: x @ B @ x, (x, symmetric(P)), lambda x, B: _column(2 * B @ x)),
    ("aᵀx xᵀb", lambda x, a, b: (a @ x) * (x @ b), (x, a, b),
     lambda x, a, b: _column((_outer(a, b) + _outer(b, a)) @ x)),
    ("cᵀAx", lambda x, c, A: c @ A @ x, (x, normal(Q), A), lambda x, c, A: _column(A.T @ c)),
    ("‖Ax−c‖²", lambda x, A, c: jnp.sum((A @ x - c) ** 2), (x, A, normal(Q)),
     lambda x, A, c: _column(2 * A.T @ (A @ x - c))),
    ("(Ax)ᵀC(Bx)", lambda x, A, C, B: (A @ x) @ C @ (B @ x), (x, A, normal(Q, M), normal(M, P)),
     lambda x, A, C, B: _column(A.T @ C @ B @ x + B.T @ C.T @ A @ x)),
    ("log Σexp", lambda x: jnp.log(jnp.exp(x).sum()), (x,), lambda x: _column(_softmax(x))),
    ("exp aᵀx", lambda x, a: jnp.exp(a @ x), (x, a), lambda x, a: _column(jnp.exp(a @ x) * a)),
    ("entropy", lambda x: -jnp.sum(x * jnp.log(x)), (xpos,), lambda x: _column(-jnp.log(x) - 1)),
    ("Rayleigh", lambda x, B: (x @ B @ x) / (x @ x), (x, symmetric(P)),
     lambda x, B: _column(2 * (B @ x - (x @ B @ x) / (x @ x) * x) / (x @ x))),
    ("Gaussian", lambda x, B: jnp.exp(-x @ B @ x / 2), (x, symmetric(P)),
     lambda x, B: _column(-jnp.exp(-x @ B @ x / 2) * (B @ x))),
    ("cross-entropy", lambda x, t: -t @ jnp.log(_softmax(x)), (x, positive(P)),
     lambda x, t: _column(t.sum() * _softmax(x) - t)),
    ("max", jnp.max, (x,), lambda x: _column(_eye(P)[jnp.argmax(x)])),
    ("variance", jnp.var, (x,), lambda x: _column(2 * (x - x.mean()) / P)),
]

VECTOR_BY_SCALAR = [  # numerator layout, a column like y
    ("t a", lambda t, a: t * a, (normal(), a), lambda t, a: _column(a)),
    ("t²a+b", lambda t, a, b: t**2 * a + b, (normal(), a, b), lambda t, a, b: _column(2 * t * a)),
    ("sin(t a)", lambda t, a: jnp.sin(t * a), (normal(), a),
     lambda t, a: _column(a * jnp.cos(t * a))),
    ("a^t", lambda t, a: a**t, (normal(), positive(P)), lambda t, a: _column(a**t * jnp.log(a))),
    ("A(t a+b)", lambda t, A, a, b: A @ (t * a + b), (normal(), A, a, b),
     lambda t, A, a, b: _column(A @ a)),
    ("powers", lambda t: jnp.stack([t, t**2, t**3]), (normal(),),
     lambda t: jnp.stack([jnp.ones_like(t), 2 * t, 3 * t**2])[:, None]),
    ("circle", lambda t: jnp.stack([jnp.cos(t), jnp.sin(t)]), (normal(),),
     lambda t: jnp.stack([-jnp.sin(t), jnp.cos(t)])[:, None]),
    ("softmax t a", lambda t, a: _softmax(t * a), (normal(), a),
     lambda t, a: _column(_softmax(t * a) * (a - _softmax(t * a) @ a))),
    ("B(t)⁻¹a", lambda t, B, a: solve(B + t * jnp.eye(P), a), (positive(), S, a),
     lambda t, B, a: _column(-solve(B + t * _eye(P), solve(B + t * _eye(P), a)))),
]

SCALAR_BY_SCALAR = [
    ("polynomial", lambda t: t**3 - 2 * t, (normal(),), lambda t: (3 * t**2 - 2).reshape(1, 1)),
    ("tanh", jnp.tanh, (normal(),), lambda t: (1 - jnp.tanh(t) ** 2).reshape(1, 1)),
    ("aᵀ(t b)²", lambda t, a, b: a @ (t * b) ** 2, (normal(), a, b),
     lambda t, a, b: (2 * t * (a @ b**2)).reshape(1, 1)),
]

SCALAR_BY_MATRIX = [  # denominator layout, like X
    ("tr X", trace, (normal(P, P),), lambda X: _eye(P)),
    ("tr AX", lambda X, A: trace(A @ X), (normal(P, Q), A), lambda X, A: A.T),
    ("tr AXᵀ", lambda X, A: trace(A @ X.T), (normal(Q, P), A), lambda X, A: A),
    ("tr AXB", lambda X, A, B: trace(A @ X @ B), (normal(P, M), A, normal(M, Q)),
     lambda X, A, B: A.T @ B.T),
    ("tr AXᵀB", lambda X, A, B: trace(A @ X.T @ B), (normal(M, P), A, normal(M, Q)),
     lambda X, A, B: B @ A),
    ("tr XᵀX", lambda X: trace(X.T @ X), (normal(P, Q),), lambda X: 2 * X),
    ("tr XᵀBX", lambda X, B: trace(X.T @ B @ X), (normal(P, Q), S), lambda X, B: (B + B.T) @ X),
    ("tr X²", lambda X: trace(X @ X), (normal(P, P),), lambda X: 2 * X.T),
    ("tr X³", lambda X: trace(X @ X @ X), (normal(P, P),), lambda X: 3 * (X @ X).T),
    ("tr AXBXᵀ", lambda X, A, B: trace(A @ X @ B @ X.T), (normal(P, Q), S, regular(Q)),
     lambda X, A, B: A @ X @ B + A.T @ X @ B.T),
    ("tr X⁻¹", lambda X: trace(inv(X)), (S,), lambda X: -(inv(X) @ inv(X)).T),
    ("tr X⁻¹A", lambda X, A: trace(inv(X) @ A), (S, normal(P, P)),
     lambda X, A: -(inv(X) @ A @ inv(X)).T),
    ("det X", det, (S,), lambda X: det(X) * inv(X).T),
    ("log|det X|", lambda X: jnp.linalg.slogdet(X)[1], (S,), lambda X: inv(X).T),
    ("1/det X", lambda X: 1 / det(X), (S,), lambda X: -inv(X).T / det(X)),
    ("det AXB", lambda X, A, B: det(A @ X @ B), (normal(P, M), A, normal(M, Q)),
     lambda X, A, B: det(A @ X @ B) * (B @ inv(A @ X @ B) @ A).T),
    ("det XᵀX", lambda X: det(X.T @ X), (normal(P, N),),
     lambda X: 2 * det(X.T @ X) * X @ inv(X.T @ X)),
    ("log det XᵀX", lambda X: jnp.linalg.slogdet(X.T @ X)[1], (normal(P, N),),
     lambda X: 2 * X @ inv(X.T @ X)),
    ("aᵀXb", lambda X, a, b: a @ X @ b, (normal(P, Q), a, normal(Q)), lambda X, a, b: _outer(a, b)),
    ("aᵀXᵀb", lambda X, a, b: a @ X.T @ b, (normal(Q, P), a, normal(Q)),
     lambda X, a, b: _outer(b, a)),
    ("aᵀXᵀXb", lambda X, a, b: a @ X.T @ X @ b, (normal(Q, P), a, b),
     lambda X, a, b: X @ (_outer(a, b) + _outer(b, a))),
    ("aᵀX⁻¹b", lambda X, a, b: a @ solve(X, b), (S, a, b),
     lambda X, a, b: -_outer(inv(X).T @ a, inv(X) @ b)),
    ("‖X‖", lambda X: jnp.sqrt(jnp.sum(X * X)), (normal(P, Q),),
     lambda X: X / jnp.sqrt(jnp.sum(X * X))),
    ("‖Xa−b‖²", lambda X, a, b: jnp.sum((X @ a - b) ** 2), (normal(Q, P), a, normal(Q)),
     lambda X, a, b: 2 * _outer(X @ a - b, a)),
    ("sum exp X", lambda X: jnp.exp(X).sum(), (normal(Q, P),), jnp.exp),
    ("sum A⊙X", lambda X, A: jnp.sum(A * X), (normal(Q, P), A), lambda X, A: A),
    ("x₁₂", lambda X: X[0, 1], (normal(Q, P),), lambda X: jnp.zeros((Q, P)).at[0, 1].set(1.0)),
    ("softmax loss", lambda X, a, t: -t @ jnp.log(_softmax(X @ a)), (normal(Q, P), a, positive(Q)),
     lambda X, a, t: _outer(t.sum() * _softmax(X @ a) - t, a)),
]

MATRIX_BY_SCALAR = [  # numerator layout, like Y
    ("t A", lambda t, A: t * A, (normal(), A), lambda t, A: A),
    ("t²A+B", lambda t, A, B: t**2 * A + B, (normal(), A, A), lambda t, A, B: 2 * t * A),
    ("exp(t A), elementwise", lambda t, A: jnp.exp(t * A), (normal(), A),
     lambda t, A: A * jnp.exp(t * A)),
    ("(tA+B)C", lambda t, A, B, C: (t * A + B) @ C, (normal(), A, A, normal(P, M)),
     lambda t, A, B, C: A @ C),
    ("(tA)(t²C)", lambda t, A, C: (t * A) @ (t**2 * C), (normal(), A, normal(P, M)),
     lambda t, A, C: 3 * t**2 * A @ C),
    ("(tA)ᵀ", lambda t, A: (t * A).T, (normal(), A), lambda t, A: A.T),
    ("(B+tC)⁻¹", lambda t, B, C: inv(B + t * C), (positive(), definite(P), normal(P, P)),
     lambda t, B, C: -inv(B + t * C) @ C @ inv(B + t * C)),
    ("(B+tC)³", lambda t, B, C: jnp.linalg.matrix_power(B + t * C, 3), (normal(), S, normal(P, P)),
     lambda t, B, C: sum(jnp.linalg.matrix_power(B + t * C, i) @ C
                          @ jnp.linalg.matrix_power(B + t * C, 2 - i) for i in range(3))),
    ("(ta)(tb)ᵀ", lambda t, a, b: _outer(t * a, t * b), (normal(), a, normal(Q)),
     lambda t, a, b: 2 * t * _outer(a, b)),
    ("rotation", lambda t: jnp.stack([jnp.stack([jnp.cos(t), -jnp.sin(t)]),
                                      jnp.stack([jnp.sin(t), jnp.cos(t)])]), (normal(),),
     lambda t: jnp.stack([jnp.stack([-jnp.sin(t), -jnp.cos(t)]),
                          jnp.stack([jnp.cos(t), -jnp.sin(t)])])),
    ("diag exp(t a)", lambda t, a: _diag(jnp.exp(t * a)), (normal(), a),
     lambda t, a: _diag(a * jnp.exp(t * a))),
    ("t A⊗C", lambda t, A, C: jnp.kron(t * A, t * C), (normal(), A, normal(N, M)),
     lambda t, A, C: 2 * t * jnp.kron(A, C)),
]
# fmt: on

# The class and the layout its formulas are written in.
_CLASSES = {
    "vector by vector": ("numerator", VECTOR_BY_VECTOR),
    "scalar by vector": ("denominator", SCALAR_BY_VECTOR),
    "vector by scalar": ("numerator", VECTOR_BY_SCALAR),
    "scalar by scalar": ("numerator", SCALAR_BY_SCALAR),
    "scalar by matrix": ("denominator", SCALAR_BY_MATRIX),
    "matrix by scalar": ("numerator", MATRIX_BY_SCALAR),
}
IDENTITIES = [
    Identity(kind, name, f, make, formula, written)
    for kind, (written, rows) in _CLASSES.items()
    for name, f, make, formula in rows
]
