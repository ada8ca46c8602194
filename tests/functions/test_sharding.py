"""Arrays split over two devices: in `shard_map`, under `jit`, with types that show the split."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import CORE, POINTS, TANGENTS, Function, assert_close, quick_jit, truth
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcalc as jc
from jaxcalc._functions.logistic import logistic_product

BATCH_SPLIT = PartitionSpec("devices")
CLASSES_SPLIT = PartitionSpec(None, None, "devices")
UNITS = 16


def mesh_of(axis_type: AxisType = AxisType.Auto) -> jax.sharding.Mesh:
    devices = jax.devices("cpu")[:2]
    return jax.make_mesh((2,), ("devices",), axis_types=(axis_type,), devices=devices)


def pulled(function: Function, order: int) -> np.ndarray:
    """The derivative of Σ f over the batch, contracted with the tangents down to one argument."""
    D = truth(function)[order]
    D = D.sum(tuple(range(1, D.ndim - 2 * order)))
    for _ in range(order - 1):
        D = np.stack([np.tensordot(d, t, 2) for d, t in zip(D, TANGENTS, strict=True)])
    return D


def products(f, x, t):
    """Value, J t, gradient and Hessian-vector product of Σ f over the batch."""
    value, change = jax.jvp(f, (x,), (t,))
    return value, change, *jax.jvp(jax.grad(lambda x: jnp.sum(f(x))), (x,), (t,))


def true_products(function):
    D = truth(function)
    change = np.stack([np.tensordot(d, t, 2) for d, t in zip(D[1], TANGENTS, strict=True)])
    return D[0], change, pulled(function, 1), pulled(function, 2)


@pytest.mark.parametrize("function", CORE, ids=str)
def test_shard_map(function):
    x, t = (jnp.asarray(a, jnp.float32) for a in (POINTS, TANGENTS))
    split = jax.shard_map(
        jax.vmap(function.own), mesh=mesh_of(), in_specs=BATCH_SPLIT, out_specs=BATCH_SPLIT
    )
    assert_close(quick_jit(partial(products, split))(x, t), true_products(function), UNITS)


@pytest.mark.parametrize("function", CORE, ids=str)
def test_differentiation_inside_shard_map(function):
    """Of points, tangents and factors some are split, others the same on each device."""
    split, whole = BATCH_SPLIT, PartitionSpec()
    in_shards = partial(jax.shard_map, mesh=mesh_of(), out_specs=split)
    x, t = (jnp.asarray(a, jnp.float32) for a in (POINTS, TANGENTS))

    def pushed(x, t):
        return jax.jvp(function.own, (x,), (t,))[1]

    of_points = in_shards(jax.vmap(pushed, (0, None)), in_specs=(split, whole))
    of_tangents = in_shards(jax.vmap(pushed, (None, 0)), in_specs=(whole, split))
    jacobians = in_shards(jax.vmap(jax.jacfwd(function.own)), in_specs=split)
    scaled = in_shards(
        jax.vmap(lambda x, w: function.own(x * w), (0, None)), in_specs=(split, whole)
    )

    @quick_jit
    def every(x, t):
        by_factor = jax.grad(lambda w: jnp.sum(scaled(x, w)))(jnp.ones_like(x[0]))
        return of_points(x, t[0]), of_tangents(x[0], t), jacobians(x), by_factor

    J = truth(function)[1]
    at_points = np.tensordot(J, TANGENTS[0], 2)
    at_tangents = np.stack([np.tensordot(J[0], t, 2) for t in TANGENTS])
    by_factor = np.sum(J.sum(tuple(range(1, J.ndim - 2))) * POINTS, 0)
    assert_close(every(x, t), (at_points, at_tangents, J, by_factor), UNITS)


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("spec", [BATCH_SPLIT, CLASSES_SPLIT], ids=["batch", "classes"])
@pytest.mark.parametrize("function", CORE, ids=str)
def test_split_arrays(function, spec, axis_type):
    mesh = mesh_of(axis_type)
    with jax.set_mesh(mesh):
        x, t = (
            jax.device_put(jnp.asarray(a, jnp.float32), NamedSharding(mesh, spec))
            for a in (POINTS, TANGENTS)
        )
        got = quick_jit(partial(products, jax.vmap(function.own)))(x, t)
        assert_close(got, true_products(function), UNITS)
        assert got[2].sharding.is_equivalent_to(x.sharding, x.ndim)


ROWWISE = {
    "softmax": jc.softmax,
    "softmax, masked": lambda x: jc.softmax(x, where=np.arange(64) % 3 > 0),
    "log_softmax": jc.log_softmax,
    "logsumexp": lambda x: jc.logsumexp(x, -1),
    "softmax_cross_entropy": lambda x: jc.softmax_cross_entropy(x, np.array([1, 2, 40], np.int32)),
}


@pytest.mark.parametrize("name", ROWWISE)
def test_split_classes_are_not_gathered(name):
    """Only maxima and sums of rows travel between the devices."""
    sharding = NamedSharding(mesh_of(), PartitionSpec(None, "devices"))
    x = jax.ShapeDtypeStruct((3, 64), jnp.float32, sharding=sharding)
    program = jax.jit(partial(products, ROWWISE[name])).lower(x, x).compile().as_text()
    assert "all-reduce" in program
    assert "all-gather" not in program


@pytest.mark.parametrize("accuracy", ["high", "fast"])
def test_classes_split_by_name(accuracy, getkey):
    """Their mean is taken over all devices, of tangents that are far from 0 too."""
    f = partial(jc.softmax, accuracy=accuracy)
    spec = PartitionSpec(None, "devices")
    split = jax.shard_map(
        partial(f, axis_name="devices"), mesh=mesh_of(), in_specs=spec, out_specs=spec
    )
    x, t = (jax.random.normal(getkey(), (3, 64)) for _ in range(2))
    got, expected = (quick_jit(partial(products, g))(x, t + 100) for g in (split, f))
    tolerance = 1e-7 if accuracy == "high" else 1e-5
    for own, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(own, right, rtol=1e-4, atol=tolerance)


def test_a_product_differs_between_devices_as_its_residual_does():
    """So `shard_map` refuses to take it for the same everywhere, though its tangent is."""

    def slope(x):
        return logistic_product(x, jnp.ones(x.shape, x.dtype), order=1)

    f = jax.shard_map(slope, mesh=mesh_of(), in_specs=BATCH_SPLIT, out_specs=PartitionSpec())
    with pytest.raises(ValueError, match="out_specs"):
        f(jnp.asarray(POINTS[:, 0]))
