"""`verify`: right formulas pass, and a wrong one fails however it is wrong."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow import some

import jaxcalc as jc
from jaxcalc.__main__ import main
from jaxcalc._commands import comparison, verify
from jaxcalc._commands.rule_formulas import RULES

FORMULAS = verify.FORMULAS
VECTOR_BY_VECTOR = next(formula for formula in FORMULAS if formula.name == "vector by vector")
LAYOUTS = ("numerator", "denominator")


def run(path, *argv):
    """The exit status and the record of a run."""
    status = main(["verify", "--json", str(path), *argv])
    return status, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("step", some([1, 5], [5]))
def test_every_formula_passes_in_both_layouts(step, tmp_path, capsys, monkeypatch):
    formulas = FORMULAS[::step]
    monkeypatch.setattr(verify, "FORMULAS", formulas)
    status, record = run(tmp_path / "f.json")
    out = capsys.readouterr().out
    assert status == 0
    assert out.splitlines()[-1] == f"{2 * len(formulas)} passed, 0 failed"
    assert (record["passed"], record["failed"]) == (2 * len(formulas), 0)
    expected = {(formula.name, layout) for formula in formulas for layout in LAYOUTS}
    assert {(row["formula"], row["layout"]) for row in record["results"]} == expected
    assert all(0 <= row["error"] <= record["tolerance_eps"] for row in record["results"])
    assert all(row["microseconds"] > 0 for row in record["results"])
    assert all(row["derivative"] in out for row in record["results"])
    assert (record["dtype"], record["x64"], record["seed"]) == ("float32", False, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "dtype"),
    some([(0, "float16"), (1, "bfloat16"), (2, "float64")], [(1, "bfloat16")]),
    ids=str,
)
def test_formulas_pass_in_every_dtype(start, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "FORMULAS", FORMULAS[start::6])
    status, record = run(tmp_path / "f.json", "--dtype", dtype, "--seed", "1")
    assert (status, record["failed"], record["dtype"]) == (0, 0, dtype)
    assert record["passed"] == 2 * len(FORMULAS[start::6])
    assert record["x64"] == (dtype == "float64")


@pytest.mark.parametrize(
    ("argv", "dtype"), [([], "float64"), (["--dtype", "float32"], "float32")], ids=str
)
def test_x64_is_the_mode_and_the_default_dtype(argv, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "FORMULAS", FORMULAS[:1])
    status, record = run(tmp_path / "f.json", "--x64", *argv)
    assert (status, record["dtype"], record["x64"]) == (0, dtype, True)
    assert not jax.config.read("jax_enable_x64")


def test_the_seed_moves_the_points(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "FORMULAS", FORMULAS[1:2])
    first, again, other = (
        [row["error"] for row in run(tmp_path / "f.json", "--seed", seed)[1]["results"]]
        for seed in "112"
    )
    assert first == again != other


SPOILT = {
    "slightly larger": lambda J: J * (1 + 1e-5),
    "of the other sign": lambda J: -J,
    "transposed": lambda J: J.T,
    "wrong in one entry": lambda J: J.at[0, 0].multiply(1.01),
    "NaN in one entry": lambda J: J.at[0, 0].set(jnp.nan),
    "of another dtype": lambda J: J.astype(jnp.bfloat16),
    "of another shape": lambda J: J[0],
}


def spoilt(formula, spoil):
    """The formula with `spoil` applied to its derivative."""
    right = formula.derivative
    return dataclasses.replace(
        formula, derivative=lambda layout, *args: spoil(right(layout, *args))
    )


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_wrong_formula_fails_in_both_layouts(spoil):
    wrong = spoilt(VECTOR_BY_VECTOR, spoil)
    results = list(comparison.compare(wrong, np.dtype(np.float32), 0))
    assert [result.passed for result in results] == [False, False]


@pytest.mark.parametrize(("spoil", "error"), [(lambda J: -J, "2e+07"), (lambda J: J.T, "wrong")])
def test_a_failure_is_counted_and_shown(spoil, error, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verify, "FORMULAS", (FORMULAS[0], spoilt(VECTOR_BY_VECTOR, spoil)))
    status, record = run(tmp_path / "f.json")
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[-1] == "2 passed, 2 failed"
    assert (record["passed"], record["failed"]) == (2, 2)
    assert [row["passed"] for row in record["results"]] == [True, True, False, False]
    failures = [line for line in lines if line.endswith("FAILED")]
    assert [line.split()[-3] for line in failures] == [error, error]


RULE_OF = {
    "R1 sum": "sum_rule",
    "R2 inner product": "inner_product_rule",
    "R3 bilinear": "bilinear_rule",
    "R4 scalar times vector": "scalar_product_rule",
    "C1 chain, scalar in": "chain_rule",
    "C2 chain": "chain_rule",
    "C3 chain, matrix in": "matrix_chain_rule",
}


@pytest.mark.parametrize("formula", some(RULES, RULES[::3]), ids=lambda formula: formula.name)
def test_a_wrong_rule_fails(formula, monkeypatch):
    rule = getattr(jc.rules, RULE_OF[formula.name])
    monkeypatch.setattr(jc.rules, RULE_OF[formula.name], lambda *a, **k: 1.25 * rule(*a, **k))
    # bfloat16 has the widest tolerance
    results = list(comparison.compare(formula, jnp.dtype("bfloat16"), 0))
    assert [result.passed for result in results] == [False, False]


@pytest.mark.parametrize(
    ("y_shape", "x_shape", "numerator"),
    [
        ((), (), (1, 1)),
        ((), (3,), (1, 3)),
        ((4,), (), (4, 1)),
        ((4,), (3,), (4, 3)),
        ((), (3, 4), (4, 3)),
        ((3, 4), (), (3, 4)),
        ((5,), (3, 4), (5, 3, 4)),
        ((2, 5), (3, 4), (2, 5, 3, 4)),
    ],
    ids=str,
)
def test_the_reference_has_the_shapes_of_the_notes(y_shape, x_shape, numerator):
    tensor = np.arange(np.prod(y_shape + x_shape, dtype=int), dtype=float)
    tensor = tensor.reshape(y_shape + x_shape)
    rows, columns = (comparison.arranged(tensor, len(y_shape), layout) for layout in jc.Layout)
    assert rows.shape == numerator
    if len(numerator) == 2:
        np.testing.assert_array_equal(columns, rows.T)
    else:
        np.testing.assert_array_equal(
            columns, np.moveaxis(tensor, range(len(y_shape)), range(-len(y_shape), 0))
        )
