"""One equation of a linear program with its operands: what the rules are given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxcalc._derive._coefficients import Value
from jaxcalc._derive._graph import Tangent

Operand = Tangent | Value


@dataclass(frozen=True)
class LinearStep:
    """An equation; `interpret` gives the results of a program in its parameters."""

    equation: Any
    operands: Sequence[Any]  # `Operand`s; where numbers are complex, what stands for those
    dtype: np.dtype  # to compute coefficients in
    interpret: Callable[[Any, Sequence[Operand], np.dtype], list[Operand]]

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of the equation."""
        params: Mapping[str, Any] = self.equation.params
        return params

    @property
    def avals(self) -> list[Any]:
        """The types of the results."""
        return [variable.aval for variable in self.equation.outvars]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return tuple(self.avals[0].shape)

    @property
    def values(self) -> list[Value]:
        """The operands that do not depend on the tangent."""
        return [x for x in self.operands if isinstance(x, Value)]

    @property
    def value(self) -> Value:
        """The only one of them."""
        (value,) = self.values
        return value

    @property
    def linear(self) -> Tangent:
        """The only operand that depends on the tangent."""
        (t,) = (x for x in self.operands if isinstance(x, Tangent))
        return t

    @property
    def is_changing(self) -> bool:
        """Whether an operand, and with it a result that has entries, may change."""
        changing = any(x.parts for x in self.operands if not isinstance(x, Value))
        return changing and any(0 not in aval.shape for aval in self.avals)

    def on(self, *operands: Any) -> "LinearStep":
        """The same equation with other operands."""
        return replace(self, operands=operands)

    def run(self, program: Any, operands: Sequence[Operand]) -> list[Operand]:
        """The results of a program that has its constants with it."""
        return self.interpret(program, operands, self.dtype)


Results = Tangent | list[Tangent]
Rule = Callable[[LinearStep], Results]


def as_list(results: Results) -> list[Tangent]:
    """What a rule gives, as the results of its equation."""
    return results if isinstance(results, list) else [results]
