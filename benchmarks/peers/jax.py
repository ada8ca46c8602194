"""jaxcalc and jax.nn, under `jit`, with derivatives by JAX's own transformations."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.peers.peer import DECLARED, ELEMENTWISE, LOSS, ORDERS, ROWS, Array, Peer
from jaxcalc._arrays import Accuracy

Function = Callable[..., jax.Array]
Transformation = Callable[[Function], Function]

DTYPES = ("float16", "bfloat16", "float32", "float64")


class Library(NamedTuple):
    """Functions by name: elementwise ones, and those of rows along the last axis."""

    functions: Mapping[str, Function]
    jacobians: Mapping[str, Function]  # of one row

    def make(self, function: str, quantity: str) -> Function:
        """That quantity of that function, as a function of x and of a tangent or cotangent."""
        if quantity == "jacobian":
            return value(jax.vmap(self.jacobians[function]))
        return QUANTITIES[quantity](self.functions[function])


def jax_nn() -> Library:
    """The functions of `jax.nn`."""
    functions: dict[str, Function] = {
        name: _called(DECLARED[name].code) if name in DECLARED else getattr(jax.nn, name)
        for name in ELEMENTWISE
    }
    functions |= {name: functools.partial(getattr(jax.nn, name), axis=-1) for name in ROWS}
    jacobians = _by_reverse_mode(functions)
    return Library({**functions, LOSS: _of_likeliest(plain_cross_entropy)}, jacobians)


def plain_cross_entropy(x: jax.Array, y: jax.Array, axis: int = -1) -> jax.Array:
    """The loss of class indices as it is written with `jax.nn`."""
    chosen = jnp.take_along_axis(x, jnp.expand_dims(y, axis), axis)
    return jax.nn.logsumexp(x, axis) - jnp.squeeze(chosen, axis)


def _of_likeliest(loss: Function) -> Function:
    """Of the logits alone: labels are the likeliest classes, for which the loss is small."""
    return lambda x: loss(x, jnp.argmax(x, -1))


def _called(code: str) -> Function:
    """A function of x by its code."""
    return cast(Function, eval(f"lambda x: {code}", {"jax": jax}))


def jaxcalc_high() -> Library:
    """The functions of jaxcalc, and its closed-form Jacobians."""
    functions = _jaxcalc("high")
    jacobians = {name: _dense(name) for name in functions}
    return Library({**functions, **DECLARED, **_loss("high")}, jacobians)


def _dense(name: str) -> Function:
    """The closed form as an array; a scalar function's one row is its gradient."""
    closed_form, is_scalar = getattr(jc, f"{name}_jacobian"), name == "logsumexp"
    return lambda x: closed_form(x).todense()[0] if is_scalar else closed_form(x).todense()


def jaxcalc_fast() -> Library:
    """The functions of jaxcalc at accuracy "fast", which the closed forms do not have."""
    functions = _jaxcalc("fast")
    return Library({**functions, **_loss("fast")}, _by_reverse_mode(functions))


def _loss(accuracy: Accuracy) -> dict[str, Function]:
    return {LOSS: _of_likeliest(functools.partial(jc.softmax_cross_entropy, accuracy=accuracy))}


def _jaxcalc(accuracy: str) -> dict[str, Function]:
    own = functools.partial(functools.partial, accuracy=accuracy)
    elementwise = {name: own(getattr(jc, name)) for name in ELEMENTWISE if name not in DECLARED}
    return elementwise | {name: own(getattr(jc, name), axis=-1) for name in ROWS}


def _by_reverse_mode(functions: Mapping[str, Function]) -> dict[str, Function]:
    return {name: jax.jacrev(f) for name, f in functions.items()}


def libraries() -> dict[str, Library]:
    """The libraries and ways of use that are compared on JAX, by name."""
    return {"jaxcalc high": jaxcalc_high(), "jaxcalc fast": jaxcalc_fast(), "jax.nn": jax_nn()}


# --- quantities: each transforms f into a function of x and of a tangent or cotangent t ---


def value(f: Function) -> Function:
    """f(x)."""
    return lambda x, t: f(x)


def jvp(f: Function) -> Function:
    """The Jacobian times t."""
    return lambda x, t: jax.jvp(f, (x,), (t,))[1]


def vjp(f: Function) -> Function:
    """The transposed Jacobian times t."""
    return lambda x, t: jax.vjp(f, x)[1](t)[0]


def derivative(order: int) -> Transformation:
    """The elementwise derivative of that order, by reverse mode every time."""

    def transform(f: Function) -> Function:
        for _ in range(order):
            f = _derivative(f)
        return value(f)

    return transform


def _derivative(f: Function) -> Function:
    return lambda x: jax.vjp(f, x)[1](jnp.ones_like(x))[0]


QUANTITIES: dict[str, Transformation] = {
    **{name: derivative(order) for order, name in enumerate(ORDERS)},
    "jvp": jvp,
    "vjp": vjp,
}


def find() -> list[Peer]:
    """Both accuracies of jaxcalc, and jax.nn."""
    return [
        Peer(name, _version(name), DTYPES, _evaluator(library))
        for name, library in libraries().items()
    ]


def _version(name: str) -> str:
    return str(jax.__version__ if name == "jax.nn" else jc.__version__)


def _evaluator(library: Library) -> Callable[[str, str, Array, Array], Array | None]:
    @functools.cache
    def compiled(function: str, quantity: str) -> Function:
        return jax.jit(library.make(function, quantity))

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array | None:
        if function not in library.functions:
            return None
        with jax.enable_x64(x.dtype == np.float64):
            return np.asarray(compiled(function, quantity)(jnp.asarray(x), jnp.asarray(t)))

    return evaluate
