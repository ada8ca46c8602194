"""What is refused, and in which words."""

import functools
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc

ROWWISE = {
    "softmax": jc.softmax,
    "log_softmax": jc.log_softmax,
    "logsumexp": jc.logsumexp,
    "entropy": jc.entropy,
}
ELEMENTWISE = {"sigmoid": jc.sigmoid, "log_sigmoid": jc.log_sigmoid, "softplus": jc.softplus}
CROSS_ENTROPY = {
    "softmax_cross_entropy": functools.partial(jc.softmax_cross_entropy, labels=np.array([0, 1])),
    "sigmoid_binary_cross_entropy": functools.partial(jc.sigmoid_binary_cross_entropy, labels=1),
    "sigmoid_focal_loss": functools.partial(jc.sigmoid_focal_loss, labels=1),
}
WITHOUT_ACCURACY = {
    name: getattr(jc, name) for name in ("silu", "mish", "softsign", "gelu", "sparsemax")
}
FIRST = {"logsumexp": "a"} | dict.fromkeys([*CROSS_ENTROPY, "entropy"], "logits")  # else x
FUNCTIONS = ELEMENTWISE | ROWWISE | CROSS_ENTROPY
AXED = ROWWISE | {
    "sparsemax": jc.sparsemax,
    "softmax_cross_entropy": CROSS_ENTROPY["softmax_cross_entropy"],
}
X = np.ones((2, 3), np.float32)


def refused(error, message, f, *args, **kwargs):
    with pytest.raises(error, match="^" + re.escape(message)):
        f(*args, **kwargs)


@pytest.mark.parametrize("name", FUNCTIONS | WITHOUT_ACCURACY)
def test_the_first_argument_is_an_array(name):
    f, x = (FUNCTIONS | WITHOUT_ACCURACY)[name], FIRST.get(name, "x")
    for other, kind in ([[1.0]], "list"), ((1.0,), "tuple"), (None, "NoneType"):
        message = f"`{x}` must be an array or a scalar, but got {kind}; wrap it in `jnp.asarray`"
        refused(TypeError, message, f, other)


@pytest.mark.parametrize("name", CROSS_ENTROPY)
def test_logits_are_real(name):
    f = CROSS_ENTROPY[name]
    for dtype in (np.complex64, np.complex128):
        refused(TypeError, "`logits` must be real, but got dtype complex64", f, X.astype(dtype))
    refused(TypeError, "`logits` must be real, but got dtype complex64", f, 1j)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy_is_one_of_two_words(name):
    message = "`accuracy` must be 'high' or 'fast', but got 'best'"
    refused(ValueError, message, FUNCTIONS[name], X, accuracy="best")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy_is_keyword_only(name):
    kind = inspect.signature(getattr(jc, name)).parameters["accuracy"].kind
    assert kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", AXED)
def test_axes(name):
    f = AXED[name]
    for axis in (1.0, "0", True, (0, 1.0)):
        message = f"`axis` must be an int, a tuple of ints or None, but got {axis!r}."
        refused(TypeError, message, f, X, axis=axis)
    for axis in (2, -3, (0, 5)):
        message = f"`axis` must lie in [-2, 2) for an array of rank 2, but got {axis}"
        refused(ValueError, message, f, X, axis=axis)
    for axis in ((0, -2), (1, 1)):
        message = f"`axis` must not repeat an axis, but got the duplicate value {axis}."
        refused(ValueError, message, f, X, axis=axis)
    message = (
        f"`{FIRST.get(name, 'x')}` must have an axis, since `axis` is 0, but got a scalar; pass"
    )
    refused(ValueError, message, f, 1.0, axis=0)
    with pytest.raises(TypeError, match=r"^`axis` must be static, but it is traced"):
        jax.jit(lambda axis: f(X, axis=axis))(0)


@pytest.mark.parametrize("name", AXED)
def test_masks(name):
    f, x = AXED[name], FIRST.get(name, "x")
    for dtype in ("int32", "float32"):
        message = f"`where` must be a boolean array, but got dtype {dtype}; compare it"
        refused(TypeError, message, f, X, where=np.ones((2, 3), dtype))
    message = f"`where` must broadcast against `{x}`, but got shapes (4,) and (2, 3)."
    refused(ValueError, message, f, X, where=np.ones(4, bool))


@pytest.mark.parametrize("name", AXED)
def test_axes_and_masks_are_checked_under_jit_and_vmap(name):
    f, x = AXED[name], FIRST.get(name, "x")
    message = f"`where` must broadcast against `{x}`, but got shapes (4,) and (2, 3)."
    refused(ValueError, message, jax.jit(lambda x: f(x, where=np.ones(4, bool))), X)
    message = "`axis` must lie in [-2, 2) for an array of rank 2, but got 2"
    refused(ValueError, message, jax.vmap(lambda x: f(x, axis=2)), X[None])


def test_weights():
    message = "`b` must broadcast against `a`, but got shapes (2,) and (2, 3)."
    refused(ValueError, message, jc.logsumexp, X, b=np.ones(2, np.float32))
    for other, kind in ([[1.0, 2.0, 3.0], "list"], [(1.0,), "tuple"], [{}, "dict"]):
        message = f"`b` must be an array or a scalar, but got {kind}"
        refused(TypeError, message, jc.logsumexp, X, b=other)


def test_a_mask_is_an_array():
    for f in ROWWISE.values():
        message = "`where` must be an array or a scalar, but got list"
        refused(TypeError, message, f, X, where=[True, False, True])


def test_labels_of_the_softmax_cross_entropy():
    f = jc.softmax_cross_entropy
    message = "`labels` must be real, but got dtype complex64"
    refused(TypeError, message, f, X, X.astype("complex64"))
    indices, rows = "class indices (dtype int32) must have shape (2,)", "must have shape (2, 3)"
    squeeze = "; squeeze its axis of size 1."
    wrong = [
        (indices, "int32", (3,), "."),
        (indices, "int32", (), "."),
        (indices, "int32", (1, 2, 1), squeeze),
        (f"one-hot rows (dtype int32) {rows}", "int32", (2, 1), squeeze),
        (f"one-hot rows (dtype uint8) {rows}", "uint8", (3, 3), "."),
        (f"one-hot rows (dtype bool) {rows}", "bool", (2,), "."),
        (f"distributions (dtype float32) {rows}", "float32", (3,), "."),
        (f"distributions (dtype float32) {rows}", "float32", (2, 4), "."),
        (f"distributions (dtype float32) {rows}", "float32", (2,), "; class indices must be"),
    ]
    for required, dtype, shape, remedy in wrong:
        message = (
            f"`labels` given as {required} for `logits` of shape (2, 3), but got shape "
            f"{shape}{remedy}"
        )
        refused(ValueError, message, f, X, np.zeros(shape, dtype))
    for axis in ((0, 1), None):
        message = (
            "`labels` given as class indices need a single class axis, but `axis` names 2; "
            "give distributions"
        )
        refused(ValueError, message, f, X, np.zeros((), np.int32), axis)
    for other, kind in (([0, 1], "list"), (None, "NoneType")):
        refused(TypeError, f"`labels` must be an array or a scalar, but got {kind}", f, X, other)


def test_labels_of_the_binary_cross_entropy():
    f = jc.sigmoid_binary_cross_entropy
    for shape in ((2,), (3,), (2, 1), (1, 3)):
        message = (
            "`labels` must have the shape of `logits`, (2, 3), or be one number, but got shape "
            f"{shape}; broadcast them first."
        )
        refused(ValueError, message, f, X, np.ones(shape, np.float32))
    refused(TypeError, "`labels` must be real, but got dtype complex64", f, X, 1j)
    for other, kind in (([0, 1, 0], "list"), (None, "NoneType")):
        refused(TypeError, f"`labels` must be an array or a scalar, but got {kind}", f, X, other)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_have_no_derivative(name):
    with pytest.raises(TypeError, match="requires real- or complex-valued inputs"):
        jax.grad(lambda x: jnp.sum(FUNCTIONS[name](x)))(X.astype(np.int32))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_array_is_refused_before_jax_sees_it(name):
    f, x = FUNCTIONS[name], FIRST.get(name, "x")
    refused(TypeError, f"`{x}` must be an array or a scalar, but got object;", f, object())
    refused(TypeError, f"`{x}` must be an array or a scalar, but got str;", f, "x")
    strings = np.array(["x"])
    refused(TypeError, f"`{x}` must hold numbers, but got dtype <U1; convert it", f, strings)
    refused(TypeError, f"`{x}` must hold numbers, but got dtype key<fry>.", f, jax.random.key(0))
    message = "`accuracy` must be 'high' or 'fast', but got ['high']"
    refused(ValueError, message, f, X, accuracy=["high"])


@pytest.mark.parametrize("name", AXED)
def test_a_list_of_axes_is_a_tuple_of_axes(name):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    f = ROWWISE.get(name, lambda x, axis: jc.softmax_cross_entropy(x, x / 276, axis))
    np.testing.assert_array_equal(f(x, axis=[0, -1]), f(x, axis=(0, -1)))


def test_what_is_not_taken_of_complex_numbers():
    message = "`x` must be real, but got dtype complex64"
    for f in (functools.partial(jc.gelu, approximate=False), jc.sparsemax):
        refused(TypeError, message, f, X.astype(np.complex64))


SEVERAL = {
    "kl_divergence": lambda x, **options: jc.kl_divergence(x, x, **options),
    "linear_softmax_cross_entropy": lambda x, **options: jc.linear_softmax_cross_entropy(
        x, x.T, np.array([0, 1]), **options
    ),
}
ARRAYS = {"x", "a", "b", "logits", "labels", "where", "log_q", "log_p", "kernel", "bias"}
ARRAYS |= {"class_weights", "pos_weight"}


def test_options_are_no_arrays():
    """Every option of every function is named where it is an array, an object or traced."""
    for name, f in (FUNCTIONS | WITHOUT_ACCURACY | SEVERAL).items():
        options = inspect.signature(getattr(jc, name)).parameters.keys() - ARRAYS
        for option in options:
            wrong = np.ones(2), np.array(["high", "xla"]), jnp.ones(2), {}, {1}, object()
            for value in wrong:
                with pytest.raises((TypeError, ValueError), match=f"^`{option}` must .*but got "):
                    f(X, **{option: value})
            with pytest.raises((TypeError, ValueError), match=f"^`{option}` must "):
                jax.jit(lambda v, f=f, option=option: f(X, **{option: v}))(1)


def test_keepdims_and_return_sign_are_true_or_false():
    for option in ("keepdims", "return_sign"):
        for wrong in ("no", 1, None, np.array(True)):
            message = f"`{option}` must be True or False, but got {wrong!r}."
            refused(TypeError, message, jc.logsumexp, X, **{option: wrong})
        with pytest.raises(TypeError, match=rf"^`{option}` must be static, but it is traced"):
            jax.jit(lambda v, option=option: jc.logsumexp(X, **{option: v}))(True)
    out, _ = jc.logsumexp(X, keepdims=np.True_, return_sign=np.True_)
    assert out.shape == (1, 1)
    assert jc.logsumexp(X, keepdims=np.False_, return_sign=np.False_).shape == ()


@pytest.mark.parametrize("f", [jc.gelu, jc.gelu_jacobian], ids=lambda f: f.__name__)
def test_approximate_is_true_or_false(f):
    refused(TypeError, "`approximate` must be True or False, but got 'tanh'.", f, X[0], "tanh")
    with pytest.raises(TypeError, match=r"^`approximate` must be static, but it is traced"):
        jax.jit(lambda a: f(X[0], a))(True)
