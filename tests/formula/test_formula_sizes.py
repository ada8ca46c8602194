"""Closed forms of what is batched, and at axes of size 1 and 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import execute
from slow import some

import jaxcalc as jc

SOFTMAX = "diag(s) − s sᵀ where s = softmax(x)"
# fmt: off
ONES = {  # a function, a shape with axes of size 1, the formula, the rules of the steps before it
    "softmax of a row": (
        lambda x: jax.nn.softmax(x), (1, 3), SOFTMAX, ["softmax (notes §4)"]),
    "softmax of a row, own": (
        lambda x: jc.softmax(x), (1, 3), SOFTMAX, ["softmax (notes §4)"]),
    "softmax of a column": (
        lambda x: jc.softmax(x, axis=0), (3, 1), SOFTMAX, ["softmax (notes §4)"]),
    "softmax of single entries": (lambda x: jc.softmax(x), (3, 1), "0", []),
    "log-softmax": (
        lambda x: jc.log_softmax(x), (1, 3), "I − 1 sᵀ where s = softmax(x)", ["sum (R1)"]),
    "square": (lambda x: x * x, (1, 3, 1), "2 diag(x)", ["elementwise"]),
    "inverse of a number": (lambda X: jnp.linalg.inv(X), (1, 1), "−1/X²", ["elementwise"]),
    "inverse of one matrix": (
        lambda X: jnp.linalg.inv(X), (1, 3, 3), "−u ⊗ uᵀ where u = X⁻¹", ["inverse"]),
}
BATCHES = {  # of matrices: the first step of the explanation
    "inverse": (
        lambda X: jnp.linalg.inv(X),
        "inverse: ∂(X⁻¹)/∂X = blockdiag_i(−uᵢ ⊗ uᵢᵀ) where u = X⁻¹"),
    "determinant": (
        lambda X: jnp.linalg.det(X),
        "determinant: ∂det(X)/∂X = blockdiag_i(vᵢ uᵢᵀ) where u = X⁻¹, v = det(X)"),
    "log-determinant": (
        lambda X: jnp.linalg.slogdet(X)[1],
        "determinant: ∂det(X)/∂X = blockdiag_i(vᵢ uᵢᵀ) where u = X⁻¹, v = det(X)"),
}
ALONG = {  # of A: the text, the LaTeX
    "first axis": (
        lambda A: jc.softmax(A, axis=0),
        "blockdiag_i(diag(s[:, i]) − s[:, i] s[:, i]ᵀ) where s = softmax(A, axis=0)",
        r"s = \operatorname{softmax}\left(A, axis=0\right)"),
    "last axis": (
        lambda A: jc.softmax(A),
        "blockdiag_i(diag(sᵢ) − sᵢ sᵢᵀ) where s = softmax(A)",
        r"s = \operatorname{softmax}\left(A\right)"),
    "both axes": (
        lambda A: jc.logsumexp(A),
        "softmax(A, axis=(0, 1))ᵀ",
        r"\operatorname{softmax}\left(A, axis=(0, 1)\right)^\top"),
}
# fmt: on


def numbers(shape):
    return jnp.asarray(np.random.default_rng(3).standard_normal(shape))


def check_code(J, x):
    """The code of both layouts against the dense derivative."""
    for one in (J, J.T):
        computed = execute(one.code, {"x": x, "X": x})
        assert computed.shape == one.todense().shape
        np.testing.assert_allclose(computed, one.todense(), rtol=1e-9, atol=1e-11)


def rules(J):
    return [line.split(". ", 1)[1].split(":")[0] for line in J.explain().splitlines()]


@pytest.mark.parametrize("case", some(ONES, [*ONES][::3]))
def test_axes_of_size_1_are_left_out(case, x64):
    f, shape, formula, steps = ONES[case]
    x = numbers(shape)
    J = jc.derive(f)(x)
    assert J.formula == formula
    assert rules(J)[:-1] == steps
    check_code(J, x)


@pytest.mark.parametrize("case", BATCHES)
def test_batched_matrices_are_explained(case, x64):
    f, step = BATCHES[case]
    X = numbers((3, 2, 2))
    J = jc.derive(f)(X)
    assert J.explain().splitlines()[0] == f"1. {step}"
    if case != "determinant":  # jax 0.12 differentiates it by its LU factors
        check_code(J, X)


@pytest.mark.parametrize("case", ALONG)
def test_axes_are_named_unless_they_are_the_last(case):
    f, text, latex = ALONG[case]
    J = jc.derive(f)(numbers((3, 2)))
    assert J.formula == text
    assert J.latex.endswith(latex)
