"""What derivatives make of each other: their formulas, their code and the arrays it is run with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import execute
from identities import normal
from jax import lax

import jaxcalc as jc

A = normal(4, 4)(np.random.default_rng(1))
B = normal(4, 4)(np.random.default_rng(2))
X = normal(4)(np.random.default_rng(3))

# fmt: off
MADE = {  # of J = ∂ softmax(A x)/∂x, K = ∂ tanh(x)/∂x and g = ∂ ‖x‖/∂x
    "2 J": (lambda J, K, g: 2 * J, "2 (diag(s) − s sᵀ) A where s = softmax(A x)"),
    "J / 3": (lambda J, K, g: J / 3, "(diag(s) − s sᵀ) A/3 where s = softmax(A x)"),
    "-K": (lambda J, K, g: -K, "−diag(1 − tanh(x)²)"),
    "c K": (lambda J, K, g: jnp.asarray(2.5) * K, "c diag(1 − tanh(x)²)"),
    "K / c": (lambda J, K, g: K / jnp.asarray(2.5), "c diag(1 − tanh(x)²)"),
    "J + K": (
        lambda J, K, g: J + K, "(diag(s) − s sᵀ) A + diag(1 − tanh(x)²) where s = softmax(A x)"),
    "J - K": (
        lambda J, K, g: J - K, "(diag(s) − s sᵀ) A − diag(1 − tanh(x)²) where s = softmax(A x)"),
    "J - J": (lambda J, K, g: J - J, "0"),
    "J K": (
        lambda J, K, g: J @ K, "(diag(s) − s sᵀ) A diag(1 − tanh(x)²) where s = softmax(A x)"),
    "g J": (lambda J, K, g: g @ K, "(x ⊙ (1 − tanh(x)²))ᵀ/‖x‖"),
    "gᵀ g": (lambda J, K, g: g.T @ g, "x xᵀ/(xᵀ x)"),
    "Jᵀ + K": (
        lambda J, K, g: J.T + K,
        "Aᵀ (diag(s) − s sᵀ) + diag(1 − tanh(x)²) where s = softmax(A x)"),
    "K⁺": (lambda J, K, g: K.pinv(), "diag(1 − tanh(x)²)⁺"),
    "g⁺": (lambda J, K, g: g.pinv(), "x/‖x‖"),
}
CLOSED = {
    "sigmoid": "diag(σ(x) ⊙ (1 − σ(x)))",
    "softplus": "diag(σ(x))",
    "log_sigmoid": "diag(σ(−x))",
    "softmax": "diag(s) − s sᵀ where s = softmax(x)",
    "log_softmax": "I − 1 sᵀ where s = softmax(x)",
    "logsumexp": "softmax(x)ᵀ",
    "silu": "diag(σ(x) ⊙ (1 + x ⊙ σ(−x)))",
    "mish": "diag(u + x ⊙ σ(x) ⊙ (1 − u²)) where u = tanh(softplus(x))",
    "softsign": "diag(1/(1 + |x|)²)",
    "sparsemax": "diag(u) − u uᵀ/sum(u) where u = [sparsemax(x) > 0]",
}
# fmt: on


def check(J, truth):
    """The code of J, run with its arrays, and its dense form."""
    computed = execute(J.code, J.arrays)
    assert (computed.shape, computed.dtype) == (J.shape, J.dtype)
    np.testing.assert_allclose(computed, truth, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(J.todense(), truth, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_what_derivatives_make_has_a_formula(name, x64):
    make, formula = MADE[name]
    x = jnp.asarray(X)
    J, K = jc.derive(lambda x: jc.softmax(A @ x))(x), jc.derive(jnp.tanh)(x)
    g = jc.derive(jnp.linalg.norm)(x)
    made = make(J, K, g)
    assert isinstance(made, jc.Derivative)
    assert made.formula == formula
    dense = [jnp.asarray(one.todense()) for one in (J, K, g)]
    truth = make(*map(Dense, dense)).array
    check(made, truth)
    check(made.T, truth.T)


class Dense:
    """A matrix that is multiplied, added and inverted as operators are."""

    def __init__(self, array):
        self.array = array

    __array_ufunc__ = None
    T = property(lambda self: Dense(self.array.T))

    def __matmul__(self, other):
        return Dense(self.array @ other.array)

    def __add__(self, other):
        return Dense(self.array + other.array)

    def __sub__(self, other):
        return Dense(self.array - other.array)

    def __mul__(self, scale):
        return Dense(self.array * scale)

    __rmul__ = __mul__

    def __truediv__(self, scale):
        return Dense(self.array / scale)

    def __neg__(self):
        return Dense(-self.array)

    def pinv(self):
        return Dense(jnp.linalg.pinv(self.array))


SAME = {  # one map, derived in two ways
    "softmax": (jax.nn.softmax, jc.softmax),
    "own softmax": (lambda x: jnp.exp(x) / jnp.sum(jnp.exp(x)), jc.softmax),
    "log softmax": (lambda x: jnp.log(jax.nn.softmax(x)), jc.log_softmax),
    "logsumexp": (jax.nn.logsumexp, jc.logsumexp),
    "sigmoid": (jax.nn.sigmoid, jc.sigmoid),
    "cube": (lambda x: x * x * x, lambda x: x**3),
    "softplus": (jax.nn.softplus, jc.softplus),
    "cumsum": (jnp.cumsum, lambda x: jnp.tril(jnp.ones((4, 4))) @ x),
    "centred": (lambda x: x - jnp.mean(x), lambda x: x - jnp.sum(x) / 4),
    "norm": (jnp.linalg.norm, lambda x: jnp.sqrt(x @ x)),
}


@pytest.mark.parametrize("name", SAME)
def test_differences_are_zero_where_the_formula_is(name, x64):
    x = jnp.asarray(X)
    J, K = (jc.derive(f)(x) for f in SAME[name])
    for D in (J - K, K - J, J + -K, J.T - K.T, (J - K).T):
        assert (D.structure, D.formula) == ("zero", "0")
        assert (D.dtype, D.arrays) == (J.dtype, {})
        assert not np.any(D.todense())
    assert (J - K).domain == J.domain
    assert (J - 2 * K).structure != "zero"
    assert (J + K).formula != "0"


def test_arrays_that_share_a_name_stay_two(x64):
    """x of the one is not x of the other; A is the same in both."""

    def of(M):
        return lambda x: jnp.tanh(M @ x)

    x, y = jnp.asarray(X), jnp.asarray(X[::-1])
    J, K = jc.derive(of(A))(x), jc.derive(of(B))(y)
    assert (J + K).formula == "diag(1 − tanh(M x)²) M + diag(1 − tanh(M2 x2)²) M2"
    check(J + K, J.todense() + K.todense())
    assert list((J + J).arrays) == ["M", "x"]


def test_maps_without_a_formula_stay_two(x64):
    """Though they are made by the same function, and print alike."""

    def powers(x, k):
        return lax.fori_loop(0, 6, lambda _, c: jnp.sin(k * c[::-1]), x)

    of = jax.jit(jc.derive(powers))
    J, K = of(jnp.asarray(X), 2.0), of(jnp.asarray(X), 3.0)
    assert J.formula == K.formula == "D[scan]"
    assert (J - K).formula == "D[scan] − D₂[scan]"
    assert (J - J).formula == "0"
    assert (J + J).formula == "2 D[scan]"
    assert np.abs((J - K).todense()).max() > 0.1


def test_arrays_are_the_parameters_of_the_code(x64):
    """Also where J comes out of `jax.jit`, and in a tree."""
    J = jax.jit(jc.derive(lambda x: jc.softmax(A @ x)))(X)
    check(J, jax.jacfwd(lambda x: jax.nn.softmax(A @ x))(jnp.asarray(X)))
    tree = {"w": jnp.asarray(A), "b": jnp.asarray(X)}
    Js = jc.derive(lambda p: jnp.tanh(p["w"] @ p["b"]))(tree)
    assert list(Js["b"].arrays) == ["p_w", "p_b"]
    check(Js["b"], jax.jacfwd(lambda b: jnp.tanh(A @ b))(jnp.asarray(X)))


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("layout", ["numerator", "denominator"])
def test_the_notes_jacobians_have_a_formula(name, layout, x64):
    J = getattr(jc, f"{name}_jacobian")(jnp.asarray(X), layout=layout)
    assert (J if layout == "numerator" else J.T).formula == CLOSED[name]
    check(J, jc.jacobian(getattr(jc, name), layout=layout)(jnp.asarray(X)))
    assert J._repr_latex_().startswith("$")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_results_are_rounded_once(dtype):
    x = jnp.asarray([1.0, -0.5, 0.25, 2.0], dtype)
    J, K = jc.derive(jc.softmax)(x), jc.derive(jnp.tanh)(x)
    exact = {k: D.operator.todense() for k, D in (("J", J), ("K", K))}
    assert (J @ K).dtype == (J + K).dtype == (2 * J).dtype == dtype
    np.testing.assert_array_equal((J @ K).todense(), (exact["J"] @ exact["K"]).astype(dtype))
    np.testing.assert_array_equal((J + K).todense(), (exact["J"] + exact["K"]).astype(dtype))
