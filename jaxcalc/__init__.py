"""Matrix calculus for JAX: closed-form derivatives, exact in their last digits, in both layouts.

>>> import jax, jaxcalc as jc
>>> print(jax.grad(jc.sigmoid)(20.0))
2.0611537e-09

The rooms, from the ground floor up; imports run only upwards:

    _compat                 names that drift between jax versions
    _arrays, _versions      argument checks and the wording of errors; what a bug report says
    _layout                 Layout, the shape table, a worked 2×3 example
    _products               Jacobian products as primitives of their own
    _rows                   shifted exponentials of rows, and masks
    _softmax_products       the linear maps of the softmax family
    _logistic               sigmoid, log_sigmoid, softplus
    _softmax                softmax, log_softmax
    _logsumexp              logsumexp
    _binary_cross_entropy   sigmoid_binary_cross_entropy
    _softmax_cross_entropy  softmax_cross_entropy
    operators               structured linear maps
    _softmax_operators      the softmax family's Jacobians as operators that keep their digits
    _closed_forms           the notes' Jacobians as operators
    _structured, _signatures, rules
                            the notes' rules, for arrays and for operators
    _arguments, _modes      what is differentiated, and checked; forward or reverse
    _jacobian               jacobian and hessian of any function, as arrays
    _formula                expressions, and closed forms as text, LaTeX and Python
    _derive                 the structured derivative of any function
    _commands, __main__     the command line

Every result keeps the floating dtype of its input. float16 and bfloat16 are computed in float32
and rounded once.
"""

from jaxcalc import operators as operators
from jaxcalc import rules as rules
from jaxcalc._binary_cross_entropy import (
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
)
from jaxcalc._closed_forms import log_sigmoid_jacobian as log_sigmoid_jacobian
from jaxcalc._closed_forms import log_softmax_jacobian as log_softmax_jacobian
from jaxcalc._closed_forms import logsumexp_jacobian as logsumexp_jacobian
from jaxcalc._closed_forms import sigmoid_jacobian as sigmoid_jacobian
from jaxcalc._closed_forms import softmax_jacobian as softmax_jacobian
from jaxcalc._closed_forms import softplus_jacobian as softplus_jacobian
from jaxcalc._derive import Derivative as Derivative
from jaxcalc._derive import derive as derive
from jaxcalc._jacobian import hessian as hessian
from jaxcalc._jacobian import jacobian as jacobian
from jaxcalc._layout import Layout as Layout
from jaxcalc._layout import to_layout as to_layout
from jaxcalc._logistic import log_sigmoid as log_sigmoid
from jaxcalc._logistic import logistic as logistic
from jaxcalc._logistic import sigmoid as sigmoid
from jaxcalc._logistic import softplus as softplus
from jaxcalc._logsumexp import logsumexp as logsumexp
from jaxcalc._softmax import log_softmax as log_softmax
from jaxcalc._softmax import softmax as softmax
from jaxcalc._softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from jaxcalc._versions import __version__ as __version__
from jaxcalc._versions import show_versions as show_versions
from jaxcalc.operators import batch as batch
