"""§3 and §4 of the notes: the logistic function, and the softmax derivation line by line."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

import jaxcalc as jc
from jaxcalc import Layout, rules
from jaxcalc._commands.formula import Formula, Function, at
from jaxcalc.operators import LinearOperator

K = 7
VECTOR = ((K,),)


def _plain_sigmoid(x: Array) -> Array:
    return 1 / (1 + jnp.exp(-x))


def _plain_softmax(x: Array) -> Array:
    return jnp.exp(x) / jnp.sum(jnp.exp(x))


def _plain_log_softmax(x: Array) -> Array:
    return x - jnp.log(jnp.sum(jnp.exp(x)))


def _plain_logsumexp(x: Array) -> Array:
    return jnp.log(jnp.sum(jnp.exp(x)))


def _logistic(layout: Layout, x: Array) -> Array:
    s = jc.sigmoid(x)
    return jnp.reshape(s * (1 - s), (1, 1))


def _elementwise_logistic(layout: Layout, x: Array) -> Array:
    s = jc.sigmoid(x)
    return jnp.diag(s * (1 - s))


# The derivation: R4 on the scalar 1/(1ᵀe) times the vector e = exp(x).
def _total(x: Array) -> Array:
    return jnp.sum(jnp.exp(x))


def _reciprocal(x: Array) -> Array:
    return 1 / _total(x)


def _line_1(layout: Layout, x: Array) -> Array:
    return rules.scalar_product_rule(
        *at(_reciprocal, layout, x), *at(jnp.exp, layout, x), layout=layout
    )


def _line_2(layout: Layout, x: Array) -> Array:
    e = jnp.exp(x)
    total, d_total = at(_total, layout, x)
    return rules.scalar_product_rule(1 / total, -d_total / total**2, e, jnp.diag(e), layout=layout)


def _line_3(layout: Layout, x: Array) -> Array:
    e, total = jnp.exp(x), _total(x)
    return rules.sum_rule(jnp.diag(e) / total, -jnp.outer(e, e) / total**2, layout=layout)


def _line_4(layout: Layout, x: Array) -> Array:
    ratio = jnp.exp(x) / _total(x)
    return rules.sum_rule(jnp.diag(ratio), -jnp.outer(ratio, ratio), layout=layout)


def _line_5(layout: Layout, x: Array) -> Array:
    s = jc.softmax(x)
    return rules.sum_rule(jnp.diag(s), -jnp.outer(s, s), layout=layout)


def _closed(jacobian: Callable[..., LinearOperator]) -> Function:
    """The closed form that jaxcalc offers."""
    return lambda layout, x: jacobian(x, layout=layout).todense()


def _by_autodiff(function: Callable[..., Any], mode: Literal["forward", "reverse"]) -> Function:
    """What JAX makes of jaxcalc's own derivative rule."""
    return lambda layout, x: jc.jacobian(function, layout=layout, mode=mode)(x)


def _alike(name: str, statement: str, plain: Function, derivative: Function) -> Formula:
    """A formula that reads the same in both layouts."""
    return Formula(name, statement, statement, VECTOR, plain, derivative)


LOGISTIC = (
    Formula("logistic", "σ(1−σ)", "σ(1−σ)", ((),), _plain_sigmoid, _logistic),
    _alike("logistic, elementwise", "diag(σ⊙(1−σ))", _plain_sigmoid, _elementwise_logistic),
    _alike("sigmoid", "diag(σ(x)⊙σ(−x))", _plain_sigmoid, _closed(jc.sigmoid_jacobian)),
)

SOFTMAX = (
    Formula(
        "softmax, line 1",
        "(1/1ᵀe) ∂e/∂x + e ∂(1/1ᵀe)/∂x",
        "(1/1ᵀe) ∂e/∂x + ∂(1/1ᵀe)/∂x eᵀ",
        VECTOR,
        _plain_softmax,
        _line_1,
    ),
    Formula(
        "softmax, line 2",
        "diag(e)/1ᵀe − e ∂(1ᵀe)/∂x /(1ᵀe)²",
        "diag(e)/1ᵀe − ∂(1ᵀe)/∂x eᵀ/(1ᵀe)²",
        VECTOR,
        _plain_softmax,
        _line_2,
    ),
    _alike("softmax, line 3", "diag(e)/1ᵀe − e eᵀ/(1ᵀe)²", _plain_softmax, _line_3),
    _alike("softmax, line 4", "diag(e/1ᵀe) − (e/1ᵀe)(e/1ᵀe)ᵀ", _plain_softmax, _line_4),
    _alike("softmax, line 5", "diag(s) − s sᵀ", _plain_softmax, _line_5),
    _alike("softmax", "diag(s) − s sᵀ", _plain_softmax, _closed(jc.softmax_jacobian)),
    Formula(
        "log-softmax",
        "I − 1 sᵀ",
        "I − s 1ᵀ",
        VECTOR,
        _plain_log_softmax,
        _closed(jc.log_softmax_jacobian),
    ),
    Formula("log-sum-exp", "sᵀ", "s", VECTOR, _plain_logsumexp, _closed(jc.logsumexp_jacobian)),
)

_OWN: tuple[tuple[str, Function, Callable[..., Any]], ...] = (
    ("sigmoid", _plain_sigmoid, jc.sigmoid),
    ("softmax", _plain_softmax, jc.softmax),
    ("log_softmax", _plain_log_softmax, jc.log_softmax),
    ("logsumexp", _plain_logsumexp, jc.logsumexp),
)
_MODES: tuple[Literal["forward", "reverse"], ...] = ("forward", "reverse")

AUTODIFF = tuple(
    _alike(f"{name}, {mode} mode", f"∂{name}/∂x", plain, _by_autodiff(function, mode))
    for name, plain, function in _OWN
    for mode in _MODES
)
