"""`check` on the command line: right and wrong derivatives, and what it cannot read."""

import json
import shlex

import pytest

from jaxcalc.__main__ import main

RIGHT = [
    "'x @ A @ x' 'A x + x A' --wrt x",
    "'x @ A @ x' 'x (A + A.T)' --wrt x --layout denominator",
    "'softmax(A x)' '(diag(softmax(A x)) - outer(softmax(A x), softmax(A x))) A' --wrt x",
    "'t**3' '3t²' --wrt t",
    "'sin(x)' 'diag(cos(x))' --wrt x",
    "'t a' a --wrt t",
    "'tr(A X)' A --wrt X",
    "'-x' '-eye(3)' --wrt x --shape x=3",
    "'x/‖x‖' 'I/‖x‖ − x xᵀ/‖x‖³' --wrt x",
    "'I x' I --wrt x",
]
WRONG = {
    "'x @ A @ x' '2 * A @ x' --wrt x": "it is right if A = Aᵀ",
    "'A x' A.T --wrt x --shape A=3x3": "the other layout: it is in denominator layout",
    "'sin(2x)' 'diag(cos(2x))' --wrt x": "a constant factor: multiply by 2",
    "'tanh(A x)' 'diag(1 - tanh(A x)**2)' --wrt x": "multiply by A from the right",
    "'sin(x)' 'cos(x)' --wrt x": "the diagonal as a vector",
    "'‖A x − b‖²' '2 (A x − b)' --wrt x": "multiply by A from the right",
    "'softmax(x)' 'softmax(x) (1 - softmax(x))' --wrt x": "it is a number: both layouts want",
    "'(b^T x) x' 'x b^T + b^T x' --wrt x": "you have the diagonal of (bᵀ x) I in every row",
    "'-y^T log(softmax(W x))' '(softmax(W x) - y)^T W' --wrt x": "1/sum(y) times sum(y) sᵀ W",
    "'‖x‖' 'x/‖x‖²' --wrt x": "the derivative: xᵀ/‖x‖",
}


def run(command, *argv):
    return main(["check", *shlex.split(command), *argv])


@pytest.mark.parametrize("command", RIGHT)
def test_what_is_right(command, capsys):
    assert run(command) == 0
    assert "right: ∂f/∂x in " in capsys.readouterr().out


@pytest.mark.parametrize("command", WRONG)
def test_what_is_wrong_is_said(command, capsys, tmp_path):
    path = tmp_path / "report.json"
    assert run(command, "--json", str(path)) == 1
    out = capsys.readouterr().out
    assert WRONG[command] in out
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["right"] is False
    assert record["shapes"]
    assert all(finding["residual"] < 1e-6 for finding in record["diagnoses"])


REFUSED = {
    "'x @ x' '2 b' --wrt x": "`b` is in the derivative, but not in `x @ x`.",
    "'x @ x' '2 x' --wrt y": "`--wrt y` must be a name in the expression",
    "'x @ x' 'sin(' --wrt x": "argument DERIVATIVE: the expression cannot be read at `(`",
    "'x[' '2 x' --wrt x": "argument EXPRESSION: the expression cannot be read at `[`",
}


@pytest.mark.parametrize("command", REFUSED)
def test_refusals_are_one_line(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(command)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert REFUSED[command] in error
