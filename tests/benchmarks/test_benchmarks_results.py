"""The results of the speed harness: means, aims, the page, the pictures, the command."""

import itertools
import json
import math

import pytest
from benchmarks.speed.aims import MET, MISSED, NOT_MEASURED

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.report import Column, Result, field
from benchmarks.speed import aims, overhead, page, results, summary
from benchmarks.speed.cell import FUNCTIONS, QUANTITIES
from benchmarks.subjects import Subject

ON = {
    "platform": "cpu",
    "device_name": "Intel Xeon",
    "cores": 2,
    "jax": "0.10.2",
}


def row(contestant="fast", ratio=1.0, spread=1.02, **changes):
    """A made-up measurement; its interval is the ratio over and times the spread."""
    return {
        "part": "cell",
        "run": 1,
        "function": "softmax",
        "quantity": "value",
        "dtype": "float32",
        "shape": "64 × 50257",
        "axis": -1,
        "classes": 50257,
        "entries": 64 * 50257,
        "contestant": contestant,
        "rounds": 9,
        "seconds": 1e-3 * ratio,
        "seconds_lower_quartile": 0.9e-3 * ratio,
        "seconds_upper_quartile": 1.1e-3 * ratio,
        "bytes": 10**8,
        "gb_per_second": 10 / ratio,
        "copy_gb_per_second": 20.0,
        "percent_of_copy": 50 / ratio,
        "ratio": ratio,
        "ratio_low": ratio / spread,
        "ratio_high": ratio * spread,
        "noise": 1.0,
        "verdict": "same",
        "error_u": 2.0,
    } | changes


def second(contestant="fast", **changes):
    """One of the second group."""
    return row(contestant, part=summary.FURTHER, **changes)


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
    found = summary.mean([row(ratio=0.5), row(ratio=2.0), row(ratio=1.11, spread=1.02)])
    assert found.value == pytest.approx(1.11 ** (1 / 3))
    assert (found.cells, found.slower) == (3, 1)
    assert str(found) == "1.04 (1 slower)"
    assert summary.mean([]) is None


def test_rows_are_selected_by_their_fields():
    rows = [row(), row(run=2), row(part="absent"), row(dtype="float16"), row("high")]
    assert summary.select(rows) == [rows[0], rows[3], rows[4]]
    assert summary.select(rows, contestant="fast", dtype="float32") == [rows[0]]
    assert summary.select(rows, contestant=("fast", "high"), dtype="float32") == [rows[0], rows[4]]
    assert summary.select(rows, run=2) == [rows[1]]


def test_means_by_dtype_and_quantity():
    rows = cell_rows() + cell_rows(dtype="float16") + cell_rows(dtype="float16", quantity="vjp")
    lines = summary.means(rows)
    named = [(line["dtype"], line["quantity"], line["cells"]) for line in lines]
    assert named == [
        ("float32", "value", 1),
        ("float32", "all", 1),
        ("float16", "value", 1),
        ("float16", "vjp", 1),
        ("float16", "all", 2),
        ("all", "all", 3),
    ]
    assert [str(lines[-1][name]) for name in ("high", "fast")] == ["1.50 (3 slower)", "0.50"]
    assert summary.contestants(rows) == ["high", "fast", "torch"]


def test_noise_is_the_baseline_against_itself():
    again = [row("jax.nn again", ratio, spread=1.05) for ratio in (1.01, 1 / 1.04, 1.2)]
    assert summary.noise([*again, row(ratio=3.0)]) == (
        "jax.nn against itself: off by 4 % in the median cell and 20 % at most; "
        "1 of 3 intervals leave out 1."
    )


# --- aims ---

TWICE = [row(ratio=1.3), row(ratio=1.3, run=2)]
NONE_ABOVE = aims.none_above("high", 2.0, "cross")
HALF_ULP = aims.accurate_values("fast", "float16", 1)
LONG = {"dtype": "bfloat16", "quantity": "vjp"}
JUDGED = [
    (aims.at_most("fast", 0.85, contestant="fast"), [row(ratio=0.8)], MET),
    (aims.at_most("fast", 0.85, contestant="fast"), [row(ratio=0.9)], MISSED),
    (aims.at_most("fast", 0.85, contestant="fast"), [row("high", ratio=0.8)], NOT_MEASURED),
    (aims.no_slower_cell("fast"), [row(ratio=1.3)], MET),
    (aims.no_slower_cell("fast"), [row(ratio=1.3), row(ratio=1.0, run=2)], MET),
    (aims.no_slower_cell("fast"), TWICE, MISSED),
    (aims.no_slower_cell("fast"), [row(ratio=1.1), row(ratio=1.3, run=2)], MET),
    (aims.no_slower_cell("fast"), [], NOT_MEASURED),
    (aims.no_cliff, [row(ratio=4.9), row("high", ratio=4.9), row("torch", ratio=80)], MET),
    (aims.no_cliff, [row(ratio=1.0), row("high", ratio=5.1)], MISSED),
    (NONE_ABOVE, [second("high", ratio=2.0), second("high", ratio=9.0, function="cross")], MET),
    (NONE_ABOVE, [second("high", ratio=2.0), second(ratio=9.0)], MET),
    (NONE_ABOVE, [second("high", ratio=2.01)], MISSED),
    (NONE_ABOVE, [row("high", ratio=9.0)], NOT_MEASURED),
    (aims.none_above("fast", 1.2), [second(ratio=1.3, function="cross-entropy(b)")], MISSED),
    (aims.long_rows_faster("vjp", 3), [row(ratio=0.33, **LONG)], MET),
    (aims.long_rows_faster("vjp", 3), [row(ratio=0.34, **LONG)], MISSED),
    (aims.long_rows_faster("vjp", 3), [row(ratio=0.1, **LONG, classes=1024)], NOT_MEASURED),
    (aims.long_rows_faster("vjp", 3), [row(ratio=0.1, **LONG, function="sigmoid")], NOT_MEASURED),
    (HALF_ULP, [row(dtype="float16", error_u=0.99)], MET),
    (HALF_ULP, [row(dtype="float16", error_u=0.9), row(dtype="float16", error_u=1.1)], MISSED),
    (HALF_ULP, [row(dtype="float16", error_u=0.9, quantity="vjp")], NOT_MEASURED),
    (aims.small_inputs("eager call", 1.2), [small("eager call", 1.205)], MET),
    (aims.small_inputs("eager call", 1.2), [small("eager call", 1.3)], MISSED),
    (aims.small_inputs("eager call", 1.2), [small("compilation", 1.3)], NOT_MEASURED),
    (aims.share_of_copy(90, 1024, 262144), [row(bytes=3e8, percent_of_copy=90)], MET),
    (aims.share_of_copy(90, 1024, 262144), [row(bytes=3e8, percent_of_copy=89)], MISSED),
    (aims.share_of_copy(90, 1024, 262144), [row(bytes=1e8, percent_of_copy=89)], NOT_MEASURED),
    (aims.share_of_copy(80, 10, 1000), [row(bytes=3e8, percent_of_copy=79)], NOT_MEASURED),
    (aims.ahead_of_peers, [row(ratio=1.05), row("torch")], MET),
    (aims.ahead_of_peers, [row(ratio=1.2), row("torch"), row("QuACK", ratio=3.0)], MISSED),
    (aims.ahead_of_peers, [row(ratio=1.2), row("jax.nn")], MISSED),
    (aims.ahead_of_peers, [row(ratio=1.2), row("torch", dtype="float16")], NOT_MEASURED),
]


@pytest.mark.parametrize(("aim", "rows", "verdict"), JUDGED)
def test_aims(aim, rows, verdict):
    judged = aim(rows)
    assert judged.verdict == verdict
    assert (judged.found == "") == (verdict == NOT_MEASURED)


def test_the_cells_that_miss_are_named():
    assert "softmax value float32 (64 × 50257) 1.30" in aims.no_slower_cell("fast")(TWICE).found
    rows = [row(ratio=0.2, **LONG), row(ratio=0.5, **LONG, function="logsumexp")]
    assert aims.long_rows_faster("vjp", 3)(rows).found == "3.16×, 2.00× at worst, over 2 cells"


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_aims_of_nothing_are_not_measured(platform):
    assert {verdict.verdict for verdict in aims.verdicts([], platform)} == {NOT_MEASURED}


# --- the page and its pictures ---


def everything():
    """Every function and quantity, once more, absent, and small inputs."""
    kinds = itertools.product(FUNCTIONS, QUANTITIES, ("float32", "bfloat16"), (10, 131072))
    rows = [
        made
        for f, q, dtype, k in kinds
        for made in cell_rows(function=f, quantity=q, dtype=dtype, classes=k, shape=f"4 × {k}")
    ]
    again = cell_rows(run=2)
    gone = [row("torch.compile", part="absent", why="BackendError: no | compiler")]
    kinds = (overhead.CALL, overhead.COMPILATION)
    own = [small(kind, 1.1, name) for kind in kinds for name in ("high", "fast", "jax.nn")]
    return [*rows, *again, *gone, *own]


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({}, "cpu-intel-xeon-2-cores-jax-0.10.2"),
        ({"jax": "0.12.0.1"}, "cpu-intel-xeon-2-cores-jax-0.12.0.1"),
        ({"platform": "gpu", "device_name": "NVIDIA H200"}, "gpu-nvidia-h200-jax-0.10.2"),
    ],
)
def test_the_file_name_says_device_and_version(changes, slug):
    assert results.slug(ON | changes) == slug


def test_this_machine_is_described():
    on = machine.describe()
    assert results.slug(on).startswith(f"{on['platform']}-")
    assert json.dumps(on)


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


def test_the_page_says_what_was_measured():
    text = page.write_page(everything(), ON, "the command", {"ratios": "a.svg"}, ["x is wrong"])
    assert text.startswith("# Speed on Intel Xeon, jax 0.10.2\n")
    for words in (
        "Written by `the command`",
        "## Wrong results, not timed\n\n- x is wrong",
        "| fast: geometric mean at most 0.85 | 0.50 over 120 cells | met |",
        "over 120 cells, below 1 is faster",
        "1 cells in which fast seemed slower",
        "| all | all | 120 | 1.50 (120 slower) | 0.50 | 2.00 (120 slower) |",
        "](a.svg)",
        "Timed: jax.nn, high, fast, torch. Not run here: torch.compile, Liger, QuACK.",
        "torch.compile is absent from 1 cells",
        "| jax | 0.10.2 |",
        "<details><summary>121 lines</summary>",
        "## Small inputs: eager call",
        "jax.nn against itself: off by 1 % in the median cell",
        "| function | quantity | shape | jax.nn ms | high | fast |",
    ):
        assert words in text, words


def test_the_page_has_the_second_group_where_it_was_measured():
    further = [row_ | {"part": summary.FURTHER} for row_ in cell_rows(function="softmax(where)")]
    heading = "## The second group: masks, weights, other axes, losses"
    without, text = (
        page.write_page(rows, ON, "", {}, []) for rows in (everything(), [*everything(), *further])
    )
    assert heading not in without
    assert f"{heading}\n\nGeometric means over 1 cells" in text
    assert "<details><summary>1 lines</summary>" in text
    assert "| softmax(where) | value | float32 |" in text
    assert "| fast, the second group: no cell above 1.2 | 0 of 1 above; at most 0.50" in text


def test_bars_in_a_markdown_table_are_escaped():
    columns = [field("name"), Column("twice", lambda line: str(2 * line["size"]))]
    assert page.markdown_table(columns, [{"name": "a|b", "size": 2}]) == (
        "| name | twice |\n| --- | --- |\n| a\\|b | 4 |"
    )


# --- the command ---


@pytest.fixture
def speed(monkeypatch):
    """The subject with made-up rows, and the levels it was asked for."""
    asked = []

    def run(level):
        asked.append(level)
        return Result(everything(), [])

    subject = Subject(
        "",
        lambda quick, progress: run("quick" if quick else "default"),
        lambda rows: "",
        lambda progress: run("full"),
        results.write_results,
    )
    other = Subject("", lambda quick, progress: Result([], []), lambda rows: "")
    monkeypatch.setattr(command, "SUBJECTS", {"speed": subject, "derive": other})
    return asked


@pytest.mark.parametrize("level", ["quick", "default", "full"])
def test_levels(level, speed):
    option = [] if level == "default" else [f"--{level}"]
    assert command.main(option) == 0
    assert speed == [level]


@pytest.mark.usefixtures("speed")
def test_results_are_a_page_with_its_rows_and_pictures(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert command.main(["--subject", "speed", "--results", str(tmp_path / "new")]) == 0
    files = {path.suffix: path for path in (tmp_path / "new").iterdir()}
    names = {path.name for path in (tmp_path / "new").iterdir()}
    stem = files[".md"].stem
    pictures = {f"{stem}-{kind}.svg" for kind in ("ratios", "rates", "pareto")}
    assert names == {f"{stem}.md", f"{stem}.json"} | pictures
    assert f"written: {files['.md']}" in capsys.readouterr().out
    text = files[".md"].read_text(encoding="utf-8")
    assert all(f"]({picture})" in text for picture in pictures)
    assert "python -m benchmarks --subject speed --results" in text
    written = json.loads(files[".json"].read_text(encoding="utf-8"))
    assert len(written["subjects"]["speed"]["rows"]) == len(everything())
    assert written["machine"]["minutes"] >= 0


@pytest.mark.slow
def test_the_forms_have_a_page(tmp_path):
    arguments = ["--subject", "forms", "--quick", "--results", str(tmp_path)]
    assert command.main(arguments) == 0
    (page,) = tmp_path.glob("forms-*.md")
    text = page.read_text(encoding="utf-8")
    (rows,) = json.loads(page.with_suffix(".json").read_text("utf-8"))["subjects"].values()
    worst = {row["form"]: row["worst"] for row in rows["rows"] if row["kind"] == "softmax product"}
    assert worst["nearest to the mean, after it"] < 50 < worst["plain"]
    assert all(f"| {form} |" in text for form in worst)


@pytest.mark.slow
@pytest.mark.usefixtures("speed")
def test_pictures_of_speed_are_three(tmp_path):
    pytest.importorskip("matplotlib")
    assert command.main(["--subject", "speed", "--plot", str(tmp_path)]) == 0
    assert command.main(["--subject", "speed", "--plot", str(tmp_path / "one.svg")]) == 0
    kinds = ("ratios", "rates", "pareto")
    expected = {f"speed-{kind}.png" for kind in kinds} | {f"one-{kind}.svg" for kind in kinds}
    assert {path.name for path in tmp_path.iterdir()} == expected


@pytest.mark.usefixtures("speed")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subject", "derive", "--results"], "`--results` has no page for derive"),
        (["--quick", "--full"], "not allowed with argument --quick"),
        (["--results", "/dev/null/folder"], "cannot write '/dev/null/folder'"),
    ],
)
def test_wrong_usage(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_pictures_bear_gaps():
    pictures = pytest.importorskip("benchmarks.speed.pictures")
    lonely = [
        row("jax.nn"),
        row("fast", ratio=math.e, dtype="float16", error_u=0.0),
        row(dtype="bfloat16", error_u=math.nan),
    ]
    for drawing in pictures.DRAWINGS.values():
        drawing(lonely + cell_rows()).canvas.draw()
