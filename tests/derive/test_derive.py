"""`derive` of single functions: structure, values, shapes, trees."""

import math
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import BY_NAME, CASES, A, Case, W, custom_backward, derived, layer_norm, numbers
from functions import assert_close, quick_jit

import jaxcalc as jc

every = pytest.mark.parametrize("case", CASES, ids=str)
TOGETHER = 24  # cases in one compilation
UNITS = 64


class Outcome(NamedTuple):
    """What came of a function."""

    J: jc.Derivative
    tensor: Any
    right: Any  # J v
    left: Any  # w J
    truth: Any


@cache
def outcomes(start: int) -> list[Outcome]:
    cases = CASES[start : start + TOGETHER]

    @quick_jit
    def computed(xs):
        def one(f, x):
            J = jc.derive(f)(x)
            autodiff = jax.jacrev if f is custom_backward else jax.jacfwd
            v, w = numbers(*J.domain), numbers(*J.codomain)
            return Outcome(J, J.tensor(), J @ v, w @ J, autodiff(f)(x))

        return [one(case.f, x) for case, x in zip(cases, xs, strict=True)]

    return computed([case.x for case in cases])


def outcome(case: Case) -> Outcome:
    position = CASES.index(case)
    return outcomes(position - position % TOGETHER)[position % TOGETHER]


@every
def test_structure(case):
    J = outcome(case).J
    assert J.structure == case.structure
    assert (J.domain, J.dtype) == (case.shape, np.float32)
    assert repr(J).startswith(f"Derivative({case.structure}, ")
    assert J.T.T.structure == J.structure


@every
def test_values(case):
    """Dense forms are those of autodiff, and so are products."""
    J, tensor, right, left, truth = outcome(case)
    v, w = numbers(*J.domain), numbers(*J.codomain)
    assert_close(tensor, truth, UNITS)
    assert_close(right, np.tensordot(truth, v, v.ndim), UNITS)
    assert_close(left, np.tensordot(w, truth, w.ndim), UNITS)


# --- shapes, layouts, trees ---


def other(layout):
    return {"numerator": "denominator", "denominator": "numerator"}[layout]


@pytest.mark.parametrize("layout", ["numerator", "denominator"])
def test_shapes_are_those_of_the_layout(layout):
    """For scalars, vectors and matrices by each other."""
    pairs = [(y, x) for y in [(), (2,), (2, 3)] for x in [(), (4,), (4, 5)]]

    @quick_jit
    def computed(Ts, xs):
        def one(T, x):
            def f(x):
                return jnp.tensordot(T, x, x.ndim) + 1

            J, truth = jc.derive(f, layout=layout)(x), jc.jacobian(f, layout=layout)(x)
            assert (J.shape, J.T.T.shape) == (truth.shape, truth.shape)
            return truth, J.todense(), J.T.todense(), J @ jnp.ones(J.domain)

        return list(map(one, Ts, xs))

    Ts, xs = [numbers(*y, *x) for y, x in pairs], [numbers(*x) for _, x in pairs]
    for (y, x), T, (truth, dense, transposed, product) in zip(
        pairs, Ts, computed(Ts, xs), strict=True
    ):
        assert_close(dense, truth)
        assert transposed.shape == jc.to_layout(truth, layout, other(layout), y_ndim=len(y)).shape
        summed = range(-len(x), 0) if layout == "numerator" else range(len(y))
        assert_close(product, T.sum(tuple(summed)))


def test_columns_and_rows_may_be_stacked():
    J = derived(BY_NAME["X W"])
    V, U = numbers(7, 3, 2), numbers(2, 7, 5)
    T = np.asarray(J.tensor())
    assert_close(J @ V, np.einsum("ijkl,klm->ijm", T, V), UNITS)
    assert_close(U @ J, np.einsum("mij,ijkl->mkl", U, T), UNITS)


def several(params, n, x, *, scale):
    """Of trees, with an integer between them and a keyword."""
    y = params["W"] @ x * scale
    return {"y": jnp.tanh(y), "z": (y[n] * params["c"], jnp.sum(x))}


def is_derivative(J):
    return isinstance(J, jc.Derivative)


def test_trees():
    """The output's tree of the arguments' trees, as `jacobian` gives."""
    params = {"W": W, "c": jnp.float32(0.5)}
    scale = jnp.float32(2)
    Js = jc.derive(several, (0, -1))(params, 1, numbers(3), scale=scale)

    @quick_jit
    def computed(Js, params, x):
        dense = jax.tree.map(lambda J: J.todense(), Js, is_leaf=is_derivative)
        return dense, jc.jacobian(several, (0, -1))(params, 1, x, scale=scale)

    dense, truths = computed(Js, params, numbers(3))
    assert jax.tree.structure(dense) == jax.tree.structure(truths)
    assert_close(dense, truths, UNITS)
    structures = jax.tree.map(lambda J: J.structure, Js, is_leaf=is_derivative)
    assert structures["y"] == ({"W": "block diagonal: rank 1", "c": "zero"}, "chain")
    assert structures["z"][1] == ({"W": "zero", "c": "zero"}, "rank 1")


def test_the_hessian_of_a_logistic_loss_is_a_chain_of_three():
    """Xᵀ D X, none of it multiplied out."""
    H = derived(BY_NAME["gradient of a logistic loss"])
    assert [part.structure for part in H.operator.factors] == ["dense", "diagonal", "dense"]
    X, slopes = np.asarray(A), np.asarray(jc.derive(jc.sigmoid)(A @ numbers(3)).diagonal())
    assert_close(H.todense(), X.T @ np.diag(slopes) @ X, UNITS)


class Net:
    """A function that is an object."""

    def __call__(self, x):
        return jnp.tanh(W @ x)

    def scaled(self, x, *scales, power=1):
        return scales[0] * self(x) ** power


CALLABLES = {
    "object": Net(),
    "method": lambda x: Net().scaled(x, 2.0),
    "bound method": partial(Net().scaled, power=2),
    "jitted object": jax.jit(Net()),
    "partial": partial(jnp.matmul, W),
    "built-in": abs,
    "of rows by vmap": jax.vmap(lambda x: x * x),
    "lambda with a default": lambda x, A=A: A @ x,
}


@pytest.mark.parametrize("name", CALLABLES)
def test_whatever_can_be_called(name):
    f, x = CALLABLES[name], jnp.asarray(numbers(3))
    arguments = (x, jnp.float32(3)) if name == "bound method" else (x,)

    @quick_jit
    def computed(*arguments):
        return jc.derive(f)(*arguments).todense(), jc.jacobian(f)(*arguments)

    assert_close(*computed(*arguments), UNITS)


def test_python_may_look_at_the_numbers():
    def f(x, i):
        return jnp.sin(x) if x[i] > 0 else 2 * jnp.cos(x)

    x = jnp.array([1.0, -1.0, 0.5])
    for i, slope in enumerate([jnp.cos(x), -2 * jnp.sin(x)]):
        J = jc.derive(f)(x, i)
        assert J.structure == "diagonal"
        assert_close(J.diagonal(), slope)


@pytest.mark.parametrize("x", [2.0, np.float32(2), np.full(3, 2, np.float32)], ids=repr)
def test_numbers_and_numpy_arrays_are_arguments(x):
    J = jc.derive(lambda x: x * x * x)(x)
    assert J.domain == np.shape(x)
    assert_close(J.diagonal(), np.full(np.shape(x), 12.0))


EMPTY = {
    "diagonal": (jnp.sin, (0, 3)),
    "softmax of no rows": (jc.softmax, (0, 3)),
    "softmax of no classes": (jc.softmax, (2, 0)),
    "sum of nothing": (jnp.sum, (0, 3)),
    "nothing from something": (lambda x: x[:0] @ A.T, (2, 3)),
    "something from nothing": (lambda x: x @ jnp.zeros((0, 4)), (3, 0)),
    "transpose": (lambda x: x.T * 2, (3, 0)),
}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_numbers_that_are_not_finite(number):
    assert_written(lambda x: number * x, f"{number} I", number)


def test_a_product_of_numbers_beyond_the_largest(x64):
    assert_written(lambda x: 1e200 * (1e200 * x), "1e+400 I", math.inf)


def assert_written(f, formula, number):
    J = jc.derive(f)(jnp.ones(2))
    assert J.formula == formula
    found: dict[str, Any] = {}
    exec(J.code, found)
    for array in (J.todense(), found["derivative"](**J.arrays)):
        np.testing.assert_array_equal(array, np.diag([number, number]))


@pytest.mark.slow
def test_code_of_what_is_filled_with_nan():
    index = jnp.array([0, -1])

    def f(x):
        return jax.nn.logsumexp(jnp.take(jnp.sum(x, keepdims=True), index)) ** 2

    J = jc.derive(f)(jnp.ones(3))
    assert "fill_value=float('nan')" in J.code
    found: dict[str, Any] = {}
    exec(J.code, found)
    np.testing.assert_allclose(found["derivative"](**J.arrays), J.todense(), 1e-6)


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(name):
    f, shape = EMPTY[name]
    J, truth = jc.derive(f)(jnp.zeros(shape)), jc.jacobian(f)(jnp.zeros(shape))
    assert J.todense().shape == truth.shape
    assert (J @ jnp.zeros(J.domain)).shape == J.codomain
    assert (jnp.zeros(J.codomain) @ J).shape == J.domain


UNIT_AXES = {
    "one class": (jc.softmax, (3, 1)),
    "one row": (jc.softmax, (1, 3)),
    "one row, jax.nn": (jax.nn.softmax, (1, 3)),
    "one row of a layer norm": (layer_norm, (1, 4)),
    "one column": (lambda x: jnp.tanh(W @ x), (3, 1)),
    "one of everything": (lambda x: jnp.exp(x) * jnp.sum(x), (1, 1)),
}


@pytest.mark.parametrize("name", UNIT_AXES)
def test_axes_of_size_one(name):
    f, shape = UNIT_AXES[name]

    @quick_jit
    def computed(x):
        J = jc.derive(f)(x)
        return J.todense(), jc.jacobian(f)(x), J @ x, jnp.tensordot(J.tensor(), x, x.ndim)

    dense, truth, product, expected = computed(numbers(*shape))
    assert_close((dense, product), (truth, expected), UNITS)
