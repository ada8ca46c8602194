"""What is built from the project: a wheel and an sdist that hold what they should."""

import os
import subprocess
import sys
import tarfile
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


def built(kind, project, folder):
    """What `python -m build` has hatchling do, without its fresh environment."""
    script = f"from hatchling.build import build_{kind} as build; print(build({str(folder)!r}))"
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, cwd=project, check=True)
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
    """The wheel that the sdist makes."""
    return built("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_the_project_and_nothing_made_from_it(sdist):
    names = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    assert names >= PACKAGE
    assert names >= {"LICENSE", "CITATION.cff", "docs/conf.py", "tests/conftest.py", ".ci/run"}
    made = ("docs/_build", "docs/results", "dist")
    assert not [name for name in names if name.startswith(made) or "__pycache__" in name]


def test_the_wheel_holds_the_package_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names >= PACKAGE
    assert names >= {"jaxcalc/py.typed", "jaxcalc/_commands/data/digits.npz"}
    assert {name.split("/")[0] for name in names} == {"jaxcalc"}


def test_the_wheel_runs_elsewhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import jaxcalc as jc; print(jc.__file__)\n"
        "from jaxcalc.__main__ import main\n"
        "assert main(['train']) == 0 and main(['derive', 'softmax(A x)', '--wrt', 'x']) == 0"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert Path(result.stdout.splitlines()[0]).is_relative_to(tmp_path)
    assert "ok" in result.stdout


def test_the_citation_names_the_version():
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {jc.__version__}" in lines
