"""Native rows: the same mathematics as XLA's forms, bit by bit the same wherever a row stands."""

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow import some

import jaxcalc as jc
from benchmarks import oracles
from jaxcalc._functions.native import forms
from jaxcalc._functions.native.building import compiled
from jaxcalc._native import TARGET, Kernels, kernels

needs_kernels = pytest.mark.skipif(
    kernels().instruction_set is None or jax.default_backend() != "cpu", reason=kernels().reason
)
DTYPES = ("float32", "bfloat16", "float16")


def numbers(shape, dtype, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape) * 3, dtype)


def labels_of(x):
    return jnp.arange(x.shape[0]) * 7 % x.shape[-1]


def rest_of(x):
    """A mask that leaves two of three classes."""
    return jnp.arange(x.shape[-1]) % 3 != 1


def distribution_loss(x):
    ramp = np.arange(1, 1 + x.shape[-1], dtype=np.float32)
    return jc.softmax_cross_entropy(x, jnp.broadcast_to(ramp / ramp.sum(), x.shape))


def over_rows(f):
    """f, its products forwards and backwards, and their derivative, along the last axis."""

    def all_of(x, t):
        y, pullback = jax.vjp(f, x)
        g = jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(y.dtype)
        gradient = jax.grad(lambda x: jnp.vdot(f(x), g).astype(jnp.float32))
        return y, jax.jvp(f, (x,), (t,))[1], pullback(g)[0], jax.jvp(gradient, (x,), (t,))[1]

    return all_of


ROWS = {
    "softmax": jc.softmax,
    "masked": lambda x: jc.softmax(x, where=rest_of(x)),
    "log_softmax": jc.log_softmax,
    "masked log_softmax": lambda x: jc.log_softmax(x, where=rest_of(x)),
    "logsumexp": partial(jc.logsumexp, axis=-1),
    "masked logsumexp": lambda x: jc.logsumexp(x, axis=-1, where=rest_of(x)),
    "indices": lambda x: jc.softmax_cross_entropy(x, labels_of(x)),
    "distributions": distribution_loss,
}
ENTRIES = {"sigmoid": jc.sigmoid, "log_sigmoid": jc.log_sigmoid, "softplus": jc.softplus}
FUNCTIONS = ROWS | ENTRIES


def no_kernels(reason):
    return mock.patch.object(forms, "kernels", return_value=Kernels(None, reason))


def without_kernels(f):
    """f, compiled to what XLA makes of it."""

    def call(*arguments):
        with no_kernels("asked for"):
            return jax.jit(lambda *a: f(*a))(*arguments)

    return call


# --- that they are used ---


@needs_kernels
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_products_are_native(name):
    x = numbers((4, 40), "float32")
    text = jax.jit(over_rows(FUNCTIONS[name])).lower(x, x).as_text()
    assert text.count(f"@{TARGET}") >= (4 if name in ROWS else 1)


@needs_kernels
@pytest.mark.parametrize("shape", [(32, 100), (1, 100), (100,), (5, 1, 40), (1, 4, 40), (6, 1)])
@pytest.mark.parametrize("name", ["softmax", "masked", "log_softmax", "logsumexp", "sigmoid"])
def test_arrays_are_handed_over_where_they_stand(name, shape):
    """XLA writes an array anew where a kernel asks for axes of size 1 that it lays out its way."""
    x = numbers(shape, "float32")

    def value_and_product(x, t):
        return jax.jvp(FUNCTIONS[name], (x,), (t,))

    text = jax.jit(value_and_product).lower(x, x).compile().as_text()
    assert TARGET in text
    assert not re.findall(r"= \S+ (?:copy|transpose)\(", text)


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("masked")])
def test_a_mask_is_read_in_the_kernel_and_not_written_out_before(name):
    text = str(jax.make_jaxpr(ROWS[name])(numbers((4, 40), "float32")))
    assert not re.findall("jaxcalc_(?:masked_logits|fill)", text)


@needs_kernels
def test_what_they_cannot_take_is_xla_s():
    x = numbers((2, 3, 4), "float32")

    def uses(f, *arguments, **options):
        return TARGET in jax.jit(partial(f, **options)).lower(*arguments).as_text()

    assert uses(jc.softmax, x, axis=(0, 1))
    assert not uses(jc.softmax, x, axis=(0, 2))
    assert not uses(jc.softmax, x[:0])
    assert not uses(jc.softmax, x, implementation="xla")


@needs_kernels
def test_an_exported_program_has_none():
    exported = jax.export.export(jax.jit(jc.softmax))(numbers((2, 3), "float32"))
    assert TARGET not in exported.mlir_module()


@needs_kernels
def test_arrays_split_over_devices_are_xla_s():
    mesh = jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.NamedSharding(mesh, jax.P("rows"))
    x = jax.device_put(numbers((4, 40), "float32"), split)
    assert TARGET not in jax.jit(jc.softmax).lower(x).as_text()
    inside = jax.jit(
        jax.shard_map(jc.softmax, mesh=mesh, in_specs=jax.P("rows"), out_specs=jax.P("rows"))
    )
    assert TARGET in inside.lower(x).as_text()
    np.testing.assert_array_equal(inside(x), jc.softmax(numbers((4, 40), "float32")))


def test_asked_for_where_they_cannot_be_is_an_error():
    x = numbers((2, 3, 4), "float32")
    refused = pytest.raises(NotImplementedError, match="'native'` cannot be had: there was no C")
    with no_kernels("there was no C++ compiler"), refused:
        jc.softmax(x, implementation="native")


@needs_kernels
def test_axes_that_are_no_neighbours_are_an_error_where_they_are_asked_for():
    with pytest.raises(NotImplementedError, match="the class axes are not neighbours; leave it"):
        jc.softmax(numbers((2, 3, 4), "float32"), axis=(0, 2), implementation="native")


@needs_kernels
def test_a_library_that_jaxlib_refuses_is_a_reason_to_do_without(monkeypatch):
    def refuse(*args, **kwargs):
        raise jax.errors.JaxRuntimeError("handler's API version (9.0) is incompatible")

    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    found = kernels.__wrapped__()
    assert found.instruction_set is None
    assert re.search(r"refused by jaxlib .*API version \(9.0\)", found.reason)


@needs_kernels
@pytest.mark.parametrize("f", [jc.softmax, jc.log_softmax])
def test_none_is_native_on_a_cpu(f):
    x = numbers((3, 50), "float32")
    np.testing.assert_array_equal(f(x), f(x, implementation="native"))


def test_on_another_platform_they_are_an_error():
    traced = jax.jit(partial(jc.softmax, implementation="native")).trace(jnp.zeros(3))
    with pytest.raises(NotImplementedError, match="'native'` needs a CPU"):
        traced.lower(lowering_platforms=("cuda",))


# --- that they are right ---

SIZES = (1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 100, 513, 4097)


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_they_compute_what_xla_computes(name, classes, dtype):
    x, t = numbers((21, classes), dtype), numbers((21, classes), dtype, 1)  # whole blocks too
    f = over_rows(FUNCTIONS[name])
    for got, expected in zip(jax.jit(f)(x, t), without_kernels(f)(x, t), strict=True):
        got, expected = np.float64(got), np.float64(expected)
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-30)
        u = oracles.unit_roundoff(jnp.dtype(dtype))
        np.testing.assert_allclose(got, expected, atol=32 * u * scale, rtol=0)


PLACES = (((40, 3), 0), ((3, 50, 5), 1), ((2, 50, 64), 1), ((7, 20, 70), 1), ((2, 3, 4), (1, 2)))


@needs_kernels
@pytest.mark.parametrize("dtype", [*DTYPES, "float64"])
@pytest.mark.parametrize(("shape", "axis"), PLACES, ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_rows_along_other_axes(name, shape, axis, dtype):
    with jax.enable_x64(dtype == "float64"):
        x, t = numbers(shape, dtype), numbers(shape, dtype, 1)
        f = over_rows(partial(getattr(jc, name), axis=axis))
        for got, expected in zip(jax.jit(f)(x, t), without_kernels(f)(x, t), strict=True):
            got, expected = np.float64(got), np.float64(expected)
            u = oracles.unit_roundoff(jnp.dtype(dtype))
            np.testing.assert_allclose(got, expected, atol=32 * u * np.abs(expected).max())


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 7, 39])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_finite_is_where_xla_has_it(name, place, value, dtype):
    x = numbers((3, 40), dtype).at[1, place].set(value)
    t = numbers((3, 40), dtype, 1)

    def f(x, t):
        return FUNCTIONS[name](x), jax.jvp(FUNCTIONS[name], (x,), (t,))[1]

    for got, expected in zip(jax.jit(f)(x, t), without_kernels(f)(x, t), strict=True):
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(np.float64(got)), kind(np.float64(expected)))


@needs_kernels
@pytest.mark.parametrize("classes", [40, 41, 67])  # what fills the last vector must not be seen
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ROWS)
def test_infinite_tangents_give_what_xla_gives(name, value, classes):
    x = numbers((3, classes), "float32")
    for place in (0, 7, classes - 1):  # 7 is the label of the row
        t = numbers((3, classes), "float32", 1).at[1, place].set(value)

        def f(x, t):
            return jax.jvp(ROWS[name], (x,), (t,))[1]

        got, expected = np.float64(jax.jit(f)(x, t)), np.float64(without_kernels(f)(x, t))
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(got), kind(expected))


# --- that a row's bits depend on the row alone ---


def bits(x):
    return np.asarray(x).tobytes()


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", some([1, 10, 33, 64, 1000, 2**16 + 3], [1, 10, 33, 64]))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_row_has_the_same_bits_in_every_place(name, classes, dtype):
    f = jax.jit(over_rows(FUNCTIONS[name]))
    row, t = numbers((1, classes), dtype), numbers((1, classes), dtype, 1)
    alone = f(row, t)
    for batch in (3, 67):
        # all rows alike, so that labels and distributions are the row's own
        together = f(jnp.repeat(row, batch, 0), jnp.repeat(t, batch, 0))
        if name != "indices":
            for one, many in zip(alone[:2], together[:2], strict=True):
                assert {bits(y) for y in many} == {bits(one[0])}
        mapped = jax.vmap(f)(jnp.stack([row] * batch), jnp.stack([t] * batch))
        for one, many in zip(alone, mapped, strict=True):
            assert {bits(y) for y in many} == {bits(one)}


@needs_kernels
@pytest.mark.parametrize("axis", [0, 1])
def test_columns_have_the_same_bits_in_every_place(axis):
    column = numbers((50, 1), "float32")
    alone = bits(jc.softmax(column, axis=0)[:, 0])
    for count in (2, 7, 8, 9, 63, 64, 65, 200):
        many = (
            jnp.stack([jnp.repeat(column, count, 1)] * 2) if axis else jnp.repeat(column, count, 1)
        )
        columns = np.moveaxis(np.asarray(jc.softmax(many, axis=axis)), axis, -1).reshape(-1, 50)
        assert {bits(y) for y in columns} == {alone}


@pytest.mark.slow
@needs_kernels
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_a_long_row_has_the_same_bits_on_any_number_of_threads():
    script = (
        "import os, sys\n"
        "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: int(sys.argv[1])])\n"
        "import jax, jax.numpy as jnp, numpy as np, jaxcalc as jc, hashlib\n"
        "x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 2**20 + 5)), 'float32')\n"
        "y, pullback = jax.vjp(jc.softmax, x)\n"
        "print(hashlib.sha1(np.asarray([y, pullback(x)[0]]).tobytes()).hexdigest())"
    )
    printed = set()
    for threads in ("1", "2"):
        command = [sys.executable, "-c", script, threads]
        printed.add(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(printed) == 1


# --- how they are made ---


def test_the_switch_says_why_there_are_none():
    script = "import jaxcalc as jc; jc.show_versions(); print(jc.sigmoid(0.0))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "JAXCALC_NATIVE": "0", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    assert "native   none (JAXCALC_NATIVE is 0)" in result.stdout
    assert result.stdout.endswith("0.5\n")


@pytest.mark.parametrize(
    ("path", "reason"), [("", "there was no CMake"), ("cmake", "there was no C++ compiler")]
)
def test_without_tools_there_is_a_reason(path, reason, tmp_path, monkeypatch):
    root = Path(__file__).parent.parent.parent
    if path and shutil.which(path) is None:
        pytest.skip(f"{path} is not installed")
    if path:
        (tmp_path / path).symlink_to(shutil.which(path))
        monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAXCALC_NATIVE", raising=False)
    assert reason in compiled(root)
