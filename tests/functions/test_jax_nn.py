"""The cases that JAX tests its own `jax.nn` functions and `logsumexp` with, on these functions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, quick_jit
from jax import lax
from jax.test_util import check_grads
from slow import some

import jaxcalc as jc

INF, NAN = float("inf"), float("nan")
FLOATING = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["int8", "int32", "int64", "uint8", "uint32"]
COMPLEX = ["complex64", "complex128"]
LOGITS = np.array([5.5, 1.3, -4.2, 0.9], np.float32)
SOFTMAXES = [jc.softmax, jc.log_softmax]

by_name = pytest.mark.parametrize("f", SOFTMAXES, ids=lambda f: f.__name__)


def x64_for(dtype):
    return jax.enable_x64(dtype in ("float64", "int64", "complex128"))


# Functions by entry


@pytest.mark.parametrize(
    ("x", "order"),
    [
        pytest.param(1e-8, 4, marks=pytest.mark.slow),
        (1e-8, 2),
        (0.0, 1),
        (-INF, 1),
        (NAN, 1),
    ],
)
def test_softplus_derivatives_beside_differences(x, order):
    check_grads(jc.softplus, (x,), order=order, rtol=0.02, atol=0.02)


def test_softplus_of_large_numbers():
    assert jc.softplus(89.0) == 89
    assert jax.grad(jc.softplus)(INF) == 1
    assert jax.grad(jc.softplus)(-INF) == 0


@pytest.mark.parametrize("dtype", FLOATING + INTEGERS)
def test_softplus_of_zero_is_the_logarithm_of_2(dtype):
    with x64_for(dtype):
        got = jc.softplus(jnp.zeros((), dtype))
        np.testing.assert_array_equal(got, np.asarray(np.log(2)).astype(got.dtype))


@pytest.mark.parametrize("f", [jc.softplus, jc.sigmoid, jc.log_sigmoid], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", FLOATING)
def test_the_dtype_is_kept(f, dtype):
    with x64_for(dtype):
        assert f(jnp.zeros((), dtype)).dtype == dtype


def test_sigmoid_far_below():
    got = jc.sigmoid(np.full(4, -1e20, np.float32))
    np.testing.assert_array_equal(got, np.zeros(4))


@pytest.mark.parametrize("f", [jc.sigmoid, jc.softplus, jc.log_sigmoid], ids=lambda f: f.__name__)
def test_a_scan_of_captured_arrays_leaks_nothing(f):
    @jax.jit
    def forward():
        shift = jnp.array(1.0)
        return lax.scan(lambda h, _: (f(h + shift), None), jnp.array(0.0), None, length=2)

    with jax.checking_leaks():
        forward()


# Softmaxes


@by_name
def test_an_empty_array(f):
    got = f(jnp.array([], float))
    assert got.shape == (0,)


@by_name
@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (2, 0, 3)])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 1), None], ids=str)
def test_arrays_of_no_size(f, shape, axis):
    x = jnp.zeros(shape)
    assert f(x, axis).shape == shape
    assert jax.grad(lambda x: jnp.sum(f(x, axis)))(x).shape == shape


@by_name
def test_a_mask_that_leaves_nothing(f):
    got = f(LOGITS, where=np.zeros(4, bool))
    np.testing.assert_array_equal(got, np.full(4, 0.0 if f is jc.softmax else -INF))


@pytest.mark.slow
@by_name
def test_a_mask_leaves_the_softmax_of_the_rest(f):
    mask = np.array([True, False, True, True])
    got = f(LOGITS, where=mask)
    np.testing.assert_allclose(got[mask], f(LOGITS[mask]), rtol=1e-6)
    probabilities = got if f is jc.softmax else jnp.exp(got)
    np.testing.assert_allclose(jnp.sum(probabilities), 1, rtol=1e-6)
    rest = jnp.array([0, 2, 3])
    check_grads(lambda x: f(x, where=mask)[rest], (LOGITS,), order=2, rtol=0.05, atol=0.01)


@by_name
def test_the_gradient_of_the_only_entry_left(f):  # jax#19490
    x = jnp.array([36.0, 10000.0])
    gradient = jax.grad(lambda x, mask: f(x, where=mask)[0])(x, x < 1000)
    np.testing.assert_array_equal(gradient, [0, 0])


@by_name
@pytest.mark.parametrize("options", [{}, {"accuracy": "fast"}], ids=["high", "fast"])
def test_derivatives_beside_differences(f, options):
    check_grads(lambda x: f(x, **options), (LOGITS,), order=2, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("masked_with", some([INF, -INF, 1e38, NAN], [INF]))
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_what_is_masked_has_no_part_in_the_gradient(name, masked_with):
    x, mask = jnp.array([1.0, masked_with, -1.0]), jnp.array([True, False, True])
    f = getattr(jc, name)
    got = jax.grad(lambda x: jnp.sum(jnp.where(mask, jnp.square(f(x, where=mask)), 0)))(x)
    expected = jax.grad(lambda x: jnp.sum(jnp.square(f(x))))(x[np.array([0, 2])])
    if name == "logsumexp":  # three times one square
        expected = 2 * expected
    assert_close(got, np.insert(np.asarray(expected, np.float64), 1, 0))


@pytest.mark.parametrize("f", [jc.softmax, jc.log_softmax, jc.logsumexp], ids=lambda f: f.__name__)
def test_large_logits(f):
    """A common shift changes nothing, in the derivatives either."""
    x = jnp.array([1e4, 1e4 - 1, 1e4 - 2.5])
    got, expected = (jax.jacrev(f)(v) for v in (x, x - 1e4))
    assert_close(got, np.asarray(expected, np.float64))
    assert np.isfinite(jax.hessian(f)(x)).all()


# logsumexp

SHAPES = [(4,), (3, 4), (3, 1), (1, 4), (2, 1, 4)]
PAIRS = [((), ()), ((4,), (3, 4)), ((3, 1), (1, 4)), ((2, 3, 4), (2, 1, 4))]


def random(dtype, *shape, seed=0):
    """Numbers whose sums of exponentials do not cancel."""
    draw = np.random.default_rng([seed, *shape])
    if dtype in INTEGERS:
        return draw.integers(0, 5, shape).astype(dtype)
    x = draw.normal(size=shape) + (0.5j * draw.normal(size=shape) if dtype in COMPLEX else 0)
    return jnp.asarray(x, dtype)


def reference(a, axis, keepdims, b=1.0, where=True):
    """(log |s|, s/|s|) of s = Σ b exp(a), as it is written."""
    wide = np.complex128 if np.iscomplexobj(a) or np.iscomplexobj(b) else np.float64
    terms = np.where(where, np.asarray(b, wide) * np.exp(np.asarray(a, wide)), 0)
    total = np.sum(terms, axis, keepdims=keepdims)
    size = np.abs(total)
    return np.log(size), np.where(size == 0, 0, total / np.where(size == 0, 1, size)), total


def assert_is_the_reference(got, dtype, expected, return_sign):
    tolerance = {"float16": 4e-3, "bfloat16": 3e-2, "float64": 1e-13, "complex128": 1e-13}
    log_size, sign, total = expected
    if return_sign:
        pairs = list(zip(got, (log_size, sign), strict=True))
    else:
        negative = not np.iscomplexobj(total)
        with np.errstate(invalid="ignore", divide="ignore"):
            pairs = [(got, np.log(total) if not negative else np.where(total < 0, NAN, log_size))]
    for g, true in pairs:
        assert g.shape == true.shape
        close = tolerance.get(dtype, 3e-6)
        wide = np.complex128 if np.iscomplexobj(g) else np.float64
        np.testing.assert_allclose(np.asarray(g, wide), true, rtol=close, atol=close)


def axes_of(shape):
    return range(-len(shape), len(shape)) if shape else [None]


def check_logsumexp(dtype, shapes, axis, keepdims, return_sign):
    """Of an array of the first shape; with weights of the second if there is one."""
    a, *b = (random(dtype, *shape, seed=i) for i, shape in enumerate(shapes))
    got = jc.logsumexp(a, axis, *(b or [None]), keepdims, return_sign)
    if b and dtype in ("float16", "bfloat16"):  # where a sum cancels there are no digits
        assert (got[0] if return_sign else got).dtype == dtype
    else:
        expected = reference(a, axis, keepdims, *b)
        assert_is_the_reference(got, dtype, expected, return_sign)


def every_call(groups):
    """Shapes, axis, keepdims, return_sign."""
    for shapes in groups:
        for axis in axes_of(np.broadcast_shapes(*shapes)):
            yield from itertools.product([shapes], [axis], [False, True], [False, True])


PLAIN = list(every_call([(shape,) for shape in [(), *SHAPES]]))
WEIGHTED = list(every_call({p for a, b in PAIRS for p in [(a, b), (b, a), (a, a)]}))


EVERY = [*FLOATING, "int32", "uint8", "int64", *COMPLEX]


@pytest.mark.parametrize("dtype", EVERY)
def test_some_calls_of_logsumexp(dtype):
    some = [((3, 4),), ((3, 4), (4,))] if dtype not in INTEGERS else [((3, 4),)]
    with x64_for(dtype), jax.numpy_rank_promotion("allow"):
        for shapes, (axis, keepdims, return_sign) in itertools.product(
            some, [(0, False, True), (-1, True, False)]
        ):
            check_logsumexp(dtype, shapes, axis, keepdims, return_sign)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", EVERY)
def test_each_third_call_of_logsumexp(dtype):
    """Others of each dtype than of the next, so that each call is made of some."""
    with x64_for(dtype), jax.numpy_rank_promotion("allow"):
        calls = PLAIN + (WEIGHTED if dtype not in INTEGERS else [])
        for call in calls[EVERY.index(dtype) % 3 :: 3]:
            check_logsumexp(dtype, *call)


def test_logsumexp_with_a_weight_of_zero_beside_a_small_sum():  # jax#5370
    got = jc.logsumexp(np.array([-1000.0, -2.0], np.float32), b=np.array([1.0, 0.0], np.float32))
    assert got == -1000
    with jax.numpy_dtype_promotion("standard"):
        assert jc.logsumexp(np.array([-1000, -2]), b=np.array([1, 0])) == -1000


def test_logsumexp_of_ones_meets_no_infinity():  # jax#7390
    with jax.debug_infs(True):
        for compiled in (lambda f: f, jax.jit):
            got = compiled(jc.logsumexp)(jnp.ones(4))
            np.testing.assert_allclose(got, 1 + np.log(4), rtol=1e-6)


def test_logsumexp_of_a_scalar_meets_no_nan():  # jax#7634
    with jax.debug_nans(True), jax.disable_jit():
        assert jc.logsumexp(1.0) == 1
        assert jc.logsumexp(1.0, b=1.0) == 1


@pytest.mark.parametrize("size", some(range(6), [0, 3]))
@pytest.mark.parametrize("dtype", FLOATING)
def test_logsumexp_of_what_a_mask_leaves(dtype, size):
    with x64_for(dtype):
        x, mask = random(dtype, size), np.arange(size) % 3 == 1
        got = jc.logsumexp(x, where=mask)
        with np.errstate(divide="ignore"):
            expected = reference(x, None, keepdims=False, where=mask)
        assert_is_the_reference(got, dtype, expected, return_sign=False)


def test_the_gradient_of_a_masked_logsumexp():
    x = jnp.array([0.0, 0.0, 0.0, 0.0, 100.0])
    gradient = jax.grad(lambda x: jc.logsumexp(x, where=jnp.arange(5) < 4))(x)
    np.testing.assert_allclose(gradient, [0.25, 0.25, 0.25, 0.25, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "value"),
    [
        ([-INF, -INF], -INF),
        ([INF, INF], INF),
        ([INF, -INF], INF),
        ([-INF, 1.0], 1.0),
        ([NAN, 1.0], NAN),
        ([NAN, INF], NAN),
    ],
)
def test_logsumexp_of_infinities(x, value):
    got, sign = jc.logsumexp(jnp.array(x), return_sign=True)
    np.testing.assert_array_equal(got, value)
    np.testing.assert_array_equal(sign, {-INF: 0.0}.get(value, NAN if value != value else 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("signed", [False, True])
def test_logsumexp_derivatives_beside_differences(signed):
    b = jnp.array([1.0, 2.0, -0.5, 0.25])
    check_grads(jc.logsumexp, (LOGITS,), order=2, rtol=0.05, atol=0.01)

    def f(a, b):
        out = jc.logsumexp(a, b=b, return_sign=signed)
        return out[0] if signed else out

    check_grads(f, (LOGITS / 4, b), order=2, rtol=0.05, atol=0.02)


# Complex numbers, whose functions are holomorphic

NUMBERS = np.array([0.5 + 0.25j, -1.0 - 0.5j, 0.75 + 1.0j, 2.0 - 0.75j])


def shares(z):
    return np.exp(z) / np.sum(np.exp(z))


HOLOMORPHIC = {
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.diag(shares_of_two(z) * shares_of_two(-z)),
    ),
    "log_sigmoid": (lambda z: -np.log1p(np.exp(-z)), lambda z: np.diag(shares_of_two(-z))),
    "softplus": (lambda z: np.log1p(np.exp(z)), lambda z: np.diag(shares_of_two(z))),
    "softmax": (shares, lambda z: np.diag(shares(z)) - np.outer(shares(z), shares(z))),
    "log_softmax": (
        lambda z: z - np.log(np.sum(np.exp(z))),
        lambda z: np.eye(len(z)) - shares(z),
    ),
    "logsumexp": (lambda z: np.log(np.sum(np.exp(z))), shares),
}


def shares_of_two(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("accuracy", some(["high", "fast"], ["high"]))
@pytest.mark.parametrize("dtype", some(COMPLEX, COMPLEX[:1]))
@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_complex_numbers(name, dtype, accuracy):
    value, derivative = HOLOMORPHIC[name]
    with x64_for(dtype):
        z = jnp.asarray(NUMBERS, dtype)

        def f(z):
            return getattr(jc, name)(z, accuracy=accuracy)

        close = {"rtol": 1e-5, "atol": 1e-6} if dtype == "complex64" else {"rtol": 1e-12}
        got = quick_jit(f)(z)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, value(NUMBERS), **close)
        for mode in (jax.jacfwd, jax.jacrev):
            J = quick_jit(mode(f, holomorphic=True))(z)
            np.testing.assert_allclose(J, derivative(NUMBERS), **(close | {"atol": 1e-6}))


@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_complex_numbers_with_a_mask(name):
    mask = np.array([True, False, True, True])
    got = getattr(jc, name)(jnp.asarray(NUMBERS, "complex64"), where=mask)
    true = HOLOMORPHIC[name][0](NUMBERS[mask])
    np.testing.assert_allclose(got[mask] if name == "softmax" else got, true, rtol=1e-5)


@pytest.mark.parametrize("shift", [500.0, -500.0])
def test_large_complex_numbers(shift):
    z = jnp.asarray(NUMBERS + shift, "complex64")
    np.testing.assert_allclose(jc.softmax(z), shares(NUMBERS), rtol=1e-4)
    np.testing.assert_allclose(jc.logsumexp(z), np.log(np.sum(np.exp(NUMBERS))) + shift, rtol=1e-6)
