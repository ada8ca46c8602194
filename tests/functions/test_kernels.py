"""Which rows the kernels take, how they are split, and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc
from jaxcalc._formula import name, read
from jaxcalc._functions.kernels.forms import _folded
from jaxcalc._functions.kernels.layout import (
    CHUNK,
    HIGHEST,
    MOST,
    STEP,
    TOGETHER,
    WANTED,
    column_layout,
    largest,
    largest_column,
    layout,
)

FUNCTIONS = {"softmax": jc.softmax, "log_softmax": jc.log_softmax}
over_functions = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)

VOCABULARIES = (32_000, 50_304, 65_536, 128_256, 129_280, 131_072, 151_936, 202_048, 262_144)
LENGTHS = (128, 256, 384, 1_024, 4_096, 16_384, 16_512, *VOCABULARIES)


@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("arrays", [1, 2])
@pytest.mark.parametrize("classes", LENGTHS)
def test_a_layout_covers_the_row_and_fits(classes, itemsize, arrays):
    at = layout(classes, itemsize, arrays)
    assert at.tiles * at.lanes == classes
    assert at.cluster * at.share >= at.tiles
    assert at.slots * at.height * at.lanes * itemsize * arrays <= MOST
    assert at.slots in (at.chunks, at.chunks - 1)
    # what stays in registers is of the row
    assert at.tiles - (at.cluster - 1) * at.share >= (at.chunks - at.slots) * at.height
    assert at.height * at.lanes <= CHUNK
    beyond = at.share - at.tiles / at.cluster  # less than a step for each chunk, and the odd tile
    assert beyond < at.chunks * STEP / at.lanes + 1


@pytest.mark.parametrize("itemsize", [2, 4])
def test_the_smallest_cluster_with_room_is_taken(itemsize):
    room = WANTED // itemsize
    at = layout(8_192, itemsize, 1)
    assert at.cluster == 1
    for cluster in (2, 4, 8):
        assert layout(room * cluster // 256 * 256, itemsize, 1).cluster == cluster


@pytest.mark.parametrize("itemsize", [2, 4])
def test_the_largest_row(itemsize):
    most = largest(itemsize)
    assert layout(most, itemsize, arrays=2) is not None
    assert layout(most + 64, itemsize, arrays=2) is None


@pytest.mark.parametrize("classes", [0, 1, 127, 1_000, 50_257, 96])
def test_rows_of_no_whole_tiles_have_no_layout(classes):
    assert layout(classes, 4, 1) is None


REFUSED = {
    "axes": ((2, 128), {"axis": None}, r"rows along one axis of `x`, but got axes \(-2, -1\)"),
    "columns": ((256, 6), {"axis": 0}, "each of a multiple of 4 entries, but got 256 of 6"),
    "long columns": ((1_800, 8), {"axis": 0}, "at most 1792 classes along an axis before the last"),
    "classes": ((2, 50_257), {}, r"a multiple of 64 classes \(pad with -inf\), at most 262144"),
    "too many": ((1, 262_208), {}, "at most 262144, but got 262208; use `implementation='xla'`"),
}


@pytest.fixture
def hopper(monkeypatch):
    """As if there were a GPU; without one that alone is said."""
    name = "jaxcalc._functions.kernels.layout.compute_capabilities"
    monkeypatch.setattr(name, lambda: [9.0])


@over_functions
@pytest.mark.parametrize(("shape", "options", "words"), REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("hopper")
def test_what_kernels_cannot_take_is_refused(f, shape, options, words):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    with pytest.raises(NotImplementedError, match=f"`implementation='pallas'` needs .*{words}"):
        jax.eval_shape(lambda x: f(x, implementation="pallas", **options), x)


@over_functions
@pytest.mark.usefixtures("x64", "hopper")
def test_double_precision_is_refused(f):
    words = "`x` in float32, bfloat16, float16, but got float64"
    with pytest.raises(NotImplementedError, match=words):
        f(jnp.zeros((2, 128), jnp.float64), implementation="pallas")


@over_functions
def test_other_platforms_are_refused(f):
    x = jnp.zeros((2, 128))
    words = "needs an NVIDIA GPU of compute capability 9.0 or newer, but the program is for another"
    f = partial(f, implementation="pallas")
    for call in (f, jax.jit(f), jax.vmap(f)):
        with pytest.raises(NotImplementedError, match=words):
            call(x)


def test_products_are_refused_on_other_platforms(getkey):
    """The product alone, whose residual was computed by other means."""
    _, pullback = jax.eval_shape(lambda x: jax.vjp(pallas_softmax, x), jnp.zeros((2, 128)))
    x = jax.random.normal(getkey(), (2, 128))
    kept = jax.tree.map(lambda _: x, pullback)
    with pytest.raises(NotImplementedError, match="the program is for another platform"):
        kept(x)


def pallas_softmax(x):
    return jc.softmax(x, implementation="pallas")


@pytest.mark.parametrize("capability", [8.0, 8.9])
def test_older_gpus_are_refused(capability, monkeypatch):
    monkeypatch.setattr(
        "jaxcalc._functions.kernels.forms.compute_capabilities", lambda: [9.0, capability]
    )
    with pytest.raises(NotImplementedError, match=f"9.0 or newer, but got one of {capability}"):
        jax.jit(pallas_softmax).trace(jnp.zeros((2, 128))).lower(lowering_platforms=("cuda",))


@over_functions
def test_an_unknown_implementation_is_an_error(f):
    with pytest.raises(
        ValueError, match="`implementation` must be 'xla', 'native', 'pallas' or None, but"
    ):
        f(jnp.zeros(128), implementation="triton")


@over_functions
@pytest.mark.parametrize("transform", [lambda f: f, partial(jax.vmap, in_axes=1)])
def test_formulas_are_those_of_the_plain_functions(f, transform):
    x = jnp.zeros((128, 128))
    programs = (
        jax.make_jaxpr(transform(partial(f, implementation=i)))(x) for i in ("pallas", "xla")
    )
    first, second = (read(program, (), [name("x", x.shape)]) for program in programs)
    assert first == second


@pytest.mark.parametrize(
    ("own", "shape", "axis", "folded"),
    [
        ((3, 5, 8), (3, 5, 8), -1, (15, 8, 1)),
        ((1, 5, 8), (3, 5, 8), -1, (5, 8, 1)),
        ((1, 1, 8), (3, 5, 8), -1, (1, 8, 1)),
        ((3, 1, 8), (3, 5, 8), -1, (15, 8, 1)),
        ((8,), (8,), -1, (1, 8, 1)),
        ((1, 5, 8), (3, 5, 8), -2, (1, 5, 8)),
        ((3, 5, 8), (3, 5, 8), -3, (1, 3, 40)),
        ((3, 1, 1), (3, 5, 8), -3, (1, 3, 40)),
    ],
)
def test_what_repeats_from_the_front_is_left_out(own, shape, axis, folded):
    x = jnp.arange(float(np.prod(own))).reshape(own)
    got = _folded(x, shape, axis)
    assert got.shape == folded
    again = jnp.resize(got, (int(np.prod(shape)) // int(np.prod(folded[1:])), *folded[1:]))
    np.testing.assert_array_equal(again.reshape(shape), jnp.broadcast_to(x, shape))


@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("arrays", [1, 2])
@pytest.mark.parametrize("classes", [1, 2, 10, 64, 100, 1_000, 1_024, 1_792])
@pytest.mark.parametrize("trailing", [8, 200, 256, 4_096])
def test_a_layout_of_columns_covers_them_and_fits(classes, trailing, itemsize, arrays):
    at = column_layout(classes, trailing, itemsize, arrays)
    assert at.tiles * at.lanes >= trailing > (at.tiles - 1) * at.lanes
    assert at.cluster * at.share >= classes
    assert at.share * at.lanes * itemsize * arrays <= MOST
    assert at.height <= HIGHEST
    assert at.height % TOGETHER == 0


@pytest.mark.parametrize("itemsize", [2, 4])
def test_the_longest_column(itemsize):
    most = largest_column(itemsize)
    assert column_layout(most, 128, itemsize, arrays=2) is not None
    assert column_layout(most + 1, 128, itemsize, arrays=2) is None
