"""What once went wrong, each at its smallest input, beside the right value.

Each stands for a kind: the kinds have tables of their own in the modules beside this one.
"""

import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import PartitionSpec

import jaxcalc as jc

INF, NAN = np.inf, np.nan
NOTHING = np.zeros(2, bool)  # a mask
TAIL = 2.0611536e-09  # s₁s₂ of softmax([20, 0])
TAIL_HESSIAN = np.array([[TAIL, -TAIL], [-TAIL, TAIL]])
NARROW = ["float16", "bfloat16"]


def equal(got, true):
    np.testing.assert_array_equal(np.asarray(got, np.float64), true)


# A NaN in a large array: XLA:CPU's fused maxima drop it.


def test_a_nan_in_one_of_many_rows_is_the_logsumexp_of_that_row():
    got = jc.logsumexp(jnp.zeros((512, 1000)).at[1, 1].set(NAN), -1)
    assert np.flatnonzero(np.isnan(got)).tolist() == [1]
    np.testing.assert_allclose(np.delete(got, 1), np.log(1000), rtol=1e-6)


OF_ROWS = {
    "softmax": jc.softmax,
    "log_softmax": jc.log_softmax,
    "logsumexp": jc.logsumexp,
    "softmax_cross_entropy": lambda x, axis: jc.softmax_cross_entropy(
        x, jnp.zeros(np.delete(x.shape, axis), int), axis
    ),
}


@pytest.mark.parametrize(("shape", "axis"), [((4096, 3), -1), ((64, 4096), 0)])
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_nan_among_thousands_of_rows(name, shape, axis):
    got = np.isnan(OF_ROWS[name](jnp.zeros(shape).at[1, 1].set(NAN), axis))
    expected = np.zeros(shape, bool)
    expected[(1, slice(None)) if axis else (slice(None), 1)] = True
    reduced = got.ndim == 1
    np.testing.assert_array_equal(got, expected.any(axis) if reduced else expected)


def test_a_row_of_nothing_but_nan_is_not_empty():
    assert np.isnan(jc.logsumexp(jnp.full((8, 1000), NAN), -1)).all()


# Without jit


def test_the_derivative_of_sigmoid_without_jit():
    with jax.disable_jit():
        np.testing.assert_allclose(jax.grad(jc.sigmoid)(1.0), 0.19661193, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("derivative", [jc.jacobian, jc.hessian], ids=lambda d: d.__name__)
def test_arrays_of_derivatives_without_jit(derivative):
    x = jnp.array([20.0, 0.0])
    expected = derivative(jc.logsumexp)(x)
    with jax.disable_jit():
        np.testing.assert_allclose(derivative(jc.logsumexp)(x), expected, rtol=1e-6)


# Second derivatives through a loop, whose linearisation may drop what is custom


def mapped(f):
    return lambda x: lax.map(f, x[None])[0]


SECOND = {
    "forward over reverse": jax.hessian,
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f)),
    "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(f)),
    "forward over forward": lambda f: jax.jacfwd(jax.jacfwd(f)),
}


@pytest.mark.parametrize("order", SECOND)
def test_a_hessian_through_map_keeps_its_digits(order):
    got = jax.jit(SECOND[order](mapped(jc.logsumexp)))(jnp.array([20.0, 0.0]))
    np.testing.assert_allclose(got, TAIL_HESSIAN, rtol=1e-5)


@pytest.mark.parametrize("order", SECOND)
def test_a_hessian_with_weights_of_both_signs(order):
    """log |½ exp(x₁) − ¼ exp(x₂)|, whose shares are 2 and −1."""
    b = jnp.array([0.5, -0.25])
    f = SECOND[order](lambda x: jc.logsumexp(x, b=b, return_sign=True)[0])
    np.testing.assert_allclose(f(jnp.zeros(2)), [[-2, 2], [2, -2]], rtol=1e-5)


def alignment(log_probs):
    """Log-probability of a walk that stays or advances at each step, from the first of 3 places."""

    def step(carry, row):
        came = jnp.concatenate([jnp.array([-INF]), carry[:-1]])
        return jc.logsumexp(jnp.stack([carry, came]), 0) + row, None

    start = jnp.array([0.0, -INF, -INF])  # nowhere else yet
    return jc.logsumexp(lax.scan(step, start, log_probs)[0])


@pytest.mark.slow
def test_a_hessian_through_a_recursion_from_minus_infinity():  # jax#6811
    with jax.enable_x64(True):
        rows = jnp.array([[0.5, -1.0, 0.25], [1.0, 0.0, -0.5]])
        walks = jnp.array([[0, 0], [0, 1], [1, 1], [1, 2]])  # where each is after a step
        chosen = jax.nn.one_hot(walks, 3)

        def plain(rows):
            return jnp.log(jnp.sum(jnp.exp(jnp.sum(chosen * rows[None], (1, 2)))))

        for derivative in (jax.value_and_grad, jax.hessian, SECOND["reverse over reverse"]):
            got, true = (jax.jit(derivative(f))(rows) for f in (alignment, plain))
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12), got, true)


# Where the derivative is 0, nothing on the way there is NaN


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev, jax.hessian])
def test_no_nan_arises_inside_where_the_whole_row_is_masked(derivative):
    with jax.debug_nans(True):
        equal(derivative(lambda x: jc.softmax(x, where=NOTHING)[0])(jnp.ones(2)), 0)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev, jax.hessian])
def test_fully_masked_cross_entropy_has_derivative_0_in_every_mode(derivative):
    equal(derivative(lambda x: jc.softmax_cross_entropy(x, 1, where=NOTHING))(jnp.ones(2)), 0)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("dtype", [*NARROW, "float32"])
def test_logsumexp_with_an_infinity_has_derivative_nan(dtype, derivative):
    x = jnp.array([0.0, 1.0, INF], dtype)
    equal(jc.logsumexp(x), INF)
    equal(derivative(jc.logsumexp)(x), [NAN] * 3)


# Threads


HELD = '''
import threading, time
import jax, jax.numpy as jnp, jaxcalc as jc
from jax.interpreters import ad, batching

class Slow:
    """A table of rules, each of which takes its time to arrive."""
    def __init__(self, table):
        self.table = table
    def __setitem__(self, primitive, rule):
        time.sleep(0.2)
        self.table[primitive] = rule
    def __getattr__(self, name):
        return getattr(self.table, name)

for module, table in (
    (ad, "primitive_jvps"), (ad, "primitive_transposes"), (batching, "primitive_batchers"),
):
    setattr(module, table, Slow(getattr(module, table)))

def trace(classes):  # a size of its own, so that nothing is shared but the primitives
    jax.make_jaxpr(jax.hessian(lambda x: f(x)[0]))(jnp.ones(classes))
    return "right"

def note(classes):
    traced.append(trace(classes))

f = jnp.exp
trace(2)  # what JAX does but once
f, traced = jc.softmax, []
threads = [threading.Thread(target=note, args=(n,)) for n in range(2, 18)]
for thread in threads:
    thread.start()
    time.sleep(0.06)
for thread in threads:
    thread.join()
print(*traced)
'''


@pytest.mark.slow
def test_no_thread_sees_a_primitive_before_its_rules():
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["right"] * 16, done.stderr


# Labels


@pytest.mark.parametrize("labels", [np.array([1, 0]), np.full((2, 3), 0.25, np.float16)])
@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_a_fast_loss_in_float16_promotes_nothing(derivative, labels):
    with jax.numpy_dtype_promotion("strict"):
        J = derivative(lambda x: jc.softmax_cross_entropy(x, labels, accuracy="fast"))
        assert J(jnp.ones((2, 3), jnp.float16)).dtype == jnp.float16


@pytest.mark.parametrize("shapes", [((3, 1), (3,)), ((3,), (3, 1)), ((3, 1), (1, 3))], ids=str)
def test_a_column_of_logits_does_not_meet_a_row_of_labels(shapes):
    logits, labels = (jnp.ones(shape) for shape in shapes)
    with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match="`labels` must have"):
        jc.sigmoid_binary_cross_entropy(logits, labels)


def test_more_classes_than_an_int32_can_count():
    """Without memory for them: it is the types that are asked for."""
    logits = jax.ShapeDtypeStruct((2, 2**31), jnp.float16)
    labels = jax.ShapeDtypeStruct((2,), jnp.int32)

    def loss(x, y):
        return jc.softmax_cross_entropy(x, y)[0]

    assert jax.eval_shape(loss, logits, labels).shape == ()
    assert jax.eval_shape(jax.grad(loss), logits, labels).shape == logits.shape


# Complex numbers, which jax.nn takes


def test_sigmoid_of_a_complex_number():
    z = 0.5 + 0.25j
    true = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(jc.sigmoid(z), true, rtol=1e-6)
    slope = jax.grad(jc.sigmoid, holomorphic=True)(jnp.complex64(z))
    np.testing.assert_allclose(slope, true * (1 - true), rtol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_rows_of_complex_numbers(name):
    z = jnp.array([0.5 + 0.25j, -1.0 - 0.5j, 0.75 + 1.0j], jnp.complex64)
    exponentials = np.exp(np.asarray(z, np.complex128))
    true = exponentials / exponentials.sum() if name == "softmax" else np.log(exponentials.sum())
    np.testing.assert_allclose(getattr(jc, name)(z), true, rtol=1e-6)


# Words


def test_a_scalar_has_no_axis_to_take_a_softmax_along():
    for f in (jc.softmax, jc.log_softmax):
        with pytest.raises(ValueError, match=r"`x` .*axis"):
            f(1.0)


def test_to_layout_names_the_argument_that_is_wrong():
    with pytest.raises(ValueError, match="`target`"):
        jc.to_layout(jnp.ones((2, 3)), "numerator", target="rows")


def test_an_entry_without_weight_may_be_far_above_those_with_one():
    a, b = jnp.array([0.0, 89.0]), jnp.array([10.0, 0.0])

    def f(b):
        return jc.logsumexp(a, b=b)

    true = [0.1, np.exp(89.0) / 10]
    np.testing.assert_allclose(jax.grad(f)(b), true, rtol=1e-5)
    np.testing.assert_allclose(jax.jacfwd(f)(b), true, rtol=1e-5)
    along = jax.jvp(f, (b,), (jnp.array([1.0, 0.0]),))[1]
    np.testing.assert_allclose(along, 0.1, rtol=1e-6)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("left_out", [jnp.nan, jnp.inf, -jnp.inf])
def test_an_entry_without_weight_is_left_out_in_both_modes(derivative, left_out):
    a, b = jnp.array([left_out, 0.0]), jnp.array([0.0, 1.0])
    np.testing.assert_array_equal(derivative(lambda a: jc.logsumexp(a, b=b))(a), [0, 1])


def test_a_nan_goes_on_though_nothing_changes():
    a, b, nothing = jnp.array([jnp.nan, 0.0]), jnp.ones(2), jnp.zeros(2)
    assert jnp.isnan(jax.jvp(lambda a: jc.logsumexp(a, b=b), (a,), (nothing,))[1])


def test_a_large_weight_has_a_share():
    J = jax.grad(lambda a: jc.logsumexp(a, b=jnp.array([9e37])))
    np.testing.assert_array_equal(J(jnp.zeros(1)), [1])


def traced_axis(k):
    return jc.softmax(jnp.ones((2, 3)), k)


def traced_axes(k):
    return jc.softmax(jnp.ones((2, 3)), (0, k))


def traced_accuracy(k):
    return jc.softmax(jnp.ones((2, 3)), accuracy=k)


@pytest.mark.parametrize("f", [traced_axis, traced_axes, traced_accuracy])
def test_an_option_that_is_traced_must_be_static(f):
    with pytest.raises((TypeError, ValueError), match="static") as refused:
        jax.jit(f)(0)
    assert "Tracer" not in str(refused.value)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="speaks of what a CPU lacks")
def test_kernels_for_a_gpu_ask_for_a_gpu_first():
    with pytest.raises((NotImplementedError, ValueError), match="GPU") as refused:
        jc.softmax(jnp.ones((2, 3)), implementation="pallas")
    assert "64" not in str(refused.value)


# A class axis split over devices: from inside it cannot be told from a batch that is

OVER_CLASSES = ["softmax", "log_softmax", "logsumexp", "softmax_cross_entropy"]


@pytest.mark.parametrize("name", OVER_CLASSES)
def test_the_docstring_says_what_a_split_class_axis_needs(name):
    text = getattr(jc, name).__doc__
    assert "shard_map" in text
    assert "axis_name" in text


def test_a_softmax_over_split_classes_sums_to_1():
    auto = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((2,), ("devices",), auto, devices=jax.devices("cpu")[:2])
    split = PartitionSpec(None, "devices")
    f = partial(jc.softmax, axis_name="devices")
    s = jax.shard_map(f, mesh=mesh, in_specs=split, out_specs=split)(jnp.ones((3, 4)))
    np.testing.assert_allclose(s, np.full((3, 4), 0.25), rtol=1e-6)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_a_row_without_a_label_that_is_masked_afterwards_has_derivative_0(derivative):
    x, y = jnp.array([[1.0, 2.0, 3.0]] * 3), np.array([2, -100, 0])

    def kept(x):
        return jnp.sum(jnp.where(y != -100, jc.softmax_cross_entropy(x, y), 0))

    gradient, s = derivative(kept)(x), np.asarray(jc.softmax(x[0]))
    np.testing.assert_allclose(gradient, [s - np.eye(3)[2], 0 * s, s - np.eye(3)[0]], 1e-5, 1e-6)
    assert not np.isnan(derivative(jax.grad(kept))(x)).any()
    assert np.isnan(jax.grad(lambda x: jnp.sum(jc.softmax_cross_entropy(x, y)))(x)[1]).all()
