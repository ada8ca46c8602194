"""What devices say to each other, counted in compiled programs in which classes are split.

Numbers are those that a device hands over for each row: what an all-gather takes, not what it gives
back (of three numbers to each of four devices, three); to gather logits would be
hundreds. A round is a collective that waits for an earlier one.
"""

import itertools
from functools import cache

import pytest
from counted import BY_NAME, JIT, SPLIT_FUNCTIONS, SPLIT_QUANTITIES, Said
from counted import said as said_by

from benchmarks.libraries import libraries
from benchmarks.speed.cell import Cell

ROWS, CLASSES, DEVICES = 8, 1024, 4
DTYPES = ("float32", "bfloat16")

VALUE = (2, 2)  # a maximum and a sum: rounds, numbers a row
MOST = {  # of "high"
    **{(function, "value"): VALUE for function in SPLIT_FUNCTIONS},
    ("cross-entropy(indices)", "value"): (2, 3),  # and the logit of the label
    ("cross-entropy(indices)", "value+vjp"): (2, 3),
    ("softmax", "value+vjp"): (6, 8),
    ("softmax", "vjp+hvp"): (10, 16),
    ("log_softmax", "value+vjp"): (3, 4),
    ("logsumexp", "value+vjp"): (3, 4),
}
# Under plain `jit` XLA places the reductions, and has more of them than it needs to.
MOST_BY_JIT = MOST | {
    ("softmax", "value+vjp", "float32"): (7, 7),
    ("softmax", "vjp+hvp", "float32"): (10, 19),
    ("softmax", "vjp+hvp", "bfloat16"): (9, 22),
    ("log_softmax", "value+vjp", "bfloat16"): (3, 6),
}
MORE = {  # rounds of "fast" beyond those of `jax.nn`, which sums Σe and Σ e t in one
    ("log_softmax", "vjp+hvp"): 1,
    ("logsumexp", "vjp+hvp"): 1,
    ("cross-entropy(indices)", "vjp+hvp"): 1,
}


@cache
def said(name: str, way: str, function: str, quantity: str, dtype: str) -> Said:
    cell = Cell(function, quantity, dtype, (ROWS, CLASSES))
    return said_by(cell.of(libraries()[name]), cell, way, DEVICES)


def some(every, is_quick):
    return [
        pytest.param(*case, marks=() if is_quick(*case) else pytest.mark.slow) for case in every
    ]


def assert_at_most(found: Said, most: tuple[int, int]) -> None:
    assert found.rounds <= most[0]
    assert found.numbers <= most[1]


@pytest.mark.parametrize(
    ("function", "quantity", "dtype"),
    some(
        ((*cell, dtype) for cell in MOST for dtype in DTYPES),
        lambda function, quantity, dtype: dtype == "float32" and quantity != "value",
    ),
)
def test_high_by_name(function, quantity, dtype):
    assert_at_most(said("high", BY_NAME, function, quantity, dtype), MOST[function, quantity])


@pytest.mark.parametrize(
    ("function", "quantity", "dtype"),
    some(
        ((*cell, dtype) for cell in MOST for dtype in DTYPES),
        lambda *cell: cell == ("log_softmax", "value+vjp", "float32"),
    ),
)
def test_high_by_jit(function, quantity, dtype):
    most = MOST_BY_JIT.get((function, quantity, dtype), MOST[function, quantity])
    assert_at_most(said("high", JIT, function, quantity, dtype), most)


@pytest.mark.parametrize("way", [JIT, BY_NAME])
@pytest.mark.parametrize(
    "function", some(((name,) for name in SPLIT_FUNCTIONS), lambda name: name == "softmax")
)
def test_fast_values(function, way):
    assert_at_most(said("fast", way, function, "value", "float32"), MOST[function, "value"])


@pytest.mark.parametrize(
    ("way", "function", "quantity", "dtype"),
    some(
        itertools.product(
            (BY_NAME, JIT), SPLIT_FUNCTIONS, [q for q in SPLIT_QUANTITIES if q != "value"], DTYPES
        ),
        lambda *case: case == (BY_NAME, "softmax", "vjp+hvp", "float32"),
    ),
)
def test_fast_derivatives_take_hardly_more_rounds_than_those_of_jax(way, function, quantity, dtype):
    cell = function, quantity, dtype
    more = MORE.get((function, quantity), 0)
    assert said("fast", way, *cell).rounds <= said("jax.nn", JIT, *cell).rounds + more


def test_an_all_gather_is_counted_by_what_a_device_sends():
    """The centred tangent of "high" takes one: a share, an entry and a sum."""
    value = said("high", BY_NAME, "softmax", "value", "float32")
    both = said("high", BY_NAME, "softmax", "value+vjp", "float32")
    assert both.rounds == value.rounds + 1
    assert both.numbers == value.numbers + 3
