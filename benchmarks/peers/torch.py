"""PyTorch on the CPU, with derivatives by its own autograd."""

import functools
from collections.abc import Callable
from typing import Any

from benchmarks.peers.peer import ORDERS, Array, Peer
from benchmarks.torch_side.tensors import array, functions, load_torch, tensor

_DTYPES = ("float16", "bfloat16", "float32", "float64")


def find() -> list[Peer]:
    """PyTorch, where it is installed."""
    torch = load_torch()
    return [] if torch is None else [Peer("torch", torch.__version__, _DTYPES, _evaluator(torch))]


def _evaluator(torch: Any) -> Callable[[str, str, Array, Array], Array | None]:
    by_name, quantities = functions(torch), _quantities(torch)

    def evaluate(function: str, quantity: str, x: Array, t: Array) -> Array | None:
        if function not in by_name:
            return None
        y = quantities[quantity](by_name[function], tensor(torch, x), tensor(torch, t))
        return array(torch, y, x.dtype)

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
