"""One row for each case and contestant: error, memory, time."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
from benchmarks.statistics import timing
from benchmarks.timing import Contestant, Effort, Timed, check, measure
from benchmarks.torch_side.job import Job
from benchmarks.torch_side.process import Remote, TorchProcess, WorkerError

TIMED_SCALE = 5  # no time depends on the scale
Outputs = tuple[Array, Array]


def planned(quick: bool) -> list[Case]:
    """The cases in the order in which they are run."""
    if quick:
        return [Case(scale, dtype, (256, 1000)) for dtype in DTYPES[:2] for scale in (5, 20)]
    places = itertools.product(SHAPES, DTYPES, SCALES)
    return [Case(scale, dtype, shape) for shape, dtype, scale in places]


def run_case(case: Case, effort: Effort, torch: TorchProcess | None) -> Result:
    """Rows for everyone; a failure where jaxcalc is wrong, a note where others are."""
    data = make_data(case)
    if torch is not None:
        torch.begin(_job(case, data))
    x, y = jnp.array(data.x), jnp.array(data.y)
    compiled = {
        name: jax.jit(value_and_gradient(loss)).lower(x, y).compile()
        for name, loss in contestants(case.dtype).items()
    }
    held = {name: temporaries(program) for name, program in compiled.items()}
    timed: dict[str, Timed] = {name: Contestant(f, [(x, y)]) for name, f in compiled.items()}
    outputs: dict[str, Outputs] = {name: _arrays(f(x, y)) for name, f in compiled.items()}
    if torch is not None:
        answer = torch.answer()
        timed |= {name: Remote(torch, name) for name in answer.outputs}
        outputs |= {name: (loss, slope) for name, (loss, slope) in answer.outputs.items()}
    wrong = dict(_wrong(data, outputs))
    right = {name: c for name, c in timed.items() if name not in wrong}
    times = _times(right, effort) if case.scale == TIMED_SCALE else {}
    rows = [
        _row(case, name, data, outputs[name], held.get(name), times, wrong.get(name, ""))
        for name in outputs
    ]
    return Result(rows, [f"{case}: {name} is {wrong[name]}" for name in OWN if name in wrong])


def _arrays(result: Any) -> Outputs:
    loss, gradient = map(np.asarray, result)
    return loss, gradient


def _job(case: Case, data: Data) -> Job:
    device = "cpu" if jax.default_backend() == "cpu" else "cuda"
    ones = np.ones(len(data.x), data.x.dtype)
    labels = data.y.astype(np.int64)
    arguments = (data.x, labels, ones)
    return Job("cross-entropy", "loss+gradient", -1, arguments, 1, 1, device, compiled=False)


def _wrong(data: Data, outputs: Mapping[str, Outputs]) -> Iterator[tuple[str, str]]:
    for name, got in outputs.items():
        # a loss is a difference of numbers that may be far larger
        slack = max(1.0, float(abs(data.x.astype(np.float64)).max() / data.loss.mean()))
        what = check(list(got), (data.loss, data.gradient), slack)
        if what is not None:
            yield name, f"wrong, not timed: {what}"


def _times(timed: Mapping[str, Timed], effort: Effort) -> dict[str, list[float]]:
    """Of everyone in turns; without PyTorch where its process fails."""
    try:
        return measure(timed, effort)
    except WorkerError:
        return measure({n: c for n, c in timed.items() if not isinstance(c, Remote)}, effort)


def _row(
    case: Case,
    name: str,
    data: Data,
    outputs: Outputs,
    held: int | None,
    times: Mapping[str, list[float]],
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
