"""The style of plain text, with the signs of Unicode."""

from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._signs import SIGNS
from jaxcalc._formula._writing import Style, Writer

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LOWERED = dict(zip("ijklmnprahst", "ᵢⱼₖₗₘₙₚᵣₐₕₛₜ", strict=True))
_COUNTED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SIGNIFICANT = 6


def _number(value: Fraction) -> str:
    if value.denominator == 1 and abs(value.numerator) < 10**9:
        return str(value).replace("-", "−")
    return f"{float(value):.{_SIGNIFICANT}g}".replace("-", "−")


def _power(base: str, exponent: Fraction) -> str:
    if exponent.denominator == 1:
        return base + str(exponent).translate(_RAISED)
    return f"{base}^({exponent})"


def _subscript(base: str, indices: Sequence[str]) -> str:
    if len(base) == 1 and all(index in _LOWERED for index in indices):
        return base + "".join(_LOWERED[index] for index in indices)
    return _entry(base, indices)


def _counted(text: str, number: int) -> str:
    return text if number == 1 else text + str(number).translate(_COUNTED)


def _entry(base: str, indices: Sequence[str]) -> str:
    return f"{base}[{', '.join(indices)}]"


TEXT = Style(
    minus="−",
    dot="⊙",
    cross="⊗",
    one="1",
    identity="I",
    sigma="σ",
    normal=("φ", "Φ"),
    delta="δ",
    equal="=",
    infix={
        "gt": ">",
        "ge": "≥",
        "lt": "<",
        "le": "≤",
        "eq": "=",
        "ne": "≠",
        "and": "∧",
        "or": "∨",
    },
    functions={
        "bessel_i0e": "i0e",
        "bessel_i1e": "i1e",
        "clamp": "clip",
        "erf_inv": "erfinv",
        "gammasgn": "gammasgn",
        "igamma": "gammainc",
        "igammac": "gammaincc",
        "lgamma": "gammaln",
        "reduce_max": "max",
        "reduce_min": "min",
        "reduce_prod": "prod",
        "not": "¬",
    },
    name=str,
    number=_number,
    word=str,
    counted=_counted,
    call=lambda function, args: f"{function}({args})",
    group=lambda inner: f"({inner})",
    bracket=lambda inner: f"[{inner}]",
    transpose=lambda base: base + "ᵀ",
    inverse=lambda base, transposed: base + ("⁻ᵀ" if transposed else "⁻¹"),
    pseudo_inverse=lambda base: base + "⁺",
    power=_power,
    raised=lambda base, exponent: f"{base}^{exponent}",
    root=lambda base, is_atom: f"√{base}" if is_atom else f"√({base})",
    over=lambda top, bottom: f"{top}/{bottom}",
    is_barred=False,
    norm=lambda inner: f"‖{inner}‖",
    size=lambda inner: f"|{inner}|",
    subscript=_subscript,
    entry=_entry,
    summed=lambda indices: "Σ_" + ",".join(indices),
    blocks=lambda index, inner: f"blockdiag_{index}({inner})",
    definition=lambda name, value: f"{name} = {value}",
    where=lambda formula, definitions: f"{formula} where {', '.join(definitions)}",
    omitted=lambda count: f"… ({count} terms)",
)
WRITER = Writer(TEXT, SIGNS)
