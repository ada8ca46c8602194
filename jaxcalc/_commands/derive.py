"""`derive`: the derivative of an expression in closed form, compared with autodiff at a point."""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np

import jaxcalc as jc
from jaxcalc import Layout
from jaxcalc._commands.derivation import (
    ErrorsInEps,
    Point,
    Task,
    derived,
    errors,
    posed,
    random_point,
)
from jaxcalc._commands.expression import LARGEST_SIZE, WrittenFunction, shape_text
from jaxcalc._commands.options import (
    Command,
    add_common_options,
    finite,
    picture_file,
    write_json,
)
from jaxcalc._commands.reader import read
from jaxcalc._commands.sizes import Shape
from jaxcalc._commands.vocabulary import FUNCTIONS

FORMS = {
    "latex": "print only the formula in LaTeX",
    "code": "print only the source text of a function that computes the dense matrix",
    "explain": "print only the derivation, step by step",
}
READ = """\
A product without a sign, as in A x or 2x, is a multiple where one is a scalar, else the matrix
product. x' and xᵀ are transposes (x xᵀ is an outer product), x.T is one as in NumPy; A⁻¹ is the
inverse, x² and x^2 are powers of each entry, |x|, ‖x‖ and [x > 0] mean what they do on paper.
jnp., np., jax.nn. and the like may stand before a function. max(x, 0) is taken entry by entry,
jnp.max(x, 0) over an axis; what is doubtful is said on stderr. Shapes that are not given are
guessed: what fits the uses, and where several do, matrices for capital letters, scalars for c d h
k n r s t and most Greek letters, vectors for all other names; sizes that need not be equal
differ.
"""


@dataclass(frozen=True)
class Derived:
    """A derivative as it is said, and how far it is from automatic differentiation."""

    shape: Shape
    formula: str
    latex: str
    code: str | None  # None where a part of the function has no closed form
    explain: str
    structure: str
    cost: str
    errors: ErrorsInEps


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `derive`."""
    known = ", ".join(FUNCTIONS)
    parser.epilog = f"{READ}Known functions: {known}."
    parser.add_argument(
        "expression",
        type=expression,
        metavar="EXPRESSION",
        help="names, numbers, + - * / ** @, indices and known functions, as on paper or as in JAX",
    )
    add_problem_options(parser)
    forms = parser.add_mutually_exclusive_group()
    for form, help_text in FORMS.items():
        forms.add_argument(
            f"--{form}", dest="form", action="store_const", const=form, help=help_text
        )
    parser.add_argument(
        "--plot", type=picture_file, metavar="FILE", help="also draw the derivative at the point"
    )
    add_common_options(parser, seeded="the random point")
    parser.set_defaults(refuse=parser.error)


def add_problem_options(parser: argparse.ArgumentParser) -> None:
    """`--wrt`, `--shape` and `--layout`."""
    parser.add_argument(
        "--wrt", required=True, metavar="NAME", help="the array to differentiate by"
    )
    parser.add_argument(
        "--shape",
        type=shape,
        action="append",
        default=[],
        metavar="NAME=SIZES",
        help="of an array: A=3x4 or A=3,4 for a matrix, x=4 for a vector, c= for a scalar; "
        "guessed from its use where it is not given",
    )
    layouts = [layout.value for layout in Layout]
    help_text = "rows follow y (numerator, the default) or x (denominator)"
    parser.add_argument("--layout", choices=layouts, default=layouts[0], help=help_text)


def expression(text: str) -> WrittenFunction:
    """An expression, of a text that can be read."""
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def shape(text: str) -> tuple[str, Shape]:
    """A name and its sizes, from `A=3x4`, `A=3,4`, `x=4` or, for a scalar, `c=`."""
    name, equals, sizes = text.partition("=")
    inside = "".join(sizes.split()).removeprefix("(").removesuffix(")").removesuffix(",")
    parts = re.split("[,x×]", inside) if inside else []
    if not (equals and name.isidentifier() and all(map(_is_size, parts))):
        raise argparse.ArgumentTypeError(
            f"must be a name and sizes, such as A=3x4 or x=4, or c= for a scalar, not {text!r}"
        )
    return name, _bounded(text, tuple(map(int, parts)))


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0


def _bounded(text: str, sizes: Shape) -> Shape:
    if len(sizes) > 8 or np.prod(sizes, dtype=float) > LARGEST_SIZE:
        raise argparse.ArgumentTypeError(
            f"must have at most 8 axes and {LARGEST_SIZE} entries, not {text!r}"
        )
    return sizes


def run(options: argparse.Namespace) -> int:
    """Differentiate, print what was asked for, and compare with automatic differentiation."""
    double = bool(options.x64 or jax.config.read("jax_enable_x64"))
    try:
        problem = posed(options.expression, options.wrt, options.shape, Layout(options.layout))
        point, J, result = _checked(problem, options.seed, double)
    except ValueError as error:
        options.refuse(str(error))
    for doubt in problem.doubts:
        print(f"jaxcalc derive: note: {doubt}", file=sys.stderr)
    _print(options, problem, point, result)
    write_json(options.json, _record(options.seed, problem, point, result))
    if options.plot is not None:
        with jax.enable_x64(J.dtype == np.float64):
            J.show().savefig(options.plot)
    return 0 if result.errors.passed else 1


def _checked(problem: Task, seed: int, double: bool) -> tuple[Point, jc.Derivative, Derived]:
    """At a random point; in double precision, too, where single precision decides nothing."""
    dtype = np.dtype(np.float64 if double else np.float32)
    # "highest": GPUs would otherwise round the factors of float32 products to 10 bits
    with jax.enable_x64(double), jax.default_matmul_precision("highest"):
        point = random_point(problem, dtype, seed)
        if point.decides or double:
            J = derived(problem, point)
            return point, J, _result(problem, point, J)
    return _checked(problem, seed, double=True)


def _result(problem: Task, point: Point, J: jc.Derivative) -> Derived:
    code = _code(J)
    return Derived(
        shape=point.reference.shape,
        formula=J.formula,
        latex=J.latex,
        code=code,
        explain=J.explain(),
        structure=J.structure,
        cost=str(J.cost()),
        errors=errors(problem, point, J, code),
    )


def _code(J: Any) -> str | None:
    """The source text, where every part of the function has a closed form."""
    try:
        code: str = J.code
    except ValueError:
        return None
    return code


def _print(options: argparse.Namespace, problem: Task, point: Point, result: Derived) -> None:
    if options.form is None:
        print(_report(options.seed, problem, point, result))
        return
    text = getattr(result, options.form)
    if text is None:
        options.refuse(f"`{problem.expression.text}` has no closed form to print as {options.form}")
    print(text)
    if not result.errors.passed:
        print(f"jaxcalc derive: wrong: {_comparison(point, result.errors)}", file=sys.stderr)


def _report(seed: int, problem: Task, point: Point, result: Derived) -> str:
    expression = problem.expression
    named = zip(expression.names, problem.shapes, strict=True)
    arguments = ", ".join(f"{name} {shape_text(shape)}" for name, shape in named)
    low, high = point.drawn
    word = "ok" if result.errors.passed else "FAILED"
    guessed = {"guessed": _guessed(problem)} if problem.guessed else {}
    lines = {
        "function": f"{expression.text}   ({arguments})",
        **guessed,
        "derivative": f"by {problem.wrt}, {problem.layout.value} layout, "
        f"{shape_text(result.shape)}:\n\n{_indented(result.formula)}\n",
        "structure": result.structure,
        "cost": result.cost,
        "point": f"uniform in ({low:g}, {high:g}), seed {seed}, {_dtype(point)} on {_device()}",
        "checked": f"{_comparison(point, result.errors)}: {word}",
    }
    return "\n".join(f"{title:12}{text}" for title, text in lines.items())


def _guessed(problem: Task) -> str:
    """Which shapes are guesses, and how to give others."""
    shapes = dict(zip(problem.expression.names, problem.shapes, strict=True))
    name = problem.guessed[0]
    sizes = "x".join(map(str, shapes[name]))
    return f"the shapes of {', '.join(problem.guessed)}; to give one: --shape {name}={sizes}"


def _comparison(point: Point, found: ErrorsInEps) -> str:
    code = "not in code" if found.code is None else f"its code {found.code:.1f}"
    return (
        f"against `jax.jacfwd` in float64, error {found.derivative:.1f} eps "
        f"({code}; jacfwd in {_dtype(point)} {found.jacfwd:.1f})"
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _dtype(point: Point) -> str:
    return str(np.result_type(*point.arrays))


def _device() -> str:
    return str(jax.local_devices()[0].device_kind)


def _record(seed: int, problem: Task, point: Point, result: Derived) -> dict[str, Any]:
    expression = problem.expression
    return {
        "jaxcalc": jc.__version__,
        "jax": jax.__version__,
        "device": _device(),
        "dtype": _dtype(point),
        "seed": seed,
        "drawn": point.drawn,
        "expression": expression.text,
        "guessed": problem.guessed,
        "doubts": problem.doubts,
        "shapes": dict(zip(expression.names, problem.shapes, strict=True)),
        "wrt": problem.wrt,
        "layout": problem.layout.value,
        **asdict(result),
        "errors": {name: finite(e) for name, e in asdict(result.errors).items() if e is not None},
        "passed": result.errors.passed,
    }


def shielded(arguments: Sequence[str]) -> list[str]:
    """A space before an expression such as -x, which the parser would take for an option."""
    return [f" {text}" if _begins_with_minus(text) else text for text in arguments]


def _begins_with_minus(text: str) -> bool:
    return text.startswith("-") and not re.fullmatch(r"-h|-[\d.]+|--|--[a-z].*", text)


COMMAND = Command(
    "derive",
    "the derivative of an expression, in closed form",
    "Differentiate an expression of arrays in either layout: the formula, its structure and cost, "
    "and a comparison with `jax.jacfwd` at a random point. The exit status is 0 when they agree as "
    "far as rounding allows there, else 1.",
    add_options,
    run,
    shielded,
)
