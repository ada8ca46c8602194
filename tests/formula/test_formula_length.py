"""Formulas of long functions: bounded in length and in the work they take, and right."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import arrays_of, execute
from long_functions import LONG, composition

import jaxcalc as jc
from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._naming import MOST

PRODUCTS = 6_000  # simplified for a formula; a second or two


@pytest.fixture
def products(monkeypatch):
    """A list with an entry for each product that has been simplified."""
    made, joined = [], Algebra._joined

    def counted(*args, **kwargs):
        made.append(None)
        return joined(*args, **kwargs)

    monkeypatch.setattr(Algebra, "_joined", counted)
    return made


def check(f, x, products):
    J = jc.derive(f)(x)
    for one in (J, J.T):
        products.clear()
        assert len(one.formula) <= MOST
        assert len(products) <= PRODUCTS
        assert len(one.latex) <= 3 * MOST
    products.clear()
    assert len(J.explain()) <= MOST
    assert len(products) <= 2 * PRODUCTS
    computed = execute(J.code, arrays_of(f, x))
    np.testing.assert_allclose(computed, J.todense(), rtol=1e-8, atol=1e-10)
    return J


@pytest.mark.slow
@pytest.mark.parametrize("function", LONG)
def test_long_functions(function, products, x64):
    f, x = LONG[function]
    check(f, jnp.asarray(x, jnp.float64), products)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [10, 25, 40])
@pytest.mark.parametrize("seed", range(4))
def test_random_compositions(seed, depth, products, x64):
    check(composition(seed, depth), jnp.linspace(-1.0, 1.0, 4), products)


@pytest.mark.slow
def test_what_is_long_is_named_and_what_is_left_out_is_counted():
    f, x = LONG["nest"]
    J = jc.derive(f)(x)
    formula, _, definitions = J.formula.partition(" where ")
    assert formula == "diag(w ⊙ cos(v) ⊙ u − w ⊙ u ⊙ sin(v) + w)"
    assert definitions.startswith("u = exp(−sin(q) ⊙ p")
    assert re.search(r", u\d+ = … \(\d+ terms\)$", definitions)
    assert re.search(r"\n… \(\d+ more steps\)\n\d+\. chain \(C2\): ", J.explain())
