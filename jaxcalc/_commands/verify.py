"""`verify`: every formula of the notes against automatic differentiation."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from jaxcalc._commands.comparison import TOLERANCE, compare
from jaxcalc._commands.formula import Formula
from jaxcalc._commands.function_formulas import AUTODIFF, LOGISTIC, SOFTMAX
from jaxcalc._commands.options import Command, add_common_options, finite, write_json
from jaxcalc._commands.rule_formulas import RULES, SHAPES

FORMULAS: tuple[Formula, ...] = (*SHAPES, *RULES, *LOGISTIC, *SOFTMAX, *AUTODIFF)
DTYPES = ("float16", "bfloat16", "float32", "float64")
HEADER = ("formula", "derivative", "layout", "shape", "error", "µs", "")
ROW = "{:26}{:36}{:11} {:>7} {:>7} {:>7}  {}"


@dataclass(frozen=True)
class Verified:
    """One row of the table."""

    device: str
    formula: str
    derivative: str
    layout: str
    shape: tuple[int, ...]
    error: float | None  # in eps; None for a wrong shape or dtype, and for NaN
    microseconds: float
    passed: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    add_common_options(parser, seeded="the random points")
    help_text = "of the formulas (default float32, or float64 with --x64, which float64 implies)"
    parser.add_argument("--dtype", choices=DTYPES, help=help_text)


def run(options: argparse.Namespace) -> int:
    """Check every formula, print a row for each, and write the file that was asked for."""
    double = options.x64 or options.dtype == "float64" or jax.config.read("jax_enable_x64")
    dtype = jnp.dtype(options.dtype or ("float64" if double else "float32"))
    # "highest": GPUs would otherwise round the factors of float32 products to 10 bits
    with jax.enable_x64(double), jax.default_matmul_precision("highest"):
        results = [r for device in _devices() for r in _check_on(device, dtype, options.seed)]
    failed = sum(not result.passed for result in results)
    write_json(options.json, _record(options.seed, dtype, bool(double), results))
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _devices() -> list[jax.Device]:
    """The first device of every platform."""
    return list({device.platform: device for device in reversed(jax.local_devices())}.values())


def _check_on(device: jax.Device, dtype: np.dtype[Any], seed: int) -> Iterator[Verified]:
    print(
        f"{dtype.name} on {device.device_kind}, seed {seed}; errors against `jacfwd` and `jacrev`"
    )
    print(f"in float64, in eps of the largest entry: up to {TOLERANCE} pass\n")
    print(ROW.format(*HEADER).rstrip())
    with jax.default_device(device):
        for formula in FORMULAS:
            for result in _results(formula, device, dtype, seed):
                print(_line(result), flush=True)
                yield result


def _results(
    formula: Formula, device: jax.Device, dtype: np.dtype[Any], seed: int
) -> Iterator[Verified]:
    for comparison in compare(formula, dtype, seed):
        yield Verified(
            device=device.device_kind,
            formula=formula.name,
            derivative=formula.statement(comparison.layout),
            layout=comparison.layout.value,
            shape=comparison.shape,
            error=finite(comparison.error),
            microseconds=comparison.microseconds,
            passed=comparison.passed,
        )


def _line(r: Verified) -> str:
    shape = "×".join(map(str, r.shape))
    error = "wrong" if r.error is None else f"{r.error:{'.2f' if r.error < 1000 else '.0e'}}"
    time, word = f"{r.microseconds:.0f}", "ok" if r.passed else "FAILED"
    return ROW.format(r.formula, r.derivative, r.layout, shape, error, time, word)


def _record(seed: int, dtype: np.dtype[Any], x64: bool, results: list[Verified]) -> dict[str, Any]:
    return {
        "jaxcalc": jc.__version__,
        "jax": jax.__version__,
        "dtype": dtype.name,
        "x64": x64,
        "seed": seed,
        "tolerance_eps": TOLERANCE,
        "passed": sum(r.passed for r in results),
        "failed": sum(not r.passed for r in results),
        "results": [asdict(result) for result in results],
    }


COMMAND = Command(
    "verify",
    "check every formula of the notes against automatic differentiation",
    "Check every formula of the notes in both layouts, at random points, against `jax.jacfwd` and "
    "`jax.jacrev` of the plain function in float64. The exit status is 0 when all pass, else 1.",
    add_options,
    run,
)
