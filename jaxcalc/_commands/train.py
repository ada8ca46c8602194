"""`train`: handwritten digits by multinomial logistic regression, fitted in two ways."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxcalc as jc
from jaxcalc._commands import digits, fitting, regression
from jaxcalc._commands.options import Command, add_common_options, picture_file, write_json

PENALTY = 3e-4
METHODS = (fitting.NEWTON, fitting.DESCENT)
AGREEMENT = 32  # eps: the two gradients sum the same numbers in different orders
PROGRESS = "{:30}iteration {:5}   loss {:.7f}   at most {:.1e} above the minimum"
HEADER = "{:30}{:>10}{:>16}{:>19}{:>12}{:>9}"
ROW = "{:30}{:10.7f}{:16.4f}{:19.4f}{:12}{:9.2f}"


@dataclass(frozen=True)
class Result:
    """One row of the closing table."""

    method: str
    loss: float
    train_accuracy: float
    held_out_accuracy: float
    iterations: int
    seconds: float
    converged: bool
    losses: list[float]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train`."""
    add_common_options(parser, seeded="the split into images to fit and images held out")
    help_text = "also draw the losses and the softmax Jacobian of a digit (needs matplotlib)"
    parser.add_argument("--plot", type=picture_file, metavar="FILE.png", help=help_text)


def run(options: argparse.Namespace) -> int:
    """Fit by both methods, print how it went, and write the files that were asked for."""
    double = options.x64 or jax.config.read("jax_enable_x64")
    # "highest": GPUs would otherwise round the factors of float32 products to 10 bits
    with jax.enable_x64(double), jax.default_matmul_precision("highest"):
        return _train(options, np.dtype(np.float64 if double else np.float32))


def _train(options: argparse.Namespace, dtype: np.dtype[Any]) -> int:
    parts = digits.split(digits.load(), options.seed)
    train, held_out = (regression.problem(part, PENALTY, dtype) for part in parts)
    _print_setting(train, held_out, options.seed)
    error = _gradient_error(train, options.seed)
    fits = [fitting.fit(method, train, _print_progress) for method in METHODS]
    results = [_result(fit, train, held_out) for fit in fits]
    _print_table(results)
    _write_json(options, dtype, error, results)
    _draw(options.plot, fits, parts[1], held_out)
    return 0 if error <= AGREEMENT and all(fit.converged for fit in fits) else 1


def _print_setting(train: regression.Problem, held_out: regression.Problem, seed: int) -> None:
    device = jax.local_devices()[0].device_kind
    print(digits.citation())
    print(
        f"{len(train.labels)} images to fit, {len(held_out.labels)} held out (seed {seed}); "
        f"penalty {PENALTY}; {train.features.dtype} on {device}"
    )


def _gradient_error(train: regression.Problem, seed: int) -> float:
    """Compare the gradient at random weights with autodiff, in eps, and say so."""
    W = regression.random_weights(train, seed)
    error = regression.gradient_error(W, train)
    print(
        f"gradient against `jax.grad` of the plain loss: largest relative difference {error:.1e}\n"
    )
    return error / float(np.finfo(W.dtype).eps)


def _print_progress(method: str, iteration: int, loss: float, gap: float) -> None:
    print(PROGRESS.format(method, iteration, loss, gap), flush=True)


def _result(fit: fitting.Fit, train: regression.Problem, held_out: regression.Problem) -> Result:
    return Result(
        method=fit.method,
        loss=fit.losses[-1],
        train_accuracy=float(regression.accuracy(fit.weights, train)),
        held_out_accuracy=float(regression.accuracy(fit.weights, held_out)),
        iterations=fit.iterations,
        seconds=fit.seconds,
        converged=fit.converged,
        losses=fit.losses,
    )


def _print_table(results: list[Result]) -> None:
    print()
    print(
        HEADER.format(
            "method", "loss", "train accuracy", "held-out accuracy", "iterations", "seconds"
        )
    )
    for r in results:
        row = (r.method, r.loss, r.train_accuracy, r.held_out_accuracy, r.iterations, r.seconds)
        print(ROW.format(*row) + ("" if r.converged else "   not converged"))


def _write_json(
    options: argparse.Namespace, dtype: np.dtype[Any], error: float, results: list[Result]
) -> None:
    record = {
        "seed": options.seed,
        "penalty": PENALTY,
        "dtype": dtype.name,
        "device": jax.local_devices()[0].device_kind,
        "gradient_error_eps": error,
        "methods": [asdict(result) for result in results],
    }
    write_json(options.json, record)


def _draw(
    path: Path | None, fits: list[fitting.Fit], images: digits.Digits, held_out: regression.Problem
) -> None:
    """Draw the held-out digit of which the model is least sure: its Jacobian is the largest."""
    if path is None:
        return
    from jaxcalc._commands import picture  # matplotlib is an optional extra

    logits = held_out.features @ fits[0].weights
    unsure = int(np.argmin(np.max(jc.softmax(logits), axis=1)))
    picture.draw(
        path,
        losses={fit.method: fit.losses for fit in fits},
        image=images.images[unsure],
        label=int(images.labels[unsure]),
        J=np.asarray(jc.softmax_jacobian(logits[unsure]).todense()),
    )


COMMAND = Command(
    "train",
    "fit a model of handwritten digits by Newton's method and by gradient descent",
    "Fit multinomial logistic regression to handwritten digits: by Newton's method, whose Hessian "
    "is built from the softmax Jacobians diag(s) − s sᵀ, and by accelerated gradient descent.",
    add_options,
    run,
)
