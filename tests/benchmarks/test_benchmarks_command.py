"""The benchmarks' reports and command line."""

import io
import json
import math

import jax
import pytest

from benchmarks import __main__ as command
from benchmarks.report import Part, Progress, Result, field, number, show, show_number, table
from benchmarks.subjects import Subject

# --- reports ---


def test_tables_are_aligned():
    rows = [{"name": "a", "size": 10}, {"name": "long", "size": 2}]
    lines = table([field("name"), field("size", "SIZE")], rows).splitlines()
    assert lines == ["name  SIZE", "────  ────", "a     10", "long  2"]


def test_text_is_filled_and_what_is_missing_is_blank():
    rows = [{"name": "a", "seconds": 2e-3}, {"name": "b"}]
    columns = [field("name"), number("seconds", "ms", 1e-3)]
    text = show([Part("Times", "word " * 20 + "\n\nmore\nwords", columns, rows)])
    heading, first, second, lines = text.split("\n\n")
    assert (heading, second) == ("Times:", "more words")
    assert max(map(len, first.splitlines())) <= 80
    assert lines.splitlines()[2:] == ["a     2", "b"]


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_rewrites_a_line_on_a_terminal_and_is_sparing_elsewhere():
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(stream)
        progress(0, 2, "one")
        progress(1, 2, "two")
        progress.finish()
    assert terminal.getvalue() == "\r\x1b[K[0/2] one\r\x1b[K[1/2] two\r\x1b[K"
    assert file.getvalue() == "[0/2] one\n"


# --- the command line ---


@pytest.fixture
def subjects(monkeypatch):
    """Two subjects that take no time; the second has a failed check."""

    def subject(failures):
        rows = [{"worst": math.inf, "peer": "jax.nn"}]
        found = Result(rows, failures)
        return Subject("of nothing", lambda quick, progress: found, lambda rows: [Part("All")])

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
    assert command.main(["--subject", "all"]) == 1
    assert capsys.readouterr().err == "softmax is wrong\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subject", "colour"], "invalid choice: 'colour'"),
        (["--results"], "`--results` needs a `--subject`"),
        (["--results", "/dev/null/folder"], "cannot write '/dev/null/folder'"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--json", "/no/such/folder/rows.json"], "cannot write '/no/such/folder/rows.json'"),
        (["--plot", "/dev/null/folder"], "cannot write '/dev/null/folder'"),
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
