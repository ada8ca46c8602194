"""`axis_name=` where it cannot be right: errors by name."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec
from split_rows import BOTH, LABELS, X, mesh_of

import jaxcalc as jc

AUTO = AxisType.Auto
ROWS_ONLY, CLASSES_ONLY = PartitionSpec("data"), PartitionSpec(None, "model")

CALLS = {
    "softmax": lambda x, **options: jc.softmax(x, **options),
    "log_softmax": lambda x, **options: jc.log_softmax(x, **options),
    "logsumexp": lambda x, **options: jc.logsumexp(x, -1, **options),
    "softmax_cross_entropy": lambda x, **options: jc.softmax_cross_entropy(x, LABELS, **options),
}
POINTS = X.astype(np.float32)


def in_shards(f, in_specs=CLASSES_ONLY, **options):
    return jax.shard_map(
        f, mesh=mesh_of(AUTO), in_specs=in_specs, out_specs=CLASSES_ONLY, **options
    )


def derivatives(f):
    """Value, gradient and JVP of f, each to be traced for itself."""
    return [
        f,
        jax.grad(lambda x: jnp.sum(f(x))),
        lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1],
    ]


@pytest.mark.parametrize("call", CALLS)
def test_logits_that_are_the_same_on_all_devices(call):
    x = "logits" if call == "softmax_cross_entropy" else "a" if call == "logsumexp" else "x"
    words = rf"`axis_name='model'` splits the classes.*`{x}` is the same on all of them; split its"
    for f in derivatives(partial(CALLS[call], axis_name="model")):
        with pytest.raises(ValueError, match=words):
            in_shards(f, PartitionSpec())(POINTS)
    with pytest.raises(ValueError, match="the same on all of them"):  # over one of both
        in_shards(partial(CALLS[call], axis_name=BOTH))(POINTS)


@pytest.mark.parametrize("call", CALLS)
def test_without_the_check_of_replication(call):
    """Values too: whether x varies is not known then."""
    for f in derivatives(partial(CALLS[call], axis_name="model")):
        with pytest.raises(ValueError, match=r"the same on all of them.*leave `check_vma` on"):
            in_shards(f, check_vma=False)(POINTS)
        outside = derivatives(in_shards(f, check_vma=False))
        with pytest.raises(ValueError, match="leave `check_vma` on"):
            outside[1](POINTS)


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_is_no_axis_of_the_mesh(call):
    for name in ("devices", ("model", "devices")):
        f = partial(CALLS[call], axis_name=name)
        with pytest.raises(
            ValueError, match=r"must name mesh axes.*'devices'.*\('data', 'model'\)"
        ):
            in_shards(f)(POINTS)


@pytest.mark.parametrize("call", CALLS)
def test_outside_shard_map(call):
    f = partial(CALLS[call], axis_name="model")
    words = r"must name mesh axes of the `jax.shard_map` around the call.*the mesh has no axes"
    with pytest.raises(ValueError, match=words):
        f(POINTS)
    with jax.set_mesh(mesh_of(AUTO)), pytest.raises(ValueError, match=words):
        jax.jit(f)(POINTS)


@pytest.mark.parametrize("call", CALLS)
def test_an_axis_of_vmap(call):
    f = partial(CALLS[call], axis_name="model")
    parts = np.stack(np.split(POINTS, 4, -1))
    for g in derivatives(f):
        with pytest.raises(ValueError, match="must name mesh axes"):
            jax.vmap(g, axis_name="model")(parts)


def test_an_axis_that_shard_map_leaves_to_the_compiler():
    f = jax.shard_map(
        partial(jc.softmax, axis_name="model"),
        mesh=mesh_of(AUTO),
        in_specs=ROWS_ONLY,
        out_specs=ROWS_ONLY,
        axis_names={"data"},
    )
    with pytest.raises(ValueError, match=r"must name mesh axes.*the mesh has \('data',\)"):
        jax.jit(f)(POINTS)


def test_class_indices_that_differ_between_the_devices():
    f = jax.shard_map(
        partial(jc.softmax_cross_entropy, axis_name="model"),
        mesh=mesh_of(AUTO),
        in_specs=(CLASSES_ONLY, PartitionSpec("model")),
        out_specs=PartitionSpec(),
    )
    with pytest.raises(ValueError, match=r"`labels` given as class indices.*differ between the"):
        f(X[:2].astype(np.float32), np.arange(8, dtype=np.int32))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", [3, (), ("model", 3)], ids=str)
def test_what_is_no_name(call, name):
    with pytest.raises(TypeError, match=r"`axis_name` must be the name of a mesh axis.*but got"):
        CALLS[call](POINTS, axis_name=name)


@pytest.mark.parametrize("f", [jc.softmax, jc.log_softmax])
def test_kernels_need_whole_rows(f):
    x = np.zeros((8, 256), np.float32)
    split = partial(f, axis_name="model", implementation="pallas")
    with pytest.raises(NotImplementedError, match="`implementation='pallas'` needs whole rows"):
        in_shards(split)(x)
