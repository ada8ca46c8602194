"""`python -m benchmarks.compiled --target FILE`: count kernels and traffic; 1 on a miss."""

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compiled.cells import Cell, cells
from benchmarks.compiled.expectations import limit, misses
from benchmarks.compiled.program import kernels
from benchmarks.compiled.report import page
from benchmarks.compiled.target import Target
from benchmarks.report import Progress, Row


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compiled", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--target", type=Path, required=True, help="the card, described in text")
    parser.add_argument("--quick", action="store_true", help="two shapes")
    parser.add_argument("--out", type=Path, metavar="STEM", help="write STEM.md and STEM.json")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Compile the grid; 0 if every program keeps its limit."""
    options = build_parser().parse_args(argv)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    target = Target(options.target)
    planned, rows, failures = list(cells(options.quick)), list[Row](), list[str]()
    progress = Progress()
    for done, cell in enumerate(planned):
        progress(done, len(planned), f"{cell.contestant} {cell.function} {cell.shape} {cell.dtype}")
        row = compiled(target, cell)
        rows.append(row)
        failures += failure(cell, row)
    progress.finish()
    about = {"device": target.device, **versions()}
    text = page(rows, about, failures)
    print(text)
    if options.out is not None:
        options.out.with_suffix(".md").write_text(text, encoding="utf-8")
        lines = ",\n".join(json.dumps(row) for row in rows)
        body = f'{{"about": {json.dumps(about)}, "rows": [\n{lines}\n]}}\n'
        options.out.with_suffix(".json").write_text(body, encoding="utf-8")
    return 1 if failures else 0


def compiled(target: Target, cell: Cell) -> Row:
    """The kernels of one program, and its traffic in units of N."""
    f, arguments = cell.program()
    text, own = target.compile(f, *arguments)
    found = kernels(text)
    traffic = sum(kernel.bytes for kernel in found) / cell.array_bytes
    return {
        **cell._asdict(),
        "kernels": [kernel.name for kernel in found],
        "traffic": round(traffic, 4),
        "registers": [kernel.registers for kernel in own],
        "spilled": sum(kernel.spilled for kernel in own),
    }


def failure(cell: Cell, row: Row) -> list[str]:
    """A line if that program needs more than it is held to."""
    if not misses(cell, len(row["kernels"]), row["traffic"]) and not row["spilled"]:
        return []
    most = limit(cell)
    where = f"{cell.contestant} {cell.function}, {cell.quantity}, {cell.dtype} {cell.shape}"
    return [
        f"{where}: {len(row['kernels'])} kernels, {row['traffic']:.2f} N, "
        f"{row['spilled']} bytes spilled; expected {most} and no spills"
    ]


def versions() -> dict[str, str]:
    """Those that decide what is compiled."""
    names = {"jax": "jax", "jaxlib": "jaxlib", "plugin": "jax-cuda13-plugin"}
    return {key: importlib.metadata.version(name) for key, name in names.items()}


if __name__ == "__main__":
    sys.exit(main())
