"""`derive` under the transformations of JAX, and its results in them; dtypes and devices."""

import operator
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import (
    BY_NAME,
    CASES,
    A,
    burgers,
    derived,
    layer_norm,
    mlp,
    numbers,
    plain_softmax,
    scanned,
)
from functions import assert_close, quick_jit
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcalc as jc

UNITS = 64
KINDS = list({case.structure: case for case in reversed(CASES)}.values())


# --- jit ---


WRITTEN_OUT = [case for case in KINDS if case.structure != "matrix-free"]  # that holds a program


@pytest.mark.parametrize("case", WRITTEN_OUT, ids=lambda case: case.structure)
def test_eagerly_and_under_jit_it_is_the_same_pytree(case):
    J, traced = derived(case), jax.eval_shape(jc.derive(case.f), case.x)
    assert J.structure == traced.structure == case.structure
    assert jax.tree.structure(J) == jax.tree.structure(traced)
    for array, abstract in zip(jax.tree.leaves(J), jax.tree.leaves(traced), strict=True):
        assert (array.shape, array.dtype) == (abstract.shape, abstract.dtype)


def test_a_derivative_passes_through_jit_and_is_not_traced_again():
    traces = []

    @jax.jit
    def product(J, v):
        traces.append(J.structure)
        return J @ v, 2 * J, J.T

    f = jc.derive(lambda x: jc.softmax(A @ x))
    for x in (numbers(3), numbers(2, 3)[1]):
        right, twice, transposed = product(f(x), x)
        dense = jc.jacobian(lambda x: jc.softmax(A @ x))(x)
        assert_close(
            (right, twice.todense(), transposed.todense()), (dense @ x, 2 * dense, dense.T)
        )
    assert traces == ["chain"]


INDEXED = {
    "gathered": lambda x, i: x[i],
    "row and column": lambda x, i: x[i, i[::-1]],
    "one entry": lambda x, i: x[i[0], i[1]],
    "sliced": lambda x, i: lax.dynamic_slice(x, (i[0], i[1]), (2, 2)),
    "written": lambda x, i: x.at[i].set(x[i[::-1]] ** 2),
    "added": lambda x, i: x.at[i].add(jnp.sin(x[:3])),
    "updated": lambda x, i: lax.dynamic_update_slice(x, x[:2] ** 2, (i[0], i[1])),
    "taken along": lambda x, i: jnp.take_along_axis(x[:3], i[:, None], axis=1),
    "cleared": lambda x, i: jnp.where(jnp.arange(5)[:, None] == i[0], 0.0, x * x),
}


@pytest.mark.parametrize("name", INDEXED)
def test_indices_may_be_arguments_of_an_outer_jit(name):
    f = INDEXED[name]

    @quick_jit
    def computed(x, i):
        J, truth = jc.derive(f)(x, i), jax.jacfwd(f)(x, i)
        return truth, J.tensor(), J @ x, jnp.ones(J.codomain) @ J

    truth, *got = computed(x := numbers(5, 3), np.array([2, 0, 1], np.int32))
    w = np.ones(truth.shape[:-2], np.float32)
    assert_close(got, (truth, np.tensordot(truth, x, 2), np.tensordot(w, truth, w.ndim)), UNITS)


# --- vmap ---

MAPPED = {
    "softmax": (jc.softmax, "block diagonal: diagonal - rank 1"),
    "plain softmax": (plain_softmax, "block diagonal: diagonal - rank 1"),
    "layer norm": (layer_norm, "block diagonal: diagonal + rank 2"),
    "elementwise": (jnp.sin, "block diagonal: diagonal"),
    "chain": (lambda x: jc.softmax(A @ x), "block diagonal: chain"),
    "burgers": (burgers, "block diagonal: banded"),
    "scan": (lambda x: scanned(jnp.append(x, 1.0)), "block diagonal: chain"),
}


@pytest.mark.parametrize("name", MAPPED)
def test_batches_of_derivatives(name):
    f, structure = MAPPED[name]
    X, V = numbers(5, 3), numbers(5, 3)[::-1]

    @quick_jit
    def computed(X, V):
        Js = jax.vmap(jc.derive(f))(X)
        columns = jax.vmap(jc.derive(f), 1)(X.T)
        J = jc.batch(Js)
        products = J @ V, jax.vmap(operator.matmul)(Js, V), jax.vmap(operator.matmul)(columns, V)
        return J, products, J.blocks(), jax.vmap(jax.jacfwd(f))(X)

    J, products, blocks, truth = computed(X, V)
    assert J.structure == structure
    assert_close(blocks, truth, UNITS)
    assert_close(products, [np.einsum("bij,bj->bi", truth, V)] * 3, UNITS)


def test_vmap_over_what_is_captured_and_over_indices():
    Ws, x, i = numbers(2, 5, 3), numbers(3), np.array([4, 0], np.int32)

    @quick_jit
    def computed(Ws, x, i):
        def f(W, x, i):
            return jnp.tanh(W @ x)[i] * x

        Js = jax.vmap(jc.derive(f, 1), (0, None, 0))(Ws, x, i)
        return jax.vmap(lambda J: J.todense())(Js), jax.vmap(jax.jacfwd(f, 1), (0, None, 0))(
            Ws, x, i
        )

    assert_close(*computed(Ws, x, i), UNITS)


# --- derivatives of derivatives ---

DIFFERENTIATED = {
    "softmax": (jc.softmax, (4,)),
    "layer norm": (layer_norm, (4,)),
    "chain": (lambda x: A @ jnp.tanh(A.T @ x), (4,)),
    "softmax of columns": (partial(jc.softmax, axis=0), (3, 2)),
    "scan": (scanned, (4,)),
}
QUERIES = {
    "todense": lambda J, v: J.tensor() ** 2,
    "J @ v": lambda J, v: (J @ v) ** 2,
    "v @ J": lambda J, v: jnp.sin(v @ J),
    "diagonal": lambda J, v: J.diagonal() * v,
    "trace": lambda J, v: J.trace() ** 2,
    "solve": lambda J, v: J.solve(v, shift=5.0),
}
FORWARD = {"chain", "scan"}  # forward mode, too


class Dense:
    """The queries of a derivative, of the array that autodiff gives."""

    def __init__(self, f, x):
        self.array, self.shape = jax.jacfwd(f)(x), x.shape
        self.matrix = self.array.reshape(x.size, x.size)

    def tensor(self):
        return self.array

    def __matmul__(self, v):
        return (self.matrix @ v.ravel()).reshape(self.shape)

    def __rmatmul__(self, v):
        return (v.ravel() @ self.matrix).reshape(self.shape)

    def diagonal(self):
        return jnp.diagonal(self.matrix).reshape(self.shape)

    def trace(self):
        return jnp.trace(self.matrix)

    def solve(self, v, shift):
        matrix = self.matrix + shift * jnp.eye(v.size)
        return jnp.linalg.solve(matrix, v.ravel()).reshape(self.shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_what_is_asked_can_be_differentiated(name):
    """Forward and reverse, as when it is asked of the dense form."""
    f, shape = DIFFERENTIATED[name]
    x, v = numbers(*shape), jnp.asarray(numbers(2, *shape)[1])

    def asked(derivative, x):
        return jnp.stack([jnp.sum(query(derivative(x), v)) for query in QUERIES.values()])

    @quick_jit
    def computed(x):
        results = []
        for derivative in (jc.derive(f), partial(Dense, f)):
            of_x = partial(asked, derivative)
            forward = jax.jvp(of_x, (x,), (v,)) if name in FORWARD else ()
            results.append((jax.jacrev(of_x)(x), forward))
        return results

    derived, dense = computed(x)
    assert_close(derived, dense, 1024)


def test_derive_of_derive():
    """∂/∂x (diag(s) − s sᵀ) v, and that of a diagonal."""

    def product(x):
        return jc.derive(jc.softmax)(x) @ jnp.arange(4.0)

    def slopes(x):
        return jc.derive(jnp.tanh)(x).diagonal()

    @quick_jit
    def computed(x):
        Js = [jc.derive(f)(x) for f in (product, slopes)]
        truths = [jax.jacfwd(f)(x) for f in (product, slopes)]
        return Js, [J.tensor() for J in Js], truths

    Js, tensors, truths = computed(numbers(4))
    assert Js[1].structure == "diagonal"
    assert_close(tensors, truths, UNITS)


def test_hessian_of_a_norm_of_the_derivative():
    def by_structure(x):
        return jnp.sum(jc.derive(mlp)(x).tensor() ** 2)

    def by_autodiff(x):
        return jnp.sum(jax.jacfwd(mlp)(x) ** 2)

    got, true = quick_jit(lambda x: [jax.hessian(f)(x) for f in (by_structure, by_autodiff)])(
        numbers(3)
    )
    assert_close(got, true, 1024)


# --- control flow ---


def test_scan_over_derivatives():
    """∂x_T/∂x_0 of a recurrence, step by step."""
    steps, x = numbers(4, 3, 3), numbers(3)

    def f(step, x):
        return jnp.tanh(step @ x)

    @quick_jit
    def computed(steps, x):
        def advance(x, step):
            return f(step, x), jc.derive(f, 1)(step, x)

        _, Js = lax.scan(advance, x, steps)
        return lax.scan(lambda v, J: (J @ v, J.T @ v), x, Js), Js

    (product, _), Js = computed(steps, x)
    truth = jax.jacfwd(lambda x: reduce(lambda x, step: f(step, x), steps, x))(jnp.asarray(x))
    assert jax.tree.leaves(Js)[0].shape[0] == 4
    assert_close(product, np.asarray(truth) @ x, UNITS)


def test_cond_and_while_over_derivatives():
    """Newton's method for x + tanh(W x) = c, each step a solve of the derivative."""
    c = numbers(3)

    def f(x):
        return x + 0.5 * jnp.tanh(A[:3] @ x)

    def newton(state):
        x, _ = state
        step = jc.derive(f)(x).solve(f(x) - c)
        return x - step, jnp.linalg.norm(step)

    x, _ = quick_jit(
        lambda x: lax.while_loop(lambda state: state[1] > 1e-5, newton, (x, jnp.float32(1)))
    )(jnp.zeros(3))
    assert_close(f(x), c, UNITS)

    @quick_jit
    def chosen(first, J, K):
        return lax.cond(first, lambda: J, lambda: K) @ c

    J, K = (jc.derive(f)(x) for x in (c, 2 * c))
    assert_close((chosen(True, J, K), chosen(False, J, K)), (J @ c, K @ c))


def test_checkpoint():
    x = numbers(3)

    def of_x(x):
        return jnp.sum(jc.derive(mlp)(x) @ x)

    @quick_jit
    def gradients(x):
        inside = jax.grad(lambda x: jnp.sum(jc.derive(jax.checkpoint(mlp))(x) @ x))(x)
        return jax.grad(of_x)(x), jax.grad(jax.checkpoint(of_x))(x), inside

    plain, *others = gradients(x)
    assert_close(others, [plain] * 2, UNITS)


# --- devices ---


def mesh_of(axis_type=AxisType.Auto):
    return jax.make_mesh((2,), ("devices",), (axis_type,), devices=jax.devices("cpu")[:2])


# blocks are made by `jax.vmap`, which wants all arrays of an explicit mesh axis split alike
SPLIT = [(name, AxisType.Auto) for name in ("softmax of rows", "layer norm of rows", "X W")]
SPLIT.append(("X W", AxisType.Explicit))


@pytest.mark.parametrize(("name", "axis_type"), SPLIT)
def test_split_arrays(name, axis_type):
    """The rows are split over two devices; so are the products."""
    f, mesh = BY_NAME[name].f, mesh_of(axis_type)
    with jax.set_mesh(mesh):
        x = jax.device_put(numbers(4, 3), NamedSharding(mesh, PartitionSpec("devices")))

        @quick_jit
        def computed(x):
            J = jc.derive(f)(x)
            return J @ x, J.T @ (J @ x)

        products = computed(x)
        J = jc.derive(f)(x)
        assert_close(J @ x, products[0], UNITS)
    assert products[1].sharding.is_equivalent_to(x.sharding, x.ndim)
    truth = np.asarray(jax.jacfwd(f)(numbers(4, 3)))
    right = np.tensordot(truth, numbers(4, 3), 2)
    assert_close(products, (right, np.tensordot(right, truth, 2)), UNITS)


def test_inside_shard_map():
    rows = PartitionSpec("devices")

    def product(x):
        J = jc.derive(jc.softmax)(x)
        return J @ x, J.diagonal()

    split = jax.shard_map(product, mesh=mesh_of(), in_specs=rows, out_specs=rows)
    x = numbers(4, 3)
    truth = np.asarray(jax.jacfwd(jc.softmax)(x))
    true_product, diagonal = np.tensordot(truth, x, 2), np.einsum("ijij->ij", truth)
    assert_close(quick_jit(split)(x), (true_product, diagonal), UNITS)
