"""Expressions computed: printed as Python, executed."""

import inspect

import jax
import numpy as np

from jaxcalc._derive._names import _captured, argument_names
from jaxcalc._formula import name, read
from jaxcalc._formula._closed_form import source
from jaxcalc._formula._naming import named
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._tensor import Tensors


def execute(code, arrays):
    """The value of `derivative` in `code`, its parameters taken from `arrays`."""
    scope = {}
    exec(code, scope)
    derivative = scope["derivative"]
    names = inspect.signature(derivative).parameters
    return np.asarray(derivative(*(arrays[n] for n in names)))


def node_of(expression):
    """An expression in the notation of linear algebra."""
    return Notation().of(Tensors().value(expression))


def code_of(expression):
    """The source of a function that computes an expression."""
    node = named(node_of(expression))
    defined = {symbol["text"] for symbol, _ in node.definitions}
    names = _names(node.node) + [n for _, d in node.definitions for n in _names(d)]
    return source(node, expression.shape, [n for n in dict.fromkeys(names) if n not in defined])


def _names(node):
    own = [node["text"]] if node.op == "name" else []
    return own + [n for arg in node.args for n in _names(arg)]


def expressions(f, **arrays):
    """The expressions of the results of f, whose arguments are named."""
    program = jax.make_jaxpr(f)(*arrays.values())
    return read(program, (), [name(n, np.shape(a)) for n, a in arrays.items()])


def arrays_of(f, *args):
    """The arrays that the formulas of `derive(f)(*args)` have names for."""
    return dict(_captured(f)) | dict(zip(argument_names(f, len(args)), args, strict=True))
