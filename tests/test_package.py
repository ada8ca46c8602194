"""The package as a whole: its floors, its names, its doctests, what importing it costs."""

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxcalc as jc

ROOT = Path(jc.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "jaxcalc."))

# Every room, floor by floor: imports go only downwards.
FLOORS = (
    {"_compat", "_arrays", "_fusion"},
    {"_layout", "_products", "_versions", "_arguments", "_formula"},
    {"_rows", "_modes", "operators"},
    {"_kernels"},
    {"_softmax_products", "_logistic", "_structured"},
    {"_softmax", "_binary_cross_entropy", "_softmax_operators", "_signatures"},
    {"_softmax_cross_entropy", "_logsumexp", "_closed_forms", "rules"},
    {"_jacobian", "_derive"},
    {"jaxcalc"},  # the map: jaxcalc/__init__.py
    {"_commands"},
    {"__main__"},
)
PACKAGES = {
    "operators",
    "_kernels",
    "_formula",
    "_derive",
    "_commands",
}  # inside, modules import each other
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


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


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_one_way(path):
    relative = path.relative_to(ROOT)
    here = "jaxcalc" if relative.name == "__init__.py" and len(relative.parts) == 1 else None
    here = here or relative.parts[0].removesuffix(".py")
    for name in imports(path):
        there = room(name)
        assert FLOOR[there] < FLOOR[here] or there == here in PACKAGES, f"{here} imports {there}"


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


PALLAS = {f"jaxcalc._kernels.{name}" for name in ("_blocks", "_columns", "_rows")}


@pytest.mark.parametrize("module", ["jaxcalc", *MODULES])
def test_doctests(module):
    if module == "jaxcalc.__main__":
        return
    if module in {
        "jaxcalc._kernels._rows",
        "jaxcalc._kernels._columns",
    }:  # on jax 0.10 Pallas needs absl-py
        pytest.importorskip("jax.experimental.pallas.mosaic_gpu", exc_type=ImportError)
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


PUBLIC = {name: getattr(jc, name) for name in dir(jc) if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - {"rules"}))
def test_public_names_are_documented_with_an_example(name):
    finder = doctest.DocTestFinder(recurse=False)
    examples = [e for t in finder.find(PUBLIC[name], name) for e in t.examples]
    assert examples, f"{name} has no example"


def test_show_versions_names_what_matters(capsys):
    jc.show_versions()
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["jaxcalc", "jax", "jaxlib", "numpy", "python", "system", "devices"]
