"""Formulas: arrays as expressions, derivatives as closed forms, in text, LaTeX and Python.

    _expression                 values as symbols, one object each
    _anonymous                  numbers for what has no name
    _own, _known                the package's own primitives; JAX's functions, recognised
    _program                    programs read as expressions
    _declared                   derivatives of functions made from a declaration
    _maps                       derivatives as trees of linear maps, and the names in them
    _numbers, _product, _sums   fractions, products with named axes, their sums,
    _algebra                        and how they simplify
    _patterns                   softmax and log-sum-exp, recognised
    _rules, _indexing, _masks   operations in canonical form: what rules share, parts of
    _gathering, _solving            arrays, choices, entries at indices, linear equations,
    _steps                          the steps of max, min and |x|,
    _kronecker, _canonical          Kronecker products, and the table of all
    _tensor                     map trees as canonical tensors
    _nodes, _notation           linear algebra: its nodes, and expressions written with them
    _operators, _arrangement    tensors as operators, and as nodes in either layout
    _places, _calls, _functions rows of I in few signs; functions in Python
    _naming, _walking           names for what is repeated or long; nodes as strings,
    _strength                       in parentheses where one binds less than another
    _writing, _signs, _styles   formulas, functions with signs of their own, text and LaTeX
    _code                       nodes as Python
    _closed_form                text, LaTeX and code of a map tree
    _local, _explain            the derivation, step by step
    _terms                      what a map does to entries

They stand on each other in about this order, and nothing in them computes on arrays.
"""

from jaxcalc._formula import _maps as maps
from jaxcalc._formula._anonymous import number_of as number_of
from jaxcalc._formula._anonymous import numbered as numbered
from jaxcalc._formula._closed_form import ClosedForm as ClosedForm
from jaxcalc._formula._closed_form import closed_form as closed_form
from jaxcalc._formula._closed_form import summands as summands
from jaxcalc._formula._explain import Explanation as Explanation
from jaxcalc._formula._explain import explain as explain
from jaxcalc._formula._expression import Expression as Expression
from jaxcalc._formula._expression import call as call
from jaxcalc._formula._expression import hashable as hashable
from jaxcalc._formula._expression import name as name
from jaxcalc._formula._expression import number as number
from jaxcalc._formula._expression import repeated as repeated
from jaxcalc._formula._known import public as public
from jaxcalc._formula._maps import names_in as names_in
from jaxcalc._formula._maps import renamed as renamed
from jaxcalc._formula._maps import renumbered as renumbered
from jaxcalc._formula._own import PLAIN as PLAIN
from jaxcalc._formula._own import plain_program as plain_program
from jaxcalc._formula._own_products import WEIGHTS as WEIGHTS
from jaxcalc._formula._own_products import Weight as Weight
from jaxcalc._formula._program import apply as apply
from jaxcalc._formula._program import read as read
from jaxcalc._formula._program import unnamed as unnamed
from jaxcalc._formula._tensor import is_zero as is_zero
from jaxcalc._formula._terms import terms_of as terms_of

__all__ = [
    "PLAIN",
    "WEIGHTS",
    "ClosedForm",
    "Explanation",
    "Expression",
    "Weight",
    "apply",
    "call",
    "closed_form",
    "explain",
    "hashable",
    "is_zero",
    "maps",
    "name",
    "names_in",
    "number",
    "number_of",
    "numbered",
    "plain_program",
    "public",
    "read",
    "renamed",
    "renumbered",
    "repeated",
    "summands",
    "terms_of",
    "unnamed",
]
