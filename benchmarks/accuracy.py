"""How accurate: the worst error of each peer, by dtype, function and derivative.

Elementwise functions are judged in units in the last place: 16-bit dtypes on every input, the
others on a sample of the whole range. So are softmax and its dense Jacobian. A Jacobian product
is judged over u·N, the unit roundoff times its condition sum; log_softmax and logsumexp over
u·(|result| + 4 + log₂ K). Only where the true value (or N) is a normal number, and for second
and third derivatives not right beside their zeros (|true| ≤ 0.01 where |x| < 4).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import oracles
from benchmarks.inputs import elementwise_points, row_inputs
from benchmarks.libraries import DECLARED, ELEMENTWISE, LOSS, ORDERS, is_reduction
from benchmarks.oracles.softmax import Product
from benchmarks.oracles.ulp import FloatArray
from benchmarks.oracles.wide import Array, widen
from benchmarks.peers import Peer, find_peers
from benchmarks.report import Part, Progress, Result, Row, fields, grouped, show_number

DTYPES = ("float16", "bfloat16", "float32", "float64")
QUICK_DTYPES = ("bfloat16", "float32")
Judge = Callable[[Array], FloatArray]  # of a peer's result: its errors


class Question(NamedTuple):
    """One line of the table."""

    dtype: str
    function: str
    quantity: str

    @property
    def unit(self) -> str:
        """Of the errors."""
        return ROW_JUDGES.get((self.function, self.quantity), (ULP, None))[0]

    def cases(self, quick: bool) -> Iterator[tuple[Array, Array, Judge]]:
        """Points, tangents or cotangents, and the judge of a result there."""
        if self.function in ELEMENTWISE:
            x = elementwise_points(self.dtype, quick)
            yield x, x, _judge_elementwise(self.function, self.quantity, x)
            return
        _, judge = ROW_JUDGES[self.function, self.quantity]
        one_a_row = is_reduction(self.function) and self.quantity == "vjp"
        for x, tangents in row_inputs(self.dtype, self.quantity, quick):
            t = tangents[..., 0] if one_a_row else tangents
            yield x, t, judge(x, t)


# --- judges ---


def _in_ulp(true: Array, kept: npt.NDArray[np.bool_] | None = None) -> Judge:
    def judge(got: Array) -> FloatArray:
        normal = oracles.is_normal(true, got.dtype)
        chosen = normal if kept is None else normal & kept
        return oracles.ulp_error(got[chosen], true[chosen])

    return judge


def _ample(x: Array) -> npt.NDArray[np.bool_]:
    """The rows whose probabilities do not underflow when multiplied."""
    return np.asarray(oracles.softmax(x).min(axis=-1) > oracles.SMALLEST[x.dtype.name], np.bool_)


def _over_condition(product: Callable[[Array, Array], Product], x: Array, t: Array) -> Judge:
    """Products are judged on ample rows."""
    ample = _ample(x)
    value, condition = (part[ample] for part in product(x, t))

    def judge(got: Array) -> FloatArray:
        normal = oracles.is_normal(condition, got.dtype)
        return oracles.error_over_condition(got[ample][normal], value[normal], condition[normal])

    return judge


def _over_magnitude(function: Callable[[Array], Array], x: Array, t: Array) -> Judge:
    true = function(x)
    condition = abs(true) + (4 + np.log2(x.shape[-1]))
    return lambda got: oracles.error_over_condition(got, true, condition)


_FIRST_WITH_ZEROS = {"sigmoid": 2, "log_sigmoid": 3, "softplus": 3}


def _judge_elementwise(function: str, quantity: str, x: Array) -> Judge:
    order = ORDERS.index(quantity)
    if function in DECLARED:
        true = oracles.declared_derivative(DECLARED[function], x, order)
    else:
        true = getattr(oracles, function)(x, order)
    if order < _FIRST_WITH_ZEROS.get(function, 1):
        return _in_ulp(true)
    kept = (abs(true) > 0.01) | (abs(x.astype(np.float64)) > 4)
    if function in DECLARED:  # XLA takes for 0 what is subnormal, where
        kept &= oracles.is_normal(x, x.dtype)  # softsign has no second derivative
    return _in_ulp(true, kept)


def _judge_scaled_softmax(x: Array, t: Array) -> Judge:
    """t s, where s is not flushed to zero before t brings it back."""
    s = oracles.softmax(x)
    return _in_ulp(widen(t, x.dtype)[..., None] * s, oracles.is_normal(s, x.dtype))


def _judge_loss(x: Array, t: Array) -> Judge:
    return _in_ulp(oracles.cross_entropy(x, np.argmax(x, -1)), _ample(x))


def _judge_scaled_loss(x: Array, t: Array) -> Judge:
    """t (s − y)."""
    gradient = oracles.cross_entropy_gradient(x, np.argmax(x, -1)).value
    true = widen(t, x.dtype)[..., None] * gradient
    return _in_ulp(true, np.broadcast_to(_ample(x)[..., None], true.shape))


ULP, ROUNDINGS = "ULP", "u·N"
ROW_JUDGES: dict[tuple[str, str], tuple[str, Callable[[Array, Array], Judge]]] = {
    ("softmax", "value"): (ULP, lambda x, t: _in_ulp(oracles.softmax(x))),
    ("softmax", "jvp"): (ROUNDINGS, partial(_over_condition, oracles.softmax_product)),
    ("softmax", "vjp"): (ROUNDINGS, partial(_over_condition, oracles.softmax_product)),
    ("softmax", "jacobian"): (ULP, lambda x, t: _in_ulp(oracles.softmax_jacobian(x))),
    ("log_softmax", "value"): (ROUNDINGS, partial(_over_magnitude, oracles.log_softmax)),
    ("log_softmax", "jvp"): (ROUNDINGS, partial(_over_condition, oracles.log_softmax_jvp)),
    ("log_softmax", "vjp"): (ROUNDINGS, partial(_over_condition, oracles.log_softmax_vjp)),
    ("logsumexp", "value"): (ROUNDINGS, partial(_over_magnitude, oracles.logsumexp)),
    ("logsumexp", "jvp"): (ROUNDINGS, partial(_over_condition, oracles.logsumexp_jvp)),
    ("logsumexp", "vjp"): (ULP, _judge_scaled_softmax),
    (LOSS, "value"): (ULP, _judge_loss),
    (LOSS, "vjp"): (ULP, _judge_scaled_loss),
}


# --- the subject ---


def run(quick: bool, progress: Progress) -> Result:
    """Ask every question of every peer."""
    peers, dtypes = find_peers(), QUICK_DTYPES if quick else DTYPES
    named = [*((f, q) for f in ELEMENTWISE for q in ORDERS), *ROW_JUDGES]
    asked = [Question(dtype, *of) for dtype in dtypes for of in named]
    return progress.each(
        [(f"accuracy of {' '.join(q)}", partial(answers, q, peers, quick)) for q in asked]
    )


def answers(question: Question, peers: Mapping[str, Peer], quick: bool) -> Result:
    """The worst error of each peer that can answer."""
    errors: dict[str, list[FloatArray]] = {}
    for x, t, judge in question.cases(quick):
        for name, evaluate in peers.items():
            got = evaluate(question.function, question.quantity, x, t)
            if got is not None:
                errors.setdefault(name, []).append(judge(got).ravel())
    named = {**question._asdict(), "unit": question.unit}
    worst = {name: float(np.concatenate(found).max()) for name, found in errors.items()}
    return Result([{**named, "contestant": name, "worst": w} for name, w in worst.items()], [])


def parts(rows: Sequence[Row]) -> list[Part]:
    """One line a question, the worst error of each peer beside each other."""
    peers = dict.fromkeys(str(row["contestant"]) for row in rows)
    names = (*Question._fields, "unit")
    lines = [
        {
            **fields(asked, *names),
            **{p: show_number(found[p]["worst"]) if p in found else "" for p in peers},
        }
        for asked, found in grouped(rows, names)
    ]
    return [Part("", "", lines)]
