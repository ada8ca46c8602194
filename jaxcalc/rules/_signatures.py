"""Shapes of the rules' arguments: one line a signature, matched against what came.

A signature such as `"y:q dy:q|p"` gives each argument its sizes by letter, `1` being one. A bar
makes it a derivative, written in numerator layout with the axes of y before the bar and those of x
behind it; denominator layout has them the other way round.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxcalc._layout.layout import Layout, LayoutLike, to_layout
from jaxcalc.operators import LinearOperator
from jaxcalc.rules._structured import Derivative, Jacobian, as_operator, derivative_of, value_of

Shapes = Mapping[str, tuple[int, ...]]


class Misfit(NamedTuple):
    """Where a signature stops fitting, and what would fit there."""

    position: int
    name: str
    required: str


def in_numerator(
    rule: str, signatures: tuple[str, ...], layout: LayoutLike, **arguments: Jacobian
) -> list[Derivative]:
    """The `arguments` as arrays, their derivatives turned from `layout` to numerator layout.

    Derivatives may be operators; where one is, those of the other values become operators too.

    Raises:
        TypeError: for an operator where a value is due.
        ValueError: when they fit none of the `signatures`; it says where the nearest one fails.
    """
    layout = Layout(layout)
    derivatives = _derivatives(signatures[0])
    given = {
        name: derivative_of(argument) if name in derivatives else value_of(name, argument)
        for name, argument in arguments.items()
    }
    shapes = {name: argument.shape for name, argument in given.items()}
    misfits = [_misfit(signature, shapes, layout) for signature in signatures]
    if None not in misfits:
        nearest = max((m for m in misfits if m), key=lambda m: m.position)
        swapped = any(_misfit(s, shapes, layout.other) is None for s in signatures)
        raise ValueError(_complaint(rule, nearest, shapes, layout, swapped))
    sizes = _parsed(signatures[misfits.index(None)])
    turned = {name: _numerator(given[name], sizes[name], layout) for name in given}
    return list(_all_operators(rule, turned).values())


def _derivatives(signature: str) -> set[str]:
    return {name for name, groups in _parsed(signature).items() if len(groups) == 2}


def _all_operators(rule: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The `arguments`, the derivatives of values all made operators if one of them is."""
    pairs = {f"d{name}": value.shape for name, value in arguments.items()}
    operators = {n: a for n, a in arguments.items() if isinstance(a, LinearOperator) and n in pairs}
    for name, J in operators.items():
        if J.codomain != pairs[name]:
            raise ValueError(
                f"`{rule}` needs `{name}` between the spaces of its values, but `{name[1:]}` has "
                f"shape {pairs[name]} and `{name}` has {J.codomain} in that place."
            )
    if not operators:
        return arguments
    domain = next(iter(operators.values())).domain
    return {
        name: as_operator(argument, pairs[name], domain) if name in pairs else argument
        for name, argument in arguments.items()
    }


def _parsed(signature: str) -> dict[str, tuple[list[str], ...]]:
    """The letters of each argument: one group, or for a derivative those of y and those of x."""
    pairs = (argument.split(":") for argument in signature.split())
    return {name: tuple(map(list, letters.split("|"))) for name, letters in pairs}


def _misfit(signature: str, shapes: Shapes, layout: Layout) -> Misfit | None:
    sizes = {"1": 1}
    for position, (name, groups) in enumerate(_parsed(signature).items()):
        ordered = groups if layout is Layout.NUMERATOR else groups[::-1]
        letters = [letter for group in ordered for letter in group]
        known = dict(sizes)
        if not _binds(sizes, letters, shapes[name]):
            return Misfit(position, name, _written([known.get(a, a) for a in letters]))
    return None


def _binds(sizes: dict[str, int], letters: list[str], shape: tuple[int, ...]) -> bool:
    """Whether `shape` has the sizes that `letters` have, or now take, in `sizes`."""
    if len(letters) != len(shape):
        return False
    return all(sizes.setdefault(a, n) == n for a, n in zip(letters, shape, strict=True))


def _complaint(rule: str, misfit: Misfit, shapes: Shapes, layout: Layout, swapped: bool) -> str:
    remedy = (
        f"these shapes fit layout={layout.other.value!r}"
        if swapped
        else "the shapes given are "
        + ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
    )
    return (
        f"`{rule}` assumed layout={layout.value!r}, where `{misfit.name}` must have shape "
        f"{misfit.required}, but got {shapes[misfit.name]}; {remedy}."
    )


def _written(sizes: list[int | str]) -> str:
    return "(" + ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "") + ")"


def _numerator(argument: Any, groups: tuple[list[str], ...], layout: Layout) -> Any:
    if len(groups) == 1:
        return argument
    if isinstance(argument, LinearOperator):
        return argument if layout is Layout.NUMERATOR else argument.T
    return to_layout(argument, layout, Layout.NUMERATOR, y_ndim=len(groups[0]))
