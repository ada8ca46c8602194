"""The package as a whole: its floors, its names, its doctests, what importing it costs."""

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxcalc as jc

ROOT = Path(jc.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "jaxcalc."))

ROOMS = {m.name for m in pkgutil.iter_modules([str(ROOT)])} - {"__main__"}
SUBPACKAGES = [
    importlib.import_module(m.name)
    for m in pkgutil.walk_packages([str(ROOT)], "jaxcalc.")
    if m.ispkg
]


def floors():
    """The rooms of the map in the package docstring: a paragraph a floor."""
    tree = jc.__doc__.split("imports run only upwards:")[1].split("\n\n")[1:]
    return [re.findall(r"^    (\w+)  ", f"{paragraph}\n", re.MULTILINE) for paragraph in tree]


FLOORS = [floor for floor in floors() if floor]
FLOOR = {room: height for height, floor in enumerate(FLOORS) for room in floor}


def room(module):
    """The room a module is in: `jaxcalc._commands.train` is in `_commands`."""
    return module.split(".")[1] if "." in module else module


def imports(path):
    """The modules of the package that a file imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inside]
        yield from (name for name in names if name.split(".")[0] == "jaxcalc")


def test_the_map_has_every_room_once_on_eight_floors():
    assert sorted(FLOOR) == sorted(ROOMS) == sorted(room for floor in FLOORS for room in floor)
    assert len(FLOORS) == 8


@pytest.mark.parametrize("package", SUBPACKAGES, ids=lambda p: p.__name__)
def test_the_map_of_a_package_has_every_module(package):
    modules = {m.name for m in pkgutil.iter_modules(package.__path__)}
    named = set(re.findall(r"\w+", package.__doc__))
    assert modules <= named, modules - named


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_one_way(path):
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if here in ("__init__", "__main__"):  # the whole package, and what stands on it
        return
    for name in imports(path):
        there = room(name)
        lower = (there == "jaxcalc" and here == "_commands") or FLOOR[there] < FLOOR[here]
        assert lower or there == here, f"{here} imports {there}"


def test_only_compat_touches_drifting_names():
    drifting = ("jax.extend", "jax.interpreters", "jax._src", "pcast", "manual_axis_type")
    for path in ROOT.rglob("*.py"):
        if path.name != "_compat.py":
            text = path.read_text(encoding="utf-8")
            assert not [name for name in drifting if name in text], path


def test_import_brings_no_more_than_jax_and_starts_no_backend():
    script = (
        "import sys, jax; before = set(sys.modules)\n"
        "import jaxcalc\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "from jax._src import xla_bridge\n"
        "print(new - {'jax', 'jaxlib'} - set(sys.stdlib_module_names))\n"
        "print(xla_bridge.backends_are_initialized())"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["{'jaxcalc'}", "False"]


@pytest.mark.whole
@pytest.mark.parametrize("module", ["jaxcalc", *MODULES])
def test_doctests(module):
    if module == "jaxcalc.__main__":
        return
    if module in {
        "jaxcalc._functions.kernels.rows",
        "jaxcalc._functions.kernels.columns",
    }:  # on jax 0.10 Pallas needs absl-py
        pytest.importorskip("jax.experimental.pallas.mosaic_gpu", exc_type=ImportError)
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


PUBLIC = {name: getattr(jc, name) for name in jc.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - {"rules"}))
def test_public_names_are_documented_with_an_example(name):
    finder = doctest.DocTestFinder(recurse=False)
    examples = [e for t in finder.find(PUBLIC[name], name) for e in t.examples]
    assert examples, f"{name} has no example"


def test_public_names_are_said_to_be_public():
    visible = {name for name in dir(jc) if not name.startswith("_")}
    assert visible == set(PUBLIC)
    for package in (jc.operators, jc.plot, jc.rules):
        assert {n for n in dir(package) if not n.startswith("_")} == set(package.__all__)
    rules = [n for n in dir(jc.rules) if not n.startswith("_")]
    assert len(rules) == 14
    assert all(n.endswith("_rule") for n in rules)


def test_the_docstring_begins_with_every_public_name():
    before = jc.__doc__.split("The rooms")[0]
    assert set(re.findall(r"\w+", before)) >= set(PUBLIC)


def test_show_versions_names_what_matters(capsys):
    jc.show_versions()
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["jaxcalc", "jax", "jaxlib", "numpy", "python", "system", "devices", "native"]
