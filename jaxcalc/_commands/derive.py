"""`derive`: the derivative of an expression in closed form, compared with autodiff at a point."""

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np

import jaxcalc as jc
from jaxcalc import Layout
from jaxcalc._commands.derivation import (
    Errors,
    Point,
    Problem,
    Shape,
    derived,
    errors,
    posed,
    random_point,
)
from jaxcalc._commands.expression import LARGEST_SIZE, Expression, shape_text
from jaxcalc._commands.options import Command, add_common_options, finite, write_json
from jaxcalc._commands.reader import read
from jaxcalc._commands.vocabulary import FUNCTIONS

FORMS = {
    "latex": "print only the formula in LaTeX",
    "code": "print only the source text of a function that computes the dense matrix",
    "explain": "print only the derivation, step by step",
}


@dataclass(frozen=True)
class Result:
    """A derivative as it is said, and how far it is from automatic differentiation."""

    shape: Shape
    formula: str
    latex: str
    code: str | None  # None where a part of the function has no closed form
    explain: str
    structure: str
    cost: str
    errors: Errors


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `derive`."""
    known = ", ".join(FUNCTIONS)
    parser.epilog = f"Known functions: {known}."
    parser.add_argument(
        "expression",
        type=_expression,
        metavar="EXPRESSION",
        help="names, numbers, + - * / ** @, indices and known functions; "
        "if it begins with a minus, write it last, after --",
    )
    parser.add_argument(
        "--wrt", required=True, metavar="NAME", help="the array to differentiate by"
    )
    parser.add_argument(
        "--shape",
        type=shape,
        action="append",
        default=[],
        metavar="NAME=SIZES",
        help="of each array: A=3,4 for a matrix, x=4 for a vector, c= for a scalar",
    )
    layouts = [layout.value for layout in Layout]
    help_text = "rows follow y (numerator, the default) or x (denominator)"
    parser.add_argument("--layout", choices=layouts, default=layouts[0], help=help_text)
    forms = parser.add_mutually_exclusive_group()
    for form, help_text in FORMS.items():
        forms.add_argument(
            f"--{form}", dest="form", action="store_const", const=form, help=help_text
        )
    add_common_options(parser, seeded="the random point")
    parser.set_defaults(refuse=parser.error)


def _expression(text: str) -> Expression:
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def shape(text: str) -> tuple[str, Shape]:
    """A name and its sizes, from `A=3,4`, `x=4` or, for a scalar, `c=`."""
    name, equals, sizes = text.partition("=")
    inside = "".join(sizes.split()).removeprefix("(").removesuffix(")").removesuffix(",")
    parts = inside.split(",") if inside else []
    if not (equals and name.isidentifier() and all(map(_is_size, parts))):
        raise argparse.ArgumentTypeError(
            f"must be a name and sizes, such as A=3,4 or x=4, or c= for a scalar, not {text!r}"
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
    dtype = np.dtype(np.float64 if double else np.float32)
    # "highest": GPUs would otherwise round the factors of float32 products to 10 bits
    with jax.enable_x64(double), jax.default_matmul_precision("highest"):
        try:
            problem = posed(options.expression, options.wrt, options.shape, Layout(options.layout))
            point = random_point(problem, dtype, options.seed)
        except ValueError as error:
            options.refuse(str(error))
        result = _result(problem, point)
    _print(options, problem, point, result)
    write_json(options.json, _record(options.seed, problem, point, result))
    return 0 if result.errors.passed else 1


def _result(problem: Problem, point: Point) -> Result:
    J = derived(problem, point)
    code = _code(J)
    return Result(
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


def _print(options: argparse.Namespace, problem: Problem, point: Point, result: Result) -> None:
    if options.form is None:
        print(_report(options.seed, problem, point, result))
        return
    text = getattr(result, options.form)
    if text is None:
        options.refuse(f"`{problem.expression.text}` has no closed form to print as {options.form}")
    print(text)
    if not result.errors.passed:
        print(f"jaxcalc derive: wrong: {_comparison(point, result.errors)}", file=sys.stderr)


def _report(seed: int, problem: Problem, point: Point, result: Result) -> str:
    expression = problem.expression
    named = zip(expression.names, problem.shapes, strict=True)
    arguments = ", ".join(f"{name} {shape_text(shape)}" for name, shape in named)
    low, high = point.drawn
    word = "ok" if result.errors.passed else "FAILED"
    lines = {
        "function": f"{expression.text}   ({arguments})",
        "derivative": f"by {problem.wrt}, {problem.layout.value} layout, "
        f"{shape_text(result.shape)}:\n\n{_indented(result.formula)}\n",
        "structure": result.structure,
        "cost": result.cost,
        "point": f"uniform in ({low:g}, {high:g}), seed {seed}, {_dtype(point)} on {_device()}",
        "checked": f"{_comparison(point, result.errors)}: {word}",
    }
    return "\n".join(f"{title:12}{text}" for title, text in lines.items())


def _comparison(point: Point, found: Errors) -> str:
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


def _record(seed: int, problem: Problem, point: Point, result: Result) -> dict[str, Any]:
    expression = problem.expression
    return {
        "jaxcalc": jc.__version__,
        "jax": jax.__version__,
        "device": _device(),
        "dtype": _dtype(point),
        "seed": seed,
        "drawn": point.drawn,
        "expression": expression.text,
        "shapes": dict(zip(expression.names, problem.shapes, strict=True)),
        "wrt": problem.wrt,
        "layout": problem.layout.value,
        **asdict(result),
        "errors": {name: finite(e) for name, e in asdict(result.errors).items() if e is not None},
        "passed": result.errors.passed,
    }


COMMAND = Command(
    "derive",
    "the derivative of an expression, in closed form",
    "Differentiate an expression of arrays in either layout: the formula, its structure and cost, "
    "and a comparison with `jax.jacfwd` at a random point. The exit status is 0 when they agree, "
    "else 1.",
    add_options,
    run,
)
