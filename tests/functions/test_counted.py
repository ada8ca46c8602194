"""What is counted in compiled programs: communication and memory."""

from types import SimpleNamespace

import counted
import jax.numpy as jnp
import pytest
from counted import said, temporaries
from jax import lax

from benchmarks.libraries import libraries
from benchmarks.speed.cell import Cell

# --- programs that XLA made, of two devices ---

F14 = [
    ("softmax", "value", "jax.nn", (2, 2)),
    ("softmax", "value+vjp", "jax.nn", (3, 3)),
    ("softmax", "vjp+hvp", "jax.nn", (4, 5)),
    ("cross-entropy(indices)", "value+vjp", "jax.nn", (2, 3)),
    ("softmax", "value", "high", (2, 2)),
    ("cross-entropy(indices)", "value", "fast", (2, 3)),
]


@pytest.mark.parametrize(("function", "quantity", "name", "expected"), F14)
def test_communication_of_split_classes(function, quantity, name, expected):
    cell = Cell(function, quantity, "float32", (8, 64))
    found = said(cell.of(libraries()[name]), cell, "jit", devices=2)
    assert found == expected


def collective_softmax(x, axis_name):
    top = lax.pmax(lax.stop_gradient(jnp.max(x, -1, keepdims=True)), axis_name)
    e = jnp.exp(x - top)
    return e / lax.psum(jnp.sum(e, -1, keepdims=True), axis_name)


def collective_logsumexp(x, y, axis_name):
    top = lax.pmax(lax.stop_gradient(jnp.max(x, -1)), axis_name)
    mass = lax.psum(jnp.sum(jnp.exp(x - top[:, None]), -1), axis_name)
    return top + jnp.log(mass) + y.astype(x.dtype)


@pytest.mark.parametrize(("quantity", "expected"), [("value", (2, 2)), ("value+vjp", (3, 3))])
def test_classes_split_by_name(quantity, expected):
    cell = Cell("softmax", quantity, "float32", (8, 64))
    assert said(collective_softmax, cell, "shard_map", devices=2) == expected


def test_classes_split_by_name_with_labels():
    cell = Cell("cross-entropy(indices)", "value+vjp", "float32", (8, 64))
    assert said(collective_logsumexp, cell, "shard_map", devices=2) == (2, 2)


# --- memory ---


@pytest.mark.parametrize(("dtype", "arrays"), [("float32", 2), ("bfloat16", 2), ("float64", 1)])
def test_temporaries_are_in_arrays_of_the_dtype_computed_in(dtype, arrays, monkeypatch):
    stats = SimpleNamespace(temp_size_in_bytes=2 * 4 * 16 * 64)
    fake = SimpleNamespace(memory_analysis=lambda: stats)
    monkeypatch.setattr(counted, "compiled", lambda f, cell, typed: fake)
    assert temporaries(abs, Cell("softmax", "value", dtype, (16, 64))) == arrays


def test_temporaries_of_programs():
    cell = Cell("softmax", "value", "float32", (256, 512))
    M = jnp.ones((512, 512))
    assert temporaries(lambda x: 2 * x, cell) == 0
    assert temporaries(lambda x: x @ M @ M, cell) >= 1  # the first product
