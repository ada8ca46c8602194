"""What a derivative shows of itself: its terms, and its derivation in text and in a notebook."""

import copy
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxcalc as jc

A = np.random.default_rng(1).standard_normal((4, 3))
M = A[:3]
x = jnp.asarray([0.5, -1.0, 2.0])

# fmt: off
TERMS = {
    "softmax": (jc.softmax, x, [
        "s[i] ∂x[i] → y[i]",
        "−s[i] s[j] ∂x[j] → y[i]",
        "where s = softmax(x)"]),
    "rows": (jc.softmax, jnp.ones((2, 3)), [
        "s[i, j] ∂x[i, j] → y[i, j]",
        "−s[i, j] s[i, l] ∂x[i, l] → y[i, j]",
        "where s = softmax(x)"]),
    "chain": (lambda x: jnp.tanh(A @ x), x, [
        "A[i, j] ∂x[j] → d1[i]",
        "d1[i] → y[i]",
        "−tanh(A x)[i]² d1[i] → y[i]"]),
    "residual": (lambda x: x + jnp.tanh(M @ x), x, [
        "∂x[i] → y[i]",
        "M[i, j] ∂x[j] → d1[i]",
        "d1[i] → y[i]",
        "−tanh(M x)[i]² d1[i] → y[i]"]),
    "scalar": (lambda x: x @ x, x, ["2 x[i] ∂x[i] → y"]),
    "matrix product": (lambda X: X @ A, jnp.ones((2, 4)), ["A[l, j] ∂x[i, l] → y[i, j]"]),
    "differences": (jnp.diff, x, ["I[1:][i, j] ∂x[j] → y[i]", "−I[:2][i, j] ∂x[j] → y[i]"]),
    "loop": (lambda x: lax.fori_loop(0, 6, lambda i, x: jnp.sin(x[::-1]), x), x, [
        "D[scan][i, j] ∂x[j] → y[i]"]),
    "nothing": (lambda x: jnp.ones(2), x, []),
}
# fmt: on


@pytest.mark.parametrize("name", TERMS)
def test_terms(name):
    f, point, lines = TERMS[name]
    assert list(jc.derive(f)(point).terms) == lines


def test_terms_of_the_other_layout():
    J = jc.derive(lambda x: jnp.tanh(A @ x))(x)
    assert J.T.terms == (
        "∂x[i] → d1[i]",
        "−tanh(A x)[i]² ∂x[i] → d1[i]",
        "A[j, i] d1[j] → y[i]",
    )


def test_a_derivation_is_text_and_in_a_notebook_a_list_of_formulas():
    steps = jc.derive(lambda x: jc.softmax(A @ x))(x).explain()
    assert isinstance(steps, str)
    assert steps.splitlines()[0] == "1. linear map: ∂(A x)/∂x = A"
    html = steps._repr_html_()
    assert html.startswith(
        r"<ol><li>linear map: $\frac{\partial \left(A x\right)}{\partial x} = A$</li>"
        r"<li>softmax (notes §4): $\frac{\partial \operatorname{softmax}"
    )
    assert html.count("<li") == len(steps.splitlines()) == 3
    assert html.count("$") == 6
    for copied in (copy.deepcopy(steps), pickle.loads(pickle.dumps(steps))):
        assert (str(copied), copied.html) == (str(steps), html)


def test_what_is_long_gets_a_name_in_both_styles():
    long = jc.derive(lambda x: jc.softmax(jnp.tanh(jnp.sin(A @ x) * jnp.cos(A @ x))))(x).explain()
    assert "h1 = " in long
    assert "h_{1} = " in long._repr_html_()
