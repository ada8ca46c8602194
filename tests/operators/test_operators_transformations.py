"""Operators as pytrees: under jit, vmap, grad and scan, batched, and in every dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from operators import CLASSES, MAKERS, by_name, matrix, shapes
from slow import some

import jaxcalc as jc
from jaxcalc import operators as ops

every = pytest.mark.parametrize("maker", MAKERS, ids=str)
one_a_class = pytest.mark.parametrize("maker", CLASSES, ids=str)


def numbers(*shape, dtype=np.float32):
    return jnp.asarray(np.random.default_rng([7, *shape]).standard_normal(shape), dtype)


def close(got, expected, tolerance):
    wide, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert wide.shape == expected.shape
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(wide, expected, tolerance, tolerance * scale)


def floats(op):
    return [x for x in jax.tree.leaves(op) if jnp.issubdtype(x.dtype, jnp.floating)]


@every
def test_pytree_round_trip_keeps_all_and_checks_nothing(maker):
    op = maker(np.float32)
    leaves, structure = jax.tree.flatten(op)
    again = jax.tree.unflatten(structure, leaves)
    assert jax.tree.structure(again) == structure
    assert repr(again) == repr(op) == repr(shapes(maker))
    assert maker.structure in repr(op)
    assert (
        jax.tree.structure(jax.tree.unflatten(structure, ["anything"] * len(leaves))) == structure
    )
    paths = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(op)}
    assert len(paths) == len(leaves)


@one_a_class
def test_products_differentiate_as_the_dense_form_does(maker):
    op, v = maker(np.float32), numbers(*shapes(maker).domain)

    def by_product(op):
        return jnp.sum((op @ v) ** 2)

    def by_dense_form(op):
        return jnp.sum(jnp.tensordot(op.tensor(), v, v.ndim) ** 2)

    gradients = quick_jit(lambda op: [jax.grad(f)(op) for f in (by_product, by_dense_form)])(op)
    assert jax.tree.structure(gradients[0]) == jax.tree.structure(op)
    for product, dense in zip(floats(gradients[0]), floats(gradients[1]), strict=True):
        close(product, dense, 1e-4)


@pytest.mark.parametrize("maker", [m for m in CLASSES if jax.tree.leaves(shapes(m))], ids=str)
def test_batches(maker):
    op, v = maker(np.float32), numbers(2, *shapes(maker).domain)
    several = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), op)

    @quick_jit
    def computed(several, v):
        block = ops.batch(several)
        scanned = jax.lax.scan(lambda none, pair: (none, pair[0] @ pair[1]), None, (several, v))[1]
        return jax.vmap(lambda op, v: op @ v)(several, v), scanned, block @ v, block.T.T.tensor()

    mapped, *others, tensor = computed(several, v)
    singly = [jax.tree.map(lambda x, i=i: x[i], several) @ v[i] for i in range(2)]
    for products in (mapped, *others):
        close(products, np.stack(singly), 1e-4)
    close(np.tensordot(tensor, v, v.ndim), mapped, 1e-4)
    assert ops.batch(several).structure.startswith("block diagonal: ")


QUERIES = {
    "J @ v": lambda J, v: J @ v,
    "w @ J": lambda J, v: v @ J,
    "J + K": lambda J, v: J + J,
    "J - K": lambda J, v: J - J,
    "J @ K": lambda J, v: J @ J,
    "-J": lambda J, v: -J,
    "2 J": lambda J, v: 2 * J,
    "J / 2": lambda J, v: J / 2,
    "compose": lambda J, v: ops.compose(J, J),
    "add": lambda J, v: ops.add(J, J),
    "solve": lambda J, v: J.solve(v),
    "quadratic": lambda J, v: J.quadratic(v),
    "to_lineax": lambda J, v: ops.to_lineax(J),
} | {
    name: lambda J, v, name=name: getattr(J, name)()
    for name in (
        *("tensor", "todense", "matrix", "diagonal", "trace", "slogdet", "pinv"),
        *("frobenius_norm", "cost", "to_bcoo", "to_scipy"),
    )
}
OF_ONE = ("codomain", "domain", "shape", "T", "structure", "dtype")


@pytest.mark.parametrize("maker", [m for m in CLASSES if jax.tree.leaves(shapes(m))], ids=str)
def test_what_left_vmap_is_right_or_refused_by_name(maker):
    one = maker(np.float32)
    several = jax.vmap(lambda i: jax.tree.map(lambda x: x + i.astype(x.dtype), one))(jnp.arange(3))
    v = jnp.ones((3, *one.domain))
    for ask in QUERIES.values():
        with pytest.raises(ValueError, match=r"needs one operator, .*\(3,\).*`jc.batch\(J\)`"):
            ask(several, v)
    for name in OF_ONE:
        try:
            answer = getattr(several, name)
        except ValueError as error:
            answer = str(error)
        assert answer == getattr(one, name) or f"`J.{name}` needs one operator" in answer
    assert repr(several) == f"batch of 3: {one!r}"
    assert ops.batch(several).added_axes == one.added_axes == ()


@pytest.mark.parametrize("make", [jc.softmax_jacobian, jc.derive(jc.softmax)])
def test_a_derivative_that_left_vmap(make):
    x = numbers(2, 4)
    J = jax.vmap(make)(x)
    with pytest.raises(ValueError, match=r"`J.trace\(\)` needs one operator, .*`jc.batch\(J\)`"):
        J.trace()
    s = jax.nn.softmax(x)
    traces = jnp.sum(s * (1 - s), axis=-1)
    close(jax.vmap(lambda J: J.trace())(J), traces, 1e-6)
    close(jc.batch(J).trace(), jnp.sum(traces), 1e-6)
    if isinstance(J, jc.Derivative):
        assert J.formula == make(x[0]).formula
        assert repr(J) == f"batch of 2: {make(x[0])!r}"


def test_every_public_query_is_asked_of_one_operator():
    public = {name for name in vars(ops.LinearOperator) if not name.startswith("_")}
    other = {"mv", "mm", "added_axes", "tensor_is_split"}  # beneath `J @ v`; no queries
    assert public <= {*QUERIES, *OF_ONE, *other}


def test_of_several_vmaps_come_blocks_of_blocks():
    x = numbers(2, 3, 4)
    J = jax.vmap(jax.vmap(ops.Diagonal))(x)
    assert repr(J) == "batch of 2×3: Diagonal(diagonal, 4×4, float32)"
    K = ops.batch(J)
    assert repr(K) == "BlockDiagonal(block diagonal: diagonal, (2, 3, 4)×(2, 3, 4), float32)"
    close(K.trace(), jnp.sum(x), 1e-5)
    K = jax.vmap(lambda x: ops.batch(jax.vmap(ops.Diagonal)(x)))(x)
    with pytest.raises(ValueError, match=r"`J.trace\(\)` needs one .* \(2,\)"):
        K.trace()
    close(ops.batch(K).trace(), jnp.sum(x), 1e-5)


def test_blocks_written_down_are_the_blocks_that_left_vmap():
    """Of one structure, so that a `cond` may give either."""
    x = numbers(2, 3)
    written, mapped = ops.BlockDiagonal(ops.Diagonal(x), 2), ops.batch(jax.vmap(ops.Diagonal)(x))
    assert jax.tree.structure(written) == jax.tree.structure(mapped)
    assert jax.tree.structure(written) == jax.tree.structure(2 * written)


def _in_float64(x):
    return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


@pytest.mark.parametrize(
    "dtype", some([jnp.float16, jnp.bfloat16], [jnp.bfloat16]), ids=["float16", "bfloat16"]
)
@one_a_class
def test_narrow_dtypes_stay(maker, dtype):
    op = maker(dtype)
    v = numbers(*op.domain, dtype=dtype)
    with jax.enable_x64(True):
        wide = jax.tree.map(_in_float64, op)
        expected = matrix(wide) @ np.asarray(v, np.float64).ravel()
    product = op @ v
    assert product.dtype == op.dtype == (op.T @ product).dtype == (2 * op).dtype == dtype
    close(product, expected.reshape(op.codomain), 8 * float(jnp.finfo(dtype).eps))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "diagonal minus rank 2", "diagonal"])
def test_narrow_factorizations_are_computed_in_float32_and_rounded_once(name):
    op = by_name(name)(jnp.bfloat16)
    exact = jax.tree.map(lambda x: x.astype(jnp.float32), op)
    b = numbers(4, dtype=jnp.bfloat16)
    x, log_determinant = op.solve(b), op.slogdet()[1]
    assert x.dtype == log_determinant.dtype == jnp.bfloat16
    np.testing.assert_array_equal(x, exact.solve(b.astype(jnp.float32)).astype(jnp.bfloat16))
    close(log_determinant, exact.slogdet()[1], 2**-8)
    close(op.pinv().todense(), exact.pinv().todense(), 2**-7)


def test_a_batch_without_arrays_needs_its_size():
    flip = by_name("permutation")(np.float32)
    assert ops.batch(flip, size=3).domain == (3, 4)
    with pytest.raises(
        ValueError, match=r"`size` is required for Selection.*batch\(op, size=...\)"
    ):
        ops.batch(flip)
    with pytest.raises(ValueError, match=r"leading axis of length 5, but got .*\(4,\)"):
        ops.batch(by_name("diagonal")(np.float32), size=5)


def test_solving_the_blocks_one_singular_is_refused_or_nan():
    entries = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    J, b = ops.batch(ops.Diagonal(entries)), jnp.ones((2, 2))
    with pytest.raises(np.linalg.LinAlgError, match="block diagonal: diagonal"):
        J.solve(b)
    x = jax.jit(lambda J: J.solve(b))(J)
    np.testing.assert_array_equal(np.isnan(x), [[False, False], [False, True]])


def test_nan_in_is_nan_out():
    J = ops.Diagonal(jnp.array([1.0, jnp.nan]))
    np.testing.assert_array_equal(np.isnan(J.solve(jnp.ones(2))), [False, True])


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 100, 1000, 10_000, 1_000_000])
def test_softmax_is_known_to_be_singular_whatever_its_size(size):
    @jax.jit
    def softmax(x):
        """Its factors as a program leaves them: neither rounded alike nor of the same size."""
        e = jnp.exp(x - jnp.max(x))
        total = jnp.sum(e)
        return ops.DiagonalPlusLowRank(e / total, (e / total**2)[:, None], e[:, None], -1)

    slogdet = jax.jit(lambda J: J.slogdet())
    for scale in (0, 0.3, 3):
        J = softmax(scale * numbers(size))
        assert tuple(J.slogdet()) == tuple(slogdet(J)) == (0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError, match=r"J\.solve"):
        J.solve(J.entries)
    x = J.solve(J.entries, shift=0.5)
    close(J @ x + 0.5 * x, J.entries, 1e-6)


UNEVEN = 1e6  # of the columns of U beside those of V


@pytest.mark.slow
@pytest.mark.parametrize("small", [0, 1e-9, -1e-9])
@pytest.mark.parametrize("rank", [1, 2])
def test_small_entries_under_uneven_columns_lose_no_digits(rank, small):
    d = numbers(5).at[jnp.arange(rank)].set(small) * jnp.ones(5)
    U, V = UNEVEN * numbers(5, rank), numbers(5, rank + 1)[:, :rank] / UNEVEN
    J, b = ops.DiagonalPlusLowRank(d, U, V, -1), numbers(5, 1)[:, 0]
    M = np.asarray(jnp.diag(d), np.float64) - np.asarray(U, np.float64) @ np.asarray(V).T
    sign, logarithm = J.slogdet()
    assert sign == np.linalg.slogdet(M)[0]
    close(logarithm, np.linalg.slogdet(M)[1], 1e-5)
    close(J.solve(b), np.linalg.solve(M, b), 1e-4)

    def by_structure(d, U):
        J = ops.DiagonalPlusLowRank(d, U, V, -1)
        return J.slogdet()[1] + J.solve(b) @ b

    def by_dense_form(d, U):
        J = ops.Dense(jnp.diag(d) - jnp.matmul(U, V.T, precision="highest"), 1)
        return J.slogdet()[1] + J.solve(b) @ b

    got, expected = (jax.grad(f, (0, 1))(d, U) for f in (by_structure, by_dense_form))
    for one, other in zip(got, expected, strict=True):
        close(one, other, 1e-3)


@pytest.mark.parametrize(
    ("entries", "sign", "slope"),
    [
        ([2.0, 0.5, 3.0], 1, [0.5, 2, 1 / 3]),
        ([2.0, -0.5, 3.0], -1, [0.5, -2, 1 / 3]),
        ([-2.0, -0.5, 3.0], 1, [-0.5, -2, 1 / 3]),
        ([-2.0, 0.0, 3.0], 0, [0, 0, 0]),
        ([1.0, np.nan, 0.5], np.nan, [1, np.nan, 2]),
    ],
)
def test_the_determinant_of_a_diagonal_counts_signs(entries, sign, slope):
    d = jnp.array(entries)
    logarithm = np.log(np.abs(np.prod(entries))) if sign else -np.inf
    np.testing.assert_allclose(ops.Diagonal(d).slogdet(), (sign, logarithm), 1e-6)
    np.testing.assert_allclose(
        jax.vmap(lambda d: ops.Diagonal(d).slogdet()[1])(d[None]), [logarithm], 1e-6
    )
    got = jax.grad(lambda d: ops.Diagonal(d).slogdet()[1])(d)
    np.testing.assert_allclose(got, slope, 1e-6)


def test_a_million_entries_are_never_squared():
    d = jnp.ones(1_000_000)
    J = ops.DiagonalPlusLowRank(d, d[:, None], d[:, None])
    largest = [
        eqn.outvars[0].aval.size
        for query in (J.diagonal, J.slogdet, J.frobenius_norm, lambda: J.solve(d), lambda: J @ d)
        for eqn in _equations(jax.make_jaxpr(query)().jaxpr)
    ]
    assert max(largest) <= 1_000_000
    close(J.slogdet()[1], np.log(1_000_001), 1e-6)


def _equations(jaxpr):
    for eqn in jaxpr.eqns:
        inner = [p.jaxpr for p in eqn.params.values() if hasattr(p, "jaxpr")]
        yield from (e for j in inner for e in _equations(j))
        if not inner:
            yield eqn
