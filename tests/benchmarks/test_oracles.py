"""The references themselves, against mpmath at 50 digits written the plainest way."""

from types import SimpleNamespace

import ml_dtypes
import mpmath
import numpy as np
import pytest

from benchmarks import oracles
from benchmarks.oracles import wide
from benchmarks.oracles.softmax import Product

ROOT = float(mpmath.log(2 + mpmath.sqrt(3)))  # where the third derivative of sigmoid is zero
DTYPES = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)
POINTS = [-80.0, -17.3, -ROOT, -0.37, 0.0, 1e-3, 0.5, ROOT, 2.0, 20.0, 80.0]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(80):
        yield


@pytest.fixture(params=["extended", "mpmath"])
def wide_rows(request, monkeypatch):
    """Rows of float64 in `longdouble` where there is one, and as if there were none."""
    if request.param == "mpmath":
        monkeypatch.setattr(wide, "HAS_EXTENDED", False)
    elif not wide.HAS_EXTENDED:
        pytest.skip("`longdouble` has no 64-bit significand here")


def relative_error(got, true):
    return float(abs(mpmath.mpf(got) - true) / abs(true)) if abs(true) > 1e-60 else float(abs(got))


def as_mpf(value):
    return value if isinstance(value, mpmath.mpf) else mpmath.mpf(int(value * 2**200)) / 2**200


# --- errors in ulp ---


def test_ulp_is_the_spacing_at_the_true_value():
    got = np.array([1.0, 2.0, 2.0, -3.0], np.float32)
    true = np.array([1 + 2**-24, 2 - 2**-24, 2 + 2**-24, -3.0])
    np.testing.assert_array_equal(oracles.ulp_error(got, true), [0.5, 0.5, 0.25, 0.0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_step_of_the_dtype_is_one_ulp(dtype):
    one = np.asarray([1.0], dtype)
    above = (one.view(f"u{one.itemsize}") + np.asarray([1], f"u{one.itemsize}")).view(dtype)
    assert oracles.ulp_error(above, np.ones(1))[0] == 1.0
    assert float(above[0]) - 1 == 2 * oracles.unit_roundoff(dtype)


def test_special_values_are_right_only_when_equal():
    inf, nan = np.inf, np.nan
    got = np.array([nan, inf, -inf, inf, nan, 1, 1, inf, inf], np.float32)
    true = np.array([nan, inf, -inf, -inf, 1, nan, inf, 1e39, 3.4e38])
    expected = [0, 0, 0, inf, inf, inf, inf, 0, inf]
    np.testing.assert_array_equal(oracles.ulp_error(got, true), expected)


def test_below_the_normal_numbers_the_unit_is_the_smallest_subnormal():
    tiny = np.array([2.0**-149], np.float32)
    assert oracles.ulp_error(tiny, np.array([2.0**-148]))[0] == 1.0
    assert oracles.ulp_error(tiny, np.zeros(1))[0] == 1.0


def test_normal_numbers():
    values = np.array([0.0, 2.0**-127, 2.0**-126, 3.4e38, 3.5e38, np.inf, np.nan])
    expected = [False, False, True, True, False, False, False]
    np.testing.assert_array_equal(oracles.is_normal(values, np.float32), expected)


def test_worst_ulp_looks_at_normal_numbers_only():
    got, true = np.array([0.0, 1.0], np.float32), np.array([1e-40, 1 + 2**-23])
    assert oracles.ulp_error(got, true)[0] > 1e4
    assert oracles.worst_ulp(got, true) == 1.0


def test_multiprecision_and_double_references_agree():
    got = np.array([0.1, -3.0, 1e-30], np.float32)
    true = np.array([0.1, -3.0000003, 1.1e-30])
    in_mp = oracles.ulp_error(got, wide.as_multiprecision(true))
    np.testing.assert_allclose(in_mp, oracles.ulp_error(got, true), rtol=1e-6)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"`got` and `true` must have one shape"):
        oracles.ulp_error(np.ones(2, np.float32), np.ones(3))


def test_error_over_condition():
    got, true = np.array([1.0, 2.0, 0.0, 1.0], np.float32), np.array([1 + 2**-24, 2, 0, 0.5])
    error = oracles.error_over_condition(got, true, np.array([2.0, 1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(error, [0.5, 0.0, 0.0, np.inf])


# --- sigmoid and its kin ---


def plain_derivative(function, x, order):
    return mpmath.diff(function, mpmath.mpf(float(x)), order)


PLAIN = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log(1 + mpmath.exp(-x)),
}


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_elementwise_against_mpmath(name, order, dtype):
    x = np.asarray(POINTS, dtype)
    got = getattr(oracles, name)(x, order)
    with mpmath.workdps(200):
        true = [plain_derivative(PLAIN[name], v, order) for v in x]
        worst = max(map(relative_error, map(mpmath.mpf, map(str, got)), true))
    assert worst < (1e-30 if dtype is np.float64 else 1e-10)  # of 1e-9 beside the zero


def test_fourth_derivative_in_multiprecision():
    x = np.array([-3.0, 0.7, 50.0])
    true = [plain_derivative(PLAIN["sigmoid"], v, 4) for v in x]
    assert max(map(relative_error, oracles.sigmoid(x, 4), true)) < 1e-30


# --- power series ---

DEFINITIONS = {
    "sigmoid": lambda m, x: m.sigmoid(x),
    "tanh of softplus": lambda m, x: x * m.tanh(m.softplus(x)),
    "normal": lambda m, x: m.erfc(-x / m.sqrt(2)) / 2 - m.exp(-(x**2) / 2) / m.sqrt(2 * m.pi),
    "rational": lambda m, x: (3 - x) * x / (1 + m.abs(x)) ** 3,
}
IN_MPMATH = SimpleNamespace(
    abs=abs,
    erfc=mpmath.erfc,
    exp=mpmath.exp,
    pi=mpmath.pi,
    sigmoid=PLAIN["sigmoid"],
    softplus=PLAIN["softplus"],
    sqrt=mpmath.sqrt,
    tanh=mpmath.tanh,
)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_series_against_mpmath(name, order, dtype):
    x = np.asarray([-20.3, -3.5, -0.75, 1e-3, 0.1, 1.1, 2.4, 9.0], dtype)
    got = oracles.derivative(DEFINITIONS[name], x, order)
    with mpmath.workdps(200):
        true = [plain_derivative(lambda x: DEFINITIONS[name](IN_MPMATH, x), v, order) for v in x]
        worst = max(map(relative_error, map(mpmath.mpf, map(str, got)), true))
    assert worst < (1e-30 if dtype is np.float64 else 1e-13)


def test_sparsemax_by_hand():
    s = oracles.sparsemax(np.array([[1.0, 0.5, -1.0], [0.25, 0.25, 0.25]]))
    np.testing.assert_allclose(s.astype(float), [[0.75, 0.25, 0], [1 / 3] * 3], rtol=1e-15)


# --- rows ---


def rows(dtype):
    return np.concatenate(
        [oracles.make_logits(name, (1, 6), dtype) for name in oracles.LOGITS]
        + [np.asarray([[50.0, 0, -3, 1, 2, 50], [20, 0, 0, 0, 0, 0]], dtype)]
    )


def tangents(name, dtype):
    return oracles.make_tangents(name, rows(dtype).shape, dtype)


def mp_row(x):
    return [mpmath.mpf(float(v)) for v in x]


def mp_softmax(x):
    weights = [mpmath.exp(v) for v in mp_row(x)]
    return [w / sum(weights) for w in weights]


def mp_logsumexp(x):
    return mpmath.log(sum(mpmath.exp(v) for v in mp_row(x)))


def check_rows(got, true_rows, tolerance, scale=None):
    scale = true_rows if scale is None else scale
    with mpmath.workdps(60):
        for got_row, true_row, scale_row in zip(got, true_rows, scale, strict=True):
            for g, t, s in zip(got_row, true_row, scale_row, strict=True):
                assert abs(as_mpf(g) - t) <= tolerance * abs(s) + mpmath.mpf(2) ** -190


def tolerance(dtype):
    return 1e-18 if dtype is np.float64 else 1e-14


ROW_VALUES = {
    "softmax": (oracles.softmax, mp_softmax),
    "log_softmax": (
        oracles.log_softmax,
        lambda x: [v - mp_logsumexp(x) for v in mp_row(x)],
    ),
    "logsumexp": (
        lambda x: oracles.logsumexp(x)[:, None],
        lambda x: [mp_logsumexp(x)],
    ),
    "cross_entropy": (
        lambda x: oracles.cross_entropy(x, np.full(len(x), 2))[:, None],
        lambda x: [mp_logsumexp(x) - mp_row(x)[2]],
    ),
    "cross_entropy_gradient": (
        lambda x: oracles.cross_entropy_gradient(x, np.full(len(x), 2)).value,
        lambda x: [s - (k == 2) for k, s in enumerate(mp_softmax(x))],
    ),
    "softmax_jacobian": (
        lambda x: oracles.softmax_jacobian(x).reshape(len(x), -1),
        lambda x: [
            s * ((i == k) - t)
            for i, s in enumerate(mp_softmax(x))
            for k, t in enumerate(mp_softmax(x))
        ],
    ),
}


@pytest.mark.usefixtures("wide_rows")
@pytest.mark.parametrize("name", ROW_VALUES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_row_values_against_mpmath(name, dtype):
    got, plain = ROW_VALUES[name]
    check_rows(got(rows(dtype)), [plain(x) for x in rows(dtype)], tolerance(dtype))


def mp_deviation(x, t, k, size=lambda v: v):
    t = mp_row(t)
    return sum(s * size(t[k] - u) for s, u in zip(mp_softmax(x), t, strict=True))


def mp_softmax_product(x, t, size=lambda v: v):
    return [s * mp_deviation(x, t, k, size) for k, s in enumerate(mp_softmax(x))]


def mp_log_softmax_jvp(x, t, size=lambda v: v):
    return [mp_deviation(x, t, k, size) for k in range(len(t))]


def mp_log_softmax_vjp(x, g, size=lambda v: v):
    s, g = mp_softmax(x), mp_row(g)
    others = [sum(size(u) for i, u in enumerate(g) if i != k) for k in range(len(g))]
    sign = size(mpmath.mpf(-1))
    return [(1 - s[k]) * size(g[k]) + sign * s[k] * others[k] for k in range(len(g))]


def mp_cross_entropy_jvp(x, t, size=lambda v: v):
    return [-mp_deviation(x, t, 2, lambda v: -size(-v))]


def mp_logsumexp_jvp(x, t, size=lambda v: v):
    return [sum(s * size(u) for s, u in zip(mp_softmax(x), mp_row(t), strict=True))]


def as_columns(product):
    return Product(*(part[:, None] for part in product))


PRODUCTS = {
    "softmax": (oracles.softmax_product, mp_softmax_product),
    "log_softmax jvp": (oracles.log_softmax_jvp, mp_log_softmax_jvp),
    "log_softmax vjp": (oracles.log_softmax_vjp, mp_log_softmax_vjp),
    "cross_entropy jvp": (
        lambda x, t: as_columns(oracles.cross_entropy_jvp(x, np.full(len(x), 2), t)),
        mp_cross_entropy_jvp,
    ),
    "logsumexp jvp": (lambda x, t: as_columns(oracles.logsumexp_jvp(x, t)), mp_logsumexp_jvp),
}


@pytest.mark.usefixtures("wide_rows")
@pytest.mark.parametrize("tangent", oracles.TANGENTS)
@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_and_their_conditions_against_mpmath(name, tangent, dtype):
    product, plain = PRODUCTS[name]
    x, t = rows(dtype), tangents(tangent, dtype)
    got = product(x, t)
    condition = [plain(*pair, size=abs) for pair in zip(x, t, strict=True)]
    value = [plain(*pair) for pair in zip(x, t, strict=True)]
    check_rows(got.condition, condition, tolerance(dtype))
    check_rows(got.value, value, tolerance(dtype), scale=condition)


def test_long_rows():
    x = oracles.make_logits("scale 10", (2, 50_000), np.float64)
    product = oracles.softmax_product(x, oracles.make_tangents("offset", x.shape, np.float64))
    assert float(abs(product.value.sum(-1)).max()) < 1e-14
    assert (abs(product.value) <= product.condition).all()


# --- logits ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["no majority", "one majority", "saturated"])
def test_adversarial_logits_keep_every_probability_above_the_smallest(name, dtype):
    x = oracles.make_logits(name, (50, 10), dtype)
    assert x.dtype == np.dtype(dtype)
    s = oracles.softmax(x)
    assert s.min() > oracles.SMALLEST[x.dtype.name]
    if name == "no majority":
        assert ((s.max(-1) > 0.2) & (s.max(-1) < 0.51)).all()
    else:
        assert np.median(s.max(-1).astype(float)) > 0.75


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", oracles.TANGENTS)
def test_tangents_are_finite_and_differ_within_a_row(name, dtype):
    t = oracles.make_tangents(name, (20, 9), dtype)
    assert t.dtype == np.dtype(dtype)
    assert np.isfinite(t.astype(np.float64)).all()
    assert (t.max(-1) != t.min(-1)).all()
