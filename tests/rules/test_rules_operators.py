"""Rules on operators: the dense form of what they return is what they return on dense forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcalc import rules
from jaxcalc.operators import (
    Chain,
    Dense,
    Diagonal,
    DiagonalPlusLowRank,
    Identity,
    LinearOperator,
)

LAYOUTS = ["numerator", "denominator"]
P, Q, S, M, N, R = 4, 3, 5, 2, 6, 7


def numbers(*shape):
    return np.random.default_rng([11, *shape]).standard_normal(shape).astype(np.float32) + 2


def given(codomain, domain):
    """A derivative of a value of shape `codomain` by one of shape `domain`, in full."""
    return Dense(jnp.asarray(numbers(*codomain, *domain)), len(codomain))


def softmax_like(n):
    s = jnp.asarray(numbers(n))
    return DiagonalPlusLowRank(s, s[:, None], s[:, None] / 9, -1)


y, z, scalar = numbers(Q), numbers(Q) / 3, np.float32(1.5)
Y, Z, square = numbers(M, N), numbers(N, R), numbers(P, P) + 3 * np.eye(P, dtype=np.float32)

EYE = np.eye(Q, dtype=np.float32)

# name: (the rule, its arguments, derivatives being operators in numerator layout)
CASES = {
    "R1": (rules.sum_rule, (given((Q,), (P,)), given((Q,), (P,)))),
    "R1, scalar by matrix": (rules.sum_rule, (given((), (M, N)), given((), (M, N)))),
    "R2": (rules.inner_product_rule, (y, given((Q,), (P,)), z, given((Q,), (P,)))),
    "R2, scalar in": (rules.inner_product_rule, (y, given((Q,), ()), z, given((Q,), ()))),
    "R2, structured": (rules.inner_product_rule, (y, softmax_like(Q), z, Diagonal(z))),
    "R3": (
        rules.bilinear_rule,
        (y, given((Q,), (P,)), numbers(Q, S), numbers(S), given((S,), (P,))),
    ),
    "R4": (rules.scalar_product_rule, (scalar, given((), (P,)), z, given((Q,), (P,)))),
    "R4, scalars": (rules.scalar_product_rule, (scalar, given((), (P,)), scalar, given((), (P,)))),
    "R4, matrix": (rules.scalar_product_rule, (scalar, given((), ()), Y, given((M, N), ()))),
    "C2": (rules.chain_rule, (given((Q,), (P,)), Diagonal(z), given((S,), (Q,)))),
    "C2, scalars at the ends": (rules.chain_rule, (given((Q,), ()), given((), (Q,)))),
    "C3": (rules.matrix_chain_rule, (given((S,), (M, N)), given((), (S,)))),
    "Hadamard": (rules.hadamard_product_rule, (y, Diagonal(z), z, softmax_like(Q))),
    "Hadamard, scalars": (
        rules.hadamard_product_rule,
        (scalar, given((), (P,)), scalar, given((), (P,))),
    ),
    "Hadamard, matrices": (
        rules.hadamard_product_rule,
        (Y, given((M, N), ()), Y, given((M, N), ())),
    ),
    "quotient": (rules.quotient_rule, (y, given((Q,), (P,)), z, given((Q,), (P,)))),
    "quotient by a scalar": (
        rules.quotient_rule,
        (y, given((Q,), (P,)), scalar, given((), (P,))),
    ),
    "quotient, matrix by scalar": (
        rules.quotient_rule,
        (Y, given((M, N), ()), scalar, given((), ())),
    ),
    "power": (rules.power_rule, (y, Diagonal(z), 2.5)),
    "matrix product": (
        rules.matrix_product_rule,
        (Y, given((M, N), ()), Z, given((N, R), ())),
    ),
    "inverse": (rules.inverse_rule, (square, given((P, P), ()))),
}


def in_layout(argument, layout):
    turned = isinstance(argument, LinearOperator) and layout == "denominator"
    return argument.T if turned else argument


def in_full(argument):
    return argument.todense() if isinstance(argument, LinearOperator) else argument


def some_in_full(arguments):
    """The arguments with their operators, then with one of them left and the others in full."""
    yield arguments
    places = [i for i, a in enumerate(arguments) if isinstance(a, LinearOperator)]
    for kept in places if len(places) > 1 else ():
        yield tuple(a if i == kept else in_full(a) for i, a in enumerate(arguments))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_operators_give_the_operator_of_what_arrays_give(case, layout):
    rule, in_numerator = CASES[case]
    arguments = tuple(in_layout(argument, layout) for argument in in_numerator)
    expected = rule(*map(in_full, arguments), layout=layout)
    assert isinstance(expected, jax.Array)
    for mixed in some_in_full(arguments):
        J = rule(*mixed, layout=layout)
        assert isinstance(J, LinearOperator)
        assert J.shape == expected.shape
        np.testing.assert_allclose(J.todense(), expected, rtol=1e-4, atol=1e-4)


STRUCTURES = {
    "softmax of elementwise": (
        lambda: rules.chain_rule(Diagonal(jnp.asarray(y)), softmax_like(Q)),
        "diagonal - rank 1",
    ),
    "softmax of A x": (
        lambda: rules.chain_rule(numbers(Q, P), softmax_like(Q)),
        "chain",
    ),
    "product of elementwise": (
        lambda: rules.hadamard_product_rule(y, Diagonal(jnp.asarray(z)), z, EYE),
        "sum",
    ),
    "yᵀ x": (
        lambda: rules.inner_product_rule(y, Identity((Q,), np.float32), z, EYE),
        "rank 1",
    ),
    "scalar times x": (
        lambda: rules.scalar_product_rule(scalar, given((), (Q,)), z, Identity((Q,), np.float32)),
        "diagonal + rank 1",
    ),
    "x to a power": (lambda: rules.power_rule(y, Identity((Q,), np.float32), 3), "diagonal"),
    "x over a sum": (
        lambda: rules.quotient_rule(y, Identity((Q,), np.float32), scalar, given((), (Q,))),
        "diagonal - rank 1",
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure_is_kept(name):
    rule, structure = STRUCTURES[name]
    assert rule().structure == structure


def test_the_notes_softmax_derivation_ends_in_its_structure():
    e = jnp.exp(jnp.asarray(y))
    de = rules.power_rule(e, Diagonal(e), 1)
    dn = rules.inner_product_rule(jnp.ones(Q), 0 * de, e, de)
    d_inverse = rules.power_rule(e.sum(), dn, -1)
    J = rules.scalar_product_rule(1 / e.sum(), d_inverse, e, de)
    s = e / e.sum()
    assert J.structure == "diagonal + rank 1"
    np.testing.assert_allclose(J.todense(), np.diag(s) - np.outer(s, s), atol=1e-6)


def test_rules_on_operators_under_transformations():
    derivatives = Diagonal(jnp.asarray(numbers(2, Q)))

    @jax.jit
    @jax.vmap
    def product(J):
        return rules.chain_rule(J, softmax_like(Q)).todense()

    expected = [rules.chain_rule(np.diag(d), softmax_like(Q).todense()) for d in numbers(2, Q)]
    np.testing.assert_allclose(product(derivatives), expected, rtol=1e-5)


def test_chains_of_operators_are_not_multiplied_out():
    J = rules.chain_rule(given((Q,), (P,)), given((S,), (Q,)), given((R,), (S,)))
    assert isinstance(J, Chain)
    assert [f.shape for f in J.factors] == [(R, S), (S, Q), (Q, P)]


REFUSALS = {
    r"`inner_product_rule` .* `dy` must have shape \(3, p\), but got \(4, 3\); these shapes fit "
    "layout='denominator'": lambda: rules.inner_product_rule(
        y, given((P,), (Q,)), z, given((P,), (Q,))
    ),
    r"`chain_rule` .* after \(3, 4\) must come \(t, 3\), but got \(5, 2\)": lambda: (
        rules.chain_rule(given((Q,), (P,)), given((S,), (M,)))
    ),
    r"`sum_rule` .* got \(3, 4\) and \(4, 3\); one of them seems": lambda: rules.sum_rule(
        given((Q,), (P,)), given((P,), (Q,))
    ),
    r"`power_rule` needs `dy` between the spaces of its values, but `y` has shape \(\) and `dy` "
    r"has \(1,\)": lambda: rules.power_rule(scalar, given((1,), (P,)), 2),
}


@pytest.mark.parametrize("words", REFUSALS, ids=range(len(REFUSALS)))
def test_refusals_say_what_would_fit(words):
    with pytest.raises(ValueError, match=words):
        REFUSALS[words]()


def test_values_are_not_operators():
    with pytest.raises(TypeError, match=r"`y` must be an array, .*Diagonal.*go to `dy`"):
        rules.power_rule(Diagonal(jnp.asarray(y)), Diagonal(jnp.asarray(y)), 2)
