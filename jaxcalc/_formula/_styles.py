"""The styles of formulas: text with the signs of Unicode, and LaTeX."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

from jaxcalc._formula._signs import SIGNS
from jaxcalc._formula._writing import Style, Writer

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LOWERED = dict(zip("ijklmnprahst", "ᵢⱼₖₗₘₙₚᵣₐₕₛₜ", strict=True))
_COUNTED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_CALLS = {"diag": "diag", "diagonal": "diagonal", "trace": "tr", "total": "sum"}
_INFIX = ("gt", "ge", "lt", "le", "eq", "ne", "and", "or")
_FUNCTIONS = {
    "bessel_i0e": "i0e",
    "bessel_i1e": "i1e",
    "clamp": "clip",
    "erf_inv": "erfinv",
    "igamma": "gammainc",
    "igammac": "gammaincc",
    "lgamma": "gammaln",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_prod_others": "prod_others",
    "not": "¬",
}


def _number(value: Fraction) -> str:
    """A whole number, or six digits, be it beyond the numbers that a float can have."""
    if value.denominator == 1 and abs(value.numerator) < 10**9:
        return str(value)
    try:
        return f"{float(value):.6g}"
    except OverflowError:
        digits = Context(prec=6).divide(Decimal(value.numerator), Decimal(value.denominator))
        return f"{digits.normalize():g}"


# --- text ---


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


TEXT = Writer(
    Style(
        minus="−",
        space=" ",
        dot=" ⊙ ",
        cross="⊗",
        one="1",
        sigma="σ",
        normal=("φ", "Φ"),
        delta="δ",
        infix=dict(zip(_INFIX, [">", "≥", "<", "≤", "=", "≠", "∧", "∨"], strict=True)),
        calls=_CALLS,
        functions=_FUNCTIONS,
        name=str,
        number=lambda value: _number(value).replace("-", "−"),
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
        where=lambda formula, definitions: f"{formula} where {', '.join(definitions)}",
        omitted=lambda count: f"… ({count} terms)",
    ),
    SIGNS,
)

# --- LaTeX ---

# fmt: off
_LETTERS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi",
    "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi",
    "ω": "omega",
}
_COMMANDS = {"arg", "cos", "cosh", "det", "exp", "log", "max", "min", "sin", "sinh", "tan", "tanh"}
# fmt: on
_GREEK = frozenset(_LETTERS.values())
_SPECIAL = {c: f"\\{c}" for c in "_%&#$"} | {"−": "-", "¬": r"\lnot"}


def _latex_name(text: str) -> str:
    stem = text.rstrip("0123456789")
    digits = text[len(stem) :]
    stem = stem.removesuffix("_") or "x"
    shown = _LETTERS.get(stem, stem)
    if shown in _GREEK:
        shown = f"\\{shown}"
    elif len(shown) > 1:
        shown = rf"\mathrm{{{_escaped(shown)}}}"
    return f"{shown}_{{{digits}}}" if digits else shown


def _word(text: str) -> str:
    return f"\\{text}" if text in _COMMANDS else rf"\operatorname{{{_escaped(text)}}}"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in text)


def _latex_number(value: Fraction) -> str:
    digits, _, exponent = _number(value).partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def _lower(base: str, indices: Sequence[str]) -> str:
    whole = f"{{{base}}}" if "_{" in base else base  # TeX takes no second index
    return f"{whole}_{{{', '.join(indices)}}}"


LATEX = Writer(
    Style(
        minus="-",
        space=" ",
        dot=r" \odot ",
        cross=r"\otimes",
        one=r"\mathbf{1}",
        sigma=r"\sigma",
        normal=(r"\varphi", r"\Phi"),
        delta=r"\delta",
        infix=dict(
            zip(_INFIX, [r">", r"\ge", r"<", r"\le", r"=", r"\ne", r"\land", r"\lor"], strict=True)
        ),
        calls={op: _word(text) for op, text in _CALLS.items()},
        functions=_FUNCTIONS,
        name=_latex_name,
        number=_latex_number,
        word=_word,
        counted=lambda text, number: text if number == 1 else f"{{{text}}}_{{{number}}}",
        call=lambda function, args: rf"{function}\left({args}\right)",
        group=lambda inner: rf"\left({inner}\right)",
        bracket=lambda inner: rf"\left[{inner}\right]",
        transpose=lambda base: rf"{base}^\top",
        inverse=lambda base, transposed: base + (r"^{-\top}" if transposed else "^{-1}"),
        pseudo_inverse=lambda base: base + "^{+}",
        power=lambda base, exponent: f"{base}^{{{exponent}}}",
        raised=lambda base, exponent: f"{base}^{{{exponent}}}",
        root=lambda base, is_atom: rf"\sqrt{{{base}}}",
        over=lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}",
        is_barred=True,
        norm=lambda inner: rf"\left\lVert {inner} \right\rVert",
        size=lambda inner: rf"\left| {inner} \right|",
        subscript=_lower,
        entry=_lower,
        summed=lambda indices: rf"\sum_{{{', '.join(indices)}}}",
        blocks=lambda index, inner: rf"\operatorname{{blockdiag}}_{{{index}}}\left({inner}\right)",
        where=lambda formula, definitions: (
            rf"{formula} \quad\text{{where }} {', '.join(definitions)}"
        ),
        omitted=lambda count: rf"\ldots\,({count}\text{{ terms}})",
    ),
    SIGNS,
)
