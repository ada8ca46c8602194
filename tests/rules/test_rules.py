"""Every rule against autodiff of the compound, in both layouts; the notes' softmax derivation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcalc import jacobian, rules

LAYOUTS = ["numerator", "denominator"]
P, Q, S, T, M, N, R = 4, 3, 5, 2, 6, 7, 8
_random = np.random.default_rng(7)


def constant(*shape):
    return _random.standard_normal(shape)


def vector(size):
    """A function R^P → R^size, positive."""
    W = constant(size, P)
    return lambda x: jnp.sin(W @ x) + 2.0


def curve(size):
    """A function R → R^size."""
    w = constant(size)
    return lambda t: jnp.sin(t * w)


def matrix(*shape):
    """A function R → R^shape, positive, of full rank and not symmetric."""
    W = constant(*shape)
    return lambda t: jnp.exp(jnp.sin(t * W)) + 3 * jnp.eye(*shape, dtype=jnp.float64)


def first_scalar(x):
    return jnp.exp(jnp.sum(x) / 5)


def second_scalar(x):
    return 2.0 + jnp.sin(jnp.sum(x * x))


def of_derivatives(rule):
    return lambda y, dy, z, dz, layout: rule(dy, dz, layout=layout)


def power(exponent):
    return lambda y, dy, layout: rules.power_rule(y, dy, exponent, layout=layout)


def bilinear(y, dy, z, dz, layout):
    return rules.bilinear_rule(y, dy, A, z, dz, layout=layout)


A, x, t = constant(S, T), constant(P), np.float64(0.7)
SCALARS, VECTORS, MATRICES = (
    (first_scalar, second_scalar),
    (vector(Q), vector(Q)),
    (matrix(M, N), matrix(M, N)),
)
inner, scaled, hadamard, quotient = (
    rules.inner_product_rule,
    rules.scalar_product_rule,
    rules.hadamard_product_rule,
    rules.quotient_rule,
)

# name: (the point, the parts, the compound, the rule)
CASES = {
    "R1": (x, VECTORS, jnp.add, of_derivatives(rules.sum_rule)),
    "R1, matrices": (t, MATRICES, jnp.add, of_derivatives(rules.sum_rule)),
    "R2": (x, VECTORS, jnp.dot, inner),
    "R2, scalar in": (t, (curve(Q), curve(Q)), jnp.dot, inner),
    "R3": (x, (vector(S), vector(T)), lambda y, z: y @ A @ z, bilinear),
    "R4": (x, (first_scalar, vector(Q)), jnp.multiply, scaled),
    "R4, scalars": (x, SCALARS, jnp.multiply, scaled),
    "R4, matrix": (t, (first_scalar, matrix(M, N)), jnp.multiply, scaled),
    "Hadamard, scalars": (x, SCALARS, jnp.multiply, hadamard),
    "Hadamard, vectors": (x, VECTORS, jnp.multiply, hadamard),
    "Hadamard, matrices": (t, MATRICES, jnp.multiply, hadamard),
    "quotient, scalars": (x, SCALARS, jnp.divide, quotient),
    "quotient, vectors": (x, VECTORS, jnp.divide, quotient),
    "quotient, matrices": (t, MATRICES, jnp.divide, quotient),
    "quotient, vector by scalar": (x, (vector(Q), second_scalar), jnp.divide, quotient),
    "quotient, matrix by scalar": (t, (matrix(M, N), second_scalar), jnp.divide, quotient),
    "power, scalar": (x, (second_scalar,), lambda y: y**2.5, power(2.5)),
    "power, vector": (x, (vector(Q),), lambda y: y**-3, power(-3)),
    "power, matrix": (t, (matrix(M, N),), lambda y: y**2, power(2)),
    "matrix product": (t, (matrix(M, N), matrix(N, R)), jnp.matmul, rules.matrix_product_rule),
    "inverse": (t, (matrix(P, P),), jnp.linalg.inv, rules.inverse_rule),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("case", CASES)
def test_rule_is_the_derivative_of_the_compound(case):
    point, parts, compound, rule = CASES[case]

    def by_rule(point, layout):
        pairs = [(part(point), jacobian(part, layout=layout)(point)) for part in parts]
        return rule(*(argument for pair in pairs for argument in pair), layout=layout)

    def whole(point):
        return compound(*(part(point) for part in parts))

    @jax.jit
    def computed(point):
        return [(by_rule(point, la), jacobian(whole, layout=la)(point)) for la in LAYOUTS]

    for J, expected in computed(point):
        assert J.shape == expected.shape
        np.testing.assert_allclose(J, expected, rtol=1e-11, atol=1e-13)


A_QP, X_MN, WEIGHTS, LOGITS = constant(Q, P), constant(M, N), constant(N), constant(6)
B_SP, C_TS, D_RT = constant(S, P), constant(T, S), constant(R, T)
CHAINS = {
    "C1, scalar in": (t, (curve(S), lambda u: jnp.tanh(C_TS @ u))),
    "C2": (x, (lambda x: jnp.sin(B_SP @ x), lambda y: jnp.tanh(C_TS @ y))),
    "C2, three steps": (x, (vector(S), lambda y: jnp.tanh(C_TS @ y), lambda z: jnp.exp(D_RT @ z))),
    "C2, scalar out": (x, (vector(S), lambda y: jnp.tanh(C_TS @ y), jnp.prod)),
    "C2, scalar between": (x, (first_scalar, curve(R))),
    "one step": (x, (vector(S),)),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chain", CHAINS)
def test_chain_rule_takes_the_innermost_first_in_both_layouts(chain, layout):
    point, steps = CHAINS[chain]

    @jax.jit
    def computed(point):
        value, derivatives = point, []
        for step in steps:
            derivatives.append(jacobian(step, layout=layout)(value))
            value = step(value)
        return rules.chain_rule(*derivatives, layout=layout), jacobian(
            lambda point: _composed(steps, point), layout=layout
        )(point)

    J, expected = computed(point)
    assert J.shape == expected.shape
    np.testing.assert_allclose(J, expected, rtol=1e-11, atol=1e-13)


def _composed(steps, value):
    for step in steps:
        value = step(value)
    return value


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ends", [(2, 50), (50, 2)])
def test_chain_rule_multiplies_from_the_narrow_end(ends, layout):
    sizes = [ends[0], 50, 50, ends[1]]
    shapes = [(b, a) if layout == "numerator" else (a, b) for a, b in itertools.pairwise(sizes)]
    jaxpr = jax.make_jaxpr(lambda *d: rules.chain_rule(*d, layout=layout))(*map(jnp.ones, shapes))
    products = [eqn.outvars[0].aval.shape for eqn in jaxpr.jaxpr.eqns]
    assert all(2 in shape for shape in products)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_matrix_chain_rule(layout):
    def y(X):
        return jnp.sin(X @ WEIGHTS)

    def z(y):
        return jnp.sum(y**3)

    @jax.jit
    def computed(X):
        dy, dz = jacobian(y, layout=layout)(X), jacobian(z, layout=layout)(y(X))
        whole = jacobian(lambda X: z(y(X)), layout=layout)(X)
        return rules.matrix_chain_rule(dy, dz, layout=layout), whole

    J, expected = computed(X_MN)
    assert J.shape == expected.shape == ((N, M) if layout == "numerator" else (M, N))
    np.testing.assert_allclose(J, expected, rtol=1e-12)


BATCH = [constant(5, *shape) for shape in ((Q,), (Q, P), (Q,), (Q, P))]
BY_MATRIX = {
    "determinant": (constant(P, P), jnp.linalg.det, rules.determinant_rule),
    "log-determinant": (
        constant(P, P),
        lambda X: jnp.linalg.slogdet(X)[1],
        rules.log_determinant_rule,
    ),
    "log-determinant, negative": (
        np.diag([-1.0, 2.0, 3.0]) + 0.1 * constant(Q, Q),
        lambda X: jnp.log(-jnp.linalg.det(X)),
        rules.log_determinant_rule,
    ),
    "trace": (constant(P, P), jnp.trace, rules.trace_rule),
    "trace of A X": (
        constant(P, Q),
        lambda X: jnp.trace(A_QP @ X),
        lambda X, layout: rules.trace_rule(X, A_QP, layout=layout),
    ),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("case", BY_MATRIX)
def test_scalar_valued_rules_differentiate_by_the_matrix(case):
    X, f, rule = BY_MATRIX[case]

    @jax.jit
    def computed(X):
        return [(rule(X, layout=la), jacobian(f, layout=la)(X)) for la in LAYOUTS]

    for J, expected in computed(X):
        assert J.shape == expected.shape
        np.testing.assert_allclose(J, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_notes_softmax_derivation(layout):
    """Five lines for ∂softmax/∂x, each by the rules, all equal."""

    def line(v):
        """A vector as the derivative of a scalar by x."""
        return v[None, :] if layout == "numerator" else v[:, None]

    def fan(v):
        """A vector as the derivative of a vector by a scalar."""
        return v[:, None] if layout == "numerator" else v[None, :]

    def rule(name, *arguments):
        return getattr(rules, name)(*arguments, layout=layout)

    @jax.jit
    def lines(x):
        e = jnp.exp(x)
        n, ones, nothing = e.sum(), jnp.ones(6), jnp.zeros((6, 6))
        de = rule("power_rule", e, jnp.diag(e), 1)
        dn = rule("inner_product_rule", ones, nothing, e, de)
        d_inverse = rule("power_rule", n, dn, -1)
        diagonal = rule("scalar_product_rule", 1 / n, line(jnp.zeros(6)), e, de)
        square = jnp.full((1, 1), -(n**-2))
        s = e / n
        return [
            rule("scalar_product_rule", 1 / n, d_inverse, e, de),
            rule("sum_rule", diagonal, rule("chain_rule", dn, square, fan(e))),
            rule("sum_rule", diagonal, rule("chain_rule", line(e), square, fan(e))),
            rule("sum_rule", jnp.diag(e / n), -rule("chain_rule", line(e / n), fan(e / n))),
            rule("sum_rule", jnp.diag(s), rule("chain_rule", line(s), fan(-s))),
        ]

    s = np.exp(LOGITS) / np.exp(LOGITS).sum()
    autodiff = jax.jit(jax.jacfwd(lambda x: jnp.exp(x) / jnp.exp(x).sum()))(LOGITS)
    for J in lines(LOGITS):
        np.testing.assert_allclose(J, np.diag(s) - np.outer(s, s), atol=1e-15)
        np.testing.assert_allclose(J, autodiff, atol=1e-15)


def test_power_zero_is_flat_even_at_zero():
    J = rules.power_rule(jnp.array([0.0, 2.0]), jnp.eye(2), 0)
    np.testing.assert_array_equal(J, jnp.zeros((2, 2)))


def test_quotient_of_large_numbers_does_not_overflow():
    big, d = jnp.float32(1e30), jnp.full((1, 1), 1e30, jnp.float32)
    np.testing.assert_allclose(rules.quotient_rule(big, d, 2 * big, d), [[0.25]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_dtype_stays(dtype):
    y, dy = jnp.ones(Q, dtype), jnp.ones((Q, P), dtype)
    assert rules.inner_product_rule(y, dy, y, dy).dtype == dtype
    assert rules.quotient_rule(y, dy, y, dy).dtype == dtype
    assert rules.power_rule(y, dy, 1.5).dtype == dtype
    assert rules.trace_rule(jnp.ones((2, 2), dtype)).dtype == dtype


def test_numpy_arrays_and_lists_come_in_and_jax_arrays_out():
    J = rules.chain_rule([[1.0, 2.0]], np.array([[3.0]], np.float32))
    assert isinstance(J, jax.Array)
    np.testing.assert_array_equal(J, [[3.0, 6.0]])


def test_rules_under_transformations():
    batch = [array.astype(np.float32) for array in BATCH]
    batched = jax.jit(jax.vmap(rules.inner_product_rule))(*batch)
    assert batched.shape == (5, 1, P)
    y, dy, z, dz = (array[2] for array in batch)
    np.testing.assert_allclose(batched[2], rules.inner_product_rule(y, dy, z, dz), rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda y: rules.inner_product_rule(y, dy, z, dz).sum()))(y)
    np.testing.assert_allclose(gradient, dz.sum(1), rtol=1e-5)


q, dq, transposed = jnp.ones(3), jnp.ones((3, 4)), jnp.ones((4, 3))
REFUSALS = {
    r"`inner_product_rule` assumed layout='numerator', where `dy` must have shape \(3, p\), "
    r"but got \(4, 3\); these shapes fit layout='denominator'": lambda: rules.inner_product_rule(
        q, transposed, q, transposed
    ),
    r"`inner_product_rule` assumed layout='denominator', where `dy` must have shape \(p, 3\), "
    r"but got \(3, 4\); these shapes fit layout='numerator'": lambda: rules.inner_product_rule(
        q, dq, q, dq, layout="denominator"
    ),
    r"`dz` must have shape \(3, 4\), but got \(4, 3\); the shapes given are `y` \(3,\), `dy` "
    r"\(3, 4\), `z` \(3,\), `dz` \(4, 3\)": lambda: rules.inner_product_rule(q, dq, q, transposed),
    r"`z` must have shape \(3,\), but got \(2,\)": lambda: rules.hadamard_product_rule(
        q, dq, jnp.ones(2), dq
    ),
    r"`y` must have shape \(q,\), but got \(3, 1\)": lambda: rules.inner_product_rule(
        q[:, None], dq, q, dq
    ),
    r"`scalar_product_rule` .* `y` must have shape \(\), but got \(3,\)": lambda: (
        rules.scalar_product_rule(q, dq, q, dq)
    ),
    r"`scalar_product_rule` .* `dy` must have shape \(1, p\), but got \(4, 1\); these shapes fit "
    "layout='denominator'": lambda: rules.scalar_product_rule(
        2.0, transposed[:, :1], q, transposed
    ),
    r"`bilinear_rule` .* `A` must have shape \(3, t\), but got \(2, 3\)": lambda: (
        rules.bilinear_rule(q, dq, jnp.ones((2, 3)), jnp.ones(2), jnp.ones((2, 4)))
    ),
    r"`quotient_rule` .* `z` must have shape": lambda: rules.quotient_rule(q, dq, jnp.ones(2), dq),
    r"`power_rule` .* `exponent` must have shape \(\), but got \(3,\)": lambda: rules.power_rule(
        q, dq, q
    ),
    r"`matrix_chain_rule` .* `dy` must have shape \(s, p, q\), but got \(3, 4\)": lambda: (
        rules.matrix_chain_rule(dq, jnp.ones((1, 3)))
    ),
    r"`matrix_chain_rule` .* `dz` must have shape \(1, 2\), but got \(4, 1\); these shapes fit "
    "layout='denominator'": lambda: rules.matrix_chain_rule(jnp.ones((2, 3, 4)), jnp.ones((4, 1))),
    r"`matrix_product_rule` .* `Z` must have shape \(4, r\), but got \(3, 4\)": lambda: (
        rules.matrix_product_rule(dq, dq, dq, dq)
    ),
    r"`inverse_rule` .* `Y` must have shape \(n, n\), but got \(3, 4\)": lambda: rules.inverse_rule(
        dq, dq
    ),
    r"`determinant_rule` .* `X` must have shape \(n, n\)": lambda: rules.determinant_rule(dq),
    r"`trace_rule` .* `A` must have shape \(4, 3\), but got \(3, 4\)": lambda: rules.trace_rule(
        dq, dq
    ),
    r"`sum_rule` assumed layout='numerator' .* got \(3, 4\) and \(4, 3\); one of them seems to be "
    "in the other layout": lambda: rules.sum_rule(dq, transposed),
    r"`sum_rule` .* at least two axes, but got \(3,\) and \(3,\)": lambda: rules.sum_rule(q, q),
    r"`chain_rule` assumed layout='numerator', where after \(3, 4\) must come \(t, 3\), but got "
    r"\(3, 2\); derivatives are given innermost first, in both layouts\.": lambda: rules.chain_rule(
        dq, jnp.ones((3, 2))
    ),
    r"after \(2, 3\) must come \(t, 2\), but got \(3, 4\).*; these shapes fit in the reverse "
    "order, or "
    "layout='denominator'": lambda: rules.chain_rule(jnp.ones((2, 3)), dq),
    "`chain_rule` must have at least one derivative": rules.chain_rule,
    r"`chain_rule` must have .* each of two axes, but got the shapes \[\(3,\)\]": lambda: (
        rules.chain_rule(q)
    ),
    "`layout` must be 'numerator' or 'denominator', but got 'rows'": lambda: rules.sum_rule(
        dq, dq, layout="rows"
    ),
}


@pytest.mark.parametrize("words", REFUSALS, ids=range(len(REFUSALS)))
def test_refusals_say_what_would_fit(words):
    with pytest.raises(ValueError, match=words):
        REFUSALS[words]()


def test_integers_have_fractional_powers_too():
    y, dy = jnp.array([1, 4]), jnp.eye(2, dtype=int)
    np.testing.assert_allclose(rules.power_rule(y, dy, 0.5), np.diag([0.5, 0.25]))
    np.testing.assert_allclose(rules.power_rule(y, dy, -1), np.diag([-1, -1 / 16]))


def test_vectors_are_not_taken_for_the_other_layout():
    with pytest.raises(ValueError, match=r"got \(3,\) and \(3,\); pass both in full"):
        rules.sum_rule(jnp.ones(3), jnp.ones(3))
