"""`python -m benchmarks`, from a checkout, on whatever device JAX sees."""

import argparse
import importlib.util
import shlex
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import accuracy, derive, losses, machine, quick, speed
from benchmarks.report import WIDTH, Progress, Result, show, write_json
from jaxcalc.__main__ import INTERRUPTED, Parser

PICTURES = (".png", ".pdf", ".svg")
RESULTS = Path(__file__).parent / "results"

QUICK = "quick"  # what is measured where no subject is named
# Each has `run`, of whether it should be quick and the progress, and `parts`, which are shown.
SUBJECTS: dict[str, Any] = {
    QUICK: quick,
    "accuracy": accuracy,
    "speed": speed,
    "losses": losses,
    "derive": derive,
}


def build_parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="python -m benchmarks",
        description="How accurate and how fast jaxcalc is beside its peers: without a subject the "
        "short answer, within a minute.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--subject",
        choices=[name for name in SUBJECTS if name != QUICK],
        default=QUICK,
        help="one subject, in place of the short answer",
    )
    parser.add_argument(
        "--quick", action="store_true", help="the short answer; with a subject a small run of it"
    )
    parser.add_argument("--json", type=_file, metavar="FILE", help="write all rows")
    parser.add_argument("--plot", type=_picture, metavar="FILE", help="draw the short answer")
    parser.add_argument(
        "--results",
        type=_folder,
        nargs="?",
        const=str(RESULTS),
        metavar="FOLDER",
        help="write a subject's page, rows and pictures (default benchmarks/results)",
    )
    return parser


# --- paths, tried before anything is measured ---


def _file(text: str) -> Path:
    return _tried(text, lambda path: path.open("ab").close())


def _picture(text: str) -> Path:
    _require_matplotlib()
    if not text.lower().endswith(PICTURES):
        raise argparse.ArgumentTypeError(f"must end in one of {', '.join(PICTURES)}")
    return _file(text)


def _folder(text: str) -> Path:
    _require_matplotlib()
    return _tried(text, lambda path: path.mkdir(parents=True, exist_ok=True))


def _tried(text: str, make: Callable[[Path], None]) -> Path:
    try:
        make(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from error
    return Path(text)


def _require_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install 'jaxcalc[plot]'")


# --- running ---


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 unless a check failed."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    options = parser.parse_args(arguments)
    name, subject = options.subject, SUBJECTS[options.subject]
    if options.results is not None and name == QUICK:
        parser.error("`--results` needs a `--subject`")
    if options.plot is not None and name != QUICK:
        parser.error("`--plot` is of the short answer: `--results` draws what a subject found")
    on, start = machine.describe(), time.monotonic()
    print(f"{textwrap.fill(machine.named(on), WIDTH)}\n", flush=True)
    result: Result = subject.run(options.quick, Progress())
    on["minutes"] = round((time.monotonic() - start) / 60, 1)
    on["command"] = shlex.join(["python", "-m", "benchmarks", *arguments])
    print(show(subject.parts(result.rows)))
    for failure in result.failures:
        print(failure, file=sys.stderr)
    if options.json is not None:
        write_json(options.json, on, name, result)
    if options.plot is not None:
        from benchmarks import plot  # matplotlib is optional

        plot.save(plot.draw_quick(result.rows), options.plot)
    if options.results is not None:
        from benchmarks.pages import write_page

        print(f"\nwritten: {write_page(options.results, name, subject.parts, result, on)}")
    return 1 if result.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
