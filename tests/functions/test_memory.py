"""Temporaries of value and gradient, by memory analysis of the compiled program.

In arrays like x of the dtype computed in: at most those of `jax.nn`, or one, whichever is more;
log_softmax of long rows may have two. What has more without native kernels, since XLA:CPU widens 16
bits and masks into arrays of their own, is named: no more than that.
"""

import itertools
from functools import cache

import pytest
from counted import temporaries

from benchmarks.libraries import FUNCTIONS, libraries
from benchmarks.speed.cell import Cell
from benchmarks.speed.data import BESIDE
from jaxcalc._native import kernels

SHAPES = ((4096, 1000), (64, 50257))
DTYPES = ("float32", "bfloat16")
LONGEST = 16384  # classes; beyond, log_softmax may have two arrays
SLACK = 0.02  # of an array, for numbers of which there is one a row
MORE_BY_XLA = {
    ("softmax", "bfloat16", "high"): 2,
    ("softmax(where)", "bfloat16", "high"): 4,
    ("softmax(where)", "bfloat16", "fast"): 2,
    ("log_softmax(where)", "float32", "high"): 3,
    ("log_softmax(where)", "bfloat16", "high"): 4,
    ("log_softmax(where)", "bfloat16", "fast"): 3,
    ("logsumexp(where)", "bfloat16", "high"): 3,
    ("cross-entropy(distributions)", "float32", "high"): 3,
}
TABLE = list(itertools.product((*FUNCTIONS, "softplus", *BESIDE), DTYPES, SHAPES, ("high", "fast")))
QUICK = {("softmax", "float32", SHAPES[1]), ("logsumexp(where)", "float32", SHAPES[0])}


@cache
def arrays(name: str, cell: Cell) -> float:
    return temporaries(cell.of(libraries()[name]), cell)


def most(cell: Cell, accuracy: str) -> float:
    is_long = cell.function.startswith("log_softmax") and cell.shape[-1] > LONGEST
    by_xla = {} if kernels().instruction_set else MORE_BY_XLA
    own = by_xla.get((cell.function, cell.dtype, accuracy), 2 if is_long else 1)
    return max(arrays("jax.nn", cell), own) + SLACK


@pytest.mark.parametrize(
    ("function", "dtype", "shape", "accuracy"),
    [pytest.param(*c, marks=() if c[:3] in QUICK else pytest.mark.slow) for c in TABLE],
    ids=str,
)
def test_temporaries(function, dtype, shape, accuracy):
    cell = Cell(function, "value+vjp", dtype, shape)
    assert arrays(accuracy, cell) <= most(cell, accuracy)
