"""References of higher precision, in NumPy and mpmath only: never JAX, never jaxcalc.

The tests and the accuracy benchmark share them.

- `ulp`: errors in units in the last place, and errors over a condition sum.
- `series`: functions of each entry by their definitions, with derivatives of any order.
- `softmax`: softmax, log_softmax, logsumexp, sparsemax, cross-entropy and their Jacobian products.
- `logits`: adversarial logits and tangents to try them on.

The input's dtype says how much precision is needed. For inputs of up to 32 bits, rows are computed
in float64 by forms without cancellation, functions of each entry in `numpy.longdouble`; for float64
rows in `numpy.longdouble` where that has 64 significant bits, else and each entry in mpmath.
"""

from benchmarks.oracles.logits import LOGITS as LOGITS
from benchmarks.oracles.logits import SMALLEST as SMALLEST
from benchmarks.oracles.logits import TANGENTS as TANGENTS
from benchmarks.oracles.logits import make_logits as make_logits
from benchmarks.oracles.logits import make_tangents as make_tangents
from benchmarks.oracles.series import declared_derivative as declared_derivative
from benchmarks.oracles.series import derivative as derivative
from benchmarks.oracles.series import log_sigmoid as log_sigmoid
from benchmarks.oracles.series import sigmoid as sigmoid
from benchmarks.oracles.series import softplus as softplus
from benchmarks.oracles.softmax import cross_entropy as cross_entropy
from benchmarks.oracles.softmax import cross_entropy_gradient as cross_entropy_gradient
from benchmarks.oracles.softmax import cross_entropy_jvp as cross_entropy_jvp
from benchmarks.oracles.softmax import log_softmax as log_softmax
from benchmarks.oracles.softmax import log_softmax_jvp as log_softmax_jvp
from benchmarks.oracles.softmax import log_softmax_vjp as log_softmax_vjp
from benchmarks.oracles.softmax import logsumexp as logsumexp
from benchmarks.oracles.softmax import logsumexp_jvp as logsumexp_jvp
from benchmarks.oracles.softmax import softmax as softmax
from benchmarks.oracles.softmax import softmax_jacobian as softmax_jacobian
from benchmarks.oracles.softmax import softmax_product as softmax_product
from benchmarks.oracles.softmax import sparsemax as sparsemax
from benchmarks.oracles.ulp import error_over_condition as error_over_condition
from benchmarks.oracles.ulp import is_normal as is_normal
from benchmarks.oracles.ulp import ulp_error as ulp_error
from benchmarks.oracles.ulp import unit_roundoff as unit_roundoff
from benchmarks.oracles.ulp import worst_ulp as worst_ulp
