"""The Kullback-Leibler divergence and the entropy against their formulas."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import MASK, POINTS, TANGENTS, assert_close, like, quick_jit
from losses import exact_divergence, exact_entropy, partials, plain_entropy
from slow import some
from split_rows import products

import jaxcalc as jc

INF, NAN = np.inf, np.nan
close = np.testing.assert_allclose
X, T = POINTS[:3], TANGENTS[:3]
P = np.asarray(np.log([0.25, 0.5, 0.125, 0.125]) + POINTS[3:] / 8)  # not normalised
AXES = [-1, 0, 1, (0, 2), None]


def plain_divergence(q, p, axis=-1, where=True):
    return jnp.sum(jnp.where(where, jnp.exp(p) * (p - q), 0), axis)


def functions(axis, masked):
    """By name: one argument of own and plain, the others given."""
    where = {"where": np.broadcast_to(MASK, X.shape)} if masked else {}
    return {
        "entropy": (
            lambda x: jc.entropy(x, axis, **where),
            lambda x: plain_entropy(x, axis, **where),
        ),
        "divergence, q": (
            lambda q: jc.kl_divergence(q, like(q, P), axis, **where),
            lambda q: plain_divergence(q, P, axis, **where),
        ),
        "divergence, p": (
            lambda p: jc.kl_divergence(like(p, P), p, axis, **where),
            lambda p: plain_divergence(P, p, axis, **where),
        ),
    }


CASES = [
    (name, axis, masked, dtype)
    for name in functions(-1, False)
    for axis in AXES
    for masked in (False, True)
    for dtype in (["float32", "bfloat16", "float64"] if axis == -1 else ["float32"])
]


@pytest.mark.parametrize(("name", "axis", "masked", "dtype"), some(CASES, CASES[::5]), ids=str)
def test_value_and_three_derivatives(name, axis, masked, dtype):
    own, plain = functions(axis, masked)[name]
    g = np.asarray(np.sum(T, axis))
    with jax.enable_x64(dtype == "float64"):
        got = quick_jit(partial(products, own))(*(jnp.asarray(a, dtype) for a in (X, T, g)))
    with jax.enable_x64(True):
        true = quick_jit(partial(products, plain))(*map(jnp.asarray, (X, T, g)))
    for product, value in true.items():
        assert got[product].dtype == dtype
        if name != "entropy" and dtype == "bfloat16" and product == "value":
            continue  # what is given was rounded
        assert_close(got[product], np.asarray(value), 64, product)


def test_mixed_derivatives_of_the_divergence():
    def mixed(f, q, p):
        def total(q, p):
            return jnp.sum(f(q, p))

        by_q, by_p = jax.grad(total, 0), jax.grad(total, 1)
        return jax.jacfwd(by_q, 1)(q, p), jax.jacrev(by_q, 1)(q, p), jax.jacrev(by_p, 0)(q, p)

    got = quick_jit(partial(mixed, jc.kl_divergence))(*(a.astype(np.float32) for a in (X[0], P[0])))
    with jax.enable_x64(True):
        true = quick_jit(partial(mixed, plain_divergence))(*map(jnp.asarray, (X[0], P[0])))
        true = jax.tree.map(np.asarray, true)
    assert_close(got, true)


ROWS = {
    "saturated": [20.0, 0.0, -0.5, 1.0],
    "far": [60.0, 0.0, -0.5, 1.0],
    "two": [40.0, 40.0, -0.5, 1.0],
    "moderate": [0.5, 2.0, -1.0, 0.25],
    "large": [1e4, 9990.0, 9980.0, -1e4],
}


@pytest.mark.parametrize("name", some(ROWS, ["saturated", "two", "far"]))
def test_entropies_of_saturated_rows_keep_their_digits(name):
    """Value and two derivatives, relative to each entry, or to the row where some cancel."""
    x = jnp.array(ROWS[name])
    f = jc.entropy
    got = quick_jit(
        lambda x: (f(x), jax.grad(f)(x), jax.hessian(f)(x), jax.jacrev(jax.grad(f))(x))
    )(x)
    for order, value in zip((0, 1, 2, 2), got, strict=True):
        true = partials(exact_entropy, np.asarray(x), order)
        small = 1e-37 if name in ("saturated", "far") else 2e-6 * np.max(np.abs(true))
        close(value, true, 2e-5, small, err_msg=f"order {order}")


@pytest.mark.parametrize("name", some(ROWS, ["saturated", "far"]))
def test_divergences_of_saturated_rows(name):
    p, q = jc.log_softmax(jnp.array(ROWS[name])), jc.log_softmax(jnp.array(ROWS["moderate"]))
    for of in ("q", "p"):

        def f(x, of=of):
            return jc.kl_divergence(x, p) if of == "q" else jc.kl_divergence(q, x)

        def exact(x, of=of):
            return (
                exact_divergence(x, list(map(float, p)))
                if of == "q"
                else exact_divergence(list(map(float, q)), x)
            )

        x = q if of == "q" else p
        got = quick_jit(lambda x, f=f: (f(x), jax.grad(f)(x), jax.hessian(f)(x)))(x)
        for order, value in enumerate(got):
            close(value, partials(exact, np.asarray(x), order), 3e-6, 1e-37)


def test_the_entropy_is_that_of_the_log_softmax():
    x = X.astype(np.float32)
    log_s = jc.log_softmax(x)
    uniform = np.full(X.shape, -np.log(4), np.float32)
    close(jc.kl_divergence(uniform, log_s), np.log(4) - jc.entropy(x), 1e-5, 1e-6)
    np.testing.assert_array_equal(jc.kl_divergence(log_s, log_s), 0)


def test_entropies_of_rows_with_infinities():
    x = jnp.array(
        [[-INF, 1, 1, 1], [-INF, -INF, -INF, 2], [INF, 0, 0, 0], [-INF] * 4, [NAN, 0, 0, 0]]
    )
    f = jax.vmap(lambda x: (jc.entropy(x), jax.grad(jc.entropy)(x), jax.hessian(jc.entropy)(x)))
    value, gradient, hessian = quick_jit(f)(x)
    close(value, [np.log(3), 0, NAN, NAN, NAN], 1e-6)
    close(gradient[:2], np.zeros((2, 4)), atol=1e-7)
    assert np.isnan(gradient[2:]).any(-1).all()
    assert np.isfinite(hessian[:2]).all()
    np.testing.assert_array_equal(gradient[:2][np.isinf(x[:2])], 0)


def test_entropies_of_rows_that_are_masked():
    x = jnp.array([[NAN, 1.0, 1.0, 1.0], [NAN, INF, -INF, 1.0]])
    where = np.array([[False, True, True, True], [False] * 4])
    f = partial(jc.entropy, where=where)
    close(f(x), [np.log(3), 0], 1e-6)
    total = quick_jit(lambda x: (jax.grad(lambda x: jnp.sum(f(x)))(x), jax.jacfwd(f)(x)))
    for D in total(x):
        close(D, np.zeros(D.shape), atol=1e-7)


def test_divergences_with_infinities():
    q = jnp.array([[-INF, -1.0], [-INF, -1.0], [-1.0, -1.0], [-INF, -INF], [NAN, -1.0]])
    p = jnp.array([[-INF, 0.0], [-1.0, 0.0], [-INF, -INF], [-INF, -INF], [-INF, 0.0]])
    f = quick_jit(
        jax.vmap(lambda q, p: (jc.kl_divergence(q, p), *jax.grad(jc.kl_divergence, (0, 1))(q, p)))
    )
    value, by_q, by_p = f(q, p)
    close(value, [1, INF, 0, 0, 1], 1e-6)
    close(by_q, -np.exp(p), 1e-6)
    close(by_p, [[0, 2], [INF, 2], [0, 0], [0, 0], [0, 2]], 1e-6)
    hessians = quick_jit(jax.vmap(jax.hessian(jc.kl_divergence, (0, 1))))(q[::2], p[::2])
    assert all(np.isfinite(h).all() for h in jax.tree.leaves(hessians))


def test_what_a_mask_hides_of_a_divergence():
    where = np.array([True, False, True, True])
    q, p = (jnp.where(where, like(jnp.zeros(()), a), NAN) for a in (X[0], P[0]))
    f = partial(jc.kl_divergence, where=where)
    few = (np.asarray(a)[..., where] for a in (X[0], P[0]))
    close(f(q, p), plain_divergence(*few), 1e-5)
    for D in quick_jit(jax.grad(lambda q, p: jnp.sum(f(q, p)), (0, 1)))(q, p):
        assert np.isfinite(D).all()
        np.testing.assert_array_equal(D[:, 1], 0)
    nothing = jc.kl_divergence(q, p, where=np.zeros(4, bool))
    np.testing.assert_array_equal(nothing, 0)


def test_a_mask_broadcasts_up():
    where = np.stack([MASK, ~MASK])[:, None]
    close(
        jc.entropy(jnp.asarray(X[0]), where=where),
        plain_entropy(np.broadcast_to(X[0], (2, 2, 4)), where=np.broadcast_to(where, (2, 2, 4))),
        1e-5,
        1e-6,
    )
    assert jc.kl_divergence(X[0], P[0], where=where).shape == (2, 2)


@pytest.mark.parametrize("result", ["float32", "bfloat16", "float16"])
def test_a_result_of_its_own_dtype(result):
    x, p = jnp.asarray(X, "bfloat16"), jnp.asarray(P, "float32")
    for f, args in ((jc.entropy, (x,)), (jc.kl_divergence, (x, p))):

        def total(x, f=f, args=args):
            return jnp.sum(f(x, *args[1:], dtype=result))

        value, gradient = jax.value_and_grad(total)(x)
        assert (value.dtype, gradient.dtype) == (result, "bfloat16")
    close(jc.entropy(x, dtype="float32"), plain_entropy(X), 1e-5)
    close(jc.kl_divergence(x, p, dtype="float32"), plain_divergence(X, P), 1e-5, 1e-5)


def refused(error, message, f, *args, **options):
    with pytest.raises(error, match="^" + re.escape(message)):
        f(*args, **options)


def test_errors():
    x = X[0].astype(np.float32)
    for shape in ((4,), (2, 1), (1, 2, 4)):
        message = f"`log_p` must have the shape of `log_q`, (2, 4), but got shape {shape}."
        refused(ValueError, message, jc.kl_divergence, x, np.ones(shape, np.float32))
    refused(TypeError, "`log_q` must be real", jc.kl_divergence, 1j * x, x)
    refused(TypeError, "`log_p` must be real", jc.kl_divergence, x, 1j * x)
    refused(
        TypeError, "`log_p` must be an array or a scalar, but got list", jc.kl_divergence, x, [1]
    )
    refused(TypeError, "`logits` must be an array or a scalar, but got list", jc.entropy, [1.0])
    refused(ValueError, "`accuracy` must be 'high' or 'fast'", jc.entropy, x, accuracy="best")
    for f, name in ((jc.entropy, "logits"), (lambda x, **o: jc.kl_divergence(x, x, **o), "log_q")):
        message = f"`where` must broadcast against `{name}`, but got shapes (3,) and (2, 4)."
        refused(ValueError, message, f, x, where=np.ones(3, bool))
        refused(ValueError, "`axis` must lie in [-2, 2)", f, x, axis=2)
        refused(TypeError, "`axis` must be an int", f, x, axis="0")
        refused(TypeError, "`axis_name` must be the name of a mesh axis", f, x, axis_name=1)
        refused(ValueError, "`axis_name` must name mesh axes", f, x, axis_name="model")


def test_a_row_of_one_class():
    x = jnp.array([[3.0], [-INF], [1e30]])
    value, gradient = jax.vmap(jax.value_and_grad(jc.entropy))(x)
    close(value, [0, NAN, 0])
    close(gradient, [[0], [NAN], [0]])
