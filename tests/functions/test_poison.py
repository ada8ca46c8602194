"""NaN and infinities at every size: what depends on one is NaN, and nothing else.

The programs are compiled as users compile them, since it is XLA's fusion that loses NaN.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from poison import INF, NAN, Case, cases, usual_cases
from slow import slow

import jaxcalc as jc

CLEAN = np.array([0.5, -1.25, 2.0, 0.0, -0.75, 1.5, -2.0])


def spread(shape) -> np.ndarray:
    return np.resize(CLEAN, shape)


def where_of(case: Case) -> np.ndarray:
    """Each third entry out, but none of the class 0 and none of those that will be poisoned."""
    where = np.arange(np.prod(case.shape)).reshape(case.shape) % 3 != 1
    for axis in case.axes:
        where[(slice(None),) * axis + (0,)] = True
    return where | places(case.shape) if case.masked else np.ones(case.shape, bool)


def places(shape, several=True) -> np.ndarray:
    """The first entry and the last and one in the middle; or only that."""
    size = int(np.prod(shape))
    poisoned = np.zeros(size, bool)
    poisoned[[0, size // 2, -1] if several else [size // 2]] = True
    return poisoned.reshape(shape)


def in_row(case: Case, bad: np.ndarray) -> np.ndarray:
    """Where a row, or for functions by entry an entry, has something bad."""
    return bad if case.function.by_entry else np.any(bad, case.axes, keepdims=True)


def programs(case: Case, compiled=jax.jit):
    """The value; J t and g J."""
    where = where_of(case) if case.masked else None

    @compiled
    def value(x):
        return case.function.f(x, case.axis, where)

    @compiled
    def products(x, t, g):
        f = partial(case.function.f, axis=case.axis, where=where)
        return jax.jvp(f, (x,), (t,))[1], jax.vjp(f, x)[1](g)[0]

    return value, products


def check(case: Case, compiled=jax.jit) -> None:
    with jax.enable_x64(case.dtype == "float64"):
        value, products = programs(case, compiled)
        assert_passed_on(case, value, products)


def assert_passed_on(case: Case, value, products) -> None:
    f, where, bad = case.function, where_of(case), places(case.shape)
    row_shape = tuple(1 if i in case.axes else n for i, n in enumerate(case.shape))
    out_shape = row_shape if f.reduced else case.shape
    # whatever a masked entry holds, in x, t and g
    x, t = (np.where(where, spread(case.shape), v) for v in (NAN, INF))
    g = spread(out_shape) if f.reduced else np.where(where, spread(case.shape), NAN)

    def run(x=x, t=t, g=g):
        x, t, g = (jnp.asarray(v, case.dtype) for v in (x, t, g))
        results = {"value": value(x)} | dict(zip(("jvp", "vjp"), products(x, t, g), strict=True))
        return {name: np.asarray(v, np.float64) for name, v in results.items()}

    clean = run()
    assert not any(np.isnan(v).any() for v in clean.values()), "without poison"
    dependent = in_row(case, bad)
    out = np.broadcast_to(dependent, out_shape) & (True if f.reduced else where)
    back = np.broadcast_to(dependent, case.shape) & where

    def compare(name, got, **expected):
        """What is expected there, the clean result elsewhere."""
        for part, (affected, content) in expected.items():
            true = np.where(affected, content, clean[part])
            message = f"{name}: {part}"
            np.testing.assert_array_equal(np.isnan(got[part]), np.isnan(true), err_msg=message)
            np.testing.assert_allclose(got[part], true, 2e-2, 2e-2, err_msg=message)

    got = run(x=np.where(bad, NAN, x))
    compare("NaN", got, value=(out, NAN), jvp=(out, NAN), vjp=(back, NAN))

    at, slope = f.at_infinity
    got = run(x=np.where(bad, INF, x))
    compare("+∞", got, value=(out, at), jvp=(out, slope * t if f.by_entry else NAN))
    compare("+∞", got, vjp=(back, slope * g if f.by_entry else NAN))

    got = run(t=np.where(bad, NAN, t))
    compare("NaN in the tangent", got, jvp=(out, NAN))

    bad_g = places(out_shape)
    of_bad = bad_g if f.reduced else in_row(case, bad_g)
    got = run(g=np.where(bad_g, NAN, g))
    compare("NaN in the cotangent", got, vjp=(np.broadcast_to(of_bad, case.shape) & where, NAN))

    left = where & ~places(case.shape, several=False)
    if f.by_entry or np.all(np.any(left, case.axes)):
        got = run(x=np.where(left, x, np.where(where, -INF, x)))
        for part, v in got.items():
            assert not np.isnan(v).any(), f"−∞: {part}"


USUAL = usual_cases()


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=slow if i % 2 else ()) for i, c in enumerate(USUAL)], ids=str
)
def test_what_depends_on_nan_is_nan_and_nothing_else(case):
    check(case)


@pytest.mark.parametrize("case", USUAL[1:15:5], ids=str)
def test_without_jit(case):
    check(case, compiled=lambda f: f)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=str)
def test_what_depends_on_nan_is_nan_at_every_size(case):
    check(case)


def test_a_float16_row_of_logsumexp_with_an_infinity_has_no_derivative():
    x = jnp.array([[INF, 0, 1], [NAN, 0, 1], [0, 1, 2], [-INF, 0, 1]], jnp.float16)
    for where in (None, jnp.array([True, True, False])):

        def total(x, where=where):
            return jc.logsumexp(x, 1, where=where).sum()

        gradient = jax.jit(jax.grad(total))(x)
        left = np.ones(3, bool) if where is None else np.asarray(where)
        np.testing.assert_array_equal(np.isnan(gradient[:2]), np.tile(left, (2, 1)))
        assert np.isfinite(gradient[2:]).all()
