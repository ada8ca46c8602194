"""PyTorch's functions by the names of the table, and tensors of the same bits as arrays."""

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
TensorFunction = Callable[..., Any]


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
