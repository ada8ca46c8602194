"""How accurate: the worst error of each peer, by dtype, function and derivative.

Elementwise functions are judged in units in the last place: 16-bit dtypes on every input, the
others on a sample of the whole range. So are softmax and its dense Jacobian. A Jacobian product
is judged over u·N, the unit roundoff times its condition sum; log_softmax and logsumexp over
u·(|result| + 4 + log₂ K). Only where the true value (or N) is a normal number, and for second
and third derivatives not right beside their zeros (|true| ≤ 0.01 where |x| < 4).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import oracles
from benchmarks.inputs import elementwise_points, row_inputs
from benchmarks.oracles.softmax import Product
from benchmarks.oracles.ulp import FloatArray
from benchmarks.oracles.wide import Array, widen
from benchmarks.peers import DECLARED, ELEMENTWISE, LOSS, ORDERS, Peer, find_peers
from benchmarks.report import Column, Part, Progress, Result, Row, field, lines_of, show_number

DTYPES = ("float16", "bfloat16", "float32", "float64")
QUICK_DTYPES = ("bfloat16", "float32")
Judge = Callable[[Array], FloatArray]


class Case(NamedTuple):
    """One quantity at one set of inputs; `prepare` gives the judge of a peer's result."""

    x: Array
    t: Array
    prepare: Callable[[Array, Array], Judge]


class Question(NamedTuple):
    """One line of the table."""

    dtype: str
    function: str
    quantity: str
    unit: str

    def cases(self, quick: bool) -> Iterator[Case]:
        """The inputs on which it is answered."""
        if self.function in ELEMENTWISE:
            x = elementwise_points(self.dtype, quick)
            if self.function in DECLARED and self.dtype == "float64":
                x = x[::10]  # of which a power series takes ten times as long
            yield Case(x, x, lambda x, t: _judge_elementwise(self.function, self.quantity, x))
        else:
            prepare = ROW_JUDGES[self.function, self.quantity]
            for x, t in row_inputs(self.dtype, self.quantity, quick):
                yield Case(x, _cotangent(self.function, self.quantity, t), prepare)


def _cotangent(function: str, quantity: str, t: Array) -> Array:
    one_a_row = function in ("logsumexp", LOSS) and quantity == "vjp"
    return t[..., 0] if one_a_row else t


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


def _over_condition(product: Product, x: Array) -> Judge:
    """Products are judged on ample rows."""
    ample = _ample(x)
    value, condition = product.value[ample], product.condition[ample]

    def judge(got: Array) -> FloatArray:
        normal = oracles.is_normal(condition, got.dtype)
        return oracles.error_over_condition(got[ample][normal], value[normal], condition[normal])

    return judge


def _over_magnitude(true: Array, classes: int) -> Judge:
    condition = abs(true) + (4 + np.log2(classes))
    return lambda got: oracles.error_over_condition(got, true, condition)


_FIRST_WITH_ZEROS = {"sigmoid": 2, "log_sigmoid": 3, "softplus": 3}


def _judge_elementwise(function: str, quantity: str, x: Array) -> Judge:
    order = ORDERS.index(quantity)
    if function in DECLARED:
        true = oracles.declared_derivative(DECLARED[function], x, order)
    else:
        true = getattr(oracles, function)(x, order)
    higher = order >= _FIRST_WITH_ZEROS.get(function, 1)
    kept = (abs(true) > 0.01) | (abs(x.astype(np.float64)) > 4) if higher else None
    if kept is not None and function in DECLARED:  # XLA takes for 0 what is subnormal, where
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


ROW_JUDGES: dict[tuple[str, str], Callable[[Array, Array], Judge]] = {
    ("softmax", "value"): lambda x, t: _in_ulp(oracles.softmax(x)),
    ("softmax", "jvp"): lambda x, t: _over_condition(oracles.softmax_product(x, t), x),
    ("softmax", "vjp"): lambda x, t: _over_condition(oracles.softmax_product(x, t), x),
    ("softmax", "jacobian"): lambda x, t: _in_ulp(oracles.softmax_jacobian(x)),
    ("log_softmax", "value"): lambda x, t: _over_magnitude(oracles.log_softmax(x), x.shape[-1]),
    ("log_softmax", "jvp"): lambda x, t: _over_condition(oracles.log_softmax_jvp(x, t), x),
    ("log_softmax", "vjp"): lambda x, t: _over_condition(oracles.log_softmax_vjp(x, t), x),
    ("logsumexp", "value"): lambda x, t: _over_magnitude(oracles.logsumexp(x), x.shape[-1]),
    ("logsumexp", "jvp"): lambda x, t: _over_condition(oracles.logsumexp_jvp(x, t), x),
    ("logsumexp", "vjp"): _judge_scaled_softmax,
    (LOSS, "value"): _judge_loss,
    (LOSS, "vjp"): _judge_scaled_loss,
}

IN_ULP = {
    ("softmax", "value"),
    ("softmax", "jacobian"),
    ("logsumexp", "vjp"),
    (LOSS, "value"),
    (LOSS, "vjp"),
}


# --- the subject ---


def questions(dtypes: Sequence[str]) -> list[Question]:
    """The lines of the table."""
    elementwise = [(f, q, "ULP") for f in ELEMENTWISE for q in ORDERS]
    rows = [(f, q, "ULP" if (f, q) in IN_ULP else "u·N") for f, q in ROW_JUDGES]
    return [Question(d, *rest) for d in dtypes for rest in elementwise + rows]


def question(function: str, quantity: str, dtype: str) -> Question:
    """One of them."""
    (found,) = (q for q in questions([dtype]) if (q.function, q.quantity) == (function, quantity))
    return found


def run(quick: bool, progress: Progress) -> Result:
    """Ask every question of every peer."""
    return ask(questions(QUICK_DTYPES if quick else DTYPES), find_peers(), quick, progress)


def ask(asked: list[Question], peers: list[Peer], quick: bool, progress: Progress) -> Result:
    """Ask these questions of these peers."""
    return progress.each(
        [
            (f"accuracy of {' '.join(question[:3])}", partial(_answered, question, peers, quick))
            for question in asked
        ]
    )


def _answered(question: Question, peers: list[Peer], quick: bool) -> Result:
    return Result(answers(question, peers, quick), [])


def answers(question: Question, peers: list[Peer], quick: bool) -> list[Row]:
    """The worst error of each peer that can answer."""
    able = [peer for peer in peers if question.dtype in peer.dtypes]
    errors: dict[str, list[FloatArray]] = {peer.name: [] for peer in able}
    for x, t, prepare in question.cases(quick):
        judge = prepare(x, t)
        for peer in able:
            got = peer.evaluate(question.function, question.quantity, x, t)
            errors[peer.name] += [] if got is None else [judge(got).ravel()]
    return [
        _row(question, peer, np.concatenate(errors[peer.name]))
        for peer in able
        if errors[peer.name]
    ]


def _row(question: Question, peer: Peer, errors: FloatArray) -> Row:
    return {
        **question._asdict(),
        "peer": peer.name,
        "version": peer.version,
        "worst": float(errors.max()),
        "quantile_999": float(np.quantile(errors, 0.999, method="lower")),
        "points": errors.size,
    }


def parts(rows: Sequence[Row]) -> list[Part]:
    """One line a question, the worst error of each peer beside each other."""
    peers = dict.fromkeys(str(row["peer"]) for row in rows)
    columns = [*map(field, Question._fields), *map(_peer_column, peers)]
    return [Part("", "", columns, lines_of(rows, Question._fields, lambda row: row["peer"]))]


def _peer_column(peer: str) -> Column:
    return Column(peer, lambda line: show_number(line[peer]["worst"]) if peer in line else "")
