"""What the subcommands share: their description, their arguments, the files that they write."""

import argparse
import importlib.util
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PICTURES = (".png", ".pdf", ".svg")
MOST_DEVICES = 64  # virtual ones: each is a thread


@dataclass(frozen=True)
class Command:
    """One subcommand: `run` gets the parsed options and gives the exit status."""

    name: str
    summary: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    prepare: Callable[[Sequence[str]], list[str]] = list  # its arguments, for the parser


def add_common_options(parser: argparse.ArgumentParser, seeded: str) -> None:
    """`--x64`, `--seed` (of what `seeded` says) and `--json`."""
    parser.add_argument("--x64", action="store_true", help="work in double precision")
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help=f"of {seeded} (default 0)"
    )
    parser.add_argument("--json", type=output_file, metavar="FILE", help="also write the results")


def seed(text: str) -> int:
    """A seed that every random generator takes."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2³² − 1, not {text!r}")
    return int(text)


def device_count(text: str) -> int:
    """How many virtual devices the CPU is to be divided into."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DEVICES:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 to {MOST_DEVICES}, not {text!r}"
        )
    return int(text)


def output_file(text: str) -> Path:
    """A path that can be written, tried before any work is done."""
    path = Path(text)
    new = not os.path.lexists(path)
    try:
        path.open("ab").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from error
    if new:
        path.unlink()
    return path


def picture_file(text: str) -> Path:
    """A path for a picture, if there is a library to draw it."""
    if not text.lower().endswith(PICTURES):
        raise argparse.ArgumentTypeError(f"must end in one of {', '.join(PICTURES)}, not {text!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install 'jaxcalc[plot]'")
    return output_file(text)


def write_json(path: Path | None, results: dict[str, Any]) -> None:
    """The results as JSON, if a file was asked for."""
    if path is not None:
        text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def finite(x: float) -> float | None:
    """`x`, or None where JSON has no word for it."""
    return x if math.isfinite(x) else None
