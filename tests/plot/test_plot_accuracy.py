"""`plot.accuracy`: the references against mpmath, the errors, and what is drawn of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc
from benchmarks import oracles
from jaxcalc.plot import _references
from jaxcalc.plot._references import FUNCTIONS, errors, ulps

NAMES = sorted(FUNCTIONS)
DTYPES = ("float32", "bfloat16", "float16")


def bell(x):
    return oracles.sigmoid(x, order=1)


def rest(x):
    return oracles.sigmoid(-x)


TRUE = {
    "sigmoid": bell,
    "logistic": bell,
    "softmax": bell,
    "log_sigmoid": rest,
    "log_softmax": rest,
    "softplus": oracles.sigmoid,
    "logsumexp": oracles.sigmoid,
    "softmax_cross_entropy": lambda x: -rest(x),
    "sigmoid_binary_cross_entropy": lambda x: -rest(x),
}


@pytest.mark.parametrize("name", NAMES)
def test_references_agree_with_mpmath(name):
    x = np.concatenate([np.linspace(-80, 80, 41), [1e-9, -1e-300]])
    true = TRUE[name](x).astype(np.float64)
    np.testing.assert_allclose(FUNCTIONS[name].derivative(x), true, rtol=2e-15)


@pytest.mark.parametrize("name", NAMES)
def test_function_peer_and_derivative_are_of_one_function(x64, name):
    function = FUNCTIONS[name]
    x = jnp.linspace(-4.0, 4.0, 9)
    own, peer = (jax.vmap(jax.value_and_grad(f))(x) for f in (function.own, function.peer))
    np.testing.assert_allclose(own, peer, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(own[1], function.derivative(np.asarray(x)), rtol=1e-12)
    namesake = getattr(jc, name)
    assert function.differentiated.startswith(name) or namesake is jc.logistic


@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_are_in_units_in_the_last_place(dtype):
    eps = float(jnp.finfo(dtype).eps)
    got = np.asarray([1, 1 + eps, 1 - eps / 2, 3, 0.25, np.nan, np.inf, -1]).astype(dtype)
    true = np.array([1, 1, 1, 3 + eps, 0.25 * (1 + eps), 1.0, 1.0, 1.0])
    wanted = [0, 1, 0.5, 0.5, 1, np.inf, np.inf, 2 / eps]
    np.testing.assert_allclose(ulps(got, true), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_ours_are_small_everywhere(name, dtype):
    found = errors(FUNCTIONS[name], jnp.dtype(dtype))
    assert np.max(found.own) <= (5 if dtype == "float32" else 0.51)
    assert found.x[-1] == -found.x[0]
    assert np.all(np.diff(found.x) > 0)
    smallest = np.min(abs(FUNCTIONS[name].derivative(found.x)))
    assert smallest >= float(jnp.finfo(dtype).tiny)


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "log_softmax", "softmax_cross_entropy"])
def test_the_peers_lose_every_digit(name):
    found = errors(FUNCTIONS[name], jnp.dtype("float32"))
    assert np.max(found.peer) >= 2**23
    assert np.max(found.peer[found.x < -20]) <= 8


# --- the picture ---


def test_the_picture_shows_the_errors_and_says_their_unit():
    figure = jc.plot.accuracy("softmax", dtype=jnp.bfloat16)
    (axes,) = figure.axes
    found = errors(FUNCTIONS["softmax"], jnp.dtype(jnp.bfloat16))
    peer, own = axes.lines
    np.testing.assert_array_equal(own.get_xdata(), found.x)
    np.testing.assert_array_equal(own.get_ydata(), found.own)
    np.testing.assert_array_equal(peer.get_ydata(), found.peer)
    assert axes.get_ylabel() == "error (ULP of bfloat16)"
    assert axes.get_title() == "d softmax((x, 0))[0] / dx"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["jax.nn: at most 260", "jaxcalc: at most 0.5"]


def test_nan_is_drawn_where_no_digit_is_right(monkeypatch):
    wrong = FUNCTIONS["softplus"]._replace(peer=lambda x: x * jnp.nan)
    monkeypatch.setitem(_references.FUNCTIONS, "softplus", wrong)
    (axes,) = jc.plot.accuracy("softplus").axes
    top = axes.get_ylim()[1]
    assert top > 2**24
    assert np.all(axes.lines[0].get_ydata() == top)
    assert axes.get_legend().get_texts()[0].get_text() == "jax.nn: at most ∞"


def test_large_errors_are_written_as_powers_of_ten():
    (axes,) = jc.plot.accuracy("sigmoid").axes
    text = axes.get_legend().get_texts()[0].get_text()
    assert text == r"jax.nn: at most $1.7 \times 10^{7}$"
    axes.figure.draw_without_rendering()


def test_given_axes_are_drawn_on():
    figure = jc.plot.accuracy("sigmoid")
    right = figure.add_subplot(1, 2, 2)
    assert jc.plot.accuracy("softplus", ax=right) is figure
    assert len(right.lines) == 2


REFUSED = {
    "name": (("tanh", {}), ValueError, "`name` must be one of sigmoid, .* but got 'tanh'"),
    "float64": (("sigmoid", {"dtype": "float64"}), ValueError, "`dtype` must be float32, bfloat16"),
    "integers": (("sigmoid", {"dtype": "int32"}), TypeError, "`dtype` must be a real floating"),
    "None": (("sigmoid", {"dtype": None}), ValueError, "`dtype` must be float32, .* got None"),
    "ax": (("sigmoid", {"ax": 1}), TypeError, "`ax` must be the matplotlib Axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(x64, name):
    (function, options), error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        jc.plot.accuracy(function, **options)
