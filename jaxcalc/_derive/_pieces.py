"""Pieces: linear maps between arrays, of which the derivative is made.

Einsums    a sum of terms
Product    one of the softmax family's own maps
Along      a map with a structure of its own along one axis
Index      entries moved from place to place
Opaque     any linear function
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc import operators as ops
from jaxcalc._closed_forms.softmax_operators import Origin, softmax_operator
from jaxcalc._derive._along import MapAlong
from jaxcalc._derive._bound import Pulled, reshaped
from jaxcalc._derive._coefficients import Coefficient, Label, dropped
from jaxcalc._derive._structure import operator_of
from jaxcalc._derive._terms import Pair, Shape, Term, term_at, without_masks, written
from jaxcalc._formula import Expression, call, maps, number_of
from jaxcalc._functions.rows import Rows

Change = Callable[[Coefficient], Coefficient]


class Piece(ABC):
    """A linear map; its arrays are coefficients."""

    @property
    def is_pointwise(self) -> bool:
        """Whether each entry of the result reads at most one of the source."""
        return False

    def pairs(self, codomain: Shape, domain: Shape) -> set[Pair]:
        """The axes of the result that are tied to axes of the source."""
        return set()

    def at(self, pair: Pair, index: str, codomain: Shape) -> "Piece":
        """The map at one index along two axes that are tied."""
        raise AssertionError(self)

    def with_arrays(self, change: Change) -> "Piece":
        """The same map with its arrays changed, one after another."""
        return self

    @abstractmethod
    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """The map as an operator, which computes in `dtype`."""

    @abstractmethod
    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """The map in expressions."""


@dataclass(frozen=True)
class Einsums(Piece):
    """A sum of terms."""

    terms: tuple[Term, ...]

    @property
    def is_pointwise(self) -> bool:
        """Whether all terms are."""
        return all(term.is_pointwise for term in self.terms)

    def pairs(self, codomain: Shape, domain: Shape) -> set[Pair]:
        """Those of all terms."""
        return set.intersection(*(term.pairs for term in self.terms))

    def at(self, pair: Pair, index: str, codomain: Shape) -> "Einsums":
        """The terms at one index."""
        return Einsums(tuple(term_at(term, pair, index) for term in self.terms))

    def with_arrays(self, change: Change) -> "Einsums":
        """The factors of the terms in turn."""
        changed = (replace(t, factors=tuple(map(change, t.factors))) for t in self.terms)
        return Einsums(tuple(changed))

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """By the labels of the terms."""
        return operator_of(self.terms, codomain, domain, dtype)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """The terms; one that masks leave of alone is a selection."""
        alone = len(self.terms) == 1
        terms = [without_masks(term) if alone else term for term in self.terms]
        return maps.Terms(codomain, domain, tuple(map(written, terms)))


@dataclass(frozen=True)
class Product(Piece):
    """One of the softmax family's own maps: `kind` is that of its primitive."""

    kind: str
    kept: Coefficient  # what the primitive reads the softmax from; labels play no part
    rows: Rows
    s: Expression  # the softmax

    def pairs(self, codomain: Shape, domain: Shape) -> set[Pair]:
        """The axes beside those of a row."""
        inside = {axis % len(codomain) for axis in self.rows.axes}
        return {(a, a) for a, n in enumerate(codomain) if a not in inside and n > 1}

    def at(self, pair: Pair, index: str, codomain: Shape) -> "Product":
        """Of the rows at one index."""
        (a, _), rank = pair, len(codomain)
        axes = tuple(axis % rank - (axis % rank > a) - (rank - 1) for axis in self.rows.axes)
        s = call("at", (self.s,), dropped(self.s.shape, a), axis=a, index=index)
        kept = self.kept._replace(mapped=(*self.kept.mapped, a))
        return Product(self.kind, kept, self.rows._replace(axes=axes), s)

    def with_arrays(self, change: Change) -> "Product":
        """What is kept."""
        return replace(self, kept=change(self.kept))

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """The notes' Jacobian."""
        return softmax_operator(self.kind, Origin(jnp.asarray(self.kept.array)), self.rows, dtype)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """By its softmax."""
        return maps.of_rows(self.kind, self.s, self.rows.axes)


@dataclass(frozen=True)
class Along(Piece):
    """`kind` along `axis`; `labels` are those of the result's axes, which `kept` shares."""

    kind: MapAlong
    kept: tuple[Coefficient, ...]
    axis: int
    labels: tuple[Label, ...]

    def pairs(self, codomain: Shape, domain: Shape) -> set[Pair]:
        """The axes beside it."""
        long = (a for a, label in enumerate(self.labels) if label.size > 1)
        return {(a, a) for a in long if a != self.axis}

    def at(self, pair: Pair, index: str, codomain: Shape) -> "Along":
        """With the arrays at one index."""
        label = self.labels[pair[0]]
        kept = tuple(factor.at(label, index) for factor in self.kept)
        labels = tuple(other for other in self.labels if other != label)
        return Along(self.kind, kept, self.axis - (self.axis > pair[0]), labels)

    def with_arrays(self, change: Change) -> "Along":
        """Its arrays in turn."""
        return replace(self, kept=tuple(map(change, self.kept)))

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """That of the kind; no other axis is left."""
        arrays = [jnp.asarray(f.array) for f in self.kept]
        return self.kind.operator(arrays, domain[0], dtype)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """The kind in expressions."""
        return self.kind.written([f.expression for f in self.kept], *codomain, *domain)


@dataclass(frozen=True)
class Index(Piece):
    """Entries moved by `function`: each entry of the result is one entry of the source, or 0.

    With `scatters` each entry of the source goes to one of the result instead, where they add up.
    """

    function: Callable[[Array], Array]
    name: str
    params: tuple[tuple[str, Hashable], ...] = ()
    indices: tuple[Expression, ...] = ()
    scatters: bool = False

    @property
    def is_pointwise(self) -> bool:
        """Entries only move."""
        return True

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """A selection, or the transpose of one."""
        if self.scatters:
            pulled = Pulled(self.function, domain)
            return ops.Selection(pulled, domain, codomain, dtype).T
        return ops.Selection(self.function, codomain, domain, dtype)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """The operation on its indices."""
        return maps.Indexing(codomain, domain, self.name, self.name, self.params, self.indices)


@dataclass(frozen=True)
class Reshape(Piece):
    """The same entries in another shape."""

    @property
    def is_pointwise(self) -> bool:
        """Entries only move."""
        return True

    def pairs(self, codomain: Shape, domain: Shape) -> set[Pair]:
        """The first axes, as long as they stay."""
        pairs = set()
        for axis, (m, n) in enumerate(zip(codomain, domain, strict=False)):
            if m != n:
                break
            if n > 1:
                pairs.add((axis, axis))
        return pairs

    def at(self, pair: Pair, index: str, codomain: Shape) -> "Reshape":
        """A reshape again."""
        return self

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """A selection of all entries."""
        return ops.Selection(reshaped(len(domain), codomain), codomain, domain, dtype)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """`reshape`."""
        params = (("new_sizes", codomain),)
        return maps.Indexing(codomain, domain, "reshape", "reshape", params)


@dataclass(frozen=True)
class Opaque(Piece):
    """Any linear function; only its transpose may be known. Equal ones have one `key`."""

    function: Callable[[Array], Array] | None
    transposed: Callable[[Array], Array] | None
    text: str
    key: Hashable

    def operator(self, codomain: Shape, domain: Shape, dtype: np.dtype) -> ops.LinearOperator:
        """Matrix-free."""
        return ops.Linear(self.function, codomain, domain, dtype, self.transposed)

    def written(self, codomain: Shape, domain: Shape) -> maps.Map:
        """By a name and a number."""
        number = number_of(f"D[{self.text}]", self.key)
        return maps.matrix_free(codomain, domain, self.text, number)
