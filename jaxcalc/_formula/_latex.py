r"""The style of LaTeX: \frac, \operatorname, upright words."""

from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._signs import SIGNS
from jaxcalc._formula._writing import Style, Writer

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


def _name(text: str) -> str:
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


def _counted(text: str, number: int) -> str:
    return text if number == 1 else f"{{{text}}}_{{{number}}}"


def _number(value: Fraction) -> str:
    if value.denominator == 1 and abs(value.numerator) < 10**9:
        return str(value)
    digits, _, exponent = f"{float(value):.6g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def _group(inner: str) -> str:
    return rf"\left({inner}\right)"


def _entry(base: str, indices: Sequence[str]) -> str:
    return f"{base}_{{{', '.join(indices)}}}"


LATEX = Style(
    minus="-",
    dot=r"\odot",
    cross=r"\otimes",
    one=r"\mathbf{1}",
    identity="I",
    sigma=r"\sigma",
    normal=(r"\varphi", r"\Phi"),
    delta=r"\delta",
    equal="=",
    infix={
        "gt": ">",
        "ge": r"\ge",
        "lt": "<",
        "le": r"\le",
        "eq": "=",
        "ne": r"\ne",
        "and": r"\land",
        "or": r"\lor",
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
    name=_name,
    number=_number,
    word=_word,
    counted=_counted,
    call=lambda function, args: rf"{function}\left({args}\right)",
    group=_group,
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
    subscript=_entry,
    entry=_entry,
    summed=lambda indices: rf"\sum_{{{', '.join(indices)}}}",
    blocks=lambda index, inner: rf"\operatorname{{blockdiag}}_{{{index}}}\left({inner}\right)",
    definition=lambda name, value: f"{name} = {value}",
    where=lambda formula, definitions: rf"{formula} \quad\text{{where }} {', '.join(definitions)}",
    omitted=lambda count: rf"\ldots\,({count}\text{{ terms}})",
)
WRITER = Writer(LATEX, SIGNS)
