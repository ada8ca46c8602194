"""The softmax cross-entropy with its options: Σ_i t_i w_i (lse − x_i) + z lse²."""

import itertools
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, eighths, like, quick_jit
from jax import lax
from losses import ALL, ALONE, OPTIONS, WEIGHTS, exact_loss, partials, plain_loss, typed
from slow import slow, some
from split_rows import products

import jaxcalc as jc

INF, NAN = np.inf, np.nan
SHAPE, AXES, K = (3, 2, 4), (-1, 0, 1), 4
MASK = np.array([True, True, False, True])
INDICES = np.array([[1, 0, 3], [3, 1, 0]]).T  # none of them masked
DISTRIBUTIONS = np.abs(eighths(*SHAPE, seed=3)) / 4
close = np.testing.assert_allclose
loss = jc.softmax_cross_entropy


def along(axis, a):
    """Its last axis, the classes, at `axis`."""
    return np.moveaxis(a, -1, axis)


def both(options, labels, axis, mask, accuracy):
    """The loss and its plain formula, of logits whose classes lie along the axis."""
    where = along(axis, np.broadcast_to(MASK, SHAPE)) if mask else None
    y = np.eye(K)[INDICES] if labels == "indices" else DISTRIBUTIONS * (MASK if mask else 1)

    def own(x):
        given = INDICES if labels == "indices" else like(x, along(axis, y))
        return loss(x, given, axis, where, accuracy=accuracy, **typed(options, "float32"))

    plain_where = True if where is None else where
    return own, partial(plain_loss, y=along(axis, y), axis=axis, where=plain_where, **options)


X, T, G = (eighths(*SHAPE, seed=seed) for seed in range(3))


def check(options, labels, axis, mask, accuracy, dtype):
    """Value and three derivatives."""
    own, plain = both(options, labels, axis, mask, accuracy)
    x, t, g = along(axis, X), along(axis, T), G[..., 0]
    with jax.enable_x64(True):
        true = quick_jit(partial(products, plain))(*map(jnp.asarray, (x, t, g)))
    with jax.enable_x64(dtype == "float64"):
        got = quick_jit(partial(products, own))(*(jnp.asarray(a, dtype) for a in (x, t, g)))
    for name, value in true.items():
        assert got[name].dtype == dtype
        assert_close(got[name], np.asarray(value), 32, name)


WAYS = list(itertools.product(AXES, (False, True), ("high", "fast")))
LABELS = ("indices", "distributions")
PAIRS = list(itertools.product(OPTIONS, LABELS))
QUICK_PAIRS = [pair for pair in PAIRS if PAIRS.index(pair) % 3 == 0 or pair[0] == "all"]


@pytest.mark.parametrize(("name", "labels"), some(PAIRS, QUICK_PAIRS))
def test_value_and_three_derivatives(name, labels):
    check(OPTIONS[name], labels, *WAYS[7 * PAIRS.index((name, labels)) % len(WAYS)], "float32")


@slow
@pytest.mark.parametrize(("axis", "mask", "accuracy"), WAYS)
@pytest.mark.parametrize("labels", LABELS)
def test_all_options_every_way(labels, axis, mask, accuracy):
    check(ALL, labels, axis, mask, accuracy, "float32")


DTYPES = [(*pair, dtype) for pair in PAIRS[-4:] for dtype in ("float16", "bfloat16", "float64")]


@pytest.mark.parametrize(("name", "labels", "dtype"), some(DTYPES, [DTYPES[-2], DTYPES[8]]))
def test_dtypes(name, labels, dtype):
    check(OPTIONS[name], labels, -1, True, "high", dtype)


@pytest.mark.slow
def test_all_options_over_several_axes():
    """Of distributions, but for the weights."""
    options = {name: value for name, value in ALL.items() if name != "class_weights"}
    y = DISTRIBUTIONS.reshape(3, 8)
    got = loss(jnp.asarray(X), jnp.asarray(DISTRIBUTIONS), (1, -1), **options)
    close(got, plain_loss(X.reshape(3, 8), y, **options), rtol=1e-5)
    with jax.enable_x64(True):
        whole = loss(jnp.asarray(X), jnp.asarray(DISTRIBUTIONS), None, **options)
        close(whole, plain_loss(X.ravel(), DISTRIBUTIONS.ravel(), **options), rtol=1e-12)


def test_masks_that_differ_between_rows():
    """K, and so the smoothing, is a row's own."""
    where = np.array([[True, True, False, True], [True, False, False, True], [True] * 4])
    x, labels = X[:, 0], np.array([1, 0, 2])
    got = loss(jnp.asarray(x), labels, where=where, label_smoothing=0.25)
    close(got, plain_loss(x, np.eye(K)[labels], where=where, label_smoothing=0.25), rtol=1e-5)


SATURATED = {
    "label": (np.array([20.0, 0.0, -0.5, 1.0]), 0),
    "far": (np.array([60.0, 0.0, -0.5, 1.0]), 0),
    "other": (np.array([20.0, 0.0, -0.5, 1.0]), 3),
}
EXACT = {name: OPTIONS[name] for name in ("weights", "cap")} | {
    "weights, cap": {"class_weights": WEIGHTS, "soft_cap": 30.0},
    "smoothing, weights, z": {name: v for name, v in ALL.items() if name != "soft_cap"},
}


SATURATED_CASES = list(itertools.product(EXACT, SATURATED))


@pytest.mark.parametrize(("name", "place"), some(SATURATED_CASES, SATURATED_CASES[::4]))
def test_saturated_rows_keep_their_digits(name, place):
    """Each entry of the gradient and of the Hessian, relative to its own size."""
    options, (x, y) = EXACT[name], SATURATED[place]
    labels = np.eye(K)[y]

    def own(labels):
        return lambda x: loss(x, labels, **typed(options, "float32"))

    x = jnp.asarray(x)
    for given in (y, like(x, labels)):
        f = own(given)
        got = quick_jit(lambda x, f=f: (f(x), jax.grad(f)(x), jax.hessian(f)(x)))(x)
        for order, value in enumerate(got):
            true = partials(partial(exact_loss, y=labels, **options), np.asarray(x), order)
            # what is smoothed has no small entries; of a distribution only the Hessian has
            small = 2e-7 if (given is not y and order < 2) or "z" in name else 0
            subnormal = float(np.finfo(np.float32).tiny)
            close(value, true, 1e-5, subnormal + small * np.max(np.abs(true), initial=1))


# --- digits: of 16-bit logits, in float32 and rounded once ---


def many(count, classes, scale=20.0, seed=0):
    rng = np.random.default_rng(seed)
    x = (scale * rng.standard_normal((count, classes))).astype(jnp.bfloat16)
    return x, rng.integers(0, classes, count)


def test_the_mean_loss_of_16_bit_logits():
    x, y = many(4096, 1000)
    mean = jnp.mean(loss(x, y, dtype=jnp.float32))
    wide = x.astype(np.float64)
    top = wide.max(-1, keepdims=True)
    lse = np.log(np.exp(wide - top).sum(-1)) + top[:, 0]
    true = np.mean(lse - wide[np.arange(4096), y])
    assert abs(float(mean) / true - 1) <= 1e-6


ROUNDED = list(itertools.product(["plain", *OPTIONS], LABELS, ["bfloat16", "float16"]))
QUICK_ROUNDED = [("plain", "indices", "bfloat16"), ("all", "distributions", "bfloat16")]


@pytest.mark.parametrize(("name", "labels", "dtype"), some(ROUNDED, QUICK_ROUNDED))
def test_a_gradient_of_16_bits_is_rounded_once(name, labels, dtype):
    options = {"plain": {}, **OPTIONS}[name]
    x, y = many(64, K, 4.0)
    x = jnp.asarray(x, dtype)
    one_hot = np.eye(K)[y]
    given = y if labels == "indices" else jnp.asarray(one_hot, "float32")

    def total(x):
        each = loss(x, given, dtype="float32", **typed(options, "float32"))
        return jnp.sum(each), each

    got, each = quick_jit(jax.grad(total, has_aux=True))(x)
    with jax.enable_x64(True):
        wide = jnp.asarray(x, "float64")
        plain = partial(plain_loss, y=one_hot, **options)
        true, gradient = plain(wide), jax.grad(lambda x: jnp.sum(plain(x)))(wide)
        true, gradient = np.asarray(true), np.asarray(gradient)
    assert each.dtype == jnp.float32
    close(each, true, 1e-6, 1e-6)
    assert got.dtype == dtype
    info = jnp.finfo(dtype)
    spacing = np.exp2(np.floor(np.log2(np.abs(gradient) + 1e-300))) * float(info.eps)
    spacing = np.maximum(spacing, float(info.smallest_subnormal))
    error = np.abs(np.asarray(got, np.float64) - gradient)
    assert np.all(error <= 0.51 * spacing + 3e-7 * (name in ("smoothing", "all", "z")) + 1e-9)


MIXED = {  # of logits and labels
    "indices": lambda x, y, **o: loss(x, np.array([0, 2]), ignore_index=2, **ALONE["z"], **o),
    "weights": lambda x, w, **o: loss(x, np.array([0, 2]), class_weights=w[0], **o),
    "distributions": loss,
    "distributions, options": partial(loss, label_smoothing=0.25, z_loss=0.5, soft_cap=2.0),
    "binary": jc.sigmoid_binary_cross_entropy,
    "binary, weights": lambda x, w, **o: jc.sigmoid_binary_cross_entropy(x, 1, pos_weight=w, **o),
    "focal": partial(jc.sigmoid_focal_loss, alpha=0.25),
    "divergence": jc.kl_divergence,
}
THREE = [
    ("bfloat16", "float16", "float32"),
    ("float32", "bfloat16", "float16"),
    ("float32", "float64", "bfloat16"),
    ("float16", "float32", "float64"),
]


@pytest.mark.parametrize(("logits", "labels", "result"), some(THREE, THREE[::3]))
@pytest.mark.parametrize("name", MIXED)
@pytest.mark.usefixtures("x64")
def test_second_derivatives_of_three_dtypes(name, logits, labels, result):
    """Under strict promotion; each has the dtype of the argument it is last taken by."""
    arguments = [jax.ShapeDtypeStruct((2, 3), dtype) for dtype in (logits, labels)]

    def total(x, y):
        each = MIXED[name](x, y, dtype=result)
        assert each.dtype == result
        return jnp.sum(each)

    for i, j in itertools.product((0, 1), repeat=2):
        reverse = jax.eval_shape(jax.jacrev(jax.grad(total, i), j), *arguments)
        forward = jax.eval_shape(jax.jacfwd(jax.grad(total, i), j), *arguments)
        assert reverse.dtype == (logits, labels)[j]
        assert forward.dtype == (logits, labels)[i]


@pytest.mark.slow
def test_the_hessian_of_a_wider_result():
    x, y = jnp.asarray(X[:, 0], "bfloat16"), INDICES[:, 0]
    got = jax.hessian(lambda x: jnp.sum(loss(x, y, dtype="float32")))(x)
    true = jax.hessian(lambda x: jnp.sum(loss(x, y)))(x.astype("float32"))
    assert got.dtype == jnp.bfloat16
    close(got.astype("float32"), true, 2.0**-7, 1e-6)


@pytest.mark.parametrize(("logits", "result"), [("float32", "float16"), ("float32", "bfloat16")])
def test_a_narrower_result(logits, result):
    x, y = X[:, 0].astype(logits), INDICES[:, 0]
    value, gradient = jax.value_and_grad(lambda x: jnp.sum(loss(x, y, dtype=result)))(x)
    assert (value.dtype, gradient.dtype) == (result, logits)
    close(value.astype(float), float(jnp.sum(loss(x, y))), rtol=1e-2)
    close(gradient, jax.grad(lambda x: jnp.sum(loss(x, y)))(x), rtol=1e-6)


# --- rows that do not count, and labels that are none ---

HOSTILE = np.array(
    [[NAN] * 4, [INF] * 4, [-INF] * 4, [1.0, NAN, INF, -INF], [0.5, 2.0, -1.0, 0.25]]
)
FINITE = np.array([0.5, 2.0, -1.0, 0.25])


def all_derivatives(f, x):
    """The Jacobian by both modes, and the Hessian of Σf by all four."""

    def total(x):
        return jnp.sum(f(x))

    return {
        "forward": jax.jacfwd(f)(x),
        "reverse": jax.jacrev(f)(x),
        "gradient": jax.grad(total)(x),
        "forward over reverse": jax.jacfwd(jax.grad(total))(x),
        "reverse over reverse": jax.jacrev(jax.grad(total))(x),
        "forward over forward": jax.jacfwd(jax.jacfwd(total))(x),
        "reverse over forward": jax.jacrev(jax.jacfwd(total))(x),
    }


@pytest.mark.parametrize("index", ["uint8", "uint32"])
def test_an_ignored_index_that_no_label_can_be(index):
    labels, x = np.array([3, 1, 0, 1, 2], index), np.tile(FINITE, (5, 1))
    got = loss(jnp.asarray(x), labels, ignore_index=-100)
    close(got, plain_loss(x, np.eye(K)[labels]), 1e-5)


@pytest.mark.parametrize(
    ("name", "ignored", "index"),
    [("plain", -100, "int8"), ("all", 2, "uint8"), pytest.param("all", -100, "int32", marks=slow)],
)
def test_ignored_rows(name, ignored, index):
    """Their loss and every derivative is exactly 0, whatever they hold."""
    options = {"plain": {}, "all": ALL}[name]
    labels = np.array([ignored] * 4 + [1]).astype(index)
    f = partial(loss, labels=labels, ignore_index=ignored, **typed(options, "float32"))
    x = jnp.asarray(HOSTILE)
    value = f(x)
    np.testing.assert_array_equal(value[:4], 0)
    close(value[4], plain_loss(FINITE, np.eye(K)[1], **options), rtol=1e-5)
    for mode, D in quick_jit(partial(all_derivatives, f))(x).items():
        assert np.isfinite(D).all(), mode
        np.testing.assert_array_equal(D[:4], 0, mode)
        assert np.any(D[4]), mode


def test_ignored_rows_have_no_derivative_by_the_weights():
    def total(w):
        labels = np.array([-1, -1, -1, -1, 1])
        each = loss(jnp.asarray(HOSTILE), labels, ignore_index=-1, class_weights=w)
        return jnp.sum(each)

    got = jax.grad(total)(jnp.asarray(WEIGHTS, "float32"))
    np.testing.assert_array_equal(got[jnp.array([0, 2, 3])], 0)
    assert np.isfinite(got[1])


WRAPS = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "vmap": lambda f: lambda x, y: jax.vmap(lambda x, y: f(x[None], y[None])[0])(x, y),
    "scan": lambda f: lambda x, y: lax.map(lambda xy: f(xy[0][None], xy[1][None])[0], (x, y)),
}
INVALID = np.array([4, -100, 1, -1, 127])


INVALID_CASES = list(itertools.product(["plain", "weights", "all", "ignored"], WRAPS))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wrap"), INVALID_CASES)
def test_labels_that_are_none_and_are_masked_afterwards(name, wrap):
    options = {"plain": {}, "ignored": {"ignore_index": -100}, **OPTIONS}[name]
    given = WRAPS[wrap](lambda x, y: loss(x, y, **typed(options, "float32")))
    x, y, valid = jnp.asarray(X.reshape(6, 4)[:5]), INVALID, np.arange(5) == 2
    value = np.asarray(given(x, y))
    none = ~valid & ~((y == -100) & (name == "ignored"))
    np.testing.assert_array_equal(np.isnan(value), none)

    def masked(x):
        return jnp.where(valid, given(x, y), 0)

    got = quick_jit(partial(all_derivatives, masked))(x)
    for mode, D in got.items():
        assert np.isfinite(D).all(), mode
        np.testing.assert_array_equal(D[~valid], 0, mode)
    with jax.enable_x64(True):
        plain = {k: v for k, v in options.items() if k != "ignore_index"}
        true = jax.grad(lambda x: plain_loss(x, np.eye(K)[1], **plain))(jnp.asarray(X[1, 0]))
        close(got["gradient"][2], true, 1e-5, 1e-6)

    bare = quick_jit(partial(all_derivatives, lambda x: given(x, y)))(x)
    for mode in ("gradient", "forward", "reverse"):
        D = bare[mode] if mode == "gradient" else np.stack([bare[mode][i, i] for i in range(5)])
        # a weight of 0 hides NaN from no one
        assert np.isnan(D[none]).any(-1).all(), mode
        assert np.isfinite(D[~none]).all(), mode


# --- weights of classes ---


@pytest.mark.parametrize("labels", LABELS)
def test_derivatives_by_the_weights(labels):
    """And mixed ones by weights and logits, in every order."""
    options = {"label_smoothing": 0.125, "soft_cap": 2.0, "z_loss": 0.25}
    y = np.eye(K)[INDICES] if labels == "indices" else DISTRIBUTIONS

    def derivatives(f, x, w):
        by_w, by_x = jax.grad(f, 1), jax.grad(f, 0)
        return {
            "w": by_w(x, w),
            "w, forward": jax.jacfwd(f, 1)(x, w),
            "w, x": jax.jacfwd(by_w, 0)(x, w),
            "w, x, reverse": jax.jacrev(by_w, 0)(x, w),
            "x, w": jax.jacfwd(by_x, 1)(x, w),
            "x, w, reverse": jax.jacrev(by_x, 1)(x, w),
            "w, w": jax.hessian(f, 1)(x, w),
            "x, x, w": jax.jacfwd(jax.hessian(f, 0), 1)(x, w),
        }

    def own(x, w):
        given = INDICES if labels == "indices" else like(x, y)
        return jnp.sum(loss(x, given, class_weights=w, **options))

    def plain(x, w):
        return jnp.sum(plain_loss(x, y, class_weights=w, **options))

    x, w = X.astype(np.float32), WEIGHTS.astype(np.float32)
    got = quick_jit(partial(derivatives, own))(x, w)
    with jax.enable_x64(True):
        true = quick_jit(partial(derivatives, plain))(jnp.asarray(X), jnp.asarray(WEIGHTS))
    for name, value in true.items():
        assert_close(got[name], np.asarray(value), 32, name)


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "smoothing"), [*itertools.product(LABELS, [0.0, 0.25, 1.0])])
def test_a_class_of_weight_0_adds_nothing(labels, smoothing):
    """Though its logit be −inf, or be masked, and be it the label's."""
    w, x = jnp.array([0.0, 1.0, 2.0, 0.5]), jnp.array([-INF, 2.0, -1.0, 0.25])
    y = 0 if labels == "indices" else jnp.array([0.5, 0.25, 0.25, 0.0])
    few = np.array([0.0, 0, 0]) if labels == "indices" else np.array([0.25, 0.25, 0.0])

    def plain(x, w):
        t = (1 - smoothing) * few + smoothing / 4
        return jnp.sum(t * w * (jnp.log(jnp.sum(jnp.exp(x))) - x))

    def f(x, w):
        return loss(x, y, class_weights=w, label_smoothing=smoothing)

    value, by_x = jax.value_and_grad(f)(x, w)
    true, gradient = jax.value_and_grad(plain)(x[1:], w[1:])
    close(value, true, 1e-6, 1e-6)
    close(by_x, [0, *gradient], 1e-5, 1e-6)
    by_w = jax.grad(f, 1)(x, w)
    assert np.isfinite(by_w[1:]).all()
    assert not np.isnan(jax.hessian(f)(x, w)).any()


def test_a_label_of_weight_0_is_ignored():
    got = loss(jnp.asarray(X), INDICES, class_weights=np.array([1, 0, 1, 1]))
    assert np.all((got == 0) == (INDICES == 1))


@pytest.mark.parametrize("smoothing", [0.5, 1.0])
def test_smoothing_of_a_masked_label(smoothing):
    """Of all that is left over where nothing of the label is."""
    got = loss(jnp.asarray(FINITE), 2, where=MASK, label_smoothing=smoothing)
    if smoothing < 1:
        assert got == INF
    else:
        close(got, plain_loss(FINITE, 0, where=MASK, label_smoothing=1.0), 1e-6)


# --- labels ---

INTEGERS = ["int8", "int16", "int32", "uint8", "uint16", "uint32"]


@pytest.mark.parametrize("index", [*INTEGERS, "int64", "uint64"])
def test_class_indices_of_any_dtype(index):
    options = typed(ALL, "float32")
    with jax.enable_x64("64" in index):
        x, y = jnp.asarray(X, "float32"), jnp.asarray(INDICES, index)
        assert y.dtype == index
        got = loss(x, y, ignore_index=3, **options)
    true = plain_loss(X, np.eye(K)[INDICES], **ALL)
    close(got, np.where(INDICES == 3, 0, true), 1e-5)


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, "float16", "bfloat16", "float32"])
@pytest.mark.parametrize("logits", ["float32", "bfloat16"])
def test_one_hot_rows_of_any_dtype(logits, dtype):
    y = np.eye(K)[INDICES].astype(jnp.dtype(dtype))
    got = loss(jnp.asarray(X, logits), y, dtype="float32", **typed(ALL, "float32"))
    close(got, plain_loss(X, np.eye(K)[INDICES], **ALL), 1e-5)


# --- errors ---


def refused(error, message, f, *args, **options):
    with pytest.raises(error, match="^" + re.escape(message)):
        f(*args, **options)


ROWS, TWO = np.zeros((2, 3), np.float32), np.array([0, 1])
NUMBERS = {
    "label_smoothing": ("lie in [0, 1]", -0.1, 1.5, INF),
    "z_loss": ("lie in [0, 1e+30]", -1.0, 1e300, INF, NAN),
    "soft_cap": ("lie in [1e-30, 1e+30]", 0.0, -1.0, 1e-39, 1e38, INF),
}


@pytest.mark.parametrize("option", NUMBERS)
def test_numbers_are_checked(option):
    wanted, *wrong = NUMBERS[option]
    for value in wrong:
        message = f"`{option}` must {wanted}, but got {float(value)}."
        refused(ValueError, message, loss, ROWS, TWO, **{option: value})
    for value, kind in (("1", "str"), (True, "bool"), (np.ones(1), "ndarray"), ([1], "list")):
        message = f"`{option}` must be a Python number, but got {kind}."
        refused(TypeError, message, loss, ROWS, TWO, **{option: value})
    message = f"`{option}` must be static, but it is traced; pass a Python number."
    refused(TypeError, message, jax.jit(lambda v: loss(ROWS, TWO, **{option: v})), 0.5)
    assert loss(ROWS, TWO, **{option: np.float32(0.5)}).shape == (2,)


def test_numbers_beyond_any_float():
    for option, (wanted, *_) in NUMBERS.items():
        message = f"`{option}` must {wanted}, but got "
        refused(ValueError, f"{message}inf.", loss, ROWS, TWO, **{option: 10**400})
        refused(ValueError, f"{message}-inf.", loss, ROWS, TWO, **{option: -(10**400)})


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_ends_of_the_ranges(dtype):
    """Value and gradient are what they are of the formula."""
    y = np.eye(K)[INDICES]
    for options in ({"soft_cap": 1e-30}, {"soft_cap": 1e30}, {"z_loss": 1e30}):
        with jax.enable_x64(dtype == "float64"):
            x = jnp.asarray(X, dtype)
            each = loss(x, INDICES, dtype="float32", **options)
            D = jax.grad(lambda x, o=options: jnp.sum(loss(x, INDICES, dtype="float32", **o)))(x)
        with jax.enable_x64(True):
            plain = partial(plain_loss, y=y, **options)
            true = plain(jnp.asarray(X))
            slope = jax.grad(lambda x, f=plain: jnp.sum(f(x)))(jnp.asarray(X))
        scale = options.get("z_loss", 1)
        close(each, true, 1e-5, 1e-30)
        close(D.astype(float), slope, 2.0**-7 if dtype == "bfloat16" else 1e-5, 1e-5 * scale)


def test_the_ignored_index_is_checked():
    for value in (1.0, True, "1", [1]):
        message = f"`ignore_index` must be an integer or None, but got {value!r}."
        refused(TypeError, message, loss, ROWS, TWO, ignore_index=value)
    message = "`ignore_index` must be static, but it is traced; pass a Python integer."
    refused(TypeError, message, jax.jit(lambda v: loss(ROWS, TWO, ignore_index=v)), 1)
    message = (
        "`ignore_index=-100` needs class indices, but `labels` are distributions; leave their rows "
        "out of the mean instead."
    )
    refused(ValueError, message, loss, ROWS, ROWS, ignore_index=-100)


def test_class_weights_are_checked():
    for shape in ((2,), (), (2, 3), (1, 3)):
        message = (
            "`class_weights` must have shape (3,), one number for each class, but got shape "
            f"{shape}."
        )
        refused(ValueError, message, loss, ROWS, TWO, class_weights=np.ones(shape, np.float32))
    for axis in ((0, 1), None):
        message = "`class_weights` need a single class axis, but `axis` names 2; multiply the"
        refused(ValueError, message, loss, ROWS, ROWS, axis, class_weights=np.ones(3))
    message = "`class_weights` must be an array or a scalar, but got list"
    refused(TypeError, message, loss, ROWS, TWO, class_weights=[1.0, 1.0, 1.0])
    message = "`class_weights` must be real, but got dtype complex64"
    refused(TypeError, message, loss, ROWS, TWO, class_weights=np.ones(3, np.complex64))


def test_the_dtype_is_checked():
    for dtype, f in itertools.product(
        ("int32", "complex64", bool, "none", 3),
        (loss, jc.sigmoid_binary_cross_entropy, jc.sigmoid_focal_loss, jc.kl_divergence),
    ):
        message = f"`dtype` must be a real floating dtype or None, but got {dtype!r}."
        refused(TypeError, message, f, ROWS, ROWS, dtype=dtype)
        refused(TypeError, message, jc.entropy, ROWS, dtype=dtype)


def test_64_bits_need_their_switch():
    for f in (loss, jc.sigmoid_binary_cross_entropy, jc.sigmoid_focal_loss, jc.kl_divergence):
        for dtype in ("float64", jnp.float64, np.dtype("float64")):
            message = (
                "`dtype` must have at most 32 bits where `jax_enable_x64` is off, but got float64; "
                "set it by `jax.config.update('jax_enable_x64', True)` or pass float32."
            )
            refused(ValueError, message, f, ROWS, ROWS, dtype=dtype)
            with jax.enable_x64(True):
                assert f(ROWS, ROWS, dtype=dtype).dtype == np.float64


def test_class_indices_that_are_no_integers():
    for f in (loss, lambda x, y: jc.linear_softmax_cross_entropy(x, np.eye(3, dtype="f"), y)):
        message = (
            "`labels` given as distributions (dtype float32) must have shape (2, 3) for `logits` "
            "of shape (2, 3), but got shape (2,); class indices must be integers, cast them."
        )
        refused(ValueError, message, f, ROWS, TWO.astype("float32"))


def test_labels_of_one_column_are_to_be_squeezed():
    message = (
        "`labels` given as one-hot rows (dtype int64) must have shape (2, 3) for `logits` of shape "
        "(2, 3), but got shape (2, 1); squeeze its axis of size 1."
    ).replace("int64", "int32")
    refused(ValueError, message, loss, ROWS, TWO[:, None].astype(np.int32), **ALONE["z"])


def test_options_under_vmap_are_those_of_each_row():
    options = typed(ALL, "float32")
    x, y = jnp.asarray(X.reshape(6, 4)), INDICES.reshape(6)
    w = jnp.asarray(np.stack([WEIGHTS * (i + 1) for i in range(6)]), "float32")
    rest = {name: value for name, value in options.items() if name != "class_weights"}
    got = jax.vmap(lambda x, y, w: loss(x, y, class_weights=w, **rest))(x, y, w)
    each = [loss(x[i], y[i], class_weights=w[i], **rest) for i in range(6)]
    close(got, np.stack(each), 1e-6)
