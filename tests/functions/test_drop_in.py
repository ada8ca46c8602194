"""What `jax.nn` has too: same values, shapes, dtypes and weak types for the same call."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from hypothesis import given, settings
from slow import some

import jaxcalc as jc

DECLARED = ["silu", "mish", "softsign", "gelu"]
ELEMENTWISE = ["sigmoid", "log_sigmoid", "softplus", *DECLARED]
STRENGTHENED = ["gelu"]  # whose weak type jax.nn does not keep
OTHERWISE = {"softsign": "soft_sign"}  # in jax.nn
ROWWISE = ["softmax", "log_softmax", "logsumexp"]
NAMES = ELEMENTWISE + ROWWISE
INTEGERS = ["bool", "int8", "uint32", "int64"]
ROWS = np.linspace(-4, 4, 10).reshape(2, 5)
few_examples = settings(max_examples=10, deadline=None, derandomize=True)


def theirs(name, x, axis="default", b=None, where=None, **options):
    """What `jax.nn` gives under the promotion that it expects of its callers."""
    options |= {} if name in ELEMENTWISE or axis == "default" else {"axis": axis}

    @quick_jit
    def call(x, arrays):
        return getattr(jax.nn, OTHERWISE.get(name, name))(x, **arrays, **options)

    arrays = {key: value for key, value in {"b": b, "where": where}.items() if value is not None}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return call(x, arrays)


def assert_same_type(got, expected, weak=True):
    types = [(a.shape, a.dtype, weak and a.weak_type) for a in (got, expected)]
    assert types[0] == types[1]


def assert_same(got, expected, units=8, weak=True):
    """Equal up to a few units in the last place of a result computed once in the dtype."""
    assert_same_type(got, expected, weak)
    tolerance = units * float(jnp.finfo(got.dtype).eps)
    wide = (np.asarray(a, np.float64) for a in (got, expected))
    np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_floating_arrays(name, dtype):
    x = jnp.asarray(ROWS, dtype)
    assert_same(getattr(jc, name)(x), theirs(name, x))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_floating_arrays_in_x64(name, dtype):
    x = jnp.asarray(ROWS, dtype)
    assert_same(getattr(jc, name)(x), theirs(name, x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_numpy_arrays(name, dtype):
    x = ROWS.astype(dtype)
    assert_same(getattr(jc, name)(x), theirs(name, x))


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("dtype", some(INTEGERS, ["bool", "int64"]))
@pytest.mark.parametrize("name", NAMES)
def test_integers_and_booleans_promote_as_in_jax_numpy(name, dtype, x64):
    integers = np.array([3, 1, 0, 2]).astype(dtype)
    with jax.enable_x64(x64):
        with jax.numpy_dtype_promotion("standard"):  # some of jax.nn refuse or wrap integers
            promoted = jnp.true_divide(integers, np.ones_like(integers))
        assert_same(getattr(jc, name)(integers), theirs(name, promoted))


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("x", [2, -2.5, np.float64(2.5)], ids=repr)
@pytest.mark.parametrize("name", NAMES)
def test_scalars(name, x, x64):
    axis = {} if name in ELEMENTWISE else {"axis": None}
    with jax.enable_x64(x64):
        promoted = jnp.true_divide(x, 1) if isinstance(x, int) else x
        expected = theirs(name, promoted, **axis)
        assert_same(getattr(jc, name)(x, **axis), expected, weak=name not in STRENGTHENED)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in STRENGTHENED])
def test_weak_types_are_kept(name):
    weak = jnp.full(3, 0.5)
    assert weak.weak_type
    assert_same(getattr(jc, name)(weak), theirs(name, weak))


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize("name", ROWWISE)
def test_empty_batches_and_empty_rows(name, shape, axis):
    x = jnp.zeros(shape)
    assert_same(getattr(jc, name)(x, axis), theirs(name, x, axis))
    gradient = jax.grad(lambda x: jnp.sum(getattr(jc, name)(x, axis)))(x)
    assert gradient.shape == shape


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_axis_and_mask_are_positional(name):
    x, mask = jnp.asarray(ROWS), jnp.asarray(ROWS > -3)
    assert_same(getattr(jc, name)(x, 0, mask), theirs(name, x, 0, where=mask))


def test_logsumexp_is_positional():
    x, mask = jnp.asarray(ROWS), jnp.asarray(ROWS > -3)
    got = jc.logsumexp(x, 0, x, True, True, mask)
    expected = theirs("logsumexp", x, 0, b=x, where=mask, keepdims=True, return_sign=True)
    for ours, others in zip(got, expected, strict=True):
        assert_same(ours, others)


@pytest.mark.parametrize("axis", [(0, -1), (-3, 2), (1, -3, -1), (2, 0), 1, -3, None, ()], ids=str)
@pytest.mark.parametrize("name", ROWWISE)
def test_axes_of_every_kind(name, axis):
    x = jnp.sin(jnp.arange(24.0)).reshape(2, 3, 4)
    assert_same(getattr(jc, name)(x, axis), theirs(name, x, axis))


@st.composite
def calls(draw, values):
    """An array, axes of it, and an array of `values` of any shape that broadcasts against it."""
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=3))
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape).astype(np.float32)
    every = st.sampled_from(range(-len(shape), 0))
    axis = draw(st.none() | every | st.lists(every, unique=True, min_size=1).map(tuple))
    other_shape = draw(arrays.broadcastable_shapes(shape, max_dims=3, max_side=3))
    dtype, elements = draw(st.sampled_from(values))
    return x, axis, draw(arrays.arrays(dtype, other_shape, elements=st.sampled_from(elements)))


MASKS = [(bool, [False, True])]
WEIGHTS = [(np.float32, [-2.0, -1.0, 0.0, 0.5, 3.0]), (np.int32, [-1, 0, 1, 2])]


def broadcast(x, mask):
    """x with the rank of the mask: jax.nn counts axes along an x of lower rank."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape))


@pytest.mark.parametrize("name", some(ROWWISE, ["softmax"]))
@few_examples
@given(call=calls(MASKS))
def test_any_mask(name, call):
    x, axis, mask = call
    expected = theirs(name, broadcast(x, mask), axis, where=mask)
    assert_same(getattr(jc, name)(x, axis, where=mask), expected)


@pytest.mark.slow
@few_examples
@given(call=calls(WEIGHTS), keepdims=st.booleans(), masked=st.booleans())
def test_any_weights(call, keepdims, masked):
    x, axis, b = call
    x = broadcast(x, b)
    kwargs = {"b": b, "keepdims": keepdims, "where": x < 0.5 if masked else None}
    with jax.numpy_dtype_promotion("standard"):
        got = jc.logsumexp(x, axis, **kwargs, return_sign=True)
    expected = theirs("logsumexp", x, axis, return_sign=True, **kwargs)
    for ours, others in zip(got, expected, strict=True):
        assert_same_type(ours, others)
    # where the sum cancels its logarithm has no digits, the sum itself has
    sums = (np.asarray(sign) * np.exp(out) for out, sign in (got, expected))
    np.testing.assert_allclose(*sums, rtol=1e-5, atol=1e-5)


def test_the_logarithm_of_a_negative_sum_is_nan():
    a, b = jnp.zeros((2, 2)), jnp.array([[1.0, -3.0], [2.0, -1.0]])
    assert_same(jc.logsumexp(a, 1, b), theirs("logsumexp", a, 1, b))
    assert np.isnan(jc.logsumexp(a, 1, b)).tolist() == [True, False]


def test_the_derivative_of_the_logarithm_of_a_negative_sum_is_nan():
    """By the array and by the weights, and no NaN is formed of other rows."""
    a, b = jnp.zeros((3, 2)), jnp.array([[1.0, -3.0], [2.0, -1.0], [0.0, 0.0]])
    for argument in (0, 1):

        def total(a, b):
            return jnp.sum(jc.logsumexp(a, 1, b))

        reverse = quick_jit(jax.grad(total, argument))(a, b)
        assert np.isnan(reverse).tolist() == [[True] * 2, [False] * 2, [False] * 2]
        forward = quick_jit(jax.jacfwd(lambda a, b: jc.logsumexp(a, 1, b), argument))(a, b)
        assert [np.isnan(forward[i, i]).all() for i in range(3)] == [True, False, False]
        left_out = jax.grad(lambda a, b: jc.logsumexp(a, 1, b)[1], argument)(a, b)
        assert np.isfinite(left_out).all()
    with jax.debug_nans(True):
        assert jc.logsumexp(a[1:], 1, b[1:]).tolist() == [0.0, -np.inf]
        assert np.isfinite(jax.grad(total)(a[1:], b[1:])).all()


def test_weights_that_broadcast_the_array_up():
    x, b = jnp.asarray(ROWS), jnp.asarray(np.stack([ROWS, -ROWS, 2 + ROWS]))
    got = jc.logsumexp(x, -1, b, return_sign=True)
    for ours, others in zip(
        got, theirs("logsumexp", x[None], -1, b, return_sign=True), strict=True
    ):
        assert_same(ours, others)


def test_weights_of_another_dtype_promote(x64):
    x, b = jnp.asarray(ROWS, jnp.float32), jnp.asarray(ROWS > 0, jnp.float64)
    with jax.numpy_dtype_promotion("standard"):
        got = jc.logsumexp(x, 1, b)
    assert_same(got, theirs("logsumexp", x, 1, b))


@pytest.mark.parametrize("x", [[3.0, -jnp.inf], [-jnp.inf] * 2, [jnp.inf, 1.0], [jnp.nan, 1.0]])
def test_sign_without_weights(x):
    got = jc.logsumexp(jnp.array(x), return_sign=True)
    for ours, others in zip(got, theirs("logsumexp", jnp.array(x), return_sign=True), strict=True):
        assert_same(ours, others)


def test_derivative_by_a_weight_of_zero_is_the_true_one():
    """∂ log Σ b exp(a)/∂b = exp(a)/Σ b exp(a) at b = 0 too, where `jax.nn` gives 0."""
    a, b = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.0, 0.0, 3.0])
    true = jnp.exp(a) / jnp.sum(b * jnp.exp(a))
    got = jax.grad(lambda b: jc.logsumexp(a, b=b))(b)
    np.testing.assert_allclose(got, true, rtol=1e-6)
