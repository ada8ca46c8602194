"""The results of the speed harness: means, the page, the pictures."""

import itertools
import json
import math
import re

import jax
import pytest

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.__main__ import SUBJECTS
from benchmarks.libraries import FUNCTIONS
from benchmarks.report import Result, markdown_table
from benchmarks.speed import overhead, steps, summary, tables
from benchmarks.speed.cell import QUANTITIES

ON = {
    "platform": "cpu",
    "device_name": "Intel Xeon",
    "cores": 2,
    "jax": "0.10.2",
    "command": "the command",
}


def row(contestant="fast", ratio=1.0, spread=1.02, **changes):
    """A made-up measurement; its interval is the ratio over and times the spread."""
    return {
        "part": "cell",
        "function": "softmax",
        "quantity": "value",
        "dtype": "float32",
        "shape": "64 × 50257",
        "axis": -1,
        "contestant": contestant,
        "seconds": 1e-3 * ratio,
        "seconds_lower_quartile": 0.9e-3 * ratio,
        "seconds_upper_quartile": 1.1e-3 * ratio,
        "ratio": ratio,
        "ratio_low": ratio / spread,
        "ratio_high": ratio * spread,
    } | changes


def cell_rows(**changes):
    """One cell with everyone in it."""
    ratios = {"high": 1.5, "fast": 0.5, "jax.nn": 1.0, "torch": 2.0, "jax.nn again": 1.01}
    return [row(name, ratio, **changes) for name, ratio in ratios.items()]


def small(kind, ratio, contestant="fast"):
    named = {"part": kind, "function": "softmax", "quantity": "grad", "shape": "128 × 10"}
    interval = {"ratio": ratio, "ratio_low": ratio / 1.01, "ratio_high": ratio * 1.01}
    return named | interval | {"contestant": contestant, "seconds": 1e-4}


# --- means ---


def test_a_geometric_mean_counts_cells_and_slower_ones():
    rows = [row(ratio=0.5), row(ratio=2.0), row(ratio=1.11, spread=1.02)]
    assert summary.mean(rows) == pytest.approx(1.11 ** (1 / 3))
    assert summary.slower(rows) == 1
    assert (summary.mean([]), summary.slower([])) == (None, 0)


def test_rows_are_selected_by_their_fields():
    rows = [row(), row(part="absent"), row(dtype="float16"), row("high")]
    assert summary.select(rows) == [rows[0], rows[2], rows[3]]
    assert summary.select(rows, contestant="fast", dtype="float32") == [rows[0]]
    assert summary.select(rows, part="absent") == [rows[1]]


def test_means_by_dtype_and_quantity():
    rows = cell_rows() + cell_rows(dtype="float16") + cell_rows(dtype="float16", quantity="vjp")
    lines = tables.means(rows)
    named = [(line["dtype"], line["quantity"], line["cells"]) for line in lines]
    assert named == [
        ("float32", "value", "1"),
        ("float32", "all", "1"),
        ("float16", "value", "1"),
        ("float16", "vjp", "1"),
        ("float16", "all", "2"),
        ("all", "all", "3"),
    ]
    assert [lines[-1][name] for name in ("high", "fast")] == ["1.50 (3 slower)", "0.50"]
    assert summary.contestants(rows) == ["high", "fast", "torch"]


def test_noise_is_the_baseline_against_itself():
    again = [row("jax.nn again", ratio, spread=1.05) for ratio in (1.01, 1 / 1.04, 1.2)]
    assert summary.noise([*again, row(ratio=3.0)]) == (
        "jax.nn against itself: off by 4 % in the median cell and 20 % at most; "
        "1 of 3 intervals leave out 1."
    )


# --- the page and its pictures ---


def everything():
    """Every function and quantity, who is absent, and small inputs."""
    kinds = itertools.product(FUNCTIONS, QUANTITIES, ("float32", "bfloat16"), (10, 131072))
    rows = [
        made
        for f, q, dtype, k in kinds
        for made in cell_rows(function=f, quantity=q, dtype=dtype, shape=f"4 × {k}")
    ]
    gone = [row("torch.compile", part="absent", why="BackendError: no | compiler")]
    kinds = (overhead.CALL, overhead.COMPILATION, steps.STEP)
    own = [small(kind, 1.1, name) for kind in kinds for name in ("high", "fast", "jax.nn")]
    return [*rows, *gone, *own]


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({}, "cpu-intel-xeon-2-cores-jax-0.10.2"),
        ({"jax": "0.12.0.1"}, "cpu-intel-xeon-2-cores-jax-0.12.0.1"),
        ({"platform": "gpu", "device_name": "NVIDIA H200"}, "gpu-nvidia-h200-jax-0.10.2"),
    ],
)
def test_the_file_name_says_device_and_version(changes, slug):
    assert machine.slug(ON | changes) == slug


def test_this_machine_is_described():
    on = machine.describe()
    assert machine.slug(on).startswith(f"{on['platform']}-")
    assert json.dumps(on)
    assert f"jax {jax.__version__}" in machine.named(on)


@pytest.mark.parametrize(
    ("cpu", "name"),
    [
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Intel Core i7-8700K"),
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654 96-Core"),
    ],
)
def test_the_processors_name_is_short(cpu, name, monkeypatch):
    monkeypatch.setattr(machine, "_cpu", lambda: cpu)
    assert machine._cpu_name() == name


def write(folder, rows, failures=(), name="speed"):
    """The text of the page of those rows, and its path."""
    pages = pytest.importorskip("benchmarks.pages")
    parts = SUBJECTS[name].parts
    page = pages.write_page(folder, name, parts, Result(rows, list(failures)), ON)
    return page.read_text(encoding="utf-8"), page


def test_the_page_says_what_was_measured(tmp_path):
    text, page = write(tmp_path, everything(), ["x is wrong"])
    assert text.startswith("# Speed on Intel Xeon, jax 0.10.2\n")
    assert page.stem == "cpu-intel-xeon-2-cores-jax-0.10.2"
    for words in (
        "Written by `the command`",
        "## Wrong results, not timed\n\n- x is wrong",
        "A cell counts as\nslower if its 95 % interval lies above 1.1.",
        "| all | all | 120 | 1.50 (120 slower) | 0.50 | 2.00 (120 slower) |",
        f"![ratios]({page.stem}-ratios.svg)",
        "Timed: jax.nn, high, fast, torch.",
        "torch.compile is absent from 1 cells",
        "| jax | 0.10.2 |",
        "<details><summary>120 lines</summary>",
        "## Small inputs: eager call",
        "jax.nn against itself: off by 1 % in the median cell",
        "| function | quantity | shape | jax.nn ms | high | fast |",
    ):
        assert words in text, words
    written = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(written["subjects"]["speed"]["rows"]) == len(everything())
    assert [path.name for path in tmp_path.glob("*.svg")] == [f"{page.stem}-ratios.svg"]


@pytest.mark.slow
def test_the_page_has_the_second_group_where_it_was_measured(tmp_path):
    further = [row_ | {"part": summary.FURTHER} for row_ in cell_rows(function="softmax(where)")]
    heading = "## The second group: masks, weights, other axes, losses"
    (without, _), (text, _) = (
        write(tmp_path, rows) for rows in (everything(), [*everything(), *further])
    )
    assert heading not in without
    assert f"{heading}\n\n" in text
    assert f"{heading}: every cell" in text
    assert "| softmax(where) | value | float32 |" in text


def test_no_page_speaks_of_aims(tmp_path):
    text, _ = write(tmp_path, everything())
    assert not re.search(r"\b(aims?|met|missed)\b", text, re.IGNORECASE)


def test_bars_in_a_markdown_table_are_escaped():
    assert markdown_table([{"name": "a|b", "twice": "4"}]) == (
        "| name | twice |\n| --- | --- |\n| a\\|b | 4 |"
    )


RESULTS = [path for path in command.RESULTS.glob("*.json") if path.stem != "h200-compiled"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_committed_pages_are_what_their_rows_give(path, tmp_path):
    pages = pytest.importorskip("benchmarks.pages")
    written = json.loads(path.read_text(encoding="utf-8"))
    ((name, found),) = written["subjects"].items()
    result = Result(found["rows"], found["failures"])
    page = pages.write_page(tmp_path, name, SUBJECTS[name].parts, result, written["machine"])
    committed = path.with_suffix(".md")
    assert page.name == committed.name
    assert page.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
    assert page.with_suffix(".json").read_bytes() == path.read_bytes()
    pictures = {picture.name for picture in path.parent.glob(f"{path.stem}-*.svg")}
    assert {picture.name for picture in tmp_path.glob("*.svg")} == pictures


def test_pictures_bear_gaps():
    plot = pytest.importorskip("benchmarks.plot")
    lonely = [
        row("jax.nn"),
        row("fast", ratio=math.e, dtype="float16"),
        row(dtype="bfloat16"),
    ]
    for drawing in plot.DRAWINGS["speed"].values():
        drawing(lonely + cell_rows()).canvas.draw()
