"""What `derive` knows of the truth: the arrays that have names, the chain, and the terms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcalc import _formula
from jaxcalc._check._evidence import Summand
from jaxcalc._check._oracles import compiled
from jaxcalc._check._summands import MOST
from jaxcalc._closed_forms.derivative import Derivative
from jaxcalc._derive import derive
from jaxcalc._formula import ClosedForm
from jaxcalc._layout.layout import Layout
from jaxcalc.operators import Chain

MOST_TURNED = 24  # terms with a matrix transposed


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Background:
    """Fields of the evidence, and the formula."""

    named: Mapping[str, Any]
    factors: tuple[Any, ...]
    summands: tuple[Summand, ...]
    formula: str = field(metadata={"static": True})


class Knowledge:
    """Of the derivative of f by the argument at `position`, in a layout."""

    def __init__(self, f: Callable[..., Any], position: int, layout: Layout) -> None:
        derivative = derive(f, position, layout=layout)

        def known(*args: Any) -> Background:
            J = derivative(*args)
            whole = J.operator if layout is Layout.NUMERATOR else J.T.operator
            factors = whole.factors if isinstance(whole, Chain) else ()
            return Background(
                {"x": args[position]} | J.named,
                tuple(part.matrix() for part in factors),
                _summands(J),
                J.formula,
            )

        self._known = compiled(known)

    def at(self, args: Sequence[Any]) -> Background:
        """In double precision, as NumPy's arrays."""
        known: Background = jax.tree.map(lambda a: np.asarray(a, np.float64), self._known(*args))
        return known


def _summands(J: Derivative) -> tuple[Summand, ...]:
    """The terms of the formula; none where one has no code."""
    found: list[Summand] = []
    left = MOST_TURNED
    for term, turned in _formula.summands(J.map, MOST, J.is_transposed, J.dtype.name):
        try:
            others = tuple(Summand(other.text, _array(other, J)) for other in turned[:left])
            found.append(Summand(term.text, _array(term, J), others))
        except (ValueError, KeyError):
            return ()
        left -= len(others)
    return tuple(found)


def _array(form: ClosedForm, J: Derivative) -> Any:
    scope: dict[str, Any] = {}
    exec(form.code, scope)
    arrays = {text: J.named[text] for text in form.names}
    return jnp.asarray(scope["derivative"](**arrays))
