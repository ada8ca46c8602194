"""What is kept for the backward pass, and what the linear programs are made of."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import DISTRIBUTIONS, LABELS, LOGITS, MASK, POINTS, WEIGHTS, like

import jaxcalc as jc
from jaxcalc._functions.activations import ELEMENTWISE

DTYPES = ["bfloat16", "float32"]
SHAPE = POINTS.shape[1:]
MASK_KEPT = ((1, 4), "bool")
LABELS_KEPT = [((2, 1), "int32"), *[((2, 1), "float32")] * 3]  # and three numbers of a row

# name: the function, what is kept beside one array like x, the primitives of its linear program
TABLE = {
    "sigmoid": (jc.sigmoid, [], ["mul"]),
    "log_sigmoid": (jc.log_sigmoid, [], ["mul"]),
    "softplus": (jc.softplus, [], ["mul"]),
    **{f.name: (f, [], [f.product.name]) for f in ELEMENTWISE},
    "sparsemax": (jc.sparsemax, [], ["sparsemax_product"]),
    "softmax": (jc.softmax, [], ["softmax_product"]),
    "softmax, fast": (lambda x: jc.softmax(x, accuracy="fast"), [], ["softmax_product"]),
    "softmax, masked": (
        lambda x: jc.softmax(x, where=MASK),
        [MASK_KEPT],
        ["masked_product", "softmax_product", "masked_product"],
    ),
    "log_softmax": (jc.log_softmax, [], ["log_softmax_product"]),
    "log_softmax, masked": (
        lambda x: jc.log_softmax(x, where=MASK),
        [MASK_KEPT],
        ["masked_product", "log_softmax_product", "masked_product"],
    ),
    "logsumexp": (lambda x: jc.logsumexp(x, -1, keepdims=True), [], ["logsumexp_product"]),
    "logsumexp, weighted": (
        lambda x: jc.logsumexp(x, -1, like(x, WEIGHTS), keepdims=True, return_sign=True)[0],
        [],
        ["weighted_sum"],
    ),
    "logsumexp of the weights": (
        lambda b: jc.logsumexp(like(b, LOGITS), -1, b, keepdims=True, return_sign=True)[0],
        [],
        ["weighted_sum"],
    ),
    "softmax_cross_entropy, indices": (
        lambda x: jc.softmax_cross_entropy(x, LABELS),
        LABELS_KEPT,
        ["index_cross_entropy_product"],
    ),
    "softmax_cross_entropy, ignored rows": (
        lambda x: jc.softmax_cross_entropy(x, LABELS, ignore_index=2),
        [((2, 1), "bool"), *LABELS_KEPT],
        ["masked_product", "index_cross_entropy_product", "masked_product"],
    ),
    "softmax_cross_entropy, in float32": (
        lambda x: jc.softmax_cross_entropy(x, LABELS, dtype="float32"),
        LABELS_KEPT,
        ["index_cross_entropy_product"],
    ),
    "softmax_cross_entropy, masked": (
        lambda x: jc.softmax_cross_entropy(x, LABELS, where=MASK),
        [MASK_KEPT, *LABELS_KEPT, ((1, 1), "bool")],  # whether a row has a class left
        ["masked_product", "index_cross_entropy_product", "masked_product"],
    ),
    "softmax_cross_entropy, distributions": (
        lambda x: jc.softmax_cross_entropy(x, DISTRIBUTIONS.astype(np.float32)),
        [(SHAPE, "float32")],
        ["distribution_cross_entropy_product"],
    ),
    "sigmoid_binary_cross_entropy": (
        lambda x: jc.sigmoid_binary_cross_entropy(x, like(x, DISTRIBUTIONS[0, 0])),
        [((1, 1), "same")],
        ["binary_cross_entropy_product"],
    ),
    "sigmoid_binary_cross_entropy, weighted": (
        lambda x: jc.sigmoid_binary_cross_entropy(x, like(x, DISTRIBUTIONS), pos_weight=2.0),
        [(SHAPE, "same"), ((1, 1), "float32")],
        ["binary_cross_entropy_product"],
    ),
}
JIT = [lambda f: f, jax.jit]


def kept(f, x):
    """Shapes and dtypes of what the backward pass of f holds."""
    closure = jax.eval_shape(lambda x: jax.vjp(f, x)[1], x)
    return sorted((leaf.shape, leaf.dtype.name) for leaf in jax.tree.leaves(closure))


def primitives(jaxpr):
    """Their names in order, inner programs unfolded."""
    names = []
    for equation in jaxpr.eqns:
        inner = [p for p in equation.params.values() if hasattr(p, "jaxpr")]
        names += [n for p in inner for n in primitives(p.jaxpr)] or [equation.primitive.name]
    return names


@pytest.mark.parametrize("jit", JIT, ids=["plain", "jitted"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TABLE)
def test_one_array_like_the_argument_is_kept(name, dtype, jit):
    f, beside, _ = TABLE[name]
    x = jax.ShapeDtypeStruct(SHAPE, dtype)
    own = [(shape, dtype if kind == "same" else kind) for shape, kind in beside]
    assert kept(jit(f), x) == sorted([(SHAPE, dtype), *own])


SUMS_KEPT = [((2, 1), "float32")] * 2  # the largest logit and the sum of exponentials of a row
IN_FLOAT16 = {
    **{name: [(SHAPE, "float16")] for name in ("sigmoid", "log_sigmoid", "softplus")},
    "logsumexp": [(SHAPE, "float16"), *SUMS_KEPT],
    "logsumexp, weighted": [(SHAPE, "float32")],
}


@pytest.mark.parametrize("name", IN_FLOAT16)
def test_no_small_derivative_is_kept_in_float16(name):
    x = jax.ShapeDtypeStruct(SHAPE, "float16")
    assert kept(TABLE[name][0], x) == sorted(IN_FLOAT16[name])


@pytest.mark.parametrize("jit", JIT, ids=["plain", "jitted"])
@pytest.mark.parametrize("name", TABLE)
def test_the_linear_program_is_the_named_primitives(name, jit):
    f, _, expected = TABLE[name]
    x = jnp.asarray(POINTS[0], jnp.float32)
    names = primitives(jax.make_jaxpr(jax.linearize(jit(f), x)[1])(x).jaxpr)
    assert [n.removeprefix("jaxcalc_") for n in names if n != "squeeze"] == expected


def test_the_backward_program_is_the_transposed_primitives():
    x = jnp.asarray(POINTS[0], jnp.float32)
    y, pull = jax.vjp(TABLE["softmax, masked"][0], x)
    forward = ["masked_product", "softmax_product", "masked_product"]
    assert primitives(jax.make_jaxpr(pull)(y).jaxpr) == [f"jaxcalc_{n}" for n in forward]
    y, pull = jax.vjp(jc.log_softmax, x)
    assert primitives(jax.make_jaxpr(pull)(y).jaxpr) == ["jaxcalc_log_softmax_transposed"]


KEEPS_SOFTMAX = [("float32", "high"), ("float32", "fast"), ("bfloat16", "fast")]
KEEPS_INPUT = [("bfloat16", "high"), ("float16", "high")]


@pytest.mark.parametrize(("dtype", "accuracy"), KEEPS_SOFTMAX + KEEPS_INPUT)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_the_softmax_is_kept_unless_it_has_too_few_bits(name, dtype, accuracy):
    x = jnp.asarray(POINTS[0], dtype)
    f = partial(getattr(jc, name), axis=-1, accuracy=accuracy)
    arrays = jax.tree.leaves(jax.vjp(f, x)[1])
    (residual,) = [a for a in arrays if a.shape == x.shape]  # beside numbers a row
    s = jc.softmax(x, accuracy=accuracy)
    # a product of numbers a row with s rounds twice, one with a mean of entries more often
    its_own = name == "logsumexp" and dtype == "bfloat16"
    if (dtype, accuracy) in KEEPS_SOFTMAX or its_own:
        u = float(jnp.finfo(dtype).eps)
        assert residual.dtype == s.dtype
        assert np.allclose(residual, s, rtol=4 * u, atol=0)  # by another shift
    else:
        np.testing.assert_array_equal(residual, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accuracy", ["high", "fast"])
def test_the_logistic_family_keeps_its_derivative(accuracy, dtype):
    x = jnp.asarray(POINTS[0], dtype)
    s = jc.sigmoid(x, accuracy="fast")
    derivatives = {"sigmoid": s * (1 - s), "softplus": s, "log_sigmoid": 1 - s}
    u = float(jnp.finfo(dtype).eps)
    for name, array in derivatives.items():
        (residual,) = jax.tree.leaves(jax.vjp(partial(getattr(jc, name), accuracy=accuracy), x)[1])
        assert residual.dtype == x.dtype
        assert np.allclose(residual, array, rtol=4 * u, atol=4 * u), name


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sigmoid"])
def test_no_product_builds_the_matrix(name):
    size = 97

    def products(x, t):
        f = getattr(jc, name)
        y, pull = jax.vjp(f, x)
        gradient = jax.grad(lambda x: jnp.vdot(f(x), f(t)))
        return jax.jvp(f, (x,), (t,)), pull(y), jax.jvp(gradient, (x,), (t,))

    x = jax.ShapeDtypeStruct((size,), "float32")
    program = jax.jit(products).lower(x, x).as_text()
    assert f"tensor<{size}xf32>" in program
    assert f"{size}x{size}" not in program
    matrix = jax.jit(jax.jacfwd(getattr(jc, name))).lower(x).as_text()
    assert f"{size}x{size}" in matrix  # so it would have shown
