"""`derive` of every public function of jax.nn, jax.numpy and jax.numpy.linalg: none is wrong.

A function counts as structured where no part of its derivative is a matrix-free map.
"""

import inspect
from collections import Counter
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import quick_jit
from public_arrays import CASES, WITHOUT_DERIVATIVE
from public_functions import ACTIVATIONS, ELEMENTWISE, Case, short
from slow import some

import jaxcalc as jc
from jaxcalc.operators import Linear

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
TOGETHER = 16  # cases in one compilation
POINTWISE = {"diagonal", "identity", "scaled identity", "zero"}
FEW = CASES[::12]  # some of every kind
IN_ORDER = [*FEW, *(case for case in CASES if case not in FEW)]

every = pytest.mark.parametrize("case", some(CASES, FEW), ids=str)


class Block(NamedTuple):
    """All that is compared of the derivative of one output."""

    tensor: Any
    right: Any  # J v
    left: Any  # w J


class Outcome(NamedTuple):
    """What came of a function: for each output its block and the truth; and the structure."""

    blocks: list[Block]
    truths: list[Any]
    structures: list[str]
    is_structured: bool


def numbers(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(dtype)


def has_linear(J: Any) -> bool:
    parts = jax.tree.leaves(J, is_leaf=lambda part: isinstance(part, Linear))
    return any(isinstance(part, Linear) for part in parts)


def compared(J: Any) -> Block:
    v, w = numbers(J.domain, J.dtype), numbers(J.codomain, J.dtype)
    return Block(J.tensor(), J @ v, w @ J)


@cache
def outcomes(start: int) -> list[Outcome]:
    """Those of several cases at once, which compiles faster."""
    cases = IN_ORDER[start : start + TOGETHER]
    words: list[tuple[list[str], bool]] = []

    def traced(case: Case, x: Any) -> Any:
        Js = jax.tree.leaves(jc.derive(case.f)(x), is_leaf=lambda J: isinstance(J, jc.Derivative))
        words.append(([J.structure for J in Js], not any(map(has_linear, Js))))
        return [compared(J) for J in Js], jax.tree.leaves(jax.jacfwd(case.f)(x))

    with jax.enable_x64(True):
        points = [jnp.asarray(case.x) for case in cases]
        computed = quick_jit(lambda xs: list(map(traced, cases, xs)))(points)
    return [Outcome(*arrays, *found) for arrays, found in zip(computed, words, strict=True)]


def function_of(case: Case) -> str:
    return case.name.split(",")[0]


def outcome(case: Case) -> Outcome:
    position = IN_ORDER.index(case)
    return outcomes(position - position % TOGETHER)[position % TOGETHER]


def close(got: Any, true: Any) -> None:
    tolerance = TOLERANCES[str(got.dtype)]
    scale = max(1.0, float(np.max(np.abs(true), initial=0)))
    assert got.shape == np.shape(true)
    np.testing.assert_allclose(got, true, tolerance, tolerance * scale)


@every
def test_none_is_wrong(case):
    """Dense forms are those of autodiff; products are those of autodiff's dense forms."""
    found = outcome(case)
    for (tensor, right, left), truth in zip(found.blocks, found.truths, strict=True):
        close(tensor, truth)
        v, w = numbers(left.shape, left.dtype), numbers(right.shape, right.dtype)
        close(right, np.tensordot(truth, v, v.ndim))
        close(left, np.tensordot(w, truth, w.ndim))


@pytest.mark.parametrize(
    "case",
    some([*ACTIVATIONS, *ELEMENTWISE], {*FEW} & {*ACTIVATIONS, *ELEMENTWISE}),
    ids=str,
)
def test_what_acts_elementwise_is_diagonal(case):
    assert set(outcome(case).structures) <= POINTWISE


@every
def test_structure_is_not_lost(case):
    assert outcome(case).is_structured


@pytest.mark.slow
def test_how_many_are_structured():
    functions = {function_of(case) for case in CASES}
    partly = {function_of(case) for case in CASES if not outcome(case).is_structured}
    wholly = {function_of(case) for case in CASES if "matrix-free" in outcome(case).structures}
    words = Counter(word for case in CASES for word in outcome(case).structures)
    print(
        f"{len(functions) - len(partly)} of {len(functions)} functions come out structured, "
        f"{len(partly - wholly)} in part, {len(wholly)} as a matrix-free map, none wrong; "
        f"the outputs of {len(CASES)} cases are {dict(words.most_common())}"
    )
    assert not partly


@pytest.mark.parametrize("module", [jax.nn, jnp, jnp.linalg], ids=short)
def test_every_public_function_is_in_the_table(module):
    here = {function_of(case) for case in CASES}
    without = " ".join(names.get(short(module), "") for names in WITHOUT_DERIVATIVE.values())
    missing = {
        name
        for name, f in inspect.getmembers(module, callable)
        if not name.startswith("_")
        and not inspect.isclass(f)
        and f"{short(module)}.{name}" not in here
    }
    assert missing <= set(without.split())
