"""The benchmarks' reports and command line."""

import io
import json
import math
from types import SimpleNamespace

import jax
import pytest

from benchmarks import __main__ as command
from benchmarks.report import Part, Progress, Result, fields, grouped, show, show_number, table

# --- reports ---


def test_tables_are_aligned():
    lines = table([{"name": "a", "SIZE": "10"}, {"name": "long", "SIZE": "2"}]).splitlines()
    assert lines == ["name  SIZE", "────  ────", "a     10", "long  2"]


def test_rows_that_agree_are_one_line():
    rows = [{"n": 1, "contestant": "a"}, {"n": 2, "contestant": "a"}, {"n": 1, "contestant": "b"}]
    assert grouped(rows, ["n"]) == [
        ({"n": 1}, {"a": rows[0], "b": rows[2]}),
        ({"n": 2}, {"a": rows[1]}),
    ]


def test_text_is_filled_and_what_is_missing_is_blank():
    lines = [fields({"name": "a", "n": 2}, "name", "n"), fields({"name": "b"}, "name", "n")]
    text = show([Part("Times", "word " * 20 + "\n\nmore\nwords", lines)])
    heading, first, second, shown = text.split("\n\n")
    assert (heading, second) == ("Times:", "more words")
    assert max(map(len, first.splitlines())) <= 80
    assert shown.splitlines()[2:] == ["a     2", "b"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.5, "0.5"),
        (2.3456, "2.35"),
        (1234.5, "1234"),
        (1.68e7, "1.7e7"),
        (math.inf, "inf"),
    ],
)
def test_numbers_are_short(value, text):
    assert show_number(value) == text
    assert show_number(None if value is None else value / 1000, 1e-3) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_rewrites_a_line_on_a_terminal_and_is_sparing_elsewhere():
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(stream)
        progress.each([(what, lambda: Result([], [])) for what in ("one", "two")])
    assert terminal.getvalue() == "\r\x1b[K[0/2] one\r\x1b[K[1/2] two\r\x1b[K"
    assert file.getvalue() == "[0/2] one\n"


# --- the command line ---


@pytest.fixture
def subjects(monkeypatch):
    """Subjects that take no time; the last has a failed check."""

    def subject(failures):
        found = Result([{"worst": math.inf, "peer": "jax.nn"}], failures)
        return SimpleNamespace(run=lambda quick, progress: found, parts=lambda rows: [Part("All")])

    fakes = {"quick": subject([]), "accuracy": subject([]), "speed": subject(["softmax is wrong"])}
    monkeypatch.setattr(command, "SUBJECTS", fakes)


@pytest.mark.usefixtures("subjects")
def test_results_go_to_stdout_and_json(tmp_path, capsys):
    path = tmp_path / "rows.json"
    assert command.main(["--subject", "accuracy", "--quick", "--json", str(path)]) == 0
    assert capsys.readouterr().out.endswith("\n\nAll:\n")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["machine"]["jax"] == jax.__version__
    assert written["subjects"]["accuracy"]["rows"] == [{"worst": None, "peer": "jax.nn"}]


@pytest.mark.usefixtures("subjects")
def test_a_failed_check_is_the_exit_status(capsys):
    assert command.main([]) == 0
    assert command.main(["--subject", "speed"]) == 1
    assert capsys.readouterr().err == "softmax is wrong\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subject", "colour"], "invalid choice: 'colour'"),
        (["--results"], "`--results` needs a `--subject`"),
        (["--plot", "answer.doc"], "must end in one of .png, .pdf, .svg"),
        (["--results", "/dev/null/folder"], "cannot write '/dev/null/folder'"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--json", "/no/such/folder/rows.json"], "cannot write '/no/such/folder/rows.json'"),
        (["--plot", "/dev/null/answer.svg"], "cannot write '/dev/null/answer.svg'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert words in error
    assert error.count("\n") == 1


def test_pictures_need_matplotlib(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        command.main(["--plot", "speed.png"])
    assert stop.value.code == 2
    assert "needs matplotlib: pip install 'jaxcalc[plot]'" in capsys.readouterr().err


def test_a_picture_is_of_the_short_answer(tmp_path, capsys):
    with pytest.raises(SystemExit):
        command.main(["--subject", "speed", "--plot", str(tmp_path / "speed.svg")])
    assert "`--results` draws what a subject found" in capsys.readouterr().err
