"""Errors in units in the last place, over the whole range of each dtype."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import CLASSES, CORE, FUNCTIONS, LOGISTIC, ROWS, eighths, like, quick_jit
from functions import FAST as OF_FAST
from slow import some

import jaxcalc as jc
from benchmarks import oracles
from jaxcalc._functions.activations import ELEMENTWISE

NARROW = ("float16", "bfloat16")
DTYPES = (*NARROW, "float32", "float64")
WIDE = ("float32", "float64")
every_logits = pytest.mark.parametrize(
    "logits", some(oracles.LOGITS, ["no majority", "one majority", "saturated", "scale 10"])
)
every_dtype = pytest.mark.parametrize("dtype", some(DTYPES, ["bfloat16", *WIDE]))


@pytest.fixture(autouse=True)
def double_when_needed(request):
    with jax.enable_x64("float64" in request.node.name):
        yield


def numbers(dtype):
    """Every 16-bit number, an even sample of the bit patterns of the others, and a dense middle."""
    if dtype in NARROW:
        return np.arange(2**16, dtype=np.uint16).view(jnp.dtype(dtype))
    if dtype == "float32":
        bits = np.arange(0, 2**32, 19997, dtype=np.uint32).view(np.float32)
        return np.concatenate([bits, np.linspace(-104, 104, 200_001, dtype=np.float32)])
    rng = np.random.default_rng(0)
    near_zero_of_third = 1.3169578969248166 + 1e-9 * rng.normal(size=100)
    sizes = np.exp(rng.uniform(-700, 6.6, size=1000)) * rng.choice([-1, 1], size=1000)
    return np.concatenate(
        [rng.uniform(-708, 708, 500), rng.normal(size=1000), sizes, near_zero_of_third]
    )


def forward(f):
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def reverse(f):
    return jax.grad(lambda x: f(x).sum())


def nth(f, order, step):
    for _ in range(order):
        f = step(f)
    return jax.jit(f)


def worst_ulp(got, true):
    """The largest error among results that are normal numbers, if there are any."""
    normal = oracles.is_normal(true, got.dtype)
    return np.max(oracles.ulp_error(got, true)[normal], initial=0)


def finite(x):
    return x[np.asarray(jnp.isfinite(x))]


# (function, order): the largest error in float32, float64 and the 16-bit dtypes
LOGISTIC_BOUNDS = {
    ("sigmoid", 0): (3, 5, 0.51),
    ("sigmoid", 1): (3, 5, 0.51),
    ("sigmoid", 2): (8, 8, 1),
    ("sigmoid", 3): (16, 16, 1),
    ("log_sigmoid", 0): (4, 5, 0.51),
    ("log_sigmoid", 1): (4, 5, 0.51),
    ("softplus", 0): (4, 5, 0.51),
    ("softplus", 1): (4, 5, 0.51),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "order"), LOGISTIC_BOUNDS)
def test_logistic_family(name, order, dtype):
    bounds = LOGISTIC_BOUNDS[name, order]
    bound = bounds[2] if dtype in NARROW else bounds[WIDE.index(dtype)]
    x = finite(numbers(dtype))
    true = getattr(oracles, name)(x, order)
    for step in (forward, reverse)[: 1 + (order > 0)]:
        got = nth(getattr(jc, name), order, step)(x)
        assert oracles.worst_ulp(got, true) <= bound


def test_the_second_derivative_of_sigmoid_on_both_sides_of_its_series():
    for dtype in WIDE:
        with jax.enable_x64(dtype == "float64"):
            x = jnp.asarray(np.linspace(-0.6, 0.6, 1201), dtype)
            got = nth(jc.sigmoid, 2, forward)(x)
            assert oracles.worst_ulp(got, oracles.sigmoid(x, 2)) <= 8


def test_every_derivative_of_the_logistic_family_in_16_bits_is_rounded_once():
    for name in ("sigmoid", "log_sigmoid", "softplus"):
        for dtype in NARROW:
            x = jnp.asarray(np.linspace(-12, 12, 801), dtype)
            got = nth(getattr(jc, name), 1, reverse)(x)
            assert oracles.worst_ulp(got, getattr(oracles, name)(x, 1)) <= 0.51


OF_EVERY_KIND = [*LOGISTIC, *CORE]
OTHERS = [f for f in FUNCTIONS if f not in (*OF_EVERY_KIND, *OF_FAST)]


@pytest.mark.parametrize("functions", [OF_EVERY_KIND, pytest.param(OTHERS, marks=pytest.mark.slow)])
def test_a_scaled_loss_brings_back_small_derivatives_of_float16(functions):
    """Of 10⁻⁷ float16 has hardly a digit; of 10⁻³ it has, and a loss times 10⁴ asks for that.

    So of gradients, and of second derivatives, be the second forward or backward.
    """
    x, v = (5 * eighths(ROWS, CLASSES, seed=3), 8 * eighths(ROWS, CLASSES, seed=4))

    def derivatives(f, g, x):
        def gradient(x):
            return jax.vjp(f, x)[1](like(x, g))[0]

        t = like(x, v)
        return gradient(x), jax.jvp(gradient, (x,), (t,))[1], jax.vjp(gradient, x)[1](t)[0]

    scaled = [2.0**13 * np.resize(eighths(5), jax.eval_shape(f.own, x).shape) for f in functions]
    own = quick_jit(
        lambda x: [derivatives(f.own, g, x) for f, g in zip(functions, scaled, strict=True)]
    )(jnp.asarray(x, jnp.float16))
    with jax.enable_x64(True):
        plain = quick_jit(
            lambda x: [derivatives(f.plain, g, x) for f, g in zip(functions, scaled, strict=True)]
        )(x)
    for f, got, true in zip(functions, own, plain, strict=True):
        for y, truth in zip(got, true, strict=True):
            assert worst_ulp(y, np.asarray(truth)) <= 0.51, f.name


# by the order: the largest error in float32 and float64, and in the 16-bit dtypes, beside the zeros
# of the derivatives as elsewhere
DECLARED_BOUNDS = [(5, 0.51), (7, 0.51), (10, 0.51), (12, 0.51)]
DECLARED = {f.name: f for f in ELEMENTWISE}


SHARE = {"float32": 41, "float64": 27}


def zeros(f, order):
    """Where the derivative changes sign, to the digits of float64."""
    grid = np.linspace(-8, 8, 160)
    signs = np.sign(oracles.declared_derivative(f, grid.astype(np.float32), order))
    for i in np.flatnonzero(signs[1:] != signs[:-1]):
        ends = grid[i : i + 2]
        for _ in range(50):
            middle = ends.mean(keepdims=True)
            same = np.sign(oracles.declared_derivative(f, middle, order)) == signs[i]
            ends = np.concatenate([middle, ends[1:]] if same else [ends[:1], middle])
        yield ends[0]


def hard_points(f, order, dtype):
    """A part of the range, the tails, and what lies beside the zeros."""
    tails = np.concatenate([np.linspace(-104, -80, 200), np.linspace(-16, 16, 500)])
    far = np.concatenate([np.linspace(-715, -700, 20), np.linspace(-39, -20, 40)])
    points = [finite(numbers(dtype))[:: SHARE.get(dtype, 7)], tails, far]
    if dtype in WIDE:
        each = np.array([*zeros(f, order)], dtype)
        points += [each * (1 + k * np.finfo(dtype).eps) for k in range(-8, 9)]
    return np.concatenate([np.asarray(jnp.asarray(x, dtype)) for x in points])


@pytest.mark.parametrize("dtype", DTYPES[::-1])  # the first case is in every run:
@pytest.mark.parametrize("order", range(3, -1, -1))  # the zeros of a third derivative
@pytest.mark.parametrize("name", DECLARED)
def test_functions_from_declarations(name, order, dtype):
    f = DECLARED[name]
    check_declared(f, order, hard_points(f, order, dtype))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", DECLARED)
def test_functions_from_declarations_of_every_number(name, order, dtype):
    check_declared(DECLARED[name], order, finite(numbers(dtype)))


def check_declared(f, order, x):
    true = oracles.declared_derivative(f, x, order)
    size = np.abs(x.astype(np.float64))
    # at a zero that is a number of the dtype the truth is 0, and known to so many digits only;
    # what is subnormal XLA takes for 0, where softsign has no second derivative
    known = np.abs(true) > (1e-30 if x.dtype == np.float64 else 1e-15)
    known = (known | (size > 8) | (size < 1e-3)) & oracles.is_normal(x, x.dtype)
    got = nth(f, order, forward)(x)
    bound = DECLARED_BOUNDS[order][x.dtype.name in NARROW]
    assert oracles.worst_ulp(np.asarray(got)[known], true[known]) <= bound


SPARSEMAX_ERRORS = {"float32": 2.0**-24, "float64": 2.0**-53}


@pytest.mark.parametrize("scale", [0.1, 1, 60])
@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("dtype", WIDE)
def test_sparsemax_values(dtype, classes, scale):
    x = rows(dtype, classes, scale)
    got = np.asarray(jax.jit(jc.sparsemax)(x))
    true = oracles.sparsemax(x)
    near = np.sum(x > x.max(-1, keepdims=True) - 1, -1, keepdims=True)
    assert np.all(np.abs(got - true) <= (near + 4) * SPARSEMAX_ERRORS[dtype])
    assert np.all((got > 0) | (true < 1e-6))


def rows(dtype, classes, scale, seed=0):
    count = max(2, min(200, (2_000 if dtype == "float64" else 20_000) // classes))
    x = scale * np.random.default_rng(seed).normal(size=(count, classes))
    return np.asarray(jnp.asarray(x, dtype))


@pytest.mark.parametrize("scale", some([0.1, 1, 10, 60], [1, 60]))
@pytest.mark.parametrize("classes", some([2, 10, 1000, 50_000], [10, 1000]))
@every_dtype
def test_softmax_values(dtype, classes, scale):
    x = rows(dtype, classes, scale)
    s, log_s, lse = jax.jit(lambda x: (jc.softmax(x), jc.log_softmax(x), jc.logsumexp(x, axis=-1)))(
        x
    )
    bound = {"float32": 8, "float64": 10}.get(dtype, 0.51)
    assert worst_ulp(s, oracles.softmax(x)) <= bound
    for got, true in ((log_s, oracles.log_softmax(x)), (lse, oracles.logsumexp(x))):
        assert np.all(error_beyond_rounding(got, true) <= log_bound(got.dtype, true, classes))


def log_bound(dtype, true, classes):
    """3 u (|result| + 4 + log₂ K), with the u of float32 where the dtype is computed in it."""
    u = min(oracles.unit_roundoff(dtype), oracles.unit_roundoff("float32"))
    return 3 * u * (np.abs(true) + 4 + np.log2(classes))


def error_beyond_rounding(got, true):
    """|got − true|, less what rounding once to a 16-bit dtype costs."""
    error = np.abs(np.asarray(got, true.dtype) - true)
    return error - oracles.unit_roundoff(got.dtype) * np.abs(true) * (got.dtype.name in NARROW)


def jvp_of(f):
    return jax.jit(lambda x, t: jax.jvp(f, (x,), (t,))[1])


def vjp_of(f):
    return jax.jit(lambda x, g: jax.vjp(f, x)[1](g)[0])


PRODUCTS = {  # the first is in every run, in bfloat16
    "logsumexp hvp": (
        jvp_of(jax.grad(lambda x: jc.logsumexp(x, axis=-1).sum())),
        oracles.softmax_product,
    ),
    "softmax jvp": (jvp_of(jc.softmax), oracles.softmax_product),
    "softmax vjp": (vjp_of(jc.softmax), oracles.softmax_product),
    "log_softmax jvp": (jvp_of(jc.log_softmax), oracles.log_softmax_jvp),
    "log_softmax vjp": (vjp_of(jc.log_softmax), oracles.log_softmax_vjp),
}


def in_range(x):
    """Whether the probabilities of each row are large enough for products to be normal numbers."""
    smallest = oracles.SMALLEST[x.dtype.name]
    return np.all(np.asarray(oracles.softmax(x), np.float64) > smallest, axis=-1)


def worst_over_condition(got, true, chosen):
    error = oracles.error_over_condition(got, true.value, true.condition)
    normal = oracles.is_normal(true.value, got.dtype)
    return np.max(error[chosen][normal[chosen]], initial=0)


@every_dtype
@every_logits
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, logits, dtype):
    product, oracle = PRODUCTS[name]
    bound = 1.01 if dtype in NARROW else 50  # 16 bits are rounded once
    for classes in (2, 3, 100):
        x = oracles.make_logits(logits, (40, classes), dtype, seed=classes)
        for tangents in oracles.TANGENTS:
            t = oracles.make_tangents(tangents, x.shape, dtype)
            worst = worst_over_condition(product(x, t), oracle(x, t), in_range(x))
            assert worst <= bound, (classes, tangents)


loss = jax.jit(lambda x, y: jc.softmax_cross_entropy(x, y))
loss_gradient = jax.jit(jax.grad(lambda x, y: jc.softmax_cross_entropy(x, y).sum()))
loss_change = jax.jit(
    lambda x, y, t: jax.jvp(lambda x: jc.softmax_cross_entropy(x, y), (x,), (t,))[1]
)


@every_dtype
@every_logits
def test_cross_entropy(logits, dtype):
    bound = 2 if dtype in NARROW else 50
    for classes in (2, 3, 100):
        x = oracles.make_logits(logits, (40, classes), dtype, seed=classes)
        labels = np.random.default_rng(2).integers(classes, size=len(x))
        got, true = loss(x, labels), oracles.cross_entropy(x, labels)
        assert np.all(error_beyond_rounding(got, true) <= log_bound(dtype, true, classes))
        got, true = loss_gradient(x, labels), oracles.cross_entropy_gradient(x, labels)
        assert worst_over_condition(got, true, in_range(x)) <= bound
        for tangents in oracles.TANGENTS:
            t = oracles.make_tangents(tangents, x.shape, dtype)
            got, true = loss_change(x, labels, t), oracles.cross_entropy_jvp(x, labels, t)
            assert worst_over_condition(got, true, in_range(x)) <= bound, (classes, tangents)


dense_jacobian = jax.jit(jax.vmap(lambda x: jc.softmax_jacobian(x).todense()))


@pytest.mark.slow
@every_dtype
@every_logits
def test_dense_softmax_jacobian(logits, dtype):
    bound = {"float32": 10, "float64": 12}.get(dtype, 0.51)
    for classes in (2, 3, 100):
        x = oracles.make_logits(logits, (10, classes), dtype, seed=classes)
        got = dense_jacobian(x)
        assert worst_ulp(got, oracles.softmax_jacobian(x)) <= bound


FAST = {
    name: (
        jax.jit(partial(getattr(jc, name), accuracy="fast")),
        jax.jit(getattr(jax.nn, name)),
        getattr(oracles, name),
    )
    for name in ("softmax", "log_softmax")
}


@every_dtype
@pytest.mark.parametrize("logits", ["one majority", "scale 1", "scale 10", "scale 60"])
@pytest.mark.parametrize("name", FAST)
def test_fast_is_no_worse_than_jax_nn(name, logits, dtype):
    fast, theirs, oracle = FAST[name]
    x = oracles.make_logits(logits, (100, 30), dtype)
    true = oracle(x)
    assert worst_ulp(fast(x), true) <= max(0.51, worst_ulp(theirs(x), true))


def test_jax_nn_would_fail_these_bounds():
    """The bounds are no formality."""
    x = np.float32(20)
    assert oracles.worst_ulp(jax.grad(jax.nn.sigmoid)(x), oracles.sigmoid(x, 1)) > 1e6
    x, t = np.array([[20, 0]], np.float32), np.array([[1, 0]], np.float32)
    true = oracles.softmax_product(x, t)
    assert worst_over_condition(jvp_of(jax.nn.softmax)(x, t), true, [True]) > 1e6
    x = 60 * np.random.default_rng(0).normal(size=(20, 10)).astype(np.float32)
    assert oracles.worst_ulp(jax.jit(jax.nn.softmax)(x), oracles.softmax(x)) > 20


def test_a_product_before_softmax_is_not_contracted():
    """XLA may round x·c − max once where x·c is rounded on its own elsewhere (jax#37234)."""
    a = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    for c in (np.float32(30.1), np.float32(3.1e10)):
        x = a * c
        for f, oracle in ((jc.softmax, oracles.softmax), (jc.log_softmax, oracles.log_softmax)):
            got = jax.jit(lambda a, c, f=f: f(a * c))(a, c)
            true = oracle(x)
            error = np.abs(np.asarray(got, np.float64) - true)
            assert np.all(error <= 2e-7 * (np.abs(true) + 10))
