"""The edge table: infinities, NaN, masks, saturation, huge numbers; values and three derivatives.

The truth on a row of the table is that of the plain formula, in float64, on the entries that take
part in it; the others have derivative 0.
"""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc

INF, NAN, MAX = np.inf, np.nan, float(np.finfo(np.float32).max)
CLASSES = 3


class Row(NamedTuple):
    x: list[float]
    where: list[bool] = [True] * CLASSES


# Rows with a finite entry that takes part.
FINITE = {
    "plain": Row([0.5, -1.25, 2.0]),
    "saturated": Row([20.0, 0.0, 1.0]),
    "very saturated": Row([100.0, -100.0, 0.0]),
    "signed zeros": Row([0.0, -0.0, 0.0]),
    "huge": Row([3e38, 3e38, -3e38]),
    "greatest and least": Row([MAX, -MAX, 0.0]),
    "an infinity out": Row([-INF, 1.0, 0.25]),
    "one left": Row([-INF, 1.0, -INF]),
    "masked": Row([1.0, 0.5, -1.0], [True, False, True]),
    "masked NaN": Row([1.0, NAN, -1.0], [True, False, True]),
    "masked infinity": Row([INF, 0.5, -1.0], [False, True, True]),
    "masked infinities, one left": Row([INF, 0.5, -INF], [False, True, False]),
    "masked and an infinity out": Row([1.0, NAN, -INF], [True, False, True]),
}
# Rows with NaN or +∞ that takes part.
POISONED = {
    "infinity": Row([INF, 1.0, 0.0]),
    "both infinities": Row([INF, -INF, 0.0]),
    "two infinities": Row([INF, INF, 0.0]),
    "NaN": Row([NAN, 1.0, 0.0]),
    "NaN and a mask": Row([NAN, 1.0, 0.0], [True, True, False]),
    "infinity and a mask": Row([INF, 1.0, NAN], [True, True, False]),
}
# Rows where nothing takes part, or nothing but −∞.
EMPTY = {
    "fully masked": Row([1.0, NAN, INF], [False] * CLASSES),
    "nothing but −∞": Row([-INF, -INF, -INF]),
    "nothing but −∞ unmasked": Row([-INF, 1.0, -INF], [True, False, True]),
}
ROWS = FINITE | POISONED | EMPTY


def over_rows(f, rows, dtype="float32"):
    """f(x, where) of every row in one program."""
    x, where = (jnp.array([getattr(r, a) for r in rows.values()]) for a in ("x", "where"))
    return dict(zip(rows, np.asarray(jax.jit(jax.vmap(f))(x.astype(dtype), where)), strict=True))


OWN = {
    "softmax": lambda x, where: jc.softmax(x, where=where),
    "log_softmax": lambda x, where: jc.log_softmax(x, where=where),
    "logsumexp": lambda x, where: jc.logsumexp(x, where=where),
    "logsumexp, weighted": lambda x, where: jc.logsumexp(x, b=jnp.ones_like(x), where=where),
}
THEIRS = {
    "softmax": lambda x, where: jax.nn.softmax(x, where=where),
    "log_softmax": lambda x, where: jax.nn.log_softmax(x, where=where),
    "logsumexp": lambda x, where: jax.nn.logsumexp(x, where=where),
    "logsumexp, weighted": lambda x, where: jax.nn.logsumexp(x, where=where),
}
FORWARD, REVERSE = jax.jacfwd, jax.jacrev
MODES = [
    (FORWARD,),
    (REVERSE,),
    (FORWARD, FORWARD),
    (FORWARD, REVERSE),
    (REVERSE, FORWARD),
    (REVERSE, REVERSE),
    (FORWARD, FORWARD, FORWARD),
    (FORWARD, REVERSE, FORWARD),
    (REVERSE, REVERSE, REVERSE),
]


def derivative(f, modes):
    for mode in modes:
        f = mode(f)
    return f


@cache
def every_derivative(name):
    """By the modes, then by the row."""
    x, where = (jnp.array([getattr(r, a) for r in ROWS.values()]) for a in ("x", "where"))
    every = [jax.vmap(derivative(OWN[name], modes)) for modes in MODES]
    tensors = jax.jit(lambda x, where: [f(x, where) for f in every])(x, where)
    by_row = [dict(zip(ROWS, np.asarray(t), strict=True)) for t in tensors]
    return dict(zip(MODES, by_row, strict=True))


def derivatives(name, modes):
    return every_derivative(name)[modes]


def name_of(modes):
    return "-".join("forward" if mode is FORWARD else "reverse" for mode in modes)


def softmax_tensors(x):
    """s and its derivatives to the third order, each by the product rule from the one before."""
    s = np.exp(x - x.max())
    s /= s.sum()
    one = np.eye(len(x))
    C = one - s  # ∂ log s_i/∂x_j, so that ∂C_ij/∂x_k = −J_jk
    J = s[:, None] * C
    H = np.einsum("ik,ij->ijk", C, J) - np.einsum("i,jk->ijk", s, J)
    T = (
        np.einsum("ik,ijl->ijkl", C, H)
        - np.einsum("kl,ij->ijkl", J, J)
        - np.einsum("il,jk->ijkl", J, J)
        - np.einsum("i,jkl->ijkl", s, H)
    )
    return s, J, H, T


def tensors(name, x):
    """The value and three derivatives of a function of a row of finite numbers."""
    s, J, H, T = softmax_tensors(x)
    lse = x.max() + np.log(np.exp(x - x.max()).sum())
    ones = np.ones(len(x))
    return {
        "softmax": (s, J, H, T),
        "log_softmax": (
            x - lse,
            np.eye(len(x)) - s,
            -np.einsum("i,jk->ijk", ones, J),
            -np.einsum("i,jkl->ijkl", ones, H),
        ),
    }.get(name, (lse, s, J, H))


def embedded(row, content, rank):
    """A tensor of `content` for the entries that are not masked, and 0 for those that are."""
    tensor = np.zeros((CLASSES,) * rank)
    tensor[np.ix_(*[np.array(row.where)] * rank)] = content
    return tensor


def true_tensor(name, row, order):
    """The derivative of that order for a row of FINITE."""
    content = tensors(name, np.array(row.x)[row.where])[order]
    return embedded(row, content, np.ndim(content))


def without_derivative(name, row):
    masked = ~np.array(row.where)
    return masked if name == "log_softmax" else masked | (np.array(row.x) == -INF)


@pytest.mark.parametrize("name", OWN)
def test_values_are_those_of_jax_nn(name):
    got, expected = over_rows(OWN[name], ROWS), over_rows(THEIRS[name], ROWS)
    for row in ROWS:
        np.testing.assert_allclose(got[row], expected[row], rtol=1e-6, atol=1e-7, err_msg=row)


@pytest.mark.slow
@pytest.mark.parametrize("modes", MODES, ids=name_of)
@pytest.mark.parametrize("name", OWN)
def test_derivatives_where_something_is_left(name, modes):
    for key, row in FINITE.items():
        got, true = derivatives(name, modes)[key], true_tensor(name, row, len(modes))
        scale = max(np.max(np.abs(true)), 1e-30)
        np.testing.assert_allclose(got, true, rtol=1e-4, atol=1e-5 * scale, err_msg=key)
        for axis in range(got.ndim - len(modes), got.ndim):
            out = np.compress(without_derivative(name, row), got, axis)
            np.testing.assert_array_equal(out, 0, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("modes", MODES, ids=name_of)
@pytest.mark.parametrize("name", OWN)
def test_derivatives_where_nothing_is_left(name, modes):
    """Masked: 0. Nothing but −∞: 0 for logsumexp, NaN for the others, as their values."""
    for key, row in EMPTY.items():
        got = derivatives(name, modes)[key]
        content = 0 if name.startswith("logsumexp") else NAN
        kept = np.ix_(*[np.array(row.where)] * got.ndim)
        np.testing.assert_array_equal(got[kept], np.full_like(got[kept], content), err_msg=key)
        if not any(row.where):
            np.testing.assert_array_equal(got, 0, err_msg=key)


@pytest.mark.parametrize("modes", MODES, ids=name_of)
@pytest.mark.parametrize("name", OWN)
def test_derivatives_of_poisoned_rows_invent_no_number(name, modes):
    for key, row in POISONED.items():
        got = derivatives(name, modes)[key]
        poison = np.array(row.where) & ~(np.array(row.x) < INF)
        assert np.all(np.isnan(got[np.ix_(*[poison] * got.ndim)])), key
        assert np.all(np.isnan(got) | (got == 0)), key


@pytest.mark.parametrize("name", OWN)
def test_gradients_of_masked_entries_are_zero_in_any_row(name):
    for key, row in ROWS.items():
        gradient = derivatives(name, (REVERSE,))[key]
        np.testing.assert_array_equal(gradient[..., ~np.array(row.where)], 0, err_msg=key)


LARGE = {
    "far apart": Row([6e4, -6e4, 0.0]),
    "equal": Row([6e4, 6e4, 5.9e4]),
    "an infinity out": Row([-INF, 6e4, -6e4]),
    "greatest": Row([65504.0, -65504.0, 65504.0]),
    "masked": Row([6e4, NAN, -6e4], [True, False, True]),
}


@pytest.mark.parametrize("modes", [(REVERSE,), (FORWARD, REVERSE)], ids=name_of)
@pytest.mark.parametrize("name", OWN)
def test_large_float16_logits(name, modes):  # jax#40409
    got = over_rows(derivative(OWN[name], modes), LARGE, "float16")
    for key, row in LARGE.items():
        true = true_tensor(name, row, len(modes))
        np.testing.assert_allclose(got[key], true, rtol=1e-3, atol=1e-7, err_msg=key)


# Value and three derivatives; at ±MAX the value of softplus is MAX.
LOGISTIC = {
    "sigmoid": {0.0: [0.5, 0.25, 0, -0.125], INF: [1, 0, 0, 0], -INF: [0, 0, 0, 0]},
    "log_sigmoid": {0.0: [-np.log(2), 0.5, -0.25, 0], INF: [0, 0, 0, 0], -INF: [-INF, 1, 0, 0]},
    "softplus": {0.0: [np.log(2), 0.5, 0.25, 0], INF: [INF, 1, 0, 0], -INF: [0, 0, 0, 0]},
}


@pytest.mark.parametrize("mode", [FORWARD, REVERSE], ids=lambda mode: name_of((mode,)))
@pytest.mark.parametrize("name", LOGISTIC)
def test_logistic_functions(name, mode):
    orders = [derivative(getattr(jc, name), (mode,) * order) for order in range(4)]
    every = jax.jit(jax.vmap(lambda x: jnp.stack([f(x) for f in orders])))
    truth = {x: np.array(values, float) for x, values in LOGISTIC[name].items()}
    got = np.asarray(every(jnp.array([0.0, -0.0, INF, -INF, MAX, -MAX, NAN])))
    np.testing.assert_allclose(got[:2], [truth[0.0]] * 2, rtol=1e-6, atol=1e-30)
    np.testing.assert_array_equal(got[2:4], [truth[INF], truth[-INF]])
    np.testing.assert_array_equal(got[4:6], np.clip([truth[INF], truth[-INF]], -MAX, MAX))
    np.testing.assert_array_equal(got[6], [NAN] * 4)


SATURATED = {  # the gradient of each that JAX was reported to get as 0
    "sigmoid": (jax.grad(jc.sigmoid), 20.0, 2.0611537e-09),  # jax#40342
    "sigmoid, below": (jax.grad(jc.sigmoid), -20.0, 2.0611537e-09),
    "softplus": (jax.grad(jc.softplus), -20.0, 2.0611537e-09),
    "log_sigmoid": (jax.grad(jc.log_sigmoid), 20.0, 2.0611537e-09),
    "softmax": (  # jax#40385
        lambda x: jax.jvp(jc.softmax, (x,), (jnp.array([1.0, 0.0]),))[1],
        [20.0, 0.0],
        [2.0611537e-09, -2.0611537e-09],
    ),
    "softmax, backward": (  # jax#40344
        lambda x: jax.vjp(jc.softmax, x)[1](jnp.array([1.0, 0.0]))[0],
        [20.0, 0.0],
        [2.0611537e-09, -2.0611537e-09],
    ),
    "log_softmax, backward": (  # jax#40384
        lambda x: jax.vjp(jc.log_softmax, x)[1](jnp.array([1.0, 0.0]))[0],
        [20.0, 0.0],
        [2.0611537e-09, -2.0611537e-09],
    ),
    "softmax_cross_entropy": (
        jax.grad(lambda x: jc.softmax_cross_entropy(x, 0)),
        [20.0, 0.0],
        [-2.0611537e-09, 2.0611537e-09],
    ),
    "sigmoid_binary_cross_entropy": (
        jax.grad(lambda x: jc.sigmoid_binary_cross_entropy(x, 1)),
        20.0,
        -2.0611537e-09,
    ),
}


@pytest.mark.parametrize("key", SATURATED)
def test_saturated_gradients_keep_their_digits(key):
    gradient, x, true = SATURATED[key]
    np.testing.assert_allclose(jax.jit(gradient)(jnp.array(x)), true, rtol=3e-7)


@pytest.mark.parametrize("scale", [10.0, 3e9])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_a_product_of_the_caller_is_rounded_first(name, scale):  # jax#37234
    """Contracted with the subtraction of the maximum to one rounding, it gave NaN."""
    x, c = jnp.array([10.1, 10.1, 9.9, -3.3]), scale * 1.1
    f = getattr(jc, name)
    fused = jax.jit(lambda x: f(x * c))(x)
    np.testing.assert_allclose(fused, f(jnp.asarray(np.asarray(x) * np.float32(c))), rtol=1e-6)


def test_what_is_masked_neither_moves_nor_is_moved():
    x, where = jnp.array([1.0, 0.5, -1.0, 2.0]), jnp.array([True, False, True, False])
    t = jnp.array([0.5, 3.0, -1.0, 7.0])
    for f in (jc.softmax, jc.log_softmax, partial(jc.logsumexp, axis=-1)):
        masked = partial(f, where=where)
        y, change = jax.jvp(masked, (x,), (t,))
        _, same = jax.jvp(masked, (x,), (jnp.where(where, t, 0),))
        np.testing.assert_array_equal(change, same)
        (gradient,) = jax.vjp(masked, x)[1](t if y.ndim else t[0])
        assert not np.any(np.asarray(gradient)[~where])
        if y.ndim:
            assert not np.any(np.asarray(change)[~where])
            (same,) = jax.vjp(masked, x)[1](jnp.where(where, t, 0))
            np.testing.assert_array_equal(gradient, same)
