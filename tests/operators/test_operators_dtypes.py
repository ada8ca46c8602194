"""Vectors of another dtype than the operator's: complex, wider, and what is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from operators import CLASSES, matrix

import jaxcalc as jc
from jaxcalc import operators as ops

one_a_class = pytest.mark.parametrize("maker", CLASSES, ids=str)
SOFTMAX = jc.derive(jc.softmax)
X, V = jnp.array([1.0, 2.0, 3.0]), jnp.array([1 + 2j, 0, 1j])


@pytest.fixture
def promoting():
    with jax.numpy_dtype_promotion("standard"):
        yield


def numbers(*shape, seed=0):
    return np.random.default_rng([11, seed, *shape]).integers(-8, 8, shape) / 4


def close(got, expected, tolerance=3e-5):
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(got, expected, tolerance, tolerance * scale)


@one_a_class
def test_a_real_operator_takes_both_parts_of_complex_vectors(maker):
    op = maker(np.float32)
    M, (m, n) = matrix(op), (op.codomain, op.domain)
    v = numbers(*n) + 1j * numbers(*n, seed=1)
    w = numbers(*m, 1) - 1j * numbers(*m, 1, seed=1)
    products = op @ jnp.asarray(v, jnp.complex64), jnp.asarray(w.reshape(m)) @ op
    columns = op.T @ jnp.asarray(w, jnp.complex64)
    assert {a.dtype for a in (*products, columns)} == {jnp.dtype("complex64")}
    close(products[0], (M @ v.ravel()).reshape(m))
    close(products[1], (w.ravel() @ M).reshape(n))
    close(columns[..., 0], (M.T @ w.ravel()).reshape(n))


@one_a_class
def test_vectors_are_not_rounded_to_the_dtype_of_the_operator(maker, x64, promoting):
    """They may be beyond its range."""
    op = maker(np.float32)
    v = numbers(*op.domain)
    product = op @ (1e60 * jnp.asarray(v))
    assert product.dtype == jnp.float64
    close(product / 1e60, (matrix(op) @ v.ravel()).reshape(op.codomain))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.float16, jnp.bfloat16, jnp.complex64])
@pytest.mark.parametrize("other", [jnp.float16, jnp.float32])
def test_the_dtype_of_products_is_that_of_jax_for_both(dtype, other, promoting):
    d, x = jnp.ones(3, other), jnp.ones(3, dtype)
    wanted = (ops.Diagonal(d) @ x).dtype
    assert wanted == jnp.result_type(dtype, other)

    def asked(K):
        regular = () if isinstance(K, ops.Zero) else (K.solve(x, shift=1.0),)
        return K @ x, x @ K, K.quadratic(x), K @ x[:, None], K.T @ x, *regular

    derivatives = jc.derive(jc.sigmoid)(d), jc.sigmoid_jacobian(d), jc.softmax_jacobian(d)
    for K in (*derivatives, ops.Zero((3,), (3,), other)):
        assert {a.dtype for a in jax.eval_shape(asked, K)} == {jnp.dtype(wanted)}


def test_derivatives_of_complex_vectors():
    J, C, v = SOFTMAX(X), jc.derive(jc.log_softmax)(X), np.asarray(V)
    M, N = (np.asarray(K.todense(), np.complex128) for K in (J, C))

    @quick_jit
    def asked(J, C, B, v):
        columns = J @ jnp.stack([v, 1j * v], -1)
        vectors = (J @ v, v @ J, J.solve(v, shift=0.5), J.pinv() @ v, C @ v, v @ C, B @ v[None])
        return columns, vectors, (J.quadratic(v), C.quadratic(v))

    blocks = ops.batch(jax.vmap(SOFTMAX)(X[None]))
    columns, vectors, numbers = asked(J, C, blocks, V)
    close(columns, np.stack([M @ v, 1j * M @ v], -1))
    solutions = np.linalg.solve(M + 0.5 * np.eye(3), v), np.linalg.pinv(M, rcond=1e-4) @ v
    close(np.stack([a.ravel() for a in vectors]), [M @ v, v @ M, *solutions, N @ v, v @ N, M @ v])
    close(np.stack(numbers), [v @ M @ v, v @ N @ v])


def test_complex_multiples_of_a_real_derivative(promoting):
    M = np.asarray(SOFTMAX(X).todense())
    c, D = 2 + 1j, ops.Diagonal(V)
    x, v = np.asarray(X), np.asarray(V)
    for multiple in (c * SOFTMAX(X), jnp.asarray(c) * SOFTMAX(X)):
        assert multiple.dtype == jnp.complex64
        close(multiple @ X, c * M @ x)
        close(multiple @ V, c * M @ v)
    close((D @ SOFTMAX(X)) @ V, v * (M @ v))
    close((SOFTMAX(X) @ D) @ X, M @ (v * x))


def test_complex_vectors_of_scipy_and_complex_shifts_of_an_inverse(promoting):
    pytest.importorskip("scipy")
    D, v = ops.Diagonal(X).to_scipy(), np.asarray(V)
    close(D @ v, np.asarray(X) * v)
    close(D.H @ v, np.asarray(X) * v)
    inverse = ops.Inverse(ops.Diagonal(X), jnp.asarray(1j))
    close(inverse.pinv() @ V, (np.asarray(X) + 1j) * v)


def test_a_wider_scale_is_not_rounded(x64, promoting):
    J = jc.derive(jc.softmax)(X.astype(jnp.float32)).operator
    for K in (jnp.float64(1e60) * J, ops.Diagonal(jnp.full(3, 1e60, jnp.float64)) @ J):
        assert K.dtype == jnp.float64
        close((K @ X) / 1e60, np.asarray(J.todense()) @ np.asarray(X))
    half = jc.sigmoid_jacobian(jnp.ones(2, jnp.float16))
    assert ((jnp.float32(2) * half).dtype, (2.0 * half).dtype) == (jnp.float32, jnp.float16)


def test_a_nan_in_a_complex_vector_is_no_sign_of_a_singular_operator():
    x = ops.Diagonal(jnp.full(2, 2.0)).solve(jnp.array([jnp.nan + 0j, 1.0]))
    np.testing.assert_array_equal(np.isnan(x), [True, False])


def test_a_wide_shift_is_not_rounded(promoting):
    J = jc.sigmoid_jacobian(jnp.zeros(1, jnp.float16))
    for K in (J, ops.Diagonal(jnp.full(1, 0.25, jnp.float16))):
        x = K.solve(jnp.ones(1, jnp.float16), shift=jnp.float32(1e6))
        assert x.dtype == jnp.float32
        close(x, [1 / (1e6 + 0.25)], 1e-6)


VECTOR = r"`v` must be an array of numbers, but got "
REFUSED = {
    VECTOR + "str": lambda J, K: J @ "a",
    VECTOR + "str.": lambda J, K: "a" @ J,
    VECTOR + "dtype <U1": lambda J, K: J @ np.asarray(["a"]),
    VECTOR + "dict": lambda J, K: K @ {},
    VECTOR + "list": lambda J, K: K @ [[1.0], [1.0, 2.0]],
    "`v` must be an array of numbers, but got bytes": lambda J, K: J.quadratic(b"a"),
    "`b` must be an array of numbers, but got str": lambda J, K: J.solve("a"),
    "`shift` must be a number or a 0-d array, but got str": lambda J, K: J.solve(X, shift="a"),
    "`shift` must be a number or a 0-d array, but got list": lambda J, K: K.solve(X, shift=[1.0]),
    r"`shift` must be real where the operator is, but got dtype complex64; solve with "
    r"`J.matrix\(\)`": lambda J, K: J.solve(X, shift=1j),
    "`shift` must be real where": lambda J, K: K.solve(X, shift=jnp.asarray(1j)),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_vector_and_no_shift_is_refused(words):
    with pytest.raises(TypeError, match=words):
        REFUSED[words](SOFTMAX(X), ops.Diagonal(X))


def test_lists_and_complex_shifts_of_complex_operators_are_taken(promoting):
    close(ops.Diagonal(X) @ [1.0, 2.0, 3.0], [1, 4, 9])
    close(ops.Diagonal(1j * X).solve(V, shift=1j), np.asarray(V) / (1j * np.asarray(X) + 1j))
