"""`check`: a hand-made derivative beside the true one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc._arrays import static_number
from jaxcalc._check._claim import Claim, claimed, of_doubles
from jaxcalc._check._evidence import Evidence
from jaxcalc._check._faults import found
from jaxcalc._check._knowledge import Knowledge
from jaxcalc._check._oracles import Array, Oracle, Truth, kinked, one_sided, truth
from jaxcalc._check._report import Report
from jaxcalc._layout.arguments import check_function, positions, real_arrays
from jaxcalc._layout.layout import Layout, LayoutLike

NEARBY = 2  # further points
FORMULA = 300  # characters that are shown
LARGEST = 2**22  # entries of a derivative
NARROW = 1e-4  # the eps of 16 bits is more
LEAST = 1e-12  # beside the largest entry: what rounding in an algorithm for the truth may cost


def check(
    f: Callable[..., Any],
    df: Any,
    *args: Any,
    layout: LayoutLike = "numerator",
    argnums: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
) -> Report:
    """Whether `df` is the derivative of `f`, and if not, what is wrong with it.

    The truth is autodiff in double precision, forward and reverse, with a look at central
    differences. A function `df` is also asked at two points near by, drawn from a fixed seed.

    Args:
        f: a function of arrays that returns one array.
        df: what is claimed to be ∂f/∂x: a function of the same arguments, or an array or operator
            at this point.
        args: the point, positional arguments of `f`.
        layout: the layout in which `df` is to be, as in `jacobian`.
        argnums: the position of x, one array.
        rtol: the error allowed beside the largest entry; unless given 64 eps of the coarsest dtype
            that `f` and `df` compute in, 8 eps of 16 bits, and what rounding of x explains.
        atol: the error allowed at least, 0 unless given.

    Returns:
        A `Report`, true where `df` is right: it names the worst entry, and each fault of a table
        (the other layout, a factor, a missing term, …) that explains the claim, with what to change
        and the error that this leaves. A kink of `f` is named and is no fault.

    Raises:
        TypeError: when `f` is no function, no point is given, x or the value is not one real
            floating array, or `rtol` or `atol` is no number.
        ValueError: for an unknown layout, `argnums` beyond the arguments, a negative `rtol` or
            `atol`, or a derivative of more than 2²² entries.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> A, x = jnp.array([[1.0, 2.0], [0.0, 3.0]]), jnp.array([1.0, -1.0])
    >>> print(jc.check(lambda x: A @ x, A.T, x))
    wrong: not ∂f/∂x in numerator layout
      worst entry [0, 1]: 0 is claimed, 2 is true; 2 of 4 entries are wrong
      the other layout: it is in denominator layout; transpose it, or pass \
`layout='denominator'` (exact)
      the derivative: A
    """
    rtol = None if rtol is None else static_number("rtol", rtol, least=0)
    atol = None if atol is None else static_number("atol", atol, least=0)
    return judged(posed(f, args, argnums, layout), df, args, rtol, atol)


def assert_derivative(f: Callable[..., Any], df: Any, *args: Any, **options: Any) -> None:
    """Nothing if `check` finds `df` right; its options are the same.

    Raises:
        AssertionError: with the report for a message, if `df` is wrong.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> jc.assert_derivative(jnp.sin, lambda x: jnp.diag(jnp.cos(x)), jnp.ones(3))
    """
    report = check(f, df, *args, **options)
    if not report:
        raise AssertionError(str(report))


class Problem(NamedTuple):
    """A function to differentiate by one argument, with the programs that all points share."""

    position: int
    layout: Layout
    oracle: Oracle
    knowledge: Knowledge


def posed(
    f: Callable[..., Any], args: Sequence[Any], argnums: int = 0, layout: LayoutLike = "numerator"
) -> Problem:
    """What is asked; `check` of several claims poses it once."""
    layout = Layout(layout)
    check_function(f)
    if not args:
        raise TypeError(
            "`args`, the point at which to check, must be given, but got none; pass the arguments "
            "of `f` after the derivative, as in `jc.check(jnp.sin, jnp.cos, 0.5)`."
        )
    (position,) = positions(argnums, len(args))
    x = real_arrays(f"argument {position}", "choose another by `argnums`", args[position])
    if not isinstance(x, jax.Array):
        raise TypeError(
            f"argument {position} must be one array, but got {type(args[position]).__name__}; "
            "check its arrays one by one."
        )
    with _doubles():
        oracle = Oracle(f, position, args)
    value = oracle.y
    if len(jax.tree.leaves(value)) != 1 or not hasattr(value, "shape"):
        raise TypeError(f"`f` must return one array, but got {jax.eval_shape(lambda: value)!r}.")
    if x.size * value.size > LARGEST:
        raise ValueError(
            f"the derivative has {value.size} × {x.size} entries, more than {LARGEST}; "
            "check it at smaller arrays."
        )
    return Problem(position, layout, oracle, Knowledge(f, position, layout))


@contextmanager
def _doubles() -> Iterator[None]:
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


def judged(
    problem: Problem,
    df: Any,
    args: Sequence[Any],
    rtol: float | None = None,
    atol: float | None = None,
) -> Report:
    """What there is to say of a claim: of the first point at which it is wrong, if there is one."""
    with _doubles():
        claim = claimed(df)
        points = [args, *nearby(args, problem.position)] if callable(df) else [args]
        for point in points:
            report = _at(problem, claim, point, rtol, atol)
            if not report:
                break
    return report


def nearby(args: Sequence[Any], position: int) -> list[list[Any]]:
    """The point with x moved a little."""
    random = np.random.default_rng(0)
    x = np.asarray(args[position])
    points = []
    for _ in range(NEARBY):
        relative, absolute = random.uniform(-1, 1, (2, *x.shape))
        moved = x * (1 + 0.1 * relative) + 0.01 * absolute
        points.append([*args[:position], jnp.asarray(moved, x.dtype), *args[position + 1 :]])
    return points


def _at(
    problem: Problem,
    df: Claim,
    args: Sequence[Any],
    rtol: float | None,
    atol: float | None,
) -> Report:
    wide = problem.oracle.point(args)
    claim, eps = of_doubles(df, args, wide)
    eps = max(eps, problem.oracle.eps)
    true = truth(problem.oracle, wide, eps, np.random.default_rng(1))
    evidence = _evidence(problem, true, eps, rtol, atol)
    if not evidence.is_right(claim):
        kinks = one_sided(problem.oracle.at(wide), true.x, problem.oracle.step)
        if kinks and kinked(kinks) not in true.remarks:
            true = true._replace(remarks=(*true.remarks, kinked(kinks)))
        between = evidence.between(kinks)
        evidence = between if between.is_right(claim) else evidence
    if evidence.is_right(claim):
        return _right(problem, evidence, claim, true)
    evidence, formula = _derived(problem, evidence, args)
    return _wrong(problem, evidence, claim, true, formula)


def _evidence(
    problem: Problem,
    true: Truth,
    eps: float,
    rtol: float | None,
    atol: float | None,
) -> Evidence:
    scale = float(np.max(np.abs(true.tensor), initial=0.0, where=np.isfinite(true.tensor)))
    relative = (8 if eps > NARROW else 64) * eps + LEAST if rtol is None else rtol
    moved = np.where(np.isfinite(true.spread), true.spread, 0)
    least = (atol or 0) + relative * scale + problem.oracle.eps * true.steepness
    allowed = np.full(true.tensor.shape, least) + 8 * moved
    return Evidence(true.tensor, true.y_shape, true.x, problem.layout, allowed, {"x": true.x})


def _derived(problem: Problem, e: Evidence, args: Sequence[Any]) -> tuple[Evidence, str | None]:
    """The evidence with what `derive` knows, and the formula."""
    try:
        known = problem.knowledge.at(problem.oracle.point(args))
    except Exception:
        return e, None
    formula = known.formula if len(known.formula) <= FORMULA else None
    e = replace(e, named=known.named, factors=known.factors, summands=known.summands)
    return e, formula


# --- what is said ---


def _right(problem: Problem, e: Evidence, claim: Array, true: Truth) -> Report:
    """That it is; but where the rules of f contradict f, its autodiff is no derivative either."""
    notes, truth = [remark.text for remark in true.remarks], e.truth
    infinite = int(np.sum(~np.isfinite(truth)))
    if infinite:
        notes.append(f"{infinite} of {truth.size} entries of the derivative are NaN or infinite")
    if truth.ndim == 2 and truth.shape[0] == truth.shape[1] > 1 and np.allclose(truth, truth.T):
        notes.append("it is symmetric, so that its layout cannot be told")
    is_right = not any(remark.is_fault for remark in true.remarks)
    verdict = "right" if is_right else "wrong"
    words = f"{verdict}: ∂f/∂x in {problem.layout.value} layout, to {e.off(claim):.1e}"
    return Report(is_right, words, notes=tuple(notes))


def _wrong(problem: Problem, e: Evidence, claim: Array, true: Truth, formula: str | None) -> Report:
    details = [*_seen(claim, e)]
    finite = np.isfinite(claim).all() and np.isfinite(e.tensor).all()
    diagnoses = found(claim, e) if finite else []
    return Report(
        False,
        f"wrong: not ∂f/∂x in {problem.layout.value} layout",
        tuple(details),
        tuple(diagnoses),
        tuple(remark.text for remark in true.remarks),
        formula,
    )


def _seen(claim: Array, e: Evidence) -> list[str]:
    """The shape, NaN, and the worst entry."""
    truth = e.truth
    if claim.shape != truth.shape:
        other = e.in_layout(e.layout.other).shape
        wanted = (
            f"{e.layout.value} layout wants {truth.shape}, {e.layout.other.value} layout {other}"
        )
        if other == truth.shape:
            wanted = f"both layouts want {other}"
        shape = f"its shape is {claim.shape}" if claim.ndim else "it is a number"
        return [f"{shape}: {wanted}"]
    for invalid, words in (
        (~np.isfinite(claim) & np.isfinite(truth), "entries"),
        (np.isfinite(claim) & ~np.isfinite(truth), "entries of the derivative itself"),
    ):
        if invalid.any():
            first, count = list(map(int, np.argwhere(invalid)[0])), int(invalid.sum())
            return [f"{count} of {claim.size} {words} are NaN or infinite, the first at {first}"]
    error = np.nan_to_num(np.abs(claim - truth), nan=0) - e.tolerance
    worst = np.unravel_index(int(np.nanargmax(error)), error.shape)
    place = [int(i) for i in worst]
    count = int(np.sum(error > 0))
    return [
        f"worst entry {place}: {claim[worst]:.6g} is claimed, {truth[worst]:.6g} is true; "
        f"{count} of {claim.size} entries are wrong"
    ]
