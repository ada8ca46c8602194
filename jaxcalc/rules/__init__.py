"""The rules of matrix calculus: derivatives of compounds from the derivatives of their parts.

Vectors have shape (q,), scalars shape (); derivatives always have two axes (q×p, or 1×p for a
scalar, in numerator layout), except that of a vector by a matrix, which has three. R1 to R4 and C1
to C3 are the numbers of the notes this package grew from. Where the parts are functions of the same
x in R^p, `dy` means ∂y/∂x; parts that are matrices are functions of a scalar x, and their
derivatives are like them in numerator layout, like their transposes in denominator layout. The
rules of determinants and traces differentiate by the matrix itself.

Derivatives come as arrays, or as operators of `jaxcalc.operators` that map x to y (y to x in
denominator layout). A rule given any operator returns an operator, whose `todense()` is the array.

Every rule takes `layout`, for what comes in and what goes out; the default is `"numerator"`.
Formulas stand in both layouts, Dy being the derivative in numerator layout and ∇y = Dyᵀ the one in
denominator layout. Dtypes promote as in `jax.numpy`; batches are `jax.vmap` of a rule. Shapes that
do not fit raise `ValueError`, which says what the assumed layout would need.

>>> import jax.numpy as jnp
>>> import jaxcalc as jc
>>> y, dy = jnp.array([1.0, 2.0]), jnp.ones((2, 3))
>>> print(jc.rules.inner_product_rule(y, dy, y, dy))
[[6. 6. 6.]]
>>> print(jc.rules.inner_product_rule(y, dy.T, y, dy.T, layout="denominator").shape)
(3, 1)
>>> jc.rules.hadamard_product_rule(y, jc.operators.Diagonal(y), y, jc.operators.Diagonal(y))
Diagonal(diagonal, 2×2, float32)

The rooms:

    _structured  derivatives as the rules take them, arrays or operators
    _signatures  shapes of the rules' arguments
    _rules       the rules
"""

from jaxcalc.rules._rules import bilinear_rule as bilinear_rule
from jaxcalc.rules._rules import chain_rule as chain_rule
from jaxcalc.rules._rules import determinant_rule as determinant_rule
from jaxcalc.rules._rules import hadamard_product_rule as hadamard_product_rule
from jaxcalc.rules._rules import inner_product_rule as inner_product_rule
from jaxcalc.rules._rules import inverse_rule as inverse_rule
from jaxcalc.rules._rules import log_determinant_rule as log_determinant_rule
from jaxcalc.rules._rules import matrix_chain_rule as matrix_chain_rule
from jaxcalc.rules._rules import matrix_product_rule as matrix_product_rule
from jaxcalc.rules._rules import power_rule as power_rule
from jaxcalc.rules._rules import quotient_rule as quotient_rule
from jaxcalc.rules._rules import scalar_product_rule as scalar_product_rule
from jaxcalc.rules._rules import sum_rule as sum_rule
from jaxcalc.rules._rules import trace_rule as trace_rule

__all__ = [
    "bilinear_rule",
    "chain_rule",
    "determinant_rule",
    "hadamard_product_rule",
    "inner_product_rule",
    "inverse_rule",
    "log_determinant_rule",
    "matrix_chain_rule",
    "matrix_product_rule",
    "power_rule",
    "quotient_rule",
    "scalar_product_rule",
    "sum_rule",
    "trace_rule",
]
