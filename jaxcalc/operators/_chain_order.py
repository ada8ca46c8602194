"""The cheapest order to multiply out a chain of operators, by dynamic programming.

The product of the factors i to j becomes an array in one of three ways: two such arrays multiplied,
the first factor applied to the columns of the rest, or the last one to the rows of the rest. A
structured factor costs by its own product, so it is hardly ever written out.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import Array

from jaxcalc.operators._base import LinearOperator

Build = Callable[[], Array]
Plan = tuple[int, Build]


def product_tensor(factors: Sequence[LinearOperator], opaque: Sequence[bool]) -> Array:
    """The array of the product of `factors`, outermost first.

    What is `opaque` is known by its product alone: written out by one product a column, and never
    applied to rows.
    """

    @functools.cache
    def best(i: int, j: int) -> Plan:
        return min(_alone(i) if i == j else _ways(i, j), key=lambda plan: plan[0])

    def _alone(i: int) -> list[Plan]:
        F = factors[i]
        columns = min(_size(F.codomain), _size(F.domain)) if opaque[i] else 0
        return [(_entries(i, i) + columns * F.cost().flops, F.tensor)]

    def _ways(i: int, j: int) -> list[Plan]:
        splits = [_multiplied(i, k, j) for k in range(i, j)]
        return [*splits, _on_columns(i, j), *([] if opaque[j] else [_on_rows(i, j)])]

    def _multiplied(i: int, k: int, j: int) -> Plan:
        (left, a), (right, b) = best(i, k), best(k + 1, j)
        inner = factors[k].domain
        flops = 2 * _entries(i, j) * _size(inner)
        return left + right + flops, lambda: jnp.tensordot(a(), b(), axes=len(inner))

    def _on_columns(i: int, j: int) -> Plan:
        rest, build = best(i + 1, j)
        flops = factors[i].cost().flops * _size(factors[j].domain)
        return rest + flops + _entries(i, j), lambda: factors[i] @ build()

    def _on_rows(i: int, j: int) -> Plan:
        rest, build = best(i, j - 1)
        flops = factors[j].cost().flops * _size(factors[i].codomain)
        return rest + flops + _entries(i, j), lambda: build() @ factors[j]

    def _entries(i: int, j: int) -> int:
        return _size(factors[i].codomain) * _size(factors[j].domain)

    return best(0, len(factors) - 1)[1]()


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
