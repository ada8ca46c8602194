"""What operators say: their repr, their cost, and the words of their errors."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from operators import MAKERS, by_name

from jaxcalc import operators as ops

REPRS = {
    "zero, 3 by 4": "Zero(zero, 3×4, float32)",
    "identity of a number": "Identity(identity, 1×1, float32)",
    "diagonal, two axes": "Diagonal(diagonal, (2, 3)×(2, 3), float32)",
    "row of a matrix": "LowRank(rank 1, 1×(2, 3), float32)",
    "softmax": "DiagonalPlusLowRank(diagonal - rank 1, 4×4, float32)",
    "forward difference, 3 by 4": "Banded(banded, 3×4, float32)",
    "gather": "Selection(selection, 5×4, float32)",
    "scatter": "Transpose(selection, 4×4, float32)",
    "matrix-free gradient": "Linear(matrix-free, 1×4, float32)",
    "blocks of blocks": "BlockDiagonal(block diagonal: dense, (3, 2, 2)×(3, 4, 2), float32)",
    "kronecker, three factors": "Kronecker(kronecker, (3, 2)×(2, 2, 4), float32)",
    "inverse": "Inverse(inverse: diagonal + rank 1, 4×4, float32)",
    "chain over several spaces": "Chain(chain, (2, 3)×4, float32)",
}


@pytest.mark.parametrize("name", REPRS)
def test_repr(name):
    assert repr(by_name(name)(np.float32)) == REPRS[name]


def test_repr_of_what_stands_for_an_operator():
    assert repr(jax.tree.map(lambda x: 0, by_name("diagonal")(np.float32))) == "Diagonal(0)"


# Bytes stored and flops of a product, for operators in float32.
COSTS = {
    "zero": (0, 0),
    "identity": (0, 0),
    "scaled identity": (4, 4),
    "diagonal": (16, 4),
    "rank 1": (32, 16),
    "softmax": (48, 24),
    "banded": (48, 24),
    "permutation": (0, 0),
    "dense": (64, 32),
    "matrix-free": (64, 32),
    "chain through a space of 3": (108, 51),
    "sum": (80, 44),
    "scatter": (0, 0),
    "block diagonal of one shared matrix": (60, 42),
    "kronecker": (28, 30),
}


@pytest.mark.parametrize("name", COSTS)
def test_cost(name):
    cost = by_name(name)(np.float32).cost()
    assert (cost.bytes, cost.flops) == COSTS[name]


def test_cost_reads_well():
    J = ops.Diagonal(jnp.ones(4096))
    assert str(J.cost()) == (
        "16.4 kB stored (dense 67.1 MB), 4.1 kflop a product (dense 33.6 Mflop)"
    )


def d(n=3):
    return ops.Diagonal(jnp.ones(n))


def wide():
    return ops.Dense(jnp.ones((2, 3)), 1)


REFUSALS = {
    r"`J @ v` needs `v` of shape \(3,\), or columns .* got \(2,\); `v @ J` takes shape \(2,\)": (
        lambda: wide() @ jnp.ones(2)
    ),
    r"`J @ v` needs .* but got \(\)": lambda: wide() @ 2.0,
    r"`v @ J` needs `v` of shape \(2,\), or rows .* but got \(3,\)": lambda: np.ones(3) @ wide(),
    r"`a @ b` needs `a` to start where `b` ends, but `a` has domain \(3,\) and `b` has codomain "
    r"\(2,\); reorder": lambda: wide() @ wide(),
    r"`a \+ b` needs equal spaces, but got codomain \(2,\) and domain \(3,\) for `a`, \(3,\) and "
    r"\(3,\) for `b`\.": lambda: wide() + d(),
    r"`a \+ b` .* one seems to be in the other layout, so transpose it": lambda: wide() - wide().T,
    r"`diagonal` needs equal domain and codomain, but got domain \(3,\)": lambda: wide().diagonal(),
    r"`trace` needs equal domain": lambda: wide().trace(),
    r"`quadratic` needs equal domain": lambda: wide().quadratic(jnp.ones(3)),
    r"`v` must have shape \(3,\), but got \(4,\)": lambda: d().quadratic(jnp.ones(4)),
    r"`slogdet` needs a square operator, .*`pinv\(\)`": lambda: wide().slogdet(),
    r"`solve` needs a square operator, but got domain \(3,\) and codomain \(2,\); `pinv\(\)`": (
        lambda: wide().solve(jnp.ones(2))
    ),
    r"`solve\(b, shift\)` needs equal domain": lambda: wide().solve(jnp.ones(2), 1.0),
    r"`b` must have shape \(3,\), or columns .* but got \(2, 3\)": lambda: d().solve(
        jnp.ones((2, 3))
    ),
    r"`J` is singular within rounding \(its structure is zero\), .*`J.pinv\(\) @ b`": (
        lambda: ops.Zero((2,), (2,), jnp.float32).solve(jnp.ones(2))
    ),
    r"`J \+ shift I` is singular": lambda: d().solve(jnp.ones(3), -1.0),
    r"`U` and `V` must have a last axis of equally many columns, .*\(3, 1\) and \(3, 2\)": (
        lambda: ops.LowRank(jnp.ones((3, 1)), jnp.ones((3, 2)))
    ),
    r"`sign` must be 1 or -1, but got 2; scale `U`": lambda: ops.LowRank(
        jnp.ones((3, 1)), jnp.ones((3, 1)), 2
    ),
    r"`U` and `V` must have the shape of `entries` .* \(4,\), \(3, 1\)": lambda: (
        ops.DiagonalPlusLowRank(jnp.ones(4), jnp.ones((3, 1)), jnp.ones((3, 1)))
    ),
    r"`offsets` must be distinct modulo the domain \(3,\), but got \(\(-1,\), \(2,\)\)": lambda: (
        ops.Banded(jnp.ones((2, 3)), ((-1,), (2,)), (3,))
    ),
    r"`weights` must have shape \(1, \*codomain\) .* rank 1, but got \(3,\)": lambda: ops.Banded(
        jnp.ones(3), ((0,),), (3,)
    ),
    r"`function` or `transposed_function` must be given": lambda: ops.Linear(
        None, (3,), (3,), jnp.float32
    ),
    r"`codomain_ndim` must lie between 0 and 2, the axes of `array`, of shape .*, but got 5": (
        lambda: ops.Dense(jnp.ones((2, 3)), 5)
    ),
    r"`offsets` must be tuples of 1 integers, one for each axis of the domain": lambda: ops.Banded(
        jnp.ones((1, 3)), ((0, 1),), (3,)
    ),
    r"`terms` must be between the same spaces, .*\(\(2,\), \(3,\)\)": lambda: ops.Sum(
        (d(), wide())
    ),
    r"`factors` must each start where the next one ends": lambda: ops.Chain((wide(), wide())),
    r"`Inverse` needs a square operator": lambda: ops.Inverse(wide()),
    r"`codomain_axis` must lie between 0 and 1, the axes of the codomain \(3,\)": lambda: (
        ops.BlockDiagonal(ops.Diagonal(jnp.ones((2, 3))), 2, 2, 0)
    ),
    r"`domain` must hold no negative size, but got \(-1,\)": lambda: ops.Zero(
        (2,), (-1,), jnp.float32
    ),
    r"`batched` must have a bool for each of the 1 arrays of `block`, but got \(\)": lambda: (
        ops.BlockDiagonal(d(), 3, batched=())
    ),
}


@pytest.mark.parametrize("words", REFUSALS, ids=range(len(REFUSALS)))
def test_refusals_say_what_would_fit(words):
    with pytest.raises(ValueError, match=words):
        REFUSALS[words]()


WRONG_TYPES = {
    r"`entries` must be an array or a scalar, but got list; wrap it in `jnp.asarray`": lambda: (
        ops.Diagonal([1.0, 2.0])
    ),
    r"`entries` must hold numbers, but got dtype <U1": lambda: ops.Diagonal(np.array(["a"])),
    r"`U` must be an array": lambda: ops.LowRank([[1.0]], jnp.ones((1, 1))),
    r"`weights` must be an array": lambda: ops.Banded([[1.0]], ((0,),), (1,)),
    r"`array` must be an array": lambda: ops.Dense([[1.0]], 1),
    r"`codomain_ndim` must be an integer, but got float": lambda: ops.Dense(jnp.ones(2), 1.0),
    r"`scale` must be a number or a 0-d array, but got shape \(3,\)": lambda: ops.Identity(
        (3,), jnp.float32, jnp.ones(3)
    ),
    r"`codomain` must be a shape, a tuple of integers, but got 3": lambda: ops.Zero(
        3, 4, jnp.float32
    ),
    r"`dtype` must be a dtype, but got 'number'": lambda: ops.Zero((3,), (4,), "number"),
    r"`function` must be a function of one array, but got int": lambda: ops.Linear(
        3, (3,), (3,), jnp.float32
    ),
    r"`function` must be a function .*NoneType": lambda: ops.Selection(
        None, (3,), (3,), jnp.float32
    ),
    r"`op` must be a linear operator, but got ArrayImpl; wrap an array as `Dense\(": lambda: (
        ops.batch(jnp.ones((2, 3)))
    ),
    r"`op` must be a linear operator, but got list": lambda: ops.to_lineax([1.0]),
    r"`op` must be a linear operator, but got tuple": lambda: ops.Transpose(()),
    r"`block` must be a linear operator": lambda: ops.BlockDiagonal(jnp.ones(3), 3),
    r"`factors\[1\]` must be a linear operator, but got ArrayImpl": lambda: ops.Kronecker(
        (d(), jnp.ones(3))
    ),
    r"`terms` must be a tuple of linear operators, at least one, but got none": lambda: ops.Sum(()),
    r"`factors` must be a tuple of linear operators, at least one, but got Diagonal": lambda: (
        ops.Chain(d())
    ),
    r"`b` must be a linear operator, but got ArrayImpl": lambda: ops.compose(d(), jnp.ones(3)),
    r"`scale` must be a number or a 0-d array, but got shape \(3,\); .*`Diagonal\(scale\) @ J`": (
        lambda: d() * jnp.ones(3)
    ),
    r"`scale` must be .* but got shape \(3,\)": lambda: np.ones(3) * d(),
    r"`scale` must be .* but got str": lambda: "2" * d(),
    r"an operator adds to another operator, but got ArrayImpl; wrap an array as `Dense\(": (
        lambda: d() + jnp.ones((3, 3))
    ),
    r"an operator adds to another operator, but got ndarray": lambda: np.ones((3, 3)) - d(),
    r"an operator adds to another operator, but got int": lambda: 1 + d(),
    r"`shift` must be a number or a 0-d array, but got shape \(3,\)": lambda: d().solve(
        jnp.ones(3), jnp.ones(3)
    ),
}


@pytest.mark.parametrize("words", WRONG_TYPES, ids=range(len(WRONG_TYPES)))
def test_wrong_types_name_the_remedy(words):
    with pytest.raises(TypeError, match=words):
        WRONG_TYPES[words]()


def test_constructors_take_what_stands_for_arrays():
    """NumPy's arrays and numbers become JAX's; shapes any sequence; tracers and types stay."""
    assert isinstance(ops.Diagonal(np.ones(3)).entries, jax.Array)
    assert ops.Identity((3,), jnp.bfloat16, 2.0).scale.dtype == jnp.bfloat16
    assert ops.Zero([2], np.array([3]), float).domain == (3,)
    assert ops.Diagonal(jax.ShapeDtypeStruct((3,), jnp.float32)).domain == (3,)
    assert jax.eval_shape(ops.Diagonal, jnp.ones(3)).domain == (3,)
    assert callable(jax.jit(lambda J: J)(ops.Linear(jnp.cumsum, (3,), (3,), float)).function)


def test_operators_do_not_change():
    with pytest.raises(AttributeError):
        d().entries = jnp.zeros(3)


def test_lineax_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "lineax", None)
    for convert in (ops.to_lineax, ops.from_lineax):
        with pytest.raises(
            ImportError, match=r"`lineax` must be .*pip install 'jaxcalc\[lineax\]'"
        ):
            convert(d())


@pytest.mark.slow
def test_every_class_has_a_maker():
    kinds = {type(maker(np.float32)) for maker in MAKERS}
    public = {k for k in vars(ops).values() if isinstance(k, type)}
    assert kinds == {
        k for k in public if issubclass(k, ops.LinearOperator) and k is not ops.LinearOperator
    }
