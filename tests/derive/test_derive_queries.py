"""What is asked of a derivative: queries, algebra, the size of what is made, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import BY_NAME, A, derived, layer_norm, numbers, plain_softmax
from functions import assert_close, quick_jit

import jaxcalc as jc
from jaxcalc import operators as ops

UNITS = 64

SQUARE = [
    "sin",
    "softmax",
    "layer norm",
    "softmax of columns",
    "burgers",
    "residual",
    "scan",
    "inverse",
]


def test_queries():
    """Of the derivative as of its dense form."""
    shift, cases = 3.5, [BY_NAME[name] for name in SQUARE]

    @quick_jit
    def computed(xs, vs):
        def one(f, x, v):
            J = jc.derive(f)(x)
            queries = J.diagonal(), J.trace(), J.frobenius_norm(), J.quadratic(v)
            return J.matrix(), queries, J.solve(v, shift), J.slogdet()

        return [one(case.f, x, v) for case, x, v in zip(cases, xs, vs, strict=True)]

    vs = [numbers(2, *case.shape)[1] for case in cases]
    results = computed([case.x for case in cases], vs)
    for case, v, (M, queries, solution, (sign, logarithm)) in zip(cases, vs, results, strict=True):
        M, flat = np.asarray(M, np.float64), v.astype(np.float64).ravel()
        truths = np.diag(M).reshape(v.shape), np.trace(M), np.linalg.norm(M), flat @ M @ flat
        assert_close(queries, truths, UNITS, case.name)
        shifted = np.linalg.solve(M + shift * np.eye(v.size), flat)
        assert_close(solution, shifted.reshape(v.shape), 1024, case.name)
        if np.linalg.cond(M) < 1e4:
            assert_close((sign, logarithm), tuple(np.linalg.slogdet(M)), 1024, case.name)
        else:
            assert (sign, logarithm) == (0, -np.inf)


@pytest.mark.slow
def test_the_pseudo_inverse_of_a_singular_derivative():
    J, v = derived(BY_NAME["softmax"]), numbers(4)
    inverse = np.linalg.pinv(np.asarray(J.todense(), np.float64), rcond=1e-5)
    assert_close(J.pinv() @ v, inverse @ v, 1024)


def test_derivatives_add_and_multiply():
    x = jnp.asarray(numbers(4))
    J, K = jc.derive(jc.softmax)(jnp.tanh(x)), jc.derive(jnp.tanh)(x)
    results = [J @ K, J + K, J - K, 2 * J, -J, J / 2, J.T]
    dense = quick_jit(lambda results: [J.todense() for J in results])(results)
    S, D = np.asarray(J.todense()), np.asarray(K.todense())
    truths = [S @ D, S + D, S - D, 2 * S, -S, S / 2, S.T]
    assert_close(dense, truths)
    assert (J + K).structure == "diagonal - rank 1"


def test_one_block_at_a_time():
    J = derived(BY_NAME["softmax of rows"])
    assert isinstance(J.operator, ops.BlockDiagonal)
    s = np.asarray(jc.softmax(BY_NAME["softmax of rows"].x))
    assert_close(J.blocks(), np.stack([np.diag(row) - np.outer(row, row) for row in s]))


def test_cost_is_that_of_the_structure():
    softmax, dense = (jc.derive(f)(jnp.ones(1000)).cost() for f in (jc.softmax, jnp.cumsum))
    assert softmax.bytes <= 16_000 < 4_000_000 == softmax.dense_bytes
    assert softmax.flops <= 10_000 < 2_000_000 == softmax.dense_flops
    assert dense.dense_bytes == softmax.dense_bytes


# --- size ---


def equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def largest(f, *args):
    jaxpr = jax.make_jaxpr(f)(*args).jaxpr
    return max(v.aval.size for e in equations(jaxpr) for v in e.outvars)


LARGE = {
    "softmax": jc.softmax,
    "jax.nn.softmax": jax.nn.softmax,
    "plain softmax": plain_softmax,
    "log_softmax": jc.log_softmax,
    "layer norm": layer_norm,
    "silu": jax.nn.silu,
    "gradient of cross entropy": jax.grad(lambda x: jc.softmax_cross_entropy(x, 1)),
}
QUERIES = {
    "J @ v": lambda J, v: J @ v,
    "v @ J": lambda J, v: v @ J,
    "diagonal": lambda J, v: J.diagonal(),
    "trace": lambda J, v: J.trace(),
    "slogdet": lambda J, v: J.slogdet(),
    "shifted solve": lambda J, v: J.solve(v, shift=1.0),
    "norm": lambda J, v: J.frobenius_norm(),
}


@pytest.mark.parametrize("name", LARGE)
def test_nothing_is_squared(name):
    n, f = 10_000, LARGE[name]
    x = jax.ShapeDtypeStruct((n,), jnp.float32)
    for query in QUERIES.values():
        assert largest(lambda x, query=query: query(jc.derive(f)(x), x), x) <= 16 * n
    assert largest(lambda x: jc.derive(f)(x).todense(), x) >= n**2


def test_blocks_are_not_written_out():
    x = jax.ShapeDtypeStruct((50, 200), jnp.float32)
    for f in (jc.softmax, layer_norm, jax.vmap(lambda x: jnp.tanh(x[:3] @ A.T))):
        assert largest(lambda x, f=f: jc.derive(f)(x) @ x, x) <= 4 * 50 * 200


# --- errors ---

x3 = jnp.array([1.0, 2.0, 4.0])
REFUSED = {
    "not a function": (lambda: jc.derive(3), TypeError, r"`f` must be a function, but got int"),
    "layout": (
        lambda: jc.derive(jnp.sin, layout="rows"),
        ValueError,
        r"`layout` must be 'numerator' or 'denominator', but got 'rows'",
    ),
    "integers": (
        lambda: jc.derive(jnp.sin)(jnp.arange(3)),
        TypeError,
        r"argument 0 must be real and floating .* dtype int32; cast it .* out of `argnums`",
    ),
    "complex": (
        lambda: jc.derive(jnp.sin)({"z": 1j}),
        TypeError,
        r"argument 0\['z'\] must be real and floating .* complex64; take its real and imaginary",
    ),
    "integer output": (
        lambda: jc.derive(jnp.argmax)(x3),
        TypeError,
        r"the output of `f` must be real and floating .* dtype int32; cast it",
    ),
    "no output": (
        lambda: jc.derive(lambda x: None)(x3),
        TypeError,
        r"the output of `f` must hold an array to differentiate, but got None",
    ),
    "argnums beyond": (
        lambda: jc.derive(jnp.sin, 1)(x3),
        ValueError,
        r"`argnums` must name some of the 1 positional arguments, but got \(1,\); pass",
    ),
    "argnums by keyword": (
        lambda: jc.derive(jnp.sin)(x=x3),
        ValueError,
        r"`argnums` must name some of the 0 positional arguments",
    ),
    "argnums twice": (
        lambda: jc.derive(jnp.add, (0, -2))(x3, x3),
        ValueError,
        r"`argnums` must not name an argument twice, but got \(0, -2\)",
    ),
    "argnums of letters": (
        lambda: jc.derive(jnp.sin, "x")(x3),
        TypeError,
        r"`argnums` must be an int or a tuple of ints, but got \('x',\)",
    ),
    "singular": (
        lambda: jc.derive(jc.softmax)(x3).solve(x3),
        np.linalg.LinAlgError,
        r"`J` is singular .*diagonal - rank 1.*`J.pinv\(\) @ b`.*`J.solve\(b, shift=...\)`",
    ),
    "J @ v": (
        lambda: jc.derive(lambda x: A @ x)(x3) @ jnp.ones(4),
        ValueError,
        r"`J @ v` needs `v` of shape \(3,\).*but got \(4,\); `v @ J` takes shape \(4,\)",
    ),
    "v @ J": (
        lambda: x3 @ jc.derive(lambda x: A @ x)(x3),
        ValueError,
        r"`v @ J` needs `v` of shape \(4,\).*but got \(3,\); `J @ v` takes shape \(3,\)",
    ),
    "diagonal": (
        lambda: jc.derive(lambda x: A @ x)(x3).diagonal(),
        ValueError,
        r"`diagonal` needs equal domain and codomain, but got domain \(3,\) and codomain \(4,\)",
    ),
    "quadratic": (
        lambda: jc.derive(jc.softmax)(x3).quadratic(jnp.ones(4)),
        ValueError,
        r"`v` must have shape \(3,\), but got \(4,\)",
    ),
    "blocks": (
        lambda: jc.derive(jc.softmax)(x3).blocks(),
        ValueError,
        r"`blocks` needs a block diagonal derivative, but this one is diagonal - rank 1; `todense`",
    ),
    "array added": (
        lambda: jc.derive(jc.softmax)(x3) + jnp.eye(3),
        TypeError,
        r"an operator adds to another operator, but got .*`J.todense\(\)`",
    ),
    "layouts mixed": (
        lambda: (lambda J: J + J.T)(jc.derive(lambda x: A @ x)(x3)),
        ValueError,
        r"`a \+ b` needs equal spaces.*in the other layout, so transpose it with `.T`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_what_was_wanted(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        attempt()


def test_a_singular_derivative_solves_to_nan_under_jit():
    J = jc.derive(jc.softmax)(x3)
    assert np.isnan(jax.jit(lambda J, x: J.solve(x))(J, x3)).all()
    assert tuple(J.slogdet()) == (0, -np.inf)
