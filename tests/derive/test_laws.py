"""Laws of `derive` over random programs, and the smallest programs that once broke one.

`python tests/data/laws.py 0 3000`, with `tests/data` in the path, looks at as many as one likes.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close
from jax import lax
from jax.experimental.ode import odeint
from laws import CHEAP, DEAR, TOGETHER, judged
from programs import OPERATIONS, program

import jaxcalc as jc

MOST_WILD = 0.2  # of the programs


def check(numbers, *laws):
    found = judged([program(number) for number in numbers], *laws)
    tame = [one for one in found if one.is_tame]
    assert len(tame) >= (1 - MOST_WILD) * len(found)
    assert not [one for one in tame if one.faults], "\n\n".join(str(one) for one in tame)


def batch(index):
    return range(TOGETHER * index, TOGETHER * (index + 1))


def test_laws(x64):
    check(batch(0), *CHEAP)


def test_laws_under_transformations(x64):
    check(batch(0)[:5], *DEAR)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(1, 17))
def test_laws_of_many(index, x64):
    check(batch(index), *CHEAP, *DEAR)


def test_programs_are_the_same_in_every_run(x64):
    assert str(program(3)) == str(program(3))
    assert str(program(3)) != str(program(4))
    assert len(OPERATIONS) > 60


@pytest.mark.slow
def test_every_operation_occurs(x64):
    missing = {*OPERATIONS}
    for number in range(2000):
        missing -= {*program(number).operations}
        if not missing:
            return
    raise AssertionError(missing)


# --- identity: what prints alike may be two things ---


def numbers(*shape):
    return np.random.default_rng([9, *shape]).uniform(0.3, 1.3, shape)


def agrees(f, x):
    """The derivative by each leaf, which is that of autodiff and whose formula is 0 if it is."""
    Js = jax.tree.leaves(jc.derive(f)(x), is_leaf=lambda J: isinstance(J, jc.Derivative))
    for J, truth in zip(Js, jax.tree.leaves(jax.jacrev(f)(x)), strict=True):
        assert_close(J.tensor(), truth)
        assert (J.formula == "0") == (J.structure == "zero") == (not np.any(truth))
    return Js


def computed(J, **arrays):
    """What the code gives of the arrays."""
    scope = {}
    exec(J.code, scope)
    derivative = scope["derivative"]
    return derivative(*(arrays[name] for name in inspect.signature(derivative).parameters))


def test_leaves_whose_names_print_alike_are_two_arrays(x64):
    w1, w2 = numbers(2, 3)
    p = {"a_b": jnp.asarray(2.0), "a": {"b": jnp.asarray(-3.0)}, "z": jnp.asarray(numbers(3))}

    def f(p):
        return p["a_b"] * (w1 @ p["z"]) + p["a"]["b"] * (w2 @ p["z"])

    *_, J = agrees(f, p)
    np.testing.assert_allclose(J.todense()[0], 2.0 * w1 - 3.0 * w2)
    got = computed(J, w1=w1, w2=w2, p_a_b=p["a"]["b"], p_a_b_2=p["a_b"])
    np.testing.assert_allclose(got, J.todense())


def test_keys_that_differ_in_signs_are_two_arrays(x64):
    q = {"w 1": jnp.asarray(numbers(3)), "w-1": jnp.asarray(-numbers(3))}
    first, second = agrees(lambda q: q["w 1"] * q["w-1"] ** 2, q)
    assert first.formula == "diag(q_w_1_2²)"
    assert second.formula == "2 diag(q_w_1_2 ⊙ q_w_1)"


def test_constants_of_inner_programs_are_told_apart(x64):
    one, other = map(jnp.asarray, numbers(2, 70))

    def of(a):
        return lambda x: jax.vmap(jax.jit(lambda s: s * a))(x).sum(0)

    def f(x):
        return of(one)(x) - of(other)(x)

    (J,) = agrees(f, numbers(4))
    assert J.structure == "rank 1"
    assert jax.tree.structure(J) == jax.tree.structure(jc.derive(f)(numbers(4)))
    (J,) = agrees(lambda x: of(one)(x) - of(one)(x), numbers(4))
    assert J.structure == "zero"


k1, k2 = map(jnp.asarray, np.random.default_rng(1).standard_normal((2, 2)))
S1, S2 = (jnp.asarray(3 * np.eye(3) + numbers(3, 3, seed)[..., 0]) for seed in (1, 2))
UNLIKE = {
    "cumsum": (lambda x: lax.cumsum(x), lambda x: lax.cumsum(x, reverse=True)),
    "convolve": (lambda x: jnp.convolve(x, k1), lambda x: jnp.convolve(x, k2)),
    "solve": (lambda x: jnp.linalg.solve(S1, x), lambda x: jnp.linalg.solve(S2, x)),
    "scan": (
        lambda x: lax.scan(lambda c, r: (c, 2 * r), 0, x)[1],
        lambda x: lax.scan(lambda c, r: (c, 3 * r), 0, x)[1],
    ),
    "cond": (
        lambda x: lax.cond(k1[0] > 0, lambda x: 2 * x, lambda x: 3 * x, x),
        lambda x: lax.cond(k2[0] > 0, lambda x: 5 * x, lambda x: 7 * x, x),
    ),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_maps_by_one_primitive_do_not_cancel(name):
    f, g = UNLIKE[name]
    x = jnp.asarray(numbers(3), jnp.float32)
    (J,) = agrees(lambda x: f(x) - g(x), x)
    assert J.formula != "0"
    again = jc.derive(lambda x: f(x) - g(x))(x)
    assert again.formula == J.formula
    (J,) = agrees(lambda x: f(x) + f(x), x)
    assert "₂" not in J.formula or name in ("scan", "cond")  # whose programs are traced twice


# --- code ---


@pytest.mark.slow
def test_code_of_a_determinant_where_the_matrix_is_singular(x64):
    X = jnp.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    for f in (jnp.linalg.det, lambda X: jnp.linalg.det(X) * X[0] ** 2):
        J = jc.derive(lambda X, f=f: f(X))(X)
        np.testing.assert_allclose(computed(J, X=X), J.todense(), atol=1e-12)
    assert jc.derive(lambda X: jnp.linalg.det(X))(X).formula == "det(X) X⁻¹"
    J = jc.derive(lambda X: jnp.linalg.det(X))(jnp.stack([X, X + jnp.eye(3)]))
    np.testing.assert_allclose(computed(J, X=J.arrays["X"]), J.todense(), atol=1e-12)


m1, m2 = np.array([True, False, True]), np.array([True, True, False])
MASKED = {
    "sum": lambda x: jnp.sum(jnp.where(m1, x, 0)) + jnp.sum(jnp.where(m2, x, 0)),
    "product": lambda x: (1 + jnp.asarray(m1, x.dtype) @ jnp.asarray(m2, x.dtype)) * x,
    "one": lambda x: jnp.where(m1, x, 0),
    "both": lambda x: jnp.where(jnp.asarray(m1) & m2, x, 0),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", MASKED)
def test_code_of_masks_has_the_dtype_of_the_derivative(name, dtype):
    J = jc.derive(MASKED[name])(jnp.asarray(numbers(3), dtype))
    as_numbers = {"A": jnp.asarray(m1, dtype), "B": jnp.asarray(m2, dtype)}
    masks = {} if name == "product" else {"m1": jnp.asarray(m1), "m2": jnp.asarray(m2)}
    got = computed(J, **masks, **as_numbers)
    assert got.dtype == J.todense().dtype
    assert_close(got, np.asarray(J.todense(), np.float64))


@pytest.mark.slow
def test_code_of_places_that_depend_on_values(x64):
    x, p = jnp.asarray(numbers(3)), jnp.array([2, 0])
    J = jc.derive(lambda x: jnp.sort(x.at[p].set(0.7)))(x)
    assert_close(computed(J, x=x, p=p), J.todense())
    x = jnp.asarray(numbers(2, 3, 2))
    J = jc.derive(lambda x: jnp.sin(jnp.sort(x)))(x)
    assert_close(computed(J, x=x), J.todense())


@pytest.mark.slow
def test_code_of_a_row_that_is_masked_altogether(x64):
    x, N = jnp.asarray(numbers(2, 3)), jnp.array([[True, False, True], [False, False, False]])
    J = jc.derive(lambda x: jc.softmax(x, where=N) ** 2)(x)
    assert_close(computed(J, x=x, N=N), J.todense())


def test_code_of_functions_of_numbers(x64):
    x = jnp.asarray(numbers(3) / 2)
    J = jc.derive(lambda x: jax.scipy.special.betainc(2.0, 3.0, x))(x)
    assert_close(computed(J, x=x), J.todense())


@pytest.mark.slow
def test_an_entry_that_is_repeated_is_read_as_often(x64):
    x = jnp.asarray(numbers(4))
    J = jc.derive(lambda x: jnp.pad(x, (1, 2), mode="edge") ** 2)(x)
    assert "x[0, 0, 1, 2, 3, 3, 3]" in J.formula
    assert_close(computed(J, x=x), J.todense())


# --- names ---


@pytest.mark.slow
def test_the_results_of_a_function_have_names_of_their_own(x64):
    x = numbers(4)

    def halves(x):
        first, second = jnp.split(x, 2)
        return first * second

    (J,) = agrees(halves, x)
    assert J.formula == "diag(x[2:]) I[:2] + diag(x[:2]) I[2:]"
    assert_close(computed(J, x=x), J.todense())
    (J,) = agrees(lambda X: jnp.linalg.eigvalsh(X + X.T), numbers(3, 3))
    assert "eigh(X + Xᵀ)[0]" in J.formula
    assert "eigh(X + Xᵀ)[1]" not in J.formula


def test_loops_have_names_of_their_own(x64):
    def loop(factor):
        return lambda x: lax.fori_loop(0, 2, lambda i, c: jnp.sin(factor * c), x)

    (J,) = agrees(lambda x: loop(2.0)(x) * loop(3.0)(x), numbers(3))
    assert "scan(" in J.formula
    assert "scan₂(" in J.formula


def test_an_array_by_the_name_of_a_sign_gets_another(x64):
    I = numbers(3, 3)  # noqa: E741
    (J,) = agrees(lambda x: I @ x + x, numbers(3))
    assert J.formula == "A + I"


# --- numbers that Python looks at ---

b = jnp.array([1.0, -1.0, 1.0])
CONCRETE = {
    "mask": lambda x: x[b > 0],
    "places": lambda x: x[jnp.nonzero(b > 0)],
    "NumPy": lambda x: x * np.asarray(jnp.arange(3, dtype=x.dtype)),
    "integer": lambda x: x[: int(jnp.argmax(jnp.arange(3)))],
    "truth": lambda x: 2 * x if bool(jnp.any(b > 0)) else x,
    "of x": lambda x: x[x > 0.7] ** 2,
    "odeint": lambda x: odeint(lambda y, t: -y * b, x, jnp.linspace(0.0, 1.0, 3))[-1],
}


@pytest.mark.parametrize("name", CONCRETE)
def test_constants_stay_concrete(name):
    agrees(CONCRETE[name], jnp.asarray(numbers(3), jnp.float32))


@pytest.mark.slow
def test_an_entry_outside_is_a_row_of_zeros(x64):
    """Whatever is filled in for it."""
    x, p = jnp.asarray(numbers(3, 2)), jnp.array([2, 3, 0])
    for f in (
        lambda x: x.at[p].get(mode="fill", fill_value=7.0),
        lambda x: x.at[p].get(mode="fill", fill_value=7.0) ** 2,
    ):
        (J,) = agrees(f, x)
        assert_close(computed(J, **J.arrays), J.todense())
