"""`axis_name=`: rows that are split over the devices of a mesh inside `jax.shard_map`."""

import itertools
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, eighths, quick_jit
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from split_rows import (
    BOTH,
    CLASS_AXIS,
    FUNCTIONS,
    LABELS,
    MASK,
    Rowwise,
    Split,
    X,
    assert_digits,
    finite,
    mesh_of,
    named,
    of_all,
    on_one_device,
    saturated,
    truth,
)

import jaxcalc as jc

AUTO, EXPLICIT = AxisType.Auto, AxisType.Explicit
UNITS = 16  # of the largest entry of a row
ROWS_ONLY, CLASSES_ONLY = PartitionSpec("data"), PartitionSpec(None, "model")
WHERE = PartitionSpec("data", "model")


def assert_true(got, function, units=UNITS, accuracy="high", every=True):
    """The digits of each row are kept by "high"; "fast" is near beside the largest of all rows."""
    true = truth(function, every)
    assert set(got) == set(true)
    for name, t in true.items():
        if accuracy == "high":
            most = units * function.condition
            assert_digits(got[name], t, function.axis, most, f"{function}, {name}")
        else:
            assert_close(got[name], t, units, f"{function}, {name}")


def some(every, quick):
    """Cases, of which those that are not among the quick ones are slow."""
    return [pytest.param(*case, marks=() if case in quick else pytest.mark.slow) for case in every]


# --- every product, outside `shard_map` ---

PRODUCTS = list(
    itertools.product(FUNCTIONS, (CLASS_AXIS, BOTH), (AUTO, EXPLICIT), ("high", "fast"))
)
QUICK_PRODUCTS = [
    (named("softmax"), CLASS_AXIS, EXPLICIT, "high"),
    (named("cross-entropy, indices"), BOTH, AUTO, "high"),
]


@pytest.mark.parametrize(
    ("function", "name", "axis_type", "accuracy"), some(PRODUCTS, QUICK_PRODUCTS), ids=str
)
def test_products(function, name, axis_type, accuracy):
    split = Split(function, name, axis_type, accuracy)
    got = quick_jit(partial(of_all, split.around()))(*split.arrays)
    assert_true(got, function, accuracy=accuracy)
    assert got["VJP"].sharding.is_equivalent_to(split.arrays[0].sharding, 2)


FEWER = [
    ("log_softmax, masked", BOTH, EXPLICIT, "high"),
    ("logsumexp, first axis", CLASS_AXIS, AUTO, "high"),
    ("logsumexp, weighted", CLASS_AXIS, AUTO, "high"),
    ("cross-entropy, distributions", CLASS_AXIS, EXPLICIT, "fast"),
]


@pytest.mark.parametrize(("which", "name", "axis_type", "accuracy"), FEWER)
def test_fewer_products(which, name, axis_type, accuracy):
    function, every = named(which), False
    split = Split(function, name, axis_type, accuracy)
    got = quick_jit(partial(of_all, split.around(), every=every))(*split.arrays)
    assert_true(got, function, accuracy=accuracy, every=every)


# --- every product, inside ---


def inside(split, every=True):
    """Tangents and cotangents are handed in, and derivatives handed out, by the same split."""
    (of_x, *beside), of_w = split.in_specs, split.out_spec
    like_w = ("value", "JVP", "forward over forward")
    specs = {name: of_w if name in like_w else of_x for name in truth(split.function, every)}
    return jax.shard_map(
        partial(of_all, split.f, every=every),
        mesh=split.mesh,
        in_specs=(of_x, of_x, of_w, *beside),
        out_specs=specs,
    )


INSIDE = list(itertools.product(FUNCTIONS, (AUTO, EXPLICIT), ("high", "fast"), (True, False)))
QUICK_INSIDE = [
    (named("softmax, masked"), AUTO, "high", False),
    (named("cross-entropy, indices"), EXPLICIT, "high", False),
]


@pytest.mark.parametrize(
    ("function", "axis_type", "accuracy", "every"), some(INSIDE, QUICK_INSIDE), ids=str
)
def test_products_inside(function, axis_type, accuracy, every):
    split = Split(function, axis_type=axis_type, accuracy=accuracy)
    got = quick_jit(inside(split, every))(*split.arrays)
    assert_true(got, function, accuracy=accuracy, every=every)


def test_directions_made_inside_are_the_same_on_all_devices():
    """Ones: J 1 = 0 and sᵀ 1 = 1, and the gradient of Σ logsumexp is s."""

    def of_ones(x):
        f = partial(jc.logsumexp, axis=-1, axis_name="model")
        s = partial(jc.softmax, axis_name="model")
        ones = jnp.ones(x.shape, x.dtype)
        nothing, one = (jax.jvp(g, (x,), (ones,))[1] for g in (s, f))
        loss, pull = jax.vjp(f, x)
        return nothing, one, pull(jnp.ones_like(loss))[0] - s(x)

    split = jax.shard_map(
        of_ones, mesh=mesh_of(AUTO), in_specs=WHERE, out_specs=(WHERE, ROWS_ONLY, WHERE)
    )
    nothing, one, rest = quick_jit(split)(X.astype(np.float32))
    np.testing.assert_array_equal(nothing, 0)
    assert_close(one, np.ones(len(X)), 2)
    assert_close(rest, np.zeros(X.shape), 2)


# --- a training step, whose last layer is split by classes ---

H, W = eighths(6, 5, seed=7), eighths(5, 24, seed=8)


def mean_loss(h, W, y, **options):
    logits = jnp.tanh(h) @ W
    return jnp.mean(jc.softmax_cross_entropy(logits, y, **options))


STEPS = list(itertools.product((AUTO, EXPLICIT), ("high", "fast")))


@pytest.mark.parametrize(("axis_type", "accuracy"), some(STEPS, STEPS[2:3]))
def test_a_step_with_a_vocabulary_that_is_split(axis_type, accuracy):
    """Gradients inside: that of W stays where it is, that of h is summed over the vocabulary."""
    mesh = mesh_of(axis_type)

    def step(h, W, y):
        def loss(h, W):
            own = mean_loss(h, W, y, axis_name="model", accuracy=accuracy)
            return lax.pmean(own, "data")

        return jax.value_and_grad(loss, (0, 1))(h, W)

    specs = (ROWS_ONLY, CLASSES_ONLY, ROWS_ONLY)
    split = jax.shard_map(
        step, mesh=mesh, in_specs=specs, out_specs=(PartitionSpec(), (ROWS_ONLY, CLASSES_ONLY))
    )
    arrays = (H.astype(np.float32), W.astype(np.float32), LABELS)
    put = (jax.device_put(a, NamedSharding(mesh, s)) for a, s in zip(arrays, specs, strict=True))
    got = quick_jit(split)(*put)
    with jax.enable_x64(True):
        true = quick_jit(jax.value_and_grad(mean_loss, (0, 1)))(H, W, LABELS)
    assert_close(got, true, 8)


# --- other transformations ---

AROUND = {
    "vmap": lambda f: jax.vmap(f),
    "scan": lambda f: lambda *arrays: lax.map(lambda row: f(*row), arrays),
    "remat": jax.checkpoint,
    "jit": jax.jit,
    "remat of vmap": lambda f: jax.checkpoint(jax.vmap(f)),
    "scan of remat": lambda f: lambda *a: lax.map(jax.checkpoint(lambda row: f(*row)), a),
}
ROWWISE = [function for function in FUNCTIONS if function.axis == -1]
TRANSFORMED = list(itertools.product(ROWWISE, AROUND))
QUICK_TRANSFORMED = [
    (named("softmax"), "vmap"),
    (named("logsumexp, masked"), "scan of remat"),
    (named("log_softmax"), "remat"),
]


@pytest.mark.parametrize(("function", "wrap"), some(TRANSFORMED, QUICK_TRANSFORMED), ids=str)
def test_transformations_inside(function, wrap):
    split = Split(function)
    got = quick_jit(partial(of_all, split.around(AROUND[wrap]), every=False))(*split.arrays)
    assert_true(got, function, every=False)


QUICK_OUTSIDE = [(named("cross-entropy, indices"), AUTO)]


@pytest.mark.parametrize(
    ("function", "axis_type"),
    some(list(itertools.product(ROWWISE, (AUTO, EXPLICIT))), QUICK_OUTSIDE),
    ids=str,
)
def test_vmap_outside(function, axis_type):
    """Over two batches, of which the second is the first in another order."""
    split = Split(function, axis_type=axis_type)

    def both(a):
        where = NamedSharding(split.mesh, PartitionSpec(None, *split.spec(a.ndim)))
        return jax.device_put(np.stack([a, a[::-1]]), where)

    f = jax.vmap(partial(of_all, split.around(), every=False))
    got = jax.tree.map(np.asarray, quick_jit(f)(*map(both, map(np.asarray, split.arrays))))
    assert_true(jax.tree.map(lambda a: a[0], got), function, every=False)
    assert_true(jax.tree.map(lambda a: a[1, ::-1], got), function, every=False)


def test_vmap_over_some_operands():
    """Many cotangents and tangents of one point, and labels of one row of logits."""
    x, T = X.astype(np.float32), eighths(3, *X.shape).astype(np.float32)

    def many(x, T, y):
        f = partial(jc.softmax, axis_name="model")
        pushed = jax.vmap(lambda t: jax.jvp(f, (x,), (t,))[1])(T)
        (pulled,) = jax.vmap(jax.vjp(f, x)[1])(T)
        loss = partial(jc.softmax_cross_entropy, axis_name="model")
        by_label = jax.vmap(jax.grad(loss), (None, 0))(x[0], y)
        return pushed, pulled, by_label

    split = jax.shard_map(
        many,
        mesh=mesh_of(AUTO),
        in_specs=(CLASSES_ONLY, PartitionSpec(None, None, "model"), PartitionSpec()),
        out_specs=(*(PartitionSpec(None, None, "model"),) * 2, CLASSES_ONLY),
    )
    pushed, pulled, by_label = quick_jit(split)(x, T, LABELS)
    s = np.exp(X - X.max(-1, keepdims=True))
    s /= s.sum(-1, keepdims=True)
    true = s * (T - np.sum(s * T, -1, keepdims=True))
    for got in (pushed, pulled):
        assert_close(got, true, 4)
    assert_close(by_label, s[0] - np.eye(X.shape[1])[LABELS], 4)


# --- few classes, and digits ---


def few(classes):
    """As many classes as devices: each has one."""
    x, y = saturated(6, classes), (LABELS % classes).astype(np.int32)
    y[0] = classes // 3
    return [
        Rowwise("softmax", jc.softmax, x, gives_classes=True),
        Rowwise("log_softmax", jc.log_softmax, x, gives_classes=True),
        Rowwise("logsumexp", jc.logsumexp, x),
        Rowwise("cross-entropy, indices", jc.softmax_cross_entropy, x, (y,)),
    ]


FEW = [*((f, CLASS_AXIS) for f in few(4)), *((f, BOTH) for f in few(8))]


@pytest.mark.parametrize(("function", "name"), some(FEW, (FEW[0], FEW[-1])), ids=str)
def test_a_class_a_device(function, name):
    split = Split(function, name)
    got = quick_jit(partial(of_all, split.around(), every=False))(*split.arrays)
    assert_true(got, function, every=False)


LARGE = np.array([3.0, 10, 17, 30, 45, 80])


def saturating(offset):
    """Rows with more and more of their probability in one class, each on another device."""
    x = eighths(6, 24, seed=9)
    x[np.arange(6), (5 * np.arange(6) + offset) % 24] += LARGE
    return x


@pytest.mark.parametrize("offset", [0, pytest.param(11, marks=pytest.mark.slow)])
@pytest.mark.parametrize("which", ["softmax", "log_softmax", "cross-entropy, indices"])
def test_saturated_rows_keep_their_digits(which, offset):
    """Down to 10⁻³⁴, in each row: where s − y and t − ⟨s, t⟩ cancel, nothing is lost."""
    beside = ()
    if which.startswith("cross"):
        beside = (((5 * np.arange(6) + offset) % 24).astype(np.int32),)
    function = replace(named(which), x=saturating(offset), beside=beside)
    split = Split(function)
    got = quick_jit(partial(of_all, split.around(), every=False))(*split.arrays)
    assert_true(got, function, every=False)


def tangents_in_common():
    """Tangents most of which is common to all classes, to those of a device, or to all but one."""
    t, device, of_row = eighths(*X.shape, seed=10), np.arange(24) // 6, (5 * np.arange(6)) % 24
    likely, first = np.eye(24)[of_row], np.eye(24)[0]
    common = np.stack(
        [
            np.zeros_like(X),
            np.full_like(X, 1e3),
            np.full_like(X, 1e6),
            np.broadcast_to(1e6 * device, X.shape),
            np.broadcast_to(1e6 * (device == 2), X.shape),
            np.broadcast_to(1e6 * (device > 0), X.shape),
            1e6 * likely,
            1e6 * (1 - likely),
            np.broadcast_to(1e6 * first, X.shape),
            np.broadcast_to(1e6 * (1 - first), X.shape),
        ]
    )
    return (common + t).astype(np.float32)


def exact(x, T):
    """J t = s_k Σ_i s_i (t_k − t_i) of each t, and the same of absolute values."""
    s = np.exp(x - x.max(-1, keepdims=True))
    s /= s.sum(-1, keepdims=True)
    t = T.astype(np.float64)
    differences = t[..., :, None] - t[..., None, :]
    pairs = s[:, :, None] * s[:, None, :]
    return np.sum(pairs * differences, -1), np.sum(pairs * np.abs(differences), -1)


@pytest.mark.parametrize("name", [CLASS_AXIS, pytest.param(BOTH, marks=pytest.mark.slow)], ids=str)
def test_products_are_as_accurate_as_documented(name):
    """Within a few units of u Σ_i s_k s_i |t_k − t_i|, for what tangents have in common too."""
    T, x = tangents_in_common(), saturating(0)
    of_x = Split(named("softmax"), name).spec(2)
    of_T = PartitionSpec(None, *of_x)

    def many(x, T):
        f = partial(jc.softmax, axis_name=name)
        pushed = jax.vmap(lambda x, t: jax.jvp(f, (x,), (t,))[1], (None, 0))(x, T)
        return pushed, jax.vmap(jax.vjp(f, x)[1])(T)[0]

    split = jax.shard_map(many, mesh=mesh_of(AUTO), in_specs=(of_x, of_T), out_specs=(of_T, of_T))
    true, size = exact(x, T)
    for got in quick_jit(split)(x.astype(np.float32), T):
        wrong = np.abs(np.asarray(got, np.float64) - true)
        units = wrong / (size * float(jnp.finfo(np.float32).eps) + 1e-45)
        assert np.max(units) <= 8, np.unravel_index(np.argmax(units), units.shape)


# --- dtypes ---

WIDE = [function for function in FUNCTIONS if function.beside == () and function.axis == -1]
DTYPE_FUNCTIONS = [*WIDE, named("cross-entropy, indices"), named("logsumexp, weighted")]
DTYPES = list(itertools.product(DTYPE_FUNCTIONS, ("bfloat16", "float16", "float64")))


@pytest.mark.parametrize(("function", "dtype"), some(DTYPES, DTYPES[:1]), ids=str)
def test_dtypes(function, dtype):
    with jax.enable_x64(dtype == "float64"):
        split = Split(function, dtype=jnp.dtype(dtype))
        got = quick_jit(partial(of_all, split.around(), every=False))(*split.arrays)
        assert {a.dtype for a in got.values()} == {jnp.dtype(dtype)}
        assert_true(got, function, every=False)


@pytest.mark.parametrize("accuracy", ["high", "fast"])
def test_integers_and_booleans(accuracy):
    f = partial(jc.softmax, axis_name="model", accuracy=accuracy)
    split = jax.shard_map(f, mesh=mesh_of(AUTO), in_specs=WHERE, out_specs=WHERE)
    for x in (MASK, LABELS[:, None] + np.arange(24, dtype=np.int32)):
        assert_close(split(x), np.asarray(jc.softmax(x)), 2)


# --- rows of infinities, of NaN, of nothing ---

SPECIAL = eighths(8, 24, seed=11)
SPECIAL[0] = -np.inf
SPECIAL[1, 7] = np.inf
SPECIAL[2, 13] = np.nan
SPECIAL[3, :6] = -np.inf  # all that the first device has
SPECIAL[4, 6:] = -np.inf  # all but that
SPECIAL[5, 20] = -np.inf
SPECIAL[5, 2] = np.inf
SOME = np.random.default_rng(12).random(SPECIAL.shape) > 0.4
SOME[6] = False
SOME[7, :12] = False
SOME[2, 13] = False  # the NaN
SPECIAL_LABELS = np.array([3, 7, 0, 2, 2, 20, 5, 6], np.int32)
SPECIAL_DISTRIBUTIONS = np.where(np.isfinite(SPECIAL), 1 / 32, 0)

SPECIAL_FUNCTIONS = [
    Rowwise("softmax", jc.softmax, SPECIAL, gives_classes=True),
    Rowwise("softmax, masked", finite(jc.softmax), SPECIAL, (SOME,), True),
    Rowwise("log_softmax", jc.log_softmax, SPECIAL, gives_classes=True),
    Rowwise(
        "log_softmax, masked",
        lambda x, m, **options: jc.log_softmax(x, where=m, **options),
        SPECIAL,
        (SOME,),
        True,
    ),
    Rowwise("logsumexp", jc.logsumexp, SPECIAL),
    replace(named("logsumexp, masked"), x=SPECIAL, beside=(SOME,)),
    replace(named("logsumexp, weighted"), x=SPECIAL, beside=(eighths(8, 24, seed=13),)),
    Rowwise("cross-entropy, indices", jc.softmax_cross_entropy, SPECIAL, (SPECIAL_LABELS,)),
    replace(named("cross-entropy, masked"), x=SPECIAL, beside=(SPECIAL_LABELS, SOME)),
    Rowwise(
        "cross-entropy, distributions",
        jc.softmax_cross_entropy,
        SPECIAL,
        (SPECIAL_DISTRIBUTIONS,),
    ),
]
SPECIAL_CASES = list(itertools.product(SPECIAL_FUNCTIONS, ("high", "fast")))
QUICK_SPECIAL = [SPECIAL_CASES[2], SPECIAL_CASES[-4]]


@pytest.mark.parametrize(("function", "accuracy"), some(SPECIAL_CASES, QUICK_SPECIAL), ids=str)
def test_special_rows_are_those_of_one_device(function, accuracy):
    """NaN and infinities where they are on one device, and numbers near its numbers."""
    split = Split(function, accuracy=accuracy)
    got = quick_jit(partial(of_all, split.around(), every=False))(*split.arrays)
    whole = replace(function, f=partial(function.f, accuracy=accuracy))
    for name, one in on_one_device(whole, np.float32, every=False).items():
        np.testing.assert_allclose(
            got[name], one, 3e-6, 3e-6, err_msg=f"{function}, {name}", equal_nan=True
        )


def test_labels_out_of_range():
    """Of the whole row, not of what a device has of it: 23 is a class, −1 and 24 are none."""
    y = np.array([23, 6, -1, 24, 30, 0], np.int32)
    f = jax.value_and_grad(lambda x, y: jnp.sum(jc.softmax_cross_entropy(x, y, axis_name="model")))
    split = jax.shard_map(
        jax.vmap(f), mesh=mesh_of(AUTO), in_specs=(WHERE, ROWS_ONLY), out_specs=(ROWS_ONLY, WHERE)
    )
    losses, gradients = quick_jit(split)(X.astype(np.float32), y)
    bad = np.array([False, False, True, True, True, False])
    np.testing.assert_array_equal(np.isnan(losses), bad)
    np.testing.assert_array_equal(np.isnan(gradients), np.broadcast_to(bad[:, None], X.shape))


# --- what is the same on all devices, and what is not ---


def test_results_of_rows_are_the_same_on_all_devices():
    """So they may leave by a spec without the class axis, signs and kept axes too."""

    def every(x, y, b):
        out, sign = jc.logsumexp(x, -1, b=b, keepdims=True, return_sign=True, axis_name="model")
        return out, sign, jc.softmax_cross_entropy(x, y, axis_name=["model"])

    split = jax.shard_map(
        every, mesh=mesh_of(AUTO), in_specs=(WHERE, ROWS_ONLY, WHERE), out_specs=ROWS_ONLY
    )
    x, b = X.astype(np.float32), eighths(*X.shape, seed=4).astype(np.float32)
    out, sign, loss = quick_jit(split)(x, LABELS, b)
    true, true_sign = jc.logsumexp(x, -1, b=b, keepdims=True, return_sign=True)
    assert out.shape == (6, 1)
    assert_close(out, np.asarray(true))
    np.testing.assert_array_equal(sign, true_sign)
    assert_close(loss, np.asarray(jc.softmax_cross_entropy(x, LABELS)))


def test_a_softmax_is_not():
    f = jax.shard_map(
        partial(jc.softmax, axis_name="model"),
        mesh=mesh_of(AUTO),
        in_specs=WHERE,
        out_specs=ROWS_ONLY,
    )
    with pytest.raises(ValueError, match="out_specs"):
        f(X.astype(np.float32))


def test_weights_that_all_devices_share():
    """Weights, masks and distributions may be given once for all devices, and are then pieces."""
    b = np.array([1.0, -0.5, 2.0, 0.25, 0.0, 3.0], np.float32)  # for the six classes of a device
    f = partial(jc.logsumexp, axis=-1, return_sign=True)

    def on_devices(x, b):
        return jax.grad(lambda b: jnp.sum(f(x, b=b, axis_name="model")[0]))(b)

    split = jax.shard_map(
        on_devices,
        mesh=mesh_of(AUTO),
        in_specs=(CLASSES_ONLY, PartitionSpec()),
        out_specs=PartitionSpec(),
    )
    x = X[1:].astype(np.float32)
    true = jax.grad(lambda b: jnp.sum(f(x, b=jnp.tile(b, 4))[0]))(b)
    assert_close(quick_jit(split)(x, b), np.asarray(true))


def test_second_derivatives_of_float16_leave_its_range_on_the_way():
    """Of rows that are split as of those that are not: a scaled loss brings small ones back."""
    x, v = (k * eighths(2, 4, seed=k) for k in (6, 8))
    g = 2.0**13 * eighths(2, 4)

    def hvp(f, x, v, g):
        return jax.jvp(lambda x: jax.vjp(f, x)[1](g)[0], (x,), (v,))[1]

    split = jax.shard_map(
        partial(hvp, partial(jc.softmax, axis_name="model")),
        mesh=mesh_of(AUTO),
        in_specs=CLASSES_ONLY,
        out_specs=CLASSES_ONLY,
    )
    got = quick_jit(split)(*(jnp.asarray(a, jnp.float16) for a in (x, v, g)))
    with jax.enable_x64(True):
        true = np.asarray(hvp(jax.nn.softmax, *map(jnp.asarray, (x, v, g))))
    normal = (np.abs(true) > 6.2e-5) & (np.abs(true) < 65504)
    assert normal.sum() > 5
    np.testing.assert_allclose(np.float64(got)[normal], true[normal], rtol=0.51 * 2.0**-10)
