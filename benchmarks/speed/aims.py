"""What is aimed at, and whether it was met: computed from the rows, never by hand."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.report import Row
from benchmarks.speed.cell import NARROW
from benchmarks.speed.jax_side import BASELINE, OWN
from benchmarks.speed.overhead import CALL, COMPILATION
from benchmarks.speed.summary import (
    LONG_ROW,
    SLOWER,
    contestants,
    is_slower,
    mean,
    second_group,
    select,
)

CLIFF = 5.0
LARGE = 200e6  # bytes, of what the share of the copy is aimed at
MET, MISSED, NOT_MEASURED = "met", "missed", "not measured"


class Verdict(NamedTuple):
    """An aim, what was found, and whether it was met."""

    aim: str
    found: str
    verdict: str


Rows = Sequence[Row]
Aim = Callable[[Rows], Verdict]


def verdicts(rows: Rows, platform: str) -> list[Verdict]:
    """Every aim for that platform."""
    return [aim(rows) for aim in (CPU_AIMS if platform == "cpu" else GPU_AIMS)]


# --- kinds of aims ---


def at_most(what: str, limit: float, **wanted: Any) -> Aim:
    """A geometric mean of ratios."""

    def judge(rows: Rows) -> Verdict:
        found = mean(select(rows, **wanted))
        aim = f"{what}: geometric mean at most {limit:g}"
        if found is None:
            return Verdict(aim, "", NOT_MEASURED)
        return Verdict(
            aim, f"{found.value:.2f} over {found.cells} cells", _met(found.value <= limit)
        )

    return judge


def long_rows_faster(quantity: str, times: float) -> Aim:
    """bfloat16 backward passes of long rows, in geometric mean and in the worst cell."""

    def judge(rows: Rows) -> Verdict:
        aim = f"fast, bfloat16 {quantity} of rows from {LONG_ROW:,} on: {times:g}× faster"
        wide = select(rows, contestant="fast", dtype="bfloat16", quantity=quantity)
        of_rows = select(wide, function=("softmax", "log_softmax", "logsumexp"))
        chosen = [row for row in of_rows if row["classes"] >= LONG_ROW]
        found = mean(chosen)
        if found is None:
            return Verdict(aim, "", NOT_MEASURED)
        worst = 1 / max(row["ratio"] for row in chosen)
        text = f"{1 / found.value:.2f}×, {worst:.2f}× at worst, over {found.cells} cells"
        return Verdict(aim, text, _met(1 / found.value >= times))

    return judge


def no_slower_cell(name: str) -> Aim:
    """A cell fails if its interval lies above the limit in both runs."""

    def judge(rows: Rows) -> Verdict:
        aim = f"{name}: no cell whose interval lies above {SLOWER:g} in two runs"
        first, second = select(rows, contestant=name), select(rows, contestant=name, run=2)
        if not first:
            return Verdict(aim, "", NOT_MEASURED)
        once, twice = (list(filter(is_slower, measured)) for measured in (first, second))
        both = [row for row in twice if _key(row) in map(_key, once)]
        found = "; ".join(f"{_named(row)} {row['ratio']:.2f}" for row in both)
        return Verdict(aim, found or f"none of {len(first)}", _met(not both))

    return judge


def no_cliff(rows: Rows) -> Verdict:
    """The largest ratio of all."""
    chosen = select(rows, contestant=OWN)
    aim = f"high and fast: no cell above {CLIFF:g}"
    if not chosen:
        return Verdict(aim, "", NOT_MEASURED)
    worst = max(chosen, key=lambda row: row["ratio"])
    found = f"at most {worst['ratio']:.2f}: {worst['contestant']} {_named(worst)}"
    return Verdict(aim, found, _met(worst["ratio"] <= CLIFF))


def none_above(name: str, limit: float, excepted: str = "") -> Aim:
    """Each ratio of the second group but those of a function whose name begins so."""

    def judge(rows: Rows) -> Verdict:
        but = f", {excepted} excepted" if excepted else ""
        aim = f"{name}, the second group{but}: no cell above {limit:g}"
        every = select(second_group(rows), contestant=name)
        chosen = [row for row in every if not (excepted and row["function"].startswith(excepted))]
        if not chosen:
            return Verdict(aim, "", NOT_MEASURED)
        over = [row for row in chosen if row["ratio"] > limit]
        worst = max(chosen, key=lambda row: row["ratio"])
        found = f"{len(over)} of {len(chosen)} above; at most {worst['ratio']:.2f}, {_named(worst)}"
        return Verdict(aim, found, _met(not over))

    return judge


def small_inputs(kind: str, limit: float) -> Aim:
    """Each ratio of that kind; one is too large if its interval lies above the limit."""

    def judge(rows: Rows) -> Verdict:
        aim = f"{kind}: each within {limit:g}"
        chosen = [row for row in rows if row["part"] == kind and row["contestant"] in OWN]
        if not chosen:
            return Verdict(aim, "", NOT_MEASURED)
        worst = max(chosen, key=lambda row: row["ratio"])
        over = [row for row in chosen if row["ratio_low"] > limit]
        place = f"{worst['contestant']} {worst['function']} {worst['quantity']} ({worst['shape']})"
        found = f"{len(over)} of {len(chosen)} above; at most {worst['ratio']:.2f}, {place}"
        return Verdict(aim, found, _met(not over))

    return judge


def accurate_values(name: str, dtype: str, limit: float) -> Aim:
    """The error of values in unit roundoffs; half an ULP is at most 1."""

    def judge(rows: Rows) -> Verdict:
        aim = f"{name}, {dtype}: 999 in 1000 entries of every value within {limit:g} u"
        chosen = select(rows, contestant=name, dtype=dtype, quantity="value")
        if not chosen:
            return Verdict(aim, "", NOT_MEASURED)
        worst = max(chosen, key=lambda row: row["error_u"])
        found = f"{worst['error_u']:.2f} at most, {_named(worst)}"
        return Verdict(aim, found, _met(worst["error_u"] <= limit))

    return judge


def share_of_copy(share: float, shortest: int, longest: int) -> Aim:
    """GB/s of value, backward and both over the copy's, where much is moved."""

    def judge(rows: Rows) -> Verdict:
        between = f"rows of {shortest:,} to {longest:,}"
        aim = f"high and fast: at least {share:g} % of the copy for {between}"
        products = select(rows, contestant=OWN, quantity=("value", "vjp", "value+vjp"))
        in_range = [row for row in products if shortest <= row["classes"] <= longest]
        chosen = [row for row in in_range if row["bytes"] >= LARGE]
        if not chosen:
            return Verdict(aim, "", NOT_MEASURED)
        under = [row for row in chosen if row["percent_of_copy"] < share]
        worst = min(chosen, key=lambda row: row["percent_of_copy"])
        least = f"{worst['percent_of_copy']:.0f} %, {worst['contestant']} {_named(worst)}"
        return Verdict(aim, f"{len(under)} of {len(chosen)} below; least {least}", _met(not under))

    return judge


def ahead_of_peers(rows: Rows) -> Verdict:
    """The median time of each cell beside that of the fastest peer."""
    aim = f"high and fast: no cell more than {SLOWER:g} times as long as the fastest peer"
    peers = (BASELINE, *(name for name in contestants(rows) if name not in OWN))
    cells = [(own, list(_beside(rows, own, peers))) for own in select(rows, contestant=OWN)]
    ratios = [(own["seconds"] / min(times), own) for own, times in cells if times]
    if not ratios:
        return Verdict(aim, "", NOT_MEASURED)
    behind = sum(ratio > SLOWER for ratio, _ in ratios)
    worst, own = max(ratios, key=lambda pair: pair[0])
    found = f"{behind} of {len(ratios)}; at most {worst:.2f}, {own['contestant']} {_named(own)}"
    return Verdict(aim, found, _met(not behind))


def _beside(rows: Rows, own: Row, peers: tuple[str, ...]) -> Iterator[float]:
    same = {name: own[name] for name in ("function", "quantity", "dtype", "shape")}
    return (row["seconds"] for row in select(rows, contestant=peers, **same))


def _met(is_met: bool) -> str:
    return MET if is_met else MISSED


def _named(row: Row) -> str:
    return f"{row['function']} {row['quantity']} {row['dtype']} ({row['shape']})"


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("function", "quantity", "dtype", "shape"))


COMMON_AIMS: tuple[Aim, ...] = (
    no_slower_cell("fast"),
    at_most("fast", 0.85, contestant="fast"),
    at_most("fast (the further aim)", 0.75, contestant="fast"),
    no_cliff,
    none_above("high", 2.0, "cross-entropy"),
    none_above("fast", 1.2),
    small_inputs(CALL, 1.2),
    small_inputs(COMPILATION, 1.5),
)
CPU_AIMS: tuple[Aim, ...] = (
    *COMMON_AIMS,
    long_rows_faster("vjp", 3),
    long_rows_faster("value+vjp", 3),
    at_most("fast, float16", 1.0, contestant="fast", dtype="float16"),
    accurate_values("fast", "float16", 1.0),
    at_most("high, 16-bit", 1.0, contestant="high", dtype=NARROW),
    at_most("high, float32 (the gate)", 1.7, contestant="high", dtype="float32"),
    at_most("high, float32 (the aim)", 1.25, contestant="high", dtype="float32"),
)
GPU_AIMS: tuple[Aim, ...] = (
    *COMMON_AIMS,
    share_of_copy(90, 1024, 262144),
    share_of_copy(80, 10, 1000),
    ahead_of_peers,
)
