"""The speed harness: its grid, what it checks, what it times."""

import io
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow import some

from benchmarks.peers import DECLARED
from benchmarks.peers.jax import jax_nn
from benchmarks.report import Progress, show
from benchmarks.speed import data, jax_side, overhead, steps, subject, tables
from benchmarks.speed.cell import FUNCTIONS, QUANTITIES, WIDE, Cell
from benchmarks.speed.grid import CPU, FURTHER, GPU, QUICK, Grid, further, grid, spread
from benchmarks.speed.running import Rivals, run_cell
from benchmarks.speed.uses import USES
from benchmarks.timing import Effort

SILENT = Progress(io.StringIO(), every=math.inf)
BRIEF = Effort(rounds=5, seconds=1e-5)
SHAPE = (16, 8)
TINY = Grid(tuple(Cell("softmax", quantity, "float32", SHAPE) for quantity in QUANTITIES))

# --- the grid ---


@pytest.mark.parametrize("machine", [CPU, GPU])
def test_every_function_quantity_and_shape_occurs(machine):
    cells = spread(machine).cells
    kinds = {(c.function, c.quantity, c.dtype in WIDE) for c in cells}
    assert kinds == set(itertools.product(FUNCTIONS, QUANTITIES, (True, False)))
    places = machine.places + machine.narrow_places + machine.jacobian_places
    assert {(c.shape, c.axis) for c in cells} >= set(places)
    dtypes = {dtype for family in machine.families for dtype in family}
    assert {c.dtype for c in cells} == dtypes
    assert set(machine.named) <= set(cells)


def test_the_default_fits_its_time_and_memory():
    assert 60 <= len(spread(CPU).cells) <= 70
    assert 90 <= len(spread(GPU).cells) <= 110
    narrow = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 4}
    assert max(cell.entries * narrow[cell.dtype] for cell in spread(CPU).cells) <= 2**26


def test_levels_on_a_cpu():
    assert [grid(quick) for quick in (True, False)] == [QUICK, spread(CPU)]
    assert {cell.quantity for cell in QUICK.cells} == set(QUANTITIES)
    assert {cell.function for cell in QUICK.cells} == set(FUNCTIONS)


def test_the_second_group_is_beside_the_first():
    assert further(quick=False).cells == FURTHER
    assert len(FURTHER) == len(set(FURTHER)) == 40
    assert set(FURTHER).isdisjoint(spread(CPU).cells)
    assert {cell.function for cell in FURTHER} == {
        *USES,
        *DECLARED,
        "softmax",
        "log_softmax",
        "logsumexp",
    }
    assert {cell.function for cell in further(quick=True).cells} == {*USES, *DECLARED}
    assert max(cell.entries for cell in FURTHER) <= 2**22


def test_a_cell_in_words():
    assert str(Cell("softmax", "vjp", "float16", (3, 4))) == "softmax vjp float16 3 × 4"
    assert str(Cell("sigmoid", "hvp", "float32", (3, 4, 5), 1)).endswith("3 × 4 × 5, axis 1")
    assert Cell("softmax", "hvp", "float32", (3, 4, 5), (1, 2)).place == "3 × 4 × 5, axes 1, 2"


# --- data and references ---


LAST = [(function, quantity, (3, 4), -1) for function in FUNCTIONS for quantity in QUANTITIES]
OTHER = [
    (function, quantity, *place)
    for function in ("softmax", "logsumexp")
    for quantity in ("value+vjp", "hvp")
    for place in (((4, 3), 0), ((2, 4, 3), 1), ((2, 4, 3), (0, 2)))
]
IN_USE = [
    (function, quantity, *place)
    for function in (*USES, *DECLARED)
    for quantity, *place in (("value+vjp", (3, 8), -1), ("hvp", (8, 3), 0))
]


@pytest.mark.parametrize(
    ("function", "quantity", "shape", "axis"),
    some(LAST + OTHER + IN_USE, LAST[::4] + OTHER[::4] + IN_USE[::4]),
)
@pytest.mark.usefixtures("x64")
def test_what_results_are_checked_against(function, quantity, shape, axis):
    cell = Cell(function, quantity, "float64", shape, axis)
    values = data.make_data(cell)
    sets = jax_side.make_sets(cell, values, 0)
    result = jax_side.contestant(jax_side.rivals()[jax_side.BASELINE], cell, sets).result()
    got = [data.some_rows(cell, y) for y in jax.tree.leaves(result)]
    for y, true in zip(got, data.true_rows(cell, values), strict=True):
        np.testing.assert_allclose(y, true, rtol=1e-11, atol=1e-13)


def test_only_some_rows_are_checked_of_large_arrays(monkeypatch):
    monkeypatch.setattr(data, "CHECKED_ENTRIES", 30)
    cell = Cell("softmax", "value", "float32", (10, 9), 0)
    x = np.arange(90.0).reshape(10, 9)
    np.testing.assert_array_equal(data.some_rows(cell, x), x.T[::3])
    jacobian = Cell("softmax", "jacobian", "float32", (2, 6))
    J = np.arange(72.0).reshape(2, 6, 6)
    np.testing.assert_array_equal(data.some_rows(jacobian, J), J.reshape(12, 6)[::3])


def test_data_are_the_same_every_time_and_in_the_dtype_of_the_cell():
    cell = Cell("logsumexp", "vjp", "bfloat16", (3, 4, 5), 1)
    x, t, g, beside = data.make_data(cell)
    assert beside == ()
    assert (x.shape, t.shape, g.shape) == ((3, 4, 5), (3, 4, 5), (3, 5))
    assert x.dtype == t.dtype == g.dtype == jnp.bfloat16
    data._normal.cache_clear()
    np.testing.assert_array_equal(data.make_data(cell).x, x)


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
    (beside,) = data.make_data(cell).beside
    assert (beside.shape, beside.dtype) == (shape, dtype)
    (on_device,) = jax_side.make_sets(cell, data.make_data(cell), 0)[0].beside
    np.testing.assert_array_equal(on_device, beside)


def test_distributions_and_classes_are_those_of_rows():
    cell = Cell("cross-entropy(distributions)", "value", "float32", (3, 4, 5), (0, 2))
    (y,) = data.make_data(cell).beside
    np.testing.assert_allclose(y.sum((0, 2)), 1, rtol=1e-5)
    (classes,) = data.make_data(Cell("cross-entropy(indices)", "value", "float32", (90, 4))).beside
    assert set(classes) == {0, 1, 2, 3}


def test_the_error_is_of_999_entries_in_1000_and_of_normal_numbers():
    true = np.linspace(1, 2, 2000)
    true[0] = 1e-42  # subnormal in float32
    got = (true * (1 + 2.0**-20)).astype(np.float32)
    got[1] = 7
    assert data.error_in_u([got], [true]) == pytest.approx(16, abs=1.1)


def test_the_error_of_nothing_but_underflow_is_not_a_number():
    assert math.isnan(data.error_in_u([np.zeros(3, np.float16)], [np.full(3, 1e-9)]))


@pytest.mark.parametrize(
    ("quantity", "dtype", "allowed"),
    [("vjp", "float32", 16), ("hvp", "float64", 64), ("vjp", "float16", 1), ("hvp", "bfloat16", 4)],
)
def test_some_results_may_show_more_rounding(quantity, dtype, allowed):
    assert data.slack(Cell("softmax", quantity, dtype, SHAPE)) == allowed


def test_working_set_is_filled():
    cell = Cell("softmax", "value", "float32", SHAPE)
    assert [jax_side.count_sets(cell, size) for size in (0, 512, 513, 2000)] == [1, 1, 2, 4]
    assert len(jax_side.make_sets(cell, data.make_data(cell), 2000)) == 4


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

    right = jax_nn()
    return right._replace(functions={**right.functions, "softmax": lambda x, axis: softmax(x)})


@pytest.mark.slow
def test_a_wrong_contestant_is_reported_and_its_cell_not_timed():
    rivals = Rivals({"jax.nn": jax_nn(), "doubled": doubled()})
    result = subject.run_grid(TINY, BRIEF, SILENT, rivals)
    wrong = [line.partition(":")[0] for line in result.failures]
    assert wrong == [f"softmax {q} float32 16 × 8" for q in ("vjp", "value+vjp", "jvp", "hvp")]
    assert all("doubled is wrong, not timed: relative error" in line for line in result.failures)
    timed = {row["quantity"] for row in result.rows if row["part"] == "cell"}
    assert timed == {"value", "jacobian"}
    absent = [row for row in result.rows if row["part"] == "absent"]
    assert {row["contestant"] for row in absent} == {"doubled"}
    assert {row["quantity"] for row in absent} == {"vjp", "value+vjp", "jvp", "hvp"}


@pytest.fixture(scope="module")
def rows():
    return subject.run_grid(TINY, BRIEF, SILENT, Rivals(jax_side.rivals())).rows


@pytest.mark.slow
def test_rows(rows):
    assert len(rows) == len(QUANTITIES) * 4  # contestants with the A/A pair
    for row in rows:
        assert row["seconds_lower_quartile"] <= row["seconds"] <= row["seconds_upper_quartile"]
        assert math.isclose(row["gb_per_second"], row["bytes"] / row["seconds"] / 1e9)
        assert row["percent_of_copy"] > 0
        assert row["rounds"] == 5
        assert (row["contestant"] != "jax.nn") or row["ratio"] == row["ratio_high"] == 1
    assert {row["classes"] for row in rows} == {8}


def test_high_is_more_accurate_in_the_same_cell():
    cell = Cell("softmax", "value", "float32", (16, 1000))
    result = run_cell(cell, Rivals(jax_side.rivals()), 0, BRIEF)
    error = {row["contestant"]: row["error_u"] for row in result.rows}
    assert error["high"] < 6 < error["jax.nn"] == error["jax.nn again"]


def test_double_precision_stays_inside_its_cell():
    result = run_cell(
        Cell("sigmoid", "value", "float64", SHAPE), Rivals({"jax.nn": jax_nn()}), 0, BRIEF
    )
    assert result.rows[0]["error_u"] < 10
    assert jnp.ones(2).dtype == jnp.float32


def test_speed_is_shown_one_line_a_cell(rows):
    text = show(tables.parts(rows))
    lines = [line for line in text.splitlines() if line.startswith("softmax")]
    assert len(lines) == len(QUANTITIES)
    for words in ("high GB/s (of copy)", "Time over jax.nn:", "Timed: jax.nn, high, fast."):
        assert words in text
    assert "The second group" not in text


@pytest.fixture(scope="module")
def further_rows():
    cells = [Cell(name, "value+vjp", "float32", SHAPE) for name in USES]
    cells += [Cell("softmax", "value", "float32", (2, 3, 4), (1, 2))]
    cells += [Cell("mish", "value+vjp", "float32", SHAPE)]  # of one accuracy
    result = subject.run_grid(Grid(tuple(cells)), BRIEF, SILENT, Rivals(jax_side.rivals()))
    assert result.failures == []
    return subject.of_second_group(result).rows


@pytest.mark.slow
def test_the_second_group_has_a_table_of_its_own(rows, further_rows):
    parts = {part.heading: part for part in tables.parts([*rows, *further_rows])}
    text = show(parts.values())
    first, second = (
        {line["function"] for line in parts[f"{name}: every cell"].rows}
        for name in (tables.FIRST, tables.SECOND)
    )
    assert first == {"softmax"}
    assert second == {*USES, "softmax", "mish"}
    assert "axes 1, 2" in text
    count = [line.split()[:3] for line in text.splitlines() if line.startswith("all ")]
    assert count == [["all", "all", str(len(QUANTITIES))], ["all", "all", str(len(USES) + 2)]]


@pytest.mark.slow
def test_what_stands_beside_is_part_of_the_traffic(further_rows):
    moved = {row["function"]: row["bytes"] for row in further_rows}
    n, rows = 4 * 16 * 8, 4 * 16
    assert moved["softmax(where)"] == 4 * n + n // 4
    assert moved["cross-entropy(indices)"] == 2 * n + 2 * rows + rows
    assert moved["cross-entropy(distributions)"] == 2 * n + 2 * rows + n


# --- small inputs ---


@pytest.mark.slow
def test_small_inputs():
    calls = Effort(rounds=3, seconds=1e-5)
    rows = overhead.measure_overheads(calls, Effort(rounds=1, seconds=0), quick=True)
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
    rows = list(steps.measure_steps(Effort(rounds=1, seconds=0)))
    assert [(row["function"], row["quantity"]) for row in rows[::3]] == [
        ("digits MLP", "float32"),
        ("language model", "bfloat16"),
        ("language model", "float32"),
    ]
    assert {row["contestant"] for row in rows} == {"high", "fast", "jax.nn"}
    (part,) = (p for p in tables.parts(rows) if p.heading == "Training steps")
    assert len(part.rows) == 3


@pytest.mark.slow
def test_steps_go_to_one_place():
    step, arguments = steps.perceptron()
    made = [step(steps.UNITS[name], loss, *arguments) for name, loss in steps.LOSSES.items()]
    for other in made[1:]:
        for W, V in zip(made[0], other, strict=True):
            np.testing.assert_allclose(W, V, atol=1e-6)


def test_compilation_starts_afresh_every_time():
    traced = []

    def f(x):
        traced.append(x)
        return x + 1

    contestant = overhead.MAKERS[overhead.COMPILATION](f, jnp.ones(3))
    contestant.sample(2)
    assert len(traced) == 2
