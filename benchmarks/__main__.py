"""`python -m benchmarks`, from a checkout, on whatever device JAX sees."""

import argparse
import importlib.util
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import machine
from benchmarks.report import Progress, Result
from benchmarks.subjects import SUBJECTS

INTERRUPTED = 130  # what a shell reports after SIGINT
PICTURES = (".png", ".pdf", ".svg")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message on one line of stderr; exit with status 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (--help shows the usage)\n")


def build_parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="python -m benchmarks",
        description="How accurate and how fast jaxcalc is beside its peers.",
        allow_abbrev=False,
    )
    parser.add_argument("--subject", choices=[*SUBJECTS, "all"], default="all")
    parser.add_argument("--quick", action="store_true", help="a small run, under a minute")
    parser.add_argument("--json", type=writable_file, metavar="FILE", help="write all rows")
    parser.add_argument(
        "--plot", type=picture_path, metavar="PATH", help="draw to a picture file, or a folder"
    )
    return parser


def writable_file(text: str) -> Path:
    """A path that can be written, tried before anything is measured."""
    path = Path(text)
    new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from error
    if new:
        path.unlink()
    return path


def picture_path(text: str) -> Path:
    """A picture file or a folder for pictures, if there is a library to draw them."""
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install 'jaxcalc[plot]'")
    path = Path(text)
    if path.suffix.lower() in PICTURES and not path.is_dir():
        return writable_file(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from error
    return path


def picture_of(subject: str, path: Path, alone: bool) -> Path:
    """Where the picture of that subject goes."""
    if path.is_dir():
        return path / f"{subject}.png"
    return path if alone else path.with_stem(f"{path.stem}-{subject}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 unless a check failed."""
    options = build_parser().parse_args(argv)
    names = list(SUBJECTS) if options.subject == "all" else [options.subject]
    on = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in on.items()), flush=True)
    results = {name: _run(name, options, alone=len(names) == 1) for name in names}
    if options.json is not None:
        _write_json(options.json, on, results)
    return 1 if any(result.failures for result in results.values()) else 0


def _run(name: str, options: argparse.Namespace, alone: bool) -> Result:
    subject = SUBJECTS[name]
    result = subject.run(options.quick, Progress())
    print(f"\n{name}: {subject.summary}\n\n{subject.show(result.rows)}")
    print(*result.failures, sep="\n", file=sys.stderr, end="\n" if result.failures else "")
    if options.plot is not None and result.rows:
        from benchmarks import plot  # matplotlib is optional

        plot.draw(name, result.rows, picture_of(name, options.plot, alone))
    return result


def _write_json(path: Path, on: Mapping[str, Any], results: Mapping[str, Result]) -> None:
    subjects = {
        name: {"rows": [_finite(row) for row in result.rows], "failures": result.failures}
        for name, result in results.items()
    }
    text = json.dumps({"machine": on, "subjects": subjects}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, with None where JSON has no word for a number."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
