"""Faults of single terms: the claim as a sum of the terms of the true formula, turned or not."""

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np

from jaxcalc._check import _words
from jaxcalc._check._evidence import Summand, distance
from jaxcalc._check._oracles import Array

Summands = Sequence[Summand]
Fault = tuple[str, str, float]
MOST = 8  # terms


def of_summands(claim: Array, summands: Summands, names: _words.Names) -> Iterator[Fault]:
    """Name, change and residual of what explains a claim by the terms."""
    if len(summands) < 2 or any(t.array.shape != claim.shape for t in summands):
        return
    yield from _coefficients(claim, summands, names)
    yield from _turned(claim, summands)
    yield from _spread(claim, summands)


def _coefficients(claim: Array, summands: Summands, names: _words.Names) -> Iterator[Fault]:
    """Of claim = Σ c_k T_k, the c_k that are not 1."""
    columns = np.stack([t.array.ravel() for t in summands], -1)
    if np.linalg.matrix_rank(columns) < len(summands):
        return
    solution, *_ = np.linalg.lstsq(columns, claim.ravel(), rcond=None)
    off = distance((columns @ solution).reshape(claim.shape), claim)
    texts, c = [t.text for t in summands], [float(k) for k in solution]
    symmetric = _right_if(texts, c)
    if symmetric:
        yield "right only where an array is symmetric", f"it is right if {symmetric}", off
    wrong = [(text, k) for text, k in zip(texts, c, strict=True) if abs(k - 1) > 1e-6]
    if not symmetric and wrong and len(wrong) < len(texts):
        faults = sorted({_name(k) for _, k in wrong})
        yield "; ".join(faults), "; ".join(_change(*one, names) for one in wrong), off


def _name(k: float) -> str:
    if abs(k) < 1e-6:
        return "a term missing"
    return "the sign of a term" if abs(k + 1) < 1e-6 else "the factor of a term"


def _change(text: str, k: float, names: _words.Names) -> str:
    if abs(k) < 1e-6:
        return f"you lack {text}"
    if abs(k + 1) < 1e-6:
        return f"the right term is {text}"
    return f"you have {names.number(k)} times {text}"


def _right_if(texts: Sequence[str], c: Sequence[float]) -> str | None:
    """'A = Aᵀ', where the terms that this makes equal have the right coefficients together."""
    for name in sorted({word for text in texts for word in re.findall(r"(\w+)ᵀ", text)}):
        together: dict[str, list[float]] = {}
        for text, k in zip(texts, c, strict=True):
            together.setdefault(text.replace(f"{name}ᵀ", name), []).append(k)
        right = all(abs(sum(group) - len(group)) < 1e-6 for group in together.values())
        if right and len(together) < len(texts):
            return f"{name} = {name}ᵀ"
    return None


def _turned(claim: Array, summands: Summands) -> Iterator[Fault]:
    """One term transposed: an outer product the wrong way round."""
    if claim.ndim != 2 or claim.shape[0] != claim.shape[1]:
        return
    whole = np.sum([t.array for t in summands], 0)
    for term in summands:
        if not np.allclose(term.array, term.array.T):
            off = distance(whole - term.array + term.array.T, claim)
            yield "an outer product the wrong way round", f"you have {term.text} transposed", off


def _spread(claim: Array, summands: Summands) -> Iterator[Fault]:
    """One diagonal matrix as its diagonal, which NumPy adds to all rows, or as a number, to all."""
    if claim.ndim != 2 or claim.shape[0] != claim.shape[1]:
        return
    whole = np.sum([t.array for t in summands], 0)
    for term in summands:
        diagonal = np.diagonal(term.array)
        if np.array_equal(term.array, np.diag(diagonal)):
            for shape, words in (((1, -1), "row"), ((-1, 1), "column")):
                off = distance(whole - term.array + diagonal.reshape(shape), claim)
                change = f"you have the diagonal of {term.text} in every {words}"
                yield "a diagonal matrix as a vector or a number", change, off


def of_matrices(claim: Array, summands: Summands) -> Iterator[Fault]:
    """One matrix transposed in a term, or one in each of two terms."""
    if not summands or any(t.array.shape != claim.shape for t in summands):
        return
    whole = np.sum([t.array for t in summands], 0)
    turned = [
        (i, f"you have {other.text} in place of {term.text}", other.array - term.array)
        for i, term in enumerate(summands)
        for other in term.turned
        if not np.allclose(other.array, term.array)
    ]
    for count in (1, 2):
        for group in itertools.combinations(turned, count):
            places, changes, errors = zip(*group, strict=True)
            if len(set(places)) == count:
                off = distance(whole + np.sum(errors, 0), claim)
                yield "a matrix transposed", "; ".join(changes), off
