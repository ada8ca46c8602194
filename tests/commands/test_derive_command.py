"""`derive` on the command line: it prints the derivative, or says what it cannot read."""

import json
import re
import shlex
from itertools import cycle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow import some

import jaxcalc as jc
from jaxcalc.__main__ import main
from jaxcalc._commands import derivation, derive
from jaxcalc._commands.reader import read

LAYOUTS = ("numerator", "denominator")
NUMERATOR = jc.Layout.NUMERATOR
CHAIN = "'softmax(A @ x + b)' --wrt x --shape A=3,4 --shape x=4 --shape b=3"

# The command line, and the formula in numerator and in denominator layout.
FORMULAS = {
    CHAIN: (
        "(diag(s) − s sᵀ) A where s = softmax(A x + b)",
        "Aᵀ (diag(s) − s sᵀ) where s = softmax(A x + b)",
    ),
    "'softmax(x)' --wrt x --shape x=5": (
        "diag(s) − s sᵀ where s = softmax(x)",
        "diag(s) − s sᵀ where s = softmax(x)",
    ),
    "'sin(x)' --wrt x --shape x=(5,)": ("diag(cos(x))", "diag(cos(x))"),
    "'A @ x' --wrt x --shape A=3,4 --shape x=4": ("A", "Aᵀ"),
    "'tanh(c) * a' --wrt a --shape c= --shape a=3": ("tanh(c) I", "tanh(c) I"),
}


def run(command, *argv):
    """The exit status of `derive`."""
    return main(["derive", *shlex.split(command), *argv])


def record(path, command, *argv):
    """The exit status and the record of a run."""
    status = run(command, "--json", str(path), *argv)
    return status, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("command", FORMULAS)
def test_the_formula(command, layout, tmp_path, capsys):
    status, found = record(tmp_path / "f.json", command, "--layout", layout)
    expected = FORMULAS[command][LAYOUTS.index(layout)]
    out = capsys.readouterr().out
    assert status == 0
    assert found["formula"] == expected
    assert all(f"    {line}\n" in out for line in expected.splitlines())


# Every kind of structure, value and argument; the sizes differ.
COMMANDS = [
    "'x @ W @ x' --wrt x --shape x=3 --shape W=3,3",
    "'sum(exp(x))' --wrt x --shape x=4",
    "'c * x' --wrt c --shape c=() --shape x=3",
    "'a @ X @ b' --wrt X --shape a=2 --shape X=2,3 --shape b=3",
    "'c * A' --wrt c --shape c= --shape A=2,3",
    "'softmax(X)' --wrt X --shape X=2,3",
    "'x - x' --wrt x --shape x=4",
    "'sqrt(x) + log(x)' --wrt x --shape x=4",
    "'softmax_cross_entropy(W @ x, y)' --wrt x --shape W=3,2 --shape x=2 --shape y=3",
    "'(roll(x, -1) - roll(x, 1)) / h' --wrt x --shape x=5 --shape h=",
    "'x[1:] * x[:-1]' --wrt x --shape x=5",
    "'abs(x - y)' --wrt x --shape x=4 --shape y=4",
    "'x + y' --wrt y --shape x=4 --shape y=4",
    "'logdet(X)' --wrt X --shape X=3,3",
]


CHECKED = list(zip(COMMANDS, cycle(LAYOUTS), strict=False))


@pytest.mark.parametrize(("command", "layout"), some(CHECKED, CHECKED[::3]))
def test_the_derivative_agrees_and_its_code_computes_it(command, layout, tmp_path, capsys):
    status, found = record(tmp_path / "f.json", command, "--layout", layout)
    assert status == 0
    assert capsys.readouterr().out.endswith(": ok\n")
    assert found["passed"]
    rng = np.random.default_rng(7)
    arrays = {n: rng.uniform(0.1, 0.9, s).astype("f4") for n, s in found["shapes"].items()}
    expression = read(found["expression"])
    position = expression.names.index(found["wrt"])
    expected = jc.jacobian(expression, position, layout=layout)(*arrays.values())
    assert found["shape"] == list(expected.shape)
    got = derivation.evaluated(found["code"], arrays)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_the_report_says_it_all(capsys):
    assert run(CHAIN) == 0
    lines = capsys.readouterr().out.splitlines()
    titles = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert titles == ["function", "derivative", "structure", "cost", "point", "checked"]
    assert lines[0] == "function    softmax(A @ x + b)   (A 3×4, x 4, b 3)"
    assert lines[1] == "derivative  by x, numerator layout, 3×4:"
    assert "uniform in (-1, 1), seed 0, float32 on" in lines[-2]
    words = r"in float64, error \d+\.\d eps \(its code \d+\.\d; jacfwd in float32 \d+\.\d\): ok$"
    assert re.search(words, lines[-1])


@pytest.mark.slow
@pytest.mark.parametrize("form", derive.FORMS)
def test_one_form_alone(form, tmp_path, capsys):
    status, found = record(tmp_path / "f.json", CHAIN, f"--{form}")
    assert status == 0
    assert capsys.readouterr().out == found[form] + "\n"


def test_the_forms_are_what_they_are_called(tmp_path, capsys):
    _, found = record(tmp_path / "f.json", CHAIN)
    assert "\\operatorname{diag}" in found["latex"]
    assert "C2" in found["explain"]
    compile(found["code"], "derivative.py", "exec")


def test_double_precision_is_a_mode_of_the_command_alone(tmp_path, capsys):
    status, found = record(tmp_path / "f.json", CHAIN, "--x64")
    assert (status, found["dtype"]) == (0, "float64")
    assert found["errors"]["jacfwd"] == 0
    assert not jax.config.read("jax_enable_x64")


def point(text, seed=0, **shapes):
    """The problem of differentiating by the first name, and its random point."""
    problem = derivation.posed(read(text), next(iter(shapes)), [*shapes.items()], NUMERATOR)
    return problem, derivation.random_point(problem, np.dtype(np.float32), seed)


def test_the_seed_moves_the_point():
    first, again, other = (point("sin(x)", seed, x=(3,))[1].arrays[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)


def test_the_point_lies_where_the_function_does():
    assert point("sin(x)", x=(3,))[1].drawn == (-1.0, 1.0)
    assert point("log(x)", x=(3,))[1].drawn == (0.1, 0.9)
    assert point("arcsin(x) / sqrt(x)", x=(3,))[1].drawn == (0.1, 0.9)


BAD_ARGUMENTS = {
    "no expression": ("--wrt x", "the following arguments are required: EXPRESSION"),
    "no wrt": ("x --shape x=3", "the following arguments are required: --wrt"),
    "an attribute": ("A.real --wrt A", "`A.real` is not allowed: of attributes only A.T is known"),
    "a call": ("'__import__(os)' --wrt x", "`__import__` is not a known function"),
    "a percent": (
        "'x %s' --wrt x --shape x=3",
        "argument EXPRESSION: `%` cannot be read; write A x",
    ),
    "another case": ("X --wrt X --shape x=4", "`--shape x` is not in the expression."),
    "misspelt shape": (
        "'sin(theta)' --wrt theta --shape teta=4",
        "`--shape teta` is not in the expression; did you mean `theta`?",
    ),
    "names in one": (
        "'Ax + b' --wrt x",
        "it has Ax, b; for a product of x and another array write",
    ),
    "too deep": (f"{'-' * 60}x --wrt x", "nested deeper than 50 levels; name a part of it"),
    "two uses": (
        "'eye(3) @ x + eye(4) @ x' --wrt x",
        "no shapes of `x` fit both `eye(3) @ x` and `eye(4) @ x`.",
    ),
    "two uses of what is given": (
        "'x.T @ A @ x + det(A)' --wrt x --shape A=3x4",
        "`x.T @ A @ x` cannot be computed from shapes 4 and 3: the inner sizes differ",
    ),
    "no use": ("'inv(x)[0][0][0] + x' --wrt x", "`inv(x)` cannot be computed from shapes"),
    "unused shape": ("x --wrt x --shape x=4 --shape y=4", "`--shape y` is not in the expression."),
    "two shapes": ("x --wrt x --shape x=4 --shape x=3", "`--shape x` is given more than once"),
    "unknown wrt": (
        "x --wrt y --shape x=4",
        "`--wrt y` must be a name in the expression; it has x",
    ),
    "no names": ("1+1 --wrt x", "`--wrt x` must be a name in the expression; it has none"),
    "shapes that differ": (
        "'A @ x' --wrt x --shape A=3,4 --shape x=5",
        "from shapes 3×4 and 5: the inner sizes differ, since 4 is not 5. (--help",
    ),
    "an index beyond": ("'x[4]' --wrt x --shape x=4", "index 4 is out of bounds"),
    "a shape of letters": ("x --wrt x --shape x=n", "must be a name and sizes, such as A=3x4"),
    "a shape without a name": ("x --wrt x --shape 3,4", "must be a name and sizes"),
    "a size of zero": ("x --wrt x --shape x=0", "must be a name and sizes"),
    "a negative size": ("x --wrt x --shape x=-3", "must be a name and sizes"),
    "a huge size": ("x --wrt x --shape x=99999999999", "must be a name and sizes"),
    "a huge shape": ("x --wrt x --shape x=99999,99999", "must have at most 8 axes and 16777216"),
    "many axes": ("x --wrt x --shape x=1,1,1,1,1,1,1,1,1", "must have at most 8 axes"),
    "a huge derivative": (
        "'exp(x)' --wrt x --shape x=5000",
        "`exp(x)` has 5000 entries, where at most 3355 are allowed; give smaller shapes",
    ),
    "no finite value": (
        "'log(x - 2)' --wrt x --shape x=3",
        "the derivative of `log(x - 2)` is not finite at random points",
    ),
    "another layout": ("x --wrt x --shape x=3 --layout mixed", "invalid choice: 'mixed'"),
    "two forms": ("x --wrt x --shape x=3 --latex --code", "not allowed with argument --latex"),
}


@pytest.mark.parametrize(("command", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_a_bad_argument_gets_one_line_and_status_2(command, words, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run(command)
    out, err = capsys.readouterr()
    assert exit_info.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize("text", ["A=3,4", "A=(3,4)", "A=(3, 4,)", "A=3,4,", "A=3x4", "A=3 × 4"])
def test_ways_to_write_a_shape(text):
    assert derive.shape(text) == ("A", (3, 4))


@pytest.mark.parametrize("text", ["c=", "c=()", "c= "])
def test_ways_to_write_the_shape_of_a_scalar(text):
    assert derive.shape(text) == ("c", ())


# What people paste, the formula in numerator layout, and the shapes that it is taken with.
PASTED = {
    "A x": ("A", "A 3×4, x 4"),
    "softmax(A x + b)": ("(diag(s) − s sᵀ) A where s = softmax(A x + b)", "A 3×4, x 4, b 3"),
    "2x": ("2 I", "x 3"),
    "-x": ("−I", "x 3"),
    "-2x": ("−2 I", "x 3"),
    "x' A x": ("xᵀ Aᵀ + xᵀ A", "x 3, A 3×3"),
    "x.T @ A @ x": ("xᵀ Aᵀ + xᵀ A", "x 3, A 3×3"),
    "x^T A x": ("xᵀ Aᵀ + xᵀ A", "x 3, A 3×3"),
    "jnp.exp(x)": ("diag(exp(x))", "x 3"),
    "np.sin(x)": ("diag(cos(x))", "x 3"),
    "jax.nn.softmax(x)": ("diag(s) − s sᵀ where s = softmax(x)", "x 3"),
    "‖A x − b‖²": ("2 (A x − b)ᵀ A", "A 3×4, x 4, b 3"),
    "tr(x)": ("I", "x 3×3"),
    "logdet(x)": ("x⁻¹", "x 3×3"),
    "x⁻¹ b": (None, "x 3×3, b 3"),
    "σ(x)": ("diag(σ(x) ⊙ (1 − σ(x)))", "x 3"),
    "where(x > 0, x, 0)": (None, "x 3"),
    "var(x)": (None, "x 3"),
    "std(x)": (None, "x 3"),
    "sign(x) * x": ("diag(sign(x))", "x 3"),
    "kron(x, A)": (None, "x 3×4, A 5×6"),
    "kron(x, A) b": (None, "x 3×4, A 5×6, b 24"),
    "norm(x, 1)": (None, "x 3"),
    "layer_norm(x)": (None, "x 3"),
    "gelu(x)": (None, "x 3"),
    "max(x, 0)": (None, "x 3"),
    "exp(-(x-μ)²/(2σ²))": (None, "x 3, μ 3, σ scalar"),
    "exp(-norm(x-m)**2/(2*s**2))": (None, "x 3, m 3, s scalar"),
    "x[1:] * x[:-1] + x[5]": (None, "x 6"),
}


@pytest.mark.parametrize("text", PASTED, ids=PASTED)
def test_what_is_pasted_is_read(text, capsys):
    assert main(["derive", text, "--wrt", "x"]) == 0
    formula, shapes = PASTED[text]
    out = capsys.readouterr().out
    assert f"function    {text}   ({shapes})\n" in out
    assert f":\n\n    {formula or ''}" in out
    assert out.endswith(": ok\n")


@pytest.mark.parametrize("text", ["--", "-h"])
def test_options_stay_options(text, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["derive", "x", "--wrt", "x", text, "--nonsense"])
    assert exit_info.value.code == (0 if text == "-h" else 2)


def test_a_minus_after_two_dashes(capsys):
    assert run("--wrt x --shape x=3 -- -x") == 0
    assert "function    -x   (x 3)" in capsys.readouterr().out


def test_a_guess_is_said_and_how_to_give_another(tmp_path, capsys):
    _, found = record(tmp_path / "f.json", "'A x' --wrt x --shape x=5")
    assert found["shapes"] == {"A": [3, 5], "x": [5]}
    assert found["guessed"] == ["A"]
    assert "guessed     the shapes of A; to give one: --shape A=3x5\n" in capsys.readouterr().out
    record(tmp_path / "f.json", "'A x' --wrt x --shape x=5 --shape A=2x5")
    assert "guessed" not in capsys.readouterr().out


DOUBTS = {
    "max(x, 0)": "`max(x, 0)` is read as maximum(x, 0), not max(x, axis=0)",
    "jnp.max(x, 0)": "`jnp.max(x, 0)` is read as max(x, axis=0), not maximum(x, 0)",
    "1/2x": "`1/2x` is read as (1/2) x",
    "sum(A * x)": "`A * x` is read entry by entry; A x or A @ x is the matrix product",
    "tr(A^2) x": "`A^2` is read entry by entry; A A is the matrix product",
    "x y": "`x y` is read as the inner product; x ⊙ y is entry by entry, x yᵀ outer",
    "x @ x.T": "`x @ x.T` is read as NumPy does, as the inner product; x xᵀ is the outer",
    "e^x": "`e^x` is read as exp(x)",
}
PLAIN = ["max(x, axis=0)", "max(0, x)", "1/2 x", "(1/2)x", "A @ A.T @ x", "A A x", "x' y", "x * y"]


@pytest.mark.parametrize("text", DOUBTS, ids=DOUBTS)
def test_a_doubtful_reading_is_said_in_one_line(text, capsys):
    with jax.numpy_rank_promotion("allow"):  # as it is for those who do not run these tests
        assert main(["derive", text, "--wrt", "x"]) == 0
    assert capsys.readouterr().err == f"jaxcalc derive: note: {DOUBTS[text]}\n"


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_reading_is_not(text):
    assert not derivation.posed(read(text), "x" if "x" in text else "A", [], NUMERATOR).doubts


PRINTED = [
    "A x",
    "x' A x",
    "exp(x)",
    "σ(x)",
    "‖A x − b‖²",
    "b' A x",
    "sign(x) * x",
    "logdet(x)",
    "norm(x)",
    "exp(-norm(x-m)**2/(2*s**2))",
]


@pytest.mark.parametrize("text", PRINTED, ids=PRINTED)
def test_what_is_printed_is_read(text, x64):
    f = read(text)
    problem = derivation.posed(f, "x", [], NUMERATOR)
    drawn = derivation.random_point(problem, np.dtype(np.float64), 0)
    J = derivation.derived(problem, drawn)
    formula = read(J.formula)
    got = formula(*(drawn.arrays[f.names.index(name)] for name in formula.names))
    np.testing.assert_allclose(jnp.reshape(got, J.shape), J.todense(), rtol=1e-12)


# Right whatever the point is: singular near 0, integers, zeros up to rounding, sums that cancel.
DELICATE = [
    "exp(-norm(x-m)**2/(2*s**2))",
    "norm(x)/s**3",
    "x*2",
    "x[0]*2",
    "sum(softmax(x))",
    "x / x",
    "(x + 1000000) - 1000000",
    "log(1 + x**8)",
    "sin(1000000*x)",
    "tan(10*x)",
    "inv(X) x",
    "1/(x - y)**3",
    "sin(x)**2 + cos(x)**2",
    "exp(20*x)",
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("text", DELICATE, ids=DELICATE)
def test_a_right_formula_is_never_called_wrong(text, seed, capsys):
    assert main(["derive", text, "--wrt", "x", "--seed", str(seed)]) == 0
    assert capsys.readouterr().out.endswith(": ok\n")


@pytest.mark.parametrize("text", DELICATE, ids=DELICATE)
def test_a_wrong_one_still_is(text, spoil, capsys):
    spoil(lambda J: J * 1.01 + 0.01)
    assert main(["derive", text, "--wrt", "x"]) == 1
    assert capsys.readouterr().out.endswith(": FAILED\n")


@pytest.mark.slow
def test_a_point_with_much_noise_is_left_for_another():
    s = [float(point("x/s**3", seed, x=(3,), s=())[1].arrays[1]) for seed in range(20)]
    assert min(map(abs, s)) > 1e-3


def test_what_single_precision_cannot_decide_double_does(capsys):
    run("'sin(1000000*x)' --wrt x")
    assert "float64 on" in capsys.readouterr().out
    run("'sin(x)' --wrt x")
    assert "float32 on" in capsys.readouterr().out


class Spoilt:
    """A derivative with its dense form changed."""

    def __init__(self, J, change):
        self.J, self.change = J, change

    def __getattr__(self, name):
        return getattr(self.J, name)

    def todense(self):
        return self.change(self.J.todense())


@pytest.fixture
def spoil(monkeypatch):
    """A way to change what the derivative is."""
    right = derivation.derived
    return lambda change: monkeypatch.setattr(
        derive, "derived", lambda *args: Spoilt(right(*args), change)
    )


@pytest.fixture(scope="module")
def checked():
    """A problem, its point, the derivative and its source text."""
    problem, drawn = point("A @ sin(x)", x=(4,), A=(3, 4))
    J = derivation.derived(problem, drawn)
    return problem, drawn, J, J.code


SPOILT = {
    "of the other sign": lambda J: -J,
    "slightly larger": lambda J: J * (1 + 1e-4),
    "transposed": lambda J: J.T,
    "with a NaN": lambda J: J.at[0, 0].set(jnp.nan),
    "of another dtype": lambda J: J.astype(jnp.bfloat16),
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_a_wrong_derivative_does_not_pass(change, checked):
    problem, drawn, J, code = checked
    right = derivation.errors(problem, drawn, J, code)
    wrong = derivation.errors(problem, drawn, Spoilt(J, change), code)
    assert (right.passed, wrong.passed) == (True, False)
    assert wrong.code == right.code


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_wrong_code_does_not_pass(change, checked, monkeypatch):
    right = derivation.evaluated
    monkeypatch.setattr(derivation, "evaluated", lambda *args: change(right(*args)))
    found = derivation.errors(*checked)
    assert not found.passed
    assert found.derivative < 16


def test_a_failure_is_shown_and_recorded(spoil, tmp_path, capsys):
    spoil(lambda J: -J)
    status, found = record(tmp_path / "f.json", CHAIN)
    assert (status, found["passed"]) == (1, False)
    assert found["errors"]["derivative"] > 1e6
    assert capsys.readouterr().out.endswith(": FAILED\n")


def test_a_failure_is_said_beside_the_code(spoil, capsys):
    spoil(lambda J: 2 * J)
    assert run(CHAIN, "--code") == 1
    out, err = capsys.readouterr()
    assert "def derivative(" in out
    assert err.startswith("jaxcalc derive: wrong: against `jax.jacfwd` in float64, error ")
    assert err.count("\n") == 1


def test_a_zero_derivative_must_be_zero():
    problem, drawn = point("x - x", x=(4,))
    J = derivation.derived(problem, drawn)
    right = derivation.errors(problem, drawn, J, None)
    wrong = derivation.errors(problem, drawn, Spoilt(J, lambda J: J + 1e-30), None)
    assert (right.derivative, wrong.derivative) == (0, np.inf)


@pytest.mark.parametrize("options", [(), ("--x64", "--layout", "denominator")])
def test_the_picture(options, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "J.svg"
    assert run("'A x' --wrt x --shape A=3x4", "--plot", str(path), *options) == 0
    assert path.stat().st_size > 5_000


def test_a_picture_of_another_kind_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("'A x' --wrt x", "--plot", str(tmp_path / "J.txt"))
    assert "--plot: must end in one of .png, .pdf, .svg" in capsys.readouterr().err
