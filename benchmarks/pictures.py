"""The pictures of the README: `python -m benchmarks.pictures` draws them to `docs/pictures`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxcalc as jc
from benchmarks.losses.cases import SCALES, SHAPES, Case
from benchmarks.losses.logits import contestants, run_case, value_and_gradient
from benchmarks.oracles import cross_entropy
from benchmarks.plot import save

LossAndGradient = Callable[..., tuple[jax.Array, jax.Array]]
FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
DTYPE = "bfloat16"
CLASSES = 1000
# Who is drawn, by colours that the colour-blind tell apart; marks are hollow, for two are equal.
STYLES: dict[str, dict[str, Any]] = {
    "optax": {"label": "optax", "color": "#009E73", "marker": "s", "ms": 7},
    "jax.nn": {"label": "jax.nn, the plain formula", "color": "#D55E00", "marker": "x", "ms": 4},
    "high": {"label": "jaxcalc", "color": "#0072B2", "marker": "o", "ms": 5},
}


def draw_losses(shape: tuple[int, int] = SHAPES[0]) -> Figure:
    """One row's loss over the scale of its logits, and the worst errors of many rows."""
    losses = contestants(DTYPE)  # compiled with their gradients, as they are trained with
    known = {name: jax.jit(value_and_gradient(losses[name])) for name in STYLES if name in losses}
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    one, worst = figure.subplots(1, 2)
    _draw_row(one, known)
    _draw_worst(worst, shape)
    figure.legend(*one.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_row(axes: Axes, losses: Mapping[str, LossAndGradient]) -> None:
    scales = np.arange(1, 41, dtype=np.float32)
    z = np.random.default_rng(0).standard_normal(CLASSES, dtype=np.float32)
    x = (scales[:, None] * z).astype(jnp.dtype(DTYPE))
    y = np.full(len(scales), np.argmax(z), np.int32)
    for name, loss in losses.items():
        axes.plot(scales, loss(x, y)[0], ls="none", fillstyle="none", **STYLES[name])
    axes.plot(scales, cross_entropy(x.astype(np.float32), y), "k", lw=1, label="true, in float64")
    axes.set_yscale("symlog", linthresh=1e-6)
    axes.set(title=f"Loss of the likeliest of {CLASSES} classes", xlabel="scale of the logits")
    axes.set(ylabel=f"loss of {DTYPE} logits", ylim=(-3e-7, 10))
    axes.set_yticks([0, *(10.0**k for k in range(-6, 2))])
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _draw_worst(axes: Axes, shape: tuple[int, int]) -> None:
    found = [row for s in SCALES for row in run_case(Case(s, DTYPE, shape), None, None).rows]
    for name, style in STYLES.items():
        errors = [row["row_error"] for row in found if row["contestant"] == name]
        if errors:
            axes.plot(SCALES, errors, fillstyle="none", lw=1, **style)
    axes.set(xscale="log", yscale="log", ylim=(1e-8, 10), xlabel="scale of the logits")
    axes.set(title=f"Worst error of {shape[0]} rows", ylabel="error of the loss")
    axes.set_xticks(SCALES, map(str, SCALES))
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def draw_jacobian() -> Figure:
    """Softmax of four rows: a block for each."""
    x = np.random.default_rng(1).standard_normal((4, 6), dtype=np.float32)
    return jc.derive(jc.softmax)(x).show()


DRAWINGS: dict[str, Callable[[], Figure]] = {"losses": draw_losses, "jacobian": draw_jacobian}


def main(arguments: Sequence[str]) -> int:
    """Draw all of them, to the folder that is given, or to that of the README."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in DRAWINGS.items():
        save(drawing(), folder / f"{name}.svg", fonts="path")  # whatever fonts the reader has
        print(folder / f"{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
