"""Functions that formulas write with a sign of their own: |x|, X⁻¹, σ(x), x[1:]."""

from collections.abc import Callable
from fractions import Fraction

from jaxcalc._formula._expression import Expression
from jaxcalc._formula._nodes import parameter
from jaxcalc._formula._places import entries_text, rows
from jaxcalc._formula._writing import ATOM, OUTER, POSTFIX, Writer, Written


def _inverse(writer: Writer, node: Expression) -> Written:
    return writer.style.inverse(writer.write(node.args[0], ATOM), False), POSTFIX


def _pseudo_inverse(writer: Writer, node: Expression) -> Written:
    return writer.style.pseudo_inverse(writer.write(node.args[0], ATOM)), POSTFIX


def _logistic(writer: Writer, node: Expression) -> Written:
    return writer.style.call(writer.style.sigma, writer.listed(node.args)), ATOM


def _size(writer: Writer, node: Expression) -> Written:
    return writer.style.size(writer.write(node.args[0])), ATOM


def _indicator(writer: Writer, node: Expression) -> Written:
    return writer.style.bracket(writer.write(node.args[0])), ATOM


def _inner(writer: Writer, node: Expression) -> Written:
    return writer.written(node.args[0])


def _power(writer: Writer, node: Expression) -> Written:
    base, exponent = node.args
    return writer.style.raised(writer.write(base, ATOM), writer.write(exponent, ATOM)), POSTFIX


def _choice(writer: Writer, node: Expression) -> Written:
    which, *cases = node.args
    return writer.style.call(writer.style.word("where"), writer.listed([which, *cases[::-1]])), ATOM


def _rows_of_identity(writer: Writer, node: Expression) -> Written:
    found = rows(parameter(node, "places"), node.shape[1])
    if found.shift:
        shift = writer.style.number(Fraction(found.shift))
        text = f"{writer.style.identity}, {shift}"
        return writer.style.call(writer.style.word("roll"), text), ATOM
    read = found.slice.replace("-", writer.style.minus) or entries_text(found.places)
    return writer.style.entry(writer.style.identity, [read]), ATOM


def _kronecker(writer: Writer, node: Expression) -> Written:
    return f" {writer.style.cross} ".join(writer.write(a, POSTFIX) for a in node.args), OUTER


def _taken(writer: Writer, node: Expression) -> Written:
    (array,), axis = node.args, parameter(node, "axis")
    found = rows(parameter(node, "places"), array.shape[axis])
    if found.shift:
        shift = writer.style.number(Fraction(found.shift))
        args = [writer.write(array), shift] + [f"axis={axis}"] * bool(axis)
        return writer.style.call(writer.style.word("roll"), ", ".join(args)), ATOM
    read = found.slice.replace("-", writer.style.minus) or entries_text(found.places)
    inner = [":"] * axis + [read]
    return writer.style.entry(writer.write(array, ATOM), inner), ATOM


def _picked(writer: Writer, node: Expression) -> Written:
    array, index = node.args
    read = [":"] * parameter(node, "axis") + [writer.write(index)]
    return writer.style.entry(writer.write(array, ATOM), read), ATOM


def _triangle(writer: Writer, node: Expression) -> Written:
    shift = parameter(node, "k")
    text = f"{writer.style.one} {writer.style.transpose(writer.style.one)}"
    args = [text, writer.style.number(Fraction(shift))] if shift else [text]
    return writer.style.call(writer.style.word("tril"), ", ".join(args)), ATOM


def _toeplitz(writer: Writer, node: Expression) -> Written:
    """The values, and how far the matrix is shifted against them."""
    shift = parameter(node, "shift")
    args = [writer.listed(node.args), *([writer.style.number(Fraction(shift))] if shift else [])]
    return writer.style.call(writer.style.word("toeplitz"), ", ".join(args)), ATOM


def _along(writer: Writer, node: Expression) -> Written:
    """A function along axes; which they are is written unless they are the last, or all."""
    function, rank = node["function"], len(node.args[0].shape)
    axes = sorted(axis % rank for axis in parameter(node, "axes"))
    usual = [[rank - 1]] if "softmax" in function else [[rank - 1], [*range(rank)]]
    args = [writer.listed(node.args)]
    if axes not in usual:
        args.append(f"axis={axes[0] if len(axes) == 1 else tuple(axes)}")
    word = writer.style.word(writer.style.functions.get(function, function))
    return writer.style.call(word, ", ".join(args)), ATOM


def _text(writer: Writer, node: Expression) -> Written:
    return writer.style.counted(writer.style.word(parameter(node, "text")), _number(node)), ATOM


def _opaque(writer: Writer, node: Expression) -> Written:
    text = writer.style.word(parameter(node, "text"))
    return writer.style.entry(writer.style.counted("D", _number(node)), [text]), ATOM


def _number(node: Expression) -> int:
    """Which of the things with that name it is."""
    return dict(node["params"]).get("number", 1)


def _constant(writer: Writer, node: Expression) -> Written:
    return writer.style.group(entries_text(parameter(node, "entries")[2])), ATOM


SIGNS: dict[str, Callable[[Writer, Expression], Written]] = {
    "abs": _size,
    "constant": _constant,
    "convert_element_type": _inner,
    "indicator": _indicator,
    "inv": _inverse,
    "kron": _kronecker,
    "log_softmax": _along,
    "logistic": _logistic,
    "logsumexp": _along,
    "opaque": _opaque,
    "part": _inner,
    "pick": _picked,
    "pinv": _pseudo_inverse,
    "pow": _power,
    **{f"reduce_{name}": _along for name in ("and", "max", "min", "or", "prod")},
    "select": _rows_of_identity,
    "select_n": _choice,
    "selection": _text,
    "softmax": _along,
    "squeeze": _inner,
    "take": _taken,
    "toeplitz": _toeplitz,
    "tri": _triangle,
    "unknown": _text,
}
