"""Hand-made derivatives, checked: whether they are right, and if not, what is wrong with them.

_rounding   how much rounding may leave where a derivative cancels
_oracles    the derivative by autodiff, in double precision, and by differences
_claim      what is claimed, as a dense array
_evidence   a claim beside the truth, in every shape that layouts give
_knowledge  what `derive` knows of the truth: named arrays, the chain, terms
_words      numbers and vectors by what they are: ½, 1/n, cos(x)
_faults     what people get wrong: a table, each fault with a test and what to change
_summands   faults of single terms: one that is missing, turned round, or has a matrix turned round
_report     what is said in the end
_check      `check` and `assert_derivative`
_custom     `check_custom`, of a function's own rules
"""

from jaxcalc._check._check import assert_derivative as assert_derivative
from jaxcalc._check._check import check as check
from jaxcalc._check._custom import check_custom as check_custom
from jaxcalc._check._report import Report as Report

__all__ = ["Report", "assert_derivative", "check", "check_custom"]
