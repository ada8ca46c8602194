"""Functions chosen by the classes of operators: open tables, filled by rooms above the base class.

`compose` and `add` simplify a pair of operators at once where a rule is known for their classes.
The rule for exactly these classes wins, then that of the nearest base classes; a rule that does not
apply to the pair at hand gives `NotImplemented`, and the next one is asked. The rule of last resort
builds a lazy `Chain` or `Sum`.
"""

import functools
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcalc.operators._base import LinearOperator

Rule = Callable[[Any, Any], Any]


class PairTable:
    """Rules for two operators, one a pair of classes."""

    def __init__(self) -> None:
        self._rules: dict[tuple[type, type], Rule] = {}
        self._found: dict[tuple[type, type], list[Rule]] = {}

    def define(self, A: type, B: type) -> Callable[[Rule], Rule]:
        """Decorate the rule for operators of the classes `A` and `B`, and of those below them."""

        def decorate(rule: Rule) -> Rule:
            self._rules[A, B] = rule
            self._found.clear()
            return rule

        return decorate

    def __call__(self, a: "LinearOperator", b: "LinearOperator") -> "LinearOperator":
        """What the first rule that applies makes of `a` and `b`."""
        results = (rule(a, b) for rule in self._candidates(type(a), type(b)))
        return next(result for result in results if result is not NotImplemented)

    def _candidates(self, A: type, B: type) -> list[Rule]:
        """The rules for the classes `A` and `B`, nearest first."""
        if (A, B) not in self._found:
            ranked = itertools.product(enumerate(A.__mro__), enumerate(B.__mro__))
            ordered = sorted(ranked, key=lambda pair: pair[0][0] + pair[1][0])
            classes = [(first, second) for (_, first), (_, second) in ordered]
            self._found[A, B] = [self._rules[pair] for pair in classes if pair in self._rules]
        return self._found[A, B]


composition, addition = PairTable(), PairTable()


def defcompose(A: type, B: type) -> Callable[[Rule], Rule]:
    """Decorate `rule(a, b)` as the product a b of operators of the classes `A` and `B`.

    The rule gives an operator, `Chain((a, b))` where it should stay as it is, or `NotImplemented`.
    """
    return composition.define(A, B)


def defadd(A: type, B: type) -> Callable[[Rule], Rule]:
    """Decorate `rule(a, b)` as the sum of operators of the classes `A` and `B`, in either order."""

    def decorate(rule: Rule) -> Rule:
        if A is not B:
            addition.define(B, A)(lambda b, a: rule(a, b))
        return addition.define(A, B)(rule)

    return decorate


@functools.singledispatch
def transposed(op: Any) -> Any:
    """The transpose of an operator whose class has no closed form for it."""
    raise TypeError(f"`op` must be a linear operator, but got {type(op).__name__}.")


@functools.singledispatch
def scaled(op: Any, scale: Any) -> Any:
    """The multiple of an operator whose class has no closed form for it."""
    raise TypeError(f"`op` must be a linear operator, but got {type(op).__name__}.")


@functools.singledispatch
def pseudo_inverse(op: Any) -> Any:
    """The Moore-Penrose inverse of an operator whose class has no closed form for it."""
    raise TypeError(f"`op` must be a linear operator, but got {type(op).__name__}.")
