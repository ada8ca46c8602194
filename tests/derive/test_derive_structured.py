"""Derivatives with a structure along one axis: what it is, how it is written, and its laws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import numbers
from formula_values import execute
from functions import quick_jit
from jax import lax
from jax.scipy import linalg
from jax.scipy.sparse import linalg as sparse

import jaxcalc as jc
from jaxcalc import operators as ops

SHIFT = 4.5
with jax.enable_x64(True):
    A = jnp.asarray(numbers(3, 3), jnp.float64) + 3 * jnp.eye(3)
    b, c = (jnp.asarray(numbers(n), jnp.float64) for n in (3, 6))
    M = A @ A.T
    h, z = jnp.fft.rfft(c), jnp.fft.fft(jnp.roll(c, 1)) * (1 + 2j)
    Z = lax.complex(jnp.outer(b, c), jnp.outer(b, jnp.roll(c, 1)))
    i = jnp.array([1, 1, 2])
CAPTURED = {"i": i, "A": A, "b": b, "M": M, "c": c, "h": h, "z": z, "Z": Z}


@dataclass(frozen=True, eq=False)
class Case:
    """A function, and what its derivative at a point of that shape is; "" for a long formula."""

    name: str
    f: Callable[..., Any]
    shape: tuple[int, ...]
    structure: str
    formula: str

    @property
    def x(self) -> jax.Array:
        return jnp.asarray(numbers(*self.shape), jnp.float64)

    def __str__(self) -> str:
        return self.name


def cases(rows: dict[str, tuple[Callable[..., Any], tuple[int, ...], str, str]]) -> list[Case]:
    return [Case(name, *row) for name, row in rows.items()]


SUMS = {
    "partial sums": (jnp.cumsum, (5,), "cumulative sum", "tril(1 1ᵀ)"),
    "from the end": (
        lambda x: lax.cumsum(x, reverse=True),
        (5,),
        "cumulative sum",
        "tril(1 1ᵀ)ᵀ",
    ),
    "of columns": (lambda X: jnp.cumsum(X, 0), (3, 4), "kronecker", "tril(1 1ᵀ) ⊗ I"),
    "of rows": (lambda X: jnp.cumsum(X, 1), (3, 4), "kronecker", "I ⊗ tril(1 1ᵀ)"),
    "of a row": (lambda X: jnp.cumsum(X, 1), (1, 4), "chain", "tril(1 1ᵀ)"),
    "of one each": (lambda X: jnp.cumsum(X, 0), (1, 4), "identity", "I"),
    "of a matrix": (jnp.cumsum, (2, 3), "chain", "tril(1 1ᵀ) reshape"),
    "in batches": (
        jax.vmap(lambda x: jnp.cumsum(jnp.sin(x))),
        (3, 4),
        "block diagonal: chain",
        "blockdiag_i(tril(1 1ᵀ) diag(uᵢ)) where u = cos(x)",
    ),
    "of what is squared": (
        lambda x: jnp.sum(jnp.cumsum(x) ** 2),
        (5,),
        "rank 1",
        "2 cumsum(x)ᵀ tril(1 1ᵀ)",
    ),
}
SOLUTIONS = {
    "by the right-hand side": (lambda x: jnp.linalg.solve(A, x), (3,), "inverse: dense", "A⁻¹"),
    "of several": (lambda X: jnp.linalg.solve(A, X), (3, 2), "kronecker", "A⁻¹ ⊗ I"),
    "by the matrix": (
        lambda X: jnp.linalg.solve(X, b),
        (3, 3),
        "kronecker",
        "−X⁻¹ ⊗ (bᵀ X⁻ᵀ)",
    ),
    "in a batch": (
        jax.vmap(lambda x: jnp.linalg.solve(A, x)),
        (2, 3),
        "kronecker",
        "I ⊗ A⁻¹",
    ),
    "symmetric": (
        lambda x: linalg.solve(M, x, assume_a="pos"),
        (3,),
        "inverse: dense",
        "M⁻¹",
    ),
    "triangular": (
        lambda x: linalg.solve_triangular(A, x, lower=True),
        (3,),
        "inverse: triangular",
        "(A ⊙ tril(1 1ᵀ))⁻¹",
    ),
    "triangular, transposed": (
        lambda x: linalg.solve_triangular(A, x, lower=True, trans=1),
        (3,),
        "inverse: triangular",
        "(A ⊙ tril(1 1ᵀ))⁻ᵀ",
    ),
    "triangular, ones on the diagonal": (
        lambda x: linalg.solve_triangular(A, x, unit_diagonal=True),
        (3,),
        "inverse: triangular",
        "(A ⊙ tril(1 1ᵀ, −1)ᵀ + I)⁻¹",
    ),
    "triangular, from the right": (
        lambda X: lax.linalg.triangular_solve(A, X, lower=True),
        (2, 3),
        "kronecker",
        "I ⊗ (A ⊙ tril(1 1ᵀ))⁻ᵀ",
    ),
    "by factors of Cholesky": (
        lambda x: linalg.cho_solve((A, True), x),
        (3,),
        "chain",
        "uᵀ u where u = (A ⊙ tril(1 1ᵀ))⁻¹",
    ),
}
CONVOLUTIONS = {
    "convolution": (lambda x: jnp.convolve(x, b), (6,), "toeplitz", "toeplitz(b[::−1], 2)"),
    "as long as before": (
        lambda x: jnp.convolve(x, b, "same"),
        (6,),
        "toeplitz",
        "toeplitz(b[::−1], 1)",
    ),
    "inside": (
        lambda x: jnp.convolve(x, b, "valid"),
        (6,),
        "toeplitz",
        "toeplitz(b[::−1])",
    ),
    "by the kernel": (lambda x: jnp.convolve(c, x), (3,), "toeplitz", "toeplitz(c[::−1], 5)"),
    "with a longer kernel": (
        lambda x: jnp.convolve(x, c, "same"),
        (4,),
        "toeplitz",
        "toeplitz(c[::−1], 4)",
    ),
    "correlation": (lambda x: jnp.correlate(x, b), (6,), "toeplitz", "toeplitz(b)"),
    "with itself": (lambda x: jnp.convolve(x, x), (4,), "toeplitz", "2 toeplitz(x[::−1], 3)"),
    "product of polynomials": (
        lambda x: jnp.polymul(x, b),
        (3,),
        "toeplitz",
        "toeplitz(b[::−1], 2)",
    ),
    "convolutions in a batch": (
        jax.vmap(lambda x: jnp.convolve(jnp.sin(x), b, "same")),
        (2, 6),
        "block diagonal: chain",
        "blockdiag_i(toeplitz(b[::−1], 1) diag(uᵢ)) where u = cos(x)",
    ),
    "by a batch of kernels": (
        jax.vmap(lambda x: jnp.convolve(c, x, "same")),
        (2, 3),
        "kronecker",
        "I ⊗ toeplitz(c[::−1], 4)",
    ),
    "strides and dilations": (
        lambda X: lax.conv_general_dilated(
            X, b[:, None, None], (2,), [(1, 2)], (2,), (3,), ("NWC", "WIO", "NWC")
        ),
        (2, 7, 1),
        "kronecker",
        "I ⊗ (I[:9:2] toeplitz(I[::3]ᵀ b, 1) I[::2]ᵀ)",
    ),
}
FILTERS = {
    "filter": (
        lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * h, 6),
        (6,),
        "circulant",
        "circulant(irfft(h))",
    ),
    "of an odd length": (
        lambda x: -jnp.fft.irfft(jnp.fft.rfft(x) * h, 7),
        (7,),
        "circulant",
        "−circulant(irfft(h))",
    ),
    "by a complex transform": (
        lambda x: jnp.real(jnp.fft.ifft(jnp.fft.fft(jnp.asarray(x, complex)) * z)),
        (6,),
        "circulant",
        "circulant(real(ifft(z)))",
    ),
    "filters in a batch": (
        jax.vmap(lambda x: jnp.fft.irfft(jnp.fft.rfft(jnp.sin(x)) * h, 6)),
        (2, 6),
        "block diagonal: chain",
        "blockdiag_i(circulant(irfft(h)) diag(uᵢ)) where u = cos(x)",
    ),
    "along the first axis": (
        lambda X: jnp.fft.irfft(jnp.fft.rfft(X, axis=0) * h[:, None], 6, axis=0),
        (6, 2),
        "kronecker",
        "circulant(irfft(h)) ⊗ I",
    ),
    "there and back": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x), 6), (6,), "identity", "I"),
    "an exponential": (
        lambda x: jnp.real(jnp.exp(lax.complex(jnp.zeros_like(x), x))),
        (5,),
        "diagonal",
        "−diag(imag(exp(complex(0, x))))",
    ),
    "a matrix of complex numbers": (
        lambda x: jnp.real(Z @ (jnp.asarray(x, complex) * z)),
        (6,),
        "sum",
        "real(Z) diag(real(z)) − imag(Z) diag(imag(z))",
    ),
    "conjugated": (
        lambda x: jnp.imag(jnp.conj(jnp.asarray(x, complex) * z)),
        (6,),
        "diagonal",
        "−diag(imag(z))",
    ),
}
SCATTERS = {
    "an entry less another": (
        lambda x: x.at[1].subtract(x[0]),
        (5,),
        "diagonal - rank 1",
        "I − I[1] I[0]ᵀ",
    ),
    "at a place that depends": (
        lambda x: x.at[jnp.argmax(x)].subtract(x[0]),
        (5,),
        "diagonal - rank 1",
        "I − I[argmax(x)] I[0]ᵀ",
    ),
    "a place twice": (
        lambda x: jnp.zeros(6).at[i].subtract(x),
        (3,),
        "chain",
        "−I[i]ᵀ",
    ),
    "an entry times a number": (
        lambda x: x.at[1].multiply(2.0),
        (4,),
        "diagonal",
        "diag(scatter-mul(1, 1, 2))",
    ),
    "rows times a number": (
        lambda X: X.at[1:3].multiply(b[None, :2]),
        (4, 2),
        "diagonal",
        "",
    ),
    "entries times others": (
        lambda x: x.at[::2].multiply(x[1:4]),
        (5,),
        "sum",
        "",
    ),
}
CASES = cases(SUMS | SOLUTIONS | CONVOLUTIONS | FILTERS | SCATTERS)


def close(got: Any, true: Any, units: float = 1e3) -> None:
    tolerance = units * np.finfo(np.float64).eps
    assert got.shape == np.shape(true)
    np.testing.assert_allclose(got, true, tolerance, tolerance * np.max(np.abs(true), initial=1))


def queries(J: Any, regular: bool) -> dict[str, Any]:
    """What a map of a space into itself is asked."""
    b = jnp.asarray(numbers(*J.codomain), J.dtype)
    asked = {"diagonal": J.diagonal(), "trace": J.trace(), "shifted": J.solve(b, SHIFT)}
    return asked | ({"solve": J.solve(b), "slogdet": J.slogdet()} if regular else {})


def truths(M: np.ndarray, shape: tuple[int, ...], regular: bool) -> dict[str, Any]:
    b = numbers(*shape).astype(np.float64).ravel()
    shifted = np.linalg.solve(M + SHIFT * np.eye(len(M)), b)
    asked = {
        "diagonal": np.diagonal(M).reshape(shape),
        "trace": np.trace(M),
        "shifted": shifted.reshape(shape),
    }
    solved = {"solve": np.linalg.solve(M, b).reshape(shape), "slogdet": np.linalg.slogdet(M)}
    return asked | (solved if regular else {})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_laws(case, x64):
    """The dense form, products from both sides and queries are those of autodiff's array."""
    f, x = case.f, case.x
    truth = np.asarray(jax.jacfwd(f)(x))
    y = jax.eval_shape(f, x).shape
    v, w = (jnp.asarray(numbers(*shape), x.dtype) for shape in (x.shape, y))
    M = truth.reshape(int(np.prod(y)), x.size)
    regular = y == x.shape and np.linalg.cond(M) < 1e6

    @quick_jit
    def computed(x):
        J = jc.derive(f)(x)
        asked = queries(J, regular) if y == x.shape else {}
        return J.tensor(), J.T.tensor(), J @ v, w @ J, J.frobenius_norm(), asked

    tensor, transposed, right, left, norm, asked = computed(x)
    order = (*range(len(y), truth.ndim), *range(len(y)))
    close(tensor, truth)
    close(transposed, truth.transpose(order))
    close(right, np.tensordot(truth, v, v.ndim))
    close(left, np.tensordot(w, truth, w.ndim))
    close(norm, np.linalg.norm(M))
    wanted = truths(M, y, regular) if y == x.shape else {}
    for got, true in zip(jax.tree.leaves(asked), jax.tree.leaves(wanted), strict=True):
        close(got, true, 1e6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_structure_and_formula(case, x64):
    J = jc.derive(case.f)(case.x)
    assert (J.structure, J.formula) == (case.structure, case.formula or J.formula)
    close(execute(J.code, {**CAPTURED, "x": case.x, "X": case.x}), np.asarray(J.todense()))


def test_partial_sums_of_many(x64):
    """Neither products nor solutions make an array of n² entries."""
    J = jc.derive(jnp.cumsum)(jnp.ones(100_000))
    v = jnp.asarray(numbers(100_000), jnp.float64)
    close(J @ v, np.cumsum(v), 1e5)
    close(J.solve(J @ v), v, 1e5)
    assert J.cost().flops == 100_000
    assert isinstance(J.operator, ops.CumulativeSum)


@pytest.mark.slow
def test_solutions_in_a_batch_of_matrices(x64):
    """One inverse for each; what iterates, with no room for a matrix, stays a map."""
    X = jnp.asarray(numbers(2, 3, 3), jnp.float64) + 3 * jnp.eye(3)[None]
    B = jnp.asarray(numbers(2, 3, 2), jnp.float64)
    J = jc.derive(jnp.linalg.solve, 1)(X, B)
    assert J.structure == "block diagonal: kronecker"
    close(J.tensor(), jax.jacfwd(jnp.linalg.solve, 1)(X, B))
    iterated = jc.derive(lambda b: sparse.cg(lambda v: M @ v, b, tol=1e-12)[0])(jnp.asarray(b))
    assert iterated.structure == "matrix-free"
    close(iterated.tensor(), np.linalg.inv(M), 1e6)


def test_solutions_decompose_once(x64):
    """Products with the derivative of a solution solve by the factors that it keeps."""
    J = jc.derive(lambda x: jnp.linalg.solve(A, x))(jnp.asarray(b))
    program = str(jax.make_jaxpr(lambda J, v: (J @ v, v @ J, J.slogdet()))(J, jnp.asarray(b)))
    assert "triangular_solve" in program
    assert "lu[" not in program


CONVOLVED = {  # kernels of their own, channels that are mixed
    "a kernel for each": (
        lambda X: jax.vmap(lambda x, w: jnp.convolve(x, w, "same"))(X, jnp.asarray(A[:2])),
        (2, 6),
        "block diagonal: toeplitz",
    ),
    "each its own kernel": (
        lambda W: jax.vmap(lambda x, w: jnp.convolve(x, w, "same"))(jnp.asarray(A[:2]), W),
        (2, 2),
        "block diagonal: toeplitz",
    ),
    "channels": (
        lambda X: lax.conv_general_dilated(X, jnp.ones((2, 2, 3)), (1,), "SAME"),
        (1, 2, 5),
        "matrix-free",
    ),
}


@pytest.mark.parametrize("name", CONVOLVED)
def test_convolutions_of_several(name, x64):
    f, shape, structure = CONVOLVED[name]
    X = jnp.asarray(numbers(*shape), jnp.float64)
    J = jc.derive(f)(X)
    assert J.structure == structure
    close(J.tensor(), jax.jacfwd(f)(X))


MODULI = {  # no formula where a rule for real numbers may not hold
    "modulus": lambda x: jnp.abs(jnp.asarray(x, complex) * jnp.exp(lax.complex(x, x))),
    "root": lambda x: jnp.real(jnp.sqrt(lax.complex(x, jnp.sin(x)))),
    "angle": lambda x: jnp.angle(lax.complex(x, x * x)),
}
WHOLE = {
    "powers": lambda x: jnp.abs(jnp.fft.fft(jnp.asarray(x, complex))) ** 2,
    "a transform": lambda x: jnp.real(jnp.fft.fft(jnp.asarray(x, complex))),
    "by the filter": lambda x: jnp.fft.irfft(jnp.asarray(x, complex) * h, 6)[:4],
}


@pytest.mark.parametrize("name", [*MODULI, *WHOLE])
def test_complex_values_on_the_way(name, x64):
    """What acts elementwise is diagonal; a transform that does not come back is one map."""
    x = jnp.asarray(numbers(4), jnp.float64)
    f = (MODULI | WHOLE)[name]
    J = jc.derive(f)(x)
    assert J.structure == ("diagonal" if name in MODULI else "matrix-free")
    close(J.tensor(), jax.jacfwd(f)(x))
    close(J.T.tensor(), jax.jacfwd(f)(x).T)


LOOPS = {
    "map": (lambda X: lax.map(jnp.sin, X), (3, 4), "diagonal"),
    "map of rows": (lambda X: lax.map(jc.softmax, X), (3, 4), "block diagonal: diagonal - rank 1"),
    "map of a layer": (lambda X: lax.map(lambda x: A @ x, X), (2, 3), "kronecker"),
    "no carry that changes": (
        lambda X: lax.scan(lambda c, x: (c + 1.0, jnp.sin(x) * c), 0.0, X)[1],
        (3, 4),
        "diagonal",
    ),
    "elementwise carry": (
        lambda x: lax.fori_loop(0, 30, lambda i, c: jnp.sin(c) + x, x),
        (4,),
        "diagonal",
    ),
    "each step of it": (
        lambda x: lax.scan(lambda c, a: (jnp.sin(c) * a, c), x, jnp.ones((9, 4)))[1],
        (4,),
        "block diagonal: rank 1",
    ),
    "loops in a map": (
        lambda X: lax.map(lambda x: lax.fori_loop(0, 9, lambda i, c: jnp.sin(c), x), X),
        (3, 4),
        "diagonal",
    ),
    "two loops": (
        lambda x: (
            lax.fori_loop(0, 9, lambda i, c: jnp.sin(c), x)
            - lax.fori_loop(0, 9, lambda i, c: jnp.cos(c), x)
        ),
        (4,),
        "diagonal",
    ),
    "while": (
        lambda x: lax.while_loop(
            lambda c: c[0] < 5, lambda c: (c[0] + 1, jnp.sin(c[1]) * x), (0, x)
        )[1],
        (4,),
        "diagonal",
    ),
    "few steps": (
        lambda x: lax.scan(lambda c, _: (jnp.tanh(A @ c), None), x, length=3)[0],
        (3,),
        "chain",
    ),
    "few steps backwards": (
        lambda X: lax.scan(lambda c, a: (c * a, c + a), jnp.ones(4), X, reverse=True)[1],
        (3, 4),
        "block diagonal: rank 3",
    ),
    "many steps": (
        lambda x: lax.scan(lambda c, _: (jnp.tanh(A @ c), None), x, length=9)[0],
        (3,),
        "matrix-free",
    ),
    "a place that changes": (
        lambda x: lax.fori_loop(0, 9, lambda i, c: jnp.roll(c, 1).at[i % 4].multiply(2.0), x),
        (4,),
        "matrix-free",
    ),
    "branches": (
        lambda x: lax.switch(jnp.argmax(x) % 3, [jnp.sin, jnp.cos, lambda x: 0 * x], x),
        (4,),
        "diagonal",
    ),
    "branches of several kinds": (
        lambda x: lax.cond(jnp.sum(x) > 0, lambda x: A @ x, jnp.cos, x),
        (3,),
        "sum",
    ),
    "polynomial": (lambda x: jnp.polyval(jnp.arange(6.0), x), (4,), "diagonal"),
    "a transform in each step": (
        lambda X: lax.map(lambda x: jnp.abs(jnp.fft.rfft(x)), X),
        (3, 4),
        "matrix-free",
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_and_branches(name, x64):
    f, shape, structure = LOOPS[name]
    x = jnp.asarray(numbers(*shape), jnp.float64)
    v = jnp.asarray(numbers(2, *shape)[1], jnp.float64)

    @quick_jit
    def computed(x):
        J = jc.derive(f)(x)
        return J.tensor(), J @ v, J.T.tensor(), jax.jacfwd(f)(x)

    J = jc.derive(f)(x)
    tensor, product, transposed, truth = computed(x)
    assert J.structure == structure
    close(J.tensor(), truth)
    close(tensor, truth)
    close(product, np.tensordot(truth, v, v.ndim))
    order = (*range(truth.ndim - x.ndim, truth.ndim), *range(truth.ndim - x.ndim))
    close(transposed, np.transpose(truth, order))


def test_a_branch_that_is_not_taken_may_be_infinite(x64):
    J = jc.derive(lambda x: lax.cond(x[0] > 0, jnp.sqrt, lambda x: x, x))(-jnp.ones(2))
    close(J.todense(), np.eye(2))
