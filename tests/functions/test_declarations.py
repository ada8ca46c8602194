"""Functions made from declarations: what the declaration says is one function, everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import eighths, plain_sparsemax, quick_jit

import jaxcalc as jc
from benchmarks import oracles
from jaxcalc._commands.vocabulary import FUNCTIONS
from jaxcalc._formula import call, name
from jaxcalc._functions.activations import ELEMENTWISE, GELU, GELU_EXACT
from jaxcalc._functions.elementwise import JAX

X = np.array([-2.5, -0.75, 0.125, 1.0, 3.25])
by_function = pytest.mark.parametrize("f", ELEMENTWISE, ids=str)


def execute(code, arrays):
    scope = {}
    exec(code, scope)
    return scope["derivative"](**arrays)


def summed(f, order):
    """The derivative of that order of Σ f, as a function of the vector x."""
    for _ in range(order):
        f = jax.grad(lambda x, f=f: jnp.sum(f(x)))
    return f


@by_function
def test_the_slope_is_the_derivative_of_the_definition(f):
    slope, true = oracles.derivative(f.slope, X, 0), oracles.derivative(f.definition, X, 1)
    assert max(map(float, abs(slope - true))) < 1e-40


@by_function
@pytest.mark.parametrize("order", range(1, 5))
def test_the_printed_derivative_is_that_of_the_definition(f, order, x64):
    J = jc.derive(summed(f, order - 1))(jnp.asarray(X))
    true = np.diag(oracles.derivative(f.definition, X, order).astype(float))
    assert J.structure == "diagonal"
    np.testing.assert_allclose(J.todense(), true, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(execute(J.code, J.arrays), true, rtol=1e-9, atol=1e-12)
    assert J.latex.startswith((r"\operatorname{diag}", "-", "2", "6", "24", r"0.", r"\frac"))


@by_function
def test_the_printed_value_is_the_function(f):
    x = jnp.asarray(X, jnp.float32)
    J = jc.derive(lambda y: y * f(x))(x)
    assert f"{f.name}(" in J.formula
    np.testing.assert_allclose(execute(J.code, J.arrays), np.diag(f(x)), rtol=1e-5)
    step = str(jc.derive(f)(x).explain()).splitlines()[0]
    assert step.startswith(f"1. {f.name}: ∂{f.name}(x)/∂x = diag(")


@by_function
def test_the_command_line_has_the_word(f):
    word = FUNCTIONS[f.name].call
    np.testing.assert_array_equal(word(X), f(X))


@pytest.mark.slow
@by_function
@pytest.mark.parametrize("order", [5, 6, 9])
def test_high_orders(f, order, x64):
    """Where |f⁽ⁿ⁾| is not small beside what it is made of."""
    got = quick_jit(lambda x: f.derivative(x, order))(jnp.asarray(X))
    true = oracles.derivative(f.definition, X, order).astype(float)
    np.testing.assert_allclose(got, true, rtol=1e-13, atol=1e-14 * np.max(np.abs(true)))


@by_function
def test_complex_numbers(f):
    z = jnp.asarray(X + 0.25j, jnp.complex64)
    if not f.takes_complex:
        with pytest.raises(TypeError, match=f"`x` must be real, but got dtype {z.dtype}"):
            f(z)
        return
    with jax.numpy_dtype_promotion("standard"):
        theirs = eval(f.code, {"jax": jax, "x": z})
    np.testing.assert_allclose(f(z), theirs, rtol=2e-5)


@by_function
def test_what_jax_nn_calls_it(f):
    x = jnp.asarray(X, jnp.float32)
    np.testing.assert_allclose(f(x), eval(f.code, {"jax": jax, "x": x}), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(("f", "x", "errors"), [(GELU, -6.0, 1e6), (GELU_EXACT, -12.0, 50)])
def test_the_tail_of_gelu_keeps_its_digits(f, x, errors):
    """Of the approximation jax.nn.gelu has none left there, of Φ not all."""
    x = jnp.float32([x])
    true = oracles.derivative(f.definition, np.asarray(x), 0)
    assert oracles.worst_ulp(f(x), true) <= 4
    assert oracles.worst_ulp(eval(f.code, {"jax": jax, "x": x}), true) > errors


def test_a_declared_derivative_is_written_by_name():
    """The formulas know it as one operation, whose meaning is the declaration's."""
    x = name("x", (3,))
    one, other = (call("derivative", (x,), (3,), of="mish", order=order) for order in (1, 2))
    assert one is not other


# --- sparsemax ---

ROWS = eighths(20, 6) * 0.875


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_sparsemax_is_the_nearest_distribution(dtype):
    with jax.enable_x64(dtype == "float64"):
        s = jc.sparsemax(jnp.asarray(ROWS, dtype))
        assert s.dtype == dtype
        x = np.asarray(jnp.asarray(ROWS, dtype), float)
        s, tolerance = np.asarray(s, float), 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(s.sum(-1), 1, atol=tolerance)
    assert np.all(s >= 0)
    # of the nearest point p of a convex set ⟨x − p, q − p⟩ ≤ 0 for all q, so for all corners
    assert np.all((x - s) - np.sum((x - s) * s, -1, keepdims=True) <= 8 * tolerance)


def test_sparsemax_of_equal_entries():
    s = jc.sparsemax(jnp.array([0.25, 0.25, -1.0, 0.25]))
    np.testing.assert_array_equal(s, np.float32([1 / 3, 1 / 3, 0, 1 / 3]))


def test_an_entry_at_the_threshold_is_out():
    x = jnp.array([1.0, 0.0, -2.0])  # τ = 0
    np.testing.assert_array_equal(jc.sparsemax(x), [1, 0, 0])
    np.testing.assert_array_equal(jax.jacobian(jc.sparsemax)(x), np.zeros((3, 3)))


@pytest.mark.parametrize("axis", [0, -1, (0, 2), None])
def test_sparsemax_along_axes(axis):
    x = eighths(3, 4, 5) * 0.875
    axes = tuple(range(3)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = range(-len(axes), 0)
    moved = np.moveaxis(x, axes, last)
    flat = moved.reshape(*moved.shape[: 3 - len(axes)], -1)
    with jax.enable_x64(True):
        true = np.moveaxis(np.reshape(plain_sparsemax(jnp.asarray(flat)), moved.shape), last, axes)
    np.testing.assert_allclose(jc.sparsemax(jnp.asarray(x), axis), true, atol=1e-6)


def test_the_product_of_sparsemax_annihilates_constants():
    """What a tangent has in common on the support is taken off, be it large."""
    x = jnp.array([0.5, 0.25, 0.375, -3.0])
    t = jnp.array([1e4, 1e4, 1e4 + 1, 7.0])
    change = jax.jvp(jc.sparsemax, (x,), (t,))[1]
    np.testing.assert_allclose(change, [-1 / 3, -1 / 3, 2 / 3, 0], rtol=1e-6)


def test_plain_and_declared_definitions_are_one():
    z = jnp.asarray(X, jnp.float32)
    for f in ELEMENTWISE:
        np.testing.assert_allclose(f(z), f.definition(JAX, z), rtol=1e-5)
