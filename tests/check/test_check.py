"""`check`: wrong derivations get their diagnosis, right ones are right, bad input is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from check_programs import faults
from derivations import WRONG, A, b, diag, x
from derivatives import CASES as DERIVATIVES
from identities import IDENTITIES
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from slow import some

import jaxcalc as jc

CASES = [(diagnosis, name) for diagnosis, rows in WRONG.items() for name in rows]


def test_there_are_eighty_of_them():
    assert len(CASES) >= 80


@pytest.mark.parametrize(("diagnosis", "name"), CASES, ids=[": ".join(case) for case in CASES])
def test_a_wrong_derivation_gets_its_diagnosis(diagnosis, name, x64):
    wrong = WRONG[diagnosis][name]
    report = jc.check(wrong.f, wrong.claim, wrong.point, layout=wrong.layout)
    assert not report
    words = [str(finding) for finding in report.diagnoses] + list(report.details)
    assert any(diagnosis in text for text in words), str(report)
    assert all(f.residual is None or f.residual < 1e-5 for f in report.diagnoses)
    with pytest.raises(AssertionError) as error:
        jc.assert_derivative(wrong.f, wrong.claim, wrong.point, layout=wrong.layout)
    assert str(error.value) == str(report)


@pytest.mark.parametrize(
    "identity", some(IDENTITIES, IDENTITIES[::6]), ids=lambda i: f"{i.kind}: {i.name}"
)
def test_a_right_derivation_is_right(identity, x64):
    """The identities' hand-made derivatives, in the layout in which they are written."""
    arguments = identity.arguments()
    report = jc.check(identity.f, identity.formula, *arguments, layout=identity.written)
    assert report, str(report)
    assert str(report).startswith("right: ∂f/∂x in ")


@pytest.mark.parametrize("case", DERIVATIVES[::8], ids=str)
def test_derivatives_and_operators_are_claims(case):
    J = jc.derive(case.f)(case.x)
    report = jc.check(case.f, J, case.x)
    assert report, str(report)


def test_a_report_in_a_terminal_and_in_a_notebook():
    report = jc.check(lambda x: jnp.tanh(A @ x), lambda x: diag(1 - jnp.tanh(A @ x) ** 2), x)
    assert str(report).splitlines() == [
        "wrong: not ∂f/∂x in numerator layout",
        *[line for line in str(report).splitlines() if line.startswith("  worst entry [")],
        *[line for line in str(report).splitlines() if "multiply by A from the right" in line],
        "  the derivative: diag(1 − tanh(A x)²) A",
    ]
    assert report.formula == "diag(1 − tanh(A x)²) A"
    html = report._repr_html_()
    assert html.startswith("<b>wrong: not ∂f/∂x")
    assert html.count("<li>") == 3


@pytest.mark.slow
def test_what_cannot_be_told_is_said():
    assert "layout cannot be told" in str(jc.check(jc.softmax, jc.softmax_jacobian, x))


def test_a_kink_is_no_fault():
    """Between the derivatives from the left and from the right; elsewhere it must be right."""
    point = jnp.asarray([0.0, 1.0])
    for at_kink in (-1.0, 0.0, 1.0):
        report = jc.check(jnp.abs, jnp.diag(jnp.asarray([at_kink, 1.0])), point)
        assert report, str(report)
        assert "f has a kink at x[0]" in str(report)
    assert not jc.check(jnp.abs, jnp.diag(jnp.asarray([3.0, 1.0])), point)
    assert not jc.check(jnp.abs, jnp.diag(jnp.asarray([1.0, -1.0])), point)


def test_right_at_one_point_alone_is_wrong():
    """Further points are asked."""
    assert not jc.check(lambda x: x**2, lambda x: 2 * jnp.eye(4), jnp.ones(4))
    assert jc.check(lambda x: x**2, 2 * jnp.eye(4), jnp.ones(4))


def test_a_rule_of_the_function_itself_that_is_wrong():
    @jax.custom_jvp
    def square(x):
        return x * x

    square.defjvp(lambda primals, tangents: (primals[0] ** 2, primals[0] * tangents[0]))
    report = jc.check(square, lambda x: diag(x), jnp.asarray([0.5, 2.0]))
    assert not report
    assert "a rule of f may be wrong" in str(report)


def test_a_mode_that_is_missing_is_no_fault():
    """Whatever words JAX has for it."""

    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g,))
    report = jc.check(square, lambda x: 2 * diag(x), jnp.asarray([0.5, 2.0]))
    assert report, str(report)
    assert "f has no forward mode" in str(report)


@pytest.mark.slow
def test_what_rounding_leaves_of_a_zero_is_no_fault(x64):
    """Reverse mode has 0 where forward mode has what is left of 0.1 + 0.2 − 0.1 − 0.2."""
    a, b, x = (jnp.array(v) for v in ([0.1, 0.3, 0.7], [0.2, 0.1, 0.1], [1.1, 2.3, -0.7]))

    @jax.jit
    def f(x):
        return (a + b) * x - a * x - b * x

    assert jnp.any(jax.jacrev(f)(x) != jax.jacfwd(f)(x))
    for claim in (jax.jacfwd(f), jax.jacrev(f), jnp.zeros((3, 3))):
        report = jc.check(f, claim, x)
        assert report, str(report)
    assert not jc.check(f, 1e-9 * jnp.eye(3), x)


def test_modes_that_differ_are_a_fault():
    """Of a linear map with the transpose of another."""
    twice = Primitive("twice")
    twice.def_abstract_eval(lambda x: x)
    mlir.register_lowering(twice, mlir.lower_fun(lambda x: 2 * x, multiple_results=False))
    ad.deflinear2(twice, lambda g, x: (3 * g,))
    batching.primitive_batchers[twice] = lambda args, axes: (twice.bind(*args), axes[0])
    report = jc.check(jax.jit(twice.bind), 2 * jnp.eye(2), jnp.asarray([0.5, 2.0]))
    assert not report
    assert "forward and reverse mode of f differ" in str(report)


def test_a_derivative_that_is_nan_itself():
    def f(x):
        return jnp.sqrt(x - 1)

    point = jnp.asarray([0.5, 2.0])
    report = jc.check(f, jnp.eye(2), point)
    assert (
        "1 of 4 entries of the derivative itself are NaN or infinite, the first at [0, 0]"
        in str(report)
    )
    report = jc.check(f, jnp.diag(jnp.asarray([jnp.nan, 0.5])), point)
    assert report
    assert "to 0.0e+00\n  note: 1 of 4 entries of the derivative are NaN or infinite" in str(report)
    assert not jc.check(lambda x: x * jnp.nan, jnp.eye(2), point)
    assert not jc.check(lambda x: f(x) + x**2, jnp.eye(2), point)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tolerances_follow_the_dtype(dtype):
    point = jnp.asarray([0.5, -1.25, 2.0], dtype)
    assert jc.check(jnp.tanh, jnp.diag(1 - jnp.tanh(point) ** 2), point)
    assert not jc.check(jnp.tanh, jnp.diag(1 - jnp.tanh(point) ** 2) * 1.5, point)
    close = jnp.diag(1 - jnp.tanh(point.astype("float32")) ** 2) * 1.01
    assert not jc.check(jnp.tanh, close, point)
    assert jc.check(jnp.tanh, close, point, rtol=0.1)
    assert jc.check(jnp.tanh, close, point, atol=0.1)


SINGLE = jnp.asarray(np.random.default_rng(5).normal(size=(4, 4)), "float32")
ROUNDED = {  # f, a right claim: with sums and products of captured arrays, which float32 rounds
    "a sum": (lambda x: x @ SINGLE @ x, lambda x: ((SINGLE + SINGLE.T) @ x)[None]),
    "a product": (
        lambda x: jnp.sum((SINGLE @ x) ** 2),
        lambda x: 2 * (SINGLE.T @ SINGLE @ x)[None],
    ),
    "a product in f": (lambda x: (SINGLE @ SINGLE) @ x, lambda x: SINGLE @ (SINGLE @ jnp.eye(4))),
    "in a loop": (
        lambda x: (SINGLE @ SINGLE) @ x,
        lambda x: jnp.stack([jnp.stack([row @ column for column in SINGLE.T]) for row in SINGLE]),
    ),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_captured_arrays_of_float32_round_what_is_made_of_them(name):
    f, claim = ROUNDED[name]
    for point in (x.astype("float32"), np.asarray(x, np.float64)):
        report = jc.check(f, claim, point)
        assert report, str(report)
        assert not jc.check(f, lambda x: 1.0001 * claim(x), point)


def test_numpy_is_believed_to_compute_in_the_dtype_of_the_point():
    plain = np.asarray(SINGLE)
    report = jc.check(
        lambda x: x @ SINGLE @ x, lambda x: np.asarray(x)[None] @ (plain + plain.T), jnp.float32(x)
    )
    assert report, str(report)


@pytest.mark.slow
def test_a_loop_that_starts_with_a_captured_array():
    """A float32 h₀ does not take doubles: f is checked in its own dtype."""
    start = jnp.zeros(4, "float32")

    def f(x):
        return jax.lax.scan(lambda h, r: (jnp.tanh(SINGLE @ h + r), None), start, x)[0]

    point = jnp.ones((2, 4), "float32") / 3
    for claim in (jax.jacfwd(f), jax.jacrev(f)(point)):
        report = jc.check(f, claim, point)
        assert report, str(report)
    assert not jc.check(f, lambda x: 1.001 * jax.jacfwd(f)(x), point)


def test_float32_inside_of_a_function_of_doubles(x64):
    """Differences of small steps would be rounding alone."""

    def f(x):
        return jnp.tanh(x.astype("float32")) * jnp.ones(4)

    assert jc.check(f, jax.jacfwd(f), x)
    assert not jc.check(f, lambda x: 1.01 * jax.jacfwd(f)(x), x)


def test_exact_moves_of_float32_do_not_loosen():
    """Aᵀ of float32 is exact: what is made of it and doubles is compared as doubles."""

    def claim(x):
        return (SINGLE @ x + SINGLE.T @ x)[None]

    assert jc.check(lambda x: x @ SINGLE @ x, claim, x)
    assert not jc.check(lambda x: x @ SINGLE @ x, lambda x: claim(x) * (1 + 1e-9), x)


REFUSED = {
    "not a function": (lambda: jc.check(3, A, x), TypeError, "`f` must be a function"),
    "a tree": (
        lambda: jc.check(lambda d: d["x"], A, {"x": x}),
        TypeError,
        "argument 0 must be one array, but got dict",
    ),
    "integers": (
        lambda: jc.check(jnp.sin, A, jnp.arange(3)),
        TypeError,
        "argument 0 must be real and floating",
    ),
    "several results": (
        lambda: jc.check(lambda x: (x, x), A, x),
        TypeError,
        "`f` must return one array",
    ),
    "no point": (
        lambda: jc.check(jnp.sin, jnp.cos),
        TypeError,
        "`args`, the point at which to check, must be given, but got none; pass the arguments",
    ),
    "rtol": (
        lambda: jc.check(jnp.sin, A, x, rtol="1e-3"),
        TypeError,
        "`rtol` must be a Python number, but got str",
    ),
    "atol": (
        lambda: jc.check(jnp.sin, A, x, atol=-1.0),
        ValueError,
        "`atol` must be finite and at least 0, but got -1.0",
    ),
    "layout of an array": (
        lambda: jc.check(jnp.sin, A, x, layout=np.ones(2)),
        ValueError,
        r"`layout` must be 'numerator' or 'denominator', but got array\(\[1",
    ),
    "argnums": (lambda: jc.check(jnp.sin, A, x, argnums=1), ValueError, "`argnums` must name"),
    "layout": (lambda: jc.check(jnp.sin, A, x, layout="row"), ValueError, "`layout` must be"),
    "complex claim": (
        lambda: jc.check(jnp.sin, jnp.eye(4, dtype="complex64"), x),
        TypeError,
        "`df` must give a real array or an operator",
    ),
    "large": (
        lambda: jc.check(jnp.sin, A, jnp.ones(3000)),
        ValueError,
        "3000 × 3000 entries, more than",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        attempt()


@pytest.mark.parametrize(
    "f",
    [lambda x: x**2 if x[0] > 0 else -x, lambda x: x[x > 0] ** 2, lambda x: x[: int(x[1] > 0)]],
    ids=["if x[0] > 0", "x[x > 0]", "x[: int(x[1] > 0)]"],
)
def test_functions_that_look_at_their_numbers(f):
    """Of f and of the claim: there is no program of it, yet a derivative."""
    point = jnp.asarray([0.5, 2.0])
    report = jc.check(f, jax.jacfwd(f), point)
    assert report, str(report)
    assert not jc.check(f, lambda x: 1.5 * jax.jacfwd(f)(x), point)
    assert jc.check(jnp.sin, lambda x: np.diag(np.cos(np.asarray(x))), point)


def test_by_another_argument():
    report = jc.check(lambda A, x: A @ x, lambda A, x: A, A, x, argnums=1)
    assert report, str(report)
    assert not jc.check(lambda A, x: A @ x, lambda A, x: A.T, A, x, argnums=-1)


def test_it_does_not_matter_whether_doubles_are_on():
    assert jc.check(lambda x: b[:3] * x, lambda x: diag(b[:3]), jnp.ones(3, np.float32))


@pytest.mark.slow
def test_many_terms_are_not_multiplied_out():
    """A product of n sums has 2ⁿ terms."""

    def f(x):
        for _ in range(9):
            x = x * (2 + jnp.tanh(A @ x)) / 2
        return x

    report = jc.check(f, lambda x: 1.5 * jax.jacfwd(f)(x), x)
    assert [finding.name for finding in report.diagnoses] == ["a constant factor"]


@pytest.mark.parametrize(
    "numbers",
    some([range(1), *(range(5 * k, 5 * k + 5) for k in range(3))], [range(1)]),
    ids=str,
)
def test_random_programs(numbers, x64):
    """Right derivatives are right, and those with one entry off, or with a factor, are wrong."""
    found = [text for number in numbers for text in faults(number)]
    assert not found, "\n\n".join(found)
