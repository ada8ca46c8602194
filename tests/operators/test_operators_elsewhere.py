"""Operators outside: NumPy, pickle, copies, exported programs, equinox."""

import copy
import pickle
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse.linalg
from functions import quick_jit
from jax import lax
from jax.extend.core import Primitive
from jax.tree_util import Partial
from operators import CLASSES, matrix

import jaxcalc as jc
from jaxcalc import operators as ops

one_a_class = pytest.mark.parametrize("maker", CLASSES, ids=str)
x = jnp.array([1.0, 2.0, 4.0])


def looped(x):
    return lax.fori_loop(0, 3, lambda i, y: jnp.sin(y) @ jnp.ones((3, 3)), x)


def branched(x):
    return lax.cond(x[0] > 0, jnp.sin, looped, x)


def filtered(x):
    return jnp.fft.fft(x).real


DERIVED = {
    "diagonal - rank 1": jc.softmax,
    "diagonal": jnp.tanh,
    "chain": lambda x: jnp.cumsum(x)[::2],
    "sum": jnp.cumprod,
    "a loop": looped,
    "branches": branched,
    "a filter": filtered,
}
derived = pytest.mark.parametrize("f", DERIVED.values(), ids=DERIVED)


@one_a_class
def test_numpy_has_the_dense_array(maker):
    J = maker(np.float32)
    np.testing.assert_array_equal(np.asarray(J), J.todense())
    assert np.asarray(J).dtype == np.float32
    assert np.array(J, np.float64).dtype == np.float64
    several = jax.tree.map(lambda x: jnp.stack([x, x]), J)
    if jax.tree.leaves(J):
        with pytest.raises(ValueError, match="needs one operator"):
            np.asarray(several)


@one_a_class
def test_pickle_and_copies(maker):
    J = maker(np.float32)
    for again in (pickle.loads(pickle.dumps(J)), copy.deepcopy(J), copy.copy(J)):
        assert jax.tree.structure(again) == jax.tree.structure(J)
        np.testing.assert_array_equal(again.tensor(), J.tensor())
    several = jax.tree.map(lambda x: jnp.stack([x, x]), J)
    assert pickle.loads(pickle.dumps(several)).added_axes == several.added_axes


@derived
def test_pickle_and_copies_of_derivatives(f):
    J = jc.derive(f)(x)
    for again in (pickle.loads(pickle.dumps(J)), copy.deepcopy(J), copy.copy(J)):
        np.testing.assert_array_equal(again.todense(), J.todense())
        assert (again.formula, again.T.formula) == (J.formula, J.T.formula)
    assert jax.tree.structure(copy.deepcopy(J)) == jax.tree.structure(J)


@pytest.mark.slow
def test_a_pickle_is_read_by_another_process(tmp_path):
    J = jc.derive(looped)(x)
    (tmp_path / "J").write_bytes(pickle.dumps(J))
    read = (
        "import pickle, sys; J = pickle.load(open(sys.argv[1], 'rb')); print(J); "
        "print(J.todense().tolist())"
    )
    run = [sys.executable, "-c", read, str(tmp_path / "J")]
    words, numbers = subprocess.run(
        run, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.splitlines()
    assert words == repr(J)
    np.testing.assert_allclose(eval(numbers), J.todense(), 1e-6)


def test_what_cannot_be_pickled_is_named():
    mine = Primitive("mine")
    J = ops.Linear(Partial(mine.bind), (3,), (3,), np.float32)
    with pytest.raises(pickle.PicklingError, match=r"primitive `mine` inside an operator cannot"):
        pickle.dumps(J)
    with pytest.raises((pickle.PicklingError, AttributeError), match="<lambda>"):
        pickle.dumps(ops.Linear(lambda v: v, (3,), (3,), np.float32))


@one_a_class
def test_operators_go_in_and_out_of_exported_programs(maker):
    pytest.importorskip("flatbuffers", reason="jax.export writes with flatbuffers")
    J = maker(np.float32)
    exported = jax.export.export(jax.jit(lambda J: (J, J.T @ (J @ jnp.ones(J.domain)))))(J)
    same, y = jax.export.deserialize(exported.serialize()).call(J)
    assert jax.tree.structure(same) == jax.tree.structure(J)
    expected = matrix(J).T @ matrix(J) @ np.ones(y.size)
    np.testing.assert_allclose(y.ravel(), expected, 1e-4, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("make", [jc.softmax_jacobian, jc.derive(jc.softmax)])
def test_derivatives_go_in_and_out_of_exported_programs(make):
    pytest.importorskip("flatbuffers", reason="jax.export writes with flatbuffers")
    J = make(x)
    exported = jax.export.export(jax.jit(lambda J: J.T))(J)
    transpose = jax.export.deserialize(exported.serialize()).call(J)
    assert jax.tree.structure(transpose) == jax.tree.structure(J.T)
    np.testing.assert_allclose(transpose.todense(), J.T.todense(), 1e-6)


SPARSE = (ops.Zero, ops.Identity, ops.Diagonal, ops.Banded, ops.Selection)


def entries(J):
    """How many entries are written down, and the largest array on the way."""
    program = jax.make_jaxpr(lambda J: J.to_bcoo())(J)
    sizes = [v.aval.size for e in program.jaxpr.eqns for v in e.outvars]
    return program.out_avals[0].size, max(sizes, default=0)


@one_a_class
def test_sparse_matrices_of_jax(maker):
    J = maker(np.float32)
    for op in (J, J.T, 2 * J, ops.Diagonal(jnp.ones(J.codomain)) @ J):
        sparse = quick_jit(lambda op: op.to_bcoo())(op)
        assert (sparse.shape, sparse.dtype) == (op.matrix().shape, op.dtype)
        np.testing.assert_allclose(sparse.todense(), op.matrix(), 1e-5, 1e-5)
        np.testing.assert_allclose(
            sparse @ np.ones(sparse.shape[1], np.float32), op.matrix().sum(1), 1e-4, 1e-4
        )


@pytest.mark.parametrize("n", [50])
def test_no_dense_matrix_on_the_way(n):
    d, D = jnp.ones(n), ops.Diagonal(jnp.ones(n))
    P = ops.Selection.of(jnp.flip, (n,))
    band = ops.Banded(jnp.ones((2, n)), ((0,), (1,)), (n,))
    blocks = jc.batch(jax.vmap(lambda A: ops.Dense(A, 1))(jnp.ones((n, 2, 3))))
    linear = {
        ops.Zero((n,), (n,), np.float32): 0,
        ops.Identity((n,), np.float32): n,
        D: n,
        P: n,
        P.T: n,
        band: 2 * n,
        band + P: 3 * n,
        D @ P: n,
        2 * P.T: n,
        blocks: 6 * n,
        blocks.T: 6 * n,
        ops.Kronecker((ops.Dense(jnp.ones((2, 2)), 1), D)): 4 * n,
        jc.derive(jnp.sin)(d): n,
        jc.derive(lambda x: x[1:] - x[:-1])(d): 2 * (n - 1),
    }
    for J, count in linear.items():
        written, largest = entries(J)
        assert written == count
        assert largest <= 12 * n < n * n, J


@one_a_class
def test_operators_of_scipy(maker):
    J, T = maker(np.float32), maker(np.float32).T
    for op in (J, T):
        A, M = op.to_scipy(), np.asarray(op.matrix(), np.float64)
        assert (A.shape, A.dtype) == (M.shape, np.float32)
        x, y = (np.random.default_rng(1).standard_normal((n, 2)) for n in A.shape[::-1])
        for got, true in (
            (A @ x, M @ x),
            (A @ x[:, 0], M @ x[:, 0]),
            (A.rmatmat(y), M.T @ y),
            (A.H @ y[:, 0], M.T @ y[:, 0]),
        ):
            assert isinstance(got, np.ndarray)
            np.testing.assert_allclose(got, true, 1e-3, 1e-3)


def test_scipy_solves_with_them():
    A = (jc.derive(jc.softmax)(x) + ops.Identity((3,), np.float32)).to_scipy()
    solution, failed = scipy.sparse.linalg.cg(A, np.ones(3, np.float32), rtol=1e-6)
    assert not failed
    np.testing.assert_allclose(solution, np.ones(3), 1e-5)  # J 1 = 0
    A = ops.Diagonal(jnp.ones(3, jnp.bfloat16)).to_scipy()
    assert A.dtype == (A @ np.ones(3)).dtype == np.float32


class Layer(eqx.Module):
    J: ops.LinearOperator
    scale: jax.Array


def test_a_short_repr_inside_a_module():
    layer = Layer(jc.derive(jc.softmax)(x), x)
    assert repr(layer) == (
        "Layer(\n  J=Derivative(diagonal - rank 1, 3×3, float32): diag(s) − s sᵀ where "
        "s = softmax(x),\n  scale=f32[3]\n)"
    )
    J = ops.Dense(jnp.ones((100, 100)), 1)
    assert "J=Dense(dense, 100×100, float32)" in repr(Layer(J, x))


@one_a_class
def test_modules_part_and_combine_operators(maker):
    layer = Layer(maker(np.float32), x)
    again = eqx.combine(*eqx.partition(layer, eqx.is_inexact_array))
    assert jax.tree.structure(again) == jax.tree.structure(layer)
