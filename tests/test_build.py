"""What is built from the project: a wheel and an sdist that hold what they should."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import jaxcalc as jc

ROOT = Path(__file__).parent.parent
PACKAGE = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "jaxcalc").rglob("*")
    if path.suffix in (".py", ".npz", ".typed")
}

pytestmark = pytest.mark.slow
pytest.importorskip("hatchling", reason="hatchling is not installed")


def built(kind, project, folder, native="0"):
    """What `python -m build` has hatchling do, without its fresh environment."""
    script = f"from hatchling.build import build_{kind} as build; print(build({str(folder)!r}))"
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "JAXCALC_NATIVE": native}
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=project, check=True, env=environment
    )
    return folder / result.stdout.split()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built("sdist", ROOT, folder)) as archive:
        archive.extractall(folder, filter="data")
    (project,) = (path for path in folder.iterdir() if path.is_dir())
    return project


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel that the sdist makes, without native kernels."""
    return built("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_the_project_and_nothing_made_from_it(sdist):
    names = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    assert names >= PACKAGE
    assert names >= {"LICENSE", "CITATION.cff", "docs/conf.py", "tests/conftest.py", ".ci/run"}
    made = ("docs/_build", "docs/results", "dist")
    assert not [name for name in names if name.startswith(made) or "__pycache__" in name]
    assert not [name for name in names if name.endswith((".dso", "missing.txt"))]
    assert names >= {f"jaxcalc/_functions/native/{name}" for name in ("rows.cc", "CMakeLists.txt")}


def test_the_wheel_holds_the_package_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names >= PACKAGE
    assert names >= {"jaxcalc/py.typed", "jaxcalc/_commands/data/digits.npz"}
    assert {name.split("/")[0] for name in names} == {"jaxcalc"}
    assert not [name for name in names if name.endswith((".cc", ".h", ".dso"))]
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_runs_elsewhere(wheel, tmp_path):
    printed = run_elsewhere(wheel, tmp_path)
    assert "none (JAXCALC_NATIVE was 0 when it was installed)" in printed


@pytest.mark.skipif(not all(map(shutil.which, ("cmake", "c++"))), reason="no C++ compiler")
def test_with_a_compiler_the_wheel_has_native_kernels(sdist, tmp_path):
    wheel = built("wheel", sdist, tmp_path, native="1")
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("any.whl")
    assert not re.search(r"native +none", run_elsewhere(wheel, tmp_path))


def test_kernels_are_compiled_with_the_headers_of_the_oldest_jaxlib():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (lowest,) = (
        need.removeprefix("jaxlib>=")
        for need in project["project"]["dependencies"]
        if need.startswith("jaxlib")
    )
    pins = [need for need in project["build-system"]["requires"] if need.startswith("jaxlib==")]
    assert [need.split(";")[0] for need in pins] == [f"jaxlib=={lowest}.0"]


def run_elsewhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import jaxcalc as jc; print(jc.__file__); jc.show_versions()\n"
        "from jaxcalc.__main__ import main\n"
        "assert main(['train']) == 0 and main(['derive', 'softmax(A x)', '--wrt', 'x']) == 0"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": "cpu"},
    )
    assert Path(result.stdout.splitlines()[0]).is_relative_to(tmp_path)
    assert "ok" in result.stdout
    return result.stdout


def test_the_citation_names_the_version():
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {jc.__version__}" in lines
