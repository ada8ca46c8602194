"""The short answer: its sentences, its width, its picture, who is wrong."""

import io
import math
import re

import pytest

from benchmarks import __main__ as command
from benchmarks import quick
from benchmarks.libraries import LOSS
from benchmarks.report import Progress, show
from benchmarks.timing import Effort

BRIEF = Effort(rounds=3, seconds=1e-5)
PLACES = {"sigmoid": (8, 16), LOSS: (4, 32)}
SILENT = Progress(io.StringIO(), every=math.inf)
ANSWER = (
    r"On this machine jaxcalc is \d+\.\d\d × as fast as jax\.nn in float32 and \d+\.\d\d × in "
    r"bfloat16 \(geometric means, 8 cells in all\), and its worst derivative error is [\d.]+ "
    r"against [\d.e]+ units\."
)


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "PLACES", PLACES)
        patch.setattr(quick, "EFFORT", BRIEF)
        return quick.run(True, SILENT)


@pytest.mark.slow
def test_it_ends_in_the_answer_within_80_columns(result):
    assert result.failures == []
    text = show(quick.parts(result.rows))
    assert max(map(len, text.splitlines())) <= 80
    *_, last = text.split("\n\n")
    assert re.match(ANSWER, " ".join(last.split()))
    assert "jax.nn against itself: off by" in " ".join(last.split())


def test_every_function_has_a_line_for_its_value_and_one_for_its_gradient(result):
    lines = quick.measured(result.rows)
    named = [(of["function"], of["what"]) for of, _ in lines]
    assert sorted(named) == sorted((f, w) for f in PLACES for w in ("value", "gradient"))
    for line, dtype in ((line, dtype) for _, line in lines for dtype in quick.DTYPES):
        assert quick.speed(line, dtype) > 0
        own, theirs = (quick.error(line, dtype, name) for name in ("high", "jax.nn"))
        assert own < 4
        assert own <= theirs
    legend = quick.parts(result.rows)[1].text
    assert "sigmoid of 8 × 16; cross-entropy of 4 × 32" in legend


def test_speeds_are_over_the_baseline_and_errors_the_worst_of_derivatives(result):
    times = {"float32": 0.5, "bfloat16": 0.25}
    rows = [
        row | ({"ratio": times[row["dtype"]]} if row["part"] == "cell" else {"worst": 2.0})
        for row in result.rows
    ]
    values = [row["part"] == "error" and row["what"] == "value" for row in rows]
    rows = [row | {"worst": 9.0} if value else row for row, value in zip(rows, values, strict=True)]
    said = quick.answer(rows)
    assert "2.00 × as fast as jax.nn in float32 and 4.00 × in bfloat16" in said
    assert "worst derivative error is 2 against 2 units" in said


def test_who_is_wrong_is_said_in_place_of_a_time(result):
    rows = [row for row in result.rows if row["part"] != "cell" or row["function"] != "sigmoid"]
    text = show(quick.parts(rows))
    assert [line.split()[2:4] for line in text.splitlines() if line.startswith("sigmoid")] == [
        ["wrong", "wrong"]
    ] * 2
    assert "(geometric means, 4 cells in all)" in " ".join(text.split())
    assert quick.answer([row for row in rows if row["part"] != "cell"]) == ""


def test_the_picture_has_speeds_beside_errors(result):
    plot = pytest.importorskip("benchmarks.plot")
    speeds, errors = plot.draw_quick(result.rows).axes
    lines = [label.get_text() for label in speeds.get_yticklabels()]
    assert lines[:2] == ["sigmoid, value", "sigmoid, gradient"]
    marks = [line for line in errors.lines if len(line.get_xdata()) == len(lines)]
    assert {line.get_label() for line in marks} == {
        f"{name}, {dtype}" for name in ("jaxcalc", "jax.nn") for dtype in quick.DTYPES
    }


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--quick"]])
def test_it_is_what_the_command_does_without_a_subject(option, monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(quick, "PLACES", {"sigmoid": (4, 8)})
    monkeypatch.setattr(quick, "EFFORT", BRIEF)
    picture = tmp_path / "answer.svg"
    assert command.main([*option, "--plot", str(picture)]) == 0
    out, progress = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    assert "On this machine jaxcalc is" in " ".join(out.split())
    assert "[0/8] time of sigmoid value float32" in progress
    assert picture.stat().st_size > 5_000
