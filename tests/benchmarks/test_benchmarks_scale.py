"""What is counted in compiled programs: communication, memory, and the tables of both."""

import io
import json
import math
import subprocess
import sys
from types import SimpleNamespace

import jax.numpy as jnp
import pytest
from jax import lax

from benchmarks import scale
from benchmarks.report import Progress, show
from benchmarks.scale import memory, splitting
from benchmarks.scale.__main__ import main
from benchmarks.speed.cell import Cell
from benchmarks.speed.jax_side import along, rivals

SILENT = Progress(io.StringIO(), every=math.inf)

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
    found = splitting.said(along(rivals()[name], cell), cell, "jit", devices=2)
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
    assert splitting.said(collective_softmax, cell, "shard_map", devices=2) == expected


def test_classes_split_by_name_with_labels():
    cell = Cell("cross-entropy(indices)", "value+vjp", "float32", (8, 64))
    assert splitting.said(collective_logsumexp, cell, "shard_map", devices=2) == (2, 2)


# --- memory ---


@pytest.mark.parametrize(("dtype", "arrays"), [("float32", 2), ("bfloat16", 2), ("float64", 1)])
def test_temporaries_are_in_arrays_of_the_dtype_computed_in(dtype, arrays, monkeypatch):
    stats = SimpleNamespace(temp_size_in_bytes=2 * 4 * 16 * 64)
    fake = SimpleNamespace(memory_analysis=lambda: stats)
    monkeypatch.setattr(memory, "compiled", lambda f, cell, typed: fake)
    assert memory.temporaries(abs, Cell("softmax", "value", dtype, (16, 64))) == arrays


def test_temporaries_of_programs():
    cell = Cell("softmax", "value", "float32", (256, 512))
    M = jnp.ones((512, 512))
    assert memory.temporaries(lambda x: 2 * x, cell) == 0
    assert memory.temporaries(lambda x: x @ M @ M, cell) >= 1  # the first product


# --- rows and tables ---


@pytest.fixture(scope="module")
def rows():
    patch = pytest.MonkeyPatch()
    patch.setattr(memory, "SHAPES", ((16, 64),))
    patch.setattr(splitting, "CLASSES", 64)
    names = ["softmax"]
    with patch.context():
        yield [
            *splitting.communication_rows(names, 2, quick=True, progress=SILENT),
            *memory.memory_rows(names, quick=True, progress=SILENT),
        ]
    patch.undo()


@pytest.mark.slow
def test_rows_of_every_contestant(rows):
    assert {row["contestant"] for row in rows} == {"high", "fast", "jax.nn"}
    plain = [row for row in rows if row.get("way") == "jit"]
    assert [row["quantity"] for row in plain[::3]] == ["value", "value+vjp", "vjp+hvp"]
    assert json.dumps(rows)


@pytest.mark.slow
def test_tables(rows):
    text = show(scale.parts(rows))
    assert "Of 2 devices" in text
    assert " ".join(text.split()).count("2 / 2 2 / 2 2 / 2") == 1
    assert "Temporaries" in text
    (line,) = [line for line in text.splitlines() if line.startswith("softmax ")]
    assert all(float(number) >= 0 for number in line.split()[-3:])


# --- the process ---


@pytest.mark.slow
def test_the_rows_come_from_a_process_of_several_devices():
    result = scale.run_process(["--quick", "--functions", "sigmoid"])
    assert result.failures == []
    assert {row["part"] for row in result.rows} == {"memory"}
    assert {row["contestant"] for row in result.rows} == {"high", "fast", "jax.nn"}


def test_a_process_that_fails_is_a_failure(monkeypatch):
    def failing(command, **options):
        return subprocess.CompletedProcess([sys.executable], 3, "")

    monkeypatch.setattr(subprocess, "run", failing)
    assert scale.run(True, SILENT) == ([], ["python -m benchmarks.scale ended with status 3"])


def test_only_functions_that_are_known(capsys):
    with pytest.raises(SystemExit):
        main(["--functions", "cosine"])
    assert "invalid choice: 'cosine'" in capsys.readouterr().err
