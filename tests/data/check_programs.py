"""What `check` says of derivatives of random programs: right of right ones, wrong of wrong ones.

`python tests/data/check_programs.py 0 1000` looks at the programs 0 to 999, and counts; with
`float32` for a third word, at programs of arrays of that dtype.
Whether a claim is right, numbers decide: the negative of a zero is, and the transpose of a
symmetric matrix.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from programs import MODULES, Program, program

import jaxcalc as jc
from jaxcalc._check._check import Problem, judged, nearby, posed
from jaxcalc._check._oracles import Array

# how far a claim is off beside the largest entry; between them, no word
RIGHT, WRONG = 1e-13, {"float64": 1e-8, "float32": 1e-3}
MOST_TERMS = 4
LAYOUTS = ["numerator", "numerator", "numerator", "denominator"]


def faults(
    number: int, counts: Counter[str] | None = None, dtype: str = "float64"
) -> Iterator[str]:
    """What `check` gets wrong of a program; nothing where the point is at a kink."""
    one = program(number)
    if not bool(jax.jit(one.is_tame)(one.argument)):
        return
    one = _cast(one, dtype)
    f, x = _of_one_array(one.f, one.argument)
    layout = LAYOUTS[number % len(LAYOUTS)]
    jacobian = jax.jit(jc.jacobian(f, layout=layout))
    J = np.asarray(jacobian(x.astype(float)))
    if not np.isfinite(J).all() or 0 < np.max(np.abs(J)) < 1e-12:  # at 0/0, or rounding alone
        return
    problem = posed(f, (x,), layout=layout)
    points = [
        ((x,), J),
        *((point, np.asarray(jacobian(point[0].astype(float)))) for point in nearby((x,), 0)),
    ]
    for name, claim in _claims(problem, f, x, J, layout, np.random.default_rng(number)):
        asked = points if callable(claim) else points[:1]
        off = 0.0 if name in RIGHTS else max(_off(claim, *pair) for pair in asked)
        if RIGHT < off < WRONG[dtype]:
            continue
        report = judged(problem, claim, (x,))
        if counts is not None:
            counts[f"{'right' if off <= RIGHT else 'wrong'}: {name}"] += 1
        if bool(report) != (off <= RIGHT):
            yield f"# {name}, {layout} layout, off {off:.1e}\n{one}\n{report}"


def _cast(one: Program, dtype: str) -> Program:
    """The program with its arrays of doubles in another dtype."""

    def cast(a: Any) -> Any:
        return a.astype(dtype) if a.dtype == float else a

    captured = jax.tree.map(cast, one.captured)
    scope = {**MODULES, **captured}
    exec(one.source, scope)
    return one._replace(f=scope["f"], argument=jax.tree.map(cast, one.argument), captured=captured)


def _of_one_array(f: Callable[..., Any], argument: Any) -> tuple[Callable[..., Any], Any]:
    """f and its point; that of a dictionary as a function of its arrays, stacked."""
    leaves, tree = jax.tree.flatten(argument)
    if not isinstance(argument, dict):
        return f, argument
    return lambda x: f(jax.tree.unflatten(tree, list(x))), jnp.stack(leaves)


def _off(claim: Any, point: Any, J: Array) -> float:
    """The largest error at a point, beside the largest entry."""
    found = np.asarray(claim(*point) if callable(claim) else claim)
    if found.shape != J.shape:
        return np.inf
    return float(np.max(np.abs(found - J), initial=0)) / (float(np.max(np.abs(J), initial=0)) or 1)


# --- claims ---

RIGHTS = {"jacobian", "derive", "operator", "code", "array", "array of float32"}


def _claims(
    problem: Problem, f: Callable[..., Any], x: Any, J: Array, layout: str, random: Any
) -> Iterator[tuple[str, Any]]:
    """Right ones, one of the dear ones each time; then wrong ones."""
    dear = random.integers(4)
    if dear == 0:
        yield "jacobian", jc.jacobian(f, layout=layout)
    elif dear == 1:
        yield "derive", jc.derive(f, layout=layout)
    else:
        operator = jax.jit(jc.derive(f, layout=layout))(x)
        yield from [("operator", operator)] if dear == 2 else _by_code(operator)
    yield "array", J
    yield "array of float32", J.astype(np.float32)
    yield "constant", lambda *_: J
    terms = [term for term in problem.knowledge.at((x,)).summands if term.array.any()]
    for term in terms[:MOST_TERMS]:
        yield "without a term", J - term.array
        for other in term.turned[:2]:
            yield "a matrix transposed", J - term.array + other.array
    for name, fault in FAULTS.items():
        yield name, fault(J, np.asarray(x), random)


def _by_code(J: Any) -> Iterator[tuple[str, Any]]:
    scope: dict[str, Any] = {}
    try:
        exec(J.code, scope)
        arrays = J.arrays
    except (ValueError, KeyError):
        return
    x = {"x"} & set(arrays)
    yield "code", lambda at: scope["derivative"](**arrays | dict.fromkeys(x, at))


def _one_entry(J: Array, random: Any, size: float) -> Array:
    """One entry off by so much of the largest."""
    claim = J.copy()
    claim.flat[random.integers(J.size)] += size * (np.max(np.abs(J), initial=0) or 1)
    return claim


def _by_columns(J: Array, factors: Array) -> Array:
    """Each column, of an entry of x, times a number, where the shape says which axes are those."""
    if J.ndim == 2 and factors.ndim <= 1:
        for axis in (1, 0):
            if J.shape[axis] == factors.size:
                return J * np.expand_dims(factors.ravel(), 1 - axis)
    return J


def _swapped(J: Array, random: Any) -> Array:
    """Two axes of one size exchanged."""
    pairs = [(i, j) for i in range(J.ndim) for j in range(i) if J.shape[i] == J.shape[j] > 1]
    return np.swapaxes(J, *pairs[random.integers(len(pairs))]) if pairs else J.T


def _row(J: Array, random: Any, factor: float) -> Array:
    """One row times a number."""
    claim = J.copy()
    if J.ndim:
        claim[random.integers(J.shape[0])] *= factor
    return claim


FAULTS: dict[str, Callable[[Array, Array, Any], Array]] = {
    "sign": lambda J, x, random: -J,
    "factor 2": lambda J, x, random: 2 * J,
    "factor 1/n": lambda J, x, random: J / max(x.size, 2),
    "axes": lambda J, x, random: _swapped(J, random),
    "one entry": lambda J, x, random: _one_entry(J, random, 1e-3),
    "one entry, a little": lambda J, x, random: _one_entry(J, random, 1e-7),
    "zero": lambda J, x, random: 0 * J,
    "largest entry 0": lambda J, x, random: np.where(np.abs(J) == np.max(np.abs(J)), 0, J),
    "a row 0": lambda J, x, random: _row(J, random, 0),
    "a row twice": lambda J, x, random: _row(J, random, 2),
    "where x < 0": lambda J, x, random: _by_columns(J, np.where(x < 0, 2.0, 1.0)),
    "slope x": lambda J, x, random: _by_columns(J, x),
    "rolled": lambda J, x, random: np.roll(J, 1),
    "noise": lambda J, x, random: J * (1 + 1e-6 * random.standard_normal(J.shape)),
}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    counts: Counter[str] = Counter()
    found = []
    for number in range(*map(int, sys.argv[1:3])):
        for text in faults(number, counts, *sys.argv[3:]):
            found.append(text)
            print(text, end="\n\n", flush=True)
    print("\n".join(f"{counts[name]:6} {name}" for name in sorted(counts)))
    print(f"{len(found)} faults in {counts['right: array']} programs")
