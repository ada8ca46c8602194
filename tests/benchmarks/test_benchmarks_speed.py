"""The speed harness: its grid, what it checks, what it times."""

import io
import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow import some

from benchmarks import oracles, speed
from benchmarks.libraries import DECLARED, FUNCTIONS, libraries, plain
from benchmarks.report import Progress, show
from benchmarks.speed import data, overhead, running, steps, tables
from benchmarks.speed.cell import QUANTITIES, WIDE, Cell
from benchmarks.speed.data import BESIDE
from benchmarks.speed.grid import CPU, FURTHER, GPU, QUICK, further, grid, spread
from benchmarks.speed.running import run_cell
from benchmarks.timing import Effort

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=5, seconds=1e-5)
SHAPE = (16, 8)
TINY = [Cell("softmax", quantity, "float32", SHAPE) for quantity in QUANTITIES]

# --- the grid ---


@pytest.mark.parametrize("machine", [CPU, GPU])
def test_every_function_quantity_and_shape_occurs(machine):
    cells = spread(machine)
    kinds = {(c.function, c.quantity, c.dtype in WIDE) for c in cells}
    assert kinds == set(itertools.product(FUNCTIONS, QUANTITIES, (True, False)))
    places = machine.places + machine.narrow_places + machine.jacobian_places
    assert {(c.shape, c.axis) for c in cells} >= set(places)
    dtypes = {dtype for family in machine.families for dtype in family}
    assert {c.dtype for c in cells} == dtypes
    assert set(machine.named) <= set(cells)


def test_the_default_fits_its_time_and_memory():
    assert 60 <= len(spread(CPU)) <= 70
    assert 90 <= len(spread(GPU)) <= 110
    narrow = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 4}
    assert max(entries(cell) * narrow[cell.dtype] for cell in spread(CPU)) <= 2**26


def entries(cell):
    """How many numbers its largest array holds."""
    is_square = cell.quantity == "jacobian" and cell.function != "logsumexp"
    return math.prod(cell.shape) * (cell.shape[-1] if is_square else 1)


def test_levels_on_a_cpu():
    assert [grid(quick) for quick in (True, False)] == [QUICK, spread(CPU)]
    assert {cell.quantity for cell in QUICK} == set(QUANTITIES)
    assert {cell.function for cell in QUICK} == set(FUNCTIONS)


def test_the_second_group_is_beside_the_first():
    assert further(quick=False) == FURTHER
    assert len(FURTHER) == len(set(FURTHER)) == 40
    assert set(FURTHER).isdisjoint(spread(CPU))
    assert {cell.function for cell in FURTHER} == {
        *BESIDE,
        *DECLARED,
        "softmax",
        "log_softmax",
        "logsumexp",
    }
    assert {cell.function for cell in further(quick=True)} == {*BESIDE, *DECLARED}
    assert max(entries(cell) for cell in FURTHER) <= 2**22


def test_a_cell_in_words():
    assert str(Cell("softmax", "vjp", "float16", (3, 4))) == "softmax vjp float16 3 × 4"
    assert str(Cell("sigmoid", "hvp", "float32", (3, 4, 5), 1)).endswith("3 × 4 × 5, axis 1")
    assert Cell("softmax", "hvp", "float32", (3, 4, 5), (1, 2)).place == "3 × 4 × 5, axes 1, 2"


# --- data and references ---


def true(cell):
    return running.true_results(cell, data.make_data(cell))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_results_are_checked_against_float64(dtype):
    cell = Cell("softmax", "value+vjp", dtype, (3, 8))
    x, _, g = data.make_data(cell)
    value, gradient = true(cell)
    assert value.dtype == gradient.dtype == np.float64
    x, g = x.astype(np.float32), g.astype(np.float32)  # exactly; the oracles compute in float64
    np.testing.assert_allclose(value, oracles.softmax(x), rtol=1e-12)
    product = oracles.softmax_product(x, g)
    np.testing.assert_allclose(gradient, product.value, rtol=1e-10, atol=1e-14)


LAST = [(function, quantity, (3, 4), -1) for function in FUNCTIONS for quantity in QUANTITIES]
OTHER = [
    (function, quantity, *place)
    for function in ("softmax", "logsumexp")
    for quantity in ("value+vjp", "hvp")
    for place in (((4, 3), 0), ((2, 4, 3), 1), ((2, 4, 3), (0, 2)))
]
IN_USE = [
    (function, quantity, *place)
    for function in (*BESIDE, *DECLARED)
    for quantity, *place in (("value+vjp", (3, 8), -1), ("hvp", (8, 3), 0))
]


@pytest.mark.parametrize(
    ("function", "quantity", "shape", "axis"),
    some(LAST + OTHER + IN_USE, LAST[::4] + OTHER[::4] + IN_USE[::4]),
)
@pytest.mark.usefixtures("x64")
def test_both_sides_compute_the_same(function, quantity, shape, axis):
    cell = Cell(function, quantity, "float64", shape, axis)
    for library in (libraries()["high"], libraries()["fast"]):
        if function in library.functions:
            got = running.contestant(library, cell, data.make_data(cell)).outputs()
            for y, expected in zip(got, true(cell), strict=True):
                np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-13)


BY_HAND = {
    "softmax(where)": lambda x, mask: np.exp(x) * mask / (np.exp(x) * mask).sum(-1)[:, None],
    "log_softmax(where)": lambda x, mask: np.where(
        mask, x - np.log((np.exp(x) * mask).sum(-1)[:, None]), -np.inf
    ),
    "logsumexp(where)": lambda x, mask: np.log((np.exp(x) * mask).sum(-1)),
    "logsumexp(b)": lambda x, b: np.log((np.exp(x) * b).sum(-1)),
    "cross-entropy(indices)": lambda x, y: np.log(np.exp(x).sum(-1)) - x[np.arange(len(x)), y],
    "cross-entropy(distributions)": lambda x, y: (
        np.log(np.exp(x).sum(-1)) * y.sum(-1) - (x * y).sum(-1)
    ),
    "binary cross-entropy": lambda x, y: np.log1p(np.exp(x)) - x * y,
}


@pytest.mark.parametrize("function", BESIDE)
@pytest.mark.usefixtures("x64")
def test_uses_are_what_they_are_called(function):
    cell = Cell(function, "value", "float64", (5, 4))
    x, _, _, beside = data.make_data(cell)
    (value,) = true(cell)
    np.testing.assert_allclose(value, BY_HAND[function](x, beside), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.usefixtures("x64")
def test_quantities_are_what_they_are_called(quantity):
    """Of x ↦ softmax(x), by its Jacobian at each row."""
    cell = Cell("softmax", quantity, "float64", (3, 4))
    x, t, g = data.make_data(cell)
    s = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    J = np.stack([np.diag(row) - np.outer(row, row) for row in s])
    ds, vjp = (np.einsum("nij,nj->ni", J, v) for v in (t, g))
    centred = g - (s * g).sum(-1, keepdims=True)
    hvp = ds * centred - s * (ds * g).sum(-1, keepdims=True)
    expected = {
        "value": (s,),
        "vjp": (vjp,),
        "value+vjp": (s, vjp),
        "jvp": (s, ds),
        "hvp": (hvp,),
        "jacobian": (J,),
    }
    for got, value in zip(true(cell), expected[quantity], strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-11, atol=1e-13)


def test_data_are_the_same_every_time_and_in_the_dtype_of_the_cell():
    cell = Cell("logsumexp", "vjp", "bfloat16", (3, 4, 5), 1)
    x, t, g = data.make_data(cell)
    assert (x.shape, t.shape, g.shape) == ((3, 4, 5), (3, 4, 5), (3, 5))
    assert x.dtype == t.dtype == g.dtype == jnp.bfloat16
    data._normal.cache_clear()
    np.testing.assert_array_equal(data.make_data(cell)[0], x)


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        ("softmax(where)", (3, 4, 5), "bool"),
        ("logsumexp(b)", (3, 4, 5), "bfloat16"),
        ("cross-entropy(indices)", (3, 5), "int32"),
        ("cross-entropy(distributions)", (3, 4, 5), "bfloat16"),
        ("binary cross-entropy", (3, 4, 5), "bfloat16"),
    ],
)
def test_what_a_use_takes_beside(function, shape, dtype):
    cell = Cell(function, "vjp", "bfloat16", (3, 4, 5), 1)
    (*_, beside) = data.make_data(cell)
    assert (beside.shape, beside.dtype) == (shape, dtype)


def test_distributions_and_classes_are_those_of_rows():
    cell = Cell("cross-entropy(distributions)", "value", "float32", (3, 4, 5), (0, 2))
    (*_, y) = data.make_data(cell)
    np.testing.assert_allclose(y.sum((0, 2)), 1, rtol=1e-5)
    (*_, classes) = data.make_data(Cell("cross-entropy(indices)", "value", "float32", (90, 4)))
    assert set(classes) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("quantity", "dtype", "allowed"),
    [("vjp", "float32", 16), ("hvp", "float64", 64), ("vjp", "float16", 1), ("hvp", "bfloat16", 4)],
)
def test_some_results_may_show_more_rounding(quantity, dtype, allowed):
    assert running.slack(Cell("softmax", quantity, dtype, SHAPE)) == allowed


# --- checked, then timed ---


def doubled():
    """jax.nn with a softmax whose derivative is twice what it should be."""

    @jax.custom_jvp
    def softmax(x):
        return jax.nn.softmax(x)

    @softmax.defjvp
    def _(primals, tangents):
        value, tangent = jax.jvp(jax.nn.softmax, primals, tangents)
        return value, 2 * tangent

    right = plain()
    return right._replace(functions={**right.functions, "softmax": lambda x, axis: softmax(x)})


@pytest.mark.slow
def test_a_wrong_contestant_is_reported_and_not_timed():
    rivals = {"jax.nn": plain(), "doubled": doubled()}
    result = speed.run_cells(TINY, BRIEF, SILENT)  # nobody is wrong
    assert result.failures == []
    run = partial(run_cell, libraries=rivals, effort=BRIEF)
    results = {cell.quantity: run(cell) for cell in TINY}
    for quantity, (rows, failures) in results.items():
        is_wrong = quantity in ("vjp", "value+vjp", "jvp", "hvp")
        timed = {row["contestant"] for row in rows if row["part"] == "cell"}
        absent = {row["contestant"] for row in rows if row["part"] == "absent"}
        assert timed == {"jax.nn", "jax.nn again", *(() if is_wrong else ("doubled",))}
        assert absent == ({"doubled"} if is_wrong else set())
        words = f"softmax {quantity} float32 16 × 8: doubled is wrong, not timed: relative error"
        assert [failure.startswith(words) for failure in failures] == [True] * is_wrong


def test_without_a_right_baseline_there_are_no_times(monkeypatch):
    monkeypatch.setattr(running, "true_results", lambda cell, data: [np.ones(SHAPE)])
    rows, failures = run_cell(TINY[0], {"jax.nn": plain()}, BRIEF)
    assert {row["part"] for row in rows} == {"absent"}
    assert failures[0].startswith("softmax value float32 16 × 8: jax.nn is wrong, not timed")


@pytest.fixture(scope="module")
def rows():
    return speed.run_cells(TINY, BRIEF, SILENT).rows


@pytest.mark.slow
def test_rows(rows):
    assert len(rows) == len(QUANTITIES) * 4  # contestants with the A/A pair
    for row in rows:
        assert row["seconds_lower_quartile"] <= row["seconds"] <= row["seconds_upper_quartile"]
        assert (row["contestant"] != "jax.nn") or row["ratio"] == row["ratio_high"] == 1


def test_double_precision_stays_inside_its_cell():
    result = run_cell(Cell("sigmoid", "value", "float64", SHAPE), {"jax.nn": plain()}, BRIEF)
    assert result.failures == []
    assert jnp.ones(2).dtype == jnp.float32


def test_speed_is_shown_one_line_a_cell(rows):
    text = show(tables.parts(rows))
    lines = [line for line in text.splitlines() if line.startswith("softmax")]
    assert len(lines) == len(QUANTITIES)
    for words in ("jax.nn µs (quartiles)", "Time over jax.nn:", "Timed: jax.nn, high, fast."):
        assert words in text
    assert "The second group" not in text


@pytest.fixture(scope="module")
def further_rows():
    cells = [Cell(name, "value+vjp", "float32", SHAPE) for name in BESIDE]
    cells += [Cell("softmax", "value", "float32", (2, 3, 4), (1, 2))]
    cells += [Cell("mish", "value+vjp", "float32", SHAPE)]  # of one accuracy
    result = speed.run_cells(cells, BRIEF, SILENT)
    assert result.failures == []
    return speed.of_second_group(result).rows


@pytest.mark.slow
def test_the_second_group_has_a_table_of_its_own(rows, further_rows):
    parts = {part.heading: part for part in tables.parts([*rows, *further_rows])}
    text = show(parts.values())
    first, second = (
        {line["function"] for line in parts[f"{name}: every cell"].lines}
        for name in (tables.FIRST, tables.SECOND)
    )
    assert first == {"softmax"}
    assert second == {*BESIDE, "softmax", "mish"}
    assert "axes 1, 2" in text
    count = [line.split()[:3] for line in text.splitlines() if line.startswith("all ")]
    assert count == [["all", "all", str(len(QUANTITIES))], ["all", "all", str(len(BESIDE) + 2)]]


# --- small inputs ---


@pytest.mark.slow
def test_small_inputs():
    calls = Effort(rounds=3, seconds=1e-5)
    rows = overhead.measure_overheads(calls, Effort(rounds=1, seconds=0), quick=True).rows
    kinds = [(row["part"], row["quantity"], row["shape"]) for row in rows[::3]]
    shapes = [(q, shape) for q in ("value", "grad") for shape in ("8", "128 × 10")]
    assert kinds == [
        *((overhead.CALL, *shape) for shape in shapes),
        *((overhead.COMPILATION, q, "128 × 10") for q in ("value", "grad")),
    ]
    assert {row["contestant"] for row in rows} == {"high", "fast", "jax.nn"}
    assert all(row["seconds"] > 0 for row in rows)


@pytest.mark.slow
def test_training_steps():
    rows = steps.measure_steps(Effort(rounds=1, seconds=0)).rows
    assert [(row["function"], row["quantity"]) for row in rows[::3]] == [
        ("digits MLP", "float32"),
        ("language model", "bfloat16"),
        ("language model", "float32"),
    ]
    assert {row["contestant"] for row in rows} == {"high", "fast", "jax.nn"}
    (part,) = (p for p in tables.parts(rows) if p.heading == "Training steps")
    assert len(part.lines) == 3


@pytest.mark.slow
def test_steps_go_to_one_place():
    step, arguments = steps.perceptron()
    made = [step(*functions, *arguments) for functions in steps.LIBRARIES.values()]
    for other in made[1:]:
        for W, V in zip(made[0], other, strict=True):
            np.testing.assert_allclose(W, V, atol=1e-6)


def test_compilation_starts_afresh_every_time():
    traced = []

    def f(x):
        traced.append(x)
        return x + 1

    contestant = overhead.compilation(f, jnp.ones(3))
    contestant.sample(2)
    assert len(traced) == 2
