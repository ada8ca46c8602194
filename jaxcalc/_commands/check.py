"""`check`: whether an expression is the derivative of another, and what is wrong if it is not."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from jaxcalc import Layout
from jaxcalc._commands.derivation import Task, posed, random_point
from jaxcalc._commands.derive import READ, add_problem_options, expression, shielded
from jaxcalc._commands.expression import WrittenFunction, shape_text
from jaxcalc._commands.options import Command, add_common_options, write_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `check`."""
    parser.epilog = READ
    parser.add_argument("expression", type=expression, metavar="EXPRESSION", help="f")
    parser.add_argument(
        "derivative",
        type=expression,
        metavar="DERIVATIVE",
        help="what is claimed to be ∂f/∂x; I is the identity of the size of x",
    )
    add_problem_options(parser)
    add_common_options(parser, seeded="the random point")
    parser.set_defaults(refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Check the claim at a random point and near by, and say what is wrong with it."""
    try:
        problem = posed(options.expression, options.wrt, options.shape, Layout(options.layout))
        claim = _claimed(problem, options.derivative)
        report = _checked(problem, claim, options.seed)
    except ValueError as error:
        options.refuse(str(error))
    for doubt in problem.doubts:
        print(f"jaxcalc check: note: {doubt}", file=sys.stderr)
    names = zip(problem.expression.names, problem.shapes, strict=True)
    arguments = ", ".join(f"{name} {shape_text(shape)}" for name, shape in names)
    print(f"f = {problem.expression.text}   ({arguments})")
    print(f"claim: {options.derivative.text}\n{report}")
    write_json(options.json, _record(options, problem, report))
    return 0 if report else 1


def _claimed(problem: Task, derivative: WrittenFunction) -> Callable[..., Any]:
    """The claim as a function of all arrays; vectors and numbers in the shape of the layout.

    `I` is the identity of the size of a vector x, unless it is an array of the function.

    Raises:
        ValueError: when it has a name that the function lacks.
    """
    names, x_shape = problem.expression.names, problem.shapes[problem.position]
    known = {"I": jnp.eye(x_shape[0])} if len(x_shape) == 1 else {}
    for name in derivative.names:
        if name not in {*names, *known}:
            raise ValueError(
                f"`{name}` is in the derivative, but not in `{problem.expression.text}`."
            )

    def claim(*arrays: Any) -> Any:
        given = known | dict(zip(names, arrays, strict=True))
        value = jnp.asarray(derivative(*(given[name] for name in derivative.names)))
        y_shape = jax.eval_shape(problem.expression, *arrays).shape
        is_vector = max(len(y_shape), len(x_shape)) < 2 and not (y_shape and x_shape)
        if value.ndim > 1 or not is_vector:
            return value
        is_row = bool(y_shape) == (problem.layout is Layout.DENOMINATOR)
        return value.reshape((1, -1) if is_row else (-1, 1))

    return claim


def _checked(problem: Task, claim: Callable[..., Any], seed: int) -> jc.Report:
    with jax.enable_x64(True):
        point = random_point(problem, np.dtype(np.float64), seed)
        arrays = [jnp.asarray(array) for array in point.arrays]
        return jc.check(
            problem.expression, claim, *arrays, layout=problem.layout, argnums=problem.position
        )


def _record(options: argparse.Namespace, problem: Task, report: jc.Report) -> dict[str, Any]:
    return {
        "jaxcalc": jc.__version__,
        "jax": jax.__version__,
        "seed": options.seed,
        "expression": problem.expression.text,
        "derivative": options.derivative.text,
        "shapes": dict(zip(problem.expression.names, problem.shapes, strict=True)),
        "wrt": problem.wrt,
        "layout": problem.layout.value,
        "right": report.is_right,
        "details": report.details,
        "diagnoses": [
            {"name": f.name, "change": f.change, "residual": f.residual} for f in report.diagnoses
        ],
        "notes": report.notes,
        "formula": report.formula,
    }


COMMAND = Command(
    "check",
    "whether an expression is the derivative of another",
    "Compare a derivative made by hand with automatic differentiation, and say what is wrong with "
    "it: the other layout, a factor, a missing term, and so on. The exit status is 0 when it is "
    "right, else 1.",
    add_options,
    run,
    shielded,
)
