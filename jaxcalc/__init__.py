"""Matrix calculus for JAX: closed-form derivatives, exact in their last digits, in both layouts.

>>> import jax, jaxcalc as jc
>>> print(jax.grad(jc.sigmoid)(20.0))
2.0611537e-09

The functions, each drop-in for its namesake in `jax.nn` where there is one:

    sigmoid (logistic), log_sigmoid, softplus, softmax, log_softmax, logsumexp
    silu, mish, softsign, gelu, and the sparse relative of softmax, sparsemax

and the losses that people train with, which keep their digits in 16 bits:

    softmax_cross_entropy, linear_softmax_cross_entropy
    sigmoid_binary_cross_entropy, sigmoid_focal_loss, kl_divergence, entropy

Derivatives of any function, in either `Layout`, and those of the functions in closed form:

    derive                 the structured Jacobian with its formula, a `Derivative`
    jacobian, hessian      the same as arrays; to_layout goes from one layout to the other
    sigmoid_jacobian, softplus_jacobian, log_sigmoid_jacobian
    silu_jacobian, mish_jacobian, softsign_jacobian, gelu_jacobian
    softmax_jacobian, log_softmax_jacobian, logsumexp_jacobian, sparsemax_jacobian
    operators, batch       structured linear maps; blocks of what left `jax.vmap`
    rules                  the rules of matrix calculus
    check, assert_derivative, check_custom
                           what is wrong with a derivative made by hand; a `Report`
    plot                   pictures of derivatives, and of their errors
    show_versions          what a bug report should say

The rooms, a floor a paragraph, from the ground up; imports run only upwards:

    _compat        names that drift between jax versions
    _native        the library of native kernels, or why there is none
    _arrays        what enters: dtypes, axes, masks, and the wording of errors

    _functions     sigmoid, softmax, logsumexp, the losses; their products as primitives
    _layout        Layout, jacobian, hessian, to_layout
    _versions      what a bug report says

    _formula       expressions, and closed forms as text, LaTeX and Python
    operators      structured linear maps

    rules          the notes' rules, for arrays and for operators
    plot           pictures of derivatives and of their errors

    _closed_forms  the notes' Jacobians as operators

    _derive        the structured derivative of any function

    _check         derivatives made by hand, checked

    _commands      the command line

Every result keeps the floating dtype of its input. float16 and bfloat16 are computed in float32
and rounded once; what bfloat16 keeps for a backward pass is rounded too.
"""

from jaxcalc import operators as operators
from jaxcalc import plot as plot
from jaxcalc import rules as rules
from jaxcalc._check import Report as Report
from jaxcalc._check import assert_derivative as assert_derivative
from jaxcalc._check import check as check
from jaxcalc._check import check_custom as check_custom
from jaxcalc._closed_forms.derivative import Derivative as Derivative
from jaxcalc._closed_forms.jacobians import gelu_jacobian as gelu_jacobian
from jaxcalc._closed_forms.jacobians import log_sigmoid_jacobian as log_sigmoid_jacobian
from jaxcalc._closed_forms.jacobians import log_softmax_jacobian as log_softmax_jacobian
from jaxcalc._closed_forms.jacobians import logsumexp_jacobian as logsumexp_jacobian
from jaxcalc._closed_forms.jacobians import mish_jacobian as mish_jacobian
from jaxcalc._closed_forms.jacobians import sigmoid_jacobian as sigmoid_jacobian
from jaxcalc._closed_forms.jacobians import silu_jacobian as silu_jacobian
from jaxcalc._closed_forms.jacobians import softmax_jacobian as softmax_jacobian
from jaxcalc._closed_forms.jacobians import softplus_jacobian as softplus_jacobian
from jaxcalc._closed_forms.jacobians import softsign_jacobian as softsign_jacobian
from jaxcalc._closed_forms.jacobians import sparsemax_jacobian as sparsemax_jacobian
from jaxcalc._derive import derive as derive
from jaxcalc._functions.activations import gelu as gelu
from jaxcalc._functions.activations import mish as mish
from jaxcalc._functions.activations import silu as silu
from jaxcalc._functions.activations import softsign as softsign
from jaxcalc._functions.binary_cross_entropy import (
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
)
from jaxcalc._functions.binary_cross_entropy import sigmoid_focal_loss as sigmoid_focal_loss
from jaxcalc._functions.divergences import entropy as entropy
from jaxcalc._functions.divergences import kl_divergence as kl_divergence
from jaxcalc._functions.linear_softmax_cross_entropy import (
    linear_softmax_cross_entropy as linear_softmax_cross_entropy,
)
from jaxcalc._functions.logistic import log_sigmoid as log_sigmoid
from jaxcalc._functions.logistic import logistic as logistic
from jaxcalc._functions.logistic import sigmoid as sigmoid
from jaxcalc._functions.logistic import softplus as softplus
from jaxcalc._functions.logsumexp import logsumexp as logsumexp
from jaxcalc._functions.softmax import log_softmax as log_softmax
from jaxcalc._functions.softmax import softmax as softmax
from jaxcalc._functions.softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from jaxcalc._functions.sparsemax import sparsemax as sparsemax
from jaxcalc._layout.jacobian import hessian as hessian
from jaxcalc._layout.jacobian import jacobian as jacobian
from jaxcalc._layout.layout import Layout as Layout
from jaxcalc._layout.layout import to_layout as to_layout
from jaxcalc._versions import __version__ as __version__
from jaxcalc._versions import show_versions as show_versions
from jaxcalc.operators import batch as batch

__all__ = [
    "Derivative",
    "Layout",
    "Report",
    "__version__",
    "assert_derivative",
    "batch",
    "check",
    "check_custom",
    "derive",
    "entropy",
    "gelu",
    "gelu_jacobian",
    "hessian",
    "jacobian",
    "kl_divergence",
    "linear_softmax_cross_entropy",
    "log_sigmoid",
    "log_sigmoid_jacobian",
    "log_softmax",
    "log_softmax_jacobian",
    "logistic",
    "logsumexp",
    "logsumexp_jacobian",
    "mish",
    "mish_jacobian",
    "operators",
    "plot",
    "rules",
    "show_versions",
    "sigmoid",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "sigmoid_jacobian",
    "silu",
    "silu_jacobian",
    "softmax",
    "softmax_cross_entropy",
    "softmax_jacobian",
    "softplus",
    "softplus_jacobian",
    "softsign",
    "softsign_jacobian",
    "sparsemax",
    "sparsemax_jacobian",
    "to_layout",
]
