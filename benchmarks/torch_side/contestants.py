"""The contestants that call PyTorch: eager and compiled.

`torch.compile` runs without dynamic shapes and must capture the whole function; on CUDA it tunes
as far as it can ("max-autotune", but no CUDA graphs, which would reuse the output's memory).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.torch_side.job import Job
from benchmarks.torch_side.tensors import TensorFunction, functions

Call = Callable[[], Any]
Maker = Callable[[Any, TensorFunction, Any, Any, Any], Call]  # of torch, f, x, t, g
Ways = dict[str, Callable[[], list[Call]]]  # how to make ready one call for each set


def ways(torch: Any, job: Job, sets: list[tuple[Any, ...]]) -> Ways:
    """The contestants of that job, by name."""
    f = functions(torch, job.axis)[job.function]
    found: Ways = {"torch": lambda: _calls(torch, MAKERS[job.quantity], f, sets)}
    if job.compiled:
        found["torch.compile"] = lambda: _compiled_calls(torch, job, f, sets)
    return found


def _calls(torch: Any, make: Maker, f: TensorFunction, sets: list[tuple[Any, ...]]) -> list[Call]:
    return [make(torch, f, *arguments) for arguments in sets]


# --- quantities ---


def _value(torch: Any, f: TensorFunction, x: Any, t: Any, g: Any) -> Call:
    def call() -> Any:
        with torch.no_grad():
            return f(x)

    return call


def _vjp(torch: Any, f: TensorFunction, x: Any, t: Any, g: Any) -> Call:
    """The backward pass alone, from what the forward pass keeps."""
    leaf = x.clone().requires_grad_()
    y = f(leaf)
    return lambda: torch.autograd.grad(y, leaf, g, retain_graph=True)


def _value_and_vjp(torch: Any, f: TensorFunction, x: Any, t: Any, g: Any) -> Call:
    leaf = x.clone().requires_grad_()

    def call() -> Any:
        y = f(leaf)
        return y, *torch.autograd.grad(y, leaf, g)

    return call


def _loss_and_gradient(torch: Any, f: TensorFunction, x: Any, y: Any, g: Any) -> Call:
    """Of a loss of labels, which stand where the tangent does."""
    return _value_and_vjp(torch, lambda x: f(x, y), x, None, g)


def _by_transform(name: str) -> Maker:
    def make(torch: Any, f: TensorFunction, x: Any, t: Any, g: Any) -> Call:
        transformed = _transforms(torch, f)[name]
        return lambda: transformed(x, t, g)

    return make


def _transforms(torch: Any, f: TensorFunction) -> dict[str, Callable[[Any, Any, Any], Any]]:
    """What `torch.func` makes of f, as functions of x, t and g; forward over reverse for hvp."""
    jvp, vjp = torch.func.jvp, torch.func.vjp
    return {
        "value": lambda x, t, g: f(x),
        "jvp": lambda x, t, g: jvp(f, (x,), (t,)),
        "hvp": lambda x, t, g: jvp(lambda x: vjp(f, x)[1](g)[0], (x,), (t,))[1],
        "jacobian": lambda x, t, g: torch.func.vmap(torch.func.jacrev(f))(x),
    }


MAKERS: dict[str, Maker] = {
    "value": _value,
    "vjp": _vjp,
    "value+vjp": _value_and_vjp,
    "loss+gradient": _loss_and_gradient,
    "jvp": _by_transform("jvp"),
    "hvp": _by_transform("hvp"),
    "jacobian": _by_transform("jacobian"),
}


# --- torch.compile ---


def _compiled_calls(
    torch: Any, job: Job, f: TensorFunction, sets: list[tuple[Any, ...]]
) -> list[Call]:
    """Compiled as a whole; for backward passes f is, and its backward by that."""
    torch.compiler.reset()  # else the ninth shape of a function runs uncompiled
    transforms = _transforms(torch, f)
    if job.quantity not in transforms:
        return _calls(torch, MAKERS[job.quantity], _compiled(torch, job, f), sets)
    whole = _compiled(torch, job, transforms[job.quantity])
    return [partial(whole, *arguments) for arguments in sets]


def _compiled(torch: Any, job: Job, f: Callable[..., Any]) -> Callable[..., Any]:
    # A backward pass that is timed alone runs more than once on what was kept.
    torch._functorch.config.donated_buffer = False
    mode = "max-autotune-no-cudagraphs" if job.device == "cuda" else "default"
    return torch.compile(f, dynamic=False, fullgraph=True, mode=mode)
