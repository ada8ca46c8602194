"""The binary cross-entropy with its options, and its focal form, against their formulas."""

import itertools
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import DISTRIBUTIONS, LOGITS, TANGENTS, assert_close, like, quick_jit
from losses import exact_binary, exact_focal, nth_derivative, plain_binary, plain_focal, typed
from slow import slow, some
from split_rows import products

import jaxcalc as jc

INF, NAN = np.inf, np.nan
binary, focal = jc.sigmoid_binary_cross_entropy, jc.sigmoid_focal_loss
close = np.testing.assert_allclose
POS_WEIGHT = np.array([[0.5], [3.0]])
X, T, G, Y = LOGITS, TANGENTS[0], TANGENTS[1], DISTRIBUTIONS
CASES = {
    "smoothing": (binary, plain_binary, {"label_smoothing": 0.25}),
    "weight": (binary, plain_binary, {"pos_weight": POS_WEIGHT}),
    "both": (binary, plain_binary, {"label_smoothing": 0.25, "pos_weight": POS_WEIGHT}),
    "focal": (focal, plain_focal, {}),
    "focal, gamma 0": (focal, plain_focal, {"gamma": 0.0, "alpha": 0.25}),
    "focal, gamma 0.5": (focal, plain_focal, {"gamma": 0.5, "alpha": 0.75}),
}


@pytest.mark.parametrize(
    ("name", "dtype"),
    some(
        itertools.product(CASES, ["float32", "float64", "bfloat16", "float16"]),
        [*itertools.product(CASES, ["float32"]), ("both", "bfloat16"), ("focal", "float64")],
    ),
)
def test_value_and_three_derivatives(name, dtype):
    f, plain, options = CASES[name]

    def own(x):
        return f(x, like(x, Y), **typed(options, "float32"))

    with jax.enable_x64(dtype == "float64"):
        got = quick_jit(partial(products, own))(*(jnp.asarray(a, dtype) for a in (X, T, G)))
    with jax.enable_x64(True):
        formula = partial(products, lambda x: plain(x, Y, **options))
        true = quick_jit(formula)(*map(jnp.asarray, (X, T, G)))
    for product, value in true.items():
        assert got[product].dtype == dtype
        assert_close(got[product], np.asarray(value), 32, product)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_derivatives_by_labels_and_weights(name):
    """And mixed ones with the logits, in every order."""
    f, plain, options = CASES[name]
    options = dict(options)
    w = options.pop("pos_weight", None)
    arguments = [X, Y] + ([] if w is None else [w])
    numbers = range(len(arguments))

    def derivatives(of, arguments):
        def total(*arguments):
            x, y, *w = arguments
            return jnp.sum(of(x, y, **({"pos_weight": w[0]} if w else {}), **options))

        first = [jax.grad(total, i)(*arguments) for i in numbers]
        pairs = list(itertools.product(numbers, numbers))
        reverse = [jax.jacrev(jax.grad(total, i), j)(*arguments) for i, j in pairs]
        forward = [jax.jacfwd(jax.grad(total, i), j)(*arguments) for i, j in pairs]
        return first, reverse, forward

    got = quick_jit(partial(derivatives, f))([jnp.asarray(a, "float32") for a in arguments])
    with jax.enable_x64(True):
        true = quick_jit(partial(derivatives, plain))([jnp.asarray(a) for a in arguments])
        true = jax.tree.map(np.asarray, true)
    assert_close(got, true, 32)


@pytest.mark.parametrize("f", [binary, focal])
def test_a_result_of_its_own_dtype(f):
    x = jnp.asarray(X, "bfloat16")
    wide = f(x, like(x, Y), dtype="float32")
    assert wide.dtype == jnp.float32
    true = {binary: plain_binary, focal: plain_focal}[f](X, Y)
    close(wide, true, 1e-5)
    gradient = jax.grad(lambda x: jnp.sum(f(x, like(x, Y), dtype="float32")))(x)
    assert gradient.dtype == jnp.bfloat16
    assert f(x.astype("float32"), 1, dtype="float16").dtype == jnp.float16


SATURATED = [-90.0, -20.0, -3.0, 0.0, 0.5, 3.0, 20.0, 40.0]
EXACT = {
    "weight": (binary, exact_binary, {"pos_weight": 3.0}),
    "focal": (focal, exact_focal, {}),
    "focal, gamma 0": (focal, exact_focal, {"gamma": 0.0}),
    "focal, gamma 0.5": (focal, exact_focal, {"gamma": 0.5, "alpha": 0.25}),
}


@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("name", EXACT)
def test_saturated_entries_keep_their_digits(name, y):
    """Value and two derivatives of each, relative to its own size."""
    f, exact, options = EXACT[name]
    own = partial(f, labels=y, **options)
    modes = (own, jax.grad(own), jax.grad(jax.grad(own)), jax.jacfwd(jax.grad(own)))
    got = quick_jit(jax.vmap(lambda x: [mode(x) for mode in modes]))(jnp.array(SATURATED))
    for order, values in zip((0, 1, 2, 2), got, strict=True):
        true = [nth_derivative(partial(exact, y=y, **options), x, order) for x in SATURATED]
        # the derivatives of soft labels pass through 0 where x is moderate
        small = 1e-6 if 0 < y < 1 or (order == 2 and "focal" in name) else 0
        moderate = np.abs(SATURATED) < 10
        close(values, true, 2e-5, 1e-37 + small * moderate.any(), err_msg=f"order {order}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_of_the_focal_loss_where_q_is_next_to_0(dtype):
    """Value and gradient: what q is rounded by counts γ times."""
    info, points = jnp.finfo(dtype), [*np.linspace(-15.0, -3.0, 13), -9.75, -27.25]
    for gamma in (0.5, 1.0, 2.0, 5.0):
        with jax.enable_x64(dtype == "float64"):
            one = jax.vmap(jax.value_and_grad(partial(focal, gamma=gamma)), (0, None))
            got = quick_jit(one)(jnp.asarray(points, dtype), jnp.zeros((), dtype))
        for order, values in enumerate(got):
            exact = partial(exact_focal, y=0.0, gamma=gamma)
            true = [float(nth_derivative(exact, x, order)) for x in points]
            close(values, true, (3 + 3 * gamma) * float(info.eps), float(info.tiny))


INFINITIES = {  # x, y: value, gradient
    "binary": [(INF, 1, 0, 0), (INF, 0, INF, 1), (-INF, 0, 0, 0), (-INF, 1, INF, -2)],
    "focal": [(INF, 1, 0, 0), (INF, 0, INF, 1), (-INF, 0, 0, 0), (-INF, 1, INF, -1)],
}


@pytest.mark.parametrize("alpha", [None, 0.0, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_infinite_logits_of_the_focal_loss(gamma, alpha):
    x, y, value, slope = map(np.array, zip(*INFINITIES["focal"], strict=True))
    f = partial(focal, gamma=gamma, alpha=alpha)
    one = jax.vmap(lambda x, y: (f(x, y), jax.grad(f)(x, y), jax.jacfwd(f)(x, y)))
    weight = np.ones(4) if alpha is None else np.where(y == 1, alpha, 1 - alpha)
    value, slope = (np.where(weight == 0, 0, v) for v in (value, slope))  # else it is 1
    for got, true in zip(quick_jit(one)(x, y), (value, slope, slope), strict=True):
        np.testing.assert_array_equal(got, true)


def test_infinite_logits_of_the_weighted_loss():
    x, y, value, slope = map(np.array, zip(*INFINITIES["binary"], strict=True))
    f = partial(binary, pos_weight=2.0)
    one = jax.vmap(lambda x, y: (f(x, y), jax.grad(f)(x, y), jax.grad(jax.grad(f))(x, y)))
    for got, true in zip(quick_jit(one)(x, y), (value, slope, 0 * slope), strict=True):
        np.testing.assert_array_equal(got, true)
    assert f(-INF, 1, pos_weight=0.0) == 0


@pytest.mark.parametrize("f", [binary, focal])
def test_what_a_mask_hides(f):
    """Loss and derivatives are 0 there, whatever logits and labels hold."""
    where = np.array([[True, False, True, False], [False, True, True, True]])
    x, y = (jnp.where(where, like(jnp.zeros(()), a), NAN) for a in (X, Y))
    got = f(x, y, where)
    plain = f(jnp.asarray(X), jnp.asarray(Y))
    np.testing.assert_array_equal(got, jnp.where(where, plain, 0))

    def total(x, y):
        return jnp.sum(f(x, y, where))

    @quick_jit
    def derivatives(x, y):
        return *jax.grad(total, (0, 1))(x, y), jax.hessian(total)(x, y)

    for D in derivatives(x, y):
        assert np.isfinite(D).all()
        np.testing.assert_array_equal(D[~where], 0)


@pytest.mark.parametrize("f", [binary, focal])
def test_a_mask_broadcasts_the_logits_up(f):
    where = np.array([True, False, True])[:, None, None]
    got = f(jnp.asarray(X), jnp.asarray(Y), where)
    plain = f(jnp.asarray(X), jnp.asarray(Y))
    close(got, np.where(where, plain, 0), 1e-6)
    assert f(jnp.asarray(X), 1, where).shape == (3, 2, 4)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 1), (2, 4)])
def test_shapes_of_the_positive_weight(shape):
    w = np.abs(np.resize(X, shape)) + 0.5
    got = binary(jnp.asarray(X), jnp.asarray(Y), pos_weight=jnp.asarray(w))
    close(got, plain_binary(X, Y, pos_weight=np.broadcast_to(w, X.shape)), 1e-5)
    by_w = jax.grad(lambda w: jnp.sum(binary(jnp.asarray(X), jnp.asarray(Y), pos_weight=w)))
    assert by_w(jnp.asarray(w)).shape == shape


@pytest.mark.parametrize("f", [binary, focal])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (2, 1), (2, 4, 1), (1, 2, 4), (1,)])
def test_labels_have_the_shape_of_the_logits(shape, f):
    message = (
        "`labels` must have the shape of `logits`, (2, 4), or be one number, but got shape "
        f"{shape}; broadcast them first."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        f(X, np.ones(shape))
    with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match=re.escape(message)):
        f(X, np.ones(shape))


@pytest.mark.parametrize("f", [binary, focal])
def test_one_number_is_the_label_of_all(f):
    every = f(jnp.asarray(X), np.full(X.shape, 0.25))
    close(f(jnp.asarray(X), 0.25), every, 1e-6)
    by_label = jax.grad(lambda y: jnp.sum(f(jnp.asarray(X), y)))
    each = jax.grad(lambda y: jnp.sum(f(jnp.asarray(X), y)))(jnp.full(X.shape, 0.25))
    close(by_label(jnp.asarray(0.25)), jnp.sum(each), 1e-5)


def refused(error, message, f, *args, **options):
    with pytest.raises(error, match="^" + re.escape(message)):
        f(*args, **options)


def test_errors():
    for shape in ((3,), (2, 4, 1, 1), (1, 2, 4)):
        for promotion in ("raise", "allow"):
            with jax.numpy_rank_promotion(promotion):
                message = "`pos_weight` must broadcast against `logits`, but got shapes "
                refused(
                    ValueError,
                    f"{message}{shape} and (2, 4).",
                    binary,
                    X,
                    Y,
                    pos_weight=np.ones(shape),
                )
    refused(TypeError, "`pos_weight` must be real", binary, X, Y, pos_weight=1j)
    message = "`pos_weight` must be an array or a scalar, but got list"
    refused(TypeError, message, binary, X, Y, pos_weight=[1.0])
    for f, option, wanted, wrong in (
        (binary, "label_smoothing", "lie in [0, 1]", 2.0),
        (focal, "alpha", "lie in [0, 1]", -0.5),
        (focal, "gamma", "lie in [0, 1e+30]", -1.0),
        (focal, "gamma", "lie in [0, 1e+30]", 1e300),
        (focal, "gamma", "lie in [0, 1e+30]", NAN),
    ):
        refused(
            ValueError, f"`{option}` must {wanted}, but got {wrong}", f, X, Y, **{option: wrong}
        )
        message = f"`{option}` must be a Python number, but got str."
        refused(TypeError, message, f, X, Y, **{option: "1"})
        message = f"`{option}` must be static, but it is traced; pass a Python number."
        refused(TypeError, message, jax.jit(lambda v, f=f, o=option: f(X, Y, **{o: v})), 0.5)
    for f in (binary, focal):
        refused(TypeError, "`labels` must be real", f, X, Y.astype(np.complex64))
        message = "`where` must be a boolean array, but got dtype int32; compare it"
        refused(TypeError, message, f, X, Y, np.ones((2, 4), np.int32))
        refused(ValueError, "`where` must broadcast against `logits`", f, X, Y, np.ones(3, bool))
        refused(ValueError, "`accuracy` must be 'high' or 'fast'", f, X, Y, accuracy="best")


@pytest.mark.parametrize("labels", [bool, np.int8, np.uint32, np.float16], ids=lambda d: d.__name__)
def test_labels_of_any_dtype(labels):
    y = X > 0.3
    for f, plain in ((binary, plain_binary), (focal, plain_focal)):
        got = f(jnp.asarray(X, "bfloat16"), y.astype(labels), dtype="float32")
        close(got, plain(X, y.astype(float)), 1e-5)


def test_without_examples_that_are_easy_it_is_the_cross_entropy():
    got, true = focal(jnp.asarray(X), jnp.asarray(Y), gamma=0.0), binary(X, Y)
    close(got, true, 1e-6)


@slow
def test_every_16_bit_logit_of_the_focal_loss():
    """Value and derivative are within a unit of the truth in float64."""
    x = np.arange(2**16, dtype=np.uint16).view(jnp.bfloat16)
    x = x[np.isfinite(x.astype(np.float32)) & (np.abs(x.astype(np.float32)) < 40)]
    f = jax.jit(jax.vmap(jax.value_and_grad(focal), (0, None)))
    with jax.enable_x64(True):
        true = f(x.astype(np.float64), 1.0)
    for got, t in zip(f(x, 1.0), true, strict=True):
        least = 4 * float(jnp.finfo("float32").tiny)  # a factor below tiny is flushed to 0
        close(np.asarray(got, np.float64), t, 2.0**-8, least)
