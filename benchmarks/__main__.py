"""`python -m benchmarks`, from a checkout, on whatever device JAX sees."""

import argparse
import importlib.util
import shlex
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks import machine
from benchmarks.report import WIDTH, Progress, Result, show, write_json
from benchmarks.subjects import QUICK, SUBJECTS

INTERRUPTED = 130  # what a shell reports after SIGINT
PICTURES = (".png", ".pdf", ".svg")
RESULTS = Path(__file__).parent / "results"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message on one line of stderr; exit with status 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (--help shows the usage)\n")


def build_parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="python -m benchmarks",
        description="How accurate and how fast jaxcalc is beside its peers: without a subject the "
        "short answer, within a minute.",
        allow_abbrev=False,
    )
    named = {name: subject for name, subject in SUBJECTS.items() if name != QUICK}
    parser.add_argument(
        "--subject",
        choices=[*named, "all"],
        help="; ".join(f"{name}: {subject.summary}" for name, subject in named.items()),
    )
    parser.add_argument(
        "--quick", action="store_true", help="the short answer; with a subject a small run of it"
    )
    parser.add_argument("--json", type=writable_file, metavar="FILE", help="write all rows")
    parser.add_argument(
        "--plot", type=picture_path, metavar="PATH", help="draw to a picture file, or a folder"
    )
    parser.add_argument(
        "--results",
        type=picture_folder,
        nargs="?",
        const=str(RESULTS),
        metavar="FOLDER",
        help="write a subject's page, rows and pictures (default benchmarks/results)",
    )
    return parser


# --- paths, tried before anything is measured ---


def writable_file(text: str) -> Path:
    """A path that can be written."""
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
    path = Path(text)
    if path.suffix.lower() not in PICTURES or path.is_dir():
        return picture_folder(text)
    _require_matplotlib()
    return writable_file(text)


def picture_folder(text: str) -> Path:
    """A folder for pictures, made if need be."""
    _require_matplotlib()
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from error
    return path


def _require_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install 'jaxcalc[plot]'")


# --- running ---


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 unless a check failed."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.results is not None and options.subject is None:
        parser.error("`--results` needs a `--subject`")
    names = [options.subject or QUICK]
    if names == ["all"]:
        names = [name for name in SUBJECTS if name != QUICK]
    print(f"{textwrap.fill(machine.named(), WIDTH)}\n", flush=True)
    on, start = machine.describe(), time.monotonic()
    results = {name: _run(name, options, alone=len(names) == 1) for name in names}
    on["minutes"] = round((time.monotonic() - start) / 60, 1)
    on["command"] = shlex.join(["python", "-m", "benchmarks", *arguments])
    if options.json is not None:
        write_json(options.json, on, results)
    if options.results is not None:
        from benchmarks.pages import write_page  # matplotlib is optional

        for name, result in results.items():
            page = write_page(options.results, name, SUBJECTS[name].parts, result, on)
            print(f"\nwritten: {page}")
    return 1 if any(result.failures for result in results.values()) else 0


def _run(name: str, options: argparse.Namespace, alone: bool) -> Result:
    subject = SUBJECTS[name]
    result = subject.run(options.quick, Progress())
    if not alone:
        print(f"\n{name}: {subject.summary}\n")
    print(show(subject.parts(result.rows)))
    print(*result.failures, sep="\n", file=sys.stderr, end="\n" if result.failures else "")
    if options.plot is not None and result.rows:
        from benchmarks import plot  # matplotlib is optional

        plot.write(name, result.rows, picture_of(name, options.plot, alone))
    return result


def picture_of(subject: str, path: Path, alone: bool) -> Path:
    """Where the picture of that subject goes."""
    if path.is_dir():
        return path / f"{subject}.png"
    return path if alone else path.with_stem(f"{path.stem}-{subject}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
