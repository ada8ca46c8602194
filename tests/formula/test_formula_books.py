"""Derivatives as books have them: of the usual functions, losses and distributions."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from formula_values import arrays_of, execute
from slow import some

import jaxcalc as jc

_RANDOM = np.random.default_rng(1)
x, y = (jnp.asarray(_RANDOM.uniform(0.2, 0.8, 4), jnp.float32) for _ in range(2))
z = jnp.asarray(_RANDOM.standard_normal(4), jnp.float32)
X = jnp.asarray(_RANDOM.standard_normal((3, 4)), jnp.float32)
S = X[:, :3] + 3 * jnp.eye(3)
k = jnp.array([1, 0, 3], jnp.int32)
special, normal = jax.scipy.special, jax.scipy.stats.norm
integer_loss = optax.losses.softmax_cross_entropy_with_integer_labels

# fmt: off
BOOKS = {  # a function, its arguments, the formula
    "leaky relu of a matrix": (jax.nn.leaky_relu, (X,), "diag(0.01 + 0.99 [x ≥ 0])"),
    "hard sigmoid of a matrix": (
        jax.nn.hard_sigmoid, (X,), "diag([0 < u < 6])/6 where u = x + 3"),
    "product": (lambda x: jnp.prod(jnp.sin(x)), (x,), "(cos(x) ⊙ prod_others(sin(x)))ᵀ"),
    "products of rows": (
        lambda x: jnp.prod(x, axis=1), (X,), "blockdiag_i(uᵢᵀ) where u = prod_others(x)"),
    "least squares": (lambda y, A: jnp.linalg.lstsq(A.T, y)[0], (z, X), "(Aᵀ)⁺"),
    "pseudo-inverse": (lambda y, A: jnp.linalg.pinv(A) @ y, (x[:3], X), "A⁺"),
    "clip": (lambda x: jnp.clip(x, 0, 1), (z,), "diag([0 < x < 1])"),
    "relu6": (jax.nn.relu6, (z,), "diag([0 < x < 6])"),
    "maximum": (lambda x: jnp.maximum(x, 0), (z,), "diag([x > 0])"),
    "larger": (lambda x, y: jnp.maximum(x, y), (x, y), "diag([x > y])"),
    "smaller": (lambda x, y: jnp.minimum(x, y), (x, y), "diag([y > x])"),
    "abs": (jnp.abs, (z,), "diag(sign(x))"),
    "normalised": (
        lambda x: (x - x.mean()) / jnp.linalg.norm(x - x.mean()), (z,),
        "I/‖u‖ − 1 1ᵀ/(4 ‖u‖) − u uᵀ/‖u‖³ where u = x − sum(x)/4"),
    "a third of a cube": (lambda x: jnp.sum(x**3) / 9, (z,), "(x²)ᵀ/3"),
    "determinant of an inverse": (
        lambda X: -jnp.linalg.slogdet(jnp.linalg.inv(X))[1], (S,), "X⁻¹"),
    "identity matrix": (lambda x: jnp.eye(4, dtype=x.dtype) @ x, (z,), "I"),
    "median": (jnp.median, (jnp.arange(5.0, dtype=jnp.float32),), "I[argsort(a)][2]ᵀ"),
    "hypot": (
        lambda x, y: jnp.hypot(x, y), (x, y),
        "diag(x/where(u = 0, 1, u)) where u = hypot(x, y)"),
    "logistic function, written out": (
        lambda x: 1 / (1 + jnp.exp(-x)), (z,), "diag(σ(x) ⊙ (1 − σ(x)))"),
    "ratio of exponentials": (
        lambda x: jnp.exp(2 * x) / (1 + jnp.exp(2 * x)), (z,), "2 diag(u − u²) where u = σ(2 x)"),
    "softplus, written out": (lambda x: jnp.sum(jnp.log1p(jnp.exp(x))), (z,), "σ(x)ᵀ"),
    "softplus as a value": (lambda x: x * jnp.log(1 + jnp.exp(x)), (z,),
        "diag(softplus(x) + σ(x) ⊙ x)"),
    "log-softmax squared": (
        lambda x: jax.nn.log_softmax(x) ** 2, (z,),
        "2 (diag(u) − u sᵀ) where s = softmax(x), u = x − logsumexp(x)"),
    "entropy of probabilities": (
        lambda x: jax.nn.softmax(x) * jnp.log(jax.nn.softmax(x)), (z,),
        "diag(u) − u sᵀ where u = s ⊙ log(s) + s, s = softmax(x)"),
    "entropy squared": (
        lambda x: jc.entropy(x) ** 2, (z,),
        "2 (sᵀ u) uᵀ (diag(s) − s sᵀ) where u = x − logsumexp(x), s = softmax(x)"),
    "divergence squared": (
        lambda x, y: jc.kl_divergence(x, y) ** 2, (x, y),
        "−2 (exp(y)ᵀ (y − x)) exp(y)ᵀ"),
    "eigenvalues": (
        lambda A: jnp.linalg.eigvalsh(A), (S,),
        "J[i, j, k] = u[k, i] u[j, i] where u = eigh((A + Aᵀ)/2)[0]"),
    "singular values": (
        lambda A: jnp.linalg.svd(A, compute_uv=False), (S,),
        "J[i, j, k] = svd(A)[2][i, k] svd(A)[1][j, i]"),
    "solution by the matrix": (
        lambda A, b: jnp.linalg.solve(A, b), (S, z[:3]), "−A⁻¹ ⊗ (bᵀ A⁻ᵀ)"),
    "outer product": (lambda x: jnp.outer(x, x), (z,), "I ⊗ x + x ⊗ I"),
    "squares of differences": (
        lambda x: (x[:, None] - x[None, :]) ** 2, (z,),
        "2 (diag(x) ⊗ 1) − 2 (I ⊗ x) − 2 (x ⊗ I) + 2 (1 ⊗ diag(x))"),
    "logcdf": (lambda x: normal.logcdf(x), (z,), "diag(φ(x)/Φ(x))"),
    "gamma": (lambda x: special.gamma(x), (x,), "diag(digamma(x) ⊙ gamma(x))"),
    "digamma": (lambda x: special.digamma(x), (x,), "diag(polygamma(1, x))"),
    "log-gamma": (lambda x: special.gammaln(x), (x,), "diag(digamma(x))"),
    "erf": (lambda x: special.erf(x), (x,), "1.12838 diag(exp(−x²))"),
    "erfinv": (lambda x: special.erfinv(x), (x,), "0.886227 diag(exp(erfinv(x)²))"),
    "logit": (lambda x: special.logit(x), (x,), "diag(1/(x ⊙ (1 − x)))"),
    "xlogy": (lambda x, y: special.xlogy(x, y), (x, y), "diag(log(y))"),
    "atan2": (lambda y, x: jnp.arctan2(y, x), (x, y), "diag(x/(y² + x²))"),
    "glu": (
        lambda x: jax.nn.glu(x), (z,),
        "diag(u) I[:2] + diag(u ⊙ (1 − u) ⊙ x[:2]) I[2:] where u = σ(x[2:])"),
    "cross-entropy": (
        lambda x, labels: integer_loss(x, labels), (z, k[0]),
        "sᵀ − one_hot(labels)ᵀ where s = softmax(x)"),
    "cross-entropy of rows": (
        lambda x, labels: integer_loss(x, labels), (X, k),
        "blockdiag_i((sᵢ − uᵢ)ᵀ) where u = one_hot(labels), s = softmax(x)"),
    "mean cross-entropy": (
        lambda x, labels: integer_loss(x, labels).mean(), (X, k),
        "(sᵀ − one_hot(labels)ᵀ)/3 where s = softmax(x)"),
    "second derivative": (
        jax.grad(lambda z: -jnp.log(jc.softmax(z)[1])), (z,),
        "((I − s 1ᵀ) diag(1 − I[1]/s[1]) + (s ⊙ I[1] − s[1] s) I[1]ᵀ/s[1]²) (diag(s) − s sᵀ) "
        "where s = softmax(z)"),
    "second derivative of log-softmax": (
        jax.grad(lambda z: -jc.log_softmax(z)[1]), (z,), "diag(s) − s sᵀ where s = softmax(z)"),
}
# fmt: on


@pytest.mark.whole
@pytest.mark.parametrize("case", some(BOOKS, [*BOOKS][::6]))
def test_as_in_books(case, x64):
    f, args, formula = BOOKS[case]
    args = [jnp.asarray(a, jnp.float64) if a.dtype == jnp.float32 else a for a in args]
    J = jc.derive(f)(*args)
    assert J.formula == formula
    computed = execute(J.code, arrays_of(f, *args))
    np.testing.assert_allclose(computed, J.todense(), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "f",
    [
        jnp.poly,  # numbers that convolutions take beside arrays
        lambda x: 1 / (1 + jnp.exp(x[:1] - x[:1].mean())) ** 2,  # σ(0) is its own opposite
        lambda x: jnp.exp(x) ** 3 / (1 + jnp.exp(x)) ** 2,
        lambda x: jnp.exp(-x) / (1 + jnp.exp(-2 * x)) ** 3,
        lambda x: jax.nn.sigmoid(x) ** 2 * jax.nn.sigmoid(-x),
    ],
)
def test_code_computes_what_the_formula_says(f, x64):
    x = jnp.asarray(z, jnp.float64)
    J = jc.derive(f)(x)
    np.testing.assert_allclose(J.tensor(), jax.jacfwd(f)(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(execute(J.code, J.arrays), J.todense(), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_correlations_are_short(x64):
    """The terms of a matrix by a matrix, what they have in common before them."""
    J = jc.derive(jnp.corrcoef)(jnp.asarray(X, jnp.float64))
    assert len(J.formula) <= 300
    assert J.formula.startswith("J[i, j, k, l] = [−1 < ")
    truth = jax.jacfwd(jnp.corrcoef)(jnp.asarray(X, jnp.float64))
    np.testing.assert_allclose(J.tensor(), truth, atol=1e-12)
    np.testing.assert_allclose(execute(J.code, J.arrays), J.todense(), atol=1e-12)


@pytest.mark.parametrize("f", [jnp.abs, jax.nn.relu6, BOOKS["clip"][0], BOOKS["maximum"][0]])
def test_code_agrees_where_there_is_no_derivative(f):
    x = jnp.array([0.0, 1.0, 6.0, 2.0])
    J = jc.derive(f)(x)
    np.testing.assert_array_equal(execute(J.code, arrays_of(f, x)), J.todense())
    np.testing.assert_array_equal(J.todense(), jax.jacfwd(f)(x))


@pytest.mark.slow
@pytest.mark.parametrize("zeros", [[1], [], [1, 3]], ids=["one", "none", "two"])
def test_products_of_others_are_exact_at_zeros(zeros, x64):
    x = jnp.arange(1.0, 5.0).at[jnp.array(zeros, int)].set(0.0)
    J = jc.derive(lambda x: jnp.prod(x))(x)
    assert J.formula == "prod_others(x)ᵀ"
    np.testing.assert_array_equal(J.todense(), jax.jacfwd(jnp.prod)(x)[None, :])
    np.testing.assert_array_equal(execute(J.code, {"x": x}), J.todense())
    H = jc.derive(jax.grad(jnp.prod))(x)
    np.testing.assert_allclose(H.todense(), jax.hessian(jnp.prod)(x), atol=1e-12)


# --- every function of some modules: no primitive by its raw name, and code that runs ---

_NN = """celu elu gelu hard_sigmoid hard_silu hard_tanh identity leaky_relu log_sigmoid log_softmax
    logsumexp mish relu relu6 selu sigmoid silu soft_sign softmax softplus sparse_plus
    sparse_sigmoid squareplus standardize swish tanh glu"""
_NUMPY = """sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp exp2 expm1 log
    log2 log10 log1p sqrt cbrt square reciprocal abs sign sinc deg2rad var std ptp median mean diff
    sort max min"""
_NUMPY_OF_TWO = """arctan2 hypot maximum minimum logaddexp logaddexp2 power multiply divide fmod
    remainder float_power outer dot"""
_SPECIAL = """erf erfc erfinv gammaln gamma digamma expit logit log_ndtr entr i0 i0e i1 i1e
    factorial"""
_OF_ROWS = """softmax_cross_entropy safe_softmax_cross_entropy poly_loss_cross_entropy"""
_OF_VECTORS = """squared_error l2_loss huber_loss log_cosh cosine_similarity cosine_distance
    sigmoid_binary_cross_entropy ranking_softmax_loss kl_divergence
    sparsemax_loss hinge_loss perceptron_loss"""
_OF_A_CLASS = "multiclass_hinge_loss"
LISTED = {
    **{f"nn.{name}": (getattr(jax.nn, name), (z,)) for name in _NN.split()},
    **{f"jnp.{name}": (getattr(jnp, name), (x,)) for name in _NUMPY.split()},
    **{f"jnp.{name}": (getattr(jnp, name), (x, y)) for name in _NUMPY_OF_TWO.split()},
    **{f"special.{name}": (getattr(special, name), (x,)) for name in _SPECIAL.split()},
    **{f"optax.{name}": (getattr(optax.losses, name), (X, X > 0)) for name in _OF_ROWS.split()},
    **{f"optax.{name}": (getattr(optax.losses, name), (z, y)) for name in _OF_VECTORS.split()},
    **{f"optax.{name}": (getattr(optax.losses, name), (z, k[0])) for name in _OF_A_CLASS.split()},
    "optax.softmax_cross_entropy_with_integer_labels": (integer_loss, (X, k)),
    **{
        f"{name}.{what}": (getattr(getattr(jax.scipy.stats, name), what), (x,))
        for name in ("norm", "laplace", "cauchy", "logistic", "expon", "uniform")
        for what in ("logpdf", "pdf")
    },
}
RAW = re.compile(
    r"jaxcalc_|reduce_|gather|scatter|select_n|bitcast|convert_element|iota|lgamma|erf_inv|"
    r"bessel|clamp|split|squeeze|D\["
)


@pytest.mark.parametrize("function", some(LISTED, [*LISTED][::12]))
def test_listed_functions(function, x64):
    f, args = LISTED[function]
    args = [jnp.asarray(a, int if a.dtype == jnp.int32 else jnp.float64) for a in args]
    J = jc.derive(f)(*args)
    assert not RAW.search(J.formula)
    assert len(J.formula) <= 300
    computed = execute(J.code, arrays_of(f, *args))
    np.testing.assert_allclose(computed, J.todense(), rtol=1e-8, atol=1e-10)
