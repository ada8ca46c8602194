"""Every code block of the README runs, and prints what it says."""

import doctest
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from slow import some

import benchmarks.__main__
from benchmarks.pictures import DRAWINGS
from jaxcalc.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
COMMANDS = [
    command
    for language, block in BLOCKS
    if language == "bash"
    for line in block.splitlines()
    for command in line.split(" && ")
]


def test_there_are_only_blocks_that_this_file_runs():
    assert {language for language, _ in BLOCKS} == {"python", "bash"}
    runners = (
        "python -m pip install",
        "python -m pytest",
        "python -m jaxcalc",
        "python -m benchmarks",
    )
    assert all(command.startswith(runners) for command in COMMANDS)


def test_python_blocks_print_what_they_say():
    session = "\n".join(block for language, block in BLOCKS if language == "python")
    test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
    assert len(test.examples) >= 20
    assert doctest.DocTestRunner().run(test).failed == 0


def test_its_pictures_are_there_and_drawn_by_the_command():
    pictures = re.findall(r"^!\[.+\]\((.+)\)$", README, re.MULTILINE)
    assert pictures == [f"docs/pictures/{name}.svg" for name in DRAWINGS]
    for picture in pictures:
        text = (ROOT / picture).read_text(encoding="utf-8")
        assert "<svg" in text
        assert "<text" not in text  # letters are drawn: no font is needed


def test_it_is_short():
    assert len(README.splitlines()) <= 250


OWN = [c for c in COMMANDS if "-m jaxcalc" in c]


@pytest.mark.parametrize(
    "command", some(OWN, [c for c in OWN if " derive " in c or " check " in c])
)
def test_commands_succeed(command, capsys):
    assert main(shlex.split(command)[3:]) == 0
    words = {" derive ": ": ok", " check ": "right: ", " train": ""}
    expected = next((text for name, text in words.items() if name in command), "0 failed")
    assert expected in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in COMMANDS if "-m benchmarks" in c])
def test_benchmarks_succeed(command, capsys):
    assert benchmarks.__main__.main(command.split()[3:]) == 0
    assert "On this machine jaxcalc is" in capsys.readouterr().out


@pytest.mark.parametrize("command", [c for c in COMMANDS if "pip install" in c])
def test_extras_exist(command):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"\[(\w+)\]", command):
        assert extra in project["optional-dependencies"]


def test_the_test_command_is_what_ci_runs():
    (line,) = [line for line in README.splitlines() if "-m pytest" in line]
    install, test = line.split(" && ")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert install in script.replace("--quiet ", "")
    assert test in script


def test_the_module_runs_as_the_readme_says():
    command = [sys.executable, "-m", "jaxcalc", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.startswith("jaxcalc ")
