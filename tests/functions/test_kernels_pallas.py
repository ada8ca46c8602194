"""The kernels themselves against float64, and lowered for CUDA under transformations.

On a GPU that has clusters they are run; elsewhere those of one block are interpreted, and those of
more are only lowered.
"""

import importlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from slow import some

import jaxcalc as jc
from jaxcalc._compat import compute_capabilities
from jaxcalc._functions.kernels import maps
from jaxcalc._functions.kernels.forms import HOPPER, run
from jaxcalc._functions.kernels.layout import Tiling
from jaxcalc._functions.rows import Rows

# on jax 0.10 this needs absl-py
pytest.importorskip("jax.experimental.pallas.mosaic_gpu", exc_type=ImportError)
map_rows = importlib.import_module("jaxcalc._functions.kernels.rows").map_rows
params = importlib.import_module("jax._src.pallas.mosaic_gpu.interpret.params")

INTERPRETED = 1024  # classes: a row that is one block's
ON_GPU = (64, 192, 10_048, 16_384, 32_768, 65_536, 128_256, 151_936, 202_048, 262_144)
ROUNDOFF = {"float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}
LIMITS = {"high": 16, "fast": 120}  # in float32, in units of the roundoff; one rounding else


def on_gpu():
    """Whether the kernels can be run."""
    capabilities = compute_capabilities()
    return bool(capabilities) and min(capabilities) >= HOPPER


@pytest.fixture(scope="module")
def gpu():
    """Asked for by what cannot be interpreted."""
    if not on_gpu():
        pytest.skip("needs an NVIDIA GPU of compute capability 9.0 or newer")


@pytest.fixture(scope="module", params=[INTERPRETED, *ON_GPU])
def rows(request):
    """Logits: random ones, a winner that has nearly all, equal ones with some −inf; tangents."""
    classes = request.param
    if classes != INTERPRETED:
        request.getfixturevalue("gpu")
    return made(classes)


@pytest.fixture
def short_rows():
    """Rows as `rows` has them, of one length."""
    return made(INTERPRETED)


def made(classes):
    rng, shape, place = np.random.default_rng(3), (3, classes), np.arange(classes)
    x = 8 * rng.normal(size=shape)
    x[1] = np.where(place == classes // 2, 12.0, rng.normal(size=classes) - 9)
    x[2] = np.where(place % 7 == 0, -np.inf, 3.0)
    t = rng.normal(size=shape)
    t[1] += min(30, 3e4 / classes)  # with a sum that float16 can hold
    return x, t


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def total(x):
    return x.sum(-1, keepdims=True)


def interpreter():
    return None if on_gpu() else params.InterpretGPUParams()


def computed(of, operands, rows):
    f = jax.jit(lambda *operands: run(of, operands, rows, interpreter()))
    return np.asarray(f(*operands).astype(jnp.float32), np.float64)


def rounded(x, dtype):
    """x in that dtype, and what it then is."""
    array = jnp.asarray(x, dtype)
    return array, np.asarray(array.astype(jnp.float32), np.float64)


@pytest.mark.parametrize("accuracy", ["high", "fast"])
@pytest.mark.parametrize("dtype", some(ROUNDOFF, ["float32"]))
def test_values(rows, dtype, accuracy):
    x, exact = rounded(rows[0], dtype)
    form, u = Rows((-1,), accuracy), ROUNDOFF[dtype]
    s, got = softmax(exact), computed(maps.softmax, [x], form)
    normal = s > 1e-30 if dtype != "float16" else s > 6.2e-5
    limit = LIMITS[accuracy] if dtype == "float32" else 1.01
    assert np.max(np.abs(got - s)[normal] / s[normal]) <= limit * u
    assert np.all(got[s == 0] == 0)
    logs = computed(maps.log_softmax, [x], form)
    finite = s > 0
    true = np.log(s, where=finite, out=np.full(s.shape, -np.inf))
    allowed = 3 * ROUNDOFF["float32"] * (np.abs(true) + 4 + np.log2(s.shape[1])) + u * np.abs(true)
    assert np.all(np.abs(logs[finite] - true[finite]) <= allowed[finite])
    assert np.all(logs[~finite] == -np.inf)


PRODUCTS = [
    ("softmax_product", "softmax", lambda s, t: s * (t - total(s * t))),
    ("softmax_product", "logits", lambda s, t: s * (t - total(s * t))),
    ("log_softmax_product", "logits", lambda s, t: t - total(s * t)),
    ("log_softmax_transposed", "logits", lambda s, t: t - s * total(t)),
]


@pytest.mark.parametrize(("name", "source", "plain"), PRODUCTS)
@pytest.mark.parametrize("dtype", some(ROUNDOFF, ["bfloat16"]))
def test_products_are_near_the_formulas(rows, dtype, name, source, plain):
    """Within u times the terms of which the result is the sum, kept values taken as they are."""
    x, exact = rounded(rows[0], dtype)
    s = softmax(exact)
    if source == "softmax":
        x, s = rounded(s, dtype)
        s = s / total(s)
    t, exact_t = rounded(rows[1], dtype)
    form = Rows((-1,), "high", source)
    got = computed(getattr(maps, name), [x, t], form)
    true = plain(s, exact_t)
    terms = {
        "softmax_product": s * (np.abs(exact_t) + total(s * np.abs(exact_t))),
        "log_softmax_product": np.abs(exact_t) + total(s * np.abs(exact_t)),
        "log_softmax_transposed": np.abs(exact_t) + s * total(np.abs(exact_t)),
    }[name]
    steps = 20 if dtype == "float32" else 1.1 if source == "logits" else 3
    assert np.all(np.abs(got - true) <= steps * ROUNDOFF[dtype] * terms + 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["softmax", "logits"])
@pytest.mark.parametrize("accuracy", ["high", "fast"])
def test_curvature(short_rows, source, accuracy):
    x, exact = rounded(short_rows[0], "float32")
    s = softmax(exact)
    r = jnp.asarray(s, jnp.float32) if source == "softmax" else x
    (t, exact_t), (u, exact_u) = (
        rounded(np.roll(short_rows[1], k, 1) % 3, "float32") for k in (0, 5)
    )
    form = Rows((-1,), accuracy, source)
    centered, other = (v - total(s * v) for v in (exact_t, exact_u))
    change = exact_u if source == "softmax" else s * other
    true = change * centered
    sum_ = total(true)  # it cancels, and leaves the rounding of its terms
    got = computed(maps.softmax_curvature, [r, t, u], form)
    np.testing.assert_allclose(got, true - s * sum_, 1e-4, 1e-6 * (3 + np.max(np.abs(sum_))))
    both = centered * other
    true = both if source == "softmax" else s * (both - total(s * both))
    got = computed(maps.softmax_curvature_transposed, [r, t, u], form)
    np.testing.assert_allclose(got, true, 1e-4, 3e-6)


def natural_error(got, s, t):
    """The error of a softmax product in units of u Σ_i s_k s_i |t_k − t_i|."""
    true = s * (t - total(s * t))
    condition = (
        s * np.stack([total(s * np.abs(t - t[:, k : k + 1])) for k in range(s.shape[1])], 1)[..., 0]
    )
    return np.max(np.abs(got - true) / (condition + 1e-37)) / 2.0**-24


def test_the_accurate_product_is_accurate_where_the_plain_one_is_not(short_rows):
    x, exact = rounded(short_rows[0][1:2], "float32")
    t, exact_t = rounded(short_rows[1][1:2], "float32")
    s = softmax(exact)
    errors = {
        accuracy: natural_error(
            computed(maps.softmax_product, [x, t], Rows((-1,), accuracy)), s, exact_t
        )
        for accuracy in ("high", "fast")
    }
    assert errors["high"] <= 40
    assert errors["fast"] > 1000


@pytest.mark.parametrize("row", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]])
def test_rows_without_a_softmax_are_nan(row):
    x = jnp.asarray(np.resize(row, (1, 512 * 2)), jnp.float32)
    form = Rows((-1,), "high")
    assert np.all(np.isnan(computed(maps.softmax, [x], form)))
    assert np.all(np.isnan(computed(maps.softmax_product, [x, jnp.ones_like(x)], form)))


@pytest.mark.slow
def test_residuals_with_fewer_rows_begin_again(short_rows):
    x, t = (jnp.asarray(a, jnp.float32) for a in short_rows)
    form = Rows((-1,), "high")
    many = jnp.stack([t, 2 * t])
    got = computed(maps.softmax_product, [x[None], many], form)
    one = computed(maps.softmax_product, [x, t], form)
    np.testing.assert_allclose(got, np.stack([one, 2 * one]), rtol=1e-6)


def test_a_first_chunk_may_stay_in_registers():
    """With a slot too few, as for the longest rows."""
    at = Tiling(lanes=256, tiles=6, height=2, chunks=3, cluster=1, slots=2)
    rng = np.random.default_rng(5)
    x, t = (jnp.asarray(rng.normal(size=(2, 1536)), jnp.float32) for _ in range(2))
    form = Rows((-1,), "high")
    kernel = jax.jit(
        lambda *operands: map_rows(
            lambda row: maps.softmax_product(row, form, False),
            operands,
            at,
            -np.inf,
            interpreter(),
        )
    )
    s, exact = softmax(np.asarray(x, np.float64)), np.asarray(t, np.float64)
    np.testing.assert_allclose(kernel(x, t), s * (exact - total(s * exact)), 1e-4, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 16, 256), (1, 1_000, 200), (3, 1_792, 1_024)])
@pytest.mark.parametrize("dtype", ROUNDOFF)
def test_columns(request, shape, dtype):
    if shape != (2, 16, 256):
        request.getfixturevalue("gpu")
    rng = np.random.default_rng(7)
    (x, exact), (t, exact_t) = (rounded(3 * rng.normal(size=shape), dtype) for _ in range(2))
    e = np.exp(exact)
    s = e / e.sum(1, keepdims=True)
    form = Rows((-2,), "high")
    np.testing.assert_allclose(computed(maps.softmax, [x], form), s, 20 * ROUNDOFF[dtype], 6e-8)
    mean = (s * exact_t).sum(1, keepdims=True)
    got = computed(maps.softmax_product, [x, t], form)
    np.testing.assert_allclose(got, s * (exact_t - mean), 1e-4 + 2 * ROUNDOFF[dtype], 1e-6)
    log_s = computed(maps.log_softmax, [x], form)
    np.testing.assert_allclose(log_s, np.log(s), 2 * ROUNDOFF[dtype], 3e-6)


def test_no_rows_give_no_rows():
    x = jnp.zeros((0, 128))
    assert computed(maps.softmax, [x], Rows((-1,), "high")).shape == (0, 128)


KERNEL = "mosaic_gpu"
X = jax.ShapeDtypeStruct((4, 1_024), jnp.float32)


def kernels(f, *arguments):
    """How often a kernel is called in the program for CUDA."""
    traced = jax.jit(f).trace(*arguments)
    return traced.lower(lowering_platforms=("cuda",)).as_text().count(f"custom_call @{KERNEL}")


def gradient(f):
    return jax.grad(lambda x: jnp.sum(f(x) ** 2))


def hvp(f):
    return lambda x: jax.jvp(gradient(f), (x,), (x,))[1]


def scanned(f):
    return lambda x: jax.lax.scan(lambda c, row: (c, f(row)), 0.0, x)[1]


TRANSFORMATIONS = {
    "value": (lambda f: f, 1),
    "vmap": (jax.vmap, 1),
    "jvp": (lambda f: lambda x: jax.jvp(f, (x,), (x,)), 2),
    "vjp": (lambda f: lambda x: jax.vjp(f, x)[1](x), 1),
    "gradient": (gradient, 2),
    "linearize": (lambda f: lambda x: jax.linearize(f, x)[1](x), 1),
    "vmap of hvp": (lambda f: jax.vmap(hvp(f)), 3),
    "remat": (lambda f: gradient(jax.checkpoint(f)), 2),
    "scan": (scanned, 1),
    "Jacobian": (lambda f: jax.vmap(jax.jacrev(f)), 1),
}


@pytest.mark.parametrize("name", some(["softmax", "log_softmax"], ["softmax"]))
@pytest.mark.parametrize(("transform", "least"), TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)
def test_kernels_survive_transformations(name, transform, least):
    f = partial(getattr(jc, name), implementation="pallas")
    assert kernels(transform(f), X) >= least
    plain = partial(getattr(jc, name), implementation="xla")
    assert kernels(transform(plain), X) == 0


def mesh(kind):
    return jax.make_mesh((2,), ("rows",), axis_types=(kind,))


# a Jacobian of 131,072 classes would be a matrix of 64 GiB
TRANSFORMED = [
    (name, classes)
    for name in TRANSFORMATIONS
    for classes in (1024, 131_072)
    if (name, classes) != ("Jacobian", 131_072)
]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("transformation", "classes"), TRANSFORMED)
@pytest.mark.usefixtures("gpu")
def test_transformed_kernels_compute_what_xla_does(getkey, name, transformation, classes):
    x = jax.random.normal(getkey(), (4, classes))
    transform, _ = TRANSFORMATIONS[transformation]
    got, true = (
        jax.jit(transform(partial(getattr(jc, name), implementation=implementation)))(x)
        for implementation in ("pallas", "xla")
    )
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(true), strict=True):
        np.testing.assert_allclose(one, other, 1e-4, 1e-5 * float(jnp.max(jnp.abs(other))))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1])
def test_kernels_are_lowered_for_other_axes(name, axis):
    f = partial(getattr(jc, name), axis=axis, implementation="pallas")
    x = jax.ShapeDtypeStruct((1_000, 24, 64), jnp.bfloat16)
    assert kernels(lambda x: jax.jvp(f, (x,), (x,)), x) == 2
    batch = jax.ShapeDtypeStruct((*x.shape, 3), jnp.float32)
    assert kernels(jax.vmap(hvp(f), in_axes=3), batch) >= 3


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("classes", [1024, 131_072, 262_144])
def test_kernels_are_lowered_with_64_bit_types_enabled(classes):
    x = jax.ShapeDtypeStruct((4, classes), jnp.float32)
    f = partial(jc.softmax, implementation="pallas")
    assert kernels(lambda x: jax.jvp(f, (x,), (x,)), x) == 2


def test_kernels_run_on_each_device_of_a_shard_map():
    f = partial(jc.softmax, implementation="pallas")
    split = PartitionSpec("rows")
    each = jax.shard_map(
        lambda x: jax.vjp(f, x)[1](x)[0], mesh=mesh(AxisType.Auto), in_specs=split, out_specs=split
    )
    assert kernels(each, X) == 2


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_split_arrays_remain_with_xla(kind):
    f = partial(jc.softmax, implementation="pallas")
    at = mesh(kind)
    x = jax.ShapeDtypeStruct(X.shape, X.dtype, sharding=NamedSharding(at, PartitionSpec("rows")))
    with jax.set_mesh(at):
        assert kernels(lambda x: jax.jvp(f, (x,), (x,)), x) == 0
