"""PyTorch on the CPU, with derivatives by its own autograd."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.peer import ORDERS, Array, Peer, optional_module

_DTYPES = ("float16", "bfloat16", "float32", "float64")


def find() -> list[Peer]:
    """PyTorch, where it is installed."""
    torch = optional_module("torch")
    return [] if torch is None else [Peer("torch", torch.__version__, _DTYPES, _evaluator(torch))]


def _functions(torch: Any) -> dict[str, Callable[[Any], Any]]:
    F = torch.nn.functional
    return {
        "sigmoid": torch.sigmoid,
        "log_sigmoid": F.logsigmoid,
        "softplus": F.softplus,
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
    }


def _evaluator(torch: Any) -> Callable[[str, str, Array, Array], Array]:
    functions, quantities = _functions(torch), _quantities(torch)

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array:
        y = quantities[quantity](functions[function], _tensor(torch, x), _tensor(torch, t))
        return _array(torch, y.detach(), x.dtype)

    return evaluate


def _quantities(torch: Any) -> dict[str, Callable[[Any, Any, Any], Any]]:
    grad, vmap, jacrev = torch.autograd.grad, torch.func.vmap, torch.func.jacrev

    def derivative(order: int, f: Callable[[Any], Any], x: Any, t: Any) -> Any:
        y = f(x.requires_grad_())
        for _ in range(order):
            (y,) = grad(y, x, torch.ones_like(y), create_graph=True)
        return y

    return {
        **{name: functools.partial(derivative, n) for n, name in enumerate(ORDERS)},
        "jvp": lambda f, x, t: torch.func.jvp(f, (x,), (t,))[1],
        "vjp": lambda f, x, t: grad(f(x.requires_grad_()), x, t)[0],
        "jacobian": lambda f, x, t: vmap(jacrev(f))(x),
    }


def _tensor(torch: Any, x: Array) -> Any:
    """A tensor of the same bits: PyTorch does not know NumPy's bfloat16."""
    bits = torch.from_numpy(np.array(x).view(f"i{x.itemsize}"))
    return bits.view(getattr(torch, x.dtype.name))


def _array(torch: Any, y: Any, dtype: np.dtype[Any]) -> Array:
    bits = y.contiguous().view(getattr(torch, f"int{8 * dtype.itemsize}"))
    return np.asarray(bits.numpy()).view(dtype)
