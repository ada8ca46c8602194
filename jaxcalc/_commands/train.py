"""`train`: handwritten digits by logistic regression, in two ways or split; or else `language`."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

import jaxcalc as jc
from jaxcalc._commands import digits, fitting, language, regression, splitting
from jaxcalc._commands.options import (
    Command,
    add_common_options,
    device_count,
    picture_file,
    write_json,
)

PENALTY = 3e-4
TASKS = ("digits", language.NAME)
METHODS = (fitting.NEWTON, fitting.DESCENT)
AGREEMENT = 32  # eps: the two gradients sum the same numbers in different orders
PROGRESS = "{:30}iteration {:5}   loss {:.7f}   at most {:.1e} above the minimum"
HEADER = "{:30}{:>10}{:>16}{:>19}{:>12}{:>9}"
ROW = "{:30}{:10.7f}{:16.4f}{:19.4f}{:12}{:9.2f}"
SPLIT_HEADER = "{:7}{:>12}{:>12}{:>12}{:>8}{:>15}"
SPLIT_ROW = "{:7}{:12.7f}{:12.1e}{:12.1e}{:8}{:15.2f}"
DRIFT = 4 * splitting.STEPS  # eps: every step rounds anew


@dataclass(frozen=True)
class TrainedMethod:
    """One row of the closing table."""

    method: str
    loss: float
    train_accuracy: float
    held_out_accuracy: float
    iterations: int
    seconds: float
    converged: bool
    losses: list[float]


@dataclass(frozen=True)
class SplitResult:
    """One row of the table of `--devices`: differences from one device, and what was said."""

    devices: int
    loss: float
    gradient_error: float
    weights_error: float
    rounds: int
    numbers_a_row: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train`."""
    parser.add_argument(
        "--task", choices=TASKS, default=TASKS[0], help=f"what is learnt (default {TASKS[0]})"
    )
    add_common_options(parser, seeded="the split into what is fitted and what is held out")
    help_text = (
        "also draw the losses and the softmax Jacobian of a digit, or with `--task language` the "
        "losses of three runs, which are then made: float32, and bfloat16 with the plain loss and "
        "with jaxcalc's (needs matplotlib)"
    )
    parser.add_argument("--plot", type=picture_file, metavar="FILE.png", help=help_text)
    parser.add_argument(
        "--devices",
        type=device_count,
        metavar="N",
        help="instead, split the classes over N virtual devices of the CPU, compare with one "
        "device, and say what was communicated",
    )
    parser.set_defaults(refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Do the task, print how it went, and write the files that were asked for."""
    if options.task == language.NAME:
        return language.run(options)
    return _fit_digits(options)


def _fit_digits(options: argparse.Namespace) -> int:
    double = options.x64 or jax.config.read("jax_enable_x64")
    # "highest": GPUs would otherwise round the factors of float32 products to 10 bits
    with jax.enable_x64(double), jax.default_matmul_precision("highest"):
        work = _train if options.devices is None else _train_split
        return work(options, np.dtype(np.float64 if double else np.float32))


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


def _print_setting(
    train: regression.RegressionProblem, held_out: regression.RegressionProblem, seed: int
) -> None:
    (device,) = train.features.devices()
    print(digits.citation())
    print(
        f"{len(train.labels)} images to fit, {len(held_out.labels)} held out (seed {seed}); "
        f"penalty {PENALTY}; {train.features.dtype} on {device.device_kind}"
    )


def _gradient_error(train: regression.RegressionProblem, seed: int) -> float:
    """Compare the gradient at random weights with autodiff, in eps, and say so."""
    W = regression.random_weights(train, seed)
    error = regression.gradient_error(W, train)
    print(
        f"gradient against `jax.grad` of the plain loss: largest relative difference {error:.1e}\n"
    )
    return error / float(np.finfo(W.dtype).eps)


def _print_progress(method: str, iteration: int, loss: float, gap: float) -> None:
    print(PROGRESS.format(method, iteration, loss, gap), flush=True)


def _result(
    fit: fitting.Fit, train: regression.RegressionProblem, held_out: regression.RegressionProblem
) -> TrainedMethod:
    return TrainedMethod(
        method=fit.method,
        loss=fit.losses[-1],
        train_accuracy=float(regression.accuracy(fit.weights, train)),
        held_out_accuracy=float(regression.accuracy(fit.weights, held_out)),
        iterations=fit.iterations,
        seconds=fit.seconds,
        converged=fit.converged,
        losses=fit.losses,
    )


def _print_table(results: list[TrainedMethod]) -> None:
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
    options: argparse.Namespace, dtype: np.dtype[Any], error: float, results: list[TrainedMethod]
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
    path: Path | None,
    fits: list[fitting.Fit],
    images: digits.Digits,
    held_out: regression.RegressionProblem,
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


def _train_split(options: argparse.Namespace, dtype: np.dtype[Any]) -> int:
    """Fit on one device and with the classes split over several; print both, and compare."""
    devices = _devices(options)
    with jax.default_device(devices[0]):
        parts = digits.split(digits.load(), options.seed)
        train, held_out = (regression.problem(part, PENALTY, dtype) for part in parts)
        _print_setting(train, held_out, options.seed)
        whole = splitting.train_whole(train, options.seed, devices[0])
        split = splitting.train_split(train, options.seed, devices)
    rows = [
        _split_result(count, training, whole, len(train.labels))
        for count, training in ((1, whole), (len(devices), split))
    ]
    _print_split_table(rows)
    record = {"seed": options.seed, "penalty": PENALTY, "dtype": dtype.name}
    write_json(options.json, record | {"steps": splitting.STEPS, "split": list(map(asdict, rows))})
    eps = float(np.finfo(dtype).eps)
    agrees = rows[1].gradient_error <= AGREEMENT * eps and rows[1].weights_error <= DRIFT * eps
    return 0 if agrees else 1


def _devices(options: argparse.Namespace) -> list[jax.Device]:
    if options.plot is not None:
        options.refuse("argument --plot: draws the two methods, which --devices does not run")
    devices = splitting.virtual_devices(options.devices)
    if len(devices) < options.devices:
        options.refuse(
            f"argument --devices: must be at most {len(devices)} here, since JAX has already "
            f"started with so many devices of the CPU, but got {options.devices}; run it in a "
            "process of its own"
        )
    return devices


def _split_result(
    devices: int, training: splitting.SplitTraining, whole: splitting.SplitTraining, images: int
) -> SplitResult:
    return SplitResult(
        devices=devices,
        loss=training.loss,
        gradient_error=_difference(training.gradient, whole.gradient),
        weights_error=_difference(training.weights, whole.weights),
        rounds=training.said.rounds,
        numbers_a_row=training.said.numbers / images,
    )


def _difference(x: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """The largest, over the largest entry."""
    return float(np.max(np.abs(x - right)) / np.max(np.abs(right)))


def _print_split_table(rows: list[SplitResult]) -> None:
    split = rows[-1]
    share = -(-digits.CLASSES // split.devices)
    print(
        f"{splitting.STEPS} steps of accelerated gradient descent; {digits.CLASSES} classes, "
        f"{share} a device, {share * split.devices - digits.CLASSES} of them masked\n"
    )
    print(SPLIT_HEADER.format("devices", "loss", "gradient", "weights", "rounds", "numbers a row"))
    for r in rows:
        print(SPLIT_ROW.format(*asdict(r).values()))
    print(
        "\ngradient (at random weights) and weights: largest difference from one device over the "
        "largest entry;\nrounds that wait for each other, and numbers that each device hands over "
        "for an image, in the compiled\nloss and gradient"
    )


COMMAND = Command(
    "train",
    "fit a model of handwritten digits in two ways, or train a small language model",
    "Fit multinomial logistic regression to handwritten digits: by Newton's method, whose Hessian "
    "is built from the softmax Jacobians diag(s) − s sᵀ, and by accelerated gradient descent. With "
    "`--devices N` its classes are split over N devices instead (`axis_name=` of the softmax "
    "cross-entropy), and the training is compared with that on one device. With `--task language`: "
    "train a small transformer in bfloat16 on a text that ships with Python, the topics of its "
    "language reference and the docstrings of its standard library (nothing is downloaded), with "
    "the softmax cross-entropy joined with the last layer, beside the memory of the plain one; "
    "about a minute on two cores, and with `--plot` three.",
    add_options,
    run,
)
