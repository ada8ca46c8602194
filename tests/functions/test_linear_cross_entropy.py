"""A linear layer joined with the softmax cross-entropy: the same as the two after each other."""

import itertools
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, eighths, quick_jit
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from losses import ALL, OPTIONS, plain_loss, typed
from slow import slow, some

import jaxcalc as jc

INF, NAN = np.inf, np.nan
N, D, V = 7, 3, 4
X, KERNEL, BIAS = eighths(N, D) / 2, eighths(D, V) / 2, eighths(V)
MASK = np.array([True, True, False, True])
INDICES = np.array([1, 0, 3, 3, 1, 0, 1], np.int32)
DISTRIBUTIONS = np.abs(eighths(N, V, seed=3)) / 4
close = np.testing.assert_allclose
joined = jc.linear_softmax_cross_entropy


def in_float32(*arrays):
    return [jnp.asarray(a, "float32") for a in arrays]


def plain(x, kernel, y, bias=0.0, where=True, **options):
    where = where if where is True else np.broadcast_to(where, (*x.shape[:-1], V))
    return plain_loss(
        x @ kernel + jnp.broadcast_to(bias, (*x.shape[:-1], V)), y, -1, where, **options
    )


EACH = {"plain": {}, **OPTIONS}
SIZES = [1, 2, 3, 7, 100]
CASES = [
    (name, labels, size)
    for (name, labels), size in zip(
        itertools.product(EACH, ("indices", "distributions")), itertools.cycle(SIZES), strict=False
    )
]


@pytest.mark.parametrize(("name", "labels", "size"), some(CASES, [CASES[1], *CASES[-2:]]))
def test_it_is_the_loss_of_the_logits(name, labels, size):
    """Gradients by all three arguments, and products with the Hessian of all three."""
    options, masked = EACH[name], labels == "indices"
    y = np.eye(V)[INDICES] if labels == "indices" else DISTRIBUTIONS
    where = MASK if masked else None

    def own(x, kernel, bias):
        given = INDICES if labels == "indices" else jnp.asarray(y, x.dtype)
        more = typed(options) | {"bias": bias, "chunk_size": size}
        return joined(x, kernel, given, where, **more)

    def formula(x, kernel, bias):
        return plain(x, kernel, y, bias, True if where is None else where, **options)

    arrays, tangents = (
        (X, KERNEL, BIAS),
        tuple(eighths(*a.shape, seed=9) for a in (X, KERNEL, BIAS)),
    )

    def derivatives(f, arrays, tangents):
        def gradient(*arrays):
            return jax.grad(lambda *a: jnp.sum(f(*a) * jnp.arange(1.0, N + 1)), (0, 1, 2))(*arrays)

        def along(*arrays):
            pairs = zip(gradient(*arrays), tangents, strict=True)
            return sum(jnp.sum(g * t) for g, t in pairs)

        reverse = jax.grad(along, (0, 1, 2))(*arrays)
        return jax.jvp(f, arrays, tangents), jax.jvp(gradient, arrays, tangents), reverse

    got = quick_jit(partial(derivatives, own))(*(tuple(in_float32(*a)) for a in (arrays, tangents)))
    with jax.enable_x64(True):
        true = quick_jit(partial(derivatives, formula))(
            tuple(map(jnp.asarray, arrays)), tuple(map(jnp.asarray, tangents))
        )
        true = jax.tree.map(np.asarray, true)
    assert_close(got, true, 64)


@pytest.mark.parametrize("argument", [0, 1])
def test_the_gradient_by_one_argument(argument):
    x, kernel = in_float32(X, KERNEL)
    got = jax.grad(lambda *a: jnp.sum(joined(*a, INDICES, chunk_size=2)), argument)(x, kernel)
    true = jax.grad(lambda x, W: jnp.sum(jc.softmax_cross_entropy(x @ W, INDICES)), argument)
    close(got, true(x, kernel), 1e-5, 1e-6)


BATCHES = [(), (1,), (2, 3), (2, 1, 2), (0,), (2, 0)]


@pytest.mark.parametrize(
    "batch", [pytest.param(b, marks=slow if len(b) == 3 else ()) for b in BATCHES]
)
def test_shapes_of_the_batch(batch):
    x, y = np.resize(X, (*batch, D)).astype(np.float32), np.resize(INDICES, batch)
    kernel, bias = in_float32(KERNEL, BIAS)
    true = plain_loss(x @ KERNEL + np.broadcast_to(BIAS, (*batch, V)), np.eye(V)[y])
    for size in (None, 2):
        got = joined(x, kernel, y, bias=bias, chunk_size=size)
        assert got.shape == batch
        close(got, true, 1e-5)
        soft = joined(x, kernel, np.eye(V, dtype=np.float32)[y], bias=bias, chunk_size=size)
        close(soft, true, 1e-5)
    of_kernel = jax.grad(lambda W: jnp.sum(joined(x, W, y, chunk_size=2)))(kernel)
    assert np.isfinite(of_kernel).all()


def test_no_features():
    """The logits are the bias."""
    bias = jnp.asarray(BIAS, "float32")
    got = joined(np.zeros((N, 0), np.float32), np.zeros((0, V), np.float32), INDICES, bias=bias)
    close(got, plain_loss(np.tile(BIAS, (N, 1)), np.eye(V)[INDICES]), 1e-5)


AROUND = {
    "jit": jax.jit,
    "vmap": lambda f: lambda x, W: jax.vmap(f, (0, None))(jnp.stack([x, x]), W)[1],
    "vmap of kernels": lambda f: lambda x, W: jax.vmap(f, (None, 0))(x, jnp.stack([W, W]))[1],
    "scan": lambda f: lambda x, W: lax.map(lambda x: f(x, W), jnp.stack([x, x]))[1],
    "checkpoint": jax.checkpoint,
}


@pytest.mark.parametrize("wrap", some(AROUND, ["vmap", "scan", "checkpoint"]))
def test_transformations(wrap):
    x, kernel = in_float32(X, KERNEL)
    options = typed(ALL) | {"ignore_index": 3}

    def products(f, x, W):
        gradient = jax.grad(lambda x, W: jnp.sum(f(x, W)), (0, 1))
        return f(x, W), jax.jvp(gradient, (x, W), (x + 1, W - 1))

    def own(x, W):
        return joined(x, W, INDICES, chunk_size=3, **options)

    def formula(x, W):
        return jc.softmax_cross_entropy(x @ W, INDICES, **options)

    got = quick_jit(partial(products, AROUND[wrap](own)))(x, kernel)
    true = jax.tree.map(np.asarray, quick_jit(partial(products, formula))(x, kernel))
    assert_close(got, true, 64)


# --- digits ---


def wide_case(rows=512, features=64, classes=1000):
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((rows, features)), rng.standard_normal((features, classes)) / 4
    return *(a.astype(jnp.bfloat16) for a in (x, W)), rng.integers(0, classes, rows)


def test_digits_of_16_bits():
    """Of the same numbers in float64: the mean loss within 1e-5, gradients within 2 units."""
    x, W, y = wide_case()

    def mean(x, W):
        return jnp.mean(joined(x, W, y, chunk_size=128))

    value, got = jax.jit(jax.value_and_grad(mean, (0, 1)))(x, W)
    assert value.dtype == jnp.float32
    with jax.enable_x64(True):
        wide = [jnp.asarray(a.astype(np.float64)) for a in (x, W)]
        true, gradients = jax.jit(jax.value_and_grad(mean, (0, 1)))(*wide)
        true, gradients = float(true), [np.asarray(g) for g in gradients]
    assert abs(float(value) / true - 1) <= 1e-5
    for g, t in zip(got, gradients, strict=True):
        assert g.dtype == jnp.bfloat16
        assert np.linalg.norm(np.asarray(g).astype(np.float64) - t) <= 2.0**-8 * np.linalg.norm(t)


def test_the_dtype_of_the_result():
    x, W, y = wide_case(4, 2, 5)
    for dtype, result in ((None, "float32"), ("bfloat16", "bfloat16"), ("float16", "float16")):
        assert joined(x, W, y, dtype=dtype).dtype == result
    mixed = joined(x, W.astype(np.float32), y)
    close(mixed, joined(x, W, y), 1e-6)
    with jax.enable_x64(True):
        assert joined(X, KERNEL, INDICES).dtype == jnp.float64
    assert (
        joined(np.ones((2, 3), np.int32), np.ones((3, 4), np.int32), y[:2] * 0).dtype == "float32"
    )


# --- memory ---


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_memory(dtype):
    """Some arrays of a chunk's logits; and of the kernel in float32, a copy and the gradient."""
    rows, features, classes, size = 4096, 32, 2048, 256
    shapes = ((rows, features), (features, classes))
    x, W = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    y = jax.ShapeDtypeStruct((rows,), "int32")

    def mean(x, W, y):
        return jnp.mean(joined(x, W, y, chunk_size=size))

    program = jax.jit(jax.value_and_grad(mean, (0, 1))).lower(x, W, y).compile()
    chunk, kernel, inputs = (4 * n for n in (size * classes, features * classes, rows * features))
    temporaries = program.memory_analysis().temp_size_in_bytes
    assert temporaries <= 3 * chunk + 2 * kernel + 3 * inputs + 2**16
    assert temporaries < 4 * rows * classes / 2  # half of the logits of all rows


def test_memory_of_a_large_vocabulary():
    """By the chunks that it chooses itself; the plain formula takes more than 7.5 GiB."""
    N, D, V = 8192, 512, 128_256
    x, W = (jax.ShapeDtypeStruct(shape, "bfloat16") for shape in ((N, D), (D, V)))
    y = jax.ShapeDtypeStruct((N,), "int32")
    mean = jax.value_and_grad(lambda x, W, y: jnp.mean(joined(x, W, y)), (0, 1))
    temporaries = jax.jit(mean).lower(x, W, y).compile().memory_analysis().temp_size_in_bytes
    chunk, kernel = 4 * 512 * V, 4 * D * V
    assert temporaries <= 3 * chunk + 2 * kernel < 4e9


# --- split over devices ---

ROWS_SPLIT, VOCABULARY_SPLIT = PartitionSpec("data"), PartitionSpec(None, "model")


def mesh_of(axis_type=AxisType.Auto):
    devices = jax.devices("cpu")[:8]
    return jax.make_mesh((2, 4), ("data", "model"), (axis_type,) * 2, devices=devices)


def split_case():
    x, W = eighths(16, 6) / 2, eighths(6, 64) / 2
    return x.astype(np.float32), W.astype(np.float32), np.arange(16, dtype=np.int32) * 4


def mean_and_gradients(x, W, y, **options):
    return jax.value_and_grad(lambda x, W: jnp.mean(joined(x, W, y, **options)), (0, 1))(x, W)


PLACES = {
    "rows": (ROWS_SPLIT, PartitionSpec()),
    "vocabulary": (PartitionSpec(), VOCABULARY_SPLIT),
    "both": (ROWS_SPLIT, VOCABULARY_SPLIT),
}


PLACED = list(itertools.product(PLACES, [8, 5]))


@pytest.mark.parametrize(("place", "size"), some(PLACED, PLACED[::4] + PLACED[3:4]))
def test_arrays_that_are_split_are_not_gathered(place, size):
    mesh, (x, W, y) = mesh_of(), split_case()
    specs = (*PLACES[place], PLACES[place][0])
    put = [jax.device_put(a, NamedSharding(mesh, s)) for a, s in zip((x, W, y), specs, strict=True)]
    program = jax.jit(partial(mean_and_gradients, chunk_size=size)).lower(*put).compile()
    text = program.as_text()
    gathered = [line for line in text.splitlines() if " all-gather(" in line]
    shapes = [
        tuple(map(int, re.findall(r"\d+", s)))
        for line in gathered
        for s in re.findall(r"f32\[([\d,]+)\]", line)[:1]
    ]
    assert not any(np.prod(shape) >= 6 * 64 for shape in shapes), gathered
    if 16 % size == 0:
        assert not gathered
    assert_close(program(*put), jax.tree.map(np.asarray, mean_and_gradients(x, W, y)), 32)


TYPES = list(itertools.product(["plain", "all"], [AxisType.Auto, AxisType.Explicit]))


@pytest.mark.parametrize(("name", "axis_type"), some(TYPES, [TYPES[1], TYPES[2]]))
def test_a_vocabulary_split_by_name(name, axis_type):
    mesh, (x, W, y) = mesh_of(axis_type), split_case()
    options = {"plain": {}, "all": {k: v for k, v in ALL.items() if k != "class_weights"}}[name]
    w = None if name == "plain" else np.linspace(0.5, 2, 64, dtype=np.float32)

    def step(x, W, y, w):
        def loss(x, W):
            each = joined(x, W, y, class_weights=w, axis_name="model", chunk_size=3, **options)
            return lax.pmean(jnp.mean(each), "data")

        return jax.value_and_grad(loss, (0, 1))(x, W)

    of_w = PartitionSpec("model")
    specs = (ROWS_SPLIT, VOCABULARY_SPLIT, ROWS_SPLIT, of_w)
    split = jax.shard_map(
        step, mesh=mesh, in_specs=specs, out_specs=(PartitionSpec(), (ROWS_SPLIT, VOCABULARY_SPLIT))
    )
    got = quick_jit(split)(
        *(
            None if a is None else jax.device_put(a, NamedSharding(mesh, s))
            for a, s in zip((x, W, y, w), specs, strict=True)
        )
    )
    true = mean_and_gradients(x, W, y, class_weights=w, **options)
    assert_close(got, jax.tree.map(np.asarray, true), 32)


# --- rows that do not count ---


def test_ignored_rows():
    """Whatever they hold, they leave nothing in any gradient."""
    x, kernel, bias = in_float32(X, KERNEL, BIAS)
    hostile = x.at[1].set(NAN).at[4].set(INF)
    y = np.array([1, -100, 3, 3, -100, 0, 1])
    f = partial(joined, labels=y, ignore_index=-100, chunk_size=2)

    def total(x, kernel, bias):
        return jnp.sum(f(x, kernel, bias=bias))

    got = jax.value_and_grad(total, (0, 1, 2))(hostile, kernel, bias)
    true = jax.value_and_grad(total, (0, 1, 2))(x.at[1].set(0).at[4].set(0), kernel, bias)
    jax.tree.map(partial(close, rtol=1e-6), got, true)
    np.testing.assert_array_equal(got[1][0][jnp.array([1, 4])], 0)


def test_labels_that_are_none():
    x, kernel = in_float32(X, KERNEL)
    y = np.array([1, 4, 3, 3, -1, 0, 1])
    valid = (y >= 0) & (y < V)
    np.testing.assert_array_equal(np.isnan(joined(x, kernel, y, chunk_size=2)), ~valid)

    def total(x, kernel):
        return jnp.sum(jnp.where(valid, joined(x, kernel, y, chunk_size=2), 0))

    got = jax.grad(total, (0, 1))(x, kernel)
    few = jax.grad(lambda x, W: jnp.sum(joined(x, W, y[valid])), (0, 1))(x[valid], kernel)
    close(got[0][valid], few[0], 1e-5, 1e-6)
    close(got[1], few[1], 1e-5, 1e-6)


# --- errors ---


def refused(error, message, *args, **options):
    with pytest.raises(error, match="^" + re.escape(message)):
        joined(*args, **options)


def test_shapes_are_checked():
    message = "`x` must have shape (…, D) and `kernel` shape (D, V), but got shapes "
    for x, kernel in (((7, 3), (4, 4)), ((7, 3), (3,)), ((), (3, 4)), ((7, 3), (2, 3, 4))):
        args = (np.ones(x, np.float32), np.ones(kernel, np.float32), INDICES)
        refused(ValueError, f"{message}{x} and {kernel}.", *args)
    for shape in ((6,), (7, 1), (7, 5), ()):
        message = (
            "`labels` must have shape (7,) (class indices) or (7, 4) (distributions), but got "
            f"shape {shape}."
        )
        refused(ValueError, message, X, KERNEL, np.zeros(shape, np.int32))
    for name in ("bias", "where"):
        for shape in ((3,), (1, 4), ()):
            message = f"`{name}` must have shape (4,), but got shape {shape}."
            value = np.ones(shape, bool if name == "where" else np.float32)
            refused(ValueError, message, X, KERNEL, INDICES, **{name: value})


def test_options_are_checked():
    args = (X, KERNEL, INDICES)
    refused(ValueError, "`chunk_size` must be at least 1, but got 0.", *args, chunk_size=0)
    for size in (1.0, True, "1"):
        message = f"`chunk_size` must be an integer or None, but got {size!r}."
        refused(TypeError, message, *args, chunk_size=size)
    refused(TypeError, "`where` must be a boolean array", *args, np.ones(4, np.int32))
    refused(TypeError, "`x` must be real", 1j * X, KERNEL, INDICES)
    refused(TypeError, "`kernel` must be an array or a scalar, but got list", X, [1], INDICES)
    refused(TypeError, "`dtype` must be a real floating dtype", *args, dtype="int32")
    refused(ValueError, "`accuracy` must be 'high' or 'fast'", *args, accuracy="best")
    refused(TypeError, "`axis_name` must be the name of a mesh axis", *args, axis_name=3)
    refused(ValueError, "`axis_name` must name mesh axes", *args, axis_name="model")
    refused(ValueError, "`class_weights` must have shape (4,)", *args, class_weights=np.ones(3))
    message = "`ignore_index=-100` needs class indices, but `labels` are distributions"
    y = DISTRIBUTIONS.astype(np.float32)
    refused(ValueError, message, X, KERNEL, y, ignore_index=-100)
    message = "`labels` given as distributions"
    refused(ValueError, message, X, KERNEL, INDICES.astype(np.float32))


NUMBERS = ("label_smoothing", "z_loss", "soft_cap")


@pytest.mark.parametrize("option", NUMBERS)
def test_numbers_are_checked_in_the_words_of_the_loss(option):
    args = (X, KERNEL, INDICES)
    refused(ValueError, f"`{option}` must ", *args, **{option: -1.0})
    for value, kind in (("1", "str"), ([1.0], "list"), (np.ones(1), "ndarray")):
        message = f"`{option}` must be a Python number, but got {kind}."
        refused(TypeError, message, *args, **{option: value})
    with pytest.raises(TypeError, match=f"^`{option}` must be static, but it is traced"):
        jax.jit(lambda v: joined(*args, **{option: v}))(0.5)
    with pytest.raises(TypeError, match=r"^`ignore_index` must be static, but it is traced"):
        jax.jit(lambda v: joined(*args, ignore_index=v))(1)


@slow
def test_a_step_of_many_rows():
    """The default chunk: 2²⁴ logits."""
    x, W, y = wide_case(2000, 8, 20000)
    value = jax.jit(lambda: jnp.mean(joined(x, W, y)))()
    whole = jc.softmax_cross_entropy(x.astype(np.float32) @ W.astype(np.float32), y)
    close(value, jnp.mean(whole), 1e-6)
