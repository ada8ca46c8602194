"""What a type checker says of the calls that people write."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REVEALED = {
    "jc.derive(jc.softmax)(x)": "Derivative",
    "jc.derive(layer)(x)": "Derivative",
    "jc.derive(lambda x: jc.softmax(2 * x))(x)": "Derivative",
    "jc.derive(lambda x: 2 * x)(x)": "Derivative",
    "jc.derive(lambda x: (x, x))(x)": "Any",
    "jc.derive(jc.softmax, layout='denominator')(x)": "Derivative",
    "jc.derive(jc.softmax)(x).formula": "str",
    "jc.derive(jc.softmax)(x).T": "Derivative",
    "jc.derive(loss)(tree)": "Any",
    "jc.derive(loss, (0, 1))(x, x)": "Any",
    "jc.derive(pair)(x)": "Any",
    "J @ x": "Array",
    "J @ np.ones(3)": "Array",
    "J @ J": "LinearOperator",
    "x.T @ J": "Array",
    "J + J": "LinearOperator",
    "2 * J": "LinearOperator",
    "-J": "LinearOperator",
    "J.T": "LinearOperator",
    "J.solve(x)": "Array",
    "J.trace()": "Array",
    "J.todense()": "Array",
    "jc.jacobian(jc.softmax)(x)": "Array",
    "jc.jacobian(loss)(tree)": "Any",
    "jc.jacobian(loss, 1)(tree, x)": "Any",
    "jc.jacobian(pair, has_aux=True)(x)": "Any",
    "jc.hessian(loss)(x)": "Array",
    "jc.batch(J)": "BlockDiagonal",
    "jc.softmax_jacobian(x)": "Derivative",
    "jc.softmax_jacobian(x).show()": "Figure",
    "jc.plot.jacobian(J)": "Figure",
    "ops.Diagonal(x)": "Diagonal",
}
PROGRAM = """
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcalc as jc
from jaxcalc import operators as ops

def loss(x: object, y: Array = jnp.ones(3)) -> Array: return jnp.sum(y)
def layer(x: Array) -> Array: return jnp.tanh(x)
def pair(x: Array) -> tuple[Array, Array]: return x, x
def asked(x: Array, tree: dict[str, Array], J: ops.LinearOperator) -> None:
"""


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "asked.py"
    file.write_text(PROGRAM + "".join(f"    reveal_type({what})\n" for what in REVEALED))
    return file


def last_name(found):
    """`jaxcalc.operators._base.LinearOperator` is `LinearOperator`."""
    return re.sub(r"[\w.]*\.", "", found)


@pytest.mark.slow
def test_mypy_reveals(program):
    run = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert "error:" not in said, said
    assert len(found := re.findall(r'Revealed type is "(.*)"', said)) == len(REVEALED), said
    assert dict(zip(REVEALED, map(last_name, found), strict=True)) == REVEALED


def test_pyright_reveals(program):
    if not shutil.which("pyright"):
        pytest.skip("pyright is not installed")
    run = ["pyright", "--outputjson", "--pythonpath", sys.executable, str(program)]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    messages = [d["message"] for d in json.loads(said)["generalDiagnostics"]]
    found = [m[1] for m in (re.search(r'is "(.*)"$', text) for text in messages) if m]
    assert dict(zip(REVEALED, map(last_name, found), strict=True)) == REVEALED
