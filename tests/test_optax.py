"""`docs/optax.md`: all of optax's losses are on it; what it calls equal is."""

import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc

losses = pytest.importorskip("optax.losses", reason="optax is not installed")

PAGE = (Path(__file__).parent.parent / "docs" / "optax.md").read_text(encoding="utf-8")
PAIRS = re.findall(r"^\| `(losses\..*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE)


@pytest.fixture(autouse=True)
def _as_users_have_it():
    """optax promotes dtypes and ranks."""
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        np.printoptions(),
    ):
        yield


def test_every_loss_of_optax_is_on_the_page():
    public = {name for name in dir(losses) if not name.startswith("_")}
    named = set(re.findall(r"`(?:losses\.)?(\w+)[`(]|losses\.(\w+)", PAGE))
    assert public <= {name for pair in named for name in pair}


def names(rows, seed):
    """Random arrays by the names of the page; every row has three classes."""
    rng, shape = np.random.default_rng(seed), (rows, 3)
    i = rng.integers(3, size=rows)
    kept = (rng.random(shape) < 0.6) | (np.arange(3) == i[:, None])
    y = rng.dirichlet([1.0, 1.0, 1.0], rows) * kept
    arrays = {
        "x": 3 * rng.standard_normal(shape),
        "y": y / y.sum(-1, keepdims=True),
        "w": rng.uniform(0.5, 2, shape),
        "t": rng.random(shape),
        "log_q": np.log(rng.dirichlet([1.0, 1.0, 1.0], rows)),
        "p": rng.dirichlet([1.0, 1.0, 1.0], rows),
    }
    found = {name: jnp.array(a, jnp.float32) for name, a in arrays.items()}
    return {
        "jax": jax,
        "jnp": jnp,
        "jc": jc,
        "losses": losses,
        **found,
        "log_p": jnp.log(found["p"]),
        "i": jnp.array(i),
        "i0": jnp.array(rng.integers(rows, size=3)),
        "kept": jnp.array(kept),
        "rows": jnp.array(rng.random(rows) < 0.5),
    }


def test_there_are_pairs_of_every_loss_that_is_here():
    assert len(PAIRS) >= 25
    assert {"softmax_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_focal_loss"} <= {
        name for theirs, _ in PAIRS for name in re.findall(r"losses\.(\w+)", theirs)
    }


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_values_and_gradients_are_equal(theirs, ours):
    given = names(rows=7, seed=0)

    def evaluated(expression, **changed):
        return eval(expression, {**given, **changed})

    np.testing.assert_allclose(evaluated(ours), evaluated(theirs), rtol=1e-5, atol=2e-6)
    predicted = "log_q" if "log_q" in theirs else "x"

    @partial(jax.jit, static_argnums=0)
    def gradient(expression, a):
        return jax.grad(lambda a: jnp.sum(evaluated(expression, **{predicted: a})))(a)

    of_ours, of_theirs = (gradient(expression, given[predicted]) for expression in (ours, theirs))
    np.testing.assert_allclose(of_ours, of_theirs, rtol=1e-5, atol=2e-6)
