"""What people get wrong: one row a fault, with a test and what to change.

A fault that can be mended gives the mended claim too, so that a second one may be found in that.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from jaxcalc._check import _words
from jaxcalc._check._evidence import Evidence, distance
from jaxcalc._check._oracles import Array
from jaxcalc._check._summands import of_matrices, of_summands
from jaxcalc._layout.layout import Layout, Vec


@dataclass(frozen=True)
class Finding:
    """One thing that may be wrong.

    Attributes:
        name: the fault.
        change: what to change.
        residual: the error that is left after that, beside the largest entry; None where nothing
            is mended.
        mended: the claim after that, where it can be made of the claim alone.
    """

    name: str
    change: str
    residual: float | None
    mended: Array | None = None

    def __str__(self) -> str:
        if self.residual is None:
            return f"{self.name}: {self.change}"
        left = "exact" if self.residual < ROUNDING else f"leaves {self.residual:.1e}"
        return f"{self.name}: {self.change} ({left})"


ROUNDING = 1e-12
Fault = Callable[[Array, Evidence], Iterator[Finding]]


def found(claim: Array, e: Evidence) -> list[Finding]:
    """The faults that explain a claim, simplest first; else pairs, one after the other."""
    singly = [f for fault in FAULTS for f in fault(claim, e) if _fits(f, e)]
    if singly:
        return _distinct(singly)
    return _distinct([pair for first in MENDABLE for pair in _second(first, claim, e)])


def _second(first: Fault, claim: Array, e: Evidence) -> Iterator[Finding]:
    for one in first(claim, e):
        if one.mended is None or not np.isfinite(one.mended).all():
            continue
        others = [f for f in FAULTS if f is not first]
        for two in (f for fault in others for f in fault(one.mended, e) if _fits(f, e)):
            yield Finding(
                f"{one.name}, and {two.name}", f"{one.change}; then {two.change}", two.residual
            )


def _fits(finding: Finding, e: Evidence) -> bool:
    return finding.residual is None or finding.residual <= max(16 * e.near, 1e-12)


def _distinct(findings: list[Finding]) -> list[Finding]:
    """One of each name, and those only whose changes differ."""
    seen: dict[str, Finding] = {}
    for finding in findings:
        words = frozenset(finding.name.split(", and "))
        seen.setdefault(" ".join(sorted(words)), finding)
    return list(seen.values())


# --- shapes and layouts ---


def other_layout(claim: Array, e: Evidence) -> Iterator[Finding]:
    """The transpose, or the axes of x before those of y."""
    other = e.layout.other
    if claim.ndim < 2 or claim.shape != e.in_layout(other).shape:
        return
    mended = e.from_layout(claim, other)
    yield Finding(
        "the other layout",
        f"it is in {other.value} layout; transpose it, or pass `layout={other.value!r}`",
        e.off(mended),
        mended,
    )


def _is_other_layout(claim: Array, e: Evidence) -> bool:
    return any(_fits(finding, e) for finding in other_layout(claim, e))


def shape(claim: Array, e: Evidence) -> Iterator[Finding]:
    """All entries in order, in another shape."""
    shapes = [e.in_layout(layout).shape for layout in Layout]
    if claim.shape in shapes or claim.size != e.tensor.size:
        return
    for layout in (e.layout, e.layout.other):
        truth = e.in_layout(layout)
        mended = e.from_layout(claim.reshape(truth.shape), layout)
        words = f"{layout.value} layout wants {truth.shape}; reshape it"
        extra = "" if layout is e.layout else ", or pass that layout"
        yield Finding("the shape", words + extra, e.off(mended), mended)


_STACKINGS: list[tuple[Vec, str]] = [("F", "columns"), ("C", "rows")]


def stacking(claim: Array, e: Evidence) -> Iterator[Finding]:
    """Entries of matrices stacked by columns where rows are meant, or stacked at all."""
    if max(len(e.y_shape), e.x.ndim) < 2 or _is_other_layout(claim, e):
        return
    for vec, words in _STACKINGS:
        flat = e.in_layout(e.layout, vec)
        shapes = [flat.shape] if vec == "C" else [flat.shape, e.truth.shape]
        if claim.shape not in shapes:
            continue
        yield Finding(
            f"stacked by {words}",
            f"it is the matrix of entries stacked by {words}, `jc.jacobian(f, vec={vec!r})`; "
            + (
                "stack rows instead"
                if claim.shape == e.truth.shape
                else f"reshape it to {e.truth.shape}"
            ),
            distance(claim.reshape(flat.shape), flat),
        )


def axes(claim: Array, e: Evidence) -> Iterator[Finding]:
    """Axes in another order."""
    if not 2 < claim.ndim <= 6 or sorted(claim.shape) != sorted(e.truth.shape):
        return
    if _is_other_layout(claim, e):
        return
    for order in itertools.permutations(range(claim.ndim)):
        if order == tuple(range(claim.ndim)):
            continue
        mended = np.transpose(claim, order)
        if mended.shape == e.truth.shape and e.off(mended) < 1e-3:
            words = f"the axes stand in another order; `jnp.transpose(claim, {order})`"
            yield Finding("an axis permutation", words, e.off(mended), mended)


# --- factors ---


def sign(claim: Array, e: Evidence) -> Iterator[Finding]:
    yield Finding("the sign", "multiply by −1", e.off(-claim), -claim)


def factor(claim: Array, e: Evidence) -> Iterator[Finding]:
    """A number that all entries lack."""
    square = float(np.sum(claim * claim))
    if claim.shape != e.truth.shape or not square or not np.isfinite(square):
        return
    k = float(np.sum(claim * e.truth)) / square
    if k and abs(abs(k) - 1) > 1e-9:
        words = f"multiply by {_names(e).number(k)}"
        yield Finding("a constant factor", words, e.off(k * claim), k * claim)


def _names(e: Evidence) -> _words.Names:
    """What a factor may be."""
    sizes = {"n": e.x.size, "m": math.prod(e.y_shape)}
    sizes |= {f"x.shape[{i}]": n for i, n in enumerate(e.x.shape) if e.x.ndim > 1}
    return _words.Names(sizes, e.named)


def inner_vector(claim: Array, e: Evidence) -> Iterator[Finding]:
    """A diagonal matrix beside it, which the chain rule gives."""
    if claim.shape != e.truth.shape:
        return
    M, T = e.as_matrix(claim), e.matrix
    for side, axis in (("inner", 0), ("outer", 1)):
        squares = np.sum(M * M, axis)
        if not squares.all() or not np.isfinite(squares).all():
            continue
        v = np.sum(M * T, axis) / squares
        spread = np.max(v) - np.min(v)
        if v.size < 2 or spread <= 1e-9 * np.max(np.abs(v)):
            continue
        text = _words.vector(v, _names(e))
        alone = min(T.shape) == 1 or np.count_nonzero(T) <= max(T.shape)
        if text is None and alone:
            continue
        mended = e.arranged(M * np.expand_dims(v, axis))
        what = f"diag({text})" if text else f"diag({np.array2string(v, precision=4, threshold=6)})"
        yield Finding(f"a missing {side} factor", _beside(what, side, e), e.off(mended), mended)
        if alone:
            return


def inner_matrix(claim: Array, e: Evidence) -> Iterator[Finding]:
    """A matrix beside it, one that has a name."""
    flat = claim if e.layout is Layout.NUMERATOR else claim.T
    if flat.ndim != 2 or e.truth.ndim != 2 or e.x.ndim > 1 or len(e.y_shape) > 1:
        return
    for name, array in e.named.items():
        for text, A in ((name, array), (f"{name}ᵀ", array.T)):
            if array.ndim != 2 or A.shape == (1, 1):
                continue
            for side, one, two in (("inner", flat, A), ("outer", A, flat)):
                if one.shape[1] == two.shape[0]:
                    product = one @ two
                    mended = product if e.layout is Layout.NUMERATOR else product.T
                    change = _beside(text, side, e)
                    yield Finding(f"a missing {side} factor", change, e.off(mended), mended)


def _beside(what: str, side: str, e: Evidence) -> str:
    right = (side == "inner") == (e.layout is Layout.NUMERATOR)
    matrix = what if e.layout is Layout.NUMERATOR or what.startswith("diag") else _transposed(what)
    return f"multiply by {matrix} from the {'right' if right else 'left'}"


def _transposed(text: str) -> str:
    return text[:-1] if text.endswith("ᵀ") else f"{text}ᵀ"


def reversed_chain(claim: Array, e: Evidence) -> Iterator[Finding]:
    """The maps of a chain in another order."""
    if claim.shape != e.truth.shape or not 2 <= len(e.factors) <= 4:
        return
    M = e.as_matrix(claim)
    for order in itertools.permutations(range(len(e.factors))):
        maps = [e.factors[i] for i in order]
        fits = all(a.shape[1] == b.shape[0] for a, b in itertools.pairwise(maps))
        if order != tuple(range(len(maps))) and fits:
            product = maps[0]
            for other in maps[1:]:
                product = product @ other
            yield Finding(
                "the chain reversed",
                "multiply the derivatives in the order of the chain rule, the outermost first"
                if e.layout is Layout.NUMERATOR
                else "multiply the derivatives the innermost first, as denominator layout has it",
                distance(M, product),
            )


# --- parts ---


def diagonal_only(claim: Array, e: Evidence) -> Iterator[Finding]:
    """The entries off the diagonal left out, or a diagonal matrix given as its diagonal."""
    if not e.is_square or e.x.size < 2:
        return
    diagonal = np.diagonal(e.matrix).reshape(e.x.shape)
    rest = e.matrix - np.diag(np.diagonal(e.matrix))
    if claim.shape == e.x.shape != e.truth.shape:
        off = distance(claim, diagonal)
        if not rest.any():
            yield Finding("the diagonal as a vector", "write it as a matrix, `jnp.diag(…)`", off)
        else:
            yield Finding("the diagonal only", "the entries off the diagonal are missing", off)
    elif claim.shape == e.truth.shape and rest.any():
        only = distance(e.as_matrix(claim), np.diag(np.diagonal(e.matrix)))
        yield Finding("the diagonal only", "the entries off the diagonal are missing", only)


def diagonal_missing(claim: Array, e: Evidence) -> Iterator[Finding]:
    if e.is_square and claim.shape == e.truth.shape and np.diagonal(e.matrix).any():
        rest = e.matrix - np.diag(np.diagonal(e.matrix))
        if rest.any():
            off = distance(e.as_matrix(claim), rest)
            yield Finding("the diagonal missing", "the entries on the diagonal are 0", off)


def summands(claim: Array, e: Evidence) -> Iterator[Finding]:
    """A term of a sum that is missing, has a factor, or is turned round."""
    if claim.shape == e.truth.shape:
        for name, change, off in of_summands(claim, e.summands, _names(e)):
            yield Finding(name, change, off)


def matrix_transposed(claim: Array, e: Evidence) -> Iterator[Finding]:
    """A square matrix in a term that is to be its transpose; of the whole, it is the layout."""
    if claim.shape == e.truth.shape and not _is_other_layout(claim, e):
        for name, change, off in of_matrices(claim, e.summands):
            yield Finding(name, change, off)


REGIONS: dict[str, Callable[[Array], Array]] = {
    "x < 0": lambda x: x < 0,
    "x > 0": lambda x: x > 0,
    "x = 0": lambda x: x == 0,
    "x ≤ 0": lambda x: x <= 0,
    "x ≥ 0": lambda x: x >= 0,
    "|x| > 1": lambda x: np.abs(x) > 1,
    "|x| < 1": lambda x: np.abs(x) < 1,
}


def region(claim: Array, e: Evidence) -> Iterator[Finding]:
    """Wrong in the columns of some entries of x alone: those of one sign, or at an end."""
    if claim.shape != e.truth.shape or e.x.size < 2 or not np.isfinite(claim).all():
        return
    error = np.abs(e.as_matrix(claim) - e.matrix) > e.allowed.reshape(e.matrix.shape)
    wrong, x = error.any(0), e.x.ravel()
    if not wrong.any() or wrong.all():
        return
    for text, where in REGIONS.items():
        if (where(x) == wrong).all():
            yield Finding("wrong in one region", f"it is wrong only where {text}", None)
            return
    if wrong.sum() == 1 and wrong[[0, -1]].any():
        end = "first" if wrong[0] else "last"
        yield Finding("wrong at an end", f"it is wrong only at the {end} entry of x", None)


MENDABLE: list[Fault] = [other_layout, shape, sign, axes, factor, inner_matrix, inner_vector]
FAULTS: list[Fault] = [
    other_layout,
    shape,
    sign,
    factor,
    stacking,
    axes,
    diagonal_only,
    diagonal_missing,
    inner_matrix,
    inner_vector,
    reversed_chain,
    summands,
    matrix_transposed,
    region,
]
