"""The command line: `python -m jaxcalc`, also installed as `jaxcalc`."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import jaxcalc
from jaxcalc._commands import check, derive, train, verify
from jaxcalc._commands.options import Command

COMMANDS: tuple[Command, ...] = (verify.COMMAND, derive.COMMAND, check.COMMAND, train.COMMAND)
DEFAULT = verify.COMMAND.name
INTERRUPTED, READER_LEFT = 130, 141  # what a shell reports after SIGINT and SIGPIPE


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message on one line of stderr; exit with status 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (--help shows the usage)\n")


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="jaxcalc",
        description="Matrix calculus for JAX: check the formulas, and see them used.",
        epilog=f"Without a command, `{DEFAULT}` runs.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jaxcalc {jaxcalc.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            allow_abbrev=False,
        )
        command.add_options(subparser)
        subparser.set_defaults(command=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names (by default the program's arguments); give its status."""
    _tolerate_narrow_encodings()
    try:
        return _run(_with_command(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        print(f"jaxcalc: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(argv: Sequence[str]) -> int:
    try:
        options = build_parser().parse_args(_prepared(argv))
        status: int = options.command.run(options)
        return status
    finally:
        sys.stdout.flush()


def _with_command(argv: Sequence[str]) -> list[str]:
    """`argv` with the default command in front if it names none."""
    named = argv and (not argv[0].startswith("-") or argv[0] in ("-h", "--help", "--version"))
    return list(argv) if named else [DEFAULT, *argv]


def _prepared(argv: Sequence[str]) -> list[str]:
    """`argv` as the command wants to have it parsed."""
    command = next((command for command in COMMANDS if command.name == argv[0]), None)
    return [argv[0], *command.prepare(argv[1:])] if command else list(argv)


def _tolerate_narrow_encodings() -> None:
    """Let a terminal without ∂ show a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _reader_left() -> int:
    """What follows has nowhere to go: not even what Python flushes on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_LEFT


if __name__ == "__main__":
    sys.exit(main())
