"""The losses against their formulas in NumPy, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import DISTRIBUTIONS, LABELS, LOGITS, MASK, eighths, one_hot, quick_jit

import jaxcalc as jc

DTYPES = ["float16", "bfloat16", "float32"]
BATCH = eighths(5, 2, 4)
INF, NAN, MAX = np.inf, np.nan, float(np.finfo(np.float32).max)
close = np.testing.assert_allclose


def log_softmax(x, axis=-1):
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def softmax(x, axis=-1):
    return np.exp(log_softmax(x, axis))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def tolerance(dtype):
    return float(jnp.finfo(dtype).eps)


def summed(loss):
    return lambda *args: jnp.sum(loss(*args))


def random_labels(shape, classes):
    return np.random.default_rng(7).integers(0, classes, shape)


@pytest.mark.parametrize(
    ("axis", "index"), [(0, "int32"), (1, "uint8"), (2, "int16"), (-1, "int8"), (-2, "uint32")]
)
def test_class_indices_along_any_axis(axis, index):
    labels = random_labels(np.delete(BATCH.shape, axis), BATCH.shape[axis])
    true = -np.take_along_axis(log_softmax(BATCH, axis), np.expand_dims(labels, axis), axis)
    got = jc.softmax_cross_entropy(jnp.asarray(BATCH), labels.astype(index), axis)
    close(got, np.squeeze(true, axis), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("index", ["int8", "uint8", "int16"])
def test_more_classes_than_the_index_type_counts(index):
    x, label = eighths(3, 300), np.array([0, 44, 100], index)
    loss, gradient = jax.value_and_grad(lambda x: jnp.sum(jc.softmax_cross_entropy(x, label)))(
        jnp.asarray(x)
    )
    close(loss, -log_softmax(x)[np.arange(3), label].sum(), rtol=1e-5)
    close(gradient, softmax(x) - np.eye(300)[label], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [1, -3, (0, 2), (-1, 1), None], ids=str)
def test_distributions_along_any_axes(axis):
    y = np.abs(eighths(*BATCH.shape))
    every = tuple(range(3)) if axis is None else axis
    true = -(y * log_softmax(BATCH, every)).sum(every)
    close(jc.softmax_cross_entropy(jnp.asarray(BATCH), jnp.asarray(y), axis), true, rtol=2e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_is_the_softmax_minus_the_labels(dtype):
    x = jnp.asarray(LOGITS, dtype)
    gradient = jax.grad(summed(jc.softmax_cross_entropy))(x, LABELS)
    assert gradient.dtype == dtype
    close(gradient.astype(float), softmax(LOGITS) - one_hot(LABELS), 2 * tolerance(dtype), 1e-7)


@pytest.mark.parametrize("labels", ["bfloat16", "float32"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_distributions_of_another_dtype(dtype, labels):
    """The loss has the dtype of the logits, each gradient that of its argument."""
    x, y = jnp.asarray(LOGITS, dtype), jnp.asarray(DISTRIBUTIONS, labels)
    loss = jc.softmax_cross_entropy(x, y)
    by_x, by_y = jax.grad(summed(jc.softmax_cross_entropy), (0, 1))(x, y)
    assert (loss.dtype, by_x.dtype, by_y.dtype) == (dtype, dtype, labels)
    units = 2 * tolerance(dtype)
    close(loss.astype(float), -(DISTRIBUTIONS * log_softmax(LOGITS)).sum(-1), units)
    mass = DISTRIBUTIONS.sum(-1, keepdims=True)
    close(by_x.astype(float), softmax(LOGITS) * mass - DISTRIBUTIONS, units, units)
    close(by_y.astype(float), -log_softmax(LOGITS), max(units, 2 * tolerance(labels)))


@pytest.mark.parametrize(("dtype", "labels"), [("bfloat16", "float32"), ("float32", "float16")])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "sigmoid_binary_cross_entropy"])
def test_mixed_derivatives_by_logits_and_labels_of_two_dtypes(name, dtype, labels):
    loss = summed(getattr(jc, name))

    @quick_jit
    def mixed(x, y):
        of_x, of_y = jax.grad(loss, 0), jax.grad(loss, 1)
        return jax.jacfwd(of_y, 0)(x, y), jax.jacrev(of_y, 0)(x, y), jax.jacrev(of_x, 1)(x, y).T

    got = mixed(jnp.asarray(LOGITS[0], dtype), jnp.asarray(DISTRIBUTIONS[0], labels))
    s, units = softmax(LOGITS[0]), 2 * max(tolerance(dtype), tolerance(labels))
    true = -np.eye(4) + (s if name == "softmax_cross_entropy" else 0)
    for tensor in got:
        close(tensor.astype(float), true, units, units)


def test_masked_classes_are_left_out():
    x, y = jnp.asarray(LOGITS), jnp.asarray(DISTRIBUTIONS)
    few = jc.softmax_cross_entropy(x[:, MASK], y[:, MASK])
    close(jc.softmax_cross_entropy(x, jnp.where(MASK[None], y, 0), where=MASK), few, rtol=1e-6)
    indices = jc.softmax_cross_entropy(x, LABELS, where=MASK)
    close(indices, jc.softmax_cross_entropy(x[:, MASK], np.array([1, 0])), rtol=1e-6)


def test_a_mask_broadcasts_the_logits_up():
    where = np.stack([MASK, ~MASK, MASK | True])[:, None, :]
    labels = random_labels((3, 2), 4)
    got = jc.softmax_cross_entropy(jnp.asarray(LOGITS), labels, where=where)
    terms = np.where(where, np.exp(LOGITS), 0)
    true = np.log(terms.sum(-1)) - np.take_along_axis(
        np.where(where, LOGITS, -np.inf), labels[..., None], -1
    ).squeeze(-1)
    close(got, true, rtol=1e-6)


@pytest.mark.parametrize("name", ["indices", "distributions"])
def test_the_hessian_is_the_jacobian_of_the_softmax(name):
    x, y = LOGITS[0], {"indices": LABELS[0], "distributions": DISTRIBUTIONS[0]}[name]
    labels = y if name == "indices" else jnp.asarray(y)
    got = jax.jit(jax.hessian(jc.softmax_cross_entropy))(jnp.asarray(x), labels)
    s = softmax(x)
    close(got, np.diag(s) - np.outer(s, s), rtol=1e-5, atol=1e-7)
    close(got, jc.softmax_jacobian(jnp.asarray(x)).todense(), rtol=1e-5, atol=1e-7)


def test_an_empty_batch_of_losses():
    loss = jc.softmax_cross_entropy(jnp.zeros((0, 3)), np.zeros(0, np.int32))
    assert loss.shape == (0,)


def test_integer_logits_and_python_labels():
    assert jc.softmax_cross_entropy(np.array([1, 2, 3]), 2).dtype == jnp.float32
    close(
        jc.softmax_cross_entropy(np.array([1, 2, 3]), 2), -log_softmax(np.arange(1.0, 4))[2], 1e-6
    )
    close(jc.sigmoid_binary_cross_entropy(2, True), np.log1p(np.exp(-2)), rtol=1e-6)


def binary(x, y):
    return np.logaddexp(0, x) - x * y


@pytest.mark.parametrize("labels", [bool, np.int32, np.uint8, np.float32], ids=lambda d: d.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_labels_of_any_type(dtype, labels):
    x, y = jnp.asarray(LOGITS, dtype), (LOGITS > 0.3).astype(labels)
    loss = jc.sigmoid_binary_cross_entropy(x, y)
    gradient = jax.grad(summed(jc.sigmoid_binary_cross_entropy))(x, y)
    assert (loss.dtype, gradient.dtype) == (dtype, dtype)
    true = LOGITS > 0.3
    close(loss.astype(float), binary(LOGITS, true), 2 * tolerance(dtype))
    close(gradient.astype(float), sigmoid(LOGITS) - true, 2 * tolerance(dtype))


@pytest.mark.parametrize("labels", ["bfloat16", "float32"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_labels_and_their_gradient(dtype, labels):
    x, y = jnp.asarray(LOGITS, dtype), jnp.asarray(DISTRIBUTIONS, labels)
    by_x, by_y = jax.grad(summed(jc.sigmoid_binary_cross_entropy), (0, 1))(x, y)
    assert (by_x.dtype, by_y.dtype) == (dtype, labels)
    units = 2 * tolerance(dtype)
    close(by_x.astype(float), sigmoid(LOGITS) - DISTRIBUTIONS, units, units)
    close(by_y.astype(float), -LOGITS, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4), (3, 1, 4), (0, 3), ()], ids=str)
def test_one_label_serves_for_all(shape):
    x, y = jnp.asarray(eighths(*shape)), jnp.float32(0.375)
    close(jc.sigmoid_binary_cross_entropy(x, y), binary(np.asarray(x), 0.375), 1e-5, 1e-6)
    by_x, by_y = jax.grad(summed(jc.sigmoid_binary_cross_entropy), (0, 1))(x, y)
    close(by_x, sigmoid(np.asarray(x)) - 0.375, rtol=1e-4, atol=1e-5)
    close(by_y, -np.sum(x), rtol=1e-5, atol=1e-5)


def test_two_classes_are_the_binary_case():
    """Softmax over (0, x) is the sigmoid of x."""
    x = jnp.asarray(LOGITS)
    two = jc.softmax_cross_entropy(jnp.stack([jnp.zeros_like(x), x]), (LOGITS > 0).astype(int), 0)
    close(two, jc.sigmoid_binary_cross_entropy(x, LOGITS > 0), rtol=1e-6)


TWO_ARGUMENTS = {
    "softmax_cross_entropy": (
        jc.softmax_cross_entropy,
        lambda x, y: -jnp.sum(y * (x - jax.nn.logsumexp(x, -1, keepdims=True)), -1),
    ),
    "sigmoid_binary_cross_entropy": (
        jc.sigmoid_binary_cross_entropy,
        lambda x, y: jnp.logaddexp(x, jnp.zeros_like(x)) - x * y,
    ),
    "logsumexp": (
        lambda a, b: jc.logsumexp(a, -1, jnp.abs(b) + 0.25),
        lambda a, b: jnp.log(jnp.sum((jnp.abs(b) + 0.25) * jnp.exp(a), -1)),
    ),
}


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 0)], ids=str)
@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_batching_one_argument_of_two(name, axes):
    arguments = [jnp.asarray(a) for a in (LOGITS, DISTRIBUTIONS)]

    def batched(f):
        batches = [
            x if axis is None else jnp.stack([x, x[::-1], x + 0.125], axis)
            for x, axis in zip(arguments, axes, strict=True)
        ]
        return jax.vmap(jax.value_and_grad(summed(f), (0, 1)), axes)(*batches)

    got, true = (quick_jit(batched, static_argnums=0)(f) for f in TWO_ARGUMENTS[name])
    jax.tree.map(lambda a, b: close(a, b, rtol=1e-5, atol=1e-5), got, true)


@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_mixed_second_derivatives(name):
    arguments = [jnp.asarray(a[0]) for a in (LOGITS, DISTRIBUTIONS)]

    def mixed(f):
        f = summed(f)
        forward = jax.jacfwd(jax.grad(f, 0), 1)(*arguments)
        reverse = jax.jacrev(jax.jacfwd(f, 1), 0)(*arguments)
        return forward, reverse.T, jax.hessian(f, (0, 1))(*arguments)

    got, true = (quick_jit(mixed, static_argnums=0)(f) for f in TWO_ARGUMENTS[name])
    jax.tree.map(lambda a, b: close(a, b, rtol=1e-5, atol=1e-6), got, true)


EDGES = {  # logits, label, loss, gradient
    "plain": ([1.0, 1.0], 1, np.log(2), [0.5, -0.5]),
    "label too large": ([1.0, 1.0], 2, NAN, [NAN, NAN]),
    "label negative": ([1.0, 1.0], -1, NAN, [NAN, NAN]),
    "an infinity out": ([-INF, 1.0], 1, 0.0, [0.0, 0.0]),
    "an infinity chosen": ([-INF, 1.0], 0, INF, [-1.0, 1.0]),
    "infinity": ([INF, 1.0], 0, NAN, [NAN, NAN]),
    "NaN": ([NAN, 1.0], 1, NAN, [NAN, NAN]),
    "far apart": ([3e38, -3e38], 0, 0.0, [0.0, 0.0]),
}


@pytest.mark.parametrize("distribution", [False, True])
def test_edges_of_the_softmax_cross_entropy(distribution):
    keys = [k for k in EDGES if not (distribution and "label" in k)]
    x, y, loss, gradient = map(np.array, zip(*map(EDGES.get, keys), strict=True))
    labels = np.eye(2)[y % 2].astype(np.float32) if distribution else y
    got = jax.jit(jax.vmap(jax.value_and_grad(jc.softmax_cross_entropy)))(jnp.asarray(x), labels)
    close(got[0], loss, rtol=1e-6)
    close(got[1], gradient, rtol=1e-6)


def test_what_a_mask_hides_has_no_derivative():
    x = jnp.array([[NAN, 1.0, 1.0], [INF, 1.0, 1.0], [-INF, 1.0, 1.0]])
    labels = np.array([1, 2, 1])

    def f(x, label):
        return jc.softmax_cross_entropy(x, label, where=np.array([False, True, True]))

    every = [f, jax.jacfwd(f), jax.jacrev(f), jax.jacfwd(jax.jacfwd(f)), jax.jacrev(jax.jacrev(f))]
    loss, *first, second, other_second = jax.jit(
        jax.vmap(lambda x, label: [derivative(x, label) for derivative in every])
    )(x, labels)
    close(loss, np.log([2.0, 2.0, 2.0]), rtol=1e-6)
    for gradient in first:
        close(gradient, [[0, -0.5, 0.5], [0, 0.5, -0.5], [0, -0.5, 0.5]], rtol=1e-6)
    hidden = [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]]
    for hessian in (second, other_second):
        close(hessian, [hidden] * 3, rtol=1e-6)


@pytest.mark.parametrize(("mask", "gradient"), [([0, 1, 1], [0, 0.5, 0.5]), ([0, 0, 0], [0, 0, 0])])
def test_a_masked_label_costs_infinitely(mask, gradient):
    loss = functools.partial(jc.softmax_cross_entropy, labels=0, where=np.array(mask, bool))
    value, got = jax.value_and_grad(loss)(jnp.zeros(3))
    assert value == INF
    np.testing.assert_array_equal(got, gradient)


BINARY = {  # logit, label: loss, gradient
    (INF, 1): (0, 0),
    (INF, 0): (INF, 1),
    (-INF, 0): (0, 0),
    (-INF, 1): (INF, -1),
    (MAX, 1): (0, 0),
    (MAX, 0): (MAX, 1),
    (-MAX, 0): (0, 0),
    (-MAX, 1): (MAX, -1),
}


@pytest.mark.parametrize("dtype", [int, bool, np.float32])
def test_edges_of_the_sigmoid_binary_cross_entropy(dtype):
    x, y = map(np.array, zip(*BINARY, strict=True))
    one = jax.value_and_grad(jc.sigmoid_binary_cross_entropy)
    got = jax.jit(jax.vmap(one))(x.astype(np.float32), y.astype(dtype))
    np.testing.assert_array_equal(np.stack(got, 1), np.array(list(BINARY.values()), np.float32))
