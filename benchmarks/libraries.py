"""jaxcalc at both accuracies and `jax.nn`: functions by name, and programs of them.

A function takes x, what stands beside it (labels, a mask) and `axis`, the class axes.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxcalc as jc
from jaxcalc._functions import activations

Function = Callable[..., Any]
Axis = int | tuple[int, ...]

BASELINE = "jax.nn"
AGAIN = f"{BASELINE} again"  # the baseline against itself
OWN = ("high", "fast")

# Those made from a declaration, by name; of one accuracy.
DECLARED = {function.name: function for function in activations.ELEMENTWISE}
ELEMENTWISE = ("sigmoid", "log_sigmoid", "softplus", *DECLARED)
ROWS = ("softmax", "log_softmax", "logsumexp")
FUNCTIONS = ("sigmoid", "log_sigmoid", *ROWS)  # whose dense Jacobians are compared too
LOSS = "cross-entropy"  # of the likeliest class of each row
INDICES = "cross-entropy(indices)"
ORDERS = ("value", "derivative 1", "derivative 2", "derivative 3")  # of functions of each entry


def is_reduction(function: str) -> bool:
    """Whether it gives one number a row: these and their uses do."""
    return function.startswith(("logsumexp", LOSS))


class Library(NamedTuple):
    """Functions by name, and the dense Jacobians of one row."""

    functions: Mapping[str, Function]
    jacobians: Mapping[str, Function]


@functools.cache
def libraries() -> dict[str, Library]:
    """Those that are compared on JAX."""
    high, fast = map(_jaxcalc, OWN)
    declared = {name: _elementwise(f) for name, f in DECLARED.items()}
    closed_forms = {name: _closed_form(name) for name in FUNCTIONS}
    return {
        "high": Library(high | declared, closed_forms),
        "fast": Library(fast, _by_reverse_mode(fast)),
        BASELINE: plain(),
    }


@functools.cache
def plain() -> Library:
    """The functions as they are written without jaxcalc."""
    found = _named(
        lambda name: getattr(jax.nn, name),
        plain_cross_entropy,
        _cross_entropy_of_distributions,
        _binary_cross_entropy,
    )
    for name, f in DECLARED.items():
        found[name] = _elementwise(eval(f"lambda x: {f.code}", {"jax": jax}))
    return Library(found, _by_reverse_mode(found))


def _jaxcalc(accuracy: str) -> dict[str, Function]:
    def own(name: str) -> Function:
        return functools.partial(getattr(jc, name), accuracy=accuracy)

    loss = own("softmax_cross_entropy")
    return _named(own, loss, loss, own("sigmoid_binary_cross_entropy"))


def _named(
    find: Callable[[str], Function],
    of_indices: Function,
    of_distributions: Function,
    binary: Function,
) -> dict[str, Function]:
    """Functions that are found by their names, the uses of them, and losses."""
    return {
        **{name: _elementwise(find(name)) for name in ELEMENTWISE if name not in DECLARED},
        **{name: find(name) for name in ROWS},
        **{f"{name}(where)": _keyword(find(name), "where") for name in ROWS},
        "logsumexp(b)": _keyword(find("logsumexp"), "b"),
        LOSS: _of_likeliest(of_indices),
        INDICES: of_indices,
        "cross-entropy(distributions)": of_distributions,
        "binary cross-entropy": _elementwise(binary),
    }


def plain_cross_entropy(x: jax.Array, y: jax.Array, axis: int = -1) -> jax.Array:
    """The loss of class indices as it is written with `jax.nn`."""
    chosen = jnp.take_along_axis(x, jnp.expand_dims(y, axis), axis)
    return jax.nn.logsumexp(x, axis) - jnp.squeeze(chosen, axis)


def _cross_entropy_of_distributions(x: jax.Array, y: jax.Array, axis: Axis) -> jax.Array:
    return -jnp.sum(y * jax.nn.log_softmax(x, axis), axis)


def _binary_cross_entropy(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _elementwise(f: Function) -> Function:
    """It has no class axes."""
    return lambda *arguments, axis: f(*arguments)


def _keyword(f: Function, name: str) -> Function:
    """What stands beside x by that name."""
    return lambda x, beside, **options: f(x, **{name: beside}, **options)


def _of_likeliest(loss: Function) -> Function:
    """Of the logits alone: labels are the likeliest classes, for which the loss is small."""
    return lambda x, axis: loss(x, jnp.argmax(x, axis), axis=axis)


def _closed_form(name: str) -> Function:
    """The closed form as an array; a scalar function's one row is its gradient."""
    closed_form, is_scalar = getattr(jc, f"{name}_jacobian"), is_reduction(name)
    return lambda x: closed_form(x).todense()[0] if is_scalar else closed_form(x).todense()


def _by_reverse_mode(functions: Mapping[str, Function]) -> dict[str, Function]:
    return {name: jax.jacrev(functools.partial(functions[name], axis=-1)) for name in FUNCTIONS}


# --- programs of f, of x, a tangent t, a cotangent g like f(x), and of what stands beside x ---


def _jvp(f: Function) -> Function:
    return lambda x, t, g, *beside: jax.jvp(lambda x: f(x, *beside), (x,), (t,))


def _value_and_vjp(f: Function) -> Function:
    def both(x: Any, t: Any, g: Any, *beside: Any) -> Any:
        y, pullback = jax.vjp(lambda x: f(x, *beside), x)
        return y, pullback(g)[0]

    return both


def vjp_and_hvp(f: Function) -> Function:
    """The gradient of ⟨g, f(x)⟩ and its derivative along t, forward over reverse."""
    both = _value_and_vjp(f)
    return lambda x, t, g, *beside: jax.jvp(lambda x: both(x, t, g, *beside)[1], (x,), (t,))


def _nth_derivative(order: int, f: Function) -> Function:
    """Of a function of each entry, by reverse mode every time."""
    if order == 0:
        return lambda x, t, g, *beside: f(x, *beside)
    lower = _nth_derivative(order - 1, f)
    return lambda x, t, g: jax.vjp(lambda x: lower(x, t, g), x)[1](jnp.ones_like(x))[0]


QUANTITIES: dict[str, Callable[[Function], Function]] = {
    "jvp": _jvp,  # f(x) and its derivative along t
    "value+vjp": _value_and_vjp,
    "hvp": lambda f: lambda *arguments: vjp_and_hvp(f)(*arguments)[1],
    **{name: functools.partial(_nth_derivative, order) for order, name in enumerate(ORDERS)},
}
