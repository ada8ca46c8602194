"""Who is compared on accuracy: jaxcalc, jax.nn, and PyTorch and SciPy where they are installed.

A peer evaluates a quantity of a function on NumPy arrays: at x, along the tangent or cotangent t
where it is a product, in the dtype of x. It gives None for what it does not have. Elementwise
functions have the quantities of `ORDERS`, functions of rows "value", "jvp", "vjp", "jacobian".
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.libraries import Library, libraries
from benchmarks.oracles.wide import Array
from benchmarks.speed.cell import Cell
from benchmarks.speed.running import contestant
from benchmarks.torch_side.functions import array, functions, load_torch, make_call, tensor
from benchmarks.torch_side.process import Job

Peer = Callable[[str, str, Array, Array], Array | None]  # of function, quantity, x, t


def find_peers() -> Mapping[str, Peer]:
    """Every peer that can be imported here."""
    return {**jax_peers(), **_torch(), **_scipy()}


def jax_peers() -> Mapping[str, Peer]:
    """Both accuracies of jaxcalc, and jax.nn."""
    return {name: functools.partial(_on_jax, library) for name, library in libraries().items()}


def _on_jax(library: Library, function: str, quantity: str, x: Array, t: Array) -> Array | None:
    if function not in library.functions:
        return None
    cell = Cell(function, quantity.replace("vjp", "value+vjp"), x.dtype.name, x.shape)
    with jax.enable_x64(x.dtype == np.float64):
        (*_, y) = contestant(library, cell, tuple(map(jnp.asarray, (x, t, t)))).outputs()
        return y


def _torch() -> Mapping[str, Peer]:
    """On the CPU, with derivatives by its own autograd."""
    torch = load_torch()
    if torch is None:
        return {}
    known = functions(torch)

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array | None:
        if function not in known:
            return None
        job = Job(function, quantity, -1, (x, t, t), "cpu", False)
        y = make_call(torch, job, [tensor(torch, a) for a in job.arguments], compiled=False)()
        return array(torch, y[-1] if isinstance(y, tuple) else y, x.dtype)

    return {"torch": evaluate}


def _scipy() -> Mapping[str, Peer]:
    """Values only, in float32 and float64."""
    if importlib.util.find_spec("scipy") is None:
        return {}
    special = importlib.import_module("scipy.special")
    known = {
        "sigmoid": special.expit,
        "log_sigmoid": special.log_expit,
        "softmax": functools.partial(special.softmax, axis=-1),
        "log_softmax": functools.partial(special.log_softmax, axis=-1),
        "logsumexp": functools.partial(special.logsumexp, axis=-1),
    }

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array | None:
        if quantity != "value" or function not in known or x.dtype not in (np.float32, np.float64):
            return None
        return np.asarray(known[function](x), x.dtype)

    return {"scipy": evaluate}
