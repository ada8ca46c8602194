"""The digits of what `derive` gives, against higher precision."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, quick_jit
from jax import lax
from slow import some

import jaxcalc as jc
from benchmarks import oracles
from benchmarks.oracles import softmax_jacobian, worst_ulp

ULPS = 3
NARROW = ["float16", "bfloat16"]
# every way to the entries; the products with ±1 and 0 are exact but for them
WAYS = {
    "todense": lambda J: J.todense(),
    "transposed": lambda J: J.T.todense().T,
    "J @ v": lambda J: J @ jnp.eye(J.domain[0], dtype=J.dtype),
    "v @ J": lambda J: jnp.eye(J.codomain[0], dtype=J.dtype) @ J,
}
by_every_way = pytest.mark.parametrize("way", WAYS)


POINTS = {
    "one far ahead": [20.0, 0.0, 1.0, -3.0],
    "two ahead": [30.0, -3.0, 29.5, 1.0],
    "level": [0.25, -0.5, 0.125, 0.0],
    "hopeless": [0.0, -80.0, 3.0, 2.5],
}


@by_every_way
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "log_sigmoid"])
def test_the_logistic_family(name, way):
    x = np.array([20.0, -20.0, 0.5, 80.0, -30.0, 3.0], np.float32)
    entries = jnp.diagonal(WAYS[way](jc.derive(getattr(jc, name))(jnp.asarray(x))))
    assert worst_ulp(entries, getattr(oracles, name)(x, order=1)) <= 2


def test_a_number():
    J = jc.derive(jc.sigmoid)(20.0)
    true = oracles.sigmoid(np.float32(20), order=1)
    for got in (J.todense(), J @ 1.0, 1.0 @ J, J.diagonal(), J.trace(), J.frobenius_norm()):
        assert worst_ulp(np.reshape(got, ()), true) <= 2
    assert worst_ulp(jnp.exp(J.slogdet()[1]), true) <= 64  # log 2e−9 ≈ −20


@cache
def softmax_family(way):
    return quick_jit(lambda x: [WAYS[way](jc.derive(f)(x)) for f in (jc.softmax, jc.log_softmax)])


@by_every_way
@pytest.mark.parametrize("point", POINTS)
def test_the_softmax_family(point, way):
    x = np.array(POINTS[point], np.float32)
    of_softmax, of_logarithm = softmax_family(way)(x)
    assert worst_ulp(of_softmax, softmax_jacobian(x)) <= ULPS
    true = softmax_jacobian(x) / oracles.softmax(x)[:, None]
    assert worst_ulp(of_logarithm, true) <= ULPS


def test_queries_of_a_softmax():
    x = np.array(POINTS["two ahead"], np.float32)
    J, true = jc.derive(jc.softmax)(jnp.asarray(x)), softmax_jacobian(x)
    assert worst_ulp(J.diagonal(), np.diagonal(true)) <= ULPS
    assert worst_ulp(J.trace(), np.trace(true)) <= ULPS
    assert worst_ulp(J.frobenius_norm(), np.sqrt((true**2).sum())) <= ULPS
    v = np.array([1.0, -2.0, 0.5, 0.25], np.float32)
    assert worst_ulp(J.quadratic(jnp.asarray(v)), v @ true @ v) <= ULPS


def test_a_product_that_cancels():
    """J v of a v that is nearly constant: of Σ s_i (v_k − v_i) no digit may be lost."""
    x = np.array(POINTS["two ahead"], np.float32)
    v = np.array([1000.0, 1000.0, 1000.0, 1000.25], np.float32)
    J = jc.derive(jc.softmax)(jnp.asarray(x))
    true = oracles.softmax_product(x, v).value
    assert worst_ulp(J @ v, true) <= ULPS
    assert worst_ulp(v @ J, true) <= ULPS


@pytest.mark.slow
def test_second_derivatives_of_losses():
    """∂²/∂x² of the cross entropy is diag(s) − s sᵀ, of the binary one diag(σ′)."""
    x = np.array(POINTS["two ahead"], np.float32)
    H = jc.derive(jax.grad(lambda x: jc.softmax_cross_entropy(x, 2)))(jnp.asarray(x))
    assert worst_ulp(H.todense(), softmax_jacobian(x)) <= ULPS
    target = jnp.ones(4)
    binary = jax.grad(lambda x: jnp.sum(jc.sigmoid_binary_cross_entropy(x, target)))
    slopes = jc.derive(binary)(jnp.asarray(x)).diagonal()
    assert worst_ulp(slopes, oracles.sigmoid(x, order=1)) <= 2


def test_the_digits_survive_a_chain():
    """2 S is exact where S is."""
    x = np.array(POINTS["one far ahead"], np.float32)
    twice = 2 * jnp.eye(4)
    chain = jc.derive(lambda x: jc.softmax(twice @ x))(jnp.asarray(x / 2))
    assert worst_ulp(chain.todense(), 2 * softmax_jacobian(x)) <= ULPS


def test_the_digits_survive_in_blocks():
    x = np.array([[20.0, 0.0, 1.0], [-30.0, 0.5, 0.25]], np.float32)
    blocks = jc.derive(jc.softmax)(jnp.asarray(x)).blocks()
    assert worst_ulp(blocks, softmax_jacobian(x)) <= ULPS


ROUNDED = {
    "sigmoid": (jc.sigmoid, (5,)),
    "softplus": (jc.softplus, (5,)),
    "softmax": (jc.softmax, (5,)),
    "log_softmax": (jc.log_softmax, (5,)),
    "softmax of rows": (jc.softmax, (2, 3)),
    "logsumexp": (jc.logsumexp, (5,)),
}


@quick_jit
def rounded(points):
    """Everything that is asked of each derivative."""

    def asked(f, x):
        J = jc.derive(f)(x)
        v, w = x[::-1], jnp.ones(J.codomain, x.dtype)
        answers = [J.todense(), J @ v, w @ J]
        if J.domain == J.codomain:
            answers += [J.diagonal(), J.trace(), J.solve(v, shift=0.5), J.quadratic(v)]
        return answers

    return {name: asked(f, points[name]) for name, (f, _) in ROUNDED.items()}


@cache
def at_the_same_points(dtype):
    """The answers in a dtype, at points that are exact in every one."""
    random = np.random.default_rng(5)
    return rounded(
        {
            name: jnp.asarray(random.integers(-24, 24, shape) / 8, dtype)
            for name, (_, shape) in ROUNDED.items()
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", ROUNDED)
def test_narrow_dtypes_are_rounded_once(name, dtype):
    """Computed from the same numbers in float32, then rounded.

    The logistic family keeps its derivative in bfloat16: a product rounds once more.
    """
    narrow, wide = at_the_same_points(dtype)[name], at_the_same_points("float32")[name]
    is_kept = dtype == "bfloat16" and name in ("sigmoid", "softplus")
    one_more = float(jnp.finfo(dtype).eps) if is_kept else 0
    for got, exact in zip(narrow, wide, strict=True):
        assert got.dtype == dtype
        got, rounded = np.float64(got), np.float64(exact.astype(dtype))
        np.testing.assert_allclose(got, rounded, rtol=one_more, atol=0)


@pytest.mark.parametrize("dtype", NARROW)
def test_a_product_through_a_chain_is_rounded_once(dtype):
    """(diag(s) − s sᵀ) A v, with s at the rounded A x."""
    random = np.random.default_rng(6)
    A, x, v = (jnp.asarray(random.integers(-8, 8, s) / 8, dtype) for s in ((4, 3), 3, 3))
    product = jc.derive(lambda x: jc.softmax(A @ x))(x) @ v
    logits, A, v = (np.asarray(a, np.float64) for a in (A @ x, A, v))
    true = np.asarray(softmax_jacobian(logits), np.float64) @ A @ v
    assert product.dtype == dtype
    assert worst_ulp(product, true) <= 0.51


def eighths(*shape):
    """Numbers that are exact in every dtype."""
    return np.random.default_rng([6, *shape]).integers(-16, 16, shape) / 8


def of_every_structure(A):
    return {
        "chain": lambda x: jc.softmax(A @ x),
        "diagonal": lambda x: jax.nn.silu(x) * x,
        "low rank": lambda x: x / jnp.sqrt(jnp.sum(x * x) + 1),
        "matrix-free": lambda x: lax.fori_loop(0, 2, lambda i, x: jnp.sin(x) * A[0], x),
    }


@cache
def truths():
    with jax.enable_x64(True):
        A, x = (jnp.asarray(eighths(*shape)) for shape in ((4, 3), (3,)))
        every = quick_jit(lambda x: {n: jax.jacfwd(f)(x) for n, f in of_every_structure(A).items()})
        return {name: np.asarray(D) for name, D in every(x).items()}


@pytest.mark.parametrize(
    ("dtype", "x64"),
    some(
        [
            ("float16", False),
            ("bfloat16", True),
            ("float32", False),
            ("float32", True),
            ("float64", True),
        ],
        [("bfloat16", True), ("float32", False)],
    ),
)
def test_everything_has_the_dtype_of_the_argument(dtype, x64):
    """With float64 about or not."""

    @quick_jit
    def computed(A, x):
        Js = {name: jc.derive(f)(x) for name, f in of_every_structure(A).items()}
        return {
            name: (
                J.todense(),
                J @ x,
                jnp.ones(J.codomain, dtype) @ J,
                (2 * J) @ x,
                (J.T @ (J @ x)),
            )
            for name, J in Js.items()
        }

    with jax.enable_x64(x64):
        got = computed(*(jnp.asarray(eighths(*shape), dtype) for shape in ((4, 3), (3,))))
    for name, D in truths().items():
        x = eighths(3)
        assert {answer.dtype for answer in got[name]} == {jnp.dtype(dtype)}
        assert_close(got[name], (D, D @ x, D.sum(0), 2 * D @ x, D.T @ (D @ x)), 32, name)


@pytest.mark.parametrize(
    "f",
    [jnp.sort, lambda x: x[jnp.array([0, 0, 2])], lambda x: x.at[jnp.array([1, 1])].add(x[:2])],
    ids=["sort", "gather", "scatter"],
)
def test_entries_that_only_move_keep_the_bits_of_a_wider_vector(f):
    J = jc.derive(f)(jnp.array([1.0, 2.0, 3.0], jnp.float16))
    v, D = jnp.array([1e6, 1.0001, 3.0]), J.matrix().astype(jnp.float32)
    for product, true in ((J @ v, D @ v), (v @ J, v @ D)):
        assert product.dtype == jnp.float32
        np.testing.assert_allclose(product, true, 1e-7)
