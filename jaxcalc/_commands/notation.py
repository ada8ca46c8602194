"""What people write on paper and in JAX, as the text of a Python expression that says the same.

Products without a sign become `%`, transposes and inverses the attributes `PAPER_TRANSPOSE` and
`PAPER_INVERSE`, bars and roots calls; what none of this concerns stays as it is, for the parser to
judge. Each character remembers where in the original it comes from, so that an error shows what was
written.

>>> print(notation("2(A x + b) + ‖x‖²").python)
2%(A %x + b) + norm(x)**2
"""

import keyword
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple, Never

PAPER_TRANSPOSE, PAPER_INVERSE = "_transpose", "_inverse"
GREEK = "Α-Ωα-ω"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z_{GREEK}][A-Za-z0-9_{GREEK}]*)
  | (?P<attribute>\.[A-Za-z_][A-Za-z0-9_]*)
  | (?P<transpose>['’′ᵀ⊤]|\^(?:[T⊤](?![A-Za-z0-9_])|\{{T\}}|'))
  | (?P<inverse>⁻¹|\^\s*(?:-\s*1(?![0-9.])|\(\s*-\s*1\s*\)|\{{\s*-\s*1\s*\}}))
  | (?P<power>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
  | (?P<bar>\|\||\||‖)
  | (?P<root>√)
  | (?P<open>[(\[])
  | (?P<close>[)\]])
  | (?P<sign>\*\*|[<>=!:]=|.)
    """,
    re.VERBOSE,
)
_SIGNS = {
    "−": "-", "–": "-", "·": "%", "⋅": "%", "×": "*", "⊙": "*", "∘": "*", "÷": "/", "^": "**",
    "≤": "<=", "≥": ">=", "≠": "!=",
}  # fmt: skip
_COMPARISONS = ("<", ">", "=", "<=", ">=", "==", "!=", "≤", "≥", "≠")
_NUMBERS = {"π": "3.141592653589793"}
_BARS = {"|": "abs", "‖": "norm"}
_REMEDIES = {
    "%": "write A x or A @ x for a product",
    "⊗": "write kron(A, B)",
    "∑": "write sum(x)",
    "∂": "write the function alone, and the array to differentiate by after --wrt",
    "½": "write 1/2",
}
_POSTFIX = ("transpose", "inverse", "power")


class Translation(NamedTuple):
    """A text as it was written and as Python has it."""

    text: str
    python: str
    spans: tuple[tuple[int, int], ...]  # of each character of `python`, in `text`

    def source(self, start: int, end: int) -> str:
        """What the part of `python` between two places was written as."""
        return self.text[self.spans[start][0] : self.spans[end - 1][1]]


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


_START = _Token("sign", "", 0, 0)


def notation(text: str, functions: Container[str] = ()) -> Translation:
    """The text as Python has it; a name before a parenthesis is called if it is in `functions`.

    Raises:
        ValueError: for a character that is not known, and for bars or postfixes out of place.
    """
    tokens = [_Token(str(m.lastgroup), m[0], *m.span()) for m in _TOKEN.finditer(text)]
    writer = _Writer(functions, _arrays(tokens), _comparing(tokens))
    for token, following in zip(tokens, [*tokens[1:], _START], strict=True):
        writer.write(token, following)
    writer.finish()
    return Translation(text, "".join(writer.pieces), tuple(writer.spans))


def _arrays(tokens: list[_Token]) -> set[str]:
    """The names that stand anywhere but before a parenthesis or an attribute."""
    ends = [*tokens[1:], _START]
    return {
        token.text
        for token, following in zip(tokens, ends, strict=True)
        if token.kind == "name" and following.kind != "attribute" and following.text != "("
    }


def _comparing(tokens: list[_Token]) -> set[int]:
    """The places of the brackets that hold a comparison, as in [x > 0]."""
    found: set[int] = set()
    brackets: list[_Token] = []
    for token in tokens:
        if token.kind == "open":
            brackets.append(token)
        elif token.kind == "close" and brackets:
            brackets.pop()
        elif token.text in _COMPARISONS and brackets and brackets[-1].text == "[":
            found.add(brackets[-1].start)
    return found


@dataclass
class _Writer:
    """Writes token after token; of what came before it knows the last token and the open brackets.

    A product is written where an operand ends and another begins.
    """

    functions: Container[str]
    arrays: set[str]
    comparing: set[int]
    pieces: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    brackets: list[str] = field(default_factory=list)
    last: _Token = _START  # that is no space
    spaced: bool = False  # whether one stands after it
    after_operand: bool = False
    after_root: bool = False

    def emit(self, text: str, start: int, end: int) -> None:
        self.pieces.append(text)
        self.spans += [(start, end)] * len(text)

    def write(self, token: _Token, following: _Token) -> None:
        if token.kind == "space":
            self.spaced = True
            self.emit(token.text, token.start, token.end)
            return
        getattr(self, f"write_{'postfix' if token.kind in _POSTFIX else token.kind}")(token)
        self.last, self.spaced = token, False
        if self.after_root and token.kind in ("name", "number"):
            self.emit(")", token.end, token.end)
        self.after_root = token.kind == "root" and self.opens_root(token, following)

    def multiply(self, token: _Token) -> None:
        if self.after_operand:
            self.emit("%", token.start, token.start)

    def write_number(self, token: _Token) -> None:
        if self.last.kind == "number":
            _refuse(token.text, "a sign is missing before it")
        self.multiply(token)
        self.emit(token.text, token.start, token.end)
        self.after_operand = True

    def write_name(self, token: _Token) -> None:
        word = keyword.iskeyword(token.text)
        if not word:
            self.multiply(token)
        self.emit(_NUMBERS.get(token.text, token.text), token.start, token.end)
        self.after_operand = not word

    def write_attribute(self, token: _Token) -> None:
        self.emit(token.text, token.start, token.end)

    def write_postfix(self, token: _Token) -> None:
        if not self.after_operand:
            _refuse(token.text, "it stands after an array, as in x' or x²")
        if token.kind == "power":
            self.emit(f"**{token.text.translate(_SUPERSCRIPTS)}", token.start, token.end)
        else:
            name = PAPER_TRANSPOSE if token.kind == "transpose" else PAPER_INVERSE
            self.emit(f" .{name} ", token.start, token.end)

    def write_bar(self, token: _Token) -> None:
        bar = "|" if token.text == "|" else "‖"
        if self.after_operand and self.brackets[-1:] == [bar]:
            self.write_close(token)
            return
        self.multiply(token)
        self.emit(f"{_BARS[bar]}(", token.start, token.end)
        self.brackets.append(bar)
        self.after_operand = False

    def write_root(self, token: _Token) -> None:
        self.multiply(token)
        self.emit("sqrt", token.start, token.end)
        self.after_operand = False

    def opens_root(self, token: _Token, following: _Token) -> bool:
        if following.text == "(":
            return False
        if following.kind not in ("name", "number"):
            _refuse(token.text, "it stands before a name, a number or a parenthesis")
        self.emit("(", token.start, token.end)
        return True

    def write_open(self, token: _Token) -> None:
        stands_apart = token.start in self.comparing if token.text == "[" else not self.calls()
        if stands_apart:
            self.multiply(token)
        self.emit(token.text, token.start, token.end)
        self.brackets.append(token.text)
        self.after_operand = False

    def calls(self) -> bool:
        """Whether a parenthesis now opens a call: f(…), but neither (…)(…) nor a (…)."""
        kind, name = self.last.kind, self.last.text
        if kind == "attribute":
            return name not in (".T", ".mT")
        if kind != "name" or name in self.functions:
            return kind == "name"
        return not (name in self.arrays or (self.spaced and len(name) == 1))

    def write_close(self, token: _Token) -> None:
        if self.brackets:
            self.brackets.pop()
        self.emit(")" if token.kind == "bar" else token.text, token.start, token.end)
        self.after_operand = True

    def write_sign(self, token: _Token) -> None:
        sign = _SIGNS.get(token.text, token.text)
        if token.text in _REMEDIES or not (sign.isascii() and sign.isprintable()):
            _refuse_character(token.text)
        if sign == "=" and self.brackets[-1:] == ["["]:
            sign = "=="  # [x = y], as formulas have it
        self.emit(sign, token.start, token.end)
        self.after_operand = False

    def finish(self) -> None:
        for bar in _BARS.keys() & set(self.brackets):
            _refuse(bar, "a second one must close it")


def _refuse(text: str, remedy: str) -> Never:
    raise ValueError(f"`{text}` cannot be read here: {remedy}.")


def _refuse_character(c: str) -> Never:
    if c in _REMEDIES:
        raise ValueError(f"`{c}` cannot be read; {_REMEDIES[c]}.")
    name = unicodedata.name(c, "a control character")
    raise ValueError(f"U+{ord(c):04X} ({name}) cannot be read; write ASCII or Greek characters.")
