"""The pages of `docs/`: examples print what they say, commands succeed, all names are there."""

import doctest
import re
import shlex
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pytest

import jaxcalc as jc
from jaxcalc.__main__ import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
BLOCKS = {
    name: re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for name, page in PAGES.items()
}
WITH_EXAMPLES = [name for name, blocks in BLOCKS.items() if "python" in dict(blocks)]
COMMANDS = [
    command
    for blocks in BLOCKS.values()
    for language, block in blocks
    if language == "bash"
    for line in block.splitlines()
    for command in line.split(" && ")
    if command.startswith("python -m jaxcalc ")  # the bare one is the README's
]


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_print_what_they_say(name):
    if name == "optax.md":
        pytest.importorskip("optax")
    session = "\n".join(block for language, block in BLOCKS[name] if language == "python")
    test = doctest.DocTestParser().get_doctest(session, {}, name, name, 0)
    assert len(test.examples) >= 5
    with (  # as users have it
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        np.printoptions(),
    ):
        assert doctest.DocTestRunner().run(test).failed == 0


def test_the_pages_by_task_have_examples():
    tasks = {"notes", "bfloat16", "newton", "flow", "implicit", "custom-rules", "vocabulary"}
    assert {f"{task}.md" for task in tasks} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_succeed(command, capsys):
    assert main(shlex.split(command)[3:]) == 0
    assert capsys.readouterr().out


def test_every_page_is_in_the_table_of_contents():
    contents = PAGES["index.md"]
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    notebooks = {f"notebooks/{path.stem}" for path in DOCS.glob("notebooks/*.ipynb")}
    here = {page for page in pages if not page.startswith(("_build/", "results/"))} - {"index"}
    assert here | notebooks == set(re.findall(r"^([\w/-]+)$", contents, re.MULTILINE))


DIRECTIVE = re.compile(r"^\.\. (?:auto|py:)(?:function|class):: (\w+)", re.MULTILINE)


def documented(*pages):
    """What the pages of the reference document one by one."""
    texts = [(DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8") for page in pages]
    return sorted(name for text in texts for name in DIRECTIVE.findall(text))


def test_the_reference_has_every_public_name_once():
    modules = {name for name in jc.__all__ if isinstance(getattr(jc, name), ModuleType)}
    pages = ("functions", "losses", "derive", "layouts", "check")
    elsewhere = {"batch"}  # with the operators
    assert documented(*pages) == sorted(set(jc.__all__) - modules - elsewhere - {"__version__"})
    assert documented("operators") == sorted(jc.operators.__all__)
