"""The command line itself: its commands, its errors, its files and what it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxcalc as jc
from jaxcalc.__main__ import COMMANDS, main
from jaxcalc._commands import options, verify

ROOT = Path(__file__).parents[2]


def run_python(*arguments, **environment):
    """A Python of its own, in the checkout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def one_formula(monkeypatch):
    """`verify` cut to its first formula."""
    monkeypatch.setattr(verify, "FORMULAS", verify.FORMULAS[:1])


BAD_ARGUMENTS = {
    "unknown option": (["--bogus"], "unrecognized arguments: --bogus"),
    "unknown option of a command": (["train", "--bogus"], "unrecognized arguments: --bogus"),
    "unknown command": (["frobnicate"], "invalid choice: 'frobnicate'"),
    "surplus argument": (["train", "again"], "unrecognized arguments: again"),
    "shortened option": (["verify", "--js", "x"], "unrecognized arguments: --js x"),
    "missing value": (["verify", "--json"], "expected one argument"),
    "unknown dtype": (["--dtype", "float8"], "argument --dtype: invalid choice: 'float8'"),
    "negative seed": (["--seed", "-1"], "argument --seed: must be a whole number"),
    "huge seed": (["--seed", str(2**32)], "argument --seed: must be a whole number"),
    "seed of letters": (["train", "--seed", "x"], "argument --seed: must be a whole number"),
    "no such folder": (["--json", "no/such/folder/f"], "cannot write 'no/such/folder/f': No such"),
    "a folder": (["--json", "."], "cannot write '.': Is a directory"),
    "picture in no folder": (["train", "--plot", "no/such/f.png"], "cannot write 'no/such/f.png'"),
    "unknown picture": (["train", "--plot", "f.bmp"], "must end in one of .png, .pdf, .svg"),
    "two lines": (["--two\nlines"], "unrecognized arguments: --two lines"),
}


@pytest.mark.parametrize(("argv", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_a_bad_argument_gets_one_line_and_status_2(argv, words, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    out, err = capsys.readouterr()
    assert exit_info.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert words in err


def test_a_missing_plot_library_is_said_before_the_work(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as exit_info:
        main(["train", "--plot", str(tmp_path / "f.png")])
    out, err = capsys.readouterr()
    assert (exit_info.value.code, out, err.count("\n")) == (2, "", 1)
    assert "needs matplotlib: pip install 'jaxcalc[plot]'" in err


def test_trying_a_file_leaves_no_trace(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("kept")
    assert options.output_file(str(old)) == old
    assert options.output_file(str(new)) == new
    assert old.read_text() == "kept"
    assert not new.exists()


@pytest.mark.parametrize("argv", [[], ["verify"], ["--seed", "3"]], ids=str)
def test_verify_is_the_default(argv, one_formula, capsys):
    assert main(argv) == 0
    assert capsys.readouterr().out.endswith("\n2 passed, 0 failed\n")


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"jaxcalc {jc.__version__}\n"


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    out = capsys.readouterr().out
    assert exit_info.value.code == 0
    assert all(command.name in out for command in COMMANDS)
    assert "Without a command, `verify` runs." in out


def test_a_full_disk_gets_one_line(one_formula, monkeypatch, capsys, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(verify, "write_json", full)
    assert main(["verify", "--json", str(tmp_path / "f")]) == 2
    assert capsys.readouterr().err == "jaxcalc: error: [Errno 28] No space left on device\n"


def test_an_interrupt_leaves_no_traceback(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "_devices", interrupt)
    assert main([]) == 130
    assert capsys.readouterr().err == ""


def test_help_and_errors_start_no_backend():
    platform = {"JAX_PLATFORMS": "none_of_this_name"}
    helped = run_python("-m", "jaxcalc", "train", "--help", **platform)
    refused = run_python("-m", "jaxcalc", "--bogus", **platform)
    assert (helped.returncode, helped.stderr) == (0, b"")
    assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (2, b"", 1)


@pytest.mark.slow
def test_a_narrow_encoding_shows_question_marks():
    done = run_python("-m", "jaxcalc", "train", "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"diag(s) ? s s?" in done.stdout


@pytest.mark.slow
def test_a_reader_that_leaves_gets_no_traceback():
    command = [sys.executable, "-m", "jaxcalc"]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 141


def test_the_package_does_not_import_its_commands():
    code = "import sys, jaxcalc; print([m for m in sys.modules if 'jaxcalc._commands' in m])"
    assert run_python("-c", code).stdout == b"[]\n"
