"""The closed-form Jacobians against autodiff of the package's functions and of plain formulas."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import (
    assert_close,
    eighths,
    plain_log_softmax,
    plain_logsumexp,
    plain_softmax,
    plain_sparsemax,
    quick_jit,
)

import jaxcalc as jc
from benchmarks.oracles import worst_ulp
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.elementwise import JAX


def dense(closed):
    """The operator's array."""
    return lambda x, **options: closed(x, **options).todense()


LAYOUTS = ["numerator", "denominator"]
DTYPES = ["float16", "bfloat16", "float32", "float64"]
X, T = eighths(5), eighths(5)
BATCH = eighths(3, 5)

# The Jacobian, its function, and the same function in plain `jax.numpy`.
TABLE = {
    "sigmoid": (dense(jc.sigmoid_jacobian), jc.sigmoid, lambda x: 1 / (1 + jnp.exp(-x))),
    "log_sigmoid": (
        dense(jc.log_sigmoid_jacobian),
        jc.log_sigmoid,
        lambda x: -jnp.log1p(jnp.exp(-x)),
    ),
    "softplus": (dense(jc.softplus_jacobian), jc.softplus, lambda x: jnp.log1p(jnp.exp(x))),
    **{
        name: (
            dense(getattr(jc, f"{name}_jacobian")),
            getattr(jc, name),
            functools.partial(f.definition, JAX),
        )
        for name, f in {f.name: f for f in ELEMENTWISE}.items()
        if hasattr(jc, f"{name}_jacobian")
    },
    "softmax": (dense(jc.softmax_jacobian), jc.softmax, plain_softmax),
    "sparsemax": (dense(jc.sparsemax_jacobian), jc.sparsemax, plain_sparsemax),
    "log_softmax": (dense(jc.log_softmax_jacobian), jc.log_softmax, plain_log_softmax),
    # one row, as a scalar by a vector has in numerator layout
    "logsumexp": (
        dense(jc.logsumexp_jacobian),
        functools.partial(jc.logsumexp, keepdims=True),
        functools.partial(plain_logsumexp, keepdims=True),
    ),
}
over_table = pytest.mark.parametrize("name", TABLE)


def in_layout(J, layout):
    return J if layout == "numerator" else np.swapaxes(J, -1, -2)


@functools.cache
def truth(name):
    """The Jacobian at X and its change along T, in numerator layout, by autodiff in float64."""
    with jax.enable_x64(True):
        J = jax.jacfwd(TABLE[name][2])
        both = quick_jit(lambda x, t: jax.jvp(J, (x,), (t,)))
        return tuple(map(np.asarray, both(jnp.asarray(X), jnp.asarray(T))))


@pytest.mark.parametrize("dtype", DTYPES)
@over_table
def test_entries_in_every_dtype(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        closed = TABLE[name][0]
        J = jax.jit(lambda x: [closed(x, layout=layout) for layout in LAYOUTS])(
            jnp.asarray(X, dtype)
        )
        for matrix, layout in zip(J, LAYOUTS, strict=True):
            assert matrix.dtype == dtype
            assert_close(
                matrix, in_layout(truth(name)[0], layout), units=1 if dtype[:2] != "fl" else 4
            )


@pytest.mark.parametrize("dtype", DTYPES[:2])
@over_table
def test_products_in_16_bits_are_rounded_once(name, dtype):
    """Small entries keep their digits, which large vectors bring back."""
    product = quick_jit(lambda x, v: getattr(jc, f"{name}_jacobian")(x) @ v)
    x, v = [-13, 2, 1.75, -1.5, -9], [2.0**12, -3, 1, 0.5, -(2.0**11)]
    got = product(jnp.asarray(x, dtype), jnp.asarray(v, dtype))
    with jax.enable_x64(True):
        true = product(jnp.asarray(x, jnp.float64), jnp.asarray(v, jnp.float64))
    assert got.dtype == dtype
    assert worst_ulp(got, np.asarray(true)) <= 0.51


@pytest.mark.parametrize(
    ("name", "dtype", "x", "v", "true"),
    [
        ("softplus", "float16", [-17, 0], [2**14, 0], [6.7829e-4, 0]),
        ("logsumexp", "float16", [-17, 0], [2**14, 0], 6.7829e-4),
        ("sigmoid", "float16", [-17, 0], [2**14, 0], [6.7829e-4, 0]),
        ("silu", "float16", [-17, 0], [2**14, 0], [-1.085260e-2, 0]),
        ("logsumexp", "bfloat16", [0.01, 0], [1, -1], 5.0049e-3),
        ("sparsemax", "bfloat16", [1, 1, 1], [256, 0, -1], [171, -85, -86]),
        ("sparsemax", "float16", [1, 1, 1], [2048, 0, -1], [1365.667, -682.333, -683.333]),
    ],
)
def test_products_that_two_roundings_would_spoil(name, dtype, x, v, true):
    J = getattr(jc, f"{name}_jacobian")(jnp.asarray(x, dtype))
    product = J @ jnp.asarray(v, dtype)
    assert (product.dtype, J.operator.dtype) == (dtype, jnp.float32)
    np.testing.assert_allclose(product, true, float(jnp.finfo(dtype).eps) / 2, 1e-7)


def test_vectors_wider_than_x_are_not_rounded():
    J, v = jc.sigmoid_jacobian(jnp.array([10.0], jnp.float16)), jnp.array([1e6])
    assert J.dtype == jnp.float16
    for product in (J @ v, v @ J, (J @ v[:, None])[:, 0], J.operator @ v):
        assert product.dtype == jnp.float32
        np.testing.assert_allclose(product, 45.395807, 1e-6)
    np.testing.assert_allclose(J.quadratic(v), 45.395807e6, 1e-6)
    weak = jnp.full(1, 1e6)  # as a Python number, it gives way to the dtype of x
    assert (J @ weak).dtype == jnp.float16
    np.testing.assert_allclose(J @ weak, 45.395807, 1e-3)


@over_table
def test_equal_to_forward_and_reverse_autodiff(name):
    closed, own, _ = TABLE[name]
    every = jax.jit(lambda x: (closed(x), jax.jacfwd(own)(x), jax.jacrev(own)(x)))
    J, forward, reverse = every(jnp.asarray(X))
    assert_close(forward, np.asarray(J))
    assert_close(reverse, np.asarray(J))


@over_table
def test_differentiable_in_both_modes_and_layouts(name):
    def changes(layout, x, t):
        closed = functools.partial(TABLE[name][0], layout=layout)
        return jax.jvp(closed, (x,), (t,))[1], jax.jacrev(closed)(x) @ t

    every = quick_jit(lambda x, t: [changes(layout, x, t) for layout in LAYOUTS])
    got = every(jnp.asarray(X), jnp.asarray(T))
    for both, layout in zip(got, LAYOUTS, strict=True):
        assert_close(both, [in_layout(truth(name)[1], layout)] * 2)


@over_table
def test_batches_by_vmap(name):
    closed = TABLE[name][0]
    every = quick_jit(
        lambda x: [jax.vmap(functools.partial(closed, layout=layout))(x) for layout in LAYOUTS]
    )
    numerator, denominator = every(jnp.asarray(BATCH))
    assert_close(numerator, np.stack([closed(jnp.asarray(x)) for x in BATCH]))
    np.testing.assert_array_equal(denominator, numerator.mT)


@pytest.mark.parametrize("x", [0.5, np.zeros((2, 3)), np.zeros((1, 1, 3))], ids=np.shape)
@over_table
def test_only_vectors(name, x):
    with pytest.raises(
        ValueError, match=r"`x` must be a vector \(rank 1\), but got shape .*`jax.vmap`"
    ):
        TABLE[name][0](x)


@over_table
def test_what_is_refused(name):
    closed = TABLE[name][0]
    with pytest.raises(TypeError, match=r"`x` must be real, but got dtype complex64"):
        closed(jnp.zeros(3, jnp.complex64))
    with pytest.raises(TypeError, match="`x` must be an array or a scalar, but got list"):
        closed([1.0, 2.0])
    with pytest.raises(ValueError, match="column"):
        closed(jnp.zeros(3), layout="column")


@over_table
def test_integers_and_booleans_are_accepted(name):
    closed = TABLE[name][0]
    for integers in (np.array([1, 0, 2]), np.array([True, False, True])):
        J = closed(integers)
        assert J.dtype == jnp.float32
        assert_close(J, np.asarray(closed(integers.astype(np.float32))))


def test_saturated_entries_keep_their_digits():
    p = 2.0611536e-09  # e⁻²⁰ / (1 + e⁻²⁰)
    close = functools.partial(np.testing.assert_allclose, rtol=3e-7)
    x = jnp.array([20.0, 0.0])
    close(jc.softmax_jacobian(x).todense(), [[p, -p], [-p, p]])
    close(jc.log_softmax_jacobian(x).todense(), [[p, -p], [-1, 1]])
    close(np.diag(jc.sigmoid_jacobian(x).todense()), [p, 0.25])
    close(np.diag(jc.log_sigmoid_jacobian(x).todense()), [p, 0.5])
    close(np.diag(jc.softplus_jacobian(-x).todense()), [p, 0.5])


INF, NAN = np.inf, np.nan
EDGES = {  # the row of x: its softmax, log-softmax and log-sum-exp Jacobians in numerator layout
    "an infinity out": (
        [-INF, 0.0, 0.0],
        [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]],
        [[1, -0.5, -0.5], [0, 0.5, -0.5], [0, -0.5, 0.5]],
        [[0, 0.5, 0.5]],
    ),
    "nothing but −∞": ([-INF] * 3, np.full((3, 3), NAN), np.full((3, 3), NAN), [[0, 0, 0]]),
    "NaN": ([NAN, 0.0, 0.0], *[np.full((3, 3), NAN)] * 2, [[NAN] * 3]),
    "infinity": ([INF, 0.0, 0.0], *[np.full((3, 3), NAN)] * 2, [[NAN] * 3]),
    "huge": (
        [3e38, 3e38, -3e38],
        [[0.25, -0.25, 0], [-0.25, 0.25, 0], [0, 0, 0]],
        [[0.5, -0.5, 0], [-0.5, 0.5, 0], [-0.5, -0.5, 1]],
        [[0.5, 0.5, 0]],
    ),
}


@pytest.mark.parametrize("row", EDGES)
def test_edges_of_the_softmax_family(row):
    x, *expected = EDGES[row]
    for name, true in zip(["softmax", "log_softmax", "logsumexp"], expected, strict=True):
        np.testing.assert_array_equal(TABLE[name][0](jnp.array(x)), np.array(true, np.float32))
        autodiff = jax.jit(jax.jacrev(TABLE[name][1]))(jnp.array(x))
        np.testing.assert_array_equal(autodiff, np.array(true, np.float32))


def test_edges_of_the_logistic_family():
    x = jnp.array([INF, -INF, NAN])
    for name, true in {
        "sigmoid": [0, 0, NAN],
        "log_sigmoid": [0, 1, NAN],
        "softplus": [1, 0, NAN],
    }.items():
        np.testing.assert_array_equal(TABLE[name][0](x), np.diag(true))


@pytest.mark.parametrize(
    "name", [n for n in dir(jc) if n[1:].endswith("_jacobian") and n[0] != "_"]
)
def test_a_vector_without_entries(name):
    shape = (1, 0) if name == "logsumexp_jacobian" else (0, 0)
    assert getattr(jc, name)(jnp.zeros(0)).shape == shape


def test_the_complement_of_a_winner_sums_what_is_too_small_by_itself():
    x = jnp.array([0.0, -80.0, -87.5, -88.0, -86.0])  # the last three underflow in places
    true = np.exp(np.asarray(x, np.float64)[1:]).sum()
    np.testing.assert_allclose(jc.softmax_jacobian(x).todense()[0, 0], true, 1e-6)
