"""PyTorch's functions by name, quantities of them eager or compiled, and tensors like arrays.

`torch.compile` runs without dynamic shapes and must capture the whole function; on CUDA it tunes
as far as it can ("max-autotune", but no CUDA graphs, which would reuse the output's memory).
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.torch_side.process import Array, Job

TensorFunction = Callable[..., Any]
Call = Callable[[], Any]


def load_torch() -> Any | None:
    """The module, or None where it is not installed; ready for forward mode.

    At the first use of forward mode PyTorch compiles some rules with its own `torch.jit.script`,
    which warns that it is deprecated, from 2.14 on as a `FutureWarning`. Whoever only calls PyTorch
    can do nothing about that.
    """
    if importlib.util.find_spec("torch") is None:
        return None
    torch = importlib.import_module("torch")
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", ".torch.jit.script. is", kind)
        zero = torch.zeros(())
        torch.func.jvp(torch.sin, (zero,), (zero,))
    return torch


def functions(torch: Any, axis: int = -1) -> dict[str, TensorFunction]:
    """Functions by name, those of rows along that axis."""
    F = torch.nn.functional
    return {
        "sigmoid": torch.sigmoid,
        "log_sigmoid": F.logsigmoid,
        "softplus": F.softplus,
        "silu": F.silu,
        "mish": F.mish,
        "softsign": F.softsign,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "gelu_exact": F.gelu,
        "softmax": lambda x: torch.softmax(x, axis),
        "log_softmax": lambda x: torch.log_softmax(x, axis),
        "logsumexp": lambda x: torch.logsumexp(x, axis),
        "cross-entropy": lambda x, y=None: F.cross_entropy(  # of the likeliest, if not of y
            x, x.argmax(-1) if y is None else y, reduction="none"
        ),
    }


def tensor(torch: Any, x: Array) -> Any:
    """A tensor of the same bits: PyTorch does not know NumPy's bfloat16."""
    bits = torch.from_numpy(np.array(x).view(f"i{x.itemsize}"))
    return bits.view(getattr(torch, x.dtype.name))


def array(torch: Any, y: Any, dtype: np.dtype[Any]) -> Array:
    """An array of the same bits."""
    bits = y.detach().cpu().contiguous().view(getattr(torch, f"int{8 * dtype.itemsize}"))
    return np.asarray(bits.numpy()).view(dtype)


# --- quantities ---


def make_call(torch: Any, job: Job, arguments: Sequence[Any], compiled: bool) -> Call:
    """One call of that job's quantity on its tensors; of a backward pass f is compiled."""
    optimise = partial(_compiled, torch, job.device) if compiled else lambda f: f
    x, t, g = arguments
    f = functions(torch, job.axis)[job.function]
    if job.quantity.startswith("derivative"):
        return partial(_nth_derivative, torch, int(job.quantity[-1]), f, x)
    transforms = _transforms(torch, f)
    if job.quantity in transforms:
        return partial(optimise(transforms[job.quantity]), x, t, g)
    if job.quantity == "loss+gradient":  # of labels, which stand where the tangent does
        f = partial(f, y=t)
    return _backward(torch, job.quantity, optimise(f), x.clone().requires_grad_(), g)


def _transforms(torch: Any, f: TensorFunction) -> dict[str, Callable[[Any, Any, Any], Any]]:
    """What `torch.func` makes of f, as functions of x, t and g; forward over reverse for hvp."""
    jvp, vjp = torch.func.jvp, torch.func.vjp
    return {
        "value": lambda x, t, g: f(x),
        "jvp": lambda x, t, g: jvp(f, (x,), (t,)),
        "hvp": lambda x, t, g: jvp(lambda x: vjp(f, x)[1](g)[0], (x,), (t,))[1],
        "jacobian": lambda x, t, g: torch.func.vmap(torch.func.jacrev(f))(x),
    }


def _nth_derivative(torch: Any, order: int, f: TensorFunction, x: Any) -> Any:
    """Of a function of each entry, by autograd again and again."""
    y = f(x.requires_grad_())
    for _ in range(order):
        (y,) = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)
    return y


def _backward(torch: Any, quantity: str, f: TensorFunction, leaf: Any, g: Any) -> Call:
    """The value and the backward pass, or that alone from what the forward pass keeps."""
    grad = torch.autograd.grad
    if quantity == "vjp":
        kept = f(leaf)
        return lambda: grad(kept, leaf, g, retain_graph=True)

    def both() -> Any:
        y = f(leaf)
        return y, *grad(y, leaf, g)

    return both


def _compiled(torch: Any, device: str, f: TensorFunction) -> TensorFunction:
    torch.compiler.reset()  # else the ninth shape of a function runs uncompiled
    # A backward pass that is timed alone runs more than once on what was kept.
    torch._functorch.config.donated_buffer = False
    mode = "max-autotune-no-cudagraphs" if device == "cuda" else "default"
    made: TensorFunction = torch.compile(f, dynamic=False, fullgraph=True, mode=mode)
    return made
