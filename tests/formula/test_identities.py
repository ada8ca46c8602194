"""Every identity of the table, in both layouts and modes, against JAX and the hand formula."""

import jax
import numpy as np
import pytest
from functions import quick_jit
from identities import IDENTITIES, Identity
from slow import some

from jaxcalc import jacobian

# From the tensor y.shape + x.shape to numerator layout, written out apart from the package's table.
NUMERATOR = {
    "scalar by scalar": lambda tensor: tensor.reshape(1, 1),
    "scalar by vector": lambda tensor: tensor[None, :],
    "vector by scalar": lambda tensor: tensor[:, None],
    "vector by vector": lambda tensor: tensor,
    "scalar by matrix": lambda tensor: tensor.T,
    "matrix by scalar": lambda tensor: tensor,
}
PAIRS = [
    (layout, mode) for layout in ("numerator", "denominator") for mode in ("forward", "reverse")
]


def test_the_table_covers_every_class():
    counts = {kind: sum(i.kind == kind for i in IDENTITIES) for kind in NUMERATOR}
    assert len(IDENTITIES) == sum(counts.values()) >= 100
    assert min(counts[kind] for kind in counts if kind != "scalar by scalar") >= 9


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "identity", some(IDENTITIES, IDENTITIES[::3]), ids=lambda i: f"{i.kind}: {i.name}"
)
def test_identity(identity: Identity):
    @quick_jit
    def computed(*args):
        ours = [jacobian(identity.f, layout=la, mode=m)(*args) for la, m in PAIRS]
        theirs = [jac(identity.f)(*args) for jac in (jax.jacfwd, jax.jacrev)]
        return ours, theirs, identity.formula(*args)

    ours, theirs, formula = computed(*identity.arguments())
    numerators = [NUMERATOR[identity.kind](tensor) for tensor in theirs]
    numerators.append(formula if identity.written == "numerator" else formula.T)
    for (layout, _), J in zip(PAIRS, ours, strict=True):
        for numerator in numerators:
            expected = numerator if layout == "numerator" else numerator.T
            assert J.shape == expected.shape
            np.testing.assert_allclose(J, expected, rtol=1e-10, atol=1e-12)
