"""The results of a device in a folder: the page, its rows and its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import slug
from benchmarks.report import Result, write_json
from benchmarks.speed.page import write_page

SVG: dict[Any, str] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxcalc",
}  # text as text, the same every time


def write_results(folder: Path, result: Result, machine: Mapping[str, Any], command: str) -> Path:
    """Write everything; give the path of the page."""
    from matplotlib import rc_context  # optional, as is what needs it

    from benchmarks.speed.pictures import DRAWINGS

    stem = slug(machine)
    write_json(folder / f"{stem}.json", machine, {"speed": result})
    pictures = {kind: f"{stem}-{kind}.svg" for kind in DRAWINGS}
    with rc_context(SVG):
        for kind, name in pictures.items():
            DRAWINGS[kind](result.rows).savefig(folder / name, metadata={"Date": None})
    page = folder / f"{stem}.md"
    text = write_page(result.rows, machine, command, pictures, result.failures)
    page.write_text(text, encoding="utf-8")
    return page
