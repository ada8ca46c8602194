"""Closed forms of what is put in arrays at indices: text, and code against the dense derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import execute
from slow import some

import jaxcalc as jc

idx = jnp.array([2, 0, 2], jnp.int32)
apart = jnp.array([3, 1, 0], jnp.int32)
outside = jnp.array([-1, 7, 1], jnp.int32)
places = jnp.array([[1, 0, 1], [2, 2, 0]], jnp.int32)
NAMES = {"idx": idx, "apart": apart, "outside": outside, "places": places}

# fmt: off
SCATTERS = {  # a function, the shape of x, the formula or None
    "added to zeros": (lambda x: jnp.zeros(4).at[idx].add(x), (3,), "I[idx]ᵀ"),
    "indices outside": (lambda x: jnp.zeros(4).at[outside].add(x), (3,), "I[outside]ᵀ"),
    "added to x": (
        lambda x: x.at[idx].add(x[:3] ** 2), (4,), "I + 2 I[idx]ᵀ diag(x[:3]) I[:3]"),
    "rows": (lambda x: jnp.zeros((4, 2)).at[idx].add(x), (3, 2), "I[idx]ᵀ ⊗ I"),
    "columns": (lambda x: jnp.zeros((2, 4)).at[:, idx].add(x), (2, 3), "I ⊗ I[idx]ᵀ"),
    "sums of segments": (
        lambda x: jax.ops.segment_sum(x * x, idx, 4), (3,), "2 I[idx]ᵀ diag(x)"),
    "after a scatter": (
        lambda x: jnp.sin(jnp.zeros(4).at[idx].add(x)), (3,),
        "diag(cos(uᵀ x)) uᵀ where u = I[idx]"),
    "an entry set": (lambda x: x.at[1].set(0.0), (4,), "I − I[1] I[1]ᵀ"),
    "an entry of x set": (
        lambda x: x.at[-1].set(x[0] * x[1]), (4,),
        "I − I[3] I[3]ᵀ + I[3] (x[1] I[0] + x[0] I[1])ᵀ"),
    "entries set": (
        lambda x: x.at[apart].set(0.0, unique_indices=True), (4,),
        "I − uᵀ u where u = I[apart]"),
    "entries of x set": (
        lambda x: jnp.ones((4, 2)).at[apart, 0].set(x, unique_indices=True), (3,), None),
    "perhaps set twice": (lambda x: jnp.ones(4).at[idx].set(x), (3,), None),
    "greatest": (lambda x: x.at[idx].max(0.25), (4,), None),
    "clipped": (lambda x: jnp.zeros(4).at[outside].add(x, mode="clip"), (3,), None),
    "indices of two axes": (lambda x: jnp.zeros(4).at[places].add(x), (2, 3), None),
    "indices that are computed": (
        lambda x: jnp.zeros((4, 2)).at[idx + 1, apart // 2].set(x, unique_indices=True),
        (3,), None),
    "a slice set": (
        lambda x: jax.lax.dynamic_update_slice(jnp.ones((4, 2)), x, (idx[0], idx[1])),
        (2, 2), None),
    "taken": (lambda x: x[idx] ** 2, (4,), "2 diag(x[idx]) I[idx]"),
    "a slice": (lambda x: jax.lax.dynamic_slice(x, (idx[0],), (2,)), (4,), "dynamic_slice"),
    "product of rows": (
        lambda x: jnp.prod(x, axis=1), (3, 2),
        "blockdiag_i(uᵢᵀ) where u = prod_others(x)"),
}
# fmt: on


@pytest.mark.parametrize("case", some(SCATTERS, [*SCATTERS][::5]))
def test_formula_and_code(case, x64):
    f, shape, formula = SCATTERS[case]
    x = jnp.asarray(np.random.default_rng(5).standard_normal(shape))
    J = jc.derive(f)(x)
    assert formula is None or J.formula == formula
    assert J.explain().endswith(J.formula)
    for one in (J, J.T):
        computed = execute(one.code, {"x": x, **NAMES})
        np.testing.assert_allclose(computed, one.todense(), rtol=1e-9, atol=1e-11)
