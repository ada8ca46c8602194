"""`derive` on every identity of the table: its formula in both layouts, and its code."""

import inspect

import numpy as np
import pytest
from formula_values import execute
from formulas import FORMULAS
from identities import IDENTITIES
from slow import some

import jaxcalc as jc

CASES = [i for i in IDENTITIES if (i.kind, i.name) in FORMULAS]


# fmt: off
EXPLAINED = {  # the rules that an explanation names, in order
    ("vector by vector", "softmax Ax"): ("linear map", "softmax (notes §4)", "chain (C2)"),
    ("vector by vector", "log-softmax"): ("sum (R1)", "the derivative"),
    ("vector by vector", "x/‖x‖"): ("inner product (R2)", "scalar times vector (R4)", "chain (C2)"),
    ("vector by vector", "a⊙x"): ("linear map", "the derivative"),
    ("vector by vector", "differences"): ("selection", "selection", "sum (R1)", "chain (C2)"),
    ("scalar by vector", "xᵀx"): ("inner product (R2)", "the derivative"),
    ("scalar by vector", "xᵀBx"): ("bilinear form (R3)", "the derivative"),
    ("scalar by vector", "(Ax)ᵀC(Bx)"): ("bilinear form (R3)", "the derivative"),
    ("scalar by vector", "log Σexp"): ("log-sum-exp (notes §4)", "the derivative"),
    ("vector by scalar", "sin(t a)"): ("linear map", "elementwise", "chain with scalar input (C1)"),
    ("scalar by matrix", "1/det X"): (
        "determinant", "elementwise", "chain with matrix input (C3)"),
    ("scalar by matrix", "‖X‖"): (
        "inner product (R2)", "elementwise", "chain with matrix input (C3)"),
}
# fmt: on


def rules(explanation):
    """The rule of each step."""
    return tuple(line.split(". ", 1)[1].split(":")[0] for line in explanation.splitlines())


@pytest.mark.whole
@pytest.mark.parametrize("identity", some(CASES, CASES[::6]), ids=lambda i: f"{i.kind}-{i.name}")
def test_formula_and_code(identity, x64):
    arguments = identity.arguments()
    J = jc.derive(identity.f)(*arguments)
    assert (J.formula, J.T.formula) == FORMULAS[identity.kind, identity.name]
    explanation = J.explain()
    assert rules(explanation) == EXPLAINED.get((identity.kind, identity.name), rules(explanation))
    assert explanation.endswith(J.formula)
    arrays = dict(zip(inspect.signature(identity.f).parameters, arguments, strict=False))
    natural = J if identity.written == "numerator" else J.T
    computed = execute(natural.code, arrays)
    np.testing.assert_allclose(computed, natural.todense(), rtol=1e-9, atol=1e-11)


def test_every_row_belongs_to_an_identity():
    assert len(CASES) == len(FORMULAS)
    assert EXPLAINED.keys() <= FORMULAS.keys()


def test_logistic_and_blocks_are_explained(x64):
    x = np.linspace(-1, 1, 4)
    assert "1. logistic (notes §3): ∂σ(x)/∂x = diag(σ(x) ⊙ (1 − σ(x)))" in (
        jc.derive(lambda x: jc.sigmoid(x))(x).explain()
    )
    assert "2. the derivative, block by block: blockdiag_i(" in (
        jc.derive(lambda X: jc.softmax(X))(x.reshape(2, 2)).explain()
    )
