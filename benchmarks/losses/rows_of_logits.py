"""One row for each case and contestant: error, memory, time."""

import itertools
import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contest import Entered, checked, enter, take_turns, torch_device
from benchmarks.losses.cases import DTYPES, SCALES, SHAPES, Case, Data, errors, make_data
from benchmarks.losses.contestants import (
    BASELINE,
    OWN,
    contestants,
    temporaries,
    value_and_gradient,
)
from benchmarks.oracles.wide import Array
from benchmarks.report import Result, Row
from benchmarks.statistics import Times, timing
from benchmarks.timing import Contestant, Effort, check
from benchmarks.torch_side.job import Job
from benchmarks.torch_side.process import TorchProcess

TIMED_SCALE = 5  # no time depends on the scale


def planned(quick: bool) -> list[Case]:
    """The cases in the order in which they are run."""
    if quick:
        return [Case(scale, dtype, (256, 1000)) for dtype in DTYPES[:2] for scale in (5, 20)]
    places = itertools.product(SHAPES, DTYPES, SCALES)
    return [Case(scale, dtype, shape) for shape, dtype, scale in places]


def run_case(case: Case, effort: Effort, torch: TorchProcess | None) -> Result:
    """Rows for everyone; a failure where jaxcalc is wrong, a note where others are."""
    data = make_data(case)
    x, y = jnp.array(data.x), jnp.array(data.y)
    compiled = {
        name: jax.jit(value_and_gradient(loss)).lower(x, y).compile()
        for name, loss in contestants(case.dtype).items()
    }
    here = {name: Contestant(f, [(x, y)]) for name, f in compiled.items()}
    field = enter(
        lambda: {name: Entered(c, list(map(np.asarray, c.result()))) for name, c in here.items()},
        torch,
        lambda: _job(data),
    )
    right = checked(field, partial(_wrong, data))
    _, times = take_turns(right, effort) if case.scale == TIMED_SCALE else (right, {})
    held = {name: temporaries(program) for name, program in compiled.items()}
    rows = [
        _row(case, name, data, entered.outputs, held.get(name), times, right.absent.get(name, ""))
        for name, entered in field.entered.items()
    ]
    absent = right.absent
    return Result(rows, [f"{case}: {name} is {absent[name]}" for name in OWN if name in absent])


def _job(data: Data) -> Job:
    arguments = data.x, data.y.astype(np.int64), np.ones(len(data.x), data.x.dtype)
    return Job("cross-entropy", "loss+gradient", -1, arguments, 1, 1, torch_device(), False)


def _wrong(data: Data, outputs: Sequence[Array]) -> str | None:
    """A loss is a difference of numbers that may be far larger."""
    slack = max(1.0, float(abs(data.x.astype(np.float64)).max() / data.loss.mean()))
    return check(list(outputs), (data.loss, data.gradient), slack)


def _row(
    case: Case,
    name: str,
    data: Data,
    outputs: Sequence[Array],
    held: int | None,
    times: Times,
    note: str,
) -> Row:
    found = errors(data, *outputs)
    return {
        "part": "logits",
        "scale": case.scale,
        "dtype": case.dtype,
        "shape": f"{case.shape[0]} × {case.shape[1]}",
        "contestant": name,
        "mean_error": found.mean,
        "row_error": found.row,
        "gradient_error": found.gradient,
        "arrays": None if held is None else held / (4 * math.prod(case.shape)),
        **timing(times, name, BASELINE),
        "note": note,
    }
