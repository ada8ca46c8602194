"""Functions that formulas write with a sign of their own: |x|, X⁻¹, σ(x), x[1:]."""

from collections.abc import Callable
from fractions import Fraction

from jaxcalc._formula._expression import Expression, walk
from jaxcalc._formula._nodes import parameter
from jaxcalc._formula._places import entries_text, rows
from jaxcalc._formula._strength import ATOM, COMPARISON, OUTER, POSTFIX, SUM
from jaxcalc._formula._walking import Written
from jaxcalc._formula._writing import Writer
from jaxcalc._functions.sparsemax import PIECEWISE_LINEAR


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


def _step(writer: Writer, node: Expression) -> Written:
    """[a > b], or [b < a] for a number a."""
    a, b = node.args
    made = _compared(writer, "lt", b, a) if _is_number(a) else _compared(writer, "gt", a, b)
    return writer.style.bracket(made), ATOM


def _between(writer: Writer, node: Expression) -> Written:
    return writer.style.bracket(_compared(writer, "lt", *node.args)), ATOM


def _both(writer: Writer, node: Expression) -> Written:
    """p ∧ q; a < x < b for x > a and x < b."""
    above, below = node.args
    ends = [arg["function"] if arg.op == "apply" else "" for arg in node.args]
    if ends == ["gt", "lt"] and above.args[0] is below.args[0]:
        return _compared(writer, "lt", above.args[1], *below.args), COMPARISON
    return _compared(writer, "and", *node.args), COMPARISON


def _compared(writer: Writer, sign: str, *args: Expression) -> str:
    return f" {writer.style.infix[sign]} ".join(writer.write(arg, SUM) for arg in args)


def _is_number(node: Expression) -> bool:
    return all(part.op not in ("name", "apply") for part in walk(node))


def _sign(writer: Writer, node: Expression) -> Written:
    return writer.style.call(writer.style.word("sign"), writer.listed(node.args)), ATOM


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
    usual = [[rank - 1], [*range(rank)]] if function in _TO_NUMBERS else [[rank - 1]]
    args = [writer.listed(node.args)]
    if axes not in usual:
        args.append(f"axis={axes[0] if len(axes) == 1 else tuple(axes)}")
    word = writer.style.word(writer.style.functions.get(function, function))
    return writer.style.call(word, ", ".join(args)), ATOM


def _mills(writer: Writer, node: Expression) -> Written:
    """φ(x)/Φ(x), the normal density over the distribution."""
    args = writer.listed(node.args)
    top, bottom = (writer.style.call(letter, args) for letter in writer.style.normal)
    return writer.over(top, bottom)


def _sorted(writer: Writer, node: Expression) -> Written:
    """Sorted values, or beside them the indices that sort."""
    first, *rest = node.args
    is_index = [arg.op == "apply" and arg["function"] == "iota" for arg in rest] == [True]
    if not is_index:
        return writer.style.call(writer.style.word("sort"), writer.listed(node.args)), ATOM
    word = "argsort" if parameter(node, "output") else "sort"
    return writer.style.call(writer.style.word(word), writer.write(first)), ATOM


def _indices(writer: Writer, node: Expression) -> Written:
    return writer.style.call(writer.style.word("arange"), str(node.shape[0])), ATOM


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


# of a row a number, where those of all rows may be one row
_TO_NUMBERS = ("logsumexp", *(f"reduce_{name}" for name in ("and", "max", "min", "or", "prod")))
SIGNS: dict[str, Callable[[Writer, Expression], Written]] = {
    "abs": _size,
    "and": _both,
    "between": _between,
    "constant": _constant,
    "convert_element_type": _inner,
    "indicator": _indicator,
    "inv": _inverse,
    "iota": _indices,
    "kron": _kronecker,
    "log_softmax": _along,
    "logistic": _logistic,
    "mills": _mills,
    "opaque": _opaque,
    "part": _inner,
    "pick": _picked,
    "pinv": _pseudo_inverse,
    "pow": _power,
    **dict.fromkeys(_TO_NUMBERS, _along),
    "reduce_prod_others": _along,
    **{function.name: _along for function in PIECEWISE_LINEAR},
    "select": _rows_of_identity,
    "select_n": _choice,
    "selection": _text,
    "side": _sign,
    "softmax": _along,
    "step": _step,
    "sort": _sorted,
    "squeeze": _inner,
    "take": _taken,
    "toeplitz": _toeplitz,
    "tri": _triangle,
    "unknown": _text,
}
