"""Structured derivatives: the Jacobian of any function as an operator, and its closed form.

The way there, one room a step:

    _names         what a formula calls the function's arguments and the arrays it closes over
    _linearise, _closed, _entry_products
                   the function as a program of values and one that is linear in the tangent
    _coefficients  values of the first, with labelled axes, as coefficients of the second
    _terms, _like_terms
                   linear maps as products of coefficients, and their sums: einsums
    _along         maps with a structure of their own along one axis
    _structure, _pieces
                   terms as operators, and all the pieces that maps are made of
    _graph         values of the second, as sums of terms of nodes, cut out where need be
    _step, _bound, _opaque
                   an equation with its operands, and what is always known of it
    _rules, _indexing, _scatters, _structured, _solutions, _convolutions,
    _complex, _by_ones, _loops, _own
                   what primitives do to such a value
    _table         the table of primitives, one row each
    _interpret     the linear program, run by these rules
    _plan, _blocks the graph as chains, sums and blocks
    _build         the plan as an operator and as a formula
    _derive        both together, of any function
"""

from jaxcalc._derive._derive import derive as derive
