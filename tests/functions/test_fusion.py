"""The form for CUDA: the same numbers, lowered on that platform alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcalc as jc
from jaxcalc._functions.fusion import LONGEST, seeded, seeded_form
from jaxcalc._functions.rows import Rows

INF, NAN = jnp.inf, jnp.nan
ROWS = [[1.5, -2.0, 0.0], [0.0, -0.0, -0.0], [-INF, -INF, -INF], [INF, 1.0, -INF]]
SEED = "stablehlo.minimum"
PRODUCTS = {
    "softmax": lambda f, x: jax.jvp(f, (x,), (x,)),
    "log_softmax": lambda f, x: jax.vjp(f, x)[1](x),
    "logsumexp": lambda f, x: jax.jvp(partial(f, axis=-1), (x,), (x,)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_seed_changes_nothing(dtype):
    r = jnp.array([*ROWS, [NAN, NAN, NAN]], dtype)
    got = jax.jit(seeded, static_argnums=1)(r, (-1,))
    assert got.dtype == r.dtype
    np.testing.assert_array_equal(got.astype(jnp.float32), r.astype(jnp.float32))


def test_a_row_with_nan_is_nan_throughout():
    r = jnp.array([[1.0, NAN, 2.0], ROWS[0]])
    np.testing.assert_array_equal(seeded(r, (-1,)), [[NAN] * 3, ROWS[0]])


def test_a_seeded_form_computes_the_same():
    def apply(r, t, *, rows):
        return r * (t - jnp.sum(r * t, rows.axes, keepdims=True))

    r, t = jnp.array(ROWS[:2]), jnp.array(ROWS[1::-1])
    rows = Rows((-1,), "fast")
    np.testing.assert_array_equal(seeded_form(apply)(r, t, rows=rows), apply(r, t, rows=rows))


def lowered(product, f, shape, platform):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    traced = jax.jit(lambda x: PRODUCTS[product](f, x)).trace(x)
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("accuracy", ["high", "fast"])
@pytest.mark.parametrize(
    ("shape", "platform", "seeds", "barriers"),
    [
        ((4, 8), "cuda", True, True),
        ((2, LONGEST), "cuda", True, True),
        ((2, LONGEST + 1), "cuda", False, True),
        ((4, 8), "cpu", False, False),
        ((4, 8), "tpu", False, False),
        ((4, 8), "rocm", False, False),
    ],
)
def test_products_are_seeded_on_cuda_alone(product, accuracy, shape, platform, seeds, barriers):
    f = partial(getattr(jc, product), accuracy=accuracy)
    text, plain = (lowered(product, f, shape, p) for p in (platform, "tpu"))
    assert (text.count(SEED) > plain.count(SEED)) == seeds
    assert ("stablehlo.optimization_barrier" in text) == barriers


def test_other_axes_are_not_seeded():
    f = partial(jc.softmax, axis=0, implementation="xla")
    text, plain = (lowered("softmax", f, (8, 4), p) for p in ("cuda", "tpu"))
    assert text.count(SEED) == plain.count(SEED)
