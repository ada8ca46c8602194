"""±0, subnormal, tiny, ±1, ±10⁴, ±max, ±∞, NaN: what is documented is what is computed.

Each in each place of a row of three under each mask; values and two derivatives.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from slow import some
from special_values import ENTRY_FUNCTIONS, INF, ROW_FUNCTIONS, rows, special

TOLERANCES = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 1e-5, "float64": 1e-12}
# By name: the derivative, its order, and how many of its last indices are those of a reverse mode.
DERIVATIVES = {
    "value": (lambda f: f, 0, 0),
    "jacfwd": (jax.jacfwd, 1, 0),
    "jacrev": (jax.jacrev, 1, 1),
    "hessian": (jax.hessian, 2, 0),
    "reverse over reverse": (lambda f: jax.jacrev(jax.jacrev(f)), 2, 1),
}


def as_dtype(true, dtype):
    """Beyond the largest number of the dtype lies ∞."""
    with np.errstate(over="ignore"):
        return np.asarray(true, np.float64).astype(dtype).astype(np.float64)


def first_rows(wrong, x, where) -> str:
    """Some rows that are wrong, for the message."""
    some = np.flatnonzero(wrong.reshape(len(x), -1).any(1))
    return f"{len(some)} rows, as " + ", ".join(f"{x[i]} {where[i]}" for i in some[:3])


def complaints(got, expected, reverse, x, where, dtype):
    """What differs from the table."""
    true, tolerance = as_dtype(expected.true, dtype), TOLERANCES[dtype]
    nan_or_0 = np.isnan(got) | (got == 0)
    close = np.isclose(got, true, tolerance, tolerance, equal_nan=True)
    wrong = ~np.where(expected.free, nan_or_0, close)
    if wrong.any():
        yield first_rows(wrong, x, where)
    zero = expected.zero
    if reverse:  # a masked entry has derivative 0 whatever the row holds
        zero = zero | np.broadcast_to(~where.reshape(len(x), *(1,) * (got.ndim - 2), -1), got.shape)
    if np.any(got[zero] != 0):
        yield f"exactly 0 in {first_rows(zero & (got != 0), x, where)}"


def check_rows(function, dtype):
    with jax.enable_x64(dtype == "float64"):
        x, where = rows(dtype)
        every = jax.vmap(
            lambda x, where: [
                of(lambda x: function.own(x, where))(x) for of, _, _ in DERIVATIVES.values()
            ]
        )
        got = quick_jit(every)(jnp.asarray(x, dtype), jnp.asarray(where))
        x = np.asarray(jnp.asarray(x, dtype), np.float64)
    with np.errstate(all="ignore"):
        table = function.table(x, where)
        wrong = [
            f"{name}: {complaint}"
            for (name, (_, order, reverse)), v in zip(DERIVATIVES.items(), got, strict=True)
            for complaint in complaints(
                np.asarray(v, np.float64), table[order], reverse, x, where, dtype
            )
        ]
    if wrong:
        pytest.fail("\n".join(wrong))


@pytest.mark.parametrize("function", some(ROW_FUNCTIONS, ROW_FUNCTIONS[::2]), ids=str)
def test_rows_in_single_precision(function):
    check_rows(function, "float32")


@pytest.mark.parametrize("function", ROW_FUNCTIONS[1:6:4], ids=str)
def test_rows_in_double_precision(function):
    check_rows(function, "float64")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("function", ROW_FUNCTIONS, ids=str)
def test_rows_in_every_precision(function, dtype):
    check_rows(function, dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ENTRY_FUNCTIONS)
def test_entries(name, dtype):
    own, table = ENTRY_FUNCTIONS[name]
    modes = [lambda f: f, jax.jacfwd, jax.jacrev, jax.hessian, lambda f: jax.jacrev(jax.jacrev(f))]
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray([*special(dtype), 20.0, -20.0], dtype)
        got = quick_jit(jax.vmap(lambda x: [mode(own)(x) for mode in modes]))(x)
        x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        for values, order in zip(got, (0, 1, 1, 2, 2), strict=True):
            true = as_dtype(table[order](x.astype(np.longdouble)), dtype)
            tolerance = TOLERANCES[dtype]
            # what is fast may lose the digits of what is small
            small = tolerance if "fast" in name else 1e-30
            message = f"order {order} at {x}"
            np.testing.assert_allclose(
                np.asarray(values, np.float64), true, tolerance, small, err_msg=message
            )


NOTHING = [False] * 3
# Rows whose derivative is documented as 0, or finite, though they hold what has no number.
QUIET = {
    "all masked": ([1.0, 2.0, 3.0], NOTHING),
    "all masked, of infinities": ([INF, INF, -INF], NOTHING),
    "+∞ masked": ([INF, 1.0, 0.5], [False, True, True]),
    "−∞": ([-INF, 1.0, 0.5], [True] * 3),
    "−∞ masked": ([-INF, 1.0, 0.5], [False, True, True]),
}


@pytest.mark.parametrize("row", some(QUIET, ["all masked", "−∞"]))
@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev, jax.hessian])
@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "logsumexp", "softmax_cross_entropy, class 1"]
)
def test_no_nan_arises_on_the_way(name, mode, row):
    (function,) = (f for f in ROW_FUNCTIONS if f.name == name)
    x, where = (jnp.array(v) for v in QUIET[row])
    with jax.debug_nans(True):
        got = np.asarray(mode(lambda x: function.own(x, where))(x))
    assert np.isfinite(got).all()
    if not any(QUIET[row][1]):
        np.testing.assert_array_equal(got, 0)
