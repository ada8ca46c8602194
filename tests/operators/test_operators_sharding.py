"""Operators on arrays split over two devices: nothing is gathered, nothing raised, no answer moves.

Every query of one operator is one program, for each kind of mesh and each way to split: what a
program gathers or raises is asked of each query alone where it has done either.
"""

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcalc as jc
from jaxcalc import operators as ops

BATCH, CLASSES = 4, 128
SMALL = BATCH * 3 * 3  # numbers a row: of rank and columns, never of classes
SHIFT = 3.5


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


LOGITS = numbers(BATCH, CLASSES)
ENTRIES = np.where(LOGITS < 0, LOGITS - 1, LOGITS + 1)
WITH_A_ZERO = np.where(np.arange(CLASSES) == 100, np.float32(0), ENTRIES)


def columns(rank, seed):
    return numbers(BATCH, CLASSES, rank, seed=seed) / np.float32(8)


class Case(NamedTuple):
    """An operator of one row, and the arrays of a batch of rows to make it from."""

    make: Callable[..., ops.LinearOperator]
    arrays: tuple[np.ndarray, ...]


def of_logits(make):
    return Case(make, (LOGITS,))


def low_rank(rank, entries=None, sign=1):
    U, V = columns(rank, 1), columns(rank, 2)
    if entries is None:
        return Case(functools.partial(ops.LowRank, sign=sign), (U, V))
    return Case(functools.partial(ops.DiagonalPlusLowRank, sign=sign), (entries, U, V))


def twice(d, U, V):
    J = ops.DiagonalPlusLowRank(d, U, V)
    return J @ J


CASES = {
    "softmax": of_logits(jc.softmax_jacobian),
    "log_softmax": of_logits(jc.log_softmax_jacobian),
    "log_softmax, transposed": of_logits(
        functools.partial(jc.log_softmax_jacobian, layout="denominator")
    ),
    "logsumexp": of_logits(jc.logsumexp_jacobian),
    "sigmoid": of_logits(jc.sigmoid_jacobian),
    "softplus": of_logits(jc.softplus_jacobian),
    "log_sigmoid": of_logits(jc.log_sigmoid_jacobian),
    "diagonal": Case(ops.Diagonal, (ENTRIES,)),
    "rank 1": low_rank(1),
    "rank 2": low_rank(2, sign=-1),
    "diagonal plus rank 1": low_rank(1, ENTRIES),
    "diagonal minus rank 2": low_rank(2, ENTRIES, -1),
    "diagonal plus rank 1, a zero": low_rank(1, WITH_A_ZERO),
    "diagonal plus rank 2, a zero": low_rank(2, WITH_A_ZERO),
    "product": Case(twice, low_rank(1, ENTRIES).arrays),
    "softmax, scaled": Case(
        lambda x, d: ops.Diagonal(d) @ jc.softmax_jacobian(x), (LOGITS, ENTRIES)
    ),
    "derived softmax": of_logits(jc.derive(jc.softmax)),
    "derived jax.nn.softmax": of_logits(jc.derive(jax.nn.softmax)),
    "derived tanh": of_logits(jc.derive(jnp.tanh)),
    "softmax and a diagonal": Case(
        lambda x, d: jc.softmax_jacobian(x) + ops.Diagonal(d), (LOGITS, ENTRIES)
    ),
}


def of_first_row(make):
    """The operator of one row."""
    return lambda *arrays: make(*(x[0] for x in arrays))


def of_rows(make):
    """One block for each row."""
    return lambda *arrays: jc.batch(jax.vmap(make)(*arrays))


def of_rows_behind(make):
    """One block for each row, along the last axis of what they map."""
    return lambda *arrays: ops.BlockDiagonal(jax.vmap(make)(*arrays), BATCH, 1, 1)


def of_all(make):
    """One operator on both axes."""
    return make


class Form(NamedTuple):
    """How the operator of a batch is made, and how long the axis is that is split in all arrays."""

    of: Callable[[Any], Any]
    split: int


FORMS = {
    "a vector": Form(of_first_row, CLASSES),
    "blocks, split between": Form(of_rows, BATCH),
    "blocks, split inside": Form(of_rows, CLASSES),
    "blocks on the last axis, split between": Form(of_rows_behind, BATCH),
    "blocks on the last axis, split inside": Form(of_rows_behind, CLASSES),
    "two axes, the first split": Form(of_all, BATCH),
    "two axes, the last split": Form(of_all, CLASSES),
}
TWO_AXES = {"product"} | {
    name for name in CASES if name.startswith(("diagonal", "rank", "derived"))
}

QUERIES = {
    "product": lambda J, v, w, columns: J @ v,
    "transposed product": lambda J, v, w, columns: w @ J,
    "columns": lambda J, v, w, columns: J @ columns,
    "multiple": lambda J, v, w, columns: w @ (-J / 2),
    "Frobenius norm": lambda J, v, w, columns: J.frobenius_norm(),
}
SQUARE = {
    "diagonal": lambda J, v, w, columns: J.diagonal(),
    "trace": lambda J, v, w, columns: J.trace(),
    "quadratic form": lambda J, v, w, columns: J.quadratic(v),
    "determinant": lambda J, v, w, columns: J.slogdet(),
    "solution": lambda J, v, w, columns: J.solve(v),
    "shifted solutions": lambda J, v, w, columns: J.solve(columns, shift=SHIFT),
    "beside a diagonal": lambda J, v, w, columns: (ops.Diagonal(v) @ J + J) @ w,
}
LIKE_ITS_ARGUMENT = {"product", "diagonal", "shifted solutions"}


class Asked(NamedTuple):
    """A case in a form: what is computed, from which arrays."""

    answers: Callable[..., dict[str, Any]]
    arguments: tuple[np.ndarray, ...]
    square: bool


@functools.cache
def asked(case, of):
    make, arrays = of(CASES[case].make), CASES[case].arrays
    J = jax.eval_shape(make, *arrays)
    square = J.domain == J.codomain
    queries = QUERIES | SQUARE if square else QUERIES

    def answers(v, w, columns, *arrays):
        J = make(*arrays)
        return {name: ask(J, v, w, columns) for name, ask in queries.items()}

    others = numbers(*J.domain), numbers(*J.codomain, seed=1), numbers(*J.domain, 3)
    return Asked(answers, (*others, *arrays), square)


@functools.cache
def unsplit(case, of):
    """What is answered on one device."""
    answers, arguments, _ = asked(case, of)
    return jax.tree.map(np.asarray, quick_jit(answers)(*arguments))


def mesh_of(axis_type):
    devices = jax.devices("cpu")[:2]
    return jax.make_mesh((2,), ("devices",), axis_types=(axis_type,), devices=devices)


def split(x, size, mesh):
    """`x`, its first axis of length `size` split over the devices."""
    axis = x.shape.index(size) if size in x.shape else x.ndim
    spec = PartitionSpec(*(None,) * axis, *("devices",) * (axis < x.ndim))
    return jax.device_put(x, NamedSharding(mesh, spec))


TRAVELS = re.compile(
    r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(-start)?\("
)


def gathered(program):
    """The operations that send more than a few numbers a row from device to device."""
    lines = [(line, TRAVELS.search(line)) for line in program.splitlines()]
    return [line for line, found in lines if found and _largest(found[1]) > SMALL]


def _largest(types):
    shapes = re.findall(r"\w\[([\d,]*)\]", types)
    return max(int(np.prod([int(n) for n in shape.split(",") if n])) for shape in shapes)


MESHES = {"automatic": AxisType.Auto, "explicit": AxisType.Explicit}
QUICK = {
    ("derived softmax", "two axes, the first split", "explicit"),
    ("derived softmax", "two axes, the last split", "explicit"),
    ("derived jax.nn.softmax", "two axes, the last split", "explicit"),
    ("derived jax.nn.softmax", "blocks, split between", "explicit"),
    ("derived tanh", "two axes, the last split", "automatic"),
    ("softmax", "blocks, split between", "explicit"),
    ("softmax", "blocks, split inside", "explicit"),
    ("softmax", "blocks, split inside", "automatic"),
    ("log_softmax", "a vector", "explicit"),
    ("diagonal plus rank 2, a zero", "blocks, split inside", "explicit"),
    ("diagonal plus rank 2, a zero", "blocks, split between", "automatic"),
    ("diagonal minus rank 2", "two axes, the last split", "explicit"),
    ("rank 2", "blocks, split between", "explicit"),  # whose shift is one for all blocks
}


def fits(case, form):
    """Log-sum-exp has no axis for its blocks to lie behind."""
    if FORMS[form].of is of_rows_behind:
        return case != "logsumexp"
    return FORMS[form].of is not of_all or case in TWO_AXES


def cases():
    fitting = [(case, form) for form in FORMS for case in CASES if fits(case, form)]
    every = [(*pair, mesh) for pair in fitting for mesh in MESHES]
    marked = [pytest.param(*x, marks=() if x in QUICK else pytest.mark.slow) for x in every]
    return pytest.mark.parametrize(("case", "form", "mesh"), marked)


@cases()
def test_queries(case, form, mesh):
    of, size = FORMS[form]
    answers, arguments, square = asked(case, of)
    devices = mesh_of(MESHES[mesh])
    with jax.set_mesh(devices):
        there = [split(x, size, devices) for x in arguments]
        program = quick_jit(answers).lower(*there).compile()
        got = program(*there)
    assert not gathered(program.as_text())
    for name, true in unsplit(case, of).items():
        assert_equal(got[name], true, name)
    v, _, columns, *_ = there
    for name in LIKE_ITS_ARGUMENT & set(got) if square else ():
        like = columns if name == "shifted solutions" else v
        assert got[name].sharding.is_equivalent_to(like.sharding, like.ndim), name


def assert_equal(got, true, name):
    """Equal up to the order of sums, NaN and infinities in their places."""
    for g, t in zip(jax.tree.leaves(got), jax.tree.leaves(true), strict=True):
        finite = t[np.isfinite(t)]
        scale = max(1.0, float(np.max(np.abs(finite), initial=0)))
        np.testing.assert_allclose(g, t, 1e-4, 1e-5 * scale, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["a vector", "blocks, split between"])
@pytest.mark.parametrize("case", ["softmax", "diagonal plus rank 2, a zero"])
def test_queries_without_jit(case, form):
    """Outside `jax.set_mesh`, too, where the arrays alone know their mesh."""
    (of, size), mesh = FORMS[form], mesh_of(AxisType.Explicit)
    v, w, columns, *arrays = (split(x, size, mesh) for x in asked(case, of).arguments)
    J = of(CASES[case].make)(*arrays)
    for name in ("product", "columns", "Frobenius norm", "diagonal", "shifted solutions"):
        got = (QUERIES | SQUARE)[name](J, v, w, columns)
        assert_equal(got, unsplit(case, of)[name], name)


@pytest.mark.parametrize("case", ["softmax", "diagonal minus rank 2"])
def test_blocks_split_where_their_arguments_are_whole(case):
    """And the other way round: both are split before the blocks are told apart."""
    v, _, _, *arrays = map(jnp.asarray, asked(case, of_rows).arguments)
    mesh = mesh_of(AxisType.Explicit)

    def product(v, *arrays):
        return of_rows(CASES[case].make)(*arrays) @ v

    with jax.set_mesh(mesh):
        split_v, *split_arrays = (split(x, BATCH, mesh) for x in (v, *arrays))
        for arguments in ((v, *split_arrays), (split_v, *arrays)):
            got = quick_jit(product)(*arguments)
            assert_equal(got, np.asarray(product(v, *arrays)), case)
            assert got.sharding.spec[0] == "devices"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "form"),
    [
        (case, form)
        for case in ("softmax", "log_softmax", "rank 2", "derived softmax")
        for form in FORMS
        if fits(case, form)
    ],
)
def test_the_dense_form_is_whole(case, form):
    """It has two axes where its arrays have one, and so cannot be split like them."""
    (of, size), mesh = FORMS[form], mesh_of(AxisType.Explicit)
    arrays = asked(case, of).arguments[3:]

    def dense(*arrays):
        J = of(CASES[case].make)(*arrays)
        return J.todense(), J.T.matrix()

    true = jax.tree.map(np.asarray, dense(*arrays))
    with jax.set_mesh(mesh):
        assert_equal(quick_jit(dense)(*(split(x, size, mesh) for x in arrays)), true, case)


@pytest.mark.parametrize("axis_type", MESHES)
def test_the_norm_of_an_array_split_anywhere(axis_type):
    """`jnp.linalg.norm` would make one axis of all, and gather."""
    mesh = mesh_of(MESHES[axis_type])
    for shape, make in (
        ((4, 6, 8), lambda x: ops.Dense(x, 1)),
        ((4, 6, 8), ops.Diagonal),
        ((2, 6, 8), lambda x: ops.Banded(x, ((0, 0), (0, 1)), (6, 8))),
    ):
        x = numbers(*shape)
        for size in shape[1:]:
            there = split(x, size, mesh)
            with jax.set_mesh(mesh):
                program = quick_jit(lambda x, make=make: make(x).frobenius_norm()).lower(there)
                program = program.compile()
                np.testing.assert_allclose(program(there), np.linalg.norm(x.ravel()), 1e-5)
            assert "all-gather" not in program.as_text()


@pytest.mark.slow
def test_derivatives():
    """Of what is contracted and looked up, by the arrays that are split."""
    d, U, V = (x[0] for x in CASES["diagonal plus rank 2, a zero"].arrays)

    def number(d, U, V):
        J = ops.DiagonalPlusLowRank(d, U, V)
        return J.slogdet()[1] + jnp.sum(J.solve(J @ d)) + J.frobenius_norm() + J.trace()

    gradient = quick_jit(jax.grad(number, (0, 1, 2)))
    true = jax.tree.map(np.asarray, gradient(d, U, V))
    mesh = mesh_of(AxisType.Explicit)
    with jax.set_mesh(mesh):
        got = gradient(*(split(x, CLASSES, mesh) for x in (d, U, V)))
    assert_equal(got, true, "gradient")
