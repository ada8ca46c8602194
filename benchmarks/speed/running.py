"""One cell: computed by everyone, checked, then timed in turns."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.libraries import AGAIN, BASELINE, QUANTITIES, Library, plain
from benchmarks.oracles.wide import Array
from benchmarks.report import Result
from benchmarks.speed.cell import WIDE, Cell
from benchmarks.speed.data import make_data
from benchmarks.statistics import rows_of
from benchmarks.timing import Contestant, Effort, Timed, check, hold
from benchmarks.torch_side.process import Job, TorchProcess


def run_cell(
    cell: Cell,
    libraries: Mapping[str, Library],
    effort: Effort,
    torch: TorchProcess | None = None,
    compiled: bool = False,
) -> Result:
    """Rows for everyone who was right; a failure where one on JAX was wrong, a note for others.

    Args:
        cell: what is timed.
        libraries: who is compared on JAX, by name.
        effort: how long to measure.
        torch: PyTorch's process, if it is compared too.
        compiled: whether `torch.compile` is.
    """
    with jax.enable_x64(cell.dtype == "float64"):
        data = make_data(cell)
        true, on_device = true_results(cell, data), tuple(map(jnp.array, data))
        contestants: dict[str, Timed] = {
            name: contestant(library, cell, on_device)
            for name, library in libraries.items()
            if cell.function in library.functions
        }
        contestants[AGAIN] = contestants[BASELINE]
        gone: dict[str, str] = {}
        if torch is not None:
            there, gone = torch.prepare(_job(cell, data, compiled))
            contestants |= there
        held = hold(contestants, lambda _, y: check(y, true, slack(cell)), effort)
    absent = {**gone, **held.absent}
    named = {**cell._asdict(), "shape": cell.place}
    times = held.times if BASELINE in held.times else {}
    rows = rows_of(times, {"part": "cell", **named}, BASELINE)
    rows += [
        {"part": "absent", **named, "contestant": name, "why": why} for name, why in absent.items()
    ]
    wrong = [name for name in libraries if name in absent]
    return Result(rows, [f"{cell}: {name} is {absent[name]}" for name in wrong])


def _job(cell: Cell, data: Sequence[Array], compiled: bool) -> Job:
    x, t, g = data
    (axis,) = cell.axes
    return Job(cell.function, cell.quantity, axis, (x, t, g), torch_device(), compiled)


def torch_device() -> str:
    """Where PyTorch should compute."""
    return "cpu" if jax.default_backend() == "cpu" else "cuda"


def contestant(library: Library, cell: Cell, data: Sequence[Any]) -> Contestant:
    """That library's way to compute the cell, compiled at its first call."""
    if cell.quantity == "jacobian":
        return Contestant(jax.jit(jax.vmap(library.jacobians[cell.function])), (data[0],))
    f = cell.of(library)
    if cell.quantity == "vjp":  # the backward pass alone, from what the forward pass keeps
        x, _, g, *beside = data
        pullback = jax.jit(lambda x, *beside: jax.vjp(lambda x: f(x, *beside), x)[1])(x, *beside)
        return Contestant(jax.jit(lambda pullback, g: pullback(g)[0]), (pullback, g))
    return Contestant(jax.jit(QUANTITIES[cell.quantity](f)), tuple(data))


def true_results(cell: Cell, data: Sequence[Array]) -> list[Array]:
    """Those of the plain formula in float64: on random data no digit of float32 is lost in it."""
    with jax.enable_x64(True):
        wide = [jnp.array(y, None if y.dtype.kind in "bi" else jnp.float64) for y in data]
        return contestant(plain(), cell, wide).outputs()


def slack(cell: Cell) -> float:
    """How much more rounding a right result may show.

    A second derivative has two products in a row. In float32 peers sum in the order that suits
    them, and their exponentials vary; what is wrong is still far beyond.
    """
    products = 4.0 if cell.quantity == "hvp" else 1.0
    sums = 16.0 if cell.dtype in WIDE else 1.0
    return products * sums
